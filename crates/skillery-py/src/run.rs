//! Workflows: checked at once, run beside the interpreter, told about to whoever waits.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use serde::{Deserialize, Serialize};
use skillery_client::library::LOCAL_NAMESPACE;
use skillery_client::{Home, Library, SavedWorkflows};
use skillery_runner::{
    CancellationToken, Cluster, Event, Executor, ExecutorError, History, HistoryError, Interpreter, Outcome,
    Policy, ProblemKind, Problems, RunError, RunOptions, RunReport, Sandbox, SchedulerAddress, Secrets,
    SkillCode, SkillFile, SkillReference, SkillSource, Values, Workers, Workflow, WorkflowLoader,
    resume_workflow, run_skill_named, run_workflow,
};

use crate::convert::{parsed, serialized};
use crate::failure::{raise, raise_as};
use crate::metrics;
use crate::runtime::runtime;

/// Seconds that an attempt may take, as for those of a document: a week.
const MAX_TIMEOUT_SECONDS: f64 = 604_800.0;

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Run>()?;
    module.add_function(wrap_pyfunction!(start_workflow, module)?)?;
    module.add_function(wrap_pyfunction!(resume_run, module)?)?;
    module.add_function(wrap_pyfunction!(start_skill, module)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OptionsForm {
    python: Option<PathBuf>,
    timeout_seconds: Option<f64>,
    jobs: Option<NonZeroUsize>,
    verify_signature: bool,
    allow_weaker_sandbox: bool,
    executor: Option<String>,
    executor_python: Option<PathBuf>,
    /// Where the workflows that are steps are looked up.
    folder: PathBuf,
    secrets: BTreeMap<String, String>,
    /// Whether what happens is kept, so that the run can be resumed.
    keep: bool,
}

/// A workflow that runs, or has ended. Nothing of it ever calls Python: a thread that did would crash an interpreter
/// that is shutting down.
#[pyclass(frozen, module = "orchestrator._native")]
pub(crate) struct Run {
    cancel: CancellationToken,
    told: Mutex<Receiver<Told>>,
}

/// A Python object, or `None`.
type Object<'py> = Option<Bound<'py, PyAny>>;

/// What a run tells its reader. The end is the last.
enum Told {
    Event(Box<Event>),
    End(Result<Ended, RunError>),
}

/// What came of a run.
#[derive(Serialize)]
#[serde(untagged)]
enum Ended {
    Workflow(RunReport),
    Skill(Box<Outcome>),
}

#[pymethods]
impl Run {
    /// Kills what runs and skips the rest; the run then ends, and says so as always.
    fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits for what comes next: an event and `None`, or, at the end, `None` and the report. Raises where the run
    /// could not begin. For one thread that is not the main one: Ctrl-C does not end it.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<(Object<'py>, Object<'py>)> {
        let told = py.detach(|| self.told.lock().unwrap_or_else(PoisonError::into_inner).recv());
        match told {
            Ok(Told::Event(event)) => Ok((Some(serialized(py, &event)?), None)),
            Ok(Told::End(Ok(report))) => Ok((None, Some(serialized(py, &report)?))),
            Ok(Told::End(Err(error))) => Err(raise_run(py, &error)),
            Err(RecvError) => Err(PyRuntimeError::new_err("the run has ended")),
        }
    }
}

/// What is run: a workflow from its beginning, the rest of a run, or a skill alone.
enum Work {
    Workflow(Workflow, Values),
    Rest(String),
    Skill(SkillReference, Values),
}

/// Starts a workflow and returns at once. Events are told only where they are wanted.
#[pyfunction]
fn start_workflow(
    py: Python<'_>,
    workflow: &str,
    inputs: &str,
    options: &str,
    want_events: bool,
) -> PyResult<Run> {
    let workflow: Workflow = parsed(workflow, "the workflow")?;
    let inputs: Values = parsed(inputs, "`inputs`")?;
    start(py, Work::Workflow(workflow, inputs), parsed(options, "the options")?, want_events)
}

/// Goes on with a run and returns at once.
#[pyfunction]
fn resume_run(py: Python<'_>, run_id: String, options: &str, want_events: bool) -> PyResult<Run> {
    start(py, Work::Rest(run_id), parsed(options, "the options")?, want_events)
}

/// Starts a skill alone and returns at once. Events are told only where they are wanted.
#[pyfunction]
fn start_skill(py: Python<'_>, skill: &str, inputs: &str, options: &str, want_events: bool) -> PyResult<Run> {
    let reference: SkillReference = skill.parse().map_err(|why: String| {
        raise_as(py, "invalid", "invalid-input", &format!("`{skill}` is not a skill: {why}"), None)
    })?;
    let inputs: Values = parsed(inputs, "`inputs`")?;
    start(py, Work::Skill(reference, inputs), parsed(options, "the options")?, want_events)
}

