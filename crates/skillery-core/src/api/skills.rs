//! Skills: publishing, showing, searching, downloading.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::SignatureUpload;
use crate::token::Secret;
use crate::{SkillKind, VersionStatus, Visibility};

/// A skill as the guide's `RegistrySkill` lists it: these attributes and no other, since existing clients build
/// their object from the keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Record {
    /// `org/name`.
    pub id: String,
    /// The last segment of the id.
    pub name: String,
    /// The namespace: all segments but the last.
    pub org: String,
    /// The latest version.
    pub version: String,
    /// What the skill is for.
    pub description: String,
    /// SHA-256 of the code, 64 hexadecimal digits.
    pub code_hash: String,
    /// The publisher's HMAC-SHA256 over `id:code_hash`, if there is one.
    pub signature: Option<String>,
    /// Topics.
    pub tags: Vec<String>,
    /// Mean of all ratings, 1 to 5; 0 when there are none.
    pub rating: f64,
    /// Ratings.
    pub rating_count: i64,
    /// Downloads that were answered with content.
    pub install_count: i64,
    /// When the first version was published (RFC 3339).
    pub created_at: String,
    /// When the latest version was published (RFC 3339).
    pub updated_at: String,
    /// The author; the publisher's name when none was given.
    pub author: String,
    /// Licence, for example `MIT`.
    pub license: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
}

/// `POST /api/v1/skills`: a version to publish. A field that is not listed here is refused by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishRequest {
    /// `org/name`.
    pub id: String,
    /// Must be the id's last segment when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Must be the id's namespace when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// A semantic version.
    pub version: String,
    /// What the skill is for.
    #[serde(default)]
    pub description: String,
    /// Checked against `code` when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_hash: Option<String>,
    /// HMAC-SHA256 of `id:code_hash`; checked where the org registered its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Topics.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Licence; `MIT` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The project's page, `http` or `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Where the source is kept, a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The author; the caller's name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Who sees the skill. Only the first version of a skill sets it; later it has its own route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// The statement about this version that was signed, as canonical JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Signatures over the statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<SignatureUpload>,
    /// The Python source.
    pub code: String,
}

/// The part `request` of `POST /api/v1/skills` as `multipart/form-data`: what the folder in the part `bundle` does not say
/// itself. A field that is not listed here is refused by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BundleRequest {
    /// `org/name`; the name is that of `SKILL.md`.
    pub id: String,
    /// A semantic version.
    pub version: String,
    /// Topics, beside those that the folder names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who sees the skill; where it is left out, as the folder says. Only the first version of a skill sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// The author; the caller's name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The project's page, `http` or `https`; where it is left out, as the folder says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Where the source is kept, a URL; where it is left out, as the folder says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Whether a folder is taken that clients can read and that does not keep to the Agent Skills format in all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lenient: bool,
    /// SHA-256 of the canonical ZIP, where it is known: checked against the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// HMAC-SHA256 of `id:digest`; checked where the org registered its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The statement about this version that was signed, as canonical JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// Signatures over the statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<SignatureUpload>,
}

/// What a publish is answered with: 201, or 200 for the identical version again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishResponse {
    /// The id, as the skill was first spelled.
    pub id: String,
    /// The version.
    pub version: String,
    /// `published`, or `pending` where it needs approval.
    pub status: VersionStatus,
    /// When the skill was first published.
    pub created_at: String,
    /// When this version was published.
    pub updated_at: String,
    /// SHA-256 of the version's bundle. Older registries do not say it.
    #[serde(default)]
    pub digest: String,
    /// The number of the log entry that published it.
    pub log_index: u64,
    /// The proof that this entry is in the log, as `…/versions/{version}/proof` answers it.
    pub proof: String,
}

/// `GET /api/v1/skills`: one page of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchResponse {
    /// How many skills fit, on all pages.
    pub total: u64,
    /// Those of this page.
    pub skills: Vec<Record>,
}

/// `GET /api/v1/facets`: how many of the skills that a search finds have which tag, and lie in which namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FacetsResponse {
    /// The commonest tags, in lower case; of those that are as common the first by name come first.
    pub tags: Vec<FacetCount>,
    /// The namespaces with most skills, each with those below it, with `-` for `_` and `.`: an address with either finds the same.
    pub namespaces: Vec<FacetCount>,
    /// Whether there are more tags, or more namespaces, than these.
    pub truncated: bool,
}

/// How many skills have something in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FacetCount {
    /// The tag or the namespace.
    pub name: String,
    /// Skills that have it, or lie in it or below.
    pub count: u64,
}

/// `GET /api/v1/skills/{id}/download`: the code and what is needed to check it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DownloadResponse {
    /// `org/name`.
    pub id: String,
    /// The version that the request chose.
    pub version: String,
    /// The Python source; empty where the version is a folder.
    pub code: String,
    /// SHA-256 of `code`; of a folder, of its bundle.
    pub code_hash: String,
    /// What the version is; left out where it is a function.
    #[serde(default, skip_serializing_if = "SkillKind::is_function")]
    pub kind: SkillKind,
    /// Where the bundle of a folder is: a path of this registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<String>,
    /// The publisher's signature, as it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The org's signing secret; only members of the org get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// SHA-256 of the version's bundle.
    pub digest: String,
    /// Why the version should not be used, where it was yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Shows everything but the secret.
impl fmt::Debug for DownloadResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, version, code, code_hash, kind, bundle, signature, secret, digest, warning } = self;
        formatter
            .debug_struct("DownloadResponse")
            .field("id", id)
            .field("version", version)
            .field("code", code)
            .field("code_hash", code_hash)
            .field("kind", kind)
            .field("bundle", bundle)
            .field("signature", signature)
            .field("secret", &secret.as_deref().map(Secret::new))
            .field("digest", digest)
            .field("warning", warning)
            .finish()
    }
}
