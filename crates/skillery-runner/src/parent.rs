//! The process that workers are forked from, and what it tells of them.
//!
//! The two sides speak in messages over a socket; `python/parent.py` has the words. A thread reads them, so that a worker
//! may wait for its end without a thread of its own. When this side closes, the kernel ends all that the other started.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::filter;
use crate::hosts::{Place, places};
use crate::interpreter::InterpreterError;
use crate::messages::{MESSAGE, receive, send, wait_with_descriptors};
use crate::network::Network;
use crate::policy::Grants;
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
    /// Bytes of a large page, where the kernel gives some to who asks; 0 elsewhere.
    large_page: u64,
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
    /// Nothing of it is left; told to whoever asked. The status as `waitpid` gives it.
    Ended(i32),
    /// There is no worker, and why.
    Failed(String),
    /// The kernel refused a call on purpose.
    Denied(i64),
    /// Its processes together had more memory than granted, and were killed.
    Memory(u64),
}

/// The runner's end of what is said between both.
#[derive(Debug)]
struct Desk {
    control: OwnedFd,
    has_ended: AtomicBool,
    /// None when nothing can come any more.
    open: Mutex<Option<Open>>,
}

#[derive(Debug)]
struct Open {
    /// For the message that comes next.
    buffer: Vec<u8>,
    watchers: HashMap<u64, UnboundedSender<Told>>,
    network: Network,
}

/// A running parent. Dropping it ends it, with all its workers.
#[derive(Debug)]
pub(crate) struct Parent {
    desk: Arc<Desk>,
    next: AtomicU64,
    layers: Layers,
    /// Whether nothing of its workers lasts longer than they can do anything: no other process, no lock on a file that others see,
    /// no connection, no folder that must be removed.
    pub(crate) leave_nothing: bool,
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
        let told = send(&ours, folder, &[]).and_then(|()| send(&ours, &plan, &[]));
        let answer = match told {
            // What it is told is one message, and the kernel takes none that is too large.
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(setup(io::Error::other("so much is granted that it cannot be told")));
            }
            told => told.and_then(|()| wait_with_descriptors(&ours, START_TIMEOUT)),
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
            let _ = send(&asker, b"look 0", &[]);
        };
        let network = Network::start(&kind.grants.hosts, sockets, look).map_err(setup)?;
        let open = Open { buffer: vec![0; MESSAGE], watchers: HashMap::new(), network };
        let desk =
            Arc::new(Desk { control: ours, has_ended: AtomicBool::new(false), open: Mutex::new(Some(open)) });
        std::thread::Builder::new()
            .name("workers".to_owned())
            .spawn({
                let desk = Arc::clone(&desk);
                move || desk.serve(child)
            })
            .map_err(setup)?;
        let layers = Layers { python: hello.version, ..hello.layers };
        let holds = |layer: &str| layers.layers.get(layer) == Some(&serde_json::Value::Bool(true));
        let Grants { write, hosts, subprocess, .. } = &kind.grants;
        let leave_nothing =
            holds("namespaces") && holds("seccomp") && !subprocess && write.is_empty() && hosts.is_empty();
        Ok(Self { desk, next: AtomicU64::new(1), layers, leave_nothing, used: Mutex::default() })
    }

    /// What this kernel enforces on its workers.
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.desk.has_ended.load(Ordering::Acquire)
    }

    /// Has all that the parent has told so far reach those whom it is for.
    pub(crate) fn catch_up(&self) {
        self.desk.read();
    }

    /// Asks for a worker with these descriptors, and does not wait for it.
    pub(crate) fn fork(
        &self,
        descriptors: [BorrowedFd<'_>; 4],
    ) -> io::Result<(u64, UnboundedReceiver<Told>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = unbounded_channel();
        match &mut *self.desk.open() {
            Some(open) => open.watchers.insert(number, tell),
            None => return Err(io::Error::other("the parent of the workers has ended")),
        };
        let sent = send(&self.desk.control, format!("fork {number}").as_bytes(), &descriptors);
        if sent.is_err() {
            self.forget(number);
        }
        sent.map(|()| (number, told))
    }

    /// Has modules that skills use imported once, for the workers to come.
    pub(crate) fn import(&self, modules: impl IntoIterator<Item = &'static str>) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for module in modules {
            if used.insert(module) {
                // Where the parent is gone, nobody needs it.
                let _ = send(&self.desk.control, format!("use {module}").as_bytes(), &[]);
            }
        }
    }

    /// Has the end of a worker told.
    pub(crate) fn watch(&self, number: u64) {
        self.order("watch", number, &[]);
    }

    /// Nobody wants to be told of a worker any more; it has ended, and what it left open is looked for.
    pub(crate) fn forget(&self, number: u64) {
        if let Some(open) = &mut *self.desk.open()
            && open.watchers.remove(&number).is_some()
        {
            open.network.look();
        }
    }

    /// Asks the processes of a worker to end.
    pub(crate) fn ask_to_end(&self, number: u64) {
        self.order("term", number, &[]);
    }

    /// Kills the processes of a worker.
    pub(crate) fn kill(&self, number: u64) {
        self.order("kill", number, &[]);
    }

    /// Has the calls of a worker refused that wait on this descriptor, from now on.
    pub(crate) fn refuse(&self, number: u64, calls: BorrowedFd<'_>) {
        self.order("refuse", number, &[calls]);
    }

    /// Gives it up: it does not do what it is told. Ends it, with all its workers.
    pub(crate) fn abandon(&self) {
        self.desk.has_ended.store(true, Ordering::Release);
        self.desk.close();
    }

    fn order(&self, word: &str, number: u64, descriptors: &[BorrowedFd<'_>]) {
        // Where the parent is gone, so are its workers.
        let _ = send(&self.desk.control, format!("{word} {number}").as_bytes(), descriptors);
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.desk.close();
    }
}

