//! What a statement must say, and in what it differs.

use std::collections::BTreeSet;

use super::{Statement, StatementFile};
use crate::{Digest, SkillId, Version};

/// What a reader knows from elsewhere, and a statement must say too.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The registry that the version comes from.
    pub registry: &'a str,
    /// The skill that was asked for.
    pub id: &'a SkillId,
    /// The version that was asked for.
    pub version: &'a Version,
    /// The digest of the bundle that was received.
    pub bundle: &'a Digest,
    /// What the bundle holds, in any order; `None` leaves the files out.
    pub files: Option<&'a [StatementFile]>,
}

/// The first thing in which a statement differs from what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementMismatch {
    /// It was made for another registry.
    #[error("the statement is for the registry `{stated}`, and this is `{expected}`")]
    Registry {
        /// What the statement says.
        stated: String,
        /// What is expected.
        expected: String,
    },
    /// It is about another skill.
    #[error("the statement is about the skill `{stated}`, and this is `{expected}`")]
    Skill {
        /// What the statement says.
        stated: SkillId,
        /// What is expected.
        expected: SkillId,
    },
    /// It is about another version.
    #[error("the statement is about version {stated}, and this is {expected}")]
    Version {
        /// What the statement says.
        stated: Version,
        /// What is expected.
        expected: Version,
    },
    /// It is about other bytes.
    #[error("the statement is about a bundle with the SHA-256 {stated}, and this one has {expected}")]
    Bundle {
        /// What the statement says.
        stated: Digest,
        /// What is expected.
        expected: Digest,
    },
    /// The bundle lacks a file.
    #[error("the statement lists the file `{0}`, and the bundle does not have it")]
    FileMissing(String),
    /// The bundle has a file more.
    #[error("the bundle has the file `{0}`, and the statement does not list it")]
    FileExtra(String),
    /// The bundle has the file with another content or mode.
    #[error("the file `{path}` has another {what} than the statement says")]
    FileDiffers {
        /// Which file.
        path: String,
        /// `content`, `size` or `mode`.
        what: &'static str,
    },
}

impl Statement {
    /// Whether this is a statement about what is expected; the first difference, in words, otherwise.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), StatementMismatch> {
        if self.registry != expected.registry {
            let (stated, expected) = (self.registry.clone(), expected.registry.escape_debug().to_string());
            return Err(StatementMismatch::Registry { stated, expected });
        }
        if self.id != *expected.id {
            return Err(StatementMismatch::Skill { stated: self.id.clone(), expected: expected.id.clone() });
        }
        if self.version != *expected.version {
            let (stated, expected) = (self.version.clone(), expected.version.clone());
            return Err(StatementMismatch::Version { stated, expected });
        }
        if let Some(files) = expected.files {
            self.check_files(files)?;
        }
        if self.bundle != *expected.bundle {
            return Err(StatementMismatch::Bundle { stated: self.bundle, expected: *expected.bundle });
        }
        Ok(())
    }

    fn check_files(&self, files: &[StatementFile]) -> Result<(), StatementMismatch> {
        for file in files {
            let place = self.files.binary_search_by(|stated| stated.path.as_str().cmp(&file.path));
            let stated = &self.files
                [place.map_err(|_| StatementMismatch::FileExtra(file.path.escape_debug().to_string()))?];
            let what = if stated.size != file.size {
                "size"
            } else if stated.sha256 != file.sha256 {
                "content"
            } else if stated.mode != file.mode {
                "mode"
            } else {
                continue;
            };
            return Err(StatementMismatch::FileDiffers { path: file.path.clone(), what });
        }
        let there: BTreeSet<&str> = files.iter().map(|file| file.path.as_str()).collect();
        match self.files.iter().find(|stated| !there.contains(stated.path.as_str())) {
            Some(stated) => Err(StatementMismatch::FileMissing(stated.path.clone())),
            None => Ok(()),
        }
    }
}
