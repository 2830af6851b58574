//! Versions, their files, and what is decided about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::VersionFinding;
use crate::approval::Notice;
use crate::time::Time;
use crate::{Digest, SkillId, SkillKind, Version, VersionStatus, Visibility};

/// `GET /api/v1/skills/{id}/versions`: one page, the highest version first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionsResponse {
    /// `org/name`.
    pub id: String,
    /// Versions on all pages.
    pub total: u64,
    /// The version that a request without one gets.
    pub latest: Option<String>,
    /// Those of this page.
    pub versions: Vec<VersionSummary>,
}

/// One version in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionSummary {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// SHA-256 of the bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// Bytes of the bundle.
    pub size: u64,
    /// What it is. Older registries do not say: they have functions only.
    #[serde(default)]
    pub kind: SkillKind,
    /// SHA-256 of the code; of a folder, of its bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub code_hash: Digest,
    /// The publisher's name.
    pub publisher: String,
    /// When it was published.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// Why it was yanked or quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is to be said of it, if something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// The skills that it needs, each with the version or range that will do. Left out where nobody has looked: what it needs then
    /// stands in its files alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<BTreeMap<String, String>>,
    /// What changed with it, as its publisher says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog: Option<String>,
}

/// `GET /api/v1/skills/{id}/versions/{version}`: everything about one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionDetail {
    /// `org/name`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// What a listing says of it.
    #[serde(flatten)]
    pub summary: VersionSummary,
    /// What the skill is for.
    pub description: String,
    /// Topics.
    pub tags: Vec<String>,
    /// The author.
    pub author: String,
    /// Licence.
    pub license: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
    /// Who sees the skill.
    pub visibility: Visibility,
    /// The files of the bundle.
    pub files: Vec<FileSummary>,
    /// Signatures.
    pub signatures: Vec<SignatureSummary>,
    /// What the rules for skills find in it today. It is left out of a version that nobody gets, and while the files of the version cannot
    /// be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub findings: Option<Vec<VersionFinding>>,
    /// The number of the log entry that published it.
    pub log_position: i64,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileSummary {
    /// Relative, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// `0644` or `0755`.
    pub mode: String,
    /// SHA-256.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
}

/// One signature of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignatureSummary {
    /// `sshsig` or `dsse`, by an author's own key; `hmac-sha256`, with a secret that an org shares.
    pub kind: String,
    /// What it is worth: `signed by` whom; `legacy-integrity-only` of an HMAC.
    pub level: String,
    /// The signature.
    pub value: String,
}

/// A reason, for a yank or a quarantine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReasonRequest {
    /// Shown to whoever asks for the version.
    #[serde(default)]
    pub reason: String,
}

/// `PUT /api/v1/skills/{id}/visibility`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VisibilityRequest {
    /// Who sees the skill from now on.
    pub visibility: Visibility,
}
