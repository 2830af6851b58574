//! What runs when. Decides on outcomes alone, and holds no process.
//!
//! A step starts when all that it waits for has ended, as many at once as there are jobs. A workflow that is a step is a level
//! of its own; what runs in all levels together keeps to the jobs.

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::Value;

use crate::Values;
use crate::event::EventKind;
use crate::fill::Scope;
use crate::inputs::{Misfit, settle};
use crate::outcome::{Outcome, Status, StepError, StepReport};
use crate::plan::{KEY_INPUT, PlanForeach, PlanStep};
use crate::prepare::{Prepared, Work};
use crate::run::Context;
use crate::skill::Pinned;
use crate::step::{StepRun, milliseconds, run_step};
use crate::workflow::OnError;

/// The steps of one workflow.
pub(crate) struct Level<'a> {
    context: &'a Context<'a>,
    prepared: &'a Prepared,
    inputs: &'a Values,
    /// What stands before the names of steps in events.
    prefix: String,
    /// The level of the workflow that this one is a step of.
    above: Option<&'a Level<'a>>,
    names: Vec<&'a str>,
    outcomes: Vec<OnceLock<Outcome>>,
    /// Why nothing more is started.
    stopped: OnceLock<String>,
}

/// An outcome, and whether it is from an earlier part of the run.
struct Done {
    outcome: Outcome,
    is_kept: bool,
}

impl From<Outcome> for Done {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, is_kept: false }
    }
}

impl<'a> Level<'a> {
    pub(crate) fn new(
        context: &'a Context<'a>,
        prepared: &'a Prepared,
        inputs: &'a Values,
        prefix: String,
        above: Option<&'a Level<'a>>,
    ) -> Self {
        let steps = &prepared.plan.steps;
        Self {
            context,
            prepared,
            inputs,
            prefix,
            above,
            names: steps.iter().map(|step| step.name.as_str()).collect(),
            outcomes: steps.iter().map(|_| OnceLock::new()).collect(),
            stopped: OnceLock::new(),
        }
    }

    /// Runs all steps to their outcomes.
    pub(crate) async fn run(&self) {
        let steps = &self.prepared.plan.steps;
        let jobs = self.context.options.jobs.get();
        let mut waiting_for: Vec<usize> = steps.iter().map(|step| step.after.len()).collect();
        let mut dependents = vec![Vec::new(); steps.len()];
        for (at, step) in steps.iter().enumerate() {
            step.after.iter().for_each(|before| dependents[*before].push(at));
        }
        let mut ready: BTreeSet<usize> = (0..steps.len()).filter(|at| waiting_for[*at] == 0).collect();
        let mut running = FuturesUnordered::new();
        loop {
            let has_room = running.len() < jobs || self.over().is_some();
            let begun = has_room.then(|| ready.pop_first()).flatten();
            let (at, done) = match begun {
                Some(at) => match self.skipped(at) {
                    Some(outcome) => (at, outcome.into()),
                    None => {
                        running.push(async move { (at, self.step(at).await) });
                        continue;
                    }
                },
                None => match running.next().await {
                    Some(ended) => ended,
                    None => return,
                },
            };
            self.finish(at, done);
            for dependent in &dependents[at] {
                waiting_for[*dependent] -= 1;
                if waiting_for[*dependent] == 0 {
                    ready.insert(*dependent);
                }
            }
        }
    }

    /// How the workflow ended.
    pub(crate) fn status(&self) -> Status {
        if self.stopped.get().is_some() || self.context.broken().is_some() {
            return Status::Failed;
        }
        // A run that was over before it was cancelled is not cancelled.
        let cut_short = self.outcomes.iter().filter_map(OnceLock::get).any(|outcome| {
            outcome.status == Status::Cancelled
                || (outcome.status == Status::Skipped && self.context.options.cancel.is_cancelled())
        });
        if cut_short { Status::Cancelled } else { Status::Success }
    }

    /// What came of every step.
    pub(crate) fn reports(self) -> Vec<StepReport> {
        let reports = self.names.into_iter().zip(self.outcomes);
        reports
            .filter_map(|(name, outcome)| {
                Some(StepReport { name: name.to_owned(), outcome: outcome.into_inner()? })
            })
            .collect()
    }

    /// Why nothing more begins, here or above.
    fn over(&self) -> Option<String> {
        if self.context.options.cancel.is_cancelled() {
            return Some("the run was cancelled".to_owned());
        }
        let broken = self.context.broken();
        broken.or_else(|| self.stopped.get().cloned()).or_else(|| self.above?.over())
    }

