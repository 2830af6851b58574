//! One worker process: request in, reply out, whatever the skill does in between.
//!
//! Four things are watched at once: the channel, the two outputs, the process, and the clock. The first that decides ends
//! the attempt, and then nothing of the process is left.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::Values;
use crate::channel::{Channel, Message};
use crate::event::Stream;
use crate::interpreter::Interpreter;
use crate::options::RunLimits;
use crate::outcome::{Status, StepError};
use crate::output::Outputs;
use crate::process::Group;
use crate::skill::Pinned;
use crate::step::Attempted;

const WORKER: &str = include_str!("python/worker.py");
/// What a reply has besides the output: an error with message and traceback, escaped.
const REPLY_OVERHEAD: usize = 1024 * 1024;

/// What one attempt needs.
pub(crate) struct Attempt<'a> {
    pub(crate) interpreter: &'a Interpreter,
    pub(crate) skill: &'a Pinned,
    pub(crate) inputs: &'a Values,
    pub(crate) timeout: Duration,
    pub(crate) grace: Duration,
    pub(crate) limits: &'a RunLimits,
    pub(crate) cancel: &'a CancellationToken,
}

#[derive(Serialize)]
struct Request<'a> {
    name: &'a str,
    file: &'a str,
    code: &'a str,
    output_bytes: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reply {
    #[serde(default)]
    output: Value,
    error: Option<StepError>,
    #[serde(default)]
    retry: bool,
}

/// What ended an attempt.
enum End {
    Reply(Vec<u8>),
    /// The process ended, and there was no whole reply.
    Silence,
    BadReply,
    LogTooLarge,
    TimedOut,
    Cancelled,
}

impl From<Message> for End {
    fn from(message: Message) -> Self {
        match message {
            Message::Whole(bytes) => Self::Reply(bytes),
            Message::TooLarge => Self::BadReply,
        }
    }
}

/// Told what the skill writes, as it writes it.
pub(crate) type OnOutput<'a> = dyn Fn(Stream, String) + Send + Sync + 'a;

