//! `GET /api/v1/skills/{id}/versions/{version}/health`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::HealthResponse;
use skillery_core::{Problem, SkillId, Version};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::insight::health;

/// How sound a version is: points for what can be looked at, why so many, and what would bring the rest.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/health", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
    ),
    responses((status = 200, body = HealthResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    json(StatusCode::OK, &health(&call.app, &call.caller, id, version).await?)
}
