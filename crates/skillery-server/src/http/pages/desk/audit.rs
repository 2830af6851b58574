//! `GET /admin/audit` and `GET /orgs/{namespace}/audit`: who did what, when and from where; as a list, as a file, as a report.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use skillery_core::Namespace;
use skillery_core::api::{AuditCount, AuditEntry, AuditOutcome, AuditRelease, AuditReport};
use skillery_core::time::Time;

use super::super::frame::{Frame, page};
use super::super::pager::fitting_rows;
use super::super::{said, show};
use super::room::Room;
use crate::audit::{self, Asked, Format};
use crate::failure::Result;
use crate::http::api::audit as api;
use crate::http::call::{Call, invalid_parameter};

/// What may be asked for, beside paging.
const FIELDS: [&str; 7] = ["actor", "subject", "action", "outcome", "from", "to", "address"];
/// Characters that are shown of what a client calls itself, where nobody points at it.
const AGENT: usize = 80;
/// Bytes of HTML that a row has without the texts that others chose.
const ROW: usize = 620;
/// Bytes of HTML that a byte of what is asked for takes at most: it stands in the form, and encoded in addresses.
const ASKED: usize = 17;
/// Rows of each list of a report, and the bytes of HTML that there is room for.
const LISTED: usize = 30;
const LIST: usize = 10_500;
/// Bytes of HTML that a row of such a list has without its texts.
const LISTED_ROW: usize = 260;

