//! What can go wrong, as a person and a program read it, and the exit code that stands for it.
//!
//! A failure is four separate things: what went wrong, what caused it, what to try, and a code for programs. It
//! never holds a secret: what builds it names files, ids and addresses only.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

/// How the program ends. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Done,
    /// The skill or the workflow failed, or a check found something wrong.
    Failed,
    /// The command was used wrongly, or its input is not valid.
    Usage,
    /// The caller may not do this.
    NotAllowed,
    /// There is no such thing.
    NotFound,
    /// The registry does not answer.
    Unreachable,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotAllowed => 3,
            Self::NotFound => 4,
            Self::Unreachable => 5,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// What a command comes back with: how it ended, or why it could not tell.
pub(crate) type CommandResult = Result<Exit, Failure>;

/// Why a command was not done.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: String,
    message: String,
    hint: Option<String>,
    causes: Vec<String>,
}

impl Failure {
    /// A failure of this kind. `message` is one lower-case line without a full stop.
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.to_owned(), message: message.into(), hint: None, causes: Vec::new() }
    }

    /// The arguments do not fit together, or one of them is not valid.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "invalid-usage", message)
    }

    /// A file could not be read or written; `what` says what was being done.
    pub(crate) fn file(what: &str, path: &Path, source: &std::io::Error) -> Self {
        let exit = match source.kind() {
            std::io::ErrorKind::PermissionDenied => Exit::NotAllowed,
            std::io::ErrorKind::NotFound => Exit::NotFound,
            _ => Exit::Failed,
        };
        Self::new(exit, "file-error", format!("cannot {what} `{}`", path.display())).cause(source)
    }

    /// Adds what to try.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds an error and everything behind it as causes.
    #[must_use]
    pub(crate) fn cause(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.causes.push(error.to_string());
            next = error.source();
        }
        self
    }

    /// Adds one cause in words.
    #[must_use]
    pub(crate) fn because(mut self, cause: String) -> Self {
        self.causes.push(cause);
        self
    }

    /// Adds what stands behind an error whose own words are the message already.
    #[must_use]
    pub(crate) fn cause_behind(self, error: &dyn Error) -> Self {
        match error.source() {
            Some(source) => self.cause(source),
            None => self,
        }
    }

    /// As a program reads it.
    pub(crate) fn for_programs(&self) -> ErrorReport<'_> {
        let (code, message, hint) = (self.code(), self.message(), self.hint_text());
        ErrorReport { error: ErrorBody { code, message, hint, causes: self.causes().collect() } }
    }

    /// Which kind of failure it is, for programs.
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The exit code that stands for it.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// What went wrong.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// What led to it, the nearest first, without what only repeats the line before.
    pub(crate) fn causes(&self) -> impl Iterator<Item = &str> {
        let before = std::iter::once(&self.message).chain(&self.causes);
        self.causes
            .iter()
            .zip(before)
            .filter(|(cause, before)| cause != before)
            .map(|(cause, _)| cause.as_str())
    }

    /// What to try.
    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// A failure in JSON.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorReport<'a> {
    error: ErrorBody<'a>,
}

#[derive(Debug, Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
    causes: Vec<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_do_not_repeat_the_message() {
        let inner = std::io::Error::other("the disk is full");
        let failure = Failure::new(Exit::Failed, "x", "the disk is full").cause(&inner).cause(&inner);
        assert_eq!(failure.causes().count(), 0);
        let failure = Failure::file("write", Path::new("a"), &inner);
        assert_eq!(failure.causes().collect::<Vec<_>>(), ["the disk is full"]);
    }
}
