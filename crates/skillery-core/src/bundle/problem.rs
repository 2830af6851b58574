//! What is wrong with the files of a skill, or with an archive of them.

use std::fmt;

use serde::Serialize;

use crate::hidden::excerpt;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BundleProblem {
    /// The path, escaped so that it may be shown; empty where it is about all of them.
    pub path: String,
    /// What is wrong.
    #[serde(flatten)]
    pub kind: BundleProblemKind,
}

impl BundleProblem {
    /// A problem of one path, which comes from elsewhere.
    pub fn new(path: &str, kind: BundleProblemKind) -> Self {
        Self { path: excerpt(path), kind }
    }

    /// A problem of the whole.
    pub fn whole(kind: BundleProblemKind) -> Self {
        Self { path: String::new(), kind }
    }
}

impl fmt::Display for BundleProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(formatter, "`{}`: ", self.path)?;
        }
        self.kind.fmt(formatter)
    }
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", content = "detail", rename_all = "kebab-case")]
pub enum BundleProblemKind {
    /// The path is none that every system can have.
    #[error("the path {0}")]
    BadPath(String),
    /// Two files of one name.
    #[error("the path occurs more than once")]
    Duplicate,
    /// Two names that are one on file systems that do not tell capitals, or ways to write an accent, apart.
    #[error("the path is the same as `{0}` on file systems that ignore case or write accents in another way")]
    Collision(String),
    /// Two folders that are one there.
    #[error(
        "its folder is the same as that of `{0}` on file systems that ignore case or write accents in another way"
    )]
    FolderCollision(String),
    /// `a` and `a/b`.
    #[error("the path is a file, and the folder of `{0}`")]
    FileAndFolder(String),
    /// A symbolic link, a device, a socket, a pipe.
    #[error("{0} is no regular file")]
    NotRegular(&'static str),
    /// One file is too large.
    #[error("the file has more than {0} bytes")]
    FileTooLarge(usize),
    /// All together are too large.
    #[error("the files have more than {0} bytes together")]
    TooLarge(usize),
    /// Too many files.
    #[error("there are more than {0} files")]
    TooManyFiles(usize),
    /// There is no file at all.
    #[error("there is no file")]
    Empty,
    /// The bytes are no ZIP archive, or one that is not read.
    #[error("the archive {0}")]
    BadArchive(&'static str),
    /// An entry of the archive is damaged, or of a kind that is not read.
    #[error("the entry {0}")]
    BadEntry(&'static str),
    /// More problems than are told.
    #[error("there are {0} more problems")]
    More(usize),
}

/// At most so many problems are told; who sends thousands of them knows.
const MOST: usize = 100;

/// Gathers problems up to a number, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Problems {
    told: Vec<BundleProblem>,
    more: usize,
}

impl Problems {
    pub(super) fn push(&mut self, path: &str, kind: BundleProblemKind) {
        if self.told.len() < MOST {
            self.told.push(BundleProblem::new(path, kind));
        } else {
            self.more += 1;
        }
    }

    pub(super) fn whole(&mut self, kind: BundleProblemKind) {
        self.push("", kind);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    pub(super) fn append(&mut self, others: Vec<BundleProblem>) {
        for problem in others {
            match problem.kind {
                BundleProblemKind::More(more) => self.more += more,
                _ if self.told.len() < MOST => self.told.push(problem),
                _ => self.more += 1,
            }
        }
    }

    pub(super) fn finish(mut self) -> Vec<BundleProblem> {
        if self.more > 0 {
            self.told.push(BundleProblem::whole(BundleProblemKind::More(self.more)));
        }
        self.told
    }
}
