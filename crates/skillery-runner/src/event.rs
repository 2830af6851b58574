//! The one stream that tells what happens in a run.

use serde::{Deserialize, Serialize};
use skillery_core::Digest;
use skillery_core::time::Time;

use crate::Values;
use crate::outcome::{Outcome, Status, StepError};
use crate::policy::Rule;
use crate::sandbox::Layers;

/// Where the events of a run go. Called in order, from the task of the run, which waits for it: a sink that
/// writes to a disk has written before anything else starts. A slow reader belongs behind a channel.
pub type EventSink<'a> = dyn Fn(Event) + Send + Sync + 'a;

/// Something happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The run it happened in.
    pub run_id: String,
    /// When.
    pub time: Time,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Whether a step is a skill that another one called: `step/skill#1`, counted for each attempt of the step. It is below the one
/// that stands before the last `/`, and its outcome is none of the workflow's.
pub fn is_call(step: &str) -> bool {
    step.contains('#')
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// Packages that skills ask for are not there yet, and are installed; before the run starts.
    PackagesStarted {
        /// Which, with their versions.
        packages: Vec<String>,
        /// What installs them.
        tool: String,
    },
    /// The packages are there.
    PackagesFinished {
        /// Milliseconds that it took.
        latency_ms: f64,
    },
    /// The workflow is valid, every skill was found, its version is pinned.
    RunStarted {
        /// The workflow's name, or the skill's for a skill that runs alone.
        workflow: String,
        /// Inputs of the workflow.
        inputs: Values,
        /// What will run.
        steps: Vec<PlannedStep>,
        /// What keeps the skills in, as far as it holds on this machine.
        sandbox: Layers,
        /// Whether it is the rest of a run that was begun before.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        resumed: bool,
    },
    /// An attempt begins.
    StepStarted {
        /// The step.
        step: String,
        /// 1 for the first attempt.
        attempt: u32,
        /// Inputs with their references replaced.
        inputs: Values,
    },
    /// The skill wrote something.
    StepOutput {
        /// The step.
        step: String,
        /// To where.
        stream: Stream,
        /// Whole lines where that can be; bytes that are not UTF-8 are replaced.
        text: String,
    },
    /// The sandbox refused something. The skill may go on without it.
    StepDenied {
        /// The step.
        step: String,
        /// Which rule.
        rule: Rule,
        /// The system call.
        what: String,
    },
    /// An attempt failed, and there will be another.
    StepRetrying {
        /// The step.
        step: String,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        error: StepError,
        /// Milliseconds until the next one.
        delay_ms: f64,
    },
    /// What came of a step in an earlier part of the run still holds, and it does not run again.
    StepKept {
        /// The step.
        step: String,
    },
    /// A step has its outcome; skipped steps too. A step of a workflow that is a step itself is called `step/inner`, an item of
    /// a `foreach` is `step[3]`.
    StepFinished {
        /// The step.
        step: String,
        /// What came of it.
        outcome: Box<Outcome>,
    },
    /// Nothing runs any more.
    RunFinished {
        /// How the run ended.
        status: Status,
        /// Milliseconds since its start.
        latency_ms: f64,
    },
}

/// A step with the version that the run is pinned to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The step.
    pub name: String,
    /// The skill's id.
    pub skill: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its code.
    pub code_hash: Digest,
}

/// Which of the two the skill wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
