//! How a step and a run ended. Data, not errors.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Values;
use crate::policy::Rule;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// The function returned, and what it returned is JSON.
    Success,
    /// The code raised, exited, crashed, broke a limit on size, or could not be called as the step calls it.
    Failed,
    /// The time limit passed, and the process with all its children was killed.
    TimedOut,
    /// It needed more memory than it was granted.
    OutOfMemory,
    /// It failed for something that the sandbox did not let it do; the error has the rule.
    Denied,
    /// It was never started; the reason says why.
    Skipped,
    /// It was running when the run was cancelled, and was killed.
    Cancelled,
}

impl Status {
    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::Denied => "denied",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Status {
    /// Whether the step ran and came to nothing.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::OutOfMemory | Self::Denied)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Why a step did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepError {
    /// The class of the Python exception (`ValueError`), or one of the runner's own words: `bad-inputs`, `bad-result`,
    /// `no-entry-function`, `missing-value`, `bad-condition`, `bad-items`, `items-failed`, `workflow-failed`, `timed-out`, `cancelled`, `exited`, `killed`, `inputs-too-large`,
    /// `result-too-large`, `log-too-large`, `out-of-memory`, `bad-protocol`, `could-not-start`, `lost`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened, in one sentence or as the exception says it.
    pub message: String,
    /// The skill's own frames, for an exception that the skill raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Which rule of the sandbox was in the way, for a step that was denied something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
}

impl StepError {
    pub(crate) fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { kind: kind.to_owned(), message: message.into(), traceback: None, rule: None }
    }

    pub(crate) fn with_rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }
}

/// What came of one step, or of one skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub status: Status,
    /// What the function returned; null unless it succeeded.
    pub output: Value,
    /// Why it did not succeed.
    pub error: Option<StepError>,
    /// Why it was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The skill that ran: `org/name`, or a local name.
    pub skill: String,
    /// The version that ran.
    pub version: String,
    /// The inputs with their references replaced; empty for a step that was never started.
    pub inputs: Values,
    /// Milliseconds of the last attempt, the start of its process included.
    pub latency_ms: f64,
    /// How often it was started.
    pub attempts: u32,
    /// The end of what the last attempt wrote to standard output.
    pub stdout: String,
    /// The end of what the last attempt wrote to standard error.
    pub stderr: String,
    /// For a step with `foreach`: what came of each item, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<Outcome>,
    /// For a step that is a workflow: what came of each of its steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepReport>,
    /// Whether a secret was taken out of the output, which is then not what later steps were given.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

impl Outcome {
    /// An outcome that nothing ran for.
    pub(crate) fn of(skill: &str, version: &str, status: Status) -> Self {
        Self {
            status,
            output: Value::Null,
            error: None,
            reason: None,
            skill: skill.to_owned(),
            version: version.to_owned(),
            inputs: Values::new(),
            latency_ms: 0.0,
            attempts: 0,
            stdout: String::new(),
            stderr: String::new(),
            items: Vec::new(),
            steps: Vec::new(),
            redacted: false,
        }
    }

    /// Without its items and steps, each of which is told by itself.
    pub(crate) fn for_event(&self) -> Self {
        let (items, steps) = (Vec::new(), Vec::new());
        Self {
            items,
            steps,
            status: self.status,
            output: self.output.clone(),
            error: self.error.clone(),
            reason: self.reason.clone(),
            skill: self.skill.clone(),
            version: self.version.clone(),
            inputs: self.inputs.clone(),
            latency_ms: self.latency_ms,
            attempts: self.attempts,
            stdout: self.stdout.clone(),
            stderr: self.stderr.clone(),
            redacted: self.redacted,
        }
    }

    pub(crate) fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    pub(crate) fn with_error(mut self, error: StepError) -> Self {
        self.error = Some(error);
        self
    }
}

/// A step's outcome with its name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step.
    pub name: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// The run; every event has it too.
    pub run_id: String,
    /// The workflow's name.
    pub workflow: String,
    /// `success`, `failed` or `cancelled`. A failed step that says `on_error: continue` does not fail the run.
    pub status: Status,
    /// Why the run failed, where that is not for one of its steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Milliseconds from the first step's start to the last one's end.
    pub latency_ms: f64,
    /// Every step, in the order of the document.
    pub steps: Vec<StepReport>,
}

impl RunReport {
    /// The outcome of a step.
    pub fn step(&self, name: &str) -> Option<&Outcome> {
        self.steps.iter().find(|step| step.name == name).map(|step| &step.outcome)
    }
}
