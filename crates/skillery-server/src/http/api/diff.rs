//! `GET /api/v1/skills/{id}/versions/{version}/diff` and `…/findings`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{DiffResponse, FindingsResponse};
use skillery_core::{Problem, SkillId, Version};

use crate::failure::Result;
use crate::http::call::{Call, invalid_parameter, json, plain};
use crate::review::{self, Against};

/// What changed from one version to another: lines of text files, sizes of others, and beside them what is said of the versions,
/// what they need, what they ask to be allowed, and what is found in the newer one alone. With `Accept: text/x-diff`, or
/// `format=patch`, a patch that `git apply` and `patch` take.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/diff", tag = "approvals",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
        ("from" = Option<String>, Query, description = "the older version, or `none`; when left out, the last one that reviewers approved before, or, where they approved none, that was handed out"),
        ("path" = Option<String>, Query, description = "only this file"),
        ("format" = Option<String>, Query, description = "`json` or `patch`"),
    ),
    responses(
        (status = 200, content((DiffResponse = "application/json"), (String = "text/x-diff"))),
        (status = 403, description = "`version-quarantined`", body = Problem),
        (status = 404, description = "`skill-not-found`, `version-not-found`, `file-not-found`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn show(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let against = call.parsed::<Against>("from")?.unwrap_or_default();
    let path = call.parameter("path");
    let (app, caller) = (&call.app, &call.caller);
    if wants_patch(call)? {
        let patch = review::patch(app, caller, id, version, &against, path).await?;
        return Ok(plain(patch.into(), "text/x-diff; charset=utf-8", "private, no-cache"));
    }
    json(StatusCode::OK, &review::diff(app, caller, id, version, &against, path).await?)
}

fn wants_patch(call: &Call) -> Result<bool> {
    match call.parameter("format").as_deref() {
        Some("patch") => Ok(true),
        Some("json") => Ok(false),
        Some(_) => Err(invalid_parameter("format", "it is `json` or `patch`")),
        None => Ok(call.header("accept").is_some_and(|accept| {
            accept.split(',').any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/x-diff")
        })),
    }
}

/// What the rules for skills find in a version, as `skillery lint` does.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/findings", tag = "approvals",
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses(
        (status = 200, body = FindingsResponse),
        (status = 403, description = "`version-quarantined`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn findings(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    json(StatusCode::OK, &review::findings(&call.app, &call.caller, id, version).await?)
}
