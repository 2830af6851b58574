//! Skills that a skill calls while it runs: each a step of its own below that of its caller, in a worker of its own, with its
//! own grants. The caller waits; its clock goes on, and when it ends, so do they.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::callable::NotCallable;
use crate::channel::Call;
use crate::denial::Denial;
use crate::event::EventKind;
use crate::options::RunLimits;
use crate::outcome::{Outcome, Status, StepError};
use crate::policy::Rule;
use crate::run::Context;
use crate::skill::Pinned;
use crate::step::{Attempted, attempt_here, milliseconds};

/// Where an attempt stands among those that called each other.
#[derive(Clone, Copy)]
pub(crate) struct Caller<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) name: &'a str,
    pub(crate) skill: &'a Pinned,
    /// 0 for a step of the workflow.
    pub(crate) depth: usize,
    pub(crate) gates: &'a Gates,
}

/// How many may run at once, counted for each depth below one step. With one count for all, those that wait for what they
/// called could keep it from ever beginning.
#[derive(Default)]
pub(crate) struct Gates {
    depths: OnceLock<Vec<Semaphore>>,
    /// Calls that were begun, and bytes that were told of them.
    count: AtomicUsize,
    told: AtomicUsize,
}

/// What there was too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    Count,
    Bytes,
}

impl Gates {
    fn at(&self, caller: &Caller<'_>) -> Option<&Semaphore> {
        let limits = &caller.context.options.limits;
        let new = || (0..limits.call_depth).map(|_| Semaphore::new(limits.calls_at_once.max(1))).collect();
        self.depths.get_or_init(new).get(caller.depth)
    }

    /// Counts what is told of a call. What comes to an end by itself may end; nothing more begins when it is too much.
    pub(crate) fn told(&self, bytes: usize) {
        self.told.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Counts one more call, where there may be one.
    fn one_more(&self, limits: &RunLimits) -> Result<(), Over> {
        if self.told.load(Ordering::Relaxed) > limits.call_bytes {
            return Err(Over::Bytes);
        }
        if self.count.fetch_add(1, Ordering::Relaxed) >= limits.calls {
            return Err(Over::Count);
        }
        Ok(())
    }
}

/// Bytes that a call takes beside those of its message, about.
const HOLDING: usize = 512;

/// What goes back to the caller, as a message.
type Answer = Vec<u8>;

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Answered<'a> {
    Output(&'a Value),
    Error(Refusal<'a>),
}

#[derive(Serialize)]
struct Message<'a> {
    id: u64,
    #[serde(flatten)]
    answered: Answered<'a>,
}

/// Why there is no output.
#[derive(Serialize)]
struct Refusal<'a> {
    status: Status,
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
    skill: &'a str,
    /// Whether the caller may not call it at all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    undeclared: bool,
}

/// The calls of one attempt.
pub(crate) struct Calls<'a> {
    caller: Caller<'a>,
    /// Ends what is called.
    cancel: CancellationToken,
    /// When the time of the caller is over.
    until: Instant,
    count: u32,
    /// Calls that wait until more may run, and their bytes.
    held: VecDeque<Call>,
    held_bytes: usize,
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Answer> + Send + 'a>>>,
}

/// What came of asking for a call.
pub(crate) enum Begun {
    Running,
    /// It is answered already.
    Answered(Answer),
    /// And the caller may not do that.
    Denied(Answer, Denial),
    /// There may be no more.
    Over(Over),
}

impl<'a> Calls<'a> {
    pub(crate) fn new(caller: Caller<'a>, cancel: &CancellationToken, until: Instant) -> Self {
        Self {
            caller,
            cancel: cancel.child_token(),
            until,
            count: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            running: FuturesUnordered::new(),
        }
    }

    /// Whether something runs.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether more may be asked for: up to the bytes of one whole call wait here. What is not read yet takes no room here.
    pub(crate) fn has_room(&self) -> bool {
        self.held_bytes <= self.caller.context.options.limits.input_bytes
    }

    /// Keeps a call until it can begin.
    pub(crate) fn hold(&mut self, call: Call) {
        self.held_bytes += call.bytes + HOLDING;
        self.held.push_back(call);
    }

    /// Begins the call that has waited longest, where one waits and may run.
    pub(crate) fn begin_next(&mut self) -> Option<Begun> {
        if self.running.len() >= self.caller.context.options.limits.calls_at_once.max(1) {
            return None;
        }
        let call = self.held.pop_front()?;
        self.held_bytes -= call.bytes + HOLDING;
        Some(self.begin(call))
    }

