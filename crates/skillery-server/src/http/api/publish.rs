//! `POST /api/v1/skills`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{BundleRequest, PublishRequest, PublishResponse};
use skillery_core::{Problem, ProblemCode, Scope, VersionStatus, bundle};

use crate::access::Caller;
use crate::app::App;
use crate::draft;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, created, json, parse_json};
use crate::http::multipart::{self, Form};
use crate::publish::{Published, check_request, publish as publish_version, publish_bundle};
use crate::tlog;
use crate::uploads::{Spooled, Upload};

/// Publishes a version: a function as JSON, or a folder as `multipart/form-data`, with the part `request` first (a
/// `BundleRequest` as JSON) and then the part `bundle`, a ZIP. The same content again answers as the first time did, with
/// 200.
#[utoipa::path(
    post, path = "/api/v1/skills", tag = "skills",
    request_body(content((PublishRequest = "application/json"), (BundleForm = "multipart/form-data"))),
    security(("token" = ["publish"])),
    responses(
        (status = 201, description = "published", body = PublishResponse),
        (status = 200, description = "the identical version was published before", body = PublishResponse),
        (status = 202, description = "waits for approval", body = PublishResponse),
        (status = 409, description = "`version-exists`: published with other content; `name-taken`", body = Problem),
        (status = 413, description = "`body-too-large`, `code-too-large`, `bundle-too-large`", body = Problem),
        (status = 422, description = "`unknown-field`, `invalid-field`, `invalid-code`, `invalid-bundle`, `code-hash-mismatch`, `signature-mismatch`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn publish(call: Call) -> Result<Response> {
    call.caller.require(Scope::Publish)?;
    if multipart::is_form(&call.head.headers) {
        return folder(call).await;
    }
    let (app, caller, request) = call.json::<PublishRequest>().await?;
    answer(&app, publish_version(&app, &caller, request).await?).await
}

/// What a folder is published with.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "only the document is made of it")]
struct BundleForm {
    /// What the folder does not say itself.
    request: BundleRequest,
    /// The folder as a ZIP.
    #[schema(value_type = String, format = Binary, content_media_type = "application/zip")]
    bundle: Vec<u8>,
}

async fn folder(call: Call) -> Result<Response> {
    let (app, caller, head, body) = call.stream();
    let mut form = Form::open(&head.headers, body, &app.settings.limits)?;
    let received = receive(&app, &caller, &mut form).await;
    let Received { _upload, request, spooled } = form.finish(received).await?;
    let turn = app.uploads.turn().await?;
    let limits = app.settings.limits.clone();
    let admit = move || bundle::admit(&spooled.read()?, &limits).map_err(draft::bundle_problems);
    let files = turn.work(admit).await?;
    answer(&app, publish_bundle(&app, &caller, request, files, turn).await?).await
}

/// A form that has come whole.
struct Received<'app> {
    /// It counts until there is an answer.
    _upload: Upload<'app>,
    request: BundleRequest,
    spooled: Spooled,
}

async fn receive<'app>(app: &'app App, caller: &Caller, form: &mut Form) -> Result<Received<'app>> {
    let limits = &app.settings.limits;
    let _upload = app.uploads.begin(&caller.require(Scope::Publish)?.user.id)?;
    let request: BundleRequest = parse_json(&form.expect("request").await?.bytes(limits.body_bytes).await?)?;
    // Who may not publish this is told before the bundle is taken in.
    check_request(app, caller, &request).await?;
    let bundle = form.expect("bundle").await?;
    let media_type = bundle.media_type();
    if !media_type.as_deref().is_none_or(|media_type| ZIP_TYPES.contains(&media_type)) {
        let detail = "the part `bundle` is announced as something else than `application/zip`";
        return Err(Failure::new(ProblemCode::UnsupportedMediaType, detail));
    }
    let spooled = bundle.spool(app.uploads.spool(), limits.bundle_bytes).await?;
    form.end().await?;
    Ok(Received { _upload, request, spooled })
}

/// What the bundle may be announced as: what browsers and tools call a ZIP, or nothing in particular.
const ZIP_TYPES: &[&str] = &["application/zip", "application/x-zip-compressed", "application/octet-stream"];

/// What publishing is answered with, whichever way it came.
async fn answer(app: &App, published: Published) -> Result<Response> {
    match published {
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
