//! `GET /api/v1/skills/{id}`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::Record;
use skillery_core::{Problem, SkillId, VersionRequest};

use crate::failure::Result;
use crate::http::call::{Call, ready_json};
use crate::skill;

/// The record of a skill's latest version.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}", tag = "skills",
    params(("id" = String, Path, description = "`org/name`; slashes may be written as `%2F`")),
    responses(
        (status = 200, body = Record),
        (status = 404, description = "`skill-not-found`; `version-not-found` when every version is yanked or a prerelease", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn show(call: &Call, id: &SkillId) -> Result<Response> {
    let skill = skill::load(&call.app, &call.caller, id).await?;
    let record =
        skill.record.clone().ok_or_else(|| skill::version_not_found(&skill.id, &VersionRequest::Latest))?;
    Ok(ready_json(StatusCode::OK, record))
}
