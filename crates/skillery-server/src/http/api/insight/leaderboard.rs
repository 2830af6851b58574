//! `GET /api/v1/leaderboards`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::Problem;
use skillery_core::api::{BoardOf, BoardPeriod, LeaderboardResponse};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::insight::leaderboard;

/// Whose skills have most consumers: users outside of the org, each once.
#[utoipa::path(
    get, path = "/api/v1/leaderboards", tag = "usage",
    params(
        ("of" = Option<String>, Query, description = "`authors` or `teams`; `authors` when left out"),
        ("period" = Option<String>, Query, description = "`week`, `month` or `all`; `month` when left out"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = LeaderboardResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call) -> Result<Response> {
    let page = call.page()?;
    let of = call.parsed::<BoardOf>("of")?.unwrap_or(BoardOf::Authors);
    let period = call.parsed::<BoardPeriod>("period")?.unwrap_or(BoardPeriod::Month);
    json(StatusCode::OK, &leaderboard(&call.app, &call.caller, of, period, page).await?)
}
