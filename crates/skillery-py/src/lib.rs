//! `orchestrator._native`: what the Python package cannot do in Python. Thin functions over the client and the
//! runner; names, defaults and documentation are in Python.
//!
//! Whatever waits, for a registry, a disk or a skill, releases the interpreter's lock and still answers Ctrl-C.

mod approvals;
mod comments;
mod configuration;
mod convert;
mod elsewhere;
mod failure;
mod graph;
mod insight;
mod library;
mod metrics;
mod registry;
mod run;
mod runtime;
mod workflows;

use pyo3::prelude::*;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
    approvals::add_to(module)?;
    comments::add_to(module)?;
    configuration::add_to(module)?;
    library::add_to(module)?;
    graph::add_to(module)?;
    metrics::add_to(module)?;
    module.add_class::<registry::Registry>()?;
    elsewhere::add_to(module)?;
    run::add_to(module)?;
    workflows::add_to(module)
}
