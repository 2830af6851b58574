//! The one tokio runtime, and waiting for it in a way that Python can interrupt.

use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use skillery_client::Error;
use skillery_client::log::{take_followed, take_met};
use tokio::runtime::Runtime;

use crate::failure;

/// How often a waiting call looks for Ctrl-C.
const SIGNAL_INTERVAL: Duration = Duration::from_millis(100);

/// Requests of many Python threads wait beside each other; the work between the waits is small.
const WORKERS: usize = 2;

/// With the process that made it: the threads of a runtime do not survive a fork.
static RUNTIME: Mutex<Option<(u32, &'static Runtime)>> = Mutex::new(None);

/// The runtime of this process.
pub(crate) fn runtime() -> PyResult<&'static Runtime> {
    let mut made = RUNTIME.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    match *made {
        Some((owner, runtime)) if owner == process => Ok(runtime),
        _ => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(WORKERS)
                .thread_name("skillery")
                .enable_all()
                .build()?;
            // It lives as long as the process: Python has no moment at which it could be stopped safely.
            let runtime: &'static Runtime = Box::leak(Box::new(runtime));
            *made = Some((process, runtime));
            Ok(runtime)
        }
    }
}

/// Waits for the work without the interpreter's lock. Ctrl-C gives the work up.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> PyResult<T> {
    let (sender, mut receiver) = sync_channel(1);
    let task = runtime()?.spawn(async move {
        // Nobody listens after an interruption.
        let _ = sender.send(work.await);
    });
    loop {
        let received = py.detach(|| {
            let received = receiver.recv_timeout(SIGNAL_INTERVAL);
            (received, receiver)
        });
        receiver = received.1;
        match received.0 {
            Ok(outcome) => {
                let told = tell(py);
                // What went wrong is of more weight than a warning that was made an error.
                let value = outcome.map_err(|error| failure::raise(py, &error))?;
                return told.map(|()| value);
            }
            Err(RecvTimeoutError::Timeout) => py.check_signals().inspect_err(|_| task.abort())?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err("the work ended without a result"));
            }
        }
    }
}

/// Warns of logs that were met, or handed over, meanwhile. All is told, whatever becomes of the first.
fn tell(py: Python<'_>) -> PyResult<()> {
    let met = take_met().into_iter().map(|met| met.to_string());
    let texts = met.chain(take_followed().into_iter().map(|followed| followed.to_string()));
    texts.map(|text| failure::warn(py, &text)).fold(Ok(()), PyResult::and)
}

/// Waits for work that itself waits for the disk.
pub(crate) fn wait_for_disk<T: Send + 'static>(
    py: Python<'_>,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> PyResult<T> {
    wait(py, async {
        tokio::task::spawn_blocking(work).await.map_err(|error| Error::Internal {
            doing: "work on the library".to_owned(),
            source: error.into(),
        })?
    })
}