fn start(py: Python<'_>, work: Work, form: OptionsForm, want_events: bool) -> PyResult<Run> {
    let scheduler: Option<SchedulerAddress> =
        form.executor.as_deref().map(str::parse).transpose().map_err(|error: ExecutorError| {
            raise_as(py, "invalid", "invalid-executor", &error.to_string(), Some(error.hint()))
        })?;
    let home = Home::locate().map_err(|error| raise(py, &error))?;
    let policy = Policy::read(&home.policy_file())
        .map_err(|error| raise_as(py, "invalid", "invalid-policy", &described(&error), None))?;
    let history = History::at(home.runs_folder());
    let mut options = RunOptions {
        workers: workers(&home),
        environments: Some(home.environments_folder()),
        sandbox: Sandbox { allow_weaker: form.allow_weaker_sandbox, ..Sandbox::default() },
        secrets: Secrets::or_of_environment(form.secrets),
        workflows: WorkflowLoader::of_files(form.folder, SavedWorkflows::new(&home).folder()),
        history: form.keep.then(|| history.clone()),
        ..RunOptions::default()
    };
    let library = Library::new(home);
    options.jobs = form.jobs.unwrap_or(options.jobs);
    let has_timeout = form.timeout_seconds.is_some();
    if let Some(seconds) = form.timeout_seconds {
        options.timeout = timeout(seconds).ok_or_else(|| {
            let message = format!("`timeout_seconds` is above 0 and at most {MAX_TIMEOUT_SECONDS}");
            raise_as(py, "invalid", "invalid-input", &message, None)
        })?;
    }
    let cancel = options.cancel.clone();
    let (tell, told) = channel();
    runtime()?.spawn(async move {
        let resolve =
            |reference: &SkillReference| resolve(&library, &policy, reference, form.verify_signature);
        let recorder = metrics::recorder(library.home());
        let events = |event: Event| {
            metrics::record(&recorder, &event);
            if want_events {
                // Nobody reads on after the reader is gone.
                let _ = tell.send(Told::Event(Box::new(event)));
            }
        };
        let outcome = async {
            match scheduler {
                Some(scheduler) => {
                    let python = Interpreter::at_or_discover(form.executor_python.as_deref()).await?;
                    options.executor = Executor::Dask(Cluster { scheduler, python });
                }
                None => {
                    options.interpreter = Some(Interpreter::at_or_discover(form.python.as_deref()).await?);
                }
            }
            Ok(match work {
                Work::Workflow(workflow, inputs) => {
                    Ended::Workflow(run_workflow(&workflow, inputs, &resolve, &options, &events).await?)
                }
                Work::Rest(run_id) => {
                    if !has_timeout {
                        let record = history.read(&run_id).map_err(RunError::History)?.record;
                        options.timeout = timeout(record.timeout_seconds).unwrap_or(options.timeout);
                    }
                    Ended::Workflow(resume_workflow(&history, &run_id, &resolve, &options, &events).await?)
                }
                Work::Skill(skill, inputs) => Ended::Skill(Box::new(
                    run_skill_named(&skill, inputs, &resolve, &options, &events).await?,
                )),
            })
        };
        let outcome = outcome.await;
        let _ = tell.send(Told::End(outcome));
        metrics::share(library.home()).await;
    });
    Ok(Run { cancel, told: Mutex::new(told) })
}

/// How long an attempt may take, where the number makes sense.
fn timeout(seconds: f64) -> Option<Duration> {
    let timeout = Duration::try_from_secs_f64(seconds).ok()?;
    (!timeout.is_zero() && seconds <= MAX_TIMEOUT_SECONDS).then_some(timeout)
}

/// The content that a step names, as it was installed.
fn resolve(
    library: &Library,
    policy: &Policy,
    reference: &SkillReference,
    verify_signature: bool,
) -> Result<SkillSource, String> {
    let request = reference.version.unless_latest();
    let installed = library
        .code(&reference.name.to_string(), request, reference.script.as_deref(), verify_signature)
        .map_err(|error| error.to_string())?;
    let id = installed.manifest.id;
    let bare = installed.manifest.registry.is_none() && id.namespace().as_str() == LOCAL_NAMESPACE;
    let id = if bare { id.name().to_owned() } else { id.to_string() };
    let grants = policy.grants(&id).clone();
    Ok(SkillSource {
        id,
        version: installed.manifest.version,
        code: SkillCode::Text(installed.code),
        script: installed.script,
        files: installed.files.into_iter().map(SkillFile::from).collect(),
        grants,
    })
}

/// The workers of this process, warm from one run to the next.
pub(crate) fn workers(home: &Home) -> Workers {
    static KNOWN: Mutex<Option<HashMap<PathBuf, Workers>>> = Mutex::new(None);
    let folder = home.runner_folder();
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    known.entry(folder.clone()).or_insert_with(|| Workers::with_cache(folder)).clone()
}

pub(crate) fn described(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn raise_run(py: Python<'_>, error: &RunError) -> PyErr {
    match error {
        RunError::Invalid(problems) => raise_problems(py, problems, error.hint()),
        RunError::Sandbox(cause) => raise_as(py, "failed", "no-sandbox", &cause.to_string(), error.hint()),
        RunError::Packages(cause) => raise_as(py, "failed", "no-packages", &described(cause), error.hint()),
        RunError::Executor(cause) => raise_as(py, "failed", "no-executor", &cause.to_string(), error.hint()),
        RunError::Interpreter(cause) => raise_as(py, "failed", "no-python", &cause.to_string(), error.hint()),
        RunError::History(cause) => raise_history(py, cause),
    }
}

/// The exception for what the history cannot do.
pub(crate) fn raise_history(py: Python<'_>, error: &HistoryError) -> PyErr {
    let kind = match error {
        HistoryError::NotFound(_) => "not-found",
        HistoryError::Ambiguous(_) | HistoryError::Running(_) | HistoryError::Ended(_) => "invalid",
        HistoryError::Disk { .. } | HistoryError::Damaged { .. } => "failed",
    };
    raise_as(py, kind, error.code(), &described(error), None)
}

pub(crate) fn raise_problems(py: Python<'_>, problems: &Problems, hint: Option<&str>) -> PyErr {
    let lacks_grants = problems.problems.iter().all(|problem| problem.kind == ProblemKind::NotGranted);
    let code = if lacks_grants { "not-granted" } else { "invalid-workflow" };
    let exception = raise_as(py, "workflow", code, &problems.to_string(), hint);
    let list = serialized(py, &problems.problems).unwrap_or_else(|_| PyDict::new(py).into_any());
    // An exception that cannot keep the list still says it.
    let _ = exception.value(py).setattr("problems", list);
    exception
}
