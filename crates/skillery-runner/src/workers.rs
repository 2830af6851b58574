//! Workers that wait: forked and shut in before anybody needs them, used once.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::memfd::{MFdFlags, memfd_create};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::OnceCell;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::interpreter::Interpreter;
use crate::parent::{Parent, Told};
use crate::policy::Grants;
use crate::run::RunError;
use crate::sandbox::{Layers, Sandbox, SandboxError, StartError};
use crate::usual;

/// Workers that wait in each parent.
const AHEAD: usize = 2;
/// Parents that are kept, beside those that are in use.
const CREWS: usize = 16;

const MODULES: [(&str, &str); 10] = [
    ("__init__.py", ""),
    ("calls.py", include_str!("python/calls.py")),
    ("kernel.py", include_str!("python/kernel.py")),
    ("memory.py", include_str!("python/memory.py")),
    ("network.py", include_str!("python/network.py")),
    ("parent.py", include_str!("python/parent.py")),
    ("rooms.py", include_str!("python/rooms.py")),
    ("shared.py", include_str!("python/shared.py")),
    ("supervisor.py", include_str!("python/supervisor.py")),
    ("worker.py", include_str!("python/worker.py")),
];

/// Parents of workers, one for each interpreter and what its skills are granted. Clones share them. They end when the
/// last clone is dropped.
#[derive(Debug, Clone, Default)]
pub struct Workers {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    cache: Option<PathBuf>,
    modules: OnceCell<Modules>,
    crews: Mutex<Crews>,
}

#[derive(Debug, Default)]
struct Crews {
    /// With the number of the use that was its last.
    by_kind: HashMap<Kind, (u64, Arc<Crew>)>,
    uses: u64,
}

/// What workers must have in common to be forked from one parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) interpreter: PathBuf,
    /// Without what a worker is only told when it begins.
    pub(crate) grants: Grants,
    /// The folder of packages that they have.
    pub(crate) packages: Option<PathBuf>,
    pub(crate) sandbox: Sandbox,
}

#[derive(Debug, Default)]
struct Crew {
    parent: tokio::sync::Mutex<Option<Started>>,
    waiting: Mutex<VecDeque<Worker>>,
    /// For the worker that is forked next.
    pipes: Mutex<Option<Pipes>>,
}

#[derive(Debug)]
struct Started {
    parent: Arc<Parent>,
    /// What the granted paths led to then. The parent shows that for ever, whatever is put in its place.
    places: Vec<Place>,
}

/// Device and number of a file or folder; none for what is not there.
type Place = Option<(u64, u64)>;

#[derive(Debug)]
struct Modules {
    folder: PathBuf,
    /// Removed with the last of the workers, where nothing is kept.
    _temporary: Option<tempfile::TempDir>,
}

impl Workers {
    /// Workers whose Python side is kept, compiled, in a folder that only this user may write to. Without one it is
    /// compiled at each start.
    pub fn with_cache(folder: impl Into<PathBuf>) -> Self {
        Self { inner: Arc::new(Inner { cache: Some(folder.into()), ..Inner::default() }) }
    }

    /// Starts what workers with these grants are forked from, as a run would, and tells what keeps them in.
    pub async fn probe(&self, interpreter: &Interpreter, sandbox: &Sandbox) -> Result<Layers, RunError> {
        let kind = Kind {
            interpreter: interpreter.path().to_owned(),
            grants: Grants::default(),
            packages: None,
            sandbox: sandbox.clone(),
        };
        Ok(self.prepare(&kind).await?)
    }

    /// Starts the parent, where there is none yet, and tells what holds.
    pub(crate) async fn prepare(&self, kind: &Kind) -> Result<Layers, StartError> {
        let crew = self.crew(kind);
        Ok(self.parent(kind, &crew).await?.layers().clone())
    }

    /// A worker that waits for this skill, and has another forked for the one that comes next.
    pub(crate) async fn take(&self, kind: &Kind, code: &str) -> Result<Worker, StartError> {
        let crew = self.crew(kind);
        let parent = self.parent(kind, &crew).await?;
        parent.import(usual::used_in(code));
        let is_current = |worker: &Worker| Arc::ptr_eq(&worker.parent, &parent);
        let (waiting, more) = {
            let mut waiting = crew.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // One that came to an end while it waited is of no use.
            waiting.retain_mut(|worker| is_current(worker) && worker.is_good());
            (waiting.pop_front(), waiting.len())
        };
        let set_up = |error: io::Error| StartError::Sandbox(SandboxError::SetUp(error.to_string()));
        match waiting {
            Some(worker) => {
                // Where another waits, what is forked next does not keep this one from the processors.
                if more == 0 {
                    crew.fill(&parent);
                }
                Ok(worker)
            }
            // Nothing else is forked before this one has begun: it is waited for already.
            None => crew.fork(&parent).map_err(set_up),
        }
    }

    /// Has workers forked for the steps that come, from the parent of one that has replied.
    pub(crate) fn fill(&self, kind: &Kind, done: &Worker) {
        if !done.parent.has_ended() {
            self.crew(kind).fill(&done.parent);
        }
    }