    /// The next answer, where something runs.
    pub(crate) async fn answer(&mut self) -> Answer {
        match self.running.next().await {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    /// Begins a call, or says why not.
    fn begin(&mut self, call: Call) -> Begun {
        let limits = &self.caller.context.options.limits;
        let id = call.id;
        let failed = |kind: &str, message: &str| Begun::Answered(refused(id, kind, message, &call.skill));
        // What such a skill names was not even looked for.
        if self.caller.depth >= limits.call_depth {
            let message = format!(
                "skills call each other at most {} deep, and this would be deeper",
                limits.call_depth
            );
            return failed("too-deep", &message);
        }
        let skill = match self.caller.context.callable.get(self.caller.skill, &call.skill) {
            Ok(skill) => skill,
            Err(NotCallable::NotASkill(why)) => return failed("bad-skill", &why),
            Err(NotCallable::Ambiguous) => {
                return failed(
                    "ambiguous-skill",
                    "it could be several of those that the skill names; write its whole id",
                );
            }
            Err(NotCallable::Undeclared) => {
                let what = crate::template::cut(&call.skill);
                let denial = Denial { rule: Rule::Skills, what };
                let message = denial.to_string();
                let refusal = Refusal {
                    status: Status::Denied,
                    kind: "undeclared-skill",
                    message: &message,
                    skill: &call.skill,
                    undeclared: true,
                };
                return Begun::Denied(encoded(id, Answered::Error(refusal)), denial);
            }
        };
        if let Err(over) = self.caller.gates.one_more(limits) {
            return Begun::Over(over);
        }
        self.count += 1;
        let called = Called {
            caller: self.caller,
            name: format!("{}/{}#{}", self.caller.name, skill.name, self.count),
            skill,
            cancel: self.cancel.clone(),
            until: self.until,
        };
        self.running.push(Box::pin(called.run(call)));
        Begun::Running
    }

    /// Ends all that still runs. Nobody is left to be answered.
    pub(crate) async fn end(&mut self) {
        self.held.clear();
        if self.is_waiting() {
            self.cancel.cancel();
            while self.running.next().await.is_some() {}
        }
    }
}

/// One call.
struct Called<'a> {
    caller: Caller<'a>,
    name: String,
    skill: &'a Pinned,
    cancel: CancellationToken,
    until: Instant,
}

impl Called<'_> {
    async fn run(self, call: Call) -> Answer {
        let context = self.caller.context;
        let permit = async {
            match self.caller.gates.at(&self.caller) {
                Some(gate) => gate.acquire().await.ok(),
                None => None,
            }
        };
        let permit = tokio::select! {
            permit = permit => permit,
            () = self.cancel.cancelled() => None,
        };
        if permit.is_none() {
            return refused(call.id, "cancelled", "the skill that called it has ended", &call.skill);
        }
        // It is told when it begins, and again when it ends.
        self.caller.gates.told(2 * call.bytes);
        context.tell(EventKind::StepStarted {
            step: self.name.clone(),
            attempt: 1,
            inputs: call.inputs.clone(),
        });
        let caller = Caller {
            context,
            name: &self.name,
            skill: self.skill,
            depth: self.caller.depth + 1,
            gates: self.caller.gates,
        };
        let timeout = self.timeout(call.seconds);
        let attempted = attempt_here(caller, &call.inputs, timeout, &self.cancel).await;
        let outcome = self.outcome(attempted, call.inputs);
        let answered = match &outcome.error {
            None => Answered::Output(&outcome.output),
            Some(error) => {
                let (status, message) = for_caller(outcome.status, error);
                Answered::Error(Refusal {
                    status,
                    kind: &error.kind,
                    message,
                    skill: &call.skill,
                    undeclared: false,
                })
            }
        };
        let answer = encoded(call.id, answered);
        self.caller.gates.told(answer.len() + outcome.stdout.len() + outcome.stderr.len());
        context.tell(EventKind::StepFinished { step: self.name.clone(), outcome: Box::new(outcome) });
        answer
    }

    /// What the skill is granted, and no more than the caller has left or wants to wait.
    fn timeout(&self, asked: Option<f64>) -> Duration {
        let granted = self.skill.timeout(None, self.caller.context.options.timeout);
        let left = self.until.saturating_duration_since(Instant::now());
        // What is no time at all is asked for by nobody but the skill itself.
        let asked = asked.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default());
        granted.min(left).min(asked.unwrap_or(Duration::MAX))
    }

    fn outcome(&self, attempted: Attempted, inputs: crate::Values) -> Outcome {
        let Attempted { status, output, mut error, latency, stdout, stderr, .. } = attempted;
        if status == Status::Cancelled && !self.caller.context.options.cancel.is_cancelled() {
            let message = "the skill that called it ended before, and it was killed";
            error = Some(StepError::new("cancelled", message));
        }
        Outcome {
            output,
            error,
            inputs,
            latency_ms: milliseconds(latency),
            attempts: 1,
            stdout,
            stderr,
            ..Outcome::of(&self.skill.id, &self.skill.version, status)
        }
    }
}

/// What the caller is told of a failure. Whether a file that was not found is somewhere outside is for people to know, and not for
/// a skill, which could look through the machine that way.
fn for_caller(status: Status, error: &StepError) -> (Status, &str) {
    let is_absent = matches!(error.kind.as_str(), "FileNotFoundError" | "NotADirectoryError");
    match status {
        Status::Denied if is_absent => {
            let message = error.message.split(" (the sandbox denies ").next();
            (Status::Failed, message.unwrap_or_default())
        }
        _ => (status, &error.message),
    }
}

fn refused(id: u64, kind: &str, message: &str, skill: &str) -> Answer {
    let refusal = Refusal { status: Status::Failed, kind, message, skill, undeclared: false };
    encoded(id, Answered::Error(refusal))
}

fn encoded(id: u64, answered: Answered<'_>) -> Answer {
    // Texts, numbers and JSON values can all be written.
    serde_json::to_vec(&Message { id, answered }).unwrap_or_default()
}
