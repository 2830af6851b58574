//! What the library knows about an installed version: `skill.json` beside the version's files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skillery_core::time::Time;
use skillery_core::{Digest, SkillId, SkillKind, Version, VersionStatus};

use crate::log::{ApprovedView, SignedView};
use crate::verify::SignatureState;

/// What is said about a version, kept beside its files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// What it is.
    #[serde(default, skip_serializing_if = "SkillKind::is_function")]
    pub kind: SkillKind,
    /// SHA-256 of the code; of a folder, of its bundle.
    pub code_hash: Digest,
    /// The publisher's HMAC signature.
    pub signature: Option<String>,
    /// What the signature was worth when the version came: a member's secret is only there while the registry is.
    pub signature_state: SignatureState,
    /// The key of the log that it was proven to be in, if it was: `origin+id+base64`.
    #[serde(default)]
    pub log_key: Option<String>,
    /// The number of the log entry that published it, if that was proven.
    #[serde(default)]
    pub log_index: Option<u64>,
    /// The signature that it was installed by, where one was demanded.
    #[serde(default)]
    pub signed: Option<SignedView>,
    /// The approvals that it was installed by, where they were demanded.
    #[serde(default)]
    pub approved: Option<ApprovedView>,
    /// The files with its signatures, its approvals and what they rest on, by name, and their digests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kept_files: BTreeMap<String, Digest>,
    /// The paths of a folder's files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// What the registry said of it when it came.
    #[serde(default = "published")]
    pub status: VersionStatus,
    /// Where it was downloaded from; nothing for what was made here.
    pub registry: Option<String>,
    /// When it was downloaded or made.
    pub installed_at: Time,
    /// What it is for.
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
}

fn published() -> VersionStatus {
    VersionStatus::Published
}

/// A version in the library.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Installed {
    /// What is said about it.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// The folder with its files.
    pub path: PathBuf,
    /// The Python file; of a folder that has none under its name, where that would be.
    pub code_path: PathBuf,
    /// The folder with what is kept beside them.
    #[serde(skip)]
    pub(crate) beside: PathBuf,
    /// The proof that it is in the log, if there is one.
    pub proof_path: Option<PathBuf>,
    /// Whether it is the version that a request without one gets.
    pub current: bool,
}

/// What installing led to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Installation {
    /// What is in the library now.
    #[serde(flatten)]
    pub installed: Installed,
    /// False when the library had exactly this version already.
    pub added: bool,
    /// Whether it came from this machine, because the registry was not, or could not be, asked.
    pub from_cache: bool,
    /// The fingerprint of the log's key, where this was the first contact with the log.
    pub new_log_key: Option<String>,
    /// Why the version should not be used, where its publisher yanked it.
    pub warning: Option<String>,
}
