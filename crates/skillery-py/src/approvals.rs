//! Approvals and reviews: what waits, what changed, what is said about it, and deciding.

use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use skillery_client::{ApprovalFilter, Client, DiffQuery, Error, Home, Library, Page};
use skillery_core::api::{
    ApprovalState, ApprovalsResponse, DecisionRequest, DiffSide, ReviewCommentPatch, ReviewCommentRequest,
    ReviewThread,
};
use skillery_core::{Decision, Digest, SkillId, Version};

use crate::convert::{parsed, serialized};
use crate::registry::Registry;
use crate::runtime::wait;

/// Threads, and entries of the log, in one answer.
const ROWS: u64 = 200;
/// Answers that are asked for at most, whatever a registry says that there is.
const MOST_PAGES: usize = 500;

/// A version, and how far it is.
#[derive(Serialize)]
struct Approval {
    #[serde(flatten)]
    standing: ApprovalsResponse,
    comments: Vec<ReviewThread>,
}

impl Approval {
    async fn of(client: &Client, standing: ApprovalsResponse) -> Result<Self, Error> {
        let mut comments = Vec::new();
        for _ in 0..MOST_PAGES {
            if comments.len() as u64 >= standing.threads {
                break;
            }
            let rows = Page { limit: Some(ROWS), offset: Some(comments.len() as u64) };
            let page = client.review_threads(&standing.id, &standing.version, rows).await?;
            if page.threads.is_empty() {
                break;
            }
            comments.extend(page.threads);
        }
        Ok(Self { standing, comments })
    }
}

fn word<T: std::str::FromStr<Err = String>>(text: &str, what: &str) -> Result<T, Error> {
    text.parse().map_err(|reason| Error::Invalid { what: format!("`{what}`"), reason })
}

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
        Approval::of(&client, standing).await
    })?;
    serialized(py, &found)
}

/// Decides about exactly the bytes that are installed, or that the registry hands out now, or that have this digest.
#[pyfunction]
#[pyo3(signature = (registry, id, version, decision, comment, digest=None))]
fn approval_decide<'py>(
    py: Python<'py>,
    registry: &Registry,
    id: &str,
    version: &str,
    decision: &str,
    comment: &str,
    digest: Option<&str>,
) -> PyResult<Bound<'py, PyAny>> {
    let client = registry.client(py)?;
    let (id, version, decision) = (id.to_owned(), version.to_owned(), decision.to_owned());
    let (comment, digest) = (comment.to_owned(), digest.map(str::to_owned));
    let decided = wait(py, async move {
        client.need_token("deciding about a version")?;
        let (id, version): (SkillId, Version) = (id.parse()?, version.parse()?);
        let decision: Decision = word(&decision, "decision")?;
        let digest = match digest {
            Some(text) => text
                .parse::<Digest>()
                .map_err(|error| Error::Invalid { what: "`digest`".to_owned(), reason: error.to_string() })?,
            None => Library::new(Home::locate()?).reviewed_digest(&client, &id, &version).await?,
        };
        let request = DecisionRequest { decision, digest: Some(digest), comment, signature: None };
        let standing = client.decide(&id, &version, &request).await?;
        Approval::of(&client, standing).await
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
            state: form.state.map(|state| word::<ApprovalState>(&state, "state")).transpose()?,
            mine: form.mine,
            needs_me: form.needs_me,
            due: false,
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
        history(&client, &id.parse()?, version.as_ref(), limit).await
    })?;
    serialized(py, &history)
}

async fn history(
    client: &Client,
    id: &SkillId,
    version: Option<&Version>,
    limit: u64,
) -> Result<Vec<serde_json::Value>, Error> {
    let versions = client.all_versions(id).await?;
    let (mut changes, mut before) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        if changes.len() as u64 >= limit {
            break;
        }
        let page = client.log_of_skill(id, before, Some(ROWS)).await?;
        // A registry that shows what it has shown before would show it for ever.
        let falls = page.entries.iter().all(|logged| {
            let is_older = before.is_none_or(|before| logged.index < before);
            before = Some(logged.index);
            is_older
        });
        if page.entries.is_empty() || !falls {
            break;
        }
        for logged in page.entries {
            let entry = logged.opening.parse().map_err(|error| Error::Invalid {
                what: format!("entry {} of the log", logged.index),
                reason: error.to_string(),
            })?;
            let about = entry.event.version();
            if version.is_some_and(|version| about != Some(version)) {
                continue;
            }
            let known = versions.iter().find(|known| Some(&known.version) == about);
            let is_publish = entry.event.kind() == "version.published";
            changes.push(serde_json::json!({
                "log_index": logged.index,
                "time": entry.time.to_string(),
                "action": entry.event.kind(),
                "version": about.map(ToString::to_string),
                "actor": entry.actor,
                "publisher": known.filter(|_| is_publish).map(|known| &known.publisher),
                "changelog": known.filter(|_| is_publish).and_then(|known| known.changelog.as_ref()),
            }));
            if changes.len() as u64 >= limit {
                break;
            }
        }
    }
    Ok(changes)
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
