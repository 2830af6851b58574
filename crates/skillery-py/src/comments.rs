//! Comments, answers to reviews, and reports.

use pyo3::prelude::*;
use serde::Deserialize;
use skillery_client::{Client, Error, Page};
use skillery_core::SkillId;
use skillery_core::api::{ReportReason, ReportRequest};

use crate::convert::{parsed, serialized};
use crate::registry::Registry;
use crate::runtime::wait;

/// What is asked for; the word says which change it is, and the rest what it needs.
#[derive(Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum Change {
    Edit { comment: String, text: String },
    Delete { comment: String },
    Hide { comment: String, reason: String },
    Unhide { comment: String },
    Answer { user: String, text: String },
    RemoveAnswer { user: String },
    HideReview { user: String, reason: String },
    UnhideReview { user: String },
}

/// One page of comments: threads, or the answers to one.
#[pyfunction]
#[pyo3(signature = (registry, id, parent=None, limit=50, offset=0))]
fn comments_list<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    parent: Option<String>,
    limit: u64,
    offset: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let (client, id) = (registry.client(py)?, id.to_owned());
    let page = Page { limit: Some(limit), offset: Some(offset) };
    let found = wait(py, async move { client.comments(&id.parse()?, parent.as_deref(), page).await })?;
    serialized(py, &found.comments)
}

/// Says something, or answers.
#[pyfunction]
#[pyo3(signature = (registry, id, text, parent=None))]
fn comment_add<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    text: &str,
    parent: Option<String>,
) -> PyResult<Bound<'py, PyAny>> {
    let (client, id, text) = (registry.client(py)?, id.to_owned(), text.to_owned());
    let said = wait(py, async move { client.comment(&id.parse()?, &text, parent.as_deref()).await })?;
    serialized(py, &said)
}

/// What a comment said before it was edited.
#[pyfunction]
fn comment_texts<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    comment: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let (client, id, comment) = (registry.client(py)?, id.to_owned(), comment.to_owned());
    let found = wait(py, async move { client.comment_texts(&id.parse()?, &comment).await })?;
    serialized(py, &found.texts)
}

/// Changes a comment or what stands with a review; the JSON says how. What it is then, where that is told.
#[pyfunction]
fn said_change<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    change: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let change: Change = parsed(change, "the change")?;
    let (client, id) = (registry.client(py)?, id.to_owned());
    let changed = wait(py, async move { apply(&client, &id.parse()?, change).await })?;
    serialized(py, &changed)
}

async fn apply(client: &Client, id: &SkillId, change: Change) -> Result<serde_json::Value, Error> {
    let value = |value: serde_json::Result<serde_json::Value>| {
        value.map_err(|error| Error::Invalid { what: "the answer".to_owned(), reason: error.to_string() })
    };
    client.need_token("changing what is said")?;
    match change {
        Change::Edit { comment, text } => {
            return value(serde_json::to_value(client.edit_comment(id, &comment, &text).await?));
        }
        Change::Hide { comment, reason } => {
            return value(serde_json::to_value(client.hide_comment(id, &comment, &reason).await?));
        }
        Change::Answer { user, text } => {
            return value(serde_json::to_value(client.answer_review(id, &user, &text).await?));
        }
        Change::Delete { comment } => client.delete_comment(id, &comment).await?,
        Change::Unhide { comment } => client.unhide_comment(id, &comment).await?,
        Change::RemoveAnswer { user } => client.remove_review_answer(id, &user).await?,
        Change::HideReview { user, reason } => client.hide_review(id, &user, &reason).await?,
        Change::UnhideReview { user } => client.unhide_review(id, &user).await?,
    }
    Ok(serde_json::Value::Null)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportForm {
    skill: String,
    comment: Option<String>,
    review: Option<String>,
    answer: Option<String>,
    reason: String,
    text: String,
}

/// Reports something; the JSON says what and why.
#[pyfunction]
fn report_add(py: Python<'_>, registry: &Registry, report: &str) -> PyResult<()> {
    let form: ReportForm = parsed(report, "the report")?;
    let client = registry.client(py)?;
    wait(py, async move {
        let reason: ReportReason =
            form.reason.parse().map_err(|reason| Error::Invalid { what: "`reason`".to_owned(), reason })?;
        let ReportForm { skill, comment, review, answer, text, .. } = form;
        client.report_abuse(&ReportRequest { skill, comment, review, answer, reason, text }).await
    })
}

/// One page of the reports that are the caller's to decide about.
#[pyfunction]
#[pyo3(signature = (registry, namespace=None, resolved=false, limit=50, offset=0))]
fn reports_list<'py>(
    py: Python<'py>,
    registry: &Registry,
    namespace: Option<String>,
    resolved: bool,
    limit: u64,
    offset: u64,
) -> PyResult<Bound<'py, PyAny>> {
    let client = registry.client(py)?;
    let found = wait(py, async move {
        let namespace = namespace.map(|namespace| namespace.parse()).transpose()?;
        let page = Page { limit: Some(limit), offset: Some(offset) };
        client.reports(namespace.as_ref(), resolved, page).await
    })?;
    serialized(py, &found.reports)
}

/// Says what was done about a report; without a resolution, opens it again.
#[pyfunction]
#[pyo3(signature = (registry, report, resolution=None))]
fn report_decide(
    py: Python<'_>,
    registry: &Registry,
    report: &str,
    resolution: Option<String>,
) -> PyResult<()> {
    let (client, report) = (registry.client(py)?, report.to_owned());
    wait(py, async move {
        match resolution {
            Some(resolution) => client.resolve_report(&report, &resolution).await,
            None => client.reopen_report(&report).await,
        }
    })
}

pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(comments_list, module)?)?;
    module.add_function(wrap_pyfunction!(comment_add, module)?)?;
    module.add_function(wrap_pyfunction!(comment_texts, module)?)?;
    module.add_function(wrap_pyfunction!(said_change, module)?)?;
    module.add_function(wrap_pyfunction!(report_add, module)?)?;
    module.add_function(wrap_pyfunction!(reports_list, module)?)?;
    module.add_function(wrap_pyfunction!(report_decide, module)?)
}
