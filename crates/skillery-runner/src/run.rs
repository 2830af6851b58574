//! What runs when. Decides on outcomes alone, and holds no process.
//!
//! The steps fall into groups that run one after the other: a step that is not parallel is a group, and so are parallel
//! steps that stand together. Within a group, what a step refers to goes before it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use skillery_core::time::Time;

use crate::Values;
use crate::bridge::Bridge;
use crate::callable::{Callable, Pins};
use crate::event::{Event, EventKind, EventSink, PlannedStep};
use crate::executor::{Executor, ExecutorError};
use crate::fill::Scope;
use crate::interpreter::{Interpreter, InterpreterError};
use crate::options::RunOptions;
use crate::outcome::{Outcome, RunReport, Status, StepReport};
use crate::plan::{MAX_PROBLEMS, Plan, PlanStep, check};
use crate::policy::Grants;
use crate::problems::{Problem, ProblemKind, Problems};
use crate::sandbox::{Layers, SandboxError, StartError};
use crate::skill::{Pinned, Resolver, SkillReference, SkillSource};
use crate::step::{StepRun, milliseconds, not_started, run_step};
use crate::workers::Kind;
use crate::workflow::{OnError, Workflow};

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
    /// The other machines cannot be reached, or do not fit.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
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
            Self::Invalid(problems) => problems
                .problems
                .iter()
                .any(|problem| problem.kind == ProblemKind::SkillNotFound)
                .then_some("install the missing skills with `skillery install`"),
            Self::Interpreter(error) => Some(error.hint()),
            Self::Sandbox(error) => Some(error.hint()),
            Self::Executor(error) => Some(error.hint()),
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
    let (plan, skills, callable) = prepare(workflow, &inputs, resolve, options)?;
    let granted = skills.iter().map(|skill| &skill.grants).collect();
    let context = Context::prepare(options, events, granted, callable).await?;
    Ok(execute(&context, &workflow.name, inputs, &plan, &skills).await)
}

/// Runs one skill alone, as a step of its name. Inputs are taken as they are: a `${` in them has no meaning. For a skill that
/// calls no others.
pub async fn run_skill(
    skill: &SkillSource,
    inputs: Values,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<Outcome, RunError> {
    let none = |_: &SkillReference| Err("there are no other skills in this run".to_owned());
    let pinned = Pinned::read(skill, options.limits.code_bytes)
        .map_err(|why| alone(&skill.id, ProblemKind::SkillUnreadable, why))?;
    let pins = Pins::new(&none, options.limits.code_bytes);
    run_pinned(Arc::new(pinned), inputs, pins, options, events).await
}

/// [`run_skill`], of a skill that is found as those of a workflow are, with all that it calls.
pub async fn run_skill_named(
    reference: &SkillReference,
    inputs: Values,
    resolve: &Resolver<'_>,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<Outcome, RunError> {
    let mut pins = Pins::new(resolve, options.limits.code_bytes);
    let pinned = pins.get(reference).map_err(|(kind, why)| {
        alone(&reference.name.to_string(), kind, format!("skill `{reference}`: {why}"))
    })?;
    run_pinned(pinned, inputs, pins, options, events).await
}

fn alone(skill: &str, kind: ProblemKind, message: String) -> Problems {
    Problems { workflow: skill.to_owned(), problems: vec![Problem { step: None, kind, message }] }
}

async fn run_pinned(
    pinned: Arc<Pinned>,
    inputs: Values,
    mut pins: Pins<'_>,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<Outcome, RunError> {
    let steps = std::iter::once((None, Arc::clone(&pinned)));
    let (callable, problems) = Callable::find(steps, &mut pins, options.limits.call_depth);
    if !problems.is_empty() {
        return Err(Problems { workflow: pinned.id.clone(), problems }.into());
    }
    let context = Context::prepare(options, events, vec![&pinned.grants], callable).await?;
    let name = pinned.name.as_str();
    let started = Instant::now();
    context.tell(EventKind::RunStarted {
        workflow: name.to_owned(),
        inputs: inputs.clone(),
        steps: vec![planned(name, &pinned)],
        sandbox: context.layers.clone(),
    });
    let step = StepRun {
        name,
        skill: &pinned,
        inputs,
        retries: 0,
        retry_delay: std::time::Duration::ZERO,
        timeout: options.timeout,
    };
    let outcome = run_step(&context, step).await;
    context.tell(EventKind::StepFinished { step: name.to_owned(), outcome: outcome.clone() });
    let status = match outcome.status {
        Status::Success | Status::Cancelled => outcome.status,
        _ => Status::Failed,
    };
    context.tell(EventKind::RunFinished { status, latency_ms: milliseconds(started.elapsed()) });
    Ok(outcome)
}

/// What every step of a run shares.
pub(crate) struct Context<'a> {
    run_id: String,
    events: &'a EventSink<'a>,
    pub(crate) options: &'a RunOptions,
    interpreter: Interpreter,
    layers: Layers,
    /// What skills may call.
    pub(crate) callable: Callable,
    /// The way to the machines that attempts are made on, where that is not this one.
    pub(crate) bridge: Option<Bridge>,
    /// What environment variables are, where they are those of another machine.
    pub(crate) environment: Option<BTreeMap<String, String>>,
}

