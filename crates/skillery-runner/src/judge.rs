//! What an attempt came to, from what was seen of it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::attempt::End;
use crate::calls::Over;
use crate::denial::{Cause, Denial};
use crate::options::RunLimits;
use crate::outcome::{Status, StepError};
use crate::policy::Grants;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    #[serde(default)]
    output: Value,
    error: Option<StepError>,
    #[serde(default)]
    retry: bool,
    #[serde(default)]
    cause: Option<Cause>,
}

/// What is known beside the end itself.
pub(crate) struct Judge<'a> {
    pub(crate) denials: &'a [Denial],
    pub(crate) timeout: Duration,
    pub(crate) limits: &'a RunLimits,
    pub(crate) grants: &'a Grants,
}

pub(crate) struct Judged {
    pub(crate) status: Status,
    pub(crate) output: Value,
    pub(crate) error: Option<StepError>,
    /// Whether another attempt could end otherwise.
    pub(crate) retry: bool,
}

impl Judged {
    fn of(status: Status, kind: &str, message: impl Into<String>, retry: bool) -> Self {
        Self { status, output: Value::Null, error: Some(StepError::new(kind, message)), retry }
    }

    fn failed(kind: &str, message: impl Into<String>, retry: bool) -> Self {
        Self::of(Status::Failed, kind, message, retry)
    }
}

impl Judge<'_> {
    pub(crate) fn judge(&self, end: End) -> Judged {
        match end {
            End::Reply(bytes) => match serde_json::from_slice(&bytes) {
                Ok(Reply { output, error: None, .. }) => {
                    Judged { status: Status::Success, output, error: None, retry: false }
                }
                Ok(Reply { error: Some(error), retry, cause, .. }) => {
                    self.raised(error, retry, cause.as_ref())
                }
                Err(error) => Judged::failed(
                    "bad-protocol",
                    format!("the reply of the process cannot be read: {error}"),
                    false,
                ),
            },
            End::BadReply => Judged::failed("bad-protocol", "the process did not reply as it should", false),
            End::Never(why) => {
                Judged::failed("could-not-start", format!("cannot start a Python process: {why}"), true)
            }
            End::LogTooLarge => {
                let most = self.limits.log_bytes;
                Judged::failed(
                    "log-too-large",
                    format!("the skill wrote more than {most} bytes to its outputs"),
                    false,
                )
            }
            End::CallsOver(Over::Count) => {
                let most = self.limits.calls;
                let message = format!("the skill, and those that it called, called more than {most} times");
                Judged::failed("too-many-calls", message, false)
            }
            End::CallsOver(Over::Bytes) => {
                let most = self.limits.call_bytes;
                let message = format!("what the skill called was told of in more than {most} bytes");
                Judged::failed("calls-too-large", message, false)
            }
            End::TimedOut => {
                let message =
                    format!("the skill did not end within {} s, and was killed", self.timeout.as_secs_f64());
                Judged::of(Status::TimedOut, "timed-out", message, true)
            }
            End::OutOfMemory(bytes) => {
                let granted = self.grants.memory_bytes;
                let message = format!(
                    "the processes of the skill had {bytes} bytes of memory, {granted} are granted, and they were killed"
                );
                Judged::of(Status::OutOfMemory, "out-of-memory", message, false)
            }
            End::Cancelled => Judged::of(
                Status::Cancelled,
                "cancelled",
                "the run was cancelled, and the skill was killed",
                false,
            ),
            End::Silence(status) => self.silent(status),
        }
    }

    /// The skill raised.
    fn raised(&self, mut error: StepError, retry: bool, cause: Option<&Cause>) -> Judged {
        if cause.is_some_and(|cause| cause.memory) {
            let granted = self.grants.memory_bytes;
            error.message =
                format!("the skill needs more than the {granted} bytes of memory that are granted");
            return Judged {
                status: Status::OutOfMemory,
                output: Value::Null,
                error: Some(error),
                retry: false,
            };
        }
        let denial = cause.and_then(|cause| Denial::of_cause(cause, self.denials, &self.grants.hosts));
        match denial {
            Some(denial) => {
                error.message = format!("{} ({denial})", error.message);
                Judged {
                    status: Status::Denied,
                    output: Value::Null,
                    error: Some(error.with_rule(denial.rule)),
                    retry: false,
                }
            }
            None => {
                // The skill may have taken it for something else, or it may have nothing to do with it.
                if let Some(denial) = self.denials.last() {
                    error.message = format!("{} (before that, {denial})", error.message);
                }
                Judged { status: Status::Failed, output: Value::Null, error: Some(error), retry }
            }
        }
    }

    /// The process ended and said nothing.
    fn silent(&self, status: Option<ExitStatus>) -> Judged {
        let (kind, message) = match status.map(|status| (status.signal(), status.code())) {
            None => ("killed", "the process ended, and nobody knows how".to_owned()),
            Some((Some(signal), _)) => {
                ("killed", format!("the process was killed by {}", signal_name(signal)))
            }
            Some((None, code)) => {
                let code = code.unwrap_or_default();
                ("exited", format!("the process exited with status {code} before the function returned"))
            }
        };
        match self.denials.last() {
            Some(denial) => {
                let error = StepError::new(kind, format!("{message} ({denial})")).with_rule(denial.rule);
                Judged { status: Status::Denied, output: Value::Null, error: Some(error), retry: false }
            }
            None => Judged::failed(kind, message, true),
        }
    }
}

fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}
