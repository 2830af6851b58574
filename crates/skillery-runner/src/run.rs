//! A run, from its request to its report: what it needs is found, what keeps skills in is set up, what happens is told
//! and kept.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use skillery_core::time::Time;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::Values;
use crate::bridge::Bridge;
use crate::callable::Callable;
use crate::engine::Level;
use crate::event::{Event, EventKind, EventSink, PlannedStep};
use crate::executor::{Executor, ExecutorError};
use crate::history::{History, HistoryError, Record};
use crate::interpreter::{Interpreter, InterpreterError};
use crate::journal::Journal;
use crate::options::RunOptions;
use crate::outcome::{Outcome, RunReport, Status};
use crate::packages::{Packages, PackagesError};
use crate::policy::Grants;
use crate::prepare::{Preparation, Prepared, Work, prepare};
use crate::problems::Problems;
use crate::redact::Secrets;
use crate::sandbox::{Layers, SandboxError, StartError};
use crate::skill::{Pinned, Resolver};
use crate::step::milliseconds;
use crate::workers::Kind;
use crate::workflow::{OnError, Workflow};

/// How often it is looked whether somebody wants the run to end.
const LOOK: Duration = Duration::from_millis(200);

/// Why a run could not begin. Nothing has run then.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The workflow, its inputs or its skills.
    #[error(transparent)]
    Invalid(#[from] Problems),
    /// There is no Python to run with.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
    /// Skills cannot be kept in on this machine.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// Packages that a skill asks for cannot be had.
    #[error(transparent)]
    Packages(#[from] PackagesError),
    /// The other machines cannot be reached, or do not fit.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// What happens could not be kept, or there is no such run.
    #[error(transparent)]
    History(#[from] HistoryError),
}

impl From<StartError> for RunError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Interpreter(error) => Self::Interpreter(error),
            StartError::Sandbox(error) => Self::Sandbox(error),
        }
    }
}

impl RunError {
    /// What to try.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(problems) => problems.hint(),
            Self::Packages(error) => error.hint(),
            Self::Interpreter(error) => Some(error.hint()),
            Self::Sandbox(error) => Some(error.hint()),
            Self::Executor(error) => Some(error.hint()),
            Self::History(HistoryError::Disk { .. } | HistoryError::Damaged { .. }) => None,
            Self::History(_) => Some("`skillery workflow runs` lists the runs"),
        }
    }
}

/// Runs a workflow. The skills are resolved and read once, before the first step; every problem is found then too.
///
/// The future does the work itself: dropping it kills what runs.
pub async fn run_workflow(
    workflow: &Workflow,
    inputs: Values,
    resolve: &Resolver<'_>,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<RunReport, RunError> {
    let preparation = prepare(workflow, &inputs, resolve, options, None)?;
    let run_id = options.run_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let Preparation { prepared, callable, pins, workflows, secrets } = preparation;
    let mut context = Context::prepare(run_id, options, events, prepared.skills(), callable).await?;
    context.secrets = secrets;
    if let Some(history) = &options.history {
        let record = Record {
            run_id: context.run_id.clone(),
            started_at: now(),
            workflow: workflow.clone(),
            workflows,
            inputs,
            pins,
            timeout_seconds: options.timeout.as_secs_f64(),
        };
        context.journal = Some(history.begin(&record)?);
    }
    Ok(execute(&context, &prepared, false).await)
}

/// Goes on with a run that was cut short, or tries again what failed in one that has ended. What has succeeded does not
/// run again as long as its inputs are the same. Skills are those of the run's beginning, in the same versions.
pub async fn resume_workflow(
    history: &History,
    run_id: &str,
    resolve: &Resolver<'_>,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<RunReport, RunError> {
    let journal = history.take_up(run_id)?;
    let past = history.read(run_id)?;
    if past.state == crate::history::RunState::Success {
        return Err(HistoryError::Ended(run_id.to_owned()).into());
    }
    let record = &past.record;
    let preparation = prepare(&record.workflow, &record.inputs, resolve, options, Some(record))?;
    let Preparation { prepared, callable, secrets, .. } = preparation;
    let mut context =
        Context::prepare(run_id.to_owned(), options, events, prepared.skills(), callable).await?;
    context.secrets = secrets;
    context.done = past.done();
    context.journal = Some(journal);
    Ok(execute(&context, &prepared, true).await)
}

