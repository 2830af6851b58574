//! What people say of skills, and what is done about it.

use serde::{Deserialize, Serialize};

use crate::SkillId;
use crate::time::Time;
use crate::words::word_enum;

word_enum! {
    /// What is reported.
    ReportKind {
        /// A comment.
        Comment = "comment",
        /// The review of a user.
        Review = "review",
        /// What an author of the skill answered a review.
        Answer = "answer",
        /// A skill.
        Skill = "skill",
    }
}

word_enum! {
    /// Why it is reported.
    ReportReason {
        /// Advertising.
        Spam = "spam",
        /// Attacks on people.
        Abuse = "abuse",
        /// Something that harms who installs it.
        Malicious = "malicious",
        /// What somebody else has the rights to.
        Rights = "rights",
        /// Data of people.
        Privacy = "privacy",
        /// Something else, which the text says.
        Other = "other",
    }
}

/// `POST /api/v1/skills/{id}/comments`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommentRequest {
    /// Markdown, kept as text.
    pub text: String,
    /// The comment that is answered: one that answers none itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// `PATCH /api/v1/skills/{id}/comments/{comment}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EditCommentRequest {
    /// What it says from now on.
    pub text: String,
}

/// `PUT …/comments/{comment}/hidden` and `PUT …/ratings/{user}/hidden`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HideRequest {
    /// Why, for moderators and the author.
    pub reason: String,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Comment {
    /// What it is named by.
    pub id: String,
    /// The comment that it answers.
    pub parent: Option<String>,
    /// Who says it; none where it is not shown.
    pub author: Option<String>,
    /// Markdown, as it was sent; none where it is not shown.
    pub text: Option<String>,
    /// When it was said.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// When it was last edited.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub edited_at: Option<Time>,
    /// When its author took it back.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub deleted_at: Option<Time>,
    /// Whether a moderator has hidden it.
    pub hidden: bool,
    /// Why, for moderators and the author.
    pub hidden_reason: Option<String>,
    /// Whether an admin of the registry has hidden it, so that only one of them shows it again; for moderators and the author.
    #[serde(default)]
    pub hidden_by_registry: bool,
    /// How many answers the caller sees.
    pub reply_count: u64,
    /// In lists of threads, the first three of them, the oldest first; the rest with `?parent=`.
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub replies: Vec<Comment>,
}

/// `GET /api/v1/skills/{id}/comments`: threads, the newest first; with `parent` the answers, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommentsResponse {
    /// All that the caller sees.
    pub total: u64,
    /// Those of this page: at most 50, and fewer where they are long.
    pub comments: Vec<Comment>,
    /// The `offset` of the page behind, where there is one.
    #[serde(default)]
    pub next: Option<u64>,
}

/// `GET /api/v1/skills/{id}/comments/{comment}/texts`: what a comment said before it was edited, for moderators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommentTextsResponse {
    /// The oldest first; what it says now is not among them.
    pub texts: Vec<CommentText>,
}

/// What a comment said before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CommentText {
    /// Markdown, as it was sent.
    pub text: String,
    /// Until when it said so.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub until: Time,
}

/// `POST /api/v1/reports`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportRequest {
    /// The skill that it is about, or stands at.
    pub skill: String,
    /// The id of a comment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The name of the user whose review it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
    /// The name of the user whose review was answered so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Why.
    pub reason: ReportReason,
    /// What there is to say about it.
    #[serde(default)]
    pub text: String,
}

impl ReportRequest {
    /// A report about a whole skill.
    #[must_use]
    pub fn of_skill(id: &SkillId, reason: ReportReason, text: String) -> Self {
        Self { skill: id.to_string(), comment: None, review: None, answer: None, reason, text }
    }
}

/// `PUT /api/v1/reports/{report}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ResolveRequest {
    /// What was done about it.
    pub resolution: String,
}

/// A report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Report {
    /// What it is named by.
    pub id: String,
    /// What is reported.
    pub kind: ReportKind,
    /// The skill that it is about, or stands at.
    pub skill: String,
    /// The id of the comment.
    pub comment: Option<String>,
    /// The name of the user whose review it is.
    pub review: Option<String>,
    /// The name of the user whose review was answered so.
    #[serde(default)]
    pub answer: Option<String>,
    /// Who wrote what is reported.
    #[serde(default)]
    pub accused: Option<String>,
    /// What it said when it was reported; of a skill, which version was the newest, and nothing where it had none.
    #[serde(default)]
    pub said: Option<String>,
    /// Whether only admins of the registry decide about it.
    #[serde(default)]
    pub for_registry: bool,
    /// Who reports it; admins of the registry alone are told.
    pub reporter: Option<String>,
    /// Why.
    pub reason: ReportReason,
    /// What there is to say about it.
    pub text: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// When it was resolved.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub resolved_at: Option<Time>,
    /// Who resolved it.
    pub resolved_by: Option<String>,
    /// What was done about it.
    pub resolution: Option<String>,
    /// Whether it says something else by now, or is not there any more; of a skill, whether another version is the newest.
    #[serde(default)]
    pub changed: bool,
    /// What the report was before it was made anew, the oldest first.
    #[serde(default)]
    pub former: Vec<FormerReport>,
}

/// What a report was before its reporter made it anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FormerReport {
    /// Who wrote what was reported.
    pub accused: Option<String>,
    /// What it said then.
    pub said: Option<String>,
    /// Why.
    pub reason: ReportReason,
    /// What there was to say about it.
    pub text: String,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// When it was resolved.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub resolved_at: Option<Time>,
    /// Who resolved it.
    pub resolved_by: Option<String>,
    /// What was done about it.
    pub resolution: Option<String>,
}

/// `GET /api/v1/reports`: the oldest first; of those that are resolved, what was resolved last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportsResponse {
    /// All of them.
    pub total: u64,
    /// Those of this page.
    pub reports: Vec<Report>,
}
