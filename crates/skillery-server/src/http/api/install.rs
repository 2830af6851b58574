//! `GET /api/v1/skills/{id}/install`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::InstallResponse;
use skillery_core::{Problem, ProblemCode, SkillId, Version, VersionRequest};

use crate::catalog;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};
use crate::install_lines::install_lines;

/// What to type to install a skill, for each program that can install it from this registry.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/install", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = Option<String>, Query, description = "an exact version, which the lines keep to; when left out, they install what is the latest then"),
    ),
    responses(
        (status = 200, body = InstallResponse),
        (status = 403, description = "`version-quarantined`", body = Problem),
        (status = 404, description = "`skill-not-found`, `version-not-found`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn show(call: &Call, id: &SkillId) -> Result<Response> {
    let version = call.parameter("version").map(|version| version.parse::<Version>()).transpose();
    let version = version.map_err(|error| Failure::new(ProblemCode::InvalidVersion, error.to_string()))?;
    let is_pinned = version.is_some();
    let request = version.map_or(VersionRequest::Latest, VersionRequest::Exact);
    let offer = catalog::one(&call.app, &call.caller, id, &request).await?;
    let (needs_token, lines) = install_lines(&call.app.settings, &call.base()?, &offer, is_pinned);
    let (id, version) = (offer.id.to_string(), offer.row.version.to_string());
    json(StatusCode::OK, &InstallResponse { id, version, needs_token, lines })
}