/// What every step of a run shares.
pub(crate) struct Context<'a> {
    run_id: String,
    events: &'a EventSink<'a>,
    pub(crate) options: &'a RunOptions,
    interpreter: Interpreter,
    pub(crate) layers: Layers,
    packages: Packages,
    /// What skills may call.
    pub(crate) callable: Callable,
    /// The way to the machines that attempts are made on, where that is not this one.
    pub(crate) bridge: Option<Bridge>,
    /// What environment variables are, where they are those of another machine.
    pub(crate) environment: Option<BTreeMap<String, String>>,
    secrets: Secrets,
    /// What came of steps in an earlier part of the run.
    done: BTreeMap<String, Outcome>,
    journal: Option<Journal>,
    /// Why the journal cannot be written any more.
    broken: OnceLock<String>,
    /// As many as there may be attempts at once.
    jobs: Semaphore,
}

impl<'a> Context<'a> {
    /// Finds the interpreter, and sees to it that everything can be kept in before anything runs.
    pub(crate) async fn prepare(
        run_id: String,
        options: &'a RunOptions,
        events: &'a EventSink<'a>,
        mut skills: Vec<&Pinned>,
        callable: Callable,
    ) -> Result<Self, RunError> {
        let interpreter = match (&options.executor, &options.interpreter) {
            (Executor::Dask(cluster), _) => cluster.python.clone(),
            (Executor::Here, Some(interpreter)) => interpreter.clone(),
            (Executor::Here, None) => Interpreter::discover().await?,
        };
        let mut context = Self {
            run_id,
            events,
            options,
            interpreter,
            layers: Layers::default(),
            packages: Packages::default(),
            callable: Callable::default(),
            bridge: None,
            environment: None,
            secrets: Secrets::default(),
            done: BTreeMap::new(),
            journal: None,
            broken: OnceLock::new(),
            jobs: Semaphore::new(options.jobs.get().min(Semaphore::MAX_PERMITS)),
        };
        if let Executor::Dask(cluster) = &options.executor {
            let bridge = Bridge::start(cluster, &options.sandbox).await?;
            context.layers = bridge.layers().clone();
            context.bridge = Some(bridge);
        } else {
            let (mut packages, mut seen) = (Packages::default(), HashSet::new());
            skills.extend(callable.skills());
            skills.retain(|skill| seen.insert((&skill.grants, &skill.packages)));
            for skill in &skills {
                let tell = |kind| context.tell(kind);
                packages.provide(skill, options, &context.interpreter, &tell).await?;
            }
            context.packages = packages;
            for skill in skills {
                context.layers = options.workers.prepare(&context.kind(skill)).await?;
            }
        }
        context.callable = callable;
        Ok(context)
    }

    /// The environment variables that are granted and set.
    pub(crate) fn variables(&self, grants: &Grants) -> BTreeMap<String, String> {
        let Some(environment) = &self.environment else { return grants.variables() };
        let granted = grants.environment.iter();
        granted.filter_map(|name| Some((name.clone(), environment.get(name)?.clone()))).collect()
    }

    /// The workers that fit a skill.
    pub(crate) fn kind(&self, skill: &Pinned) -> Kind {
        Kind {
            interpreter: self.interpreter.path().to_owned(),
            grants: Grants {
                // A worker is told of these when it begins, so its parent need not differ in them.
                environment: Vec::new(),
                seconds: None,
                packages: false,
                skills: Vec::new(),
                ..skill.grants.clone()
            },
            packages: self.packages.folder(skill),
            sandbox: self.options.sandbox.clone(),
        }
    }

