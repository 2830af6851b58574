//! The installed skills: what the Python functions of the local library ask.

use std::path::PathBuf;

use pyo3::prelude::*;
use serde::Deserialize;
use skillery_client::library::{LocalChange, LocalSkill, local_id};
use skillery_client::publish::read_code;
use skillery_client::{Error, Home, Installed, Library};
use skillery_core::version::BumpPart;
use skillery_core::{Version, VersionRequest};

use crate::convert::{parsed, serialized};
use crate::runtime::wait_for_disk;

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(list, module)?)?;
    module.add_function(wrap_pyfunction!(get, module)?)?;
    module.add_function(wrap_pyfunction!(get_version, module)?)?;
    module.add_function(wrap_pyfunction!(versions, module)?)?;
    module.add_function(wrap_pyfunction!(save, module)?)?;
    module.add_function(wrap_pyfunction!(change, module)?)?;
    module.add_function(wrap_pyfunction!(rollback, module)?)?;
    module.add_function(wrap_pyfunction!(remove, module)?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SkillForm {
    id: String,
    version: String,
    code_path: PathBuf,
    description: String,
    tags: Vec<String>,
    license: Option<String>,
    homepage: Option<String>,
    repository: Option<String>,
    author: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeForm {
    code_path: Option<PathBuf>,
    description: Option<String>,
    tags: Option<Vec<String>>,
    license: Option<String>,
}

pub(crate) fn library() -> Result<Library, Error> {
    Ok(Library::new(Home::locate()?))
}

/// The current version of every skill.
#[pyfunction(name = "library_list")]
fn list(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let found = wait_for_disk(py, || library()?.list())?;
    serialized(py, &found)
}

/// A version of a skill, or `None`.
#[pyfunction(name = "library_get")]
#[pyo3(signature = (name, version=None))]
fn get<'py>(py: Python<'py>, name: String, version: Option<String>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let found = wait_for_disk(py, move || {
        let request: Option<VersionRequest> = version.map(|version| version.parse()).transpose()?;
        look_up(&name, request.as_ref())
    })?;
    found.map(|installed| serialized(py, &installed)).transpose()
}

/// Exactly this version of a skill, or `None`.
#[pyfunction(name = "library_get_version")]
fn get_version<'py>(py: Python<'py>, name: String, version: String) -> PyResult<Option<Bound<'py, PyAny>>> {
    let found = wait_for_disk(py, move || {
        let version: Version = version.parse()?;
        look_up(&name, Some(&VersionRequest::Exact(version)))
    })?;
    found.map(|installed| serialized(py, &installed)).transpose()
}

fn look_up(name: &str, request: Option<&VersionRequest>) -> Result<Option<Installed>, Error> {
    match library()?.get(name, request) {
        Ok(installed) => Ok(Some(installed)),
        Err(Error::NotInstalled { .. } | Error::VersionNotInstalled { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every version of a skill, the highest first; none for a skill that is not there.
#[pyfunction(name = "library_versions")]
fn versions(py: Python<'_>, name: String) -> PyResult<Bound<'_, PyAny>> {
    let found = wait_for_disk(py, move || match library()?.versions(&name) {
        Err(Error::NotInstalled { .. }) => Ok(Vec::new()),
        other => other,
    })?;
    serialized(py, &found)
}

/// Saves a version that was made here.
#[pyfunction(name = "library_save")]
fn save<'py>(py: Python<'py>, skill: &str) -> PyResult<Bound<'py, PyAny>> {
    let form: SkillForm = parsed(skill, "the skill")?;
    let saved = wait_for_disk(py, move || {
        let mut skill =
            LocalSkill::new(local_id(&form.id)?, form.version.parse()?, read_code(&form.code_path)?);
        skill.license = form.license.unwrap_or(skill.license);
        skill.author = form.author.unwrap_or_default();
        skill.description = form.description;
        skill.tags = form.tags;
        skill.homepage = form.homepage;
        skill.repository = form.repository;
        library()?.save(skill)
    })?;
    serialized(py, &saved)
}

/// Makes the next version of a skill.
#[pyfunction(name = "library_change")]
fn change<'py>(py: Python<'py>, name: String, bump: String, change: &str) -> PyResult<Bound<'py, PyAny>> {
    let form: ChangeForm = parsed(change, "the change")?;
    let changed = wait_for_disk(py, move || {
        let bump: BumpPart = bump.parse().map_err(|reason: String| Error::invalid("`bump_type`", reason))?;
        let code = form.code_path.as_deref().map(read_code).transpose()?;
        let ChangeForm { description, tags, license, .. } = form;
        library()?.change(&name, bump, LocalChange { code, description, tags, license })
    })?;
    serialized(py, &changed)
}

/// Makes an installed version the current one.
#[pyfunction(name = "library_rollback")]
#[pyo3(signature = (name, version=None))]
fn rollback<'py>(py: Python<'py>, name: String, version: Option<String>) -> PyResult<Bound<'py, PyAny>> {
    let back = wait_for_disk(py, move || {
        let version: Option<Version> = version.map(|version| version.parse()).transpose()?;
        library()?.rollback(&name, version.as_ref())
    })?;
    serialized(py, &back)
}

/// Removes one version, or all. Answers with the numbers of those that were removed.
#[pyfunction(name = "library_remove")]
#[pyo3(signature = (name, version=None))]
fn remove<'py>(py: Python<'py>, name: String, version: Option<String>) -> PyResult<Bound<'py, PyAny>> {
    let removed = wait_for_disk(py, move || {
        let version: Option<Version> = version.map(|version| version.parse()).transpose()?;
        library()?.remove(&name, version.as_ref())
    })?;
    serialized(py, &removed.versions)
}
