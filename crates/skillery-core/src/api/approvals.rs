//! Approvals: what a namespace demands, what waits, and what reviewers decided.

use serde::{Deserialize, Serialize};

use crate::approval::{Decision, PublishPolicy};
use crate::time::Time;
use crate::words::word_enum;
use crate::{Digest, SkillId, Version, VersionStatus};

/// A policy where it is set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyInForce {
    /// Where.
    pub namespace: String,
    /// What is demanded there and below.
    pub policy: PublishPolicy,
    /// When it was set.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub set_at: Time,
    /// The number of the log entry that says so.
    pub log_index: u64,
}

/// `GET /api/v1/orgs/{namespace}/policy`: what is demanded of versions that are published there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyResponse {
    /// The namespace.
    pub namespace: String,
    /// What is demanded: what the policies demand together; nothing where there is none.
    pub demanded: Option<PublishPolicy>,
    /// The policies of the namespace and of those above it, the outermost first.
    pub policies: Vec<PolicyInForce>,
}

/// `POST /api/v1/skills/{id}/versions/{version}/approvals`: decides about a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecisionRequest {
    /// What is decided.
    pub decision: Decision,
    /// SHA-256 of the bundle that was looked at. Another one than the version has is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub digest: Option<Digest>,
    /// Why, for members of the namespace. A rejection and a request for changes have one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub comment: String,
}

/// What somebody decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecisionSummary {
    /// The name of the user.
    pub user: String,
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub comment: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub decided_at: Time,
    /// The number of the log entry that has it.
    pub log_index: u64,
    /// Whether it counts as things stand: the user still holds the role, and had no part in the version.
    pub counts: bool,
}

/// `GET /api/v1/skills/{id}/versions/{version}/approvals`: how far a version is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalsResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// SHA-256 of the bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// The name of the user who published it.
    pub publisher: String,
    /// What is demanded now; nothing where no policy demands anything.
    pub demanded: Option<PublishPolicy>,
    /// How many approvals count now.
    pub given: u32,
    /// The last decision of each reviewer, the oldest first.
    pub decisions: Vec<DecisionSummary>,
    /// A higher version that was published since, and is reviewed or handed out in place of this one that waits or was rejected.
    /// No approval is moved from one to the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub newer: Option<Version>,
    /// Threads of comments about it.
    #[serde(default)]
    pub threads: u64,
    /// Those of them that are not resolved.
    #[serde(default)]
    pub unresolved: u64,
}

/// A version that waits, or has been decided about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingVersion {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Where it stands.
    #[serde(default = "pending")]
    pub status: VersionStatus,
    /// The name of the user who published it.
    pub publisher: String,
    /// What it is for.
    pub description: String,
    /// When it was published.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub published_at: Time,
    /// Approvals that it has, whether they count or not.
    pub given: u32,
    /// What the caller has decided, if anything.
    pub mine: Option<Decision>,
    /// When somebody last decided something about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub decided_at: Option<Time>,
    /// How many reviewers ask for changes.
    #[serde(default)]
    pub changes_requested: u32,
    /// Threads of comments about it that are not resolved.
    #[serde(default)]
    pub unresolved: u64,
}

fn pending() -> VersionStatus {
    VersionStatus::Pending
}

word_enum! {
    /// Which versions are listed.
    ApprovalState {
        /// Those that wait, the oldest first.
        Pending = "pending",
        /// Those that wait no more, and somebody has decided about; the last decision first.
        Decided = "decided",
    }
}

/// `GET /api/v1/approvals`: one page of the versions that wait where the caller may decide, or of others that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PendingResponse {
    /// How many there are.
    pub total: u64,
    /// This page.
    pub pending: Vec<PendingVersion>,
}
