//! `/api/v1/orgs/{namespace}/usage/settings` and `/api/v1/leaderboards/me`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{Listed, NamespaceInsight, NamespaceInsightRequest};
use skillery_core::{Namespace, Problem, Scope};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::insight;

/// What is told of how the skills of a namespace and below it are used. For those who have a role there.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/usage/settings", tag = "usage", security(("token" = ["read"])),
    params(("namespace" = String, Path, description = "an org, or what lies below one")),
    responses((status = 200, body = NamespaceInsight), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, namespace: &Namespace) -> Result<Response> {
    json(StatusCode::OK, &insight::settings_of(&call.app, &call.caller, namespace).await?)
}

/// Sets below how many users figures of a namespace are withheld, which may be more than the registry has and not less, and
/// whether its skills count on leaderboards. For admins of the namespace.
#[utoipa::path(
    put, path = "/api/v1/orgs/{namespace}/usage/settings", tag = "usage", security(("token" = ["admin"])),
    request_body = NamespaceInsightRequest,
    params(("namespace" = String, Path, description = "an org, or what lies below one")),
    responses((status = 200, body = NamespaceInsight), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set(call: Call, namespace: &Namespace) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<NamespaceInsightRequest>().await?;
    json(StatusCode::OK, &insight::set_settings(&app, &caller, namespace, request).await?)
}

/// Whether the caller may be on leaderboards.
#[utoipa::path(
    get, path = "/api/v1/leaderboards/me", tag = "usage", security(("token" = ["read"])),
    responses((status = 200, body = Listed), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn listed(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &insight::listed(&call.app, &call.caller).await?)
}

/// Takes the caller off all leaderboards, for as long as the caller wants.
#[utoipa::path(
    put, path = "/api/v1/leaderboards/me", tag = "usage", security(("token" = ["admin"])), request_body = Listed,
    responses((status = 200, body = Listed), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set_listed(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<Listed>().await?;
    json(StatusCode::OK, &insight::set_listed(&app, &caller, request).await?)
}