impl Desk {
    fn open(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let _ = shutdown(self.control.as_raw_fd(), Shutdown::Both);
    }

    /// Passes on what comes, until nothing can come any more.
    fn serve(&self, mut child: Child) {
        loop {
            match poll(&mut [PollFd::new(&self.control, PollFlags::IN)], None) {
                Err(error) if error != rustix::io::Errno::INTR => break,
                _ => {}
            }
            if !self.read() {
                break;
            }
        }
        self.has_ended.store(true, Ordering::Release);
        // Whoever waits now waits no longer.
        *self.open() = None;
        let _ = child.kill();
        if let Some(said) = said(&mut child) {
            tracing::debug!(%said, "the parent of the workers has ended");
        }
    }

    /// Passes on what has come; whether more can come. Whoever calls it: the messages keep their order.
    fn read(&self) -> bool {
        let mut open = self.open();
        let Some(open) = &mut *open else { return false };
        let mut buffer = std::mem::take(&mut open.buffer);
        let goes_on = self.read_into(&mut buffer, open);
        open.buffer = buffer;
        goes_on
    }

    fn read_into(&self, buffer: &mut [u8], open: &mut Open) -> bool {
        loop {
            match receive(&self.control, buffer) {
                Ok(message) if !message.is_empty() => {
                    let text = String::from_utf8_lossy(message);
                    if open.pass_on(&text).is_none() {
                        tracing::warn!(message = %text, "the parent of the workers says what nobody understands");
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return false,
            }
        }
    }
}

impl Open {
    /// Tells whoever a message is for; `None` where it is none.
    fn pass_on(&mut self, message: &str) -> Option<()> {
        let mut words = message.splitn(3, ' ');
        let (word, number) = (words.next()?, words.next()?.parse().ok()?);
        let rest = words.next().unwrap_or_default();
        let told = match word {
            "closed" => {
                self.network.close(rest);
                return Some(());
            }
            "ended" => Told::Ended(rest.parse().ok()?),
            "failed" => Told::Failed(rest.to_owned()),
            "denied" => Told::Denied(rest.parse().ok()?),
            "memory" => Told::Memory(rest.parse().ok()?),
            _ => return None,
        };
        let is_last = matches!(told, Told::Ended(_) | Told::Failed(_));
        if is_last {
            self.network.look();
        }
        if let Some(watcher) = self.watchers.get(&number) {
            // Nobody waits for a worker that was given up.
            let _ = watcher.send(told);
        }
        if is_last {
            self.watchers.remove(&number);
        }
        Some(())
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
        large_page: large_page().unwrap_or(0),
        before: hex::encode(filter::before()),
        filter: hex::encode(filter::main(grants.subprocess, !grants.hosts.is_empty())),
        calls: filter::refused().into_keys().collect(),
    };
    serde_json::to_vec(&plan).map_err(|error| error.to_string())
}

/// Other architectures must be told when data becomes code.
fn large_page() -> Option<u64> {
    let setting = |name| std::fs::read_to_string(Path::new("/sys/kernel/mm/transparent_hugepage").join(name));
    let who = setting("enabled").ok()?;
    let is_given = cfg!(target_arch = "x86_64") && (who.contains("[madvise]") || who.contains("[always]"));
    setting("hpage_pmd_size").ok()?.trim().parse().ok().filter(|_| is_given)
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
