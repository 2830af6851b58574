//! A report about some days: what was done and refused, by whom, and what an auditor asks for first.

use std::collections::HashMap;
use std::sync::Arc;

use skillery_core::Namespace;
use skillery_core::api::{AuditCount, AuditEntry, AuditOutcome, AuditRelease, AuditReport};
use skillery_core::event::Event;
use skillery_core::time::{DAY_SECONDS, Time};

use super::read::Asked;
use crate::app::App;
use crate::db::audit::{self as table, By, Filter};
use crate::failure::Result;
use crate::shelf::Shelf;

/// Reports that are kept for a minute.
pub type Reports = Shelf<Key, (), AuditReport>;
/// Keys of namespaces, if it is not about all; whether addresses are shown; of which namespace, as it is spelled; and days.
pub type Key = (Option<Vec<String>>, bool, Option<String>, u32);

/// Reports that are kept at most, about.
const REPORTS: usize = 8;
/// So much happened that a report about it takes a while to make.
const MUCH: i64 = 1_000;
/// Rows of each list.
const ROWS: usize = 200;
/// Who is not signed in and comes from an address that is not shown.
const UNKNOWN: &str = "(not signed in)";
/// The kind of change that goes around a policy.
const BREAK_GLASS: &str = "version.forced";

/// Where reports are kept: those about so much that it takes a while to make them. Others are of the moment.
pub fn reports() -> Reports {
    Shelf::new(REPORTS).of_those(|report: &AuditReport| report.allowed.saturating_add(report.denied) >= MUCH)
}

/// What happened in these days. Where that is much it may be a minute old, and up to ten while a new one is made; `to` says of
/// when it is.
pub async fn report(
    app: &Arc<App>,
    asked: Asked,
    namespace: Option<&Namespace>,
    days: u32,
) -> Result<Arc<AuditReport>> {
    let namespace = namespace.map(ToString::to_string);
    let key = (asked.filter.within.clone(), asked.is_all, namespace.clone(), days);
    // It reads all rows of these days, some of them thirteen times: a few reports at a time, however many ask.
    let make = move |app: Arc<App>| async move { made(&app, &asked, namespace, days).await };
    app.reports.get_soon(app, &app.auditing, key, || (), make).await
}

async fn made(app: &App, asked: &Asked, namespace: Option<String>, days: u32) -> Result<AuditReport> {
    let to = app.environment.now();
    let from = to.plus_seconds(-i64::from(days) * DAY_SECONDS);
    // What happens in this moment belongs to it.
    let until = Time::from_micros(to.micros().saturating_add(1));
    let all = Filter { from: Some(from), to: Some(until), ..asked.filter.clone() };
    let allowed = Filter { outcome: Some(AuditOutcome::Allowed), ..all.clone() };
    let denied = Filter { outcome: Some(AuditOutcome::Denied), ..all };
    let of_kinds = |kinds: &[&'static str]| Filter { kinds: kinds.to_vec(), ..allowed.clone() };
    let mut denied_by_caller = counts(app, &denied, By::Actor).await?;
    let strangers = match asked.is_all {
        true => By::Address,
        // An address is nothing for admins of a namespace.
        false => By::Stranger,
    };
    denied_by_caller.extend(counts(app, &denied, strangers).await?);
    denied_by_caller.sort_by(|left, right| right.times.cmp(&left.times).then(left.name.cmp(&right.name)));
    Ok(AuditReport {
        from,
        to,
        namespace,
        allowed: table::total(&app.db, &allowed).await?,
        denied: table::total(&app.db, &denied).await?,
        actions: counts(app, &allowed, By::Action).await?,
        actors: counts(app, &allowed, By::Actor).await?,
        denied_by_code: counts(app, &denied, By::Code).await?,
        denied_by_caller,
        members: entries(app, asked, &of_kinds(&["member.set", "member.removed"])).await?,
        releases: releases(app, &of_kinds(&["version.released", "version.reviewed"])).await?,
        break_glass: entries(app, asked, &of_kinds(&[BREAK_GLASS])).await?,
        policies: entries(
            app,
            asked,
            &of_kinds(&["policy.set", "policy.removed", "group.set", "group.removed", "insight.set"]),
        )
        .await?,
    })
}

async fn counts(app: &App, filter: &Filter, by: By) -> Result<Vec<AuditCount>> {
    let counts = table::counts(&app.db, filter, by, ROWS).await?;
    let named = |(name, times): (Option<String>, i64)| AuditCount {
        name: name.unwrap_or_else(|| UNKNOWN.to_owned()),
        times,
    };
    Ok(counts.into_iter().map(named).collect())
}

async fn entries(app: &App, asked: &Asked, filter: &Filter) -> Result<Vec<AuditEntry>> {
    let rows = table::page(&app.db, filter, None, ROWS).await?;
    Ok(rows.into_iter().map(|row| asked.shown(row)).collect())
}

async fn releases(app: &App, filter: &Filter) -> Result<Vec<AuditRelease>> {
    let rows = table::page(&app.db, filter, None, ROWS).await?;
    let mut found = Vec::new();
    let mut wanted = Vec::new();
    for row in rows {
        let (
            Some(
                Event::VersionReleased { skill, version, approvals, .. }
                | Event::VersionReviewed { skill, version, approvals, .. },
            ),
            Some(log_index),
        ) = (row.entry.event, row.entry.log_index)
        else {
            continue;
        };
        wanted.extend(approvals.iter().copied());
        let release = AuditRelease {
            time: row.entry.time,
            skill: skill.to_string(),
            version: version.to_string(),
            action: row.entry.action,
            approved_by: Vec::new(),
            log_index,
        };
        found.push((release, approvals));
    }
    let names: HashMap<i64, String> = table::actors_of(&app.db, &wanted).await?.into_iter().collect();
    let name = |entry: &u64| i64::try_from(*entry).ok().and_then(|entry| names.get(&entry)).cloned();
    let named = |(release, approvals): (AuditRelease, Vec<u64>)| AuditRelease {
        approved_by: approvals.iter().filter_map(name).collect(),
        ..release
    };
    Ok(found.into_iter().map(named).collect())
}
