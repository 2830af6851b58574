//! The statement of a version: what an author signs.
//!
//! It is an in-toto Statement v1 (<https://in-toto.io/Statement/v1>) in canonical JSON (RFC 8785), so that there is one
//! sequence of bytes for one meaning, and one digest of it. Registry, name and version are in it: a signature on it is
//! worth nothing for another version or on another registry.
//!
//! It is a function of these, the files, and the build that publishes them, if one does: everybody who signs a version signs
//! the same, and nobody who comes first decides what others can sign. When it was published, the log says.

mod document;
mod expected;

use crate::bundle::{BundleFile, check_path};
use crate::canonical::{CanonicalError, canonical_json, from_canonical_json};
use crate::id::IdError;
use crate::limits::{MAX_BUILDER_LENGTH, MAX_ORIGIN_LENGTH, MAX_STATEMENT_LENGTH};
use crate::time::Time;
use crate::{Digest, SkillId, Version};

use self::document::Document;
pub use self::expected::{Expected, StatementMismatch};

/// The type of every in-toto statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The type of what ours says of its subject.
pub const PREDICATE_TYPE: &str = "https://skillery.dev/release/v1";

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementFile {
    /// As in the bundle: relative, with `/`.
    pub path: String,
    /// `0o644`, or `0o755` for what may be executed.
    pub mode: u32,
    /// Bytes of its content.
    pub size: u64,
    /// SHA-256 of its content.
    pub sha256: Digest,
}

impl StatementFile {
    /// What a statement says of this file.
    pub fn of(file: &BundleFile) -> Self {
        Self {
            path: file.path.clone(),
            mode: if file.executable { 0o755 } else { 0o644 },
            size: file.bytes.len() as u64,
            sha256: Digest::of(&file.bytes),
        }
    }
}

/// A statement that keeps the rules below, whether it was made here or read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    registry: String,
    id: SkillId,
    version: Version,
    bundle: Digest,
    files: Vec<StatementFile>,
    created: Option<Time>,
    builder: Option<String>,
}

/// Why there is no such statement, or why bytes are none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Over [`MAX_STATEMENT_LENGTH`].
    #[error("the statement is longer than {MAX_STATEMENT_LENGTH} bytes")]
    TooLong,
    /// No JSON, a field too many or too few, a value that a field cannot have, or another form than the canonical one.
    #[error("the statement cannot be read: {0}")]
    Form(CanonicalError),
    /// An in-toto statement of something else.
    #[error("the statement is of the type `{found}`, and `{expected}` is expected")]
    Type {
        /// What it says it is, escaped.
        found: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// Namespace and name together are no id.
    #[error("the statement is about no skill: {0}")]
    Id(IdError),
    /// The subject is another version than the predicate's.
    #[error("the statement contradicts itself: its subject is `{subject}`, and the rest is about `{rest}`")]
    Subject {
        /// The name of the subject, escaped.
        subject: String,
        /// The name that follows from the predicate.
        rest: String,
    },
    /// The registry's name is empty, too long, or has other characters than visible ASCII.
    #[error("the registry's name is not 1 to {MAX_ORIGIN_LENGTH} visible ASCII characters")]
    Registry,
    /// The builder's name is empty, too long, or has control characters.
    #[error(
        "the builder's name is not 1 to {MAX_BUILDER_LENGTH} characters without line breaks and the like"
    )]
    Builder,
    /// A path that no bundle has, or the same one twice, or paths out of order.
    #[error("the file `{0}` has a path that is not allowed, comes twice, or stands in the wrong place")]
    Path(String),
    /// Neither 0644 nor 0755.
    #[error("the file `{0}` has a mode that is neither 0644 nor 0755")]
    Mode(String),
    /// Before the year 1, or after 9999.
    #[error("the time of the statement is no date")]
    Time,
}

impl From<CanonicalError> for StatementError {
    fn from(error: CanonicalError) -> Self {
        Self::Form(error)
    }
}

impl From<IdError> for StatementError {
    fn from(error: IdError) -> Self {
        Self::Id(error)
    }
}

impl Statement {
    /// A statement about a version, with its files in any order.
    ///
    /// `registry` is the name by which the registry calls itself: its address without `https://`, as in its log.
    pub fn new(
        registry: &str,
        id: SkillId,
        version: Version,
        bundle: Digest,
        mut files: Vec<StatementFile>,
    ) -> Result<Self, StatementError> {
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let registry = registry.to_owned();
        Self { registry, id, version, bundle, files, created: None, builder: None }.checked()
    }

    /// The same statement with the identity of the build that publishes the version, as the registry has found it.
    pub fn with_builder(mut self, builder: &str) -> Result<Self, StatementError> {
        self.builder = Some(builder.to_owned());
        self.checked()
    }

    /// Reads a statement. The bytes must be its canonical form, and nothing else may stand in them.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        if bytes.len() > MAX_STATEMENT_LENGTH {
            return Err(StatementError::TooLong);
        }
        let document: Document = from_canonical_json(bytes)?;
        document.into_statement()?.checked()
    }

    /// The canonical bytes: what is signed and stored.
    pub fn to_bytes(&self) -> Result<Vec<u8>, StatementError> {
        let bytes = canonical_json(&Document::of(self)?)?;
        if bytes.len() > MAX_STATEMENT_LENGTH { Err(StatementError::TooLong) } else { Ok(bytes) }
    }

    fn checked(self) -> Result<Self, StatementError> {
        let length = self.registry.len();
        // A name in a signed note of the log is one word without `+`, and this is the same name.
        if !(1..=MAX_ORIGIN_LENGTH).contains(&length)
            || self.registry.bytes().any(|byte| !byte.is_ascii_graphic() || byte == b'+')
        {
            return Err(StatementError::Registry);
        }
        if let Some(builder) = &self.builder
            && (builder.is_empty()
                || builder.chars().count() > MAX_BUILDER_LENGTH
                || builder.chars().any(char::is_control))
        {
            return Err(StatementError::Builder);
        }
        if self.created.is_some_and(|created| Time::try_from(created.to_string()).ok() != Some(created)) {
            return Err(StatementError::Time);
        }
        for (index, file) in self.files.iter().enumerate() {
            let in_order = index == 0 || self.files[index - 1].path < file.path;
            if !in_order || check_path(&file.path).is_err() {
                return Err(StatementError::Path(file.path.escape_debug().to_string()));
            }
            if !matches!(file.mode, 0o644 | 0o755) {
                return Err(StatementError::Mode(file.path.clone()));
            }
        }
        Ok(self)
    }

    /// The name by which the registry calls itself.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The skill.
    pub fn id(&self) -> &SkillId {
        &self.id
    }

    /// The version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// The digest of the version's bundle.
    pub fn bundle(&self) -> &Digest {
        &self.bundle
    }

    /// The files, sorted by path.
    pub fn files(&self) -> &[StatementFile] {
        &self.files
    }

    /// When the statement was made, as its maker says. Only old ones have it.
    pub fn created(&self) -> Option<Time> {
        self.created
    }

    /// What built the version.
    pub fn builder(&self) -> Option<&str> {
        self.builder.as_deref()
    }
}

#[cfg(test)]
mod tests;
