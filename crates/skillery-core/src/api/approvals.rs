//! Approvals: what a namespace demands, what waits, and what reviewers decided.

use serde::{Deserialize, Serialize};

use crate::approval::{Decision, Fact, HeldFor, PublishPolicy};
use crate::sign::review::ReviewMark;
use crate::time::Time;
use crate::words::word_enum;
use crate::{Digest, Role, Segment, SkillId, Version, VersionStatus};

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
    /// What is demanded, in short: the most people and the highest role of the policies; nothing where there is none.
    pub demanded: Option<PublishPolicy>,
    /// The policies of the namespace and of those above it, the outermost first.
    pub policies: Vec<PolicyInForce>,
    /// The groups that these policies may name: those of the same namespaces.
    #[serde(default)]
    pub groups: Vec<GroupSummary>,
}

/// A group of a namespace, whose members policies ask for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupSummary {
    /// Where.
    pub namespace: String,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub group: Segment,
    /// The names of its members.
    pub users: Vec<String>,
    /// The number of the log entry that says so.
    pub log_index: u64,
}

/// `PUT /api/v1/orgs/{namespace}/policy/groups/{group}`: all its members from now on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupRequest {
    /// The names of its members, at most 200.
    pub users: Vec<String>,
}

/// A change of what a namespace demands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyChange {
    /// Where.
    pub namespace: String,
    /// What it demands from then on; nothing where the policy was removed.
    pub policy: Option<PublishPolicy>,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// The name of who did it.
    pub by: Option<String>,
    /// The number of the log entry.
    pub log_index: u64,
}

/// `GET /api/v1/orgs/{namespace}/policy/history`: every policy that the namespace had itself, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyHistoryResponse {
    /// How many there are.
    pub total: u64,
    /// This page.
    pub changes: Vec<PolicyChange>,
}

/// A reviewer's signature over the statement of a review.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewSignature {
    /// The statement, as canonical JSON: registry, skill, version, digest, verdict and the entries of the policies in force.
    pub statement: String,
    /// The SSH signature over it with the namespace `skill-review@v1`, in its armour.
    pub signature: String,
}

/// A signed review, with all that checks it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedReview {
    /// The number of the log entry that has the decision.
    pub log_index: u64,
    /// What was decided, as the statement says it. Approvals alone count for anything.
    #[serde(default = "approved")]
    pub decision: Decision,
    /// The statement and the signature.
    #[serde(flatten)]
    pub review: ReviewSignature,
    /// The key.
    pub public_key: String,
    /// What the log says of it.
    pub mark: ReviewMark,
}

/// `GET /api/v1/skills/{id}/versions/{version}/reviews`: the signed reviews of a version: approvals, rejections and requests for changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignedReviewsResponse {
    /// The oldest first.
    pub reviews: Vec<SignedReview>,
}

/// What is signed on registries that say nothing of it.
fn approved() -> Decision {
    Decision::Approved
}

/// How far a stage is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageStanding {
    /// The namespace whose policy has it; the innermost of those that have it together.
    pub namespace: String,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub name: Segment,
    /// How many people it needs.
    pub approvals: u32,
    /// The role that they hold at least.
    pub role: Role,
    /// The group that they are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub group: Option<Segment>,
    /// Whether only signed approvals count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
    /// The names of those whose approvals count for it.
    pub given: Vec<String>,
    /// Whether it is the one that is to be approved now.
    pub is_open: bool,
    /// Whether it has what it needs.
    pub is_complete: bool,
}

/// That an owner has released a version without the approvals that it waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ForcedSummary {
    /// The name of who did it.
    pub by: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// Why. The log has the SHA-256 of `salt`, a line feed and this.
    pub reason: String,
    /// 64 hexadecimal digits.
    pub salt: String,
    /// The number of the log entry that has it.
    pub log_index: u64,
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
    /// The reviewer's signature, whose statement has the same decision as `verdict`. A policy may demand it of approvals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<ReviewSignature>,
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
    /// Whether the reviewer has signed it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
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
    /// What is demanded now, in short; nothing where no policy demands anything.
    pub demanded: Option<PublishPolicy>,
    /// How many approvals count now.
    pub given: u32,
    /// The last decision of each reviewer, the oldest first.
    pub decisions: Vec<DecisionSummary>,
    /// What is demanded now, stage by stage. All of them must be complete.
    #[serde(default)]
    pub stages: Vec<StageStanding>,
    /// The entries of the policies in force there that demand approvals: what a signed review names.
    #[serde(default)]
    pub policies: Vec<u64>,
    /// What is true of it; nothing where that was not looked for, and every condition holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Vec<Fact>>,
    /// Why it waits again, if it was handed out before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_for: Option<HeldFor>,
    /// Since when somebody should look at it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub due_since: Option<Time>,
    /// Who released it without the approvals that it waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced: Option<ForcedSummary>,
    /// What changed with it, as its publisher or an admin of the namespace says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changelog: Option<String>,
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
    /// Since when somebody should look at it again; told to reviewers in the list of what is due, and not with `mine`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub due_since: Option<Time>,
    /// The name of the user who released it without the approvals that it waited for; told as `due_since` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced_by: Option<String>,
    /// Why it was released so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forced_reason: Option<String>,
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
    /// Whether more wait than were looked at, so that newer ones may be missing: of what waits for one person, the oldest 5,000 are
    /// looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
}
