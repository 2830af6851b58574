//! Reviews: what changed from one version to another, what was found in a version, and what is said about its lines.

use serde::{Deserialize, Serialize};

use super::FileSummary;
use crate::lint::Level;
use crate::time::Time;
use crate::words::word_enum;
use crate::{Digest, SkillId, Version, VersionStatus};

word_enum! {
    /// What became of a file.
    FileChange {
        /// Only the newer version has it.
        Added = "added",
        /// Only the older version has it.
        Removed = "removed",
        /// Both have it, with another content or mode.
        Changed = "changed",
        /// It has the same content under another path.
        Renamed = "renamed",
    }
}

word_enum! {
    /// What a line of a diff is.
    LineKind {
        /// Both versions have it.
        Context = "context",
        /// Only the older version has it.
        Removed = "removed",
        /// Only the newer version has it.
        Added = "added",
    }
}

word_enum! {
    /// Which of two versions.
    DiffSide {
        /// The one that is compared with.
        Old = "old",
        /// The one that is looked at.
        New = "new",
    }
}

/// `GET /api/v1/skills/{id}/versions/{version}/diff`: what changed from one version to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The older version; nothing where everything is new.
    pub from: Option<DiffEnd>,
    /// The newer version.
    pub to: DiffEnd,
    /// Files that are not the same, by path.
    pub files: Vec<FileDiff>,
    /// How many files are the same in both.
    pub unchanged: u64,
    /// Lines that were added, of what is compared.
    pub added: u64,
    /// Lines that were removed, of what is compared.
    pub removed: u64,
    /// Whether lines are left out somewhere, as there are too many: the files say where.
    pub truncated: bool,
    /// What is said of the versions and differs.
    pub fields: Vec<FieldDiff>,
    /// Skills that it needs, where that differs.
    pub dependencies: Vec<DependencyDiff>,
    /// What its files ask to be allowed, where that differs.
    pub permissions: Vec<PermissionDiff>,
    /// What was found in the newer version and not in the older one.
    pub findings: Vec<VersionFinding>,
}

/// One end of a diff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DiffEnd {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// SHA-256 of the bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
}

/// What became of one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileDiff {
    /// Its path; of one that is gone, the path that it had.
    pub path: String,
    /// What became of it.
    pub status: FileChange,
    /// What it was.
    pub before: Option<FileSummary>,
    /// What it is.
    pub after: Option<FileSummary>,
    /// Whether it is no text on one of the sides: then there are no lines.
    pub binary: bool,
    /// Lines that were added.
    pub added: u64,
    /// Lines that were removed.
    pub removed: u64,
    /// Characters in the lines below that nobody would see, or that turn the direction of reading; they are shown as
    /// `⟨U+202E⟩`.
    pub hidden: u64,
    /// Whether its lines, or some of them, are left out as there are too many.
    pub truncated: bool,
    /// What changed, with three lines around it.
    pub hunks: Vec<Hunk>,
}

/// Lines that stand together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Hunk {
    /// The first line of the older file, counted from 1; 0 before its first.
    pub old_start: u64,
    /// How many lines of the older file.
    pub old_lines: u64,
    /// The first line of the newer file, counted from 1; 0 before its first.
    pub new_start: u64,
    /// How many lines of the newer file.
    pub new_lines: u64,
    /// The lines.
    pub lines: Vec<HunkLine>,
}

/// One line of a diff.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HunkLine {
    /// What it is.
    pub kind: LineKind,
    /// Its number in the older file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<u64>,
    /// Its number in the newer file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<u64>,
    /// What it says, without its end. What is hidden is written out, such as `⟨U+202E⟩`.
    pub text: String,
    /// How many characters were hidden.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub hidden: u64,
    /// Whether the file ends here without a line feed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unended: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something that is said of a version, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldDiff {
    /// `kind`, `description`, `license`, `author`, `tags`, `homepage` or `repository`.
    pub field: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// A skill that is needed, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DependencyDiff {
    /// Which skill.
    pub id: String,
    /// The version or range that was wanted; nothing where it was not needed.
    pub before: Option<String>,
    /// The version or range that is wanted; nothing where it is not needed any more.
    pub after: Option<String>,
}

/// What a file asks to be allowed, before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PermissionDiff {
    /// The file that asks.
    pub path: String,
    /// `read`, `write`, `hosts`, `environment`, `subprocess`, `memory_bytes`, `seconds`, `packages` or `skills`, as in
    /// `[tool.skillery]`; `allowed-tools` of `SKILL.md`; `program` for what is no Python and may be run, `undeclared` for
    /// Python that says nothing of itself, `unreadable` where a file does not say it well.
    pub permission: String,
    /// What is asked for now and was not.
    pub added: Vec<String>,
    /// What was asked for and is not.
    pub removed: Vec<String>,
}

/// `GET /api/v1/skills/{id}/versions/{version}/findings`: what was found in a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FindingsResponse {
    /// The skill.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// SHA-256 of the bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// Those of the whole first, then by file and place.
    pub findings: Vec<VersionFinding>,
}

/// One thing that a rule has found in a version, as `skillery lint` finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionFinding {
    /// The rule.
    pub rule: String,
    /// How bad it is.
    pub level: Level,
    /// The file; empty where it is about all of them.
    pub path: String,
    /// The line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl From<crate::lint::Finding> for VersionFinding {
    fn from(finding: crate::lint::Finding) -> Self {
        Self {
            rule: finding.rule.as_str().to_owned(),
            level: finding.level,
            path: finding.path,
            line: finding.place.map(|place| place.line),
            column: finding.place.map(|place| place.column),
            message: finding.message,
        }
    }
}

/// `POST …/approvals/comments`: says something about a version, or answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewCommentRequest {
    /// What, for members of the namespace who see the version.
    pub text: String,
    /// The thread that it answers; it stands where that stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The file that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line of the file, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// `old` where it is about the file of another version, which `against` names; `new` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<DiffSide>,
    /// The version of the older file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub against: Option<Version>,
}

/// `PATCH …/approvals/comments/{comment}`: what is to be changed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewCommentPatch {
    /// Another text, by who wrote it. The one before is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Whether the thread that it begins is resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<bool>,
}

/// `GET …/approvals/comments`: one page of the threads about a version, the oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ThreadsResponse {
    /// How many threads there are.
    pub total: u64,
    /// How many of them are not resolved.
    pub unresolved: u64,
    /// This page.
    pub threads: Vec<ReviewThread>,
}

/// A comment with its answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewThread {
    /// Its id: that of its first comment.
    pub id: String,
    /// The file that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The line of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Whether the file is that of the version, or of an older one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<DiffSide>,
    /// The older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub against: Option<Version>,
    /// When it was resolved, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub resolved_at: Option<Time>,
    /// The name of who resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    /// The comments, the oldest first.
    pub comments: Vec<ReviewComment>,
}

/// What somebody says about a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewComment {
    /// Its id.
    pub id: String,
    /// The name of the user.
    pub author: String,
    /// What; nothing where it was taken away.
    pub text: Option<String>,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// What it said before, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<EarlierText>,
    /// When it was taken away, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub hidden_at: Option<Time>,
}

/// What a comment said before it was changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EarlierText {
    /// Until when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub until: Time,
    /// What.
    pub text: String,
}

/// `PUT …/versions/{version}/changelog`: what changed, in the words of whoever publishes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChangelogRequest {
    /// What changed.
    pub changelog: String,
}
