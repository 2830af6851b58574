//! `GET /api/v1/skills/{id}/usage/adoption`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::AdoptionResponse;
use skillery_core::{Problem, SkillId};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::insight::adoption;
use crate::skill;

/// Which versions of a skill are in use, and who still has one that was taken back: how many users, and for admins of the
/// namespace, which.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/usage/adoption", tag = "usage",
    params(("id" = String, Path, description = "`org/name`")),
    responses((status = 200, body = AdoptionResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId) -> Result<Response> {
    let skill = skill::find(&call.app, &call.caller, id).await?;
    json(StatusCode::OK, &*adoption(&call.app, &call.caller, &skill).await?)
}
