//! `GET` and `POST /orgs/{namespace}/comments` and `/admin/reports`: what was reported, and deciding about it.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{Report, ReportKind};
use skillery_core::time::Time;
use skillery_core::{Namespace, ProblemCode};

use super::super::form::{Form, unknown};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Pager, Pages};
use super::super::said::{self, RoomLeft};
use super::super::{notice, place, show};
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::http::api::reports as api;
use crate::http::call::{Call, Page};

/// Reports on a page at most.
const ROWS: usize = 20;
/// Bytes of HTML that a text in a list has at most; one with more is shown by its beginning.
const OF_TEXT: usize = 1_500;
/// What a report was before it was made anew, in a list: so often at most.
const FORMER: usize = 2;
/// Bytes of HTML around the texts of a report, and around those of a former one, without ids and names.
const AROUND: usize = 1_800;
const AROUND_FORMER: usize = 700;

/// A report as far as there is room.
struct Shown {
    report: Report,
    /// How often it was reported before.
    times: usize,
    /// Whether there is more of it.
    is_cut: bool,
}

#[derive(Template)]
#[template(path = "pages/desk/reports.html")]
struct ReportsPage {
    frame: Frame,
    /// Of the namespace; none: of the registry.
    head: Option<Head>,
    tab: &'static str,
    reports: Vec<Shown>,
    /// Whether one was asked for, which is shown alone.
    is_alone: bool,
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

    /// Where a version of a skill that is reported as a whole is quarantined: the one that was the newest then, where there was one.
    fn quarantine(&self, report: &Report) -> Option<String> {
        // Only admins of the registry quarantine, and theirs is the list that is of no namespace.
        let is_here = self.head.is_none() && report.kind == ReportKind::Skill;
        is_here.then(|| match self.version(report, &report.said) {
            Some(version) => format!("/{}/versions/{version}#manage", report.skill),
            None => format!("/{}#manage", report.skill),
        })
    }