impl Attempt<'_> {
    /// Runs the skill once. Dropping the future kills the process and everything that it started.
    pub(crate) async fn run(&self, on_output: &OnOutput<'_>) -> Attempted {
        let request = match self.request() {
            Ok(request) => request,
            Err(refused) => return Attempted::refused(refused, false),
        };
        let started = Instant::now();
        let (group, mut channel, mut outputs) = match self.spawn(request, on_output) {
            Ok(spawned) => spawned,
            Err(error) => {
                let message = format!("cannot start a Python process: {error}");
                return Attempted::refused(StepError::new("could-not-start", message), true);
            }
        };

        let mut end = tokio::select! {
            message = channel.message() => message.into(),
            () = outputs.flood() => End::LogTooLarge,
            () = group.ended() => End::Silence,
            () = tokio::time::sleep(self.timeout) => End::TimedOut,
            () = self.cancel.cancelled() => End::Cancelled,
        };
        let latency = started.elapsed();

        if matches!(end, End::TimedOut | End::Cancelled) {
            group.ask_to_end();
            tokio::select! {
                () = group.ended() => {}
                () = outputs.flood() => {}
                () = tokio::time::sleep(self.grace) => {}
            }
        }
        let status = group.bury().await;

        // Nobody of the group can write any more, so what is left ends at once; only a process that left the group
        // could hold the ends open, and that one is not waited for.
        if matches!(end, End::Silence)
            && let Ok(message) = tokio::time::timeout(self.grace, channel.rest()).await
        {
            end = message.map_or(End::Silence, End::from);
        }
        if let Ok(true) = tokio::time::timeout(self.grace, outputs.rest()).await
            && matches!(end, End::Reply(_) | End::Silence)
        {
            end = End::LogTooLarge;
        }
        let (stdout, stderr) = outputs.finish();
        let (status, output, error, retry) = self.judge(end, status);
        Attempted { status, output, error, retry, latency, stdout, stderr }
    }

    /// The two messages that a worker begins with: what to run, and the inputs.
    fn request(&self) -> Result<[Vec<u8>; 2], StepError> {
        let request = Request {
            name: &self.skill.name,
            file: &self.skill.file,
            code: &self.skill.code,
            output_bytes: self.limits.output_bytes,
        };
        let not_json =
            |error| StepError::new("bad-inputs", format!("the inputs cannot be written as JSON: {error}"));
        let request = serde_json::to_vec(&request).map_err(not_json)?;
        let inputs = serde_json::to_vec(self.inputs).map_err(not_json)?;
        let (size, most) = (inputs.len(), self.limits.input_bytes);
        if size > most {
            let message = format!("the inputs are {size} bytes of JSON, and {most} is the most");
            return Err(StepError::new("inputs-too-large", message));
        }
        Ok([request, inputs])
    }

    /// A process with a folder of its own, one channel, and nothing else of ours.
    fn spawn<'o>(
        &self,
        request: [Vec<u8>; 2],
        on_output: &'o OnOutput<'o>,
    ) -> io::Result<(Group, Channel, Outputs<'o>)> {
        let folder = tempfile::Builder::new().prefix("skillery-").tempdir()?;
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        let mut command = Command::new(self.interpreter.path());
        // Isolated from variables, the folder and the user's own packages; those of the interpreter's environment can
        // be imported, as skills may use what is installed beside it.
        command
            .args(["-I", "-B", "-X", "utf8", "-c", WORKER])
            .current_dir(folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()))
            .env("LANG", "C.UTF-8")
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (group, pipes) = Group::spawn(command, folder)?;
        let channel = Channel::new(ours, &request, self.limits.output_bytes + REPLY_OVERHEAD)?;
        Ok((group, channel, Outputs::new(pipes, self.limits, on_output)?))
    }

    fn judge(&self, end: End, status: io::Result<ExitStatus>) -> (Status, Value, Option<StepError>, bool) {
        let failed = |kind: &str, message: String, retry: bool| {
            (Status::Failed, Value::Null, Some(StepError::new(kind, message)), retry)
        };
        match end {
            End::Reply(bytes) => match serde_json::from_slice(&bytes) {
                Ok(Reply { output, error: None, .. }) => (Status::Success, output, None, false),
                Ok(Reply { error, retry, .. }) => (Status::Failed, Value::Null, error, retry),
                Err(error) => {
                    failed("bad-protocol", format!("the reply of the process cannot be read: {error}"), false)
                }
            },
            End::BadReply => {
                failed("bad-protocol", "the process did not reply as it should".to_owned(), false)
            }
            End::LogTooLarge => {
                let most = self.limits.log_bytes;
                failed(
                    "log-too-large",
                    format!("the skill wrote more than {most} bytes to its outputs"),
                    false,
                )
            }
            End::TimedOut => {
                let message =
                    format!("the skill did not end within {} s, and was killed", self.timeout.as_secs_f64());
                (Status::TimedOut, Value::Null, Some(StepError::new("timed-out", message)), true)
            }
            End::Cancelled => {
                let error = StepError::new("cancelled", "the run was cancelled, and the skill was killed");
                (Status::Cancelled, Value::Null, Some(error), false)
            }
            End::Silence => {
                let status = match status {
                    Ok(status) => status,
                    Err(error) => {
                        return failed(
                            "killed",
                            format!("the process ended, nobody knows how: {error}"),
                            true,
                        );
                    }
                };
                match (status.signal(), status.code()) {
                    (Some(signal), _) => {
                        failed("killed", format!("the process was killed by {}", signal_name(signal)), true)
                    }
                    (None, code) => {
                        let code = code.unwrap_or_default();
                        failed(
                            "exited",
                            format!("the process exited with status {code} before the function returned"),
                            true,
                        )
                    }
                }
            }
        }
    }
}

fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}
