//! What the caller of a run may set.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::executor::Executor;
use crate::history::History;
use crate::interpreter::Interpreter;
use crate::loader::WorkflowLoader;
use crate::redact::Secrets;
use crate::sandbox::Sandbox;
use crate::workers::Workers;

/// How to run. The default is right for most.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The Python to run with; found by [`Interpreter::discover`] when there is none.
    pub interpreter: Option<Interpreter>,
    /// Where the workers come from; share them between runs, so that they are warm.
    pub workers: Workers,
    /// What keeps skills in.
    pub sandbox: Sandbox,
    /// Where attempts are made.
    pub executor: Executor,
    /// How many steps may run at once; as many as there are processors.
    pub jobs: NonZeroUsize,
    /// The time limit of an attempt whose step sets none.
    pub timeout: Duration,
    /// How long a process may take to end between being asked to and being killed.
    pub grace: Duration,
    /// Bounds on sizes.
    pub limits: RunLimits,
    /// Where packages that skills ask for are installed, once for each set; only this user may write there. Without one,
    /// such skills are refused.
    pub environments: Option<PathBuf>,
    /// The run's id, where it is the caller's; a new one otherwise.
    pub run_id: Option<String>,
    /// Values for the secrets that workflows name.
    pub secrets: Secrets,
    /// Where a step's `workflow` is looked up.
    pub workflows: WorkflowLoader,
    /// Where what happens in a workflow is kept, so that it can be resumed; nowhere without it.
    pub history: Option<History>,
    /// Cancelling it kills what runs and skips the rest. Dropping the future of the run kills too, but reports nothing.
    pub cancel: CancellationToken,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            interpreter: None,
            workers: Workers::default(),
            sandbox: Sandbox::default(),
            executor: Executor::Here,
            jobs: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            timeout: Duration::from_secs(60),
            grace: Duration::from_millis(500),
            limits: RunLimits::default(),
            environments: None,
            run_id: None,
            secrets: Secrets::default(),
            workflows: WorkflowLoader::default(),
            history: None,
            cancel: CancellationToken::new(),
        }
    }
}

/// How big things may be, in bytes, and how many. What is over is an outcome that says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLimits {
    /// The source of a skill.
    pub code_bytes: usize,
    /// The inputs of a step, as JSON.
    pub input_bytes: usize,
    /// What a step returns, as JSON.
    pub output_bytes: usize,
    /// What an attempt writes to standard output and standard error together.
    pub log_bytes: usize,
    /// How much of the end of each is kept in the outcome.
    pub tail_bytes: usize,
    /// How deep skills may call each other.
    pub call_depth: usize,
    /// How many calls run at once, of one attempt and, for each depth, below one step. Others wait.
    pub calls_at_once: usize,
    /// How many calls one attempt of a step may make, with all that is called in turn.
    pub calls: usize,
    /// What may be told of these calls: inputs, outputs and what they write.
    pub call_bytes: usize,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            code_bytes: 16 * 1024 * 1024,
            input_bytes: 16 * 1024 * 1024,
            output_bytes: 16 * 1024 * 1024,
            log_bytes: 4 * 1024 * 1024,
            tail_bytes: 16 * 1024,
            call_depth: 8,
            calls_at_once: 4,
            calls: 10_000,
            call_bytes: 64 * 1024 * 1024,
        }
    }
}
