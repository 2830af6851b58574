//! Workflows as documents and by name, and the runs that were kept: what the Python functions around a run ask.

use std::path::Path;

use pyo3::prelude::*;
use skillery_client::{Error, Home, SavedWorkflows};
use skillery_runner::{Document, DocumentError, History, HistoryError, Problems, Workflow, is_saved_name};

use crate::convert::{parsed, serialized};
use crate::failure::{raise, raise_as};
use crate::run::{raise_history, raise_problems};
use crate::runtime::wait_for_disk;

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(check_workflow, module)?)?;
    module.add_function(wrap_pyfunction!(parse_workflow, module)?)?;
    module.add_function(wrap_pyfunction!(draw_workflow, module)?)?;
    module.add_function(wrap_pyfunction!(is_name_of_saved, module)?)?;
    module.add_function(wrap_pyfunction!(workflow_save, module)?)?;
    module.add_function(wrap_pyfunction!(workflow_text, module)?)?;
    module.add_function(wrap_pyfunction!(workflow_list, module)?)?;
    module.add_function(wrap_pyfunction!(workflow_delete, module)?)?;
    module.add_function(wrap_pyfunction!(run_list, module)?)?;
    module.add_function(wrap_pyfunction!(run_read, module)?)?;
    module.add_function(wrap_pyfunction!(run_find, module)?)?;
    module.add_function(wrap_pyfunction!(run_cancel, module)?)?;
    module.add_function(wrap_pyfunction!(run_prune, module)?)
}

/// A document in the one form that there is of each. Raises what is wrong with it, all of it at once.
#[pyfunction]
fn check_workflow<'py>(py: Python<'py>, workflow: &str) -> PyResult<Bound<'py, PyAny>> {
    let workflow: Workflow = parsed(workflow, "the workflow")?;
    workflow.validate().map_err(|problems| raise_problems(py, &problems, None))?;
    serialized(py, &workflow)
}

/// A document as it stands in YAML or JSON, checked.
#[pyfunction]
fn parse_workflow<'py>(py: Python<'py>, text: &str) -> PyResult<Bound<'py, PyAny>> {
    let document = Document::parse(text).map_err(|error: DocumentError| {
        raise_as(py, "workflow", "invalid-workflow", &error.to_string(), None)
    })?;
    document.workflow.validate().map_err(|mut problems: Problems| {
        document.locate(&mut problems);
        raise_problems(py, &problems, None)
    })?;
    serialized(py, &document.workflow)
}

/// The graph of a workflow, as Mermaid or SVG.
#[pyfunction]
fn draw_workflow(py: Python<'_>, workflow: &str, format: &str) -> PyResult<String> {
    let workflow: Workflow = parsed(workflow, "the workflow")?;
    // A picture may take its time, and other threads go on meanwhile.
    let drawn = match format {
        "mermaid" => py.detach(|| workflow.mermaid()),
        "svg" => py.detach(|| workflow.svg()),
        _ => {
            let message = "`format` is `mermaid` or `svg`";
            return Err(raise_as(py, "invalid", "invalid-input", message, None));
        }
    };
    drawn.map_err(|problems| raise_problems(py, &problems, None))
}

fn saved() -> Result<SavedWorkflows, Error> {
    Ok(SavedWorkflows::new(&Home::locate()?))
}

/// Whether a workflow of this name is one that was saved, and no file.
#[pyfunction]
#[pyo3(name = "is_saved_name")]
fn is_name_of_saved(text: &str) -> bool {
    is_saved_name(text)
}

/// Keeps a workflow under a name. One whose steps name files would never run from there.
#[pyfunction]
fn workflow_save(py: Python<'_>, name: String, text: String) -> PyResult<()> {
    let workflow: Workflow = parsed(&text, "the workflow")?;
    let is_beside = |file: &&str| !is_saved_name(file) && Path::new(file).is_relative();
    if let Some(file) = workflow.steps.iter().filter_map(|step| step.workflow.as_deref()).find(is_beside) {
        let message =
            format!("workflow `{name}` cannot be saved: `{file}` is a file, which is not saved with it");
        let hint = "save the workflows that are its steps first, and name them as they were saved";
        return Err(raise_as(py, "workflow", "invalid-workflow", &message, Some(hint)));
    }
    wait_for_disk(py, move || saved()?.save(&name, &text).map(|_| ()))
}

/// The text of a workflow that was saved.
#[pyfunction]
fn workflow_text(py: Python<'_>, name: String) -> PyResult<String> {
    wait_for_disk(py, move || saved()?.load(&name))
}

/// The names of the workflows that were saved.
#[pyfunction]
fn workflow_list(py: Python<'_>) -> PyResult<Vec<String>> {
    wait_for_disk(py, || saved()?.list())
}

/// Forgets a workflow that was saved; whether there was one.
#[pyfunction]
fn workflow_delete(py: Python<'_>, name: String) -> PyResult<bool> {
    wait_for_disk(py, move || saved()?.delete(&name))
}

/// Asks the history, without the interpreter's lock.
fn ask<T: Send>(
    py: Python<'_>,
    question: impl Send + FnOnce(&History) -> Result<T, HistoryError>,
) -> PyResult<T> {
    let home = Home::locate().map_err(|error| raise(py, &error))?;
    let history = History::at(home.runs_folder());
    py.detach(|| question(&history)).map_err(|error| raise_history(py, &error))
}

/// The newest runs.
#[pyfunction]
fn run_list(py: Python<'_>, limit: usize) -> PyResult<Bound<'_, PyAny>> {
    let runs = ask(py, |history| history.list(limit))?;
    serialized(py, &runs)
}

/// The whole id of a run.
#[pyfunction]
fn run_find(py: Python<'_>, name: &str) -> PyResult<String> {
    ask(py, |history| history.find(name))
}

/// What came of a run: its state, its record, and the outcomes of its steps.
#[pyfunction]
fn run_read<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let past = ask(py, |history| history.read(&history.find(name)?))?;
    let report = past.report();
    let shown = serde_json::json!({
        "run_id": report.run_id,
        "workflow": report.workflow,
        "state": past.state,
        "started_at": past.record.started_at,
        "inputs": past.record.inputs,
        "skills": past.record.pins.values().collect::<Vec<_>>(),
        "latency_ms": report.latency_ms,
        "steps": report.steps,
        "events": past.events,
    });
    serialized(py, &shown)
}

/// Asks the process that is at a run to end it.
#[pyfunction]
fn run_cancel(py: Python<'_>, name: &str) -> PyResult<()> {
    ask(py, |history| history.cancel(&history.find(name)?))
}

/// Forgets all but the newest runs; the ids of those that are gone.
#[pyfunction]
fn run_prune(py: Python<'_>, keep: usize) -> PyResult<Vec<String>> {
    ask(py, |history| history.prune(keep, None))
}
