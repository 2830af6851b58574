//! `GET /api/v1/skills/{id}/ratings`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{RatingsResponse, Review};
use skillery_core::{Problem, SkillId};

use crate::access::Caller;
use crate::app::App;
use crate::db::ratings as table;
use crate::failure::Result;
use crate::http::call::{Call, Page, json};
use crate::skill;
use crate::talk::viewer;

/// Characters of the reviews and answers of one page, but for one review that is longer.
const MAX_CHARACTERS: i64 = 200_000;

/// A skill's ratings, the newest first, and that of whoever asks (`own`).
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/ratings", tag = "ratings",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = RatingsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn ratings(call: &Call, id: &SkillId) -> Result<Response> {
    let page = call.page()?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    json(StatusCode::OK, &of_skill(&call.app, &call.caller, &skill.id, page, MAX_CHARACTERS).await?)
}

/// The rating of the user of this name, as the caller sees it.
pub async fn of_user(app: &App, caller: &Caller, id: &SkillId, user: &str) -> Result<Option<Review>> {
    table::of_user(&app.db, &id.key(), &viewer(caller, id), user).await
}

/// One page of the ratings of a skill that the caller sees, with at most so many characters.
pub async fn of_skill(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    page: Page,
    characters: i64,
) -> Result<RatingsResponse> {
    let (viewer, rows) = (viewer(caller, id), (page.limit as i64, page.offset as i64));
    let mut found = table::page(&app.db, &id.key(), &viewer, rows, characters).await?;
    found.next = found.next.filter(|next| *next <= app.settings.limits.page_offset as u64);
    Ok(found)
}
