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
//! - `workers` keeps workers that wait, `parent` speaks with the process that they are forked from, whose side of it all
//!   is in `python/`;
//! - `sandbox`, `policy`, `filter` and `denial` are what keeps them in, and what they were kept from.
//!
//! This crate must never know a registry, a library folder, a terminal or a database: names are resolved to
//! content by the caller's [`Resolver`], once per run, and that pins the versions and says what is granted.
//!
//! `docs/design/sandbox.md` says what holds, on which kernels, and what does not.

#[cfg(target_os = "linux")]
mod attempt;
#[cfg(target_os = "linux")]
mod channel;
#[cfg(target_os = "linux")]
mod denial;
mod event;
mod fill;
#[cfg(target_os = "linux")]
mod filter;
mod interpreter;
#[cfg(target_os = "linux")]
mod judge;
mod options;
mod outcome;
#[cfg(target_os = "linux")]
mod output;
#[cfg(target_os = "linux")]
mod parent;
mod plan;
mod policy;
mod problems;
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

pub use crate::event::{Event, EventKind, EventSink, PlannedStep, Stream};
pub use crate::interpreter::{Interpreter, InterpreterError};
pub use crate::options::{RunLimits, RunOptions};
pub use crate::outcome::{Outcome, RunReport, Status, StepError, StepReport};
pub use crate::policy::{Grants, Policy, PolicyError, Rule};
pub use crate::problems::{Problem, ProblemKind, Problems};
pub use crate::run::{RunError, run_skill, run_workflow};
pub use crate::sandbox::{Layers, Sandbox, SandboxError};
pub use crate::skill::{Resolver, SkillCode, SkillName, SkillReference, SkillSource};
pub use crate::workers::Workers;
pub use crate::workflow::{OnError, Step, Workflow};

/// Inputs and outputs by name.
pub type Values = serde_json::Map<String, serde_json::Value>;
