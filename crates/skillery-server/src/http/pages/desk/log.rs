//! `GET /admin/log`: what was changed, the newest first.

use std::collections::BTreeMap;

use askama::Template;
use axum::response::Response;
use serde_json::Value;
use skillery_core::SkillId;
use skillery_core::api::LogKeyResponse;
use skillery_core::event::Event;
use skillery_core::time::Time;

use super::super::frame::{Frame, page};
use super::super::pager::{Pager, Pages, fitting_rows};
use super::super::{said, show};
use crate::app::App;
use crate::db::{accounts, cosignatures};
use crate::failure::{Failure, Result};
use crate::http::api::{log as api, tlog};
use crate::http::call::{Call, invalid_parameter};

const PATH: &str = "/admin/log";
/// Characters that are shown of what an entry says of one thing.
const FACT: usize = 300;
/// Bytes of HTML that a row has without its texts, and what is around each of its facts.
const ROW: usize = 220;
const AROUND: usize = 18;

struct Row {
    index: u64,
    time: Time,
    actor: String,
    kind: String,
    /// What the entry says, name by name, as far as it is shown.
    facts: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "pages/desk/log.html")]
struct LogPage {
    frame: Frame,
    tab: &'static str,
    size: i64,
    skill: String,
    rows: Vec<Row>,
    pager: Pager,
    /// Whether these are not the newest.
    is_later: bool,
    checkpoint: String,
    key: LogKeyResponse,
    witnesses: Vec<(String, u64)>,
    now: Time,
}

/// Entries before a number, else the newest; with `skill` those about it.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    call.caller.require_site_admin()?;
    let app = &call.app;
    let limit = call.page()?.limit;
    let before = call.parsed::<i64>("before")?;
    if before.is_some_and(|before| before < 0) {
        return Err(invalid_parameter("before", "it must not be negative"));
    }
    let size = app.db.refresh_size().await?;
    let skill = call.parsed::<SkillId>("skill")?;
    let (rows, has_next) = match &skill {
        Some(id) => of_skill(call, id, limit).await?,
        None => {
            let before = before.unwrap_or(size).min(size);
            let after = before.saturating_sub(limit as i64).max(0);
            let count = usize::try_from(before - after).unwrap_or(0);
            let entries = api::from(app, &call.caller, after, count).await?.entries;
            let rows = entries.into_iter().rev().map(|entry| {
                row(u64::try_from(entry.index).unwrap_or(0), entry.time, entry.actor, &entry.event)
            });
            (rows.collect::<Result<Vec<_>>>()?, after > 0)
        }
    };
    let mut rows = named(app, rows).await?;
    let fits = fitting_rows(rows.iter(), said::ROOM, weight);
    let has_next = has_next || fits < rows.len();
    rows.truncate(fits);
    let text = skill.as_ref().map(ToString::to_string).unwrap_or_default();
    let last = rows.last().filter(|_| has_next).map(|row| row.index);
    let pager = Pages::of(app, PATH, &[("skill", &text)]).at("before", limit, None, last);
    let mut witnesses = BTreeMap::new();
    for one in cosignatures::all(&app.db).await? {
        witnesses.entry(one.witness).or_insert(one.size);
    }
    page(&LogPage {
        frame: frame.titled("Log").part("admin"),
        tab: "log",
        size,
        pager,
        is_later: before.is_some(),
        skill: text,
        rows,
        checkpoint: tlog::newest_checkpoint(app).await?,
        key: tlog::present_key(app).await?,
        witnesses: witnesses.into_iter().collect(),
        now: app.environment.now(),
    })
}

async fn of_skill(call: &Call, id: &SkillId, limit: usize) -> Result<(Vec<Row>, bool)> {
    let entries = tlog::about_skill(call, id).await?.entries;
    let has_next = !entries.is_empty() && entries.len() == limit;
    let row = |logged: skillery_core::api::LoggedEntry| {
        let entry = logged.opening.parse().map_err(Failure::internal)?;
        row(logged.index, entry.time, entry.actor, &entry.event)
    };
    Ok((entries.into_iter().map(row).collect::<Result<_>>()?, has_next))
}

fn row(index: u64, time: Time, actor: Option<String>, event: &Event) -> Result<Row> {
    let value = serde_json::to_value(event).map_err(Failure::internal)?;
    let said = |value: &Value| match value.as_str() {
        Some(text) => show::clipped(text, FACT),
        None => show::clipped(&value.to_string(), FACT),
    };
    let facts = value.as_object().into_iter().flatten().filter(|(name, _)| *name != "kind");
    let facts = facts.map(|(name, value)| (name.replace('_', " "), said(value))).collect();
    Ok(Row { index, time, actor: actor.unwrap_or_default(), kind: event.kind().to_owned(), facts })
}

/// Bytes of HTML that a row takes, at most nearly.
fn weight(row: &Row) -> usize {
    let facts = row.facts.iter().map(|(name, value)| AROUND + name.len() + show::weight(value));
    ROW + row.kind.len() + show::weight(&row.actor) + facts.sum::<usize>()
}

/// The rows with names in place of the ids of those who did it, and to whom.
async fn named(app: &App, mut rows: Vec<Row>) -> Result<Vec<Row>> {
    let mut names = BTreeMap::<String, String>::new();
    for row in &mut rows {
        let of_users = row.facts.iter_mut().filter(|(name, _)| name == "user").map(|(_, value)| value);
        for id in of_users.chain([&mut row.actor]) {
            if !names.contains_key(&**id) {
                let user = accounts::user_by_id(app.db.reader(), id).await?;
                names.insert(id.clone(), user.map_or_else(|| id.clone(), |user| user.name));
            }
            id.clone_from(&names[&**id]);
        }
        if row.actor.is_empty() {
            row.actor = "the registry".to_owned();
        }
    }
    Ok(rows)
}
