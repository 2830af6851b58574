//! Why a source of skills cannot be read. What is wrong with one skill of it is no error but part of the result.

use std::path::Path;

use skillery_core::bundle::BundleProblem;

use crate::error::ExitClass;

/// What keeps a whole source from being imported. No address in it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What was named is neither a path nor the address of a repository.
    #[error("`{shown}` is no source of skills: {reason}")]
    BadSource {
        /// What was named, safe to show.
        shown: String,
        /// Why.
        reason: String,
    },
    /// There is no such path.
    #[error("there is no `{shown}`")]
    NotThere {
        /// The path.
        shown: String,
    },
    /// There is no skill in it.
    #[error("`{shown}` holds no folder with a `SKILL.md`")]
    NoSkill {
        /// The source.
        shown: String,
    },
    /// Nobody said where a skill belongs.
    #[error("the skill in `{path}` needs a namespace")]
    NoNamespace {
        /// Its folder.
        path: String,
    },
    /// The archive is none, or may not be read.
    #[error("the archive `{shown}` cannot be taken: {}", listed(.problems))]
    BadArchive {
        /// The archive.
        shown: String,
        /// All that is wrong with it.
        problems: Vec<BundleProblem>,
    },
    /// The source is larger than anybody's collection of skills.
    #[error("`{shown}` is too much to import: {reason}")]
    TooMuch {
        /// The source.
        shown: String,
        /// Of what there is too much.
        reason: String,
    },
    /// The program is not there.
    #[error("`{shown}` is fetched by the program `git`, and this machine has none")]
    GitMissing {
        /// The repository.
        shown: String,
    },
    /// The program said no.
    #[error("`git` cannot fetch `{shown}`: {reason}")]
    GitFailed {
        /// The repository.
        shown: String,
        /// In its words.
        reason: String,
    },
    /// The repository did not come in time.
    #[error("`git` did not fetch `{shown}` within {seconds} s")]
    GitTimedOut {
        /// The repository.
        shown: String,
        /// How long was waited.
        seconds: u64,
    },
}

fn listed(problems: &[BundleProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl ImportError {
    /// What went wrong, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadSource { .. } => "invalid-source",
            Self::NotThere { .. } => "source-not-found",
            Self::NoSkill { .. } => "no-skill",
            Self::NoNamespace { .. } => "namespace-missing",
            Self::BadArchive { .. } => "invalid-archive",
            Self::TooMuch { .. } => "source-too-large",
            Self::GitMissing { .. } => "git-missing",
            Self::GitFailed { .. } => "git-failed",
            Self::GitTimedOut { .. } => "git-timed-out",
        }
    }

    /// What to try, if there is something.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadSource { .. } => {
                "name a folder, a ZIP archive, or a repository: `https://…`, `ssh://…`, `git@host:path`, `file://…`"
            }
            Self::NoSkill { .. } => "a skill is a folder with a `SKILL.md`; `.gitignore` may hide it",
            Self::NoNamespace { .. } => {
                "name one with `--namespace acme`, or keep one with `skillery login --org acme`"
            }
            Self::TooMuch { .. } => "import a part of it: `--path skills`",
            Self::GitMissing { .. } => "install Git, or import a folder or a ZIP archive",
            Self::GitFailed { .. } => {
                "check the address and the ref; who may read it is for Git's own helpers and agents to say"
            }
            Self::GitTimedOut { .. } => "fetch it yourself, and import the folder",
            Self::NotThere { .. } | Self::BadArchive { .. } => return None,
        })
    }

    /// What it means for the caller of a program.
    pub fn exit_class(&self) -> ExitClass {
        match self {
            Self::NotThere { .. } => ExitClass::NotFound,
            Self::GitMissing { .. } | Self::GitFailed { .. } | Self::GitTimedOut { .. } => ExitClass::Failed,
            _ => ExitClass::Usage,
        }
    }

    pub(super) fn bad_source(shown: &str, reason: impl Into<String>) -> Self {
        Self::BadSource { shown: safe(shown), reason: reason.into() }
    }

    pub(super) fn not_there(path: &Path) -> Self {
        Self::NotThere { shown: safe(&path.display().to_string()) }
    }
}

/// What somebody else wrote, on one line and without what moves a cursor.
pub(super) fn safe(text: &str) -> String {
    let escaped = |character: char| match character {
        '\n' | '\r' | '\t' => " ".to_owned(),
        hidden if hidden.is_control() => hidden.escape_unicode().to_string(),
        other => other.to_string(),
    };
    text.chars().map(escaped).collect()
}
