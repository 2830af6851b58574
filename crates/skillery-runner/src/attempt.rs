//! One worker process: request in, reply out, whatever the skill does in between.
//!
//! Watched at once are the channel, the two outputs, what the kernel refuses, what the parent tells of the process, and the
//! clock. The first that decides ends the attempt, and then nothing of the process is left. Skills that it calls run meanwhile.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use tokio::io::unix::AsyncFd;
use tokio_util::sync::CancellationToken;

use crate::Values;
use crate::calls::{Begun, Caller, Calls, Over};
use crate::channel::{Channel, Message, readable};
use crate::denial::Denial;
use crate::event::Stream;
use crate::judge::{Judge, Judged};
use crate::outcome::StepError;
use crate::output::Outputs;
use crate::parent::Told;
use crate::permissions::astray;
use crate::policy::MOST_SECONDS;
use crate::skill::PinnedFile;
use crate::step::Attempted;
use crate::workers::{Kind, Worker};

/// What a reply has besides the output: an error with message and traceback, escaped.
const REPLY_OVERHEAD: usize = 1024 * 1024;
/// How long the parent may take to tell that a killed worker is gone.
const BURIAL: Duration = Duration::from_secs(5);
/// Of what one attempt is denied, what is told. The kernel's part alone never comes to so much.
const MOST_DENIALS: usize = 64;
/// After which time the parent is asked whether a worker that has replied has ended. Before Linux 6.11, nobody else knows.
const PATIENCE: Duration = Duration::from_millis(2);
/// What takes longer is cleared away at once.
const LONG: Duration = Duration::from_millis(100);
/// How long a worker that has replied may take to end by itself, which costs less than being killed.
const LEAVE: Duration = Duration::from_millis(20);

/// What one attempt needs.
pub(crate) struct Attempt<'a> {
    pub(crate) caller: Caller<'a>,
    pub(crate) kind: &'a Kind,
    pub(crate) inputs: &'a Values,
    pub(crate) timeout: Duration,
    pub(crate) cancel: &'a CancellationToken,
}

#[derive(Serialize)]
struct Request<'a> {
    name: &'a str,
    path: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    files: &'a [PinnedFile],
    input_bytes: usize,
    output_bytes: usize,
    environment: BTreeMap<String, String>,
    seconds: u64,
}

/// What ended an attempt.
pub(crate) enum End {
    Reply(Vec<u8>),
    /// The process ended, and there was no whole reply.
    Silence(Option<ExitStatus>),
    /// There was no process.
    Never(String),
    BadReply,
    OutOfMemory(u64),
    LogTooLarge,
    /// It, and those that it called, called too often or too much.
    CallsOver(Over),
    TimedOut,
    Cancelled,
}

impl From<Message> for End {
    fn from(message: Message) -> Self {
        match message {
            Message::Whole(bytes) => Self::Reply(bytes),
            Message::Never(why) => Self::Never(why),
            // Whoever asks, or waits, when its process has ended does so in vain.
            Message::Call(_) | Message::Ready(_) | Message::Bad | Message::Closed => Self::BadReply,
        }
    }
}

/// Told what the skill was kept from, as it tries.
pub(crate) type OnDenial<'a> = dyn Fn(&Denial) + Send + Sync + 'a;

/// Told what the skill writes, as it writes it.
pub(crate) type OnOutput<'a> = dyn Fn(Stream, String) + Send + Sync + 'a;

