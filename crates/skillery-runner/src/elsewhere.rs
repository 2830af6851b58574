//! One attempt as it travels: what another machine is told of it, and what comes back. That machine runs it as this one would,
//! with the same refusals; `bridge` is the way there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::Values;
use crate::callable::Callable;
use crate::event::{Event, EventKind};
use crate::interpreter::Interpreter;
use crate::options::{RunLimits, RunOptions};
use crate::outcome::StepError;
use crate::repeat::Retry;
use crate::run::Context;
use crate::sandbox::{Layers, Sandbox};
use crate::skill::Pinned;
use crate::step::{Attempted, StepRun, attempt_of_step};
use crate::workers::Workers;

/// Both ends must be of one version, as what travels is nobody's promise.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Bytes of JSON that may be told of one attempt: its outputs, and all of what it calls.
const MAX_TOLD: usize = 64 * 1024 * 1024;

/// An attempt on its way.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Payload {
    version: String,
    step: String,
    skill: Pinned,
    callable: Callable,
    inputs: Values,
    /// Of this attempt.
    timeout: Duration,
    /// Of a skill that is called and granted no time of its own.
    default_timeout: Duration,
    grace: Duration,
    limits: RunLimits,
    sandbox: Sandbox,
    /// What is granted of the environment, as it is where the run is.
    environment: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Versioned {
    version: String,
}

/// What comes back.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    #[serde(flatten)]
    pub(crate) attempted: Attempted,
    /// What was told of it, in order.
    #[serde(default)]
    pub(crate) events: Vec<EventKind>,
}

/// What a machine says of itself.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Probed {
    /// What keeps skills in there.
    pub(crate) layers: Option<Layers>,
    /// Why it runs none.
    pub(crate) refused: Option<String>,
}

impl Payload {
    pub(crate) fn of(context: &Context<'_>, step: &StepRun<'_>) -> Self {
        let callable = context.callable.reachable_from(step.skill);
        let skills = callable.skills().chain([step.skill]);
        let environment = skills.flat_map(|skill| context.variables(&skill.grants)).collect();
        let options = context.options;
        Self {
            version: VERSION.to_owned(),
            step: step.name.to_owned(),
            skill: step.skill.clone(),
            callable,
            inputs: step.inputs.clone(),
            timeout: step.timeout,
            default_timeout: options.timeout,
            grace: options.grace,
            limits: options.limits.clone(),
            sandbox: options.sandbox.clone(),
            environment,
        }
    }
}

/// Makes an attempt that another machine has sent, here, and tells what came of it in the form that goes back. Cancelling kills
/// what runs. `environments` is where packages are installed.
pub async fn run_attempt(
    payload: &str,
    interpreter: &Interpreter,
    workers: &Workers,
    environments: &Path,
    cancel: &CancellationToken,
) -> String {
    let answer = match read(payload) {
        Ok(payload) => run(payload, interpreter, workers, environments, cancel).await,
        Err(error) => Answer { attempted: Attempted::refused(error, false), events: Vec::new() },
    };
    // Texts, numbers and JSON values can all be written.
    serde_json::to_string(&answer).unwrap_or_default()
}

/// Tells another machine what keeps skills in here, in the form that goes back. `sandbox` is what it demands.
pub async fn probe(sandbox: &str, interpreter: &Interpreter, workers: &Workers) -> String {
    let probed = match serde_json::from_str::<Sandbox>(sandbox) {
        Ok(sandbox) => workers.probe(interpreter, &sandbox).await.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let probed = match probed {
        Ok(layers) => Probed { layers: Some(layers), refused: None },
        Err(why) => Probed { layers: None, refused: Some(why) },
    };
    serde_json::to_string(&probed).unwrap_or_default()
}

fn read(payload: &str) -> Result<Payload, StepError> {
    let could_not_start = |message: String| StepError::new("could-not-start", message);
    let unreadable =
        |error: serde_json::Error| could_not_start(format!("the attempt cannot be read: {error}"));
    let Versioned { version } = serde_json::from_str(payload).map_err(unreadable)?;
    if version != VERSION {
        let message =
            format!("the worker has version {VERSION} of `skillery`, and the run is of version {version}");
        return Err(could_not_start(message));
    }
    serde_json::from_str(payload).map_err(unreadable)
}

/// What was told of an attempt so far.
#[derive(Default)]
struct Told {
    events: Vec<EventKind>,
    bytes: usize,
}

async fn run(
    payload: Payload,
    interpreter: &Interpreter,
    workers: &Workers,
    environments: &Path,
    cancel: &CancellationToken,
) -> Answer {
    let Payload { step, skill, callable, inputs, timeout, environment, .. } = payload;
    let options = RunOptions {
        interpreter: Some(interpreter.clone()),
        workers: workers.clone(),
        environments: Some(environments.to_owned()),
        sandbox: payload.sandbox,
        timeout: payload.default_timeout,
        grace: payload.grace,
        limits: payload.limits,
        cancel: cancel.child_token(),
        ..RunOptions::default()
    };
    let told = Mutex::new(Told::default());
    let sink = |event: Event| {
        let size = serde_json::to_vec(&event.kind).map_or(0, |json| json.len());
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.bytes += size;
        if told.bytes <= MAX_TOLD {
            told.events.push(event.kind);
        } else {
            options.cancel.cancel();
        }
    };
    let attempted = match Context::prepare(step.clone(), &options, &sink, vec![&skill], callable).await {
        Ok(mut context) => {
            context.environment = Some(environment);
            let retry = Retry::none();
            let step = StepRun { name: &step, skill: &skill, inputs, retry: &retry, timeout };
            attempt_of_step(&context, &step).await
        }
        // Another machine may have what this one lacks.
        Err(error) => Attempted::refused(StepError::new("could-not-start", error.to_string()), true),
    };
    let Told { events, bytes } = told.into_inner().unwrap_or_else(PoisonError::into_inner);
    if bytes <= MAX_TOLD {
        return Answer { attempted, events };
    }
    let message =
        format!("the skill and those that it called wrote more than {MAX_TOLD} bytes to their outputs");
    let error = StepError::new("log-too-large", message);
    Answer { attempted: Attempted { latency: attempted.latency, ..Attempted::refused(error, false) }, events }
}
