//! What was done and what was refused: who, when, from where.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::time::Time;
use crate::words::word_enum;

/// Days that a report covers at most.
pub const MAX_REPORT_DAYS: u32 = 366;

word_enum! {
    /// How it ended.
    AuditOutcome {
        /// It was done.
        Allowed = "allowed",
        /// It was refused.
        Denied = "denied",
    }
}

word_enum! {
    /// What a file of the audit looks like.
    AuditFormat {
        /// Comma-separated values, the names of the columns first.
        Csv = "csv",
        /// A JSON object in each line.
        Jsonl = "jsonl",
    }
}

impl AuditFormat {
    /// What a file is announced as.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/jsonl; charset=utf-8",
        }
    }
}

/// Something that was done or refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its number. Later ones have higher ones; some are missing, as what was refused is forgotten after a while.
    pub id: i64,
    /// When; of what was refused several times, the first time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub time: Time,
    /// When it was refused last.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_time: Time,
    /// How often the same was refused within a minute; 1 of what was done.
    pub times: i64,
    /// How it ended.
    pub outcome: AuditOutcome,
    /// The kind of the change, such as `version.published`; of what was refused the method and route.
    pub action: String,
    /// The name of the user who did it; none for the registry itself, and for callers who are not signed in.
    pub actor: Option<String>,
    /// The id of that user, as the log has it.
    pub actor_id: Option<String>,
    /// What it is about: the id of a skill, a namespace, or what else the change names.
    pub subject: Option<String>,
    /// The version, where it is about one.
    pub version: Option<String>,
    /// The key of the namespace that it concerns.
    pub namespace: Option<String>,
    /// The name of the user whose rights it changes, if it changes a user's.
    pub affected: Option<String>,
    /// Why it was refused: the code of the problem.
    pub code: Option<String>,
    /// The number of its entry in the log.
    pub log_index: Option<i64>,
    /// What the log says.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub event: Option<Event>,
    /// The way: `api`, `git` and other surfaces, or what of the registry itself did it.
    pub via: Option<String>,
    /// The id of the token.
    pub token: Option<String>,
    /// The address that it came from.
    pub address: Option<String>,
    /// What the client calls itself.
    pub agent: Option<String>,
    /// The id of the request.
    pub request: Option<String>,
}

/// `GET /api/v1/audit`: the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditResponse {
    /// Those of this page.
    pub entries: Vec<AuditEntry>,
    /// Give it as `before` for the next page; none after the last.
    pub next: Option<i64>,
}

/// How often something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditCount {
    /// What, who or why.
    pub name: String,
    /// How often.
    pub times: i64,
}

/// A version that was handed out after it had waited, or reviewed after it was handed out, and who approved it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRelease {
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub time: Time,
    /// The skill.
    pub skill: String,
    /// The version.
    pub version: String,
    /// `version.released`, or `version.reviewed` of one that was handed out before.
    #[serde(default)]
    pub action: String,
    /// The names of those whose approvals count.
    pub approved_by: Vec<String>,
    /// The number of its entry in the log.
    pub log_index: i64,
}

/// `GET /api/v1/audit/report`: what happened in some days. Lists have the newest first and end at a limit; counts do not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditReport {
    /// From when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub from: Time,
    /// Until when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub to: Time,
    /// The namespace that was asked about.
    pub namespace: Option<String>,
    /// What was done.
    pub allowed: i64,
    /// What was refused.
    pub denied: i64,
    /// What was done by kind, the most frequent first.
    pub actions: Vec<AuditCount>,
    /// Who did it, the busiest first.
    pub actors: Vec<AuditCount>,
    /// What was refused by code.
    pub denied_by_code: Vec<AuditCount>,
    /// Who was refused, by name; those who are not signed in by address, for who may see it.
    pub denied_by_caller: Vec<AuditCount>,
    /// Roles that were given and taken.
    pub members: Vec<AuditEntry>,
    /// Versions that had waited and were released, and those that were reviewed after that.
    pub releases: Vec<AuditRelease>,
    /// Releases around the policy.
    pub break_glass: Vec<AuditEntry>,
    /// Changes of what is demanded of versions.
    pub policies: Vec<AuditEntry>,
}

/// Who has downloaded a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionInstall {
    /// The name of the user.
    pub user: String,
    /// How often.
    pub downloads: i64,
    /// The first time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub first_at: Time,
    /// The last time.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub last_at: Time,
}

/// `GET /api/v1/skills/{id}/versions/{version}/installs`: signed-in users who have downloaded it, the last first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionInstallsResponse {
    /// All of them.
    pub total: u64,
    /// Those of this page.
    pub installs: Vec<VersionInstall>,
}