impl Attempt<'_> {
    /// Runs the skill once. Dropping the future kills the process and everything that it started.
    pub(crate) async fn run(&self, on_output: &OnOutput<'_>, on_denial: &OnDenial<'_>) -> Attempted {
        let request = match self.request() {
            Ok(request) => request,
            Err(refused) => return Attempted::refused(refused, false),
        };
        // A new parent would follow a link that another skill has put there since the run began.
        let skill = self.caller.skill;
        if let Some(path) = astray(&skill.grants, &skill.granted) {
            let message = format!("`{}` leads out of what the policy grants by now", path.display());
            return Attempted::refused(StepError::new("not-granted", message), false);
        }
        let options = self.caller.context.options;
        let started = Instant::now();
        let could_not_start = |error: &dyn std::fmt::Display| {
            let message = format!("cannot start a Python process: {error}");
            Attempted::refused(StepError::new("could-not-start", message), true)
        };
        let mut worker = match options.workers.take(self.kind, &self.caller.skill.code).await {
            Ok(worker) => worker,
            Err(error) => return could_not_start(&error),
        };
        let begun = worker.ends.take().ok_or_else(|| io::Error::other("the worker was used before"));
        let begun = begun.and_then(|ends| {
            let most = options.limits.output_bytes.max(options.limits.input_bytes) + REPLY_OVERHEAD;
            let channel = Channel::new(ends.channel, &request, most)?;
            Ok((channel, Outputs::new(ends.stdout, ends.stderr, &options.limits, on_output)?, ends.reply))
        });
        let (mut channel, mut outputs, large) = match begun {
            Ok(begun) => begun,
            Err(error) => return could_not_start(&error),
        };
        let mut watch =
            Watch { worker, refused: None, is_leaving: false, denials: Vec::new(), memory: None, on_denial };
        // What no clock can tell comes from elsewhere: no plan has it.
        let deadline = started + self.timeout.min(Duration::from_secs(MOST_SECONDS));
        let mut calls = Calls::new(self.caller, self.cancel, deadline);
        let clock = tokio::time::sleep(self.timeout);
        tokio::pin!(clock);

        let mut end = 'whole: loop {
            let answer = tokio::select! {
                // What it says last comes before its end.
                biased;
                // Read also while no more may run: a reply may stand behind the calls that wait.
                message = channel.message(), if calls.has_room() => match message {
                    Message::Ready(refused) => {
                        if let Err(error) = watch.listen(refused) {
                            break End::Never(error.to_string());
                        }
                        // It has its request, and works.
                        options.workers.get_ready(self.kind);
                        Vec::new()
                    }
                    Message::Closed => {
                        watch.worker.watch();
                        Vec::new()
                    }
                    Message::Call(call) => {
                        calls.hold(call);
                        Vec::new()
                    }
                    last => break last.into(),
                },
                answer = calls.answer(), if calls.is_waiting() => answer,
                () = outputs.flood() => break End::LogTooLarge,
                gone = watch.gone() => break gone,
                () = &mut clock => break End::TimedOut,
                () = self.cancel.cancelled() => break End::Cancelled,
            };
            let mut answers = vec![answer];
            while let Some(begun) = calls.begin_next() {
                match begun {
                    Begun::Running => {}
                    Begun::Answered(answer) => answers.push(answer),
                    Begun::Denied(answer, denial) => {
                        watch.denied(denial);
                        answers.push(answer);
                    }
                    Begun::Over(what) => break 'whole End::CallsOver(what),
                }
            }
            answers.retain(|answer| !answer.is_empty());
            if answers.iter().any(|answer| channel.send(answer).is_err()) {
                break End::BadReply;
            }
        };
        let latency = started.elapsed();

        let bury = async {
            if matches!(end, End::TimedOut | End::Cancelled) {
                watch.worker.ask_to_end();
                tokio::select! {
                    _ = watch.gone() => {}
                    () = outputs.flood() => {}
                    () = tokio::time::sleep(options.grace) => {}
                }
            }
            let has_left =
                matches!(end, End::Reply(_)) && tokio::time::timeout(LEAVE, watch.left()).await.is_ok();
            if has_left {
                return;
            }
            watch.worker.kill();
            if !matches!(end, End::Silence(_)) && tokio::time::timeout(BURIAL, watch.gone()).await.is_err() {
                watch.worker.abandon_parent();
            }
        };
        tokio::join!(bury, calls.end());
        if watch.is_leaving && latency > LONG {
            // Nothing else may happen for a while that would have the parent look.
            watch.worker.watch();
        }
        // Not before, as it would keep this one from the processors.
        options.workers.fill(self.kind, &watch.worker);
        // Nobody of the worker can write any more, so what is left ends at once; or is there already, where the worker's
        // memory is still being taken away.
        if matches!(end, End::Silence(_))
            && let Ok(Some(message)) = tokio::time::timeout(options.grace, channel.rest()).await
        {
            end = message.into();
        }
        let is_too_large = match watch.is_leaving {
            true => outputs.drain(),
            false => tokio::time::timeout(options.grace, outputs.rest()).await == Ok(true),
        };
        if is_too_large && matches!(end, End::Reply(_) | End::Silence(_)) {
            end = End::LogTooLarge;
        }
        if matches!(&end, End::Reply(reply) if reply.is_empty()) {
            end = read_large(large, options.limits.output_bytes + REPLY_OVERHEAD);
        }
        let (stdout, stderr) = outputs.finish();
        let denials = std::mem::take(&mut watch.denials);
        let Judged { status, output, error, retry } = Judge {
            denials: &denials,
            timeout: self.timeout,
            limits: &options.limits,
            grants: &self.caller.skill.grants,
        }
        .judge(end);
        Attempted { status, output, error, retry, latency, stdout, stderr }
    }

    /// The two messages that a worker begins with: what to run, and the inputs.
    fn request(&self) -> Result<[Vec<u8>; 2], StepError> {
        let Caller { context, skill, .. } = self.caller;
        let (grants, limits) = (&skill.grants, &context.options.limits);
        static PROCESSORS: LazyLock<usize> =
            LazyLock::new(|| available_parallelism().map_or(1, NonZeroUsize::get));
        let request = Request {
            name: &skill.name,
            path: &skill.path,
            code: &skill.code,
            files: &skill.files,
            input_bytes: limits.input_bytes,
            output_bytes: limits.output_bytes,
            environment: environment(context.variables(grants)),
            // The clock ends what takes too long; this ends it even where nobody looks at the clock.
            seconds: self
                .timeout
                .as_secs()
                .saturating_add(1)
                .saturating_mul(*PROCESSORS as u64)
                .saturating_add(1),
        };
        let not_json =
            |error| StepError::new("bad-inputs", format!("the inputs cannot be written as JSON: {error}"));
        let request = serde_json::to_vec(&request).map_err(not_json)?;
        let inputs = serde_json::to_vec(self.inputs).map_err(not_json)?;
        let (size, most) = (inputs.len(), limits.input_bytes);
        if size > most {
            let message = format!("the inputs are {size} bytes of JSON, and {most} is the most");
            return Err(StepError::new("inputs-too-large", message));
        }
        Ok([request, inputs])
    }
}

