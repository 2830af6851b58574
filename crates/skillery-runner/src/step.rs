//! One step: attempts until one succeeds or none is left.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Values;
use crate::event::EventKind;
use crate::outcome::{Outcome, Status, StepError};
use crate::repeat::Retry;
use crate::run::Context;
use crate::skill::Pinned;

/// What is to be done for one step.
pub(crate) struct StepRun<'a> {
    pub(crate) name: &'a str,
    pub(crate) skill: &'a Pinned,
    pub(crate) inputs: Values,
    pub(crate) retry: &'a Retry,
    pub(crate) timeout: Duration,
}

/// Runs the step to its outcome.
pub(crate) async fn run_step(context: &Context<'_>, step: StepRun<'_>) -> Outcome {
    let mut attempts = 0;
    loop {
        attempts += 1;
        context.tell(EventKind::StepStarted {
            step: step.name.to_owned(),
            attempt: attempts,
            inputs: step.inputs.clone(),
        });
        if let Some(reason) = context.broken() {
            // What is not kept does not happen.
            let not_begun = Outcome::of(&step.skill.id, &step.skill.version, Status::Skipped);
            return not_begun.with_reason(reason);
        }
        let attempted = attempt(context, &step).await;
        let outcome = |status, error| Outcome {
            status,
            output: attempted.output.clone(),
            error,
            reason: None,
            skill: step.skill.id.clone(),
            version: step.skill.version.clone(),
            inputs: step.inputs.clone(),
            latency_ms: milliseconds(attempted.latency),
            attempts,
            stdout: attempted.stdout.clone(),
            stderr: attempted.stderr.clone(),
            ..Outcome::of("", "", status)
        };
        let Some(error) = &attempted.error else { return outcome(attempted.status, None) };
        if !attempted.retry || attempts > step.retry.limit {
            return outcome(attempted.status, attempted.error.clone());
        }
        let delay = step.retry.delay(attempts, fastrand::f64());
        context.tell(EventKind::StepRetrying {
            step: step.name.to_owned(),
            attempt: attempts,
            error: error.clone(),
            delay_ms: milliseconds(delay),
        });
        if context.broken().is_some() {
            return outcome(attempted.status, attempted.error.clone());
        }
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = context.options.cancel.cancelled() => {
                let message = format!("the run was cancelled between two attempts; the last one failed: {}", error.message);
                return outcome(Status::Cancelled, Some(StepError::new("cancelled", message)));
            }
        }
    }
}

/// With the microseconds that can be believed.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// What came of one attempt.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Attempted {
    pub(crate) status: Status,
    pub(crate) output: Value,
    pub(crate) error: Option<StepError>,
    /// Whether another attempt could end otherwise.
    pub(crate) retry: bool,
    pub(crate) latency: Duration,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Attempted {
    /// An attempt that came to nothing before there was a process.
    pub(crate) fn refused(error: StepError, retry: bool) -> Self {
        Self {
            status: Status::Failed,
            output: Value::Null,
            error: Some(error),
            retry,
            latency: Duration::ZERO,
            stdout: String::new(),
            stderr: String::new(),
        }
    }
}

/// Here, or where the caller of the run wants it.
async fn attempt(context: &Context<'_>, step: &StepRun<'_>) -> Attempted {
    if let Some(bridge) = &context.bridge {
        return bridge.attempt(context, step).await;
    }
    attempt_of_step(context, step).await
}

#[cfg(target_os = "linux")]
pub(crate) async fn attempt_of_step(context: &Context<'_>, step: &StepRun<'_>) -> Attempted {
    let gates = crate::calls::Gates::default();
    let caller =
        crate::calls::Caller { context, name: step.name, skill: step.skill, depth: 0, gates: &gates };
    attempt_here(caller, &step.inputs, step.timeout, &context.options.cancel).await
}

/// One attempt of a step, or of a skill that it calls. Boxed, as these go on below each other.
#[cfg(target_os = "linux")]
pub(crate) fn attempt_here<'a>(
    caller: crate::calls::Caller<'a>,
    inputs: &'a Values,
    timeout: Duration,
    cancel: &'a tokio_util::sync::CancellationToken,
) -> std::pin::Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
    Box::pin(async move {
        let (context, step) = (caller.context, caller.name);
        let on_output = |stream, text: String| {
            if caller.depth > 0 {
                caller.gates.told(text.len());
            }
            context.tell(EventKind::StepOutput { step: step.to_owned(), stream, text });
        };
        let on_denial = |denial: &crate::denial::Denial| {
            let (rule, what) = (denial.rule, denial.what.clone());
            context.tell(EventKind::StepDenied { step: step.to_owned(), rule, what });
        };
        let kind = context.kind(caller.skill);
        let attempt = crate::attempt::Attempt { caller, kind: &kind, inputs, timeout, cancel };
        attempt.run(&on_output, &on_denial).await
    })
}

// No interpreter is accepted there, so this is never reached.
#[cfg(not(target_os = "linux"))]
pub(crate) async fn attempt_of_step(_: &Context<'_>, _: &StepRun<'_>) -> Attempted {
    Attempted::refused(
        StepError::new("could-not-start", "running skills is not supported on this system"),
        false,
    )
}
