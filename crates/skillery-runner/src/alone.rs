//! One skill alone, as a run of one step. Inputs are taken as they are: a `${` in them has no meaning.

use std::sync::Arc;
use std::time::Instant;

use crate::Values;
use crate::callable::Callable;
use crate::event::{EventKind, EventSink};
use crate::options::RunOptions;
use crate::outcome::{Outcome, Status};
use crate::pins::Pins;
use crate::problems::{Problem, ProblemKind, Problems};
use crate::repeat::Retry;
use crate::run::{Context, RunError, planned};
use crate::skill::{Contents, Pinned, Resolver, SkillReference, SkillSource};
use crate::step::{StepRun, milliseconds, run_step};

/// Runs one skill, as a step of its name. For a skill that calls no others.
pub async fn run_skill(
    skill: &SkillSource,
    inputs: Values,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<Outcome, RunError> {
    let none = |_: &SkillReference| Err("there are no other skills in this run".to_owned());
    let pinned = Pinned::read(skill, options.limits.code_bytes, &mut Contents::default())
        .map_err(|(kind, why)| problem(&skill.id, kind, why))?;
    let pins = Pins::new(&none, options.limits.code_bytes, None);
    run(Arc::new(pinned), inputs, pins, options, events).await
}

/// [`run_skill`], of a skill that is found as those of a workflow are, with all that it calls.
pub async fn run_skill_named(
    reference: &SkillReference,
    inputs: Values,
    resolve: &Resolver<'_>,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<Outcome, RunError> {
    let mut pins = Pins::new(resolve, options.limits.code_bytes, None);
    let pinned = pins
        .get(&reference.to_string())
        .map_err(|(kind, why)| problem(&reference.name.to_string(), kind, why))?;
    run(pinned, inputs, pins, options, events).await
}

fn problem(skill: &str, kind: ProblemKind, message: String) -> Problems {
    Problems { workflow: skill.to_owned(), problems: vec![Problem::new(kind, message)] }
}

async fn run(
    pinned: Arc<Pinned>,
    inputs: Values,
    mut pins: Pins<'_>,
    options: &RunOptions,
    events: &EventSink<'_>,
) -> Result<Outcome, RunError> {
    let at = Problem::new(ProblemKind::SkillUnreadable, "");
    let mut callable = Callable::default();
    let find = &mut |written: &str| pins.get(written);
    let problems = callable.extend(vec![(at, Arc::clone(&pinned))], find, options.limits.call_depth);
    if !problems.is_empty() {
        return Err(Problems { workflow: pinned.id.clone(), problems }.into());
    }
    let run_id = options.run_id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_string());
    let context = Context::prepare(run_id, options, events, vec![&pinned], callable).await?;
    let name = pinned.name.as_str();
    let started = Instant::now();
    context.tell(EventKind::RunStarted {
        workflow: name.to_owned(),
        inputs: inputs.clone(),
        steps: vec![planned(name, &pinned)],
        sandbox: context.layers.clone(),
        resumed: false,
    });
    let retry = Retry::none();
    let timeout = pinned.timeout(None, options.timeout);
    let step = StepRun { name, skill: &pinned, inputs, retry: &retry, timeout };
    let outcome = run_step(&context, step).await;
    context.tell(EventKind::StepFinished { step: name.to_owned(), outcome: Box::new(outcome.clone()) });
    let status = match outcome.status {
        Status::Success | Status::Cancelled => outcome.status,
        _ => Status::Failed,
    };
    context.tell(EventKind::RunFinished { status, latency_ms: milliseconds(started.elapsed()) });
    Ok(outcome)
}
