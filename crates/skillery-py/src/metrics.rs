//! How installed skills do: what the Python functions of metrics ask, and what remembers the steps of a run.

use std::time::Duration;

use pyo3::prelude::*;
use skillery_client::metrics::{Execution, ExecutionStatus, Ranking, Recorder};
use skillery_client::{Client, Config, Error, Home, Metrics};
use skillery_core::{Rating, Version, VersionRequest};
use skillery_runner::{Event, EventKind};

use crate::convert::serialized;
use crate::library::library;
use crate::runtime::wait_for_disk;

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(record_execution, module)?)?;
    module.add_function(wrap_pyfunction!(get, module)?)?;
    module.add_function(wrap_pyfunction!(all, module)?)?;
    module.add_function(wrap_pyfunction!(top, module)?)?;
    module.add_function(wrap_pyfunction!(rate, module)?)
}

/// A recorder for one run.
pub(crate) fn recorder(home: &Home) -> Recorder {
    Recorder::new(home, shares(home))
}

/// Remembers a step that was started and came to an end.
pub(crate) fn record(recorder: &Recorder, event: &Event) {
    if let EventKind::StepFinished { outcome, .. } = &event.kind
        && outcome.attempts > 0
    {
        recorder.record(&outcome.skill, &outcome.version, outcome.status.as_str(), outcome.latency_ms);
    }
}

/// Tells the registry of runs, where the user wants that; at most once an hour, and not for long.
pub(crate) async fn share(home: &Home) {
    let Ok(config) = Config::load(home) else { return };
    if !config.share_usage || config.token.is_none() {
        return;
    }
    if let Ok(client) = Client::new(&config) {
        Metrics::new(home).share_now_and_then(&client).await;
    }
}

/// Whether usage is shared. A configuration that cannot be read says no.
fn shares(home: &Home) -> bool {
    Config::load(home).is_ok_and(|config| config.share_usage)
}

fn metrics() -> Result<Metrics, Error> {
    Ok(Metrics::new(&Home::locate()?))
}

/// Remembers an execution of an installed skill.
#[pyfunction(name = "metrics_record")]
#[pyo3(signature = (name, status, latency_ms=None, version=None))]
fn record_execution(
    py: Python<'_>,
    name: String,
    status: String,
    latency_ms: Option<f64>,
    version: Option<String>,
) -> PyResult<()> {
    wait_for_disk(py, move || {
        let status: ExecutionStatus = status.parse()?;
        let latency = latency_ms
            .map(|milliseconds| Duration::try_from_secs_f64(milliseconds / 1_000.0))
            .transpose()
            .map_err(|_| Error::invalid("`latency_ms`", "it is a number of milliseconds, and not below 0"))?;
        let version: Option<Version> = version.map(|version| version.parse()).transpose()?;
        let library = library()?;
        let manifest = library.get(&name, version.map(VersionRequest::Exact).as_ref())?.manifest;
        let share_with = manifest.registry.filter(|_| shares(library.home()));
        let execution = Execution { id: manifest.id, version: manifest.version, status, latency, share_with };
        metrics()?.record(&execution)
    })
}

/// What is known of a skill, or of one of its versions; or `None`.
#[pyfunction(name = "metrics_get")]
#[pyo3(signature = (name, version=None))]
fn get(py: Python<'_>, name: String, version: Option<String>) -> PyResult<Option<Bound<'_, PyAny>>> {
    let found = wait_for_disk(py, move || {
        let version: Option<Version> = version.map(|version| version.parse()).transpose()?;
        metrics()?.get(&library()?, &name, version.as_ref())
    })?;
    found.map(|skill| serialized(py, &skill)).transpose()
}

/// What is known of every skill.
#[pyfunction(name = "metrics_all")]
fn all(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let found = wait_for_disk(py, || metrics()?.all())?;
    serialized(py, &found)
}

/// The best skills first.
#[pyfunction(name = "metrics_top")]
fn top(py: Python<'_>, metric: String, limit: i64, minimum_runs: i64) -> PyResult<Bound<'_, PyAny>> {
    let found = wait_for_disk(py, move || {
        let ranking: Ranking = metric.parse()?;
        let number = |what: &str, number: i64| {
            u64::try_from(number).map_err(|_| Error::invalid(what, "it is not below 0"))
        };
        let limit = usize::try_from(number("`limit`", limit)?).unwrap_or(usize::MAX);
        metrics()?.top(ranking, limit, number("`minimum_runs`", minimum_runs)?)
    })?;
    serialized(py, &found)
}

/// Rates an installed skill on this machine.
#[pyfunction(name = "metrics_rate")]
#[pyo3(signature = (name, rating, review=None))]
fn rate(py: Python<'_>, name: String, rating: f64, review: Option<String>) -> PyResult<Bound<'_, PyAny>> {
    let rated = wait_for_disk(py, move || {
        let rating =
            Rating::try_from(rating).map_err(|error| Error::invalid("`rating`", error.to_string()))?;
        metrics()?.rate(&library()?, &name, rating, review.as_deref())
    })?;
    serialized(py, &rated)
}
