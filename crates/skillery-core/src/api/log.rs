//! The log.

use serde::{Deserialize, Serialize};

use crate::SkillId;
use crate::entry::Opening;
use crate::event::LogEntry;

/// `GET /api/v1/log`: entries from `after` on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogResponse {
    /// Entries in the whole log.
    pub size: i64,
    /// Those of this page, in order.
    pub entries: Vec<LogEntry>,
}

/// `GET /api/v1/log/key`: what the log is signed with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogKeyResponse {
    /// The name of the log: the first line of its checkpoints.
    pub origin: String,
    /// The public key as signed notes name it: `origin+id+base64`.
    pub key: String,
    /// What people compare: `SHA256:` and the digest of the key in base64.
    pub fingerprint: String,
    /// How the log came to this key, the oldest first: signed notes by which one key hands the log over to the next.
    #[serde(default)]
    pub rotations: Vec<String>,
}

/// An entry of the log with its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoggedEntry {
    /// Its number.
    pub index: u64,
    /// The entry, and what its leaf was made from.
    #[serde(flatten)]
    pub opening: Opening,
}

/// `GET /api/v1/log/openings`: what opens hidden leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OpeningsResponse {
    /// Where to go on; none after the last page.
    pub next: Option<u64>,
    /// Those that the caller may see.
    pub entries: Vec<LoggedEntry>,
}

/// `GET /api/v1/skills/{id}/log`: what the log holds about a skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SkillLogResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The newest first.
    pub entries: Vec<LoggedEntry>,
}
