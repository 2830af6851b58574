//! `GET /orgs/{namespace}/policy/history`: every policy that a namespace had itself, with who set it and when.

use askama::Template;
use axum::response::Response;
use skillery_core::Namespace;
use skillery_core::time::Time;

use super::super::super::frame::{Frame, page};
use super::super::super::pager::{Fit, Pager, Pages, with_before};
use super::super::super::{said, show};
use super::super::namespace::Head;
use super::told::{Differs, Row, differs, rows};
use crate::failure::Result;
use crate::http::api::policy as api;
use crate::http::call::{Call, Page};

/// One of them.
struct Version {
    at: Time,
    by: String,
    index: u64,
    /// All that it says; nothing where the policy was removed.
    rows: Option<Vec<Row>>,
    /// What it says otherwise than the one before.
    differs: Vec<Differs>,
}

#[derive(Template)]
#[template(path = "pages/desk/policy-history.html")]
struct HistoryPage {
    frame: Frame,
    head: Head,
    versions: Vec<Version>,
    total: u64,
    pager: Pager,
    now: Time,
}

/// Policies of a page: each may have many rows.
const ROWS: usize = 15;
/// Bytes of HTML that one has around what it says.
const AROUND: usize = 500;

/// Bytes of HTML that one of them takes, at most nearly.
fn weight(version: &Version) -> usize {
    let rows = version.rows.iter().flatten().map(|(name, text)| 18 + name.len() + show::weight(text));
    AROUND + rows.sum::<usize>() + version.differs.iter().map(Differs::weight).sum::<usize>()
}

/// All policies that there were, the newest first.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    let mut rows_of_page = call.page()?;
    rows_of_page.limit = rows_of_page.limit.clamp(1, ROWS);
    let head = Head::of(app, caller, namespace, "policy").await?;
    let known = with_before(rows_of_page);
    // One more, to compare the last of the page with.
    let asked = Page { limit: known.limit + 1, offset: known.offset };
    let history = api::history_of(app, caller, namespace, asked).await?;
    let before = history.changes.iter().skip(1).map(Some).chain(std::iter::once(None));
    let mut versions: Vec<Version> = history
        .changes
        .iter()
        .zip(before)
        .take(known.limit)
        .map(|(change, before)| Version {
            at: change.at,
            by: change.by.clone().unwrap_or_else(|| "The registry".to_owned()),
            index: change.log_index,
            rows: change.policy.as_ref().map(rows),
            differs: differs(before.and_then(|before| before.policy.as_ref()), change.policy.as_ref()),
        })
        .collect();
    let fit = Fit::of_part((&versions, known, history.total), rows_of_page, said::ROOM, weight);
    fit.cut(&mut versions);
    let path = format!("{}/policy/history", head.path());
    page(&HistoryPage {
        frame: frame.titled(format!("Policies of {namespace}")).part("orgs"),
        versions,
        total: history.total,
        pager: fit.pager(&Pages::of(app, &path, &[]).at_most(ROWS), rows_of_page.limit),
        now: app.environment.now(),
        head,
    })
}
