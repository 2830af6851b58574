//! Which installed skills need which: what the Python functions of dependencies ask.

use pyo3::prelude::*;
use serde::Serialize;
use skillery_client::Error;
use skillery_client::library::{Graph, GraphFormat};
use skillery_core::{SkillId, Version};

use crate::convert::serialized;
use crate::library::library;
use crate::runtime::wait_for_disk;

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(get, module)?)?;
    module.add_function(wrap_pyfunction!(order, module)?)?;
    module.add_function(wrap_pyfunction!(dependents, module)?)?;
    module.add_function(wrap_pyfunction!(draw, module)?)
}

fn graph(name: Option<&str>) -> Result<Graph, Error> {
    library()?.dependency_graph(name, None)
}

/// What every skill needs, or one.
#[pyfunction(name = "graph_get")]
#[pyo3(signature = (name=None))]
fn get(py: Python<'_>, name: Option<String>) -> PyResult<Bound<'_, PyAny>> {
    let found = wait_for_disk(py, move || graph(name.as_deref()))?;
    serialized(py, &found)
}

#[derive(Serialize)]
struct Place {
    id: SkillId,
    version: Version,
}

/// Each skill behind those that it needs.
#[pyfunction(name = "graph_order")]
#[pyo3(signature = (name=None))]
fn order(py: Python<'_>, name: Option<String>) -> PyResult<Bound<'_, PyAny>> {
    let order = wait_for_disk(py, move || {
        let graph = graph(name.as_deref())?;
        let place = |node: &skillery_client::library::Node| Place {
            id: node.id.clone(),
            version: node.version.clone(),
        };
        Ok(graph.order()?.into_iter().map(place).collect::<Vec<_>>())
    })?;
    serialized(py, &order)
}

/// The skills that need this one.
#[pyfunction(name = "graph_dependents")]
fn dependents(py: Python<'_>, name: String) -> PyResult<Bound<'_, PyAny>> {
    let found = wait_for_disk(py, move || library()?.dependents(&name))?;
    serialized(py, &found)
}

/// A tree, or a drawing for Mermaid or Graphviz.
#[pyfunction(name = "graph_draw")]
#[pyo3(signature = (format, name=None))]
fn draw(py: Python<'_>, format: String, name: Option<String>) -> PyResult<String> {
    wait_for_disk(py, move || {
        let format: GraphFormat = format.parse()?;
        Ok(graph(name.as_deref())?.write(format))
    })
}
