//! Runs a skill, or a workflow of skills, for real: each step in a Python process of its own.
//!
//! What goes in is content that was verified already ([`SkillSource`]) and inputs; what comes out is an
//! [`Outcome`] and a stream of [`Event`]s, of which terminal, JSON lines and Python are mere readers. A skill that
//! fails is data, not an error: `Err` is for what could not be begun.
//!
//! The parts, from the pure to the real:
//!
//! - [`workflow`] is the document, [`plan`](crate::Workflow::validate) checks all of it before anything runs;
//! - `template` and `fill` replace `${name}` by typed values;
//! - `run` decides what may start, and keeps no process;
//! - `step` repeats attempts, `attempt` is one worker from birth to burial, `judge` says what it came to;
//! - `callable` knows which skill may call which and `calling` which calls need a grant, `calls` runs them for each other;
//! - `executor` says where attempts are made; `bridge` speaks with other machines, `elsewhere` is the same there;
//! - `workers` keeps workers that wait, `parent` speaks with the process that they are forked from, whose side of it all
//!   is in `python/`;
//! - `sandbox`, `policy`, `filter` and `denial` are what keeps them in, and what they were kept from;
//! - `permissions` compares what a skill asks for with what it is granted, `hosts` and `network` are the way to hosts,
//!   `requirement` and `packages` the way to packages.
//!
//! This crate must never know a registry, a library folder, a terminal or a database: names are resolved to
//! content by the caller's [`Resolver`], once per run, and that pins the versions and says what is granted.
//!
//! `docs/design/sandbox.md` says what holds, on which kernels, and what does not.

mod alone;
#[cfg(target_os = "linux")]
mod attempt;
mod bridge;
mod callable;
mod calling;
#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod channel;
mod condition;
#[cfg(target_os = "linux")]
mod denial;
mod document;
mod elsewhere;
mod engine;
mod event;
mod executor;
mod fill;
#[cfg(target_os = "linux")]
mod filter;
mod graph;
mod history;
mod hosts;
mod inputs;
mod interpreter;
mod journal;
#[cfg(target_os = "linux")]
mod judge;
mod loader;
#[cfg(target_os = "linux")]
mod messages;
#[cfg(target_os = "linux")]
mod network;
mod options;
mod outcome;
#[cfg(target_os = "linux")]
mod output;
mod package_sets;
mod packages;
#[cfg(target_os = "linux")]
mod parent;
mod permissions;
mod pins;
mod plan;
mod policy;
mod policy_text;
mod prepare;
mod problems;
mod redact;
mod repeat;
mod requirement;
mod run;
mod sandbox;
mod skill;
mod step;
mod template;
#[cfg(target_os = "linux")]
mod usual;
#[cfg(target_os = "linux")]
mod workers;
#[cfg(not(target_os = "linux"))]
#[path = "workers_elsewhere.rs"]
mod workers;
pub mod workflow;

pub use tokio_util::sync::CancellationToken;

pub use crate::alone::{run_skill, run_skill_named};
pub use crate::calling::settle_all;
pub use crate::document::{Document, DocumentError};
pub use crate::elsewhere::{probe, run_attempt};
pub use crate::event::{Event, EventKind, EventSink, PlannedStep, Stream, is_call};
pub use crate::executor::{Cluster, Executor, ExecutorError, SchedulerAddress};
pub use crate::history::{History, HistoryError, Pin, Record, RunHistory, RunState, RunSummary};
pub use crate::inputs::{InputSpec, InputType};
pub use crate::interpreter::{Interpreter, InterpreterError};
pub use crate::loader::{LoadedWorkflow, WorkflowLoader, is_saved_name};
pub use crate::options::{RunLimits, RunOptions};
pub use crate::outcome::{Outcome, RunReport, Status, StepError, StepReport};
pub use crate::package_sets::{PackageSet, package_sets, prune_packages};
pub use crate::packages::{PackagesError, installer};
pub use crate::permissions::{Settled, granted_in_words, in_words, settle};
pub use crate::policy::{Grants, Policy, PolicyError, Rule};
pub use crate::policy_text::{Entry, set_entry};
pub use crate::problems::{Problem, ProblemKind, Problems};
pub use crate::redact::Secrets;
pub use crate::repeat::{Foreach, Retry};
pub use crate::run::{RunError, resume_workflow, run_workflow};
pub use crate::sandbox::{Layers, Sandbox, SandboxError};
pub use crate::skill::{Resolver, SkillCode, SkillFile, SkillName, SkillReference, SkillSource};
pub use crate::workers::Workers;
pub use crate::workflow::{OnError, Step, Workflow};

/// Inputs and outputs by name.
pub type Values = serde_json::Map<String, serde_json::Value>;
