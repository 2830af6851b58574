//! Why something was not done, as an agent reads it: the same codes and hints that every other answer has.

use std::fmt;

use rmcp::ErrorData;
use rmcp::model::{CallToolResult, ContentBlock, MetaObject};
use serde_json::{Value, json};
use skillery_core::{Problem, ProblemCode};

/// Where a result has the refusal for programs. The text is for the model.
const META_KEY: &str = "skillery/problem";

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Which kind it is: a problem's code, or one of the client's own.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// What to try.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal of this kind.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), hint: None }
    }

    /// Adds what to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// An argument is not what it may be.
    pub(crate) fn argument(name: &str, reason: impl fmt::Display) -> Self {
        Problem::new(ProblemCode::InvalidField, format!("`{name}`: {reason}")).into()
    }

    /// There is no such thing, or not for this caller.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(
            self.code.as_str(),
            "skill-not-found"
                | "version-not-found"
                | "file-not-found"
                | "version-quarantined"
                | "skill-too-large"
        )
    }

    fn is_bad_input(&self) -> bool {
        self.code.starts_with("invalid-") || self.code == "unknown-field"
    }

    fn for_programs(&self) -> Value {
        json!({ "code": self.code, "detail": self.message, "hint": self.hint })
    }

    /// As what a tool answers: the model reads it, and can do better.
    pub(crate) fn into_result(self) -> CallToolResult {
        let mut meta = MetaObject::new();
        meta.insert(META_KEY.to_owned(), self.for_programs());
        CallToolResult::error(vec![ContentBlock::text(self.to_string())]).with_meta(Some(meta))
    }

    /// As what any other request answers.
    pub(crate) fn into_error(self) -> ErrorData {
        let (message, data) = (self.to_string(), Some(self.for_programs()));
        if self.is_not_found() {
            // Which `rmcp` renames for clients of the newer kind.
            ErrorData::resource_not_found(message, data)
        } else if self.is_bad_input() {
            ErrorData::invalid_params(message, data)
        } else {
            ErrorData::internal_error(message, data)
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let message = problem.to_string();
        let hint = Some(problem.hint).filter(|hint| !hint.is_empty());
        Self { code: problem.code.to_string(), message, hint }
    }
}
