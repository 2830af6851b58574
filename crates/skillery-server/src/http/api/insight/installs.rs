//! `GET /api/v1/skills/{id}/usage/installs`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::InstallsResponse;
use skillery_core::{Problem, SkillId};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::insight::{Only, Span, of_skill};
use crate::skill;

/// How often a skill was installed: by day, week or month, by version and by program; with `version` and `program`, that one alone.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/usage/installs", tag = "usage",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("by" = Option<String>, Query, description = "`day`, `week` or `month`; `day` when left out"),
        ("days" = Option<u32>, Query, description = "the last so many days, from a whole unit on; 28 when left out, at most 366 by `day`, else 3,660"),
        ("version" = Option<String>, Query, description = "this version alone, by its exact name"),
        ("program" = Option<String>, Query, description = "this program alone; with a version by `day` only, and only where nothing is withheld: where `k` is 1, and from admins of the namespace"),
    ),
    responses((status = 200, body = InstallsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId) -> Result<Response> {
    let (span, only) = (Span::of(call)?, Only::of(call)?);
    let skill = skill::find(&call.app, &call.caller, id).await?;
    json(StatusCode::OK, &of_skill(&call.app, &call.caller, &skill.id, span, only).await?)
}
