//! `GET` and `POST /orgs/{namespace}/comments` and `/admin/reports`: what was reported, and deciding about it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::Namespace;
use skillery_core::api::{Report, ReportKind, ReportsResponse};
use skillery_core::time::Time;

use super::super::form::{Form, unknown};
use super::super::frame::{Frame, see_other, with_status};
use super::super::{notice, place, show};
use super::namespace::Head;
use super::pager::Pager;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::reports as api;
use crate::http::call::{Call, Page};

/// Reports on a page.
const ROWS: usize = 20;
/// Characters of what was reported that are shown here.
const SHOWN: usize = 600;

#[derive(Template)]
#[template(path = "pages/desk/reports.html")]
struct ReportsPage {
    frame: Frame,
    /// Of the namespace; none: of the registry.
    head: Option<Head>,
    tab: &'static str,
    reports: ReportsResponse,
    is_open: bool,
    path: String,
    pager: Pager,
    offset: usize,
    reason_length: usize,
    tried: Tried,
    now: Time,
}

impl ReportsPage {
    /// What is reported, in words.
    fn what(&self, report: &Report) -> &'static str {
        match report.kind {
            ReportKind::Comment => "A comment on",
            ReportKind::Review => "A review of",
            ReportKind::Answer => "An answer to a review of",
            ReportKind::Skill => "The skill",
        }
    }

    /// Where it stands.
    fn place(&self, report: &Report) -> String {
        let id = &report.skill;
        match (&report.comment, report.review.as_ref().or(report.answer.as_ref())) {
            (Some(comment), _) => format!("/{id}/comments?thread={comment}#c-{comment}"),
            (None, Some(user)) => {
                let user = place::encoded(user);
                format!("/{id}/ratings?user={user}#r-{user}")
            }
            (None, None) => format!("/{id}"),
        }
    }

    /// The beginning of what was said; nothing of a whole skill.
    fn said(&self, report: &Report, said: &Option<String>) -> Option<String> {
        let said = said.as_ref().filter(|said| !said.is_empty() && report.kind != ReportKind::Skill)?;
        let mut text: String = said.chars().take(SHOWN).collect();
        if text.len() < said.len() {
            text.push('…');
        }
        Some(text)
    }

    /// What was typed into the form of this report.
    fn typed(&self, report: &Report) -> &str {
        if self.is_tried(report) { self.tried.typed("resolve", "resolution") } else { "" }
    }

    /// Which version of the skill was the newest.
    fn version<'report>(&self, report: &Report, said: &'report Option<String>) -> Option<&'report str> {
        said.as_deref().filter(|_| report.kind == ReportKind::Skill)
    }

    /// Why nothing was resolved, and what was typed, where the report is none of these any more.
    fn lost(&self) -> Option<(&str, &str)> {
        let is_here = self.reports.reports.iter().any(|report| self.is_tried(report));
        let is_tried = self.tried.is("resolve") && !is_here;
        is_tried.then(|| (self.tried.reason(), self.tried.typed("resolve", "resolution")))
    }

    fn why(&self, report: &Report) -> Option<&str> {
        self.tried.why("resolve", "resolution").filter(|_| self.is_tried(report))
    }

    fn is_tried(&self, report: &Report) -> bool {
        self.tried.typed("resolve", "report") == report.id
    }
}

fn path(namespace: Option<&Namespace>) -> String {
    namespace.map_or_else(|| "/admin/reports".to_owned(), |namespace| format!("/orgs/{namespace}/comments"))
}

/// What waits, or with `state=resolved` what does not any more.
pub async fn show(call: &Call, frame: Frame, namespace: Option<&Namespace>) -> Result<Response> {
    let is_open = api::is_open(call)?;
    let rows = Page { limit: ROWS, ..call.page()? };
    let shown = (Tried::default(), StatusCode::OK);
    list(&call.app, &call.caller, frame, namespace, (is_open, rows), shown).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: Option<&Namespace>,
    (is_open, rows): (bool, Page),
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = match namespace {
        Some(namespace) => Some(Head::of(app, caller, namespace, "reports").await?),
        None => {
            caller.require_site_admin()?;
            None
        }
    };
    let reports = api::reports(app, caller, namespace, is_open, rows).await?;
    let path = path(namespace);
    let query = [("state", if is_open { "" } else { "resolved" })];
    let mut pager = Pager::of(app, &path, &query, rows, reports.total);
    for address in [&mut pager.previous, &mut pager.next].into_iter().flatten() {
        *address = address.replace(&format!("&limit={ROWS}"), "");
    }
    let template = ReportsPage {
        frame: frame.titled("Reports").part(if head.is_some() { "orgs" } else { "admin" }),
        head,
        tab: "reports",
        reports,
        is_open,
        path,
        pager,
        offset: rows.offset,
        reason_length: app.settings.limits.reason_length,
        tried,
        now: app.environment.now(),
    };
    with_status(status, &template)
}

/// Resolves a report, or opens it again.
pub async fn change(call: Call, frame: Frame, namespace: Option<&Namespace>) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller, path) = (&form.app, &form.caller, path(namespace));
    let report = form.text("report");
    match form.text("action").as_ref() {
        "resolve" => match api::resolve_report(app, caller, &report, &form.text("resolution")).await {
            Ok(()) => Ok(see_other(&notice::with(&path, "resolved"))),
            Err(failure) => {
                let shown = Tried::new(&form, failure, "resolution")?;
                let offset = form.text("offset").parse().unwrap_or(0);
                let rows = Page { limit: ROWS, offset: app.settings.limits.page_offset.min(offset) };
                list(app, caller, frame, namespace, (true, rows), shown).await
            }
        },
        "reopen" => {
            api::reopen_report(app, caller, &report).await?;
            Ok(see_other(&notice::with(&path, "reopened")))
        }
        _ => Err(unknown()),
    }
}
