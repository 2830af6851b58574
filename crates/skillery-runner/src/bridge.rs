//! The way to other machines: a process of ours in Python, which speaks the cluster's language. Lines of JSON go to it and come
//! from it; `dask_bridge.py` in the Python package is the other end. It ends with the run.

use std::collections::{BTreeMap, HashMap};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::elsewhere::{Answer, Payload, Probed, VERSION};
use crate::executor::{Cluster, ExecutorError};
use crate::outcome::{Status, StepError};
use crate::run::Context;
use crate::sandbox::{Layers, Sandbox};
use crate::step::{Attempted, StepRun};

const MODULE: &str = "orchestrator.execution.dask_bridge";
/// How long it may take until the cluster is known; the bridge itself gives up before.
const START: Duration = Duration::from_secs(60);
/// How long a cancelled attempt may take to say so, beside the grace of its process.
const FAREWELL: Duration = Duration::from_secs(10);
/// Of what the bridge writes to its standard error, the end that is kept.
const COMPLAINT: usize = 8 * 1024;

/// What the bridge is told.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Order<'a> {
    Probe(&'a Sandbox),
    Cancel(u64),
    #[serde(untagged)]
    Attempt {
        id: u64,
        attempt: &'a Payload,
    },
}

/// What the bridge says first.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Greeting {
    Hello(Known),
    /// The scheduler cannot be reached.
    Unreachable(String),
    /// It cannot be begun.
    Broken(String),
}

#[derive(Deserialize)]
struct Known {
    version: String,
    workers: BTreeMap<String, KnownWorker>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum KnownWorker {
    Fine { version: String, sandbox: Probed },
    Broken { error: String },
}

/// What the bridge says of an attempt.
#[derive(Deserialize)]
struct Said {
    id: u64,
    attempted: Option<Answer>,
    /// There is no answer, and why.
    lost: Option<String>,
}

/// Attempts that are under way. None are when the bridge has ended.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Said>>>>>;

/// A running bridge. Dropping it ends it, and all that runs for it.
pub(crate) struct Bridge {
    orders: mpsc::UnboundedSender<Vec<u8>>,
    waiting: Waiting,
    next: AtomicU64,
    layers: Layers,
    _tasks: JoinSet<()>,
}

impl Bridge {
    /// Starts it, and sees to it that the cluster can run skills.
    pub(crate) async fn start(cluster: &Cluster, sandbox: &Sandbox) -> Result<Self, ExecutorError> {
        let broken = |what: String| ExecutorError::Bridge {
            python: cluster.python.path().display().to_string(),
            what,
        };
        let mut command = Command::new(cluster.python.path());
        // Ctrl-C on a terminal is for the runner, which cancels what runs.
        #[cfg(unix)]
        command.process_group(0);
        let mut child = command
            .args(["-m", MODULE, cluster.scheduler.as_str()])
            // What lies in the working folder of the caller is not to be imported.
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| broken(error.to_string()))?;
        let (Some(mut stdin), Some(stdout), Some(mut stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(broken("it has no input and outputs".to_owned()));
        };
        let mut tasks = JoinSet::new();
        let complaint = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&complaint);
        tasks.spawn(async move {
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = stderr.read(&mut piece).await {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&piece[..count]);
                let surplus = kept.len().saturating_sub(COMPLAINT);
                kept.drain(..surplus);
            }
        });
        let (orders, mut ordered) = mpsc::unbounded_channel::<Vec<u8>>();
        tasks.spawn(async move {
            while let Some(line) = ordered.recv().await {
                if stdin.write_all(&line).await.is_err() {
                    break;
                }
            }
        });
        let mut lines = BufReader::new(stdout);
        order(&orders, &Order::Probe(sandbox));
        let hello = tokio::time::timeout(START, read::<Greeting>(&mut lines)).await;
        let known = match hello {
            Ok(Some(Greeting::Hello(known))) => known,
            Ok(Some(Greeting::Unreachable(what))) => {
                return Err(ExecutorError::Unreachable {
                    scheduler: cluster.scheduler.as_str().to_owned(),
                    what,
                });
            }
            Ok(Some(Greeting::Broken(what))) => return Err(broken(what)),
            Ok(None) => return Err(broken(last_words(&mut child, &mut tasks, &complaint).await)),
            Err(_) => return Err(broken(format!("it says nothing for {} s", START.as_secs()))),
        };
        let layers = checked(cluster, known)?;
        let waiting = Waiting::default();
        *waiting.lock().unwrap_or_else(PoisonError::into_inner) = Some(HashMap::new());
        tasks.spawn(hear(lines, child, Arc::clone(&waiting)));
        Ok(Self { orders, waiting, next: AtomicU64::new(1), layers, _tasks: tasks })
    }

    /// What keeps skills in on the workers, as far as it holds on all of them that run any.
    pub(crate) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Makes an attempt on one of the machines.
    pub(crate) async fn attempt(&self, context: &Context<'_>, step: &StepRun<'_>) -> Attempted {
        let lost = |why: &str| {
            let message = format!("the attempt on another machine was lost: {why}");
            Attempted::refused(StepError::new("lost", message), true)
        };
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, mut told) = oneshot::channel();
        match &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waiting) => waiting.insert(id, tell),
            None => return lost("the bridge to Dask has ended"),
        };
        let under_way = UnderWay { bridge: self, id };
        order(&self.orders, &Order::Attempt { id, attempt: &Payload::of(context, step) });
        let cancel = &context.options.cancel;
        let said = tokio::select! {
            said = &mut told => said,
            () = cancel.cancelled() => {
                order(&self.orders, &Order::Cancel(id));
                match tokio::time::timeout(context.options.grace + FAREWELL, told).await {
                    Ok(said) => said,
                    Err(_) => return cancelled(),
                }
            }
        };
        drop(under_way);
        match said {
            Ok(Said { attempted: Some(Answer { attempted, events }), .. }) => {
                events.into_iter().for_each(|event| context.tell(event));
                attempted
            }
            _ if cancel.is_cancelled() => cancelled(),
            Ok(Said { lost: why, .. }) => lost(why.as_deref().unwrap_or("nobody knows why")),
            Err(_) => lost("the bridge to Dask has ended"),
        }
    }
}

