//! `GET /api/v1/audit` and `GET /api/v1/audit/report`

use std::sync::Arc;

use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use skillery_core::api::{AuditReport, AuditResponse, MAX_REPORT_DAYS};
use skillery_core::{Namespace, Problem};

use crate::audit::{Asked, Format, body, page, report};
use crate::failure::Result;
use crate::http::call::{Call, invalid_parameter, json};

/// Days of a report when the caller does not say.
const DAYS: u32 = 30;

/// What was done and what was refused, by whom, when and from where; the newest first. Admins of the registry see all of it,
/// admins of a namespace what concerns it and what lies below, and from where only of its members. As CSV or JSON Lines
/// there is no limit but the one that is asked for.
#[utoipa::path(
    get, path = "/api/v1/audit", tag = "audit", security(("token" = ["admin"])),
    params(
        ("actor" = Option<String>, Query, description = "who: the name or id of a user"),
        ("subject" = Option<String>, Query, description = "what about: a skill, a namespace and all below it, a user, the id of a token"),
        ("action" = Option<String>, Query, description = "the beginning of the action, such as `version.` or `POST /api/v1/skills`"),
        ("outcome" = Option<String>, Query, description = "`allowed` or `denied`"),
        ("from" = Option<String>, Query, description = "from this time on, or this day (UTC)"),
        ("to" = Option<String>, Query, description = "before this time or day"),
        ("address" = Option<String>, Query, description = "from this address; for admins of the registry"),
        ("namespace" = Option<String>, Query, description = "only what concerns it, and what lies below"),
        ("before" = Option<i64>, Query, description = "`next` of the page before"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200; of a file any number, and all when left out"),
        ("format" = Option<String>, Query, description = "`json`, `csv` or `jsonl`; else what `Accept` says"),
    ),
    responses(
        (status = 200, content((AuditResponse = "application/json"), (String = "text/csv"), (String = "application/jsonl"))),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn list(call: &Call) -> Result<Response> {
    let asked = Asked::from(call).await?;
    let before = call.parsed::<i64>("before")?;
    let Some(format) = format(call)? else {
        let rows = call.page()?;
        return json(StatusCode::OK, &page(&call.app, &asked, before, rows.limit).await?);
    };
    file(call, asked, format)
}

/// What is asked for, as a file.
pub fn file(call: &Call, asked: Asked, format: Format) -> Result<Response> {
    let before = call.parsed::<i64>("before")?;
    let limit = call.parsed::<usize>("limit")?.unwrap_or(usize::MAX);
    let mut response = Response::new(body(Arc::clone(&call.app), asked, format, before, limit));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let name = match format {
        Format::Csv => "attachment; filename=\"audit.csv\"",
        Format::Jsonl => "attachment; filename=\"audit.jsonl\"",
    };
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static(name));
    Ok(response)
}

/// The form of a file, where one is asked for.
fn format(call: &Call) -> Result<Option<Format>> {
    match call.parameter("format").as_deref() {
        Some("json") => return Ok(None),
        Some("csv") => return Ok(Some(Format::Csv)),
        Some("jsonl") => return Ok(Some(Format::Jsonl)),
        Some(_) => return Err(invalid_parameter("format", "use `json`, `csv` or `jsonl`")),
        None => {}
    }
    let accepted = call.header("accept").unwrap_or_default();
    let mut kinds = accepted.split(',').map(|kind| kind.split(';').next().unwrap_or_default().trim());
    let wanted = kinds.find_map(|kind| match kind {
        "text/csv" => Some(Some(Format::Csv)),
        "application/jsonl" | "application/x-ndjson" => Some(Some(Format::Jsonl)),
        "application/json" | "*/*" => Some(None),
        _ => None,
    });
    Ok(wanted.flatten())
}

/// What happened in the last days, counted, with what an auditor asks for first. A report about 1,000 events or more may be a minute
/// old, and up to ten while a new one is made; `to` says of when it is.
#[utoipa::path(
    get, path = "/api/v1/audit/report", tag = "audit", security(("token" = ["admin"])),
    params(
        ("days" = Option<u32>, Query, description = "30 when left out"),
        ("namespace" = Option<String>, Query, description = "only what concerns it, and what lies below"),
    ),
    responses((status = 200, body = AuditReport), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call) -> Result<Response> {
    let namespace = call.parsed::<Namespace>("namespace")?;
    json(StatusCode::OK, &*of_days(call, namespace.as_ref()).await?)
}

/// The report that the call asks for, of a namespace or of all that the caller may read.
pub async fn of_days(call: &Call, namespace: Option<&Namespace>) -> Result<Arc<AuditReport>> {
    let asked = Asked::of(&call.caller, namespace)?;
    let days = call.parsed::<u32>("days")?.unwrap_or(DAYS);
    if days == 0 || days > MAX_REPORT_DAYS {
        return Err(invalid_parameter("days", &format!("from 1 to {MAX_REPORT_DAYS}")));
    }
    report(&call.app, asked, namespace, days).await
}