    /// What was said; nothing of a whole skill.
    fn said<'report>(&self, report: &Report, said: &'report Option<String>) -> Option<&'report str> {
        said.as_deref().filter(|said| !said.is_empty() && report.kind != ReportKind::Skill)
    }

    /// Where it is shown alone, with all that it says.
    fn alone(&self, report: &Report) -> String {
        place::address(&self.path, [state(self.is_open), ("report", report.id.as_str())])
    }

    /// What was typed into the form of this report.
    fn typed(&self, report: &Report) -> &str {
        if self.is_tried(report) { self.tried.typed("resolve", "resolution") } else { "" }
    }

    /// Which version of the skill was the newest.
    fn version<'report>(&self, report: &Report, said: &'report Option<String>) -> Option<&'report str> {
        said.as_deref().filter(|said| !said.is_empty() && report.kind == ReportKind::Skill)
    }

    /// What is said of a report about what has changed since.
    fn since(&self, report: &Report) -> &'static str {
        match (report.kind, report.said.as_deref()) {
            // There was none when it was reported.
            (ReportKind::Skill, Some("")) => "It has a release by now.",
            (ReportKind::Skill, _) => "That version is not the newest any more.",
            _ => "It says something else by now, or is not there any more.",
        }
    }

    /// Why nothing was resolved, and what was typed, where the report is none of these any more.
    fn lost(&self) -> Option<(&str, &str)> {
        let is_here = self.reports.iter().any(|shown| self.is_tried(&shown.report));
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

/// What stands in an address for reports that are open, or resolved.
fn state(is_open: bool) -> (&'static str, &'static str) {
    ("state", if is_open { "" } else { "resolved" })
}

/// Which reports a page is of.
struct Which {
    is_open: bool,
    rows: Page,
    /// The id of one that is shown alone.
    report: Option<String>,
}

/// What waits, or with `state=resolved` what does not any more; with `report` one of them.
pub async fn show(call: &Call, frame: Frame, namespace: Option<&Namespace>) -> Result<Response> {
    let is_open = api::is_open(call)?;
    let rows = Page { limit: ROWS, ..call.page()? };
    let which = Which { is_open, rows, report: call.parameter("report") };
    let shown = (Tried::default(), StatusCode::OK);
    list(&call.app, &call.caller, frame, namespace, which, shown).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: Option<&Namespace>,
    which: Which,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = match namespace {
        Some(namespace) => Some(Head::of(app, caller, namespace, "reports").await?),
        None => {
            caller.require_site_admin()?;
            None
        }
    };
    let Which { is_open, mut rows, report } = which;
    let is_alone = report.is_some();
    if is_alone {
        // It is the first of a list of one, wherever it stands in another.
        rows.offset = 0;
    }
    let mut asked = api::Asked { namespace, is_open, id: report };
    let mut found = api::reports(app, caller, &asked, rows).await?;
    if found.reports.is_empty() && is_alone {
        // Somebody may have decided about it meanwhile.
        asked.is_open = !is_open;
        found = api::reports(app, caller, &asked, rows).await?;
        if found.reports.is_empty() {
            return Err(Failure::new(ProblemCode::ReportNotFound, "there is no such report here"));
        }
    } else if found.reports.is_empty() && found.total > 0 {
        // What stood there is decided about.
        rows.offset = usize::try_from(found.total - 1).unwrap_or(0) / ROWS * ROWS;
        found = api::reports(app, caller, &asked, rows).await?;
    }
    let is_open = asked.is_open;
    let path = path(namespace);
    let mut room = RoomLeft(said::ROOM.saturating_sub(tried.weight()));
    // The first one stands there, however little room there is.
    let reports = found.reports.into_iter().enumerate();
    let reports = reports.map_while(|(place, report)| laid_out(report, is_alone, &mut room, place == 0));
    let reports: Vec<Shown> = reports.collect();
    let query = [state(is_open)];
    let pages = Pages::of(app, &path, &query).usually(ROWS);
    let pager = pages.ending_at(rows.offset + reports.len(), rows, found.total);
    let template = ReportsPage {
        frame: frame.titled("Reports").part(if head.is_some() { "orgs" } else { "admin" }),
        head,
        tab: "reports",
        reports,
        is_alone,
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

/// A report with its texts as far as there is room, what is said of it before what it is about; none where there is no room for it,
/// unless it has to be there.
fn laid_out(mut report: Report, is_alone: bool, room: &mut RoomLeft, has_to: bool) -> Option<Shown> {
    let times = report.former.len();
    let mut row = room.row((!is_alone).then_some(OF_TEXT));
    let names = [&report.accused, &report.reporter, &report.resolved_by, &report.review, &report.answer];
    let names = names.into_iter().flatten().map(String::len).sum::<usize>();
    row.used += AROUND + 4 * (report.skill.len() + names);
    row.cut(&mut report.text);
    report.resolution.iter_mut().for_each(|text| row.cut(text));
    report.said.iter_mut().for_each(|text| row.cut(text));
    let former = std::mem::take(&mut report.former);
    for (place, mut former) in former.into_iter().rev().enumerate() {
        if (place >= FORMER && !is_alone) || row.left() < AROUND_FORMER + 3 * OF_TEXT {
            row.is_cut = true;
            break;
        }
        row.used += AROUND_FORMER;
        row.cut(&mut former.text);
        former.resolution.iter_mut().for_each(|text| row.cut(text));
        former.said.iter_mut().for_each(|text| row.cut(text));
        report.former.push(former);
    }
    report.former.reverse();
    room.take(&row, has_to).then_some(Shown { report, times, is_cut: row.is_cut })
}

/// Resolves a report, or opens it again, and goes back to the list from which that was done.
pub async fn change(call: Call, frame: Frame, namespace: Option<&Namespace>) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller, path) = (&form.app, &form.caller, path(namespace));
    let report = form.text("report");
    let offset = form.text("offset").parse::<usize>().unwrap_or(0).min(app.settings.limits.page_offset);
    let place = if offset > 0 { offset.to_string() } else { String::new() };
    let state = state(form.text("state") != "resolved");
    let back = place::address(&path, [state, ("offset", place.as_str())]);
    match form.text("action").as_ref() {
        "resolve" => match api::resolve_report(app, caller, &report, &form.text("resolution")).await {
            Ok(()) => Ok(see_other(&notice::with(&back, "resolved"))),
            Err(failure) => {
                let shown = Tried::new(&form, failure, "resolution")?;
                let rows = Page { limit: ROWS, offset };
                list(app, caller, frame, namespace, Which { is_open: true, rows, report: None }, shown).await
            }
        },
        "reopen" => {
            api::reopen_report(app, caller, &report).await?;
            Ok(see_other(&notice::with(&back, "reopened")))
        }
        _ => Err(unknown()),
    }
}
