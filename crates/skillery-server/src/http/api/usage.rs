//! `POST /api/v1/usage` and `GET /api/v1/skills/{id}/usage`

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{MAX_RUN_MILLISECONDS, UsageEntry, UsageRequest, UsageResponse};
use skillery_core::{Limits, Problem, Scope, SkillId, Version};

use crate::access::Caller;
use crate::app::App;
use crate::counters::day_of;
use crate::db::usage::{self as table, Counts};
use crate::failure::Result;
use crate::http::call::{Call, done, json};
use crate::skill;
use crate::text::invalid;

/// Counts by key of the skill and version.
type Report = BTreeMap<(String, String), Counts>;

/// Tells how often versions were run since the report before. The same report again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/usage", tag = "usage", request_body = UsageRequest, security(("token" = ["read"])),
    responses(
        (status = 204, description = "counted, now or before"),
        (status = 422, description = "`unknown-field`, `invalid-field`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn report(call: Call) -> Result<Response> {
    call.caller.require(Scope::Read)?;
    let (app, caller, request) = call.json::<UsageRequest>().await?;
    let batch = uuid::Uuid::try_parse(&request.batch)
        .map_err(|error| invalid("batch", format!("`batch` is no UUID: {error}")))?;
    let report = check(&request.entries, &app.settings.limits)?;
    let counts = visible(&app, &caller, report).await?;
    let user = caller.user_id().unwrap_or_default().to_owned();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let day = day_of(tx.now);
                table::add(tx, &user, &batch.to_string(), day, &counts).await
            })
        })
        .await?;
    Ok(done())
}

/// What users have told of each version.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/usage", tag = "usage",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = UsageResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId) -> Result<Response> {
    let page = call.page()?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let namespace = skill.id.namespace().key();
    let mut versions = table::of_skill(&call.app.db, &skill.id.key()).await?;
    versions.retain(|(_, status)| skill::sees_status(&call.caller, &namespace, *status, |_| false));
    versions.sort_by(|left, right| right.0.version.cmp(&left.0.version));
    let total = versions.len() as u64;
    let versions = versions.into_iter().map(|(usage, _)| usage).skip(page.offset).take(page.limit).collect();
    json(StatusCode::OK, &UsageResponse { id: skill.id.to_string(), total, versions })
}

/// Everything about a report that needs no database. Entries of one version are added up.
fn check(entries: &[UsageEntry], limits: &Limits) -> Result<Report> {
    if entries.len() > limits.usage_entries {
        let detail =
            format!("`entries` has {} entries, the limit is {}", entries.len(), limits.usage_entries);
        return Err(invalid("entries", detail));
    }
    let mut report = Report::new();
    for (place, entry) in entries.iter().enumerate() {
        let refused = |detail: String| invalid("entries", format!("`entries[{place}]`: {detail}"));
        let id: SkillId =
            entry.skill.parse().map_err(|error: skillery_core::id::IdError| refused(error.to_string()))?;
        let version: Version = entry
            .version
            .parse()
            .map_err(|error: skillery_core::version::VersionError| refused(error.to_string()))?;
        let counts = counts(entry, limits).map_err(refused)?;
        let sum = report.entry((id.key(), version.to_string())).or_default();
        *sum = Counts {
            runs: sum.runs + counts.runs,
            succeeded: sum.succeeded + counts.succeeded,
            failed: sum.failed + counts.failed,
            timed: sum.timed + counts.timed,
            latency_ms: sum.latency_ms + counts.latency_ms,
        };
    }
    Ok(report)
}

fn counts(entry: &UsageEntry, limits: &Limits) -> std::result::Result<Counts, String> {
    let UsageEntry { runs, succeeded, failed, latency_ms_total, .. } = *entry;
    if runs > limits.usage_runs {
        return Err(format!("`runs` is {runs}, the limit is {}", limits.usage_runs));
    }
    let ended = succeeded.saturating_add(failed);
    if ended > runs {
        return Err(format!("`succeeded` and `failed` are {ended} together, and `runs` is {runs}"));
    }
    let longest = ended.saturating_mul(MAX_RUN_MILLISECONDS);
    if latency_ms_total.is_some_and(|total| total > longest) {
        return Err("`latency_ms_total` is over a day for each run that succeeded or failed".to_owned());
    }
    let number = |value: u64| i64::try_from(value).map_err(|_| "a number is too large".to_owned());
    Ok(Counts {
        runs: number(runs)?,
        succeeded: number(succeeded)?,
        failed: number(failed)?,
        timed: if latency_ms_total.is_some() { number(ended)? } else { 0 },
        latency_ms: number(latency_ms_total.unwrap_or(0))?,
    })
}

/// The part of a report that is about versions which the caller sees. The rest is dropped, as if it were not there.
async fn visible(app: &App, caller: &Caller, report: Report) -> Result<Vec<((String, String), Counts)>> {
    let wanted: Vec<_> = report.keys().cloned().collect();
    let mut counted = Report::new();
    for found in table::countable(&app.db, &wanted).await? {
        let namespace = found.skill.namespace().key();
        if !caller.sees(found.visibility, &namespace)
            || !skill::sees_status(caller, &namespace, found.status, |_| false)
        {
            continue;
        }
        let key = (found.skill.key(), found.version.to_string());
        if let Some(counts) = report.get(&key) {
            counted.insert(key, *counts);
        }
    }
    // In one order on every server, so that two of them never wait for each other.
    Ok(counted.into_iter().collect())
}