    /// Makes what the worker needs that is forked next: while a step runs, there is time for that.
    pub(crate) fn get_ready(&self, kind: &Kind) {
        let crew = self.crew(kind);
        let mut pipes = crew.pipes.lock().unwrap_or_else(PoisonError::into_inner);
        if pipes.is_none() {
            // Who forks tries again, and is told why not.
            *pipes = Pipes::new().ok();
        }
    }

    fn crew(&self, kind: &Kind) -> Arc<Crew> {
        let mut crews = self.inner.crews.lock().unwrap_or_else(PoisonError::into_inner);
        crews.uses += 1;
        let uses = crews.uses;
        let (last, crew) = crews.by_kind.entry(kind.clone()).or_default();
        *last = uses;
        let crew = Arc::clone(crew);
        let gone = crews.shrink();
        drop(crews);
        // Its parent ends here.
        drop(gone);
        crew
    }

    async fn parent(&self, kind: &Kind, crew: &Crew) -> Result<Arc<Parent>, StartError> {
        let mut current = crew.parent.lock().await;
        let places = kind.places();
        let is_good = |started: &&Started| !started.parent.has_ended() && started.places == places;
        if let Some(started) = current.as_ref().filter(is_good) {
            return Ok(Arc::clone(&started.parent));
        }
        // One that shows what is there no more ends with the last worker that it has.
        let set_up = |what: String| StartError::Sandbox(SandboxError::SetUp(what));
        let modules = self.modules().await.map_err(|error| set_up(error.to_string()))?.folder.clone();
        let kind = kind.clone();
        let started = tokio::task::spawn_blocking(move || Parent::start(&kind, &modules));
        let started = Arc::new(started.await.map_err(|error| set_up(error.to_string()))??);
        *current = Some(Started { parent: Arc::clone(&started), places });
        Ok(started)
    }

    async fn modules(&self) -> io::Result<&Modules> {
        let cache = self.inner.cache.clone();
        let write = async || {
            tokio::task::spawn_blocking(move || Modules::write(cache.as_deref()))
                .await
                .map_err(io::Error::other)?
        };
        self.inner.modules.get_or_try_init(write).await
    }
}

impl Kind {
    /// What the granted paths lead to now.
    fn places(&self) -> Vec<Place> {
        let paths = self.grants.read.iter().chain(&self.grants.write).chain(&self.packages);
        paths.map(|path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))).collect()
    }
}

impl Crews {
    /// Takes out those that were not used for the longest time, where there are too many and nobody uses them.
    fn shrink(&mut self) -> Vec<Arc<Crew>> {
        let mut gone = Vec::new();
        while self.by_kind.len() > CREWS {
            let unused = self.by_kind.iter().filter(|(_, (_, crew))| Crew::is_idle(crew));
            let oldest = unused.min_by_key(|(_, (last, _))| *last).map(|(kind, _)| kind.clone());
            let Some((_, crew)) = oldest.and_then(|kind| self.by_kind.remove(&kind)) else { break };
            gone.push(crew);
        }
        gone
    }
}

impl Crew {
    /// Whether nobody waits for its parent, and all its workers wait.
    fn is_idle(crew: &Arc<Self>) -> bool {
        let waiting = crew.waiting.lock().unwrap_or_else(PoisonError::into_inner).len();
        let is_idle = |started: &Started| Arc::strong_count(&started.parent) <= 1 + waiting;
        Arc::strong_count(crew) == 1
            && crew.parent.try_lock().is_ok_and(|parent| parent.as_ref().is_none_or(is_idle))
    }

    fn fill(&self, parent: &Arc<Parent>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.len() < AHEAD {
            // Who comes next tries again, and is told why not.
            let Ok(worker) = self.fork(parent) else { break };
            waiting.push_back(worker);
        }
    }

    fn fork(&self, parent: &Arc<Parent>) -> io::Result<Worker> {
        let ready = self.pipes.lock().unwrap_or_else(PoisonError::into_inner).take();
        Worker::fork(parent, ready.map_or_else(Pipes::new, Ok)?)
    }
}

impl Modules {
    fn write(cache: Option<&Path>) -> io::Result<Self> {
        let Some(cache) = cache else {
            let temporary = tempfile::Builder::new().prefix("skillery-runner-").tempdir()?;
            Self::write_to(temporary.path())?;
            return Ok(Self { folder: temporary.path().to_owned(), _temporary: Some(temporary) });
        };
        // Its name holds what is in it, so that what is there is never changed.
        let all: String = MODULES.iter().map(|(_, text)| *text).collect();
        let folder = cache.join(format!("runner-{}", skillery_core::Digest::of(all.as_bytes())));
        if !folder.join("skillery_runner").is_dir() {
            std::fs::create_dir_all(cache)?;
            let new = tempfile::Builder::new().prefix("runner-new-").tempdir_in(cache)?;
            Self::write_to(new.path())?;
            // Another process may have been faster, with the same.
            if let Err(error) = std::fs::rename(new.path(), &folder)
                && !folder.is_dir()
            {
                return Err(error);
            }
        }
        Ok(Self { folder, _temporary: None })
    }

