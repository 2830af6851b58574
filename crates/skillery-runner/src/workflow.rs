//! The document: a workflow and its steps, as they stand in JSON.
//!
//! Any text is accepted here; [`Workflow::validate`] says all that is wrong with it at once.

use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Values;
use crate::plan::check;
use crate::problems::Problems;

/// Retries of a step that says `on_error: retry` and no number.
pub const DEFAULT_RETRIES: u32 = 3;

/// Skills in an order, with the values that flow between them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workflow {
    /// What it is called.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What runs. A step may refer only to steps above it.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// One skill in a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// What other steps call it: letters, digits, `_` and `-`; unique in the workflow.
    pub name: String,
    /// `name` or `org/name`, optionally `@version` or `@range`.
    pub skill: String,
    /// The function's arguments by name. Texts in them, however deep, may have references: `${name}` is an input of the workflow,
    /// `${step_output}` what a step returned, `${step_key}` or `${step.output.key}` a part of that, `${step.status}`
    /// and `${step.error.message}` how it went. A text that is one reference becomes the typed value; `$${` is a plain `${`.
    #[serde(default, skip_serializing_if = "Values::is_empty")]
    pub inputs: Values,
    /// What a failure means for the rest of the workflow.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_error: OnError,
    /// Attempts after the first. Without it: three for `on_error: retry`, otherwise none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Seconds before the first retry; doubled for each further one, and varied a little.
    #[serde(default = "one_second", skip_serializing_if = "is_one_second")]
    pub retry_delay_seconds: f64,
    /// Seconds for one attempt, the start of its process included. Without it: what the caller of the run sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Whether it may run beside its neighbours that are parallel too. A step that is not waits for all above it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parallel: bool,
    /// Steps that must have succeeded before this one starts, beside those that its inputs refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
}

/// What a failed step means for the rest of its workflow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The workflow has failed; what has not started is skipped.
    #[default]
    Stop,
    /// The workflow goes on; only steps that need this one are skipped.
    Continue,
    /// Try again, then stop.
    Retry,
}

impl FromStr for OnError {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "stop" => Ok(Self::Stop),
            "continue" => Ok(Self::Continue),
            "retry" => Ok(Self::Retry),
            other => Err(format!("`{}` is none of `stop`, `continue`, `retry`", other.escape_debug())),
        }
    }
}

impl Step {
    /// A step with the defaults for all but these.
    pub fn new(name: impl Into<String>, skill: impl Into<String>, inputs: Values) -> Self {
        Self {
            name: name.into(),
            skill: skill.into(),
            inputs,
            on_error: OnError::Stop,
            retries: None,
            retry_delay_seconds: one_second(),
            timeout_seconds: None,
            parallel: false,
            needs: Vec::new(),
        }
    }

    /// Attempts after the first.
    pub fn effective_retries(&self) -> u32 {
        self.retries.unwrap_or(if self.on_error == OnError::Retry { DEFAULT_RETRIES } else { 0 })
    }

    /// The time limit of one attempt, where the step has one that is valid.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        self.timeout_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
    }

    pub(crate) fn retry_delay(&self) -> Duration {
        Duration::try_from_secs_f64(self.retry_delay_seconds).unwrap_or_default()
    }
}

impl Workflow {
    /// An empty workflow.
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        Self { name: name.into(), description: description.into(), steps: Vec::new() }
    }

    /// Says everything that is wrong with the document, without knowing inputs and installed skills. A `${name}` that
    /// cannot be a step's is taken for an input.
    pub fn validate(&self) -> Result<(), Problems> {
        check(self, None).map(|_| ())
    }

    /// [`Workflow::validate`], with the inputs of a run: references to inputs that are not given are problems too.
    pub fn validate_with(&self, inputs: &Values) -> Result<(), Problems> {
        check(self, Some(inputs)).map(|_| ())
    }
}

fn one_second() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one_second(seconds: &f64) -> bool {
    *seconds == one_second()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
