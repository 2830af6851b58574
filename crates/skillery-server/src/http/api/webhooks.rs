//! `/api/v1/notifications/webhooks`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    CreateWebhookRequest, CreateWebhookResponse, DeliveriesResponse, RedeliverRequest, RedeliverResponse,
    TestWebhookResponse, UpdateWebhookRequest, Webhook, WebhooksResponse,
};
use skillery_core::{Problem, Scope};

use crate::failure::Result;
use crate::http::call::{Call, created, done, json};
use crate::notify;

/// The caller's own webhooks, or those of a namespace. For the namespace's admins.
#[utoipa::path(
    get, path = "/api/v1/notifications/webhooks", tag = "notifications", security(("token" = ["admin"])),
    params(("namespace" = Option<String>, Query, description = "an org, or what lies below one; the caller's own when left out")),
    responses((status = 200, body = WebhooksResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let namespace = call.parsed("namespace")?;
    json(StatusCode::OK, &notify::all(&call.app, &call.caller, namespace.as_ref()).await?)
}

/// Adds a webhook: of what the caller is told of, or of what happens in a namespace.
#[utoipa::path(
    post, path = "/api/v1/notifications/webhooks", tag = "notifications", security(("token" = ["admin"])),
    request_body = CreateWebhookRequest,
    responses(
        (status = 201, description = "the secret is shown this once", body = CreateWebhookResponse),
        (status = 422, description = "`address-not-allowed`, and others", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn create(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<CreateWebhookRequest>().await?;
    let answer = notify::add(&app, &caller, request).await?;
    created(&format!("/api/v1/notifications/webhooks/{}", answer.webhook.id), &answer)
}

/// Changes where a webhook leads or what it is told of, or switches it off or on.
#[utoipa::path(
    patch, path = "/api/v1/notifications/webhooks/{webhook}", tag = "notifications", security(("token" = ["admin"])),
    request_body = UpdateWebhookRequest, params(("webhook" = String, Path, description = "its id")),
    responses((status = 200, body = Webhook), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn update(call: Call, id: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<UpdateWebhookRequest>().await?;
    json(StatusCode::OK, &notify::update(&app, &caller, id, request, None).await?)
}

/// Removes a webhook.
#[utoipa::path(
    delete, path = "/api/v1/notifications/webhooks/{webhook}", tag = "notifications", security(("token" = ["admin"])),
    params(("webhook" = String, Path, description = "its id")),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn remove(call: &Call, id: &str) -> Result<Response> {
    notify::remove(&call.app, &call.caller, id).await?;
    Ok(done())
}

/// Sends a delivery that tells of nothing.
#[utoipa::path(
    post, path = "/api/v1/notifications/webhooks/{webhook}/test", tag = "notifications", security(("token" = ["admin"])),
    params(("webhook" = String, Path, description = "its id")),
    responses(
        (status = 202, description = "it is being sent; the list of deliveries says what becomes of it", body = TestWebhookResponse),
        (status = 422, description = "the webhook is switched off", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn test(call: &Call, id: &str) -> Result<Response> {
    let delivery = notify::test(&call.app, &call.caller, id).await?;
    json(StatusCode::ACCEPTED, &TestWebhookResponse { delivery })
}

/// What was or is sent to a webhook, the newest first.
#[utoipa::path(
    get, path = "/api/v1/notifications/webhooks/{webhook}/deliveries", tag = "notifications", security(("token" = ["admin"])),
    params(
        ("webhook" = String, Path, description = "its id"),
        ("state" = Option<String>, Query, description = "only what is `waiting`, `done` or `dead`"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = DeliveriesResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn deliveries(call: &Call, id: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (page, state) = (call.page()?, call.parsed("state")?);
    let found = notify::deliveries(&call.app, &call.caller, id, state, page.limit, page.offset).await?;
    json(StatusCode::OK, &found)
}

/// Sends again what is dead, or one delivery.
#[utoipa::path(
    post, path = "/api/v1/notifications/webhooks/{webhook}/redeliver", tag = "notifications", security(("token" = ["admin"])),
    request_body = RedeliverRequest, params(("webhook" = String, Path, description = "its id")),
    responses((status = 200, body = RedeliverResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn redeliver(call: Call, id: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<RedeliverRequest>().await?;
    json(StatusCode::OK, &notify::redeliver(&app, &caller, id, request).await?)
}
