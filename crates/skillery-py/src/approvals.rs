//! Approvals and reviews: what waits, what changed, what is said about it, and deciding.

use pyo3::prelude::*;
use serde::Deserialize;
use skillery_client::{ApprovalFilter, Config, DiffQuery, Error, Home, Library, Page, Signer, Verdict};
use skillery_core::Digest;
use skillery_core::api::{ApprovalState, DiffSide, ReviewCommentPatch, ReviewCommentRequest};

use crate::convert::{parsed, serialized, word};
use crate::registry::Registry;
use crate::runtime::wait;

/// How far a version is, with what is said about it.
#[pyfunction]
fn approval_get<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let (client, id, version) = (registry.client(py)?, id.to_owned(), version.to_owned());
    let found = wait(py, async move {
        let standing = client.approvals(&id.parse()?, &version.parse()?).await?;
        client.with_comments(standing).await
    })?;
    serialized(py, &found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecisionForm {
    decision: String,
    comment: String,
    digest: Option<String>,
    sign: bool,
}

/// Decides about exactly the bytes that have the digest, else those that are installed, else those of the digest that the registry
/// names; the JSON says what.
#[pyfunction]
fn approval_decide<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: &str,
    decision: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let form: DecisionForm = parsed(decision, "the decision")?;
    let (client, id, version) = (registry.client(py)?, id.to_owned(), version.to_owned());
    let decided = wait(py, async move {
        let digest = form.digest.map(|text| text.parse::<Digest>()).transpose();
        let digest = digest
            .map_err(|error| Error::Invalid { what: "`digest`".to_owned(), reason: error.to_string() })?;
        let no_key = || Error::Invalid {
            what: "`sign`".to_owned(),
            reason: "no key to sign with is known here; enrol one with `skillery key enrol`".to_owned(),
        };
        let home = Home::locate()?;
        let signer = match form.sign {
            true => Some(Signer::open(&Config::load(&home)?.signing_key.ok_or_else(no_key)?)?),
            false => None,
        };
        let decision = word("decision", &form.decision)?;
        let verdict = Verdict { decision, comment: &form.comment, digest, signer: signer.as_ref() };
        let standing = Library::new(home).decide(&client, &id.parse()?, &version.parse()?, verdict).await?;
        client.with_comments(standing).await
    })?;
    serialized(py, &decided)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListForm {
    namespace: Option<String>,
    state: Option<String>,
    mine: bool,
    needs_me: bool,
    due: bool,
    limit: u64,
    offset: u64,
}

/// One page of the versions that wait, or have been decided about; the JSON says which.
#[pyfunction]
fn approval_list<'py>(py: Python<'py>, registry: &Registry, wanted: &str) -> PyResult<Bound<'py, PyAny>> {
    let form: ListForm = parsed(wanted, "the list")?;
    let client = registry.client(py)?;
    let listed = wait(py, async move {
        let filter = ApprovalFilter {
            namespace: form.namespace.map(|namespace| namespace.parse()).transpose()?,
            state: form.state.map(|state| word::<ApprovalState>("state", &state)).transpose()?,
            mine: form.mine,
            needs_me: form.needs_me,
            due: form.due,
        };
        client.pending(&filter, Page { limit: Some(form.limit), offset: Some(form.offset) }).await
    })?;
    serialized(py, &listed.pending)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommentForm {
    text: String,
    thread: Option<String>,
    path: Option<String>,
    line: Option<u32>,
    against: Option<String>,
}

/// Says something about a version; the JSON says what and where. The thread as it is then.
#[pyfunction]
fn approval_comment<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: &str,
    comment: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let form: CommentForm = parsed(comment, "the comment")?;
    let (client, id, version) = (registry.client(py)?, id.to_owned(), version.to_owned());
    let thread = wait(py, async move {
        client.need_token("commenting")?;
        let against = form.against.map(|version| version.parse()).transpose()?;
        let request = ReviewCommentRequest {
            text: form.text,
            thread: form.thread,
            path: form.path,
            line: form.line,
            side: against.as_ref().map(|_| DiffSide::Old),
            against,
        };
        client.add_review_comment(&id.parse()?, &version.parse()?, &request).await
    })?;
    serialized(py, &thread)
}

/// Resolves a thread, or opens it again.
#[pyfunction]
fn approval_resolve<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: &str,
    thread: &str,
    resolved: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let client = registry.client(py)?;
    let (id, version, thread) = (id.to_owned(), version.to_owned(), thread.to_owned());
    let thread = wait(py, async move {
        let patch = ReviewCommentPatch { text: None, resolved: Some(resolved) };
        client.change_review_comment(&id.parse()?, &version.parse()?, &thread, &patch).await
    })?;
    serialized(py, &thread)
}

/// Says what changed with a version.
#[pyfunction]
fn changelog_set<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: &str,
    changelog: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let client = registry.client(py)?;
    let (id, version, changelog) = (id.to_owned(), version.to_owned(), changelog.to_owned());
    let detail = wait(py, async move {
        client.need_token("saying what changed")?;
        client.set_changelog(&id.parse()?, &version.parse()?, &changelog).await
    })?;
    serialized(py, &detail)
}

/// What changed from one version to another; as a patch, a text.
#[pyfunction]
#[pyo3(signature = (registry, id, version, from_version=None, path=None, as_patch=false))]
fn code_diff<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: &str,
    from_version: Option<String>,
    path: Option<String>,
    as_patch: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let (client, id, version) = (registry.client(py)?, id.to_owned(), version.to_owned());
    let query = DiffQuery { from: from_version, path };
    if as_patch {
        let patch = wait(py, async move { client.patch(&id.parse()?, &version.parse()?, &query).await })?;
        return serialized(py, &patch);
    }
    let diff = wait(py, async move { client.diff(&id.parse()?, &version.parse()?, &query).await })?;
    serialized(py, &diff)
}

/// What the log says of a skill, the newest first, with what was said of its versions.
#[pyfunction]
#[pyo3(signature = (registry, id, version=None, limit=50))]
fn skill_history<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: Option<String>,
    limit: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let (client, id) = (registry.client(py)?, id.to_owned());
    let history = wait(py, async move {
        let version = version.map(|version| version.parse()).transpose()?;
        client.history(&id.parse()?, version.as_ref(), limit).await
    })?;
    serialized(py, &history)
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(approval_get, module)?)?;
    module.add_function(wrap_pyfunction!(approval_decide, module)?)?;
    module.add_function(wrap_pyfunction!(approval_list, module)?)?;
    module.add_function(wrap_pyfunction!(approval_comment, module)?)?;
    module.add_function(wrap_pyfunction!(approval_resolve, module)?)?;
    module.add_function(wrap_pyfunction!(changelog_set, module)?)?;
    module.add_function(wrap_pyfunction!(code_diff, module)?)?;
    module.add_function(wrap_pyfunction!(skill_history, module)?)
}
