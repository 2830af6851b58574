//! Comments, answers to reviews, and reports.

use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use skillery_client::{Client, Error, Page};
use skillery_core::SkillId;
use skillery_core::api::{Comment, ReportRequest, ReviewAnswer};

use crate::convert::{parsed, serialized, word};
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

/// So many comments: threads, or the answers to one.
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
    let wanted = Page { limit: Some(limit), offset: Some(offset) };
    let found = wait(py, async move { client.comments_many(&id.parse()?, parent.as_deref(), wanted).await })?;
    serialized(py, &found)
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

/// What it is then.
#[derive(Serialize)]
#[serde(untagged)]
enum Changed {
    Comment(Comment),
    Answer(ReviewAnswer),
    Nothing(()),
}

async fn apply(client: &Client, id: &SkillId, change: Change) -> Result<Changed, Error> {
    client.need_token("changing what is said")?;
    Ok(match change {
        Change::Edit { comment, text } => Changed::Comment(client.edit_comment(id, &comment, &text).await?),
        Change::Hide { comment, reason } => {
            Changed::Comment(client.hide_comment(id, &comment, &reason).await?)
        }
        Change::Answer { user, text } => Changed::Answer(client.answer_review(id, &user, &text).await?),
        Change::Delete { comment } => Changed::Nothing(client.delete_comment(id, &comment).await?),
        Change::Unhide { comment } => Changed::Nothing(client.unhide_comment(id, &comment).await?),
        Change::RemoveAnswer { user } => Changed::Nothing(client.remove_review_answer(id, &user).await?),
        Change::HideReview { user, reason } => {
            Changed::Nothing(client.hide_review(id, &user, &reason).await?)
        }
        Change::UnhideReview { user } => Changed::Nothing(client.unhide_review(id, &user).await?),
    })
}

/// What a report is about; its reason is an argument of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    skill: String,
    comment: Option<String>,
    review: Option<String>,
    answer: Option<String>,
    text: String,
}

/// Reports something for this reason; the JSON says what.
#[pyfunction]
fn report_add(py: Python<'_>, registry: &Registry, about: &str, reason: &str) -> PyResult<()> {
    let about: About = parsed(about, "the report")?;
    let reason = reason.to_owned();
    let client = registry.client(py)?;
    wait(py, async move {
        let reason = word("reason", &reason)?;
        let About { skill, comment, review, answer, text } = about;
        client.report_abuse(&ReportRequest { skill, comment, review, answer, reason, text }).await
    })
}

/// So many of the reports that are the caller's to decide about.
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
    let wanted = Page { limit: Some(limit), offset: Some(offset) };
    let found = wait(py, async move {
        let namespace = namespace.map(|namespace| namespace.parse()).transpose()?;
        client.reports_many(namespace.as_ref(), resolved, wanted).await
    })?;
    serialized(py, &found)
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
