//! The arguments and results of tools. Their schemas are made from these types, so that both say the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Skills in one answer of a search at most.
pub const MAX_HITS: u32 = 50;
/// Skills in one answer when the caller does not say.
pub(crate) const USUAL_HITS: u32 = 10;
/// Tags that a search can ask for.
pub(crate) const MAX_TAGS: usize = 16;
/// Bytes of a file that a tool hands out: what comes from tools is read by a model as a whole.
pub const MAX_FILE_BYTES: usize = 256 * 1024;

/// What `search_skills` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchArguments {
    /// Words that must all be found in name, tags, description or text. Empty: all skills, the most installed first.
    #[schemars(length(max = 256))]
    pub query: String,
    /// Only skills of this namespace and below it, for example `acme` or `acme/email`.
    #[serde(default)]
    #[schemars(with = "String", length(max = 255))]
    pub namespace: Option<String>,
    /// Tags that must all be there.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(max = 16))]
    pub tags: Option<Vec<String>>,
    /// How many skills at most; 10 when left out.
    #[serde(default)]
    #[schemars(with = "u32", range(min = 1, max = 50))]
    pub limit: Option<u32>,
}

/// What `search_skills` answers.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SearchResult {
    /// How many skills were found; those behind the first are not in `skills`.
    pub total: u64,
    /// The first of them, in order.
    pub skills: Vec<SearchHit>,
}

/// A skill that was found.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SearchHit {
    /// `org/name`: what the other tools take.
    pub id: String,
    /// The latest version.
    pub version: String,
    /// What it is for, in the words of its author.
    pub description: String,
    /// Topics.
    pub tags: Vec<String>,
    /// Who wrote it.
    pub author: String,
    /// Its licence.
    pub license: String,
    /// Mean of all ratings, 1 to 5; 0 when there are none.
    pub rating: f64,
    /// Ratings.
    pub rating_count: i64,
    /// How often it was installed.
    pub install_count: i64,
    /// When the latest version was published (RFC 3339).
    pub updated_at: String,
    /// The address of its `SKILL.md` for `resources/read`.
    pub uri: String,
}

/// What `show_skill` takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShowArguments {
    /// Which skill: `org/name`.
    #[schemars(length(max = 255))]
    pub id: String,
    /// An exact version such as `1.2.0`, or a range such as `^1.2`; the latest when left out.
    #[serde(default)]
    #[schemars(with = "String", length(max = 128))]
    pub version: Option<String>,
}

/// What `show_skill` answers.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SkillDetail {
    /// `org/name`.
    pub id: String,
    /// The version.
    pub version: String,
    /// `published`, or `yanked`: then its publisher advises against it.
    pub status: String,
    /// Why it should not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub warning: Option<String>,
    /// What it is for, in the words of its author.
    pub description: String,
    /// What changed with this version, as its publisher or an admin says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub changelog: Option<String>,
    /// Topics.
    pub tags: Vec<String>,
    /// Who wrote it.
    pub author: String,
    /// Its licence.
    pub license: String,
    /// The project's page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub homepage: Option<String>,
    /// Where the source is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub repository: Option<String>,
    /// Who sees it: `public`, `internal` or `private`.
    pub visibility: String,
    /// Who published this version.
    pub publisher: String,
    /// When (RFC 3339).
    pub published_at: String,
    /// SHA-256 of the bundle.
    pub digest: String,
    /// The number of the log entry that published it.
    pub log_position: i64,
    /// Mean of all ratings, 1 to 5; 0 when there are none.
    pub rating: f64,
    /// Ratings.
    pub rating_count: i64,
    /// How often the skill was installed.
    pub install_count: i64,
    /// The address of its `SKILL.md` for `resources/read`.
    pub uri: String,
    /// Its files.
    pub files: Vec<FileLine>,
    /// What was signed of it. Whether a signature holds is checked where the skill is installed.
    pub signatures: Vec<SignatureLine>,
    /// What the rules for skills find in it; left out while that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<FindingLine>")]
    pub findings: Option<Vec<FindingLine>>,
    /// Versions that can be had, the highest first.
    pub versions: Vec<VersionLine>,
    /// Commands that install it.
    pub install: Vec<String>,
}

/// A file of a skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileLine {
    /// Its path in the skill's folder.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub digest: String,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SignatureLine {
    /// Its form.
    pub kind: String,
    /// What it is worth.
    pub level: String,
}

/// Something that a rule has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FindingLine {
    /// Which rule.
    pub rule: String,
    /// How bad it is: `note`, `warning` or `error`.
    pub level: String,
    /// The file; empty where it is about all of them.
    pub path: String,
    /// The line, counted from 1; left out where it is about no line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32")]
    pub line: Option<u32>,
    /// What is wrong, and what to do.
    pub message: String,
}

/// A version of a skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VersionLine {
    /// The version.
    pub version: String,
    /// `published` or `yanked`.
    pub status: String,
    /// When it was published (RFC 3339).
    pub published_at: String,
}

/// What `read_skill_file` takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadArguments {
    /// Which skill: `org/name`.
    #[schemars(length(max = 255))]
    pub id: String,
    /// An exact version such as `1.2.0`, or a range such as `^1.2`; the latest when left out.
    #[serde(default)]
    #[schemars(with = "String", length(max = 128))]
    pub version: Option<String>,
    /// The path of the file in the skill's folder, for example `SKILL.md`.
    #[schemars(length(min = 1, max = 240))]
    pub path: String,
}

/// What `read_skill_file` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FileContent {
    /// `org/name`.
    pub id: String,
    /// The version that the file is of.
    pub version: String,
    /// The path.
    pub path: String,
    /// The address for `resources/read`.
    pub uri: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256.
    pub digest: String,
    /// `text`, or `base64` for what is no UTF-8.
    pub encoding: String,
    /// The content.
    pub content: String,
    /// Why the version should not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub warning: Option<String>,
}

/// What `install_skill` takes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallArguments {
    /// Which skill: `org/name`.
    #[schemars(length(max = 255))]
    pub id: String,
    /// An exact version such as `1.2.0`, or a range such as `^1.2`; the latest when left out.
    #[serde(default)]
    #[schemars(with = "String", length(max = 128))]
    pub version: Option<String>,
    /// Place it in the working project, too, where this agent looks for skills: a name such as `claude-code`, several with commas,
    /// or `all`.
    #[serde(default)]
    #[schemars(with = "String", length(max = 256))]
    pub agent: Option<String>,
}

/// What `install_skill` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct InstallResult {
    /// `org/name`.
    pub id: String,
    /// The version that is installed now.
    pub version: String,
    /// SHA-256 of the bundle, which was checked.
    pub digest: String,
    /// False when it was installed already.
    pub added: bool,
    /// The folder with its files.
    pub folder: String,
    /// What was installed with it, since it is needed: `org/name 1.0.0`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<String>,
    /// The folders of agents where it was placed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placed: Vec<String>,
    /// Why the version should not be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub warning: Option<String>,
}
