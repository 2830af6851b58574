//! The process that workers are forked from, and what it tells of them.
//!
//! The two sides speak in messages over a socket; `python/parent.py` has the words. A thread reads them, so that a worker
//! may wait for its end without a thread of its own. When this side closes, the kernel ends all that the other started.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, IoSlice, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, Shutdown, SockFlag, SockType, recvmsg, sendmsg, shutdown,
    socketpair,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::filter;
use crate::hosts::{Place, places};
use crate::interpreter::InterpreterError;
use crate::network::{Network, receive_with_sockets};
use crate::sandbox::{Layers, Sandbox, SandboxError, StartError};
use crate::workers::Kind;

/// The first message is the folder of the modules: what stands in the arguments, workers could read.
const START: &str = "\
import sys, _socket
control = _socket.socket(fileno=0)
sys.path.insert(0, control.recv(4096).decode())
control.detach()
from skillery_runner import parent
del sys.path[0], control
parent.main()";
/// How long an interpreter may take to start; one that hangs is not one.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// Longer than any message of the parent.
const MESSAGE: usize = 64 * 1024;
/// Open files, processes with their threads, and bytes in a file, of one worker.
const FILES: u64 = 256;
const PROCESSES: u64 = 64;
const FILE_BYTES: u64 = 64 * 1024 * 1024;
const SCRATCH_BYTES: u64 = 64 * 1024 * 1024;
const BUNDLE_BYTES: u64 = 64 * 1024 * 1024;

/// What the parent is told first.
#[derive(Serialize)]
struct Plan<'a> {
    uid: u32,
    gid: u32,
    reads: Vec<&'a PathBuf>,
    writes: &'a [PathBuf],
    packages: Vec<&'a PathBuf>,
    hosts: Vec<Place>,
    subprocess: bool,
    memory: u64,
    /// What a worker may have of each, by the kernel's names.
    limits: BTreeMap<&'static str, u64>,
    scratch_bytes: u64,
    bundle_bytes: u64,
    namespaces: bool,
    landlock: bool,
    seccomp: bool,
    weaker: bool,
    landlock_floor: u32,
    before: String,
    filter: String,
    calls: Vec<i64>,
}

#[derive(Deserialize)]
struct Hello {
    version: String,
    layers: Layers,
}

/// What is told of one worker.
#[derive(Debug)]
pub(crate) enum Told {
    /// Nothing of it is left. The status as `waitpid` gives it.
    Ended(i32),
    /// There is no worker, and why.
    Failed(String),
    /// The kernel refused a call on purpose.
    Denied(i64),
    /// Its processes together had more memory than granted, and were killed.
    Memory(u64),
}

type Watchers = Arc<Mutex<Option<HashMap<u64, UnboundedSender<Told>>>>>;

/// A running parent. Dropping it ends it, with all its workers.
#[derive(Debug)]
pub(crate) struct Parent {
    control: OwnedFd,
    watchers: Watchers,
    next: AtomicU64,
    has_ended: Arc<AtomicBool>,
    layers: Layers,
    /// Modules that it was told to import.
    used: Mutex<HashSet<&'static str>>,
}

