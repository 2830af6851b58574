//! One step: attempts until one succeeds or none is left.

use std::time::Duration;

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

#[cfg(target_os = "linux")]
async fn attempt(context: &Context<'_>, step: &StepRun<'_>) -> Attempted {
    let on_output = |stream, text| {
        context.tell(EventKind::StepOutput { step: step.name.to_owned(), stream, text });
    };
    let on_denial = |denial: &crate::denial::Denial| {
        let (rule, what) = (denial.rule, denial.what.clone());
        context.tell(EventKind::StepDenied { step: step.name.to_owned(), rule, what });
    };
    crate::attempt::Attempt {
        workers: &context.options.workers,
        kind: &context.kind(step.skill),
        skill: step.skill,
        inputs: &step.inputs,
        timeout: step.timeout,
        grace: context.options.grace,
        limits: &context.options.limits,
        cancel: &context.options.cancel,
    }
    .run(&on_output, &on_denial)
    .await
}

// No interpreter is accepted there, so this is never reached.
#[cfg(not(target_os = "linux"))]
async fn attempt(_: &Context<'_>, _: &StepRun<'_>) -> Attempted {
    Attempted::refused(
        StepError::new("could-not-start", "running skills is not supported on this system"),
        false,
    )
}