    fn scope(&'a self) -> Scope<'a> {
        Scope {
            inputs: self.inputs,
            outcomes: &self.outcomes,
            names: &self.names,
            secrets: self.context.secrets(),
            run_id: self.context.run_id(),
            item: None,
        }
    }

    /// The outcome of a step that has not begun.
    fn blank(&self, at: usize, status: Status) -> Outcome {
        match &self.prepared.work[at] {
            Work::Skill(skill) => Outcome::of(&skill.id, &skill.version, status),
            Work::Workflow(workflow) => Outcome::of(&workflow.name, "", status),
        }
    }

    /// Why a step is not begun, if so.
    fn skipped(&self, at: usize) -> Option<Outcome> {
        let skipped = |reason: String| Some(self.blank(at, Status::Skipped).with_reason(reason));
        if let Some(reason) = self.over() {
            return skipped(reason);
        }
        self.prepared.plan.steps[at].requires.iter().find_map(|(before, why)| {
            let outcome = self.outcomes[*before].get()?;
            if outcome.status == Status::Success {
                return None;
            }
            skipped(format!("{why}, and step `{}` is `{}`", self.names[*before], outcome.status))
        })
    }

    fn finish(&self, at: usize, done: Done) {
        let step = &self.prepared.plan.steps[at];
        let outcome = done.outcome;
        if outcome.status.is_failure() && step.on_error != OnError::Continue {
            // Only the first counts.
            let _ = self.stopped.set(format!("step `{}` is `{}`", step.name, outcome.status));
        }
        if !done.is_kept {
            let name = format!("{}{}", self.prefix, step.name);
            self.context.tell(EventKind::StepFinished { step: name, outcome: Box::new(outcome.for_event()) });
        }
        // Each step ends once.
        let _ = self.outcomes[at].set(outcome);
    }

    async fn step(&'a self, at: usize) -> Done {
        let step = &self.prepared.plan.steps[at];
        let scope = self.scope();
        match step.when.as_ref().map(|when| scope.is_true(when)) {
            Some(Err(error)) => return self.blank(at, Status::Failed).with_error(error).into(),
            Some(Ok(false)) => {
                return self.blank(at, Status::Skipped).with_reason("its condition is not true").into();
            }
            Some(Ok(true)) | None => {}
        }
        let name = format!("{}{}", self.prefix, step.name);
        match &step.foreach {
            None => self.once(at, &name, scope).await,
            Some(foreach) => self.each(at, &name, foreach).await.into(),
        }
    }

    /// Runs a step, or one item of it.
    async fn once(&self, at: usize, name: &str, scope: Scope<'_>) -> Done {
        let step = &self.prepared.plan.steps[at];
        match &self.prepared.work[at] {
            Work::Skill(skill) => self.skill(at, skill, step, name, scope).await,
            Work::Workflow(workflow) => match scope.fill(&step.inputs) {
                Ok(inputs) => self.nested(at, workflow, name, inputs).await.into(),
                Err(error) => self.blank(at, Status::Failed).with_error(error).into(),
            },
        }
    }

    async fn skill(&self, at: usize, skill: &Pinned, step: &PlanStep, name: &str, scope: Scope<'_>) -> Done {
        let _permit = self.context.permit().await;
        if let Some(reason) = self.over() {
            return self.blank(at, Status::Skipped).with_reason(reason).into();
        }
        let filled = scope.fill(&step.inputs).and_then(|mut inputs| {
            if let Some(key) = &step.key {
                let key = match scope.value(key)? {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                inputs.insert(KEY_INPUT.to_owned(), key.into());
            }
            Ok(inputs)
        });
        let inputs = match filled {
            Ok(inputs) => inputs,
            Err(error) => return self.blank(at, Status::Failed).with_error(error).into(),
        };
        if let Some(outcome) = self.context.kept(name, skill, step.on_error, &inputs) {
            self.context.tell(EventKind::StepKept { step: name.to_owned() });
            return Done { outcome, is_kept: true };
        }
        let timeout = skill.timeout(step.timeout, self.context.options.timeout);
        let step = StepRun { name, skill, inputs, retry: &step.retry, timeout };
        run_step(self.context, step).await.into()
    }

    /// Runs a workflow that is a step.
    async fn nested(&self, at: usize, workflow: &Prepared, name: &str, inputs: Values) -> Outcome {
        let started = Instant::now();
        let failed = |kind: &str, message: String| {
            self.blank(at, Status::Failed).with_error(StepError::new(kind, message))
        };
        let inputs = match settle(workflow.declared.as_ref(), &inputs) {
            Ok(inputs) => inputs,
            Err(misfits) => {
                let text = |misfit| match misfit {
                    Misfit::Missing(text) | Misfit::Unknown(text) | Misfit::Type(text) => text,
                };
                let all: Vec<String> = misfits.into_iter().map(text).collect();
                return failed("bad-inputs", all.join("; "));
            }
        };
        let level = Level::new(self.context, workflow, &inputs, format!("{name}/"), Some(self));
        Box::pin(level.run()).await;
        let mut outcome = match level.status() {
            Status::Success => match level.output() {
                Ok(output) => Outcome { output, ..self.blank(at, Status::Success) },
                Err(error) => self.blank(at, Status::Failed).with_error(error),
            },
            Status::Cancelled => {
                let message = "the run was cancelled".to_owned();
                self.blank(at, Status::Cancelled).with_error(StepError::new("cancelled", message))
            }
            _ => {
                let why = level.stopped.get().cloned().or_else(|| self.context.broken());
                failed("workflow-failed", why.unwrap_or_else(|| "it failed".to_owned()))
            }
        };
        outcome.steps = level.reports();
        outcome.inputs = inputs;
        outcome.latency_ms = milliseconds(started.elapsed());
        outcome
    }

    /// What the workflow returns where it is a step.
    fn output(&self) -> Result<Value, StepError> {
        match &self.prepared.plan.outputs {
            Some(outputs) => Ok(Value::Object(self.scope().fill(outputs)?)),
            None => {
                let ended = self.names.iter().zip(&self.outcomes);
                let output = |(name, outcome): (&&str, &OnceLock<Outcome>)| {
                    Some(((*name).to_owned(), outcome.get()?.output.clone()))
                };
                Ok(Value::Object(ended.filter_map(output).collect()))
            }
        }
    }

    /// Runs a step for each item of its list.
    async fn each(&'a self, at: usize, name: &str, foreach: &PlanForeach) -> Outcome {
        let started = Instant::now();
        let failed = |error| self.blank(at, Status::Failed).with_error(error);
        let items = match self.items(foreach) {
            Ok(items) => items,
            Err(error) => return failed(error),
        };
        let jobs = self.context.options.jobs.get();
        let most = foreach.max_parallel.unwrap_or(jobs).min(jobs);
        let goes_on = self.prepared.plan.steps[at].on_error == OnError::Continue;
        let mut outcomes: Vec<Option<Outcome>> = items.iter().map(|_| None).collect();
        let mut waiting = items.iter().enumerate();
        let mut stopped: Option<String> = None;
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < most && stopped.is_none() {
                let Some((index, item)) = waiting.next() else { break };
                let scope = Scope { item: Some((item, index)), ..self.scope() };
                let name = format!("{name}[{index}]");
                running.push(async move {
                    let done = self.once(at, &name, scope).await;
                    (index, name, done)
                });
            }
            let Some((index, name, done)) = running.next().await else { break };
            if done.outcome.status.is_failure() && !goes_on {
                stopped.get_or_insert_with(|| format!("item {index} is `{}`", done.outcome.status));
            }
            if !done.is_kept {
                self.context.tell(EventKind::StepFinished {
                    step: name,
                    outcome: Box::new(done.outcome.for_event()),
                });
            }
            outcomes[index] = Some(done.outcome);
        }
        let reason = stopped.unwrap_or_default();
        let skipped = || self.blank(at, Status::Skipped).with_reason(reason.clone());
        let items = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(skipped)).collect();
        let mut outcome = self.gathered(at, items);
        outcome.latency_ms = milliseconds(started.elapsed());
        outcome
    }

