//! `GET /api/v1/skills/{id}/dependencies`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::DependenciesResponse;
use skillery_core::{Problem, SkillId, VersionRequest};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::insight::dependencies;

/// What a version needs, what that needs, and so on.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/dependencies", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = Option<String>, Query, description = "an exact version or a SemVer range; the latest when left out"),
        ("depth" = Option<u32>, Query, description = "how far to look; 1 for what is needed at once, at most 32, which it is when left out"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = DependenciesResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId) -> Result<Response> {
    let page = call.page()?;
    let text = call.parameter("version").unwrap_or_default();
    let request: VersionRequest = text.parse()?;
    let depth = call.parsed::<u32>("depth")?.map(|depth| depth.max(1));
    json(StatusCode::OK, &dependencies(&call.app, &call.caller, id, &request, depth, page).await?)
}