/// An attempt whose answer is still to come. Dropping it ends the attempt.
struct UnderWay<'a> {
    bridge: &'a Bridge,
    id: u64,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut waiting = self.bridge.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.as_mut().is_some_and(|waiting| waiting.remove(&self.id).is_some()) {
            order(&self.bridge.orders, &Order::Cancel(self.id));
        }
    }
}

fn cancelled() -> Attempted {
    let error = StepError::new("cancelled", "the run was cancelled, and the skill was killed");
    Attempted { status: Status::Cancelled, ..Attempted::refused(error, false) }
}

fn order(orders: &mpsc::UnboundedSender<Vec<u8>>, order: &Order<'_>) {
    // Texts, numbers and JSON values can all be written, and who has ended waits for no orders.
    let mut line = serde_json::to_vec(order).unwrap_or_default();
    line.push(b'\n');
    let _ = orders.send(line);
}

/// What the cluster's machines have in common; an error where one of them does not fit.
fn checked(cluster: &Cluster, known: Known) -> Result<Layers, ExecutorError> {
    let version = |place: String, theirs: String| {
        Err(ExecutorError::Version { place, theirs, ours: VERSION.to_owned() })
    };
    if known.version != VERSION {
        return version(format!("`{}`", cluster.python.path().display()), known.version);
    }
    if known.workers.is_empty() {
        return Err(ExecutorError::NoWorkers(cluster.scheduler.as_str().to_owned()));
    }
    let mut common: Option<Layers> = None;
    for (worker, known) in known.workers {
        let sandbox = match known {
            KnownWorker::Fine { version, sandbox } if version == VERSION => sandbox,
            KnownWorker::Fine { version: theirs, .. } => {
                return version(format!("the Dask worker `{worker}`"), theirs);
            }
            KnownWorker::Broken { error: what } => return Err(ExecutorError::Worker { worker, what }),
        };
        match sandbox.layers {
            Some(layers) => {
                common = Some(match common {
                    Some(common) => common.and(layers),
                    None => layers,
                });
            }
            // What is run there will say so.
            None => tracing::warn!(%worker, why = ?sandbox.refused, "a Dask worker runs no skills"),
        }
    }
    Ok(common.unwrap_or_default())
}

async fn read<T: serde::de::DeserializeOwned>(lines: &mut BufReader<ChildStdout>) -> Option<T> {
    let mut line = Vec::new();
    match lines.read_until(b'\n', &mut line).await {
        Ok(1..) => serde_json::from_slice(&line)
            .inspect_err(|error| tracing::warn!(%error, "the bridge to Dask says what nobody understands"))
            .ok(),
        _ => None,
    }
}

/// Passes on what the bridge says, until it ends.
async fn hear(mut lines: BufReader<ChildStdout>, _child: Child, waiting: Waiting) {
    while let Some(said) = read::<Said>(&mut lines).await {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tell) = waiting.as_mut().and_then(|waiting| waiting.remove(&said.id)) {
            // Nobody waits for an attempt that was given up.
            let _ = tell.send(said);
        }
    }
    // Whoever waits now waits no longer.
    *waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Why a bridge that has ended did.
async fn last_words(child: &mut Child, tasks: &mut JoinSet<()>, complaint: &Mutex<Vec<u8>>) -> String {
    let _ = child.start_kill();
    let status = child.wait().await;
    // Standard error is at its end then.
    let _ = tasks.join_next().await;
    let text = complaint.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(&text);
    match (text.trim().lines().last(), status) {
        (Some(line), _) => line.to_owned(),
        (None, Ok(status)) => status.to_string(),
        (None, Err(error)) => error.to_string(),
    }
}