    fn items(&self, foreach: &PlanForeach) -> Result<Vec<Value>, StepError> {
        let bad = |message: String| Err(StepError::new("bad-items", message));
        match self.scope().value(&foreach.items)? {
            Value::Array(items) if items.len() > foreach.max_items => {
                let (count, most) = (items.len(), foreach.max_items);
                bad(format!("there are {count} items, and `max_items` is {most}"))
            }
            Value::Array(items) => Ok(items),
            _ => bad("what `foreach` refers to is not a list".to_owned()),
        }
    }

    /// The outcome of a step from those of its items.
    fn gathered(&self, at: usize, items: Vec<Outcome>) -> Outcome {
        let failures = items.iter().filter(|item| item.status.is_failure()).count();
        let first = items.iter().enumerate().find(|(_, item)| item.status.is_failure());
        let mut outcome = if let Some((index, item)) = first {
            let why = item
                .error
                .as_ref()
                .map_or(String::new(), |error| format!("{}: {}", error.kind, error.message));
            let message = format!("{failures} of {} items failed; item {index}: {why}", items.len());
            self.blank(at, Status::Failed).with_error(StepError::new("items-failed", message))
        } else if let Some(item) = items.iter().find(|item| item.status != Status::Success) {
            match item.status {
                Status::Skipped if !self.context.options.cancel.is_cancelled() => {
                    self.blank(at, Status::Skipped).with_reason(item.reason.clone().unwrap_or_default())
                }
                _ => {
                    let error = StepError::new("cancelled", "the run was cancelled between the items");
                    self.blank(at, Status::Cancelled).with_error(error)
                }
            }
        } else {
            let output = items.iter().map(|item| item.output.clone()).collect();
            Outcome { output, ..self.blank(at, Status::Success) }
        };
        outcome.items = items;
        outcome
    }
}