impl<'a> Context<'a> {
    /// Finds the interpreter, and sees to it that everything can be kept in before anything runs.
    pub(crate) async fn prepare(
        options: &'a RunOptions,
        events: &'a EventSink<'a>,
        granted: Vec<&Grants>,
        callable: Callable,
    ) -> Result<Self, RunError> {
        let run_id = options.run_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
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
            callable: Callable::default(),
            bridge: None,
            environment: None,
        };
        if let Executor::Dask(cluster) = &options.executor {
            let bridge = Bridge::start(cluster, &options.sandbox).await?;
            context.layers = bridge.layers().clone();
            context.bridge = Some(bridge);
        } else {
            let mut seen = HashSet::new();
            for grants in granted.into_iter().chain(callable.grants()) {
                if seen.insert(grants) {
                    context.layers = options.workers.prepare(&context.kind(grants)).await?;
                }
            }
        }
        Ok(Self { callable, ..context })
    }

    /// The environment variables that are granted and set.
    pub(crate) fn variables(&self, grants: &Grants) -> BTreeMap<String, String> {
        let Some(environment) = &self.environment else { return grants.variables() };
        let granted = grants.environment.iter();
        granted.filter_map(|name| Some((name.clone(), environment.get(name)?.clone()))).collect()
    }

    /// The workers that fit a skill.
    pub(crate) fn kind(&self, grants: &Grants) -> Kind {
        Kind {
            interpreter: self.interpreter.path().to_owned(),
            grants: grants.clone(),
            sandbox: self.options.sandbox.clone(),
        }
    }

    pub(crate) fn tell(&self, kind: EventKind) {
        let time = Time::from_micros(jiff::Timestamp::now().as_microsecond());
        (self.events)(Event { run_id: self.run_id.clone(), time, kind });
    }
}

fn planned(name: &str, skill: &Pinned) -> PlannedStep {
    PlannedStep { name: name.to_owned(), skill: skill.id.clone(), version: skill.version.clone() }
}

/// Checks the workflow and reads its skills; the problems of both are told together.
fn prepare(
    workflow: &Workflow,
    inputs: &Values,
    resolve: &Resolver<'_>,
    options: &RunOptions,
) -> Result<(Plan, Vec<Arc<Pinned>>, Callable), Problems> {
    let checked = check(workflow, Some(inputs));
    let mut pins = Pins::new(resolve, options.limits.code_bytes);
    let (mut skills, mut callers) = (Vec::new(), Vec::new());
    let mut missing = Vec::new();
    for step in &workflow.steps {
        // What does not parse is a problem of the check already.
        let Ok(reference) = step.skill.parse::<SkillReference>() else { continue };
        match pins.get(&reference) {
            Ok(pinned) => {
                callers.push((Some(step.name.clone()), Arc::clone(&pinned)));
                skills.push(pinned);
            }
            Err((kind, why)) => missing.push(Problem {
                step: Some(step.name.clone()),
                kind,
                message: format!("skill `{reference}`: {why}"),
            }),
        }
    }
    let (callable, uncallable) = Callable::find(callers.into_iter(), &mut pins, options.limits.call_depth);
    missing.extend(uncallable);
    match checked {
        Ok(plan) if missing.is_empty() => Ok((plan, skills, callable)),
        Ok(_) => {
            missing.truncate(MAX_PROBLEMS);
            Err(Problems { workflow: workflow.name.clone(), problems: missing })
        }
        Err(mut problems) => {
            problems.problems.append(&mut missing);
            problems.problems.truncate(MAX_PROBLEMS);
            Err(problems)
        }
    }
}

