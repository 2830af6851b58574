//! Workers that wait: forked and shut in before anybody needs them, used once.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::memfd::{MFdFlags, memfd_create};
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

const MODULES: [(&str, &str); 9] = [
    ("__init__.py", ""),
    ("calls.py", include_str!("python/calls.py")),
    ("kernel.py", include_str!("python/kernel.py")),
    ("memory.py", include_str!("python/memory.py")),
    ("network.py", include_str!("python/network.py")),
    ("parent.py", include_str!("python/parent.py")),
    ("rooms.py", include_str!("python/rooms.py")),
    ("shared.py", include_str!("python/shared.py")),
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
    crews: Mutex<HashMap<Kind, Arc<Crew>>>,
}

/// What workers must have in common to be forked from one parent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    pub(crate) interpreter: PathBuf,
    pub(crate) grants: Grants,
    /// The folder of packages that they have.
    pub(crate) packages: Option<PathBuf>,
    pub(crate) sandbox: Sandbox,
}

#[derive(Debug, Default)]
struct Crew {
    parent: tokio::sync::Mutex<Option<Arc<Parent>>>,
    waiting: Mutex<VecDeque<Worker>>,
}

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
        let waiting = {
            let mut waiting = crew.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // One that came to an end while it waited is of no use.
            waiting.retain_mut(|worker| {
                is_current(worker) && worker.told.is_empty() && !worker.told.is_closed()
            });
            waiting.pop_front()
        };
        let set_up = |error: io::Error| StartError::Sandbox(SandboxError::SetUp(error.to_string()));
        match waiting {
            Some(worker) => {
                crew.fill(&parent);
                Ok(worker)
            }
            // Nothing else is forked before this one has begun: it is waited for already.
            None => Worker::fork(&parent).map_err(set_up),
        }
    }

    /// Has workers forked for the steps that come, from the parent of one that has done its own.
    pub(crate) fn fill(&self, kind: &Kind, done: &Worker) {
        if !done.parent.has_ended() {
            self.crew(kind).fill(&done.parent);
        }
    }

    fn crew(&self, kind: &Kind) -> Arc<Crew> {
        let mut crews = self.inner.crews.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(crews.entry(kind.clone()).or_default())
    }

    async fn parent(&self, kind: &Kind, crew: &Crew) -> Result<Arc<Parent>, StartError> {
        let mut parent = crew.parent.lock().await;
        if let Some(parent) = parent.as_ref().filter(|parent| !parent.has_ended()) {
            return Ok(Arc::clone(parent));
        }
        let set_up = |what: String| StartError::Sandbox(SandboxError::SetUp(what));
        let modules = self.modules().await.map_err(|error| set_up(error.to_string()))?.folder.clone();
        let kind = kind.clone();
        let started = tokio::task::spawn_blocking(move || Parent::start(&kind, &modules));
        let started = Arc::new(started.await.map_err(|error| set_up(error.to_string()))??);
        *parent = Some(Arc::clone(&started));
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

impl Crew {
    fn fill(&self, parent: &Arc<Parent>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.len() < AHEAD {
            // Who comes next tries again, and is told why not.
            let Ok(worker) = Worker::fork(parent) else { break };
            waiting.push_back(worker);
        }
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
    /// Whether nothing of it is left.
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

impl Worker {
    fn fork(parent: &Arc<Parent>) -> io::Result<Self> {
        let (channel, theirs) = std::os::unix::net::UnixStream::pair()?;
        let (stdout, their_stdout) = io::pipe()?;
        let (stderr, their_stderr) = io::pipe()?;
        let reply = memfd_create("reply", MFdFlags::MFD_CLOEXEC)?;
        let descriptors =
            [theirs.as_raw_fd(), their_stdout.as_raw_fd(), their_stderr.as_raw_fd(), reply.as_raw_fd()];
        let (number, told) = parent.fork(descriptors)?;
        let ends = Ends { channel, stdout: stdout.into(), stderr: stderr.into(), reply };
        Ok(Self { number, parent: Arc::clone(parent), told, ends: Some(ends), is_gone: false })
    }

    /// Asks every process of the worker to end.
    pub(crate) fn ask_to_end(&self) {
        self.parent.ask_to_end(self.number);
    }

    /// Gives up the parent of this worker, and all others of it.
    pub(crate) fn abandon_parent(&self) {
        self.parent.abandon();
    }

    /// Kills every process of the worker.
    pub(crate) fn kill(&self) {
        self.parent.kill(self.number);
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.is_gone {
            self.kill();
        }
    }
}