impl Parent {
    /// Starts one and waits until it is ready. `modules` is the folder that the Python side lies in. Blocks, in a runtime,
    /// which then carries what its workers say to hosts.
    pub(crate) fn start(kind: &Kind, modules: &Path) -> Result<Self, StartError> {
        let path = || kind.interpreter.clone();
        let not_python =
            |what: String| StartError::Interpreter(InterpreterError::NotPython { path: path(), what });
        let setup = |error: io::Error| StartError::Sandbox(SandboxError::SetUp(error.to_string()));
        let plan = plan(kind).map_err(|error| setup(io::Error::other(error)))?;
        let whole = SockType::SeqPacket;
        let (ours, theirs) = socketpair(AddressFamily::Unix, whole, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|error| setup(error.into()))?;
        let mut child = Command::new(&kind.interpreter)
            .args(["-I", "-S", "-X", "utf8", "-c", START])
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .current_dir("/")
            // Ctrl-C on a terminal is for the runner, which asks the workers to end.
            .process_group(0)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| InterpreterError::NotFound { path: path(), source })?;
        let folder = modules.as_os_str().as_encoded_bytes();
        let told = send(ours.as_fd(), folder, &[]).and_then(|()| send(ours.as_fd(), &plan, &[]));
        let answer = match told {
            // What it is told is one message, and the kernel takes none that is too large.
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(setup(io::Error::other("so much is granted that it cannot be told")));
            }
            told => told.and_then(|()| receive_with_sockets(&ours, START_TIMEOUT, MESSAGE)),
        };
        let (hello, sockets) = match answer {
            Ok((text, sockets)) if !text.is_empty() => (String::from_utf8_lossy(&text).into_owned(), sockets),
            _ => {
                let _ = child.kill();
                let what = said(&mut child).unwrap_or_else(|| "it does not answer".to_owned());
                return Err(not_python(what));
            }
        };
        if let Some(why) = hello.strip_prefix("refused ") {
            let _ = child.wait();
            return Err(match why.split_once(' ') {
                Some(("old", version)) => {
                    InterpreterError::TooOld { path: path(), version: version.to_owned() }.into()
                }
                Some(("grant", why)) => SandboxError::Grant(why.to_owned()).into(),
                _ => SandboxError::Refused(why.to_owned()).into(),
            });
        }
        let text = hello.strip_prefix("hello ").unwrap_or_default();
        let hello: Hello = serde_json::from_str(text).map_err(|error| not_python(error.to_string()))?;
        let asker = ours.try_clone().map_err(setup)?;
        let look = move || {
            // Where the parent is gone, so are the connections.
            let _ = send(asker.as_fd(), b"look 0", &[]);
        };
        let network = Network::start(&kind.grants.hosts, sockets, look).map_err(setup)?;
        let (watchers, has_ended) = (Watchers::default(), Arc::new(AtomicBool::new(false)));
        *watchers.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashMap::new());
        let reader = ours.try_clone().map_err(setup)?;
        std::thread::Builder::new()
            .name("workers".to_owned())
            .spawn({
                let (watchers, has_ended) = (Arc::clone(&watchers), Arc::clone(&has_ended));
                move || read(&reader, &watchers, &has_ended, &network, child)
            })
            .map_err(setup)?;
        let layers = Layers { python: hello.version, ..hello.layers };
        let (next, used) = (AtomicU64::new(1), Mutex::default());
        Ok(Self { control: ours, watchers, next, has_ended, layers, used })
    }

    /// What this kernel enforces on its workers.
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Asks for a worker with these descriptors, and does not wait for it.
    pub(crate) fn fork(&self, descriptors: [RawFd; 4]) -> io::Result<(u64, UnboundedReceiver<Told>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = unbounded_channel();
        match &mut *self.watchers.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(watchers) => watchers.insert(number, tell),
            None => return Err(io::Error::other("the parent of the workers has ended")),
        };
        send(self.control.as_fd(), format!("fork {number}").as_bytes(), &descriptors)?;
        Ok((number, told))
    }

    /// Has modules that skills use imported once, for the workers to come.
    pub(crate) fn import(&self, modules: impl IntoIterator<Item = &'static str>) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for module in modules {
            if used.insert(module) {
                // Where the parent is gone, nobody needs it.
                let _ = send(self.control.as_fd(), format!("use {module}").as_bytes(), &[]);
            }
        }
    }

    /// Asks the processes of a worker to end.
    pub(crate) fn ask_to_end(&self, number: u64) {
        self.order("term", number);
    }

    /// Kills the processes of a worker.
    pub(crate) fn kill(&self, number: u64) {
        self.order("kill", number);
    }

    /// Gives it up: it does not do what it is told. Ends it, with all its workers.
    pub(crate) fn abandon(&self) {
        self.has_ended.store(true, Ordering::Release);
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Both);
    }

    fn order(&self, word: &str, number: u64) {
        // Where the parent is gone, so are its workers.
        let _ = send(self.control.as_fd(), format!("{word} {number}").as_bytes(), &[]);
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Both);
    }
}

