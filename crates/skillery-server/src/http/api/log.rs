//! `GET /api/v1/log`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::Problem;
use skillery_core::api::LogResponse;

use crate::access::Caller;
use crate::app::App;
use crate::db::log as table;
use crate::failure::Result;
use crate::http::call::{Call, invalid_parameter, json};

/// What was changed, by whom and when, in order. For admins of the registry.
#[utoipa::path(
    get, path = "/api/v1/log", tag = "operations", security(("token" = ["admin"])),
    params(
        ("after" = Option<i64>, Query, description = "entries from this number on; 0 when left out"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
    ),
    responses((status = 200, body = LogResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    call.caller.require_site_admin()?;
    let page = call.page()?;
    let after = call.parsed::<i64>("after")?.unwrap_or(0);
    if after < 0 {
        return Err(invalid_parameter("after", "it must not be negative"));
    }
    json(StatusCode::OK, &from(&call.app, &call.caller, after, page.limit).await?)
}

/// Entries from this number on.
pub async fn from(app: &App, caller: &Caller, after: i64, limit: usize) -> Result<LogResponse> {
    caller.require_site_admin()?;
    let size = app.db.refresh_size().await?;
    let entries = table::entries(&app.db, after, limit as i64).await?;
    Ok(LogResponse { size, entries })
}