    fn write_to(folder: &Path) -> io::Result<()> {
        let package = folder.join("skillery_runner");
        std::fs::create_dir(&package)?;
        MODULES.iter().try_for_each(|(name, text)| std::fs::write(package.join(name), text))
    }
}

/// One worker: a process, or the promise of one. Dropping it kills what there is.
#[derive(Debug)]
pub(crate) struct Worker {
    number: u64,
    parent: Arc<Parent>,
    pub(crate) told: UnboundedReceiver<Told>,
    /// The other ends of what the worker has; taken by whoever uses it.
    pub(crate) ends: Option<Ends>,
    /// Whether nothing of it is left that could do anything.
    pub(crate) is_gone: bool,
}

/// What leads to and from a worker.
#[derive(Debug)]
pub(crate) struct Ends {
    pub(crate) channel: std::os::unix::net::UnixStream,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
    /// Where a large reply is written.
    pub(crate) reply: OwnedFd,
}

/// What leads to and from a worker, with the ends that are the worker's.
#[derive(Debug)]
struct Pipes {
    ours: Ends,
    channel: std::os::unix::net::UnixStream,
    stdout: io::PipeWriter,
    stderr: io::PipeWriter,
}

impl Pipes {
    fn new() -> io::Result<Self> {
        let (ours, channel) = std::os::unix::net::UnixStream::pair()?;
        let (our_stdout, stdout) = io::pipe()?;
        let (our_stderr, stderr) = io::pipe()?;
        let reply = memfd_create("reply", MFdFlags::MFD_CLOEXEC)?;
        let ours = Ends { channel: ours, stdout: our_stdout.into(), stderr: our_stderr.into(), reply };
        Ok(Self { ours, channel, stdout, stderr })
    }
}

impl Worker {
    fn fork(parent: &Arc<Parent>, pipes: Pipes) -> io::Result<Self> {
        let Pipes { ours: ends, channel, stdout, stderr } = pipes;
        let descriptors = [channel.as_fd(), stdout.as_fd(), stderr.as_fd(), ends.reply.as_fd()];
        let (number, told) = parent.fork(descriptors)?;
        Ok(Self { number, parent: Arc::clone(parent), told, ends: Some(ends), is_gone: false })
    }

    /// Whether it is still there.
    fn is_good(&self) -> bool {
        let Some(ends) = &self.ends else { return false };
        let mut channel = [PollFd::new(&ends.channel, PollFlags::RDHUP)];
        let is_open = poll(&mut channel, Some(&Timespec::default())) == Ok(0);
        is_open && self.told.is_empty() && !self.told.is_closed()
    }

    /// Has its end told, which may have come.
    pub(crate) fn watch(&self) {
        self.parent.watch(self.number);
    }

    /// Asks every process of the worker to end.
    pub(crate) fn ask_to_end(&self) {
        self.parent.ask_to_end(self.number);
    }

    /// Gives up the parent of this worker, and all others of it.
    pub(crate) fn abandon_parent(&self) {
        self.parent.abandon();
    }

    /// Whether nothing of it lasts longer than it can do anything.
    pub(crate) fn leaves_nothing(&self) -> bool {
        self.parent.leave_nothing
    }

    /// Has its calls refused that wait on this descriptor, from now on.
    pub(crate) fn refuse(&self, calls: BorrowedFd<'_>) {
        self.parent.refuse(self.number, calls);
    }

    /// Has all that the parent has told so far reach [`told`](Self::told).
    pub(crate) fn catch_up(&self) {
        self.parent.catch_up();
    }

    /// Kills every process of the worker.
    pub(crate) fn kill(&self) {
        self.parent.kill(self.number);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.is_gone {
            self.parent.forget(self.number);
        } else {
            self.kill();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn parents_that_nobody_uses_end_when_there_are_many() {
        let workers = Workers::default();
        let interpreter = Interpreter::discover().await.unwrap();
        let kind = |number: u64| Kind {
            interpreter: interpreter.path().to_owned(),
            grants: Grants { memory_bytes: Grants::default().memory_bytes + number, ..Grants::default() },
            packages: None,
            sandbox: Sandbox { allow_weaker: true, ..Sandbox::default() },
        };
        workers.prepare(&kind(0)).await.unwrap();
        // In use, so it stays although it is the oldest.
        let used = workers.take(&kind(0), "").await.unwrap();
        for number in 1..=CREWS as u64 + 2 {
            workers.prepare(&kind(number)).await.unwrap();
        }
        let kept: Vec<u64> = {
            let crews = workers.inner.crews.lock().unwrap();
            (0..=CREWS as u64 + 2).filter(|number| crews.by_kind.contains_key(&kind(*number))).collect()
        };
        let expected: Vec<u64> = std::iter::once(0).chain(4..=CREWS as u64 + 2).collect();
        assert_eq!(kept, expected);
        assert!(!used.parent.has_ended());
    }
}