#[derive(Template)]
#[template(path = "pages/desk/audit.html")]
struct AuditPage {
    frame: Frame,
    room: Room,
    entries: Vec<AuditEntry>,
    /// What was asked for, name by name.
    asked: Vec<(&'static str, String)>,
    is_filtered: bool,
    /// Whether addresses are shown of everybody.
    is_all: bool,
    next: Option<String>,
    /// The same as a file, by its form.
    files: [(&'static str, String); 2],
    now: Time,
}

impl AuditPage {
    fn value(&self, name: &str) -> &str {
        self.asked.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn is_denied(&self, entry: &AuditEntry) -> bool {
        entry.outcome == AuditOutcome::Denied
    }

    /// Who did it, for people.
    fn actor(&self, entry: &AuditEntry) -> String {
        match (&entry.actor, entry.outcome) {
            (Some(actor), _) => actor.clone(),
            (None, AuditOutcome::Denied) => "not signed in".to_owned(),
            (None, AuditOutcome::Allowed) => "the registry".to_owned(),
        }
    }

    /// What a client calls itself, as far as it is shown.
    fn agent(&self, agent: &str) -> String {
        show::clipped(agent, AGENT)
    }
}

/// Bytes of HTML that these texts take, at most nearly.
fn texts<'text>(texts: impl IntoIterator<Item = &'text Option<String>>) -> usize {
    texts.into_iter().flatten().map(|text| show::weight(text)).sum()
}

/// The same of a row of the list.
fn weight(entry: &AuditEntry) -> usize {
    // A namespace stands where there is no subject.
    let about = if entry.subject.is_some() { &entry.subject } else { &entry.namespace };
    let agent = entry.agent.as_deref().unwrap_or_default();
    let said =
        [about, &entry.version, &entry.affected, &entry.actor, &entry.address, &entry.via, &entry.code];
    ROW + show::weight(&entry.action)
        + texts(said)
        + show::weight(agent)
        + show::weight(&show::clipped(agent, AGENT))
}

#[derive(Template)]
#[template(path = "pages/desk/audit-report.html")]
struct ReportPage {
    frame: Frame,
    room: Room,
    report: Arc<AuditReport>,
    days: String,
    now: Time,
}

impl ReportPage {
    /// The lists of counts, each with what it counts.
    fn counts(&self) -> [(&'static str, &'static str, &Vec<AuditCount>); 4] {
        let report = &self.report;
        [
            ("What was done", "Action", &report.actions),
            ("By whom", "User", &report.actors),
            ("Why something was refused", "Code", &report.denied_by_code),
            ("Who was refused", "Caller", &report.denied_by_caller),
        ]
    }

    /// The lists of rows, each with its heading.
    fn lists(&self) -> [(&'static str, &Vec<AuditEntry>); 3] {
        let report = &self.report;
        [
            ("Released around the policy", &report.break_glass),
            ("Roles that were given and taken", &report.members),
            ("Changes of policies", &report.policies),
        ]
    }

    /// The newest rows of a list: as many as there is room for.
    fn newest<'list>(&self, entries: &'list [AuditEntry]) -> &'list [AuditEntry] {
        let fits = fitting_rows(entries.iter().take(LISTED), LIST, |entry| {
            let said = [&entry.subject, &entry.version, &entry.affected, &entry.actor];
            LISTED_ROW + show::weight(&entry.action) + texts(said)
        });
        &entries[..fits]
    }

    /// The same of what was released.
    fn newest_releases(&self) -> &[AuditRelease] {
        let releases = &self.report.releases;
        let fits = fitting_rows(releases.iter().take(LISTED), LIST, |release| {
            let approved: usize = release.approved_by.iter().map(|name| show::weight(name) + 2).sum();
            LISTED_ROW + 2 * (release.skill.len() + release.version.len()) + approved
        });
        &releases[..fits]
    }
}

/// What the parameters ask for, as a page, a file or a report.
pub async fn show(call: &Call, frame: Frame, namespace: Option<Namespace>) -> Result<Response> {
    let app = &call.app;
    if namespace.is_none() {
        call.caller.require_site_admin()?;
    }
    let room = Room::of(app, &call.caller, namespace.as_ref(), "audit", "admin").await?;
    let frame = frame.titled(room.title("Audit", "Audit")).part(room.part());
    if call.parameter("show").as_deref() == Some("report") {
        let report = api::of_days(call, namespace.as_ref()).await?;
        let days = call.parameter("days").unwrap_or_else(|| "30".to_owned());
        return page(&ReportPage { frame, room, report, days, now: app.environment.now() });
    }
    let asked = Asked::within(call, namespace.as_ref()).await?;
    match call.parameter("format").as_deref() {
        None => {}
        Some("csv") => return api::file(call, asked, Format::Csv),
        Some("jsonl") => return api::file(call, asked, Format::Jsonl),
        Some(_) => return Err(invalid_parameter("format", "use `csv` or `jsonl`")),
    }
    let rows = call.page()?;
    let mut found = audit::page(app, &asked, call.parsed("before")?, rows.limit).await?;
    let fields: Vec<(&'static str, String)> =
        FIELDS.into_iter().filter_map(|name| Some((name, call.parameter(name)?))).collect();
    let typed: usize = fields.iter().map(|(_, value)| ASKED * value.len()).sum();
    let fits = fitting_rows(found.entries.iter(), said::ROOM.saturating_sub(typed), weight);
    if fits < found.entries.len() {
        found.entries.truncate(fits);
        found.next = found.entries.last().map(|entry| entry.id);
    }
    let address = |more: &[(&str, &str)]| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(&fields);
        query.extend_pairs(more);
        format!("{}?{}", room.path, query.finish())
    };
    let limit = rows.limit.to_string();
    let is_usual = rows.limit == app.settings.limits.default_page_rows;
    let next = found.next.map(|next| {
        let next = next.to_string();
        match is_usual {
            true => address(&[("before", &next)]),
            false => address(&[("before", &next), ("limit", &limit)]),
        }
    });
    page(&AuditPage {
        frame,
        files: [("CSV", address(&[("format", "csv")])), ("JSON Lines", address(&[("format", "jsonl")]))],
        next,
        is_filtered: !fields.is_empty() || call.parameter("before").is_some(),
        asked: fields,
        is_all: asked.is_all,
        entries: found.entries,
        room,
        now: app.environment.now(),
    })
}