/// A worker, and what is told of it.
struct Watch<'a> {
    worker: Worker,
    /// Where its calls wait that the kernel refuses.
    refused: Option<Refused>,
    /// Whether all its processes are past anything that a skill could do.
    is_leaving: bool,
    denials: Vec<Denial>,
    /// Bytes, where its processes are being killed for too many.
    memory: Option<u64>,
    on_denial: &'a OnDenial<'a>,
}

impl Watch<'_> {
    fn listen(&mut self, refused: Option<OwnedFd>) -> io::Result<()> {
        if refused.is_none() || !self.worker.leaves_nothing() {
            // Only the parent can tell when it has ended.
            self.worker.watch();
        }
        let Some(refused) = refused else { return Ok(()) };
        let calls = readable(refused)?;
        self.refused = Some(Refused { calls, are_answered: false });
        Ok(())
    }

    /// Ends when nothing of the worker is left.
    async fn gone(&mut self) -> End {
        loop {
            if let Some(end) = self.told().await {
                self.worker.is_gone = true;
                return end;
            }
            if self.is_leaving {
                self.worker.watch();
            }
        }
    }

    /// Ends when nothing of the worker can do anything any more, and all that it was refused is known. What it had may
    /// still be taken away.
    async fn left(&mut self) {
        // As good as always that is so by now, and the runtime would have to be told first.
        self.is_leaving |= self.refused.as_ref().is_some_and(Refused::is_over);
        let patience = tokio::time::sleep(PATIENCE);
        tokio::pin!(patience);
        while !self.is_leaving {
            tokio::select! {
                end = self.told() => if end.is_some() {
                    self.worker.is_gone = true;
                    return;
                },
                () = &mut patience, if !patience.is_elapsed() => self.worker.watch(),
            }
        }
        if !self.worker.leaves_nothing() {
            self.gone().await;
            return;
        }
        self.worker.is_gone = true;
        // The parent tells of a refused call before the worker goes on.
        self.worker.catch_up();
        while let Ok(told) = self.worker.told.try_recv() {
            self.take_in(Some(told));
        }
    }

    /// Waits for one thing that is told; how the worker ended, when that is it.
    async fn told(&mut self) -> Option<End> {
        tokio::select! {
            told = self.worker.told.recv() => self.take_in(told),
            is_over = Refused::next(&mut self.refused), if !self.is_leaving => {
                self.is_leaving = is_over;
                match &self.refused {
                    Some(refused) if !is_over => self.worker.refuse(refused.calls.as_fd()),
                    _ => {}
                }
                None
            }
        }
    }

    fn take_in(&mut self, told: Option<Told>) -> Option<End> {
        match told {
            Some(Told::Ended(status)) => {
                let silence = End::Silence(Some(ExitStatus::from_raw(status)));
                return Some(self.memory.map_or(silence, End::OutOfMemory));
            }
            Some(Told::Failed(why)) => return Some(End::Never(why)),
            // Its processes are killed; that they are gone is told too.
            Some(Told::Memory(bytes)) => self.memory = Some(bytes),
            Some(Told::Denied(call)) => {
                if let Some(denial) = Denial::of_call(call) {
                    self.denied(denial);
                }
            }
            None => return Some(self.memory.map_or(End::Silence(None), End::OutOfMemory)),
        }
        None
    }

    fn denied(&mut self, denial: Denial) {
        if self.denials.len() < MOST_DENIALS {
            (self.on_denial)(&denial);
            self.denials.push(denial);
        }
    }
}

