//! `GET /api/v1/skills/{id}/dependents`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::DependentsResponse;
use skillery_core::{Problem, ProblemCode, SkillId, Version};

use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};
use crate::insight::dependents;

/// What a change of a skill reaches: the skills whose latest version needs it, those that need these, and so on.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/dependents", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = Option<String>, Query, description = "a version that it may change to, published or not: who would take it?"),
        ("depth" = Option<u32>, Query, description = "how far to look; 1 for what needs it directly, at most 32, which it is when left out"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = DependentsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId) -> Result<Response> {
    let page = call.page()?;
    let version = call.parameter("version").map(|version| version.parse::<Version>()).transpose();
    let version = version.map_err(|error| Failure::new(ProblemCode::InvalidVersion, error.to_string()))?;
    let depth = call.parsed::<u32>("depth")?.map(|depth| depth.max(1));
    json(StatusCode::OK, &dependents(&call.app, &call.caller, id, version, depth, page).await?)
}
