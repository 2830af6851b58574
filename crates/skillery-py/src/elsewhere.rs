//! Attempts that another machine has sent here, for the functions that a cluster calls.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use skillery_client::Home;
use skillery_runner::{CancellationToken, Interpreter, InterpreterError, probe, run_attempt};

use crate::failure::{raise, raise_as};
use crate::run::{described, workers};
use crate::runtime::runtime;

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Attempt>()?;
    module.add_function(wrap_pyfunction!(probe_sandbox, module)?)
}

/// What is waited for, in the form that goes back.
type Answer = Result<String, InterpreterError>;

/// An attempt that runs here, or has ended.
#[pyclass(frozen, module = "orchestrator._native")]
pub(crate) struct Attempt {
    cancel: CancellationToken,
    answer: Mutex<Receiver<Answer>>,
}

#[pymethods]
impl Attempt {
    /// Starts it and returns at once.
    #[new]
    fn new(py: Python<'_>, payload: String, python: Option<PathBuf>) -> PyResult<Self> {
        let cancel = CancellationToken::new();
        let token = cancel.clone();
        let home = Home::locate().map_err(|error| raise(py, &error))?;
        let (tell, answer) = channel();
        runtime()?.spawn(async move {
            let answer = match interpreter(python.as_deref()).await {
                Ok(interpreter) => Ok(run_attempt(
                    &payload,
                    &interpreter,
                    &workers(&home),
                    &home.environments_folder(),
                    &token,
                )
                .await),
                Err(error) => Err(error),
            };
            // Nobody listens where it was given up.
            let _ = tell.send(answer);
        });
        Ok(Self { cancel, answer: Mutex::new(answer) })
    }

    /// Kills what runs; the attempt then ends, and says so as always.
    fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits this long for the end: what goes back, or `None`.
    fn wait(&self, py: Python<'_>, seconds: f64) -> PyResult<Option<String>> {
        let timeout = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let answer =
            py.detach(|| self.answer.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(timeout));
        match answer {
            Ok(answer) => answer.map(Some).map_err(|error| no_python(py, &error)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(PyRuntimeError::new_err("the attempt has ended")),
        }
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// What keeps skills in on this machine, as JSON. `sandbox` is what is demanded, as JSON. Blocks.
#[pyfunction]
#[pyo3(signature = (sandbox, python))]
fn probe_sandbox(py: Python<'_>, sandbox: &str, python: Option<PathBuf>) -> PyResult<String> {
    let home = Home::locate().map_err(|error| raise(py, &error))?;
    let runtime = runtime()?;
    let probed: Answer = py.detach(|| {
        runtime.block_on(async {
            let interpreter = interpreter(python.as_deref()).await?;
            Ok(probe(sandbox, &interpreter, &workers(&home)).await)
        })
    });
    probed.map_err(|error| no_python(py, &error))
}

async fn interpreter(python: Option<&Path>) -> Result<Interpreter, InterpreterError> {
    Interpreter::at_or_discover(python).await
}

fn no_python(py: Python<'_>, error: &InterpreterError) -> PyErr {
    raise_as(py, "failed", "no-python", &described(error), Some(error.hint()))
}