/// The descriptor that the kernel tells refused calls on, and that all which could make any has ended.
struct Refused {
    calls: AsyncFd<OwnedFd>,
    /// Whether the parent has it, and answers.
    are_answered: bool,
}

impl Refused {
    /// Whether there can be no more.
    fn is_over(&self) -> bool {
        let mut calls = [PollFd::new(&self.calls, PollFlags::empty())];
        let found = poll(&mut calls, Some(&Timespec::default()));
        found == Ok(1) && calls[0].revents().contains(PollFlags::HUP)
    }

    /// Ends with the first call, and then when there can be no more; whether it is that.
    async fn next(refused: &mut Option<Self>) -> bool {
        let Some(refused) = refused else { return std::future::pending().await };
        loop {
            let Ok(mut guard) = refused.calls.readable().await else { return std::future::pending().await };
            let is_over = guard.ready().is_read_closed();
            guard.clear_ready();
            if is_over || !refused.are_answered {
                refused.are_answered = true;
                return is_over;
            }
        }
    }
}

/// What a skill finds in its environment.
fn environment(granted: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut environment = granted;
    for (name, value) in [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LANG", "C.UTF-8")] {
        environment.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }
    environment
}

fn read_large(file: OwnedFd, most: usize) -> End {
    let mut file = std::fs::File::from(file);
    let mut bytes = Vec::new();
    match file.rewind().and_then(|()| file.take(most as u64 + 1).read_to_end(&mut bytes)) {
        Ok(size) if size <= most => End::Reply(bytes),
        _ => End::BadReply,
    }
}
