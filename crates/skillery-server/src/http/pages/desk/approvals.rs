//! `GET /account/approvals`: what waits for the viewer, and what the viewer waits for.

use askama::Template;
use axum::response::Response;
use skillery_core::api::{ApprovalState, PendingVersion};
use skillery_core::time::Time;
use skillery_core::{Decision, Namespace};

use super::super::frame::{Frame, page};
use super::super::pager::{Pager, Pages};
use super::super::review::may_review;
use super::super::show;
use crate::access::Caller;
use crate::failure::Result;
use crate::http::api::approvals::{Filter, listed};
use crate::http::call::{Call, invalid_parameter};

#[derive(Template)]
#[template(path = "pages/desk/approvals.html")]
struct ApprovalsPage {
    frame: Frame,
    tab: &'static str,
    shown: &'static str,
    namespace: String,
    total: u64,
    pending: Vec<PendingVersion>,
    /// Whether more may wait than is told.
    truncated: bool,
    caller: Caller,
    pager: Pager,
    now: Time,
}

/// The lists that there are, with what they are called.
const LISTS: [(&str, &str); 6] = [
    ("needs-me", "Wait for me"),
    ("all", "All that waits"),
    ("due", "Due"),
    ("mine", "I asked for"),
    ("decided", "Decided"),
    ("mine-decided", "Mine, decided"),
];

impl ApprovalsPage {
    fn lists(&self) -> [(&'static str, &'static str); 6] {
        LISTS
    }

    fn address(&self, list: &str) -> String {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        text.append_pair("show", list);
        if !self.namespace.is_empty() {
            text.append_pair("namespace", &self.namespace);
        }
        format!("/account/approvals?{}", text.finish())
    }

    /// The review of a version, where that is for the viewer: who left the namespace is shown the version alone.
    fn place(&self, version: &PendingVersion) -> String {
        let of = format!("/{}/versions/{}", version.id, version.version);
        if may_review(&self.caller, &version.id, &version.publisher) { format!("{of}/review") } else { of }
    }

    /// Whether anybody gets its files.
    fn has_files(&self, version: &PendingVersion) -> bool {
        version.status.has_files()
    }

    fn decided(&self, version: &PendingVersion) -> Option<&'static str> {
        version.mine.map(|decision| match decision {
            Decision::Approved => "you approved it",
            Decision::ChangesRequested => "you asked for changes",
            Decision::Rejected => "you rejected it",
        })
    }
}

/// Rows of a page: what a version is said to do may be long.
const ROWS: usize = 25;
/// Rows of what is due, which have why besides.
const DUE_ROWS: usize = 18;

/// One of the lists.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    let mut rows = call.page()?;
    let wanted = call.parameter("show").unwrap_or_else(|| "needs-me".to_owned());
    let shown = LISTS.iter().find(|(list, _)| *list == wanted).map(|(list, _)| *list);
    let shown = shown.ok_or_else(|| invalid_parameter("show", "there is no such list"))?;
    let most = if shown == "due" { DUE_ROWS } else { ROWS };
    rows.limit = rows.limit.clamp(1, most);
    let namespace = call.parsed::<Namespace>("namespace")?;
    let filter = Filter {
        namespace: namespace.clone(),
        state: match shown {
            "decided" | "mine-decided" => ApprovalState::Decided,
            _ => ApprovalState::Pending,
        },
        is_mine: shown.starts_with("mine"),
        needs_me: shown == "needs-me",
        is_due: shown == "due",
    };
    let list = listed(app, caller, &filter, rows).await?;
    let namespace = namespace.map_or_else(String::new, |namespace| namespace.to_string());
    let query = [("show", shown), ("namespace", namespace.as_str())];
    page(&ApprovalsPage {
        frame: frame.titled("Approvals").part("account"),
        tab: "approvals",
        pager: Pages::of(app, "/account/approvals", &query).at_most(most).by_offset(rows, list.total),
        total: list.total,
        pending: list.pending,
        truncated: list.truncated,
        caller: caller.clone(),
        now: app.environment.now(),
        shown,
        namespace,
    })
}