fn plan(kind: &Kind) -> Result<Vec<u8>, String> {
    let Kind { grants, packages, sandbox, .. } = kind;
    let plan = Plan {
        uid: sandbox.uid,
        gid: sandbox.gid,
        reads: grants.read.iter().chain(packages).collect(),
        writes: &grants.write,
        packages: packages.iter().collect(),
        hosts: places(&grants.hosts),
        subprocess: grants.subprocess,
        memory: grants.memory_bytes,
        limits: BTreeMap::from([
            ("AS", grants.memory_bytes),
            ("NPROC", PROCESSES),
            ("FSIZE", FILE_BYTES),
            ("NOFILE", FILES),
            ("CORE", 0),
            ("MEMLOCK", 0),
            ("MSGQUEUE", 0),
        ]),
        scratch_bytes: SCRATCH_BYTES,
        bundle_bytes: BUNDLE_BYTES,
        namespaces: sandbox.namespaces,
        landlock: sandbox.landlock,
        seccomp: sandbox.seccomp,
        weaker: sandbox.allow_weaker,
        landlock_floor: Sandbox::LANDLOCK_FLOOR,
        before: hex::encode(filter::before()),
        filter: hex::encode(filter::main(grants.subprocess, !grants.hosts.is_empty())),
        calls: filter::refused().into_keys().collect(),
    };
    serde_json::to_vec(&plan).map_err(|error| error.to_string())
}

/// The end of what a process that did not begin wrote to its standard error.
fn said(child: &mut Child) -> Option<String> {
    let mut text = Vec::new();
    child.stderr.take()?.take(MESSAGE as u64).read_to_end(&mut text).ok()?;
    let status = child.wait().ok()?;
    let text = String::from_utf8_lossy(&text);
    Some(match text.trim().lines().last() {
        Some(line) => format!("{status}: {line}"),
        None => status.to_string(),
    })
}

fn send(control: BorrowedFd<'_>, message: &[u8], descriptors: &[RawFd]) -> io::Result<()> {
    let rights = [ControlMessage::ScmRights(descriptors)];
    let rights = if descriptors.is_empty() { &[][..] } else { &rights };
    sendmsg::<()>(
        control.as_raw_fd(),
        &[IoSlice::new(message)],
        rights,
        MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT,
        None,
    )?;
    Ok(())
}

/// One message; empty at the end.
fn receive(control: &OwnedFd) -> io::Result<Vec<u8>> {
    let mut message = vec![0; MESSAGE];
    let count = loop {
        let mut pieces = [IoSliceMut::new(&mut message)];
        match recvmsg::<()>(control.as_raw_fd(), &mut pieces, None, MsgFlags::empty()) {
            Err(nix::errno::Errno::EINTR) => {}
            received => break received?.bytes,
        }
    };
    message.truncate(count);
    Ok(message)
}

/// Tells the watchers what comes, until nothing can come any more.
fn read(control: &OwnedFd, watchers: &Watchers, has_ended: &AtomicBool, network: &Network, mut child: Child) {
    loop {
        let message = match receive(control) {
            Ok(message) if !message.is_empty() => message,
            _ => break,
        };
        let text = String::from_utf8_lossy(&message);
        let mut words = text.splitn(3, ' ');
        let (Some(word), Some(Ok(number))) = (words.next(), words.next().map(str::parse::<u64>)) else {
            break;
        };
        let rest = words.next().unwrap_or_default();
        if word == "closed" {
            network.close(rest);
            continue;
        }
        let told = match word {
            "ended" => rest.parse().map(Told::Ended).ok(),
            "failed" => Some(Told::Failed(rest.to_owned())),
            "denied" => rest.parse().map(Told::Denied).ok(),
            "memory" => rest.parse().map(Told::Memory).ok(),
            _ => None,
        };
        let Some(told) = told else {
            tracing::warn!(message = %text, "the parent of the workers says what nobody understands");
            break;
        };
        let is_last = matches!(told, Told::Ended(_) | Told::Failed(_));
        if is_last {
            network.look();
        }
        if let Some(watchers) = &mut *watchers.lock().unwrap_or_else(PoisonError::into_inner) {
            if let Some(watcher) = watchers.get(&number) {
                // Nobody waits for a worker that was given up.
                let _ = watcher.send(told);
            }
            if is_last {
                watchers.remove(&number);
            }
        }
    }
    has_ended.store(true, Ordering::Release);
    // Whoever waits now waits no longer.
    *watchers.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let _ = child.kill();
    if let Some(said) = said(&mut child) {
        tracing::debug!(%said, "the parent of the workers has ended");
    }
}
