//! What is wrong with a workflow, all of it at once.

use std::fmt;

use serde::Serialize;

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
    /// A number is out of its range.
    BadNumber,
    /// A `${` without its end, or with something in it that is no name.
    BadReference,
    /// There is no such step.
    UnknownStep,
    /// The step exists, but only further down.
    LaterStep,
    /// Steps wait for each other.
    Cycle,
    /// The run was not given this input.
    UnknownInput,
}

/// Every problem of a workflow; never none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problems {
    /// The workflow's name.
    pub workflow: String,
    /// In the order of the document.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
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