    pub(crate) fn run_id(&self) -> &str {
        &self.run_id
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Waits until one more attempt may run.
    pub(crate) async fn permit(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.jobs.acquire().await.ok()
    }

    /// Why the run cannot go on, if so: what happens could not be kept.
    pub(crate) fn broken(&self) -> Option<String> {
        self.broken.get().cloned()
    }

    /// What came of a step in an earlier part of the run, if that still holds.
    pub(crate) fn kept(
        &self,
        name: &str,
        skill: &Pinned,
        on_error: OnError,
        inputs: &Values,
    ) -> Option<Outcome> {
        let outcome = self.done.get(name)?;
        let counts = match outcome.status {
            Status::Success => true,
            status => status.is_failure() && on_error == OnError::Continue,
        };
        let is_same = outcome.skill == skill.id
            && outcome.version == skill.version
            && outcome.inputs == self.secrets.values_without(inputs);
        (counts && is_same).then(|| outcome.clone())
    }

    /// Keeps what happened, then tells it. Secrets are in neither.
    pub(crate) fn tell(&self, mut kind: EventKind) {
        self.secrets.hide_in_event(&mut kind);
        let time = now();
        let event = Event { run_id: self.run_id.clone(), time, kind };
        if let Some(journal) = &self.journal
            && let Err(error) = journal.append(&event)
        {
            // Only the first counts.
            let _ = self.broken.set(format!("what happens cannot be kept: {error}"));
        }
        (self.events)(event);
    }
}

fn now() -> Time {
    Time::from_micros(jiff::Timestamp::now().as_microsecond())
}

pub(crate) fn planned(name: &str, skill: &Pinned) -> PlannedStep {
    PlannedStep {
        name: name.to_owned(),
        skill: skill.id.clone(),
        version: skill.version.clone(),
        code_hash: skill.code_hash,
    }
}

impl Prepared {
    /// The skills of all levels.
    fn skills(&self) -> Vec<&Pinned> {
        let mut skills: Vec<&Pinned> = Vec::new();
        for work in &self.work {
            match work {
                Work::Skill(skill) => skills.push(skill),
                Work::Workflow(workflow) => skills.extend(workflow.skills()),
            }
        }
        skills
    }

    /// The skills of all levels, by the full names of their steps.
    fn planned(&self, prefix: &str) -> Vec<PlannedStep> {
        let mut all = Vec::new();
        for (step, work) in self.plan.steps.iter().zip(&self.work) {
            let name = format!("{prefix}{}", step.name);
            match work {
                Work::Skill(skill) => all.push(planned(&name, skill)),
                Work::Workflow(workflow) => all.extend(workflow.planned(&format!("{name}/"))),
            }
        }
        all
    }
}

async fn execute(context: &Context<'_>, prepared: &Prepared, resumed: bool) -> RunReport {
    let started = Instant::now();
    let inputs = &prepared.plan.inputs;
    context.tell(EventKind::RunStarted {
        workflow: prepared.name.clone(),
        inputs: inputs.clone(),
        steps: prepared.planned(""),
        sandbox: context.layers.clone(),
        resumed,
    });
    let level = Level::new(context, prepared, inputs, String::new(), None);
    tokio::select! {
        () = level.run() => {}
        never = until_cancelled(context) => match never {},
    }
    let status = level.status();
    let latency_ms = milliseconds(started.elapsed());
    context.tell(EventKind::RunFinished { status, latency_ms });
    let mut steps = level.reports();
    for step in &mut steps {
        context.secrets.hide_in_outcome(&mut step.outcome);
    }
    let (run_id, workflow) = (context.run_id.clone(), prepared.name.clone());
    RunReport { run_id, workflow, status, reason: context.broken(), latency_ms, steps }
}

/// Cancels the run when somebody asks for it through its history. Never ends, as the run is what ends.
async fn until_cancelled(context: &Context<'_>) -> std::convert::Infallible {
    if let Some(journal) = &context.journal {
        while !journal.is_cancelled() {
            tokio::time::sleep(LOOK).await;
        }
        context.options.cancel.cancel();
    }
    std::future::pending().await
}