async fn execute(
    context: &Context<'_>,
    name: &str,
    inputs: Values,
    plan: &Plan,
    skills: &[Arc<Pinned>],
) -> RunReport {
    let started = Instant::now();
    let names: Vec<String> = plan.steps.iter().map(|step| step.name.clone()).collect();
    context.tell(EventKind::RunStarted {
        workflow: name.to_owned(),
        inputs: inputs.clone(),
        steps: names.iter().zip(skills).map(|(name, skill)| planned(name, skill)).collect(),
        sandbox: context.layers.clone(),
    });
    let mut run =
        Run { context, plan, skills, inputs: &inputs, names: &names, outcomes: Vec::new(), stopped: None };
    run.outcomes.resize_with(plan.steps.len(), || None);
    let mut start = 0;
    for group in plan.steps.chunk_by(|one, next| one.parallel && next.parallel) {
        run.group((start..start + group.len()).collect()).await;
        start += group.len();
    }
    let status = run.status();
    let outcomes = run.outcomes;
    let latency_ms = milliseconds(started.elapsed());
    context.tell(EventKind::RunFinished { status, latency_ms });
    RunReport {
        run_id: context.run_id.clone(),
        workflow: name.to_owned(),
        status,
        latency_ms,
        steps: names
            .into_iter()
            .zip(outcomes)
            .filter_map(|(name, outcome)| Some(StepReport { name, outcome: outcome? }))
            .collect(),
    }
}

struct Run<'a> {
    context: &'a Context<'a>,
    plan: &'a Plan,
    skills: &'a [Arc<Pinned>],
    inputs: &'a Values,
    names: &'a [String],
    outcomes: Vec<Option<Outcome>>,
    /// Why nothing more is started.
    stopped: Option<String>,
}

impl<'a> Run<'a> {
    /// Runs steps of which none waits for a later group, as many at once as there are jobs.
    async fn group(&mut self, mut waiting: Vec<usize>) {
        let context = self.context;
        let jobs = context.options.jobs.get();
        let mut running = FuturesUnordered::new();
        loop {
            // A step that is skipped may be what the next one waited for.
            let mut at = 0;
            while at < waiting.len() && (running.len() < jobs || self.is_over()) {
                let position = waiting[at];
                match self.next(position) {
                    Next::Wait => at += 1,
                    Next::Ended(outcome) => {
                        waiting.remove(at);
                        self.finish(position, outcome);
                    }
                    Next::Start(step) => {
                        waiting.remove(at);
                        running.push(async move { (position, run_step(context, step).await) });
                    }
                }
            }
            match running.next().await {
                Some((position, outcome)) => self.finish(position, outcome),
                None => return,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.stopped.is_some() || self.context.options.cancel.is_cancelled()
    }

    fn next(&self, position: usize) -> Next<'a> {
        let step: &'a PlanStep = &self.plan.steps[position];
        let skill: &'a Pinned = &self.skills[position];
        let skipped = |reason: String| Next::Ended(not_started(skill, Status::Skipped, None, Some(reason)));
        if self.context.options.cancel.is_cancelled() {
            return skipped("the run was cancelled".to_owned());
        }
        if let Some(reason) = &self.stopped {
            return skipped(reason.clone());
        }
        if step.after.iter().any(|before| self.outcomes[*before].is_none()) {
            return Next::Wait;
        }
        for (before, why) in &step.requires {
            if let Some(outcome) = &self.outcomes[*before]
                && outcome.status != Status::Success
            {
                return skipped(format!("{why}, and step `{}` is `{}`", self.names[*before], outcome.status));
            }
        }
        let scope = Scope { inputs: self.inputs, outcomes: &self.outcomes, names: self.names };
        match scope.fill(&step.inputs) {
            Err(error) => Next::Ended(not_started(skill, Status::Failed, Some(error), None)),
            Ok(inputs) => Next::Start(StepRun {
                name: &step.name,
                skill,
                inputs,
                retries: step.retries,
                retry_delay: step.retry_delay,
                timeout: step.timeout.unwrap_or(self.context.options.timeout),
            }),
        }
    }

    fn finish(&mut self, position: usize, outcome: Outcome) {
        let step = &self.plan.steps[position];
        let fails = outcome.status.is_failure();
        if fails && step.on_error != OnError::Continue && self.stopped.is_none() {
            self.stopped = Some(format!("step `{}` is `{}`", step.name, outcome.status));
        }
        self.context.tell(EventKind::StepFinished { step: step.name.clone(), outcome: outcome.clone() });
        self.outcomes[position] = Some(outcome);
    }

    fn status(&self) -> Status {
        if self.stopped.is_some() {
            return Status::Failed;
        }
        // A run that was over before it was cancelled is not cancelled.
        let cut_short = self.outcomes.iter().flatten().any(|outcome| {
            outcome.status == Status::Cancelled
                || (outcome.status == Status::Skipped && self.context.options.cancel.is_cancelled())
        });
        if cut_short { Status::Cancelled } else { Status::Success }
    }
}

enum Next<'a> {
    Wait,
    Ended(Outcome),
    Start(StepRun<'a>),
}
