//! What operators and balancers ask: alive, ready, metrics.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use skillery_core::ProblemCode;

use super::call::{Call, json};
use crate::app::App;
use crate::db::{ROTATED, log};
use crate::failure::{Failure, Result};

/// What a health check answers.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Running {
    /// `ok`.
    pub status: &'static str,
    /// The program's version.
    pub version: &'static str,
}

fn ok() -> Result<Response> {
    json(StatusCode::OK, &Running { status: "ok", version: env!("CARGO_PKG_VERSION") })
}

/// Whether the process runs.
#[utoipa::path(get, path = "/healthz", tag = "operations", responses((status = 200, body = Running)))]
pub fn healthz() -> Result<Response> {
    ok()
}

/// Whether requests can be answered: the database answers, the log is signed with the key of this server, and the search
/// index is there.
#[utoipa::path(get, path = "/readyz", tag = "operations", responses(
    (status = 200, body = Running),
    (status = 503, description = "not ready, or stopping", body = skillery_core::Problem),
))]
pub async fn readyz(call: &Call) -> Result<Response> {
    match trouble(&call.app).await? {
        Some(why) => Err(Failure::new(ProblemCode::Busy, why)),
        None => ok(),
    }
}

/// Why the registry does not answer as it should, if it does not.
pub async fn trouble(app: &App) -> Result<Option<&'static str>> {
    if app.is_draining() {
        return Ok(Some("the registry is stopping"));
    }
    app.db.refresh_size().await?;
    let head = log::read_head(&app.db).await?;
    let is_ours = app.log_key.is_named_by(&head.note);
    if let Some(why) = app.db.halted().or((!is_ours).then_some(ROTATED)) {
        return Ok(Some(why));
    }
    let search = &app.search;
    let built = search.is_building().then_some("the search index is being built");
    let follows = search.is_failing().then_some("the search index does not follow the registry right now");
    Ok(built.or(follows))
}

/// Counters and histograms for Prometheus. They speak of the server, not of any skill.
#[utoipa::path(get, path = "/metrics", tag = "operations", responses(
    (status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"),
    (status = "default", description = "a problem", body = skillery_core::Problem),
))]
pub async fn metrics(call: &Call) -> Result<Response> {
    let app = &call.app;
    let page = app.metrics.page(app.db.size(), app.search.cursor().log).map_err(Failure::internal)?;
    let mut response = page.into_response();
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Ok(response)
}
