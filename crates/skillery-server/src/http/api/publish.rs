//! `POST /api/v1/skills`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{PublishRequest, PublishResponse};
use skillery_core::{Problem, VersionStatus};

use crate::failure::Result;
use crate::http::call::{Call, created, json};
use crate::publish::{Published, publish as publish_version};
use crate::tlog;

/// Publishes a version. The same content again answers as the first time did, with 200.
#[utoipa::path(
    post, path = "/api/v1/skills", tag = "skills", request_body = PublishRequest,
    security(("token" = ["publish"])),
    responses(
        (status = 201, description = "published", body = PublishResponse),
        (status = 200, description = "the identical version was published before", body = PublishResponse),
        (status = 202, description = "waits for approval", body = PublishResponse),
        (status = 409, description = "`version-exists`: published with other content; `name-taken`", body = Problem),
        (status = 413, description = "`body-too-large`, `code-too-large`", body = Problem),
        (status = 422, description = "`unknown-field`, `invalid-field`, `invalid-code`, `code-hash-mismatch`, `signature-mismatch`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn publish(call: Call) -> Result<Response> {
    call.caller.require(skillery_core::Scope::Publish)?;
    let (app, caller, request) = call.json::<PublishRequest>().await?;
    match publish_version(&app, &caller, request).await? {
        Published::Again(mut response) => {
            response.proof = tlog::receipt(&app.db, &app.tiles, response.log_index).await?.to_string();
            json(StatusCode::OK, &response)
        }
        Published::New(response) if response.status == VersionStatus::Pending => {
            json(StatusCode::ACCEPTED, &response)
        }
        Published::New(response) => {
            created(&format!("/api/v1/skills/{}/versions/{}", response.id, response.version), &response)
        }
    }
}
