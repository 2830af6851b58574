//! What is wrong with a workflow, all of it at once.

use std::fmt;

use serde::Serialize;

use crate::template::cut;

/// One thing that keeps a workflow from running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The step that it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// What kind, for programs.
    pub kind: ProblemKind,
    /// What is wrong.
    pub message: String,
    /// The keys that lead to it in the document.
    #[serde(skip)]
    pub place: Vec<String>,
    /// The document, where it is not that of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in the document, from 1, where there is a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// The column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self {
            step: None,
            kind,
            message: message.into(),
            place: Vec::new(),
            file: None,
            line: None,
            column: None,
        }
    }

    pub(crate) fn of_step(mut self, name: &str) -> Self {
        self.step = Some(cut(name));
        self
    }

    pub(crate) fn at(mut self, place: &[&str]) -> Self {
        self.place = place.iter().map(|key| (*key).to_owned()).collect();
        self
    }
}

/// The kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProblemKind {
    /// The name of the workflow or of a step is not one.
    BadName,
    /// Two steps have one name.
    DuplicateStep,
    /// No steps, or too many.
    StepCount,
    /// The step's skill is not written as one.
    BadSkill,
    /// No skill of that name or version is installed.
    SkillNotFound,
    /// The content of the skill, or what it says of itself, cannot be read.
    SkillUnreadable,
    /// Skills call too many others.
    SkillCount,
    /// A part of a step does not fit the rest of it.
    BadStep,
    /// `when` is not a condition.
    BadCondition,
    /// What the skill says of itself cannot be read.
    BadManifest,
    /// The skill asks for what the policy does not grant.
    NotGranted,
    /// A number is out of its range.
    BadNumber,
    /// A `${` without its end, or with something in it that is no name.
    BadReference,
    /// There is no such step.
    UnknownStep,
    /// Steps wait for each other.
    Cycle,
    /// There is no such input.
    UnknownInput,
    /// The run was not given an input that it needs.
    MissingInput,
    /// An input is not of its type, or is declared in a way that makes no sense.
    BadInput,
    /// The inputs are more than a run takes.
    InputsTooLarge,
    /// The workflow names no such secret.
    UnknownSecret,
    /// The run was not given a secret, or one that cannot be kept secret.
    BadSecret,
    /// The workflow that a step names cannot be read, or is not there.
    WorkflowUnreadable,
    /// What a run began with is not what is installed now.
    SkillChanged,
}

/// Every problem of a workflow; never none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The workflow's name.
    pub workflow: String,
    /// In the order of the document.
    pub problems: Vec<Problem>,
}

impl Problems {
    /// What to try.
    pub fn hint(&self) -> Option<&'static str> {
        let has = |kind| self.problems.iter().any(|problem| problem.kind == kind);
        if has(ProblemKind::SkillNotFound) {
            return Some("install the missing skills with `skillery install`");
        }
        has(ProblemKind::NotGranted).then_some(
            "see what skills ask for with `skillery policy show`, and grant it with `skillery policy grant SKILL --asked`",
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "`{file}`: ")?;
        }
        if let (Some(line), Some(column)) = (self.line, self.column) {
            write!(formatter, "line {line}, column {column}: ")?;
        }
        match &self.step {
            Some(step) => write!(formatter, "step `{step}`: {}", self.message),
            None => formatter.write_str(&self.message),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "workflow `{}` cannot run", self.workflow)?;
        for problem in &self.problems {
            write!(formatter, "\n- {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
