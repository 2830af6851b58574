//! `/api/v1/oidc`: identity tokens of others. Whoever calls brings what is asked for in the body, and no token of ours.

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use serde::Serialize;
use skillery_core::Problem;
use skillery_core::api::{
    ExchangeRequest, ExchangeResponse, OidcIssuer, OidcLogin, OidcResponse, PollLoginRequest,
    PollLoginResponse, StartLoginRequest, StartLoginResponse,
};

use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::oidc;

/// Whose identity tokens the registry takes, and whom they must be for.
#[utoipa::path(
    get, path = "/api/v1/oidc", tag = "accounts",
    responses((status = 200, body = OidcResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub fn show(call: &Call) -> Result<Response> {
    let settings = &call.app.settings;
    let issuers = settings.oidc_issuers.iter().map(|issuer| OidcIssuer {
        issuer: issuer.issuer.clone(),
        kind: issuer.kind,
        audience: oidc::audience(settings, issuer).unwrap_or_default(),
    });
    let login = settings.oidc_login.as_ref().map(|login| OidcLogin { issuer: login.issuer.clone() });
    json(StatusCode::OK, &OidcResponse { issuers: issuers.collect(), login })
}

/// Exchanges a build's identity token for a token that publishes for fifteen minutes. Each identity token is good for
/// one exchange.
#[utoipa::path(
    post, path = "/api/v1/oidc/exchange", tag = "accounts", request_body = ExchangeRequest,
    responses(
        (status = 201, description = "the token is shown this once", body = ExchangeResponse),
        (status = 401, description = "`invalid-id-token`, `id-token-used`", body = Problem),
        (status = 403, description = "`issuer-not-allowed`, `publisher-not-trusted`", body = Problem),
        (status = 503, description = "`issuer-unavailable`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn exchange(call: Call) -> Result<Response> {
    let (app, _, request) = call.json::<ExchangeRequest>().await?;
    once(StatusCode::CREATED, &oidc::exchange(&app, request).await?)
}

/// Begins to sign a person in at the provider of identities: the person goes to the address and enters the code.
#[utoipa::path(
    post, path = "/api/v1/oidc/login", tag = "accounts", request_body = StartLoginRequest,
    responses(
        (status = 201, body = StartLoginResponse),
        (status = 404, description = "`login-not-offered`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn start_login(call: Call) -> Result<Response> {
    let (app, _, request) = call.json::<StartLoginRequest>().await?;
    once(StatusCode::CREATED, &oidc::start(&app, request).await?)
}

/// Asks whether the person is done.
#[utoipa::path(
    post, path = "/api/v1/oidc/login/poll", tag = "accounts", request_body = PollLoginRequest,
    responses(
        (status = 201, description = "done: the token is shown this once", body = PollLoginResponse),
        (status = 202, description = "not yet; ask again after `interval`", body = PollLoginResponse),
        (status = 403, description = "`login-refused`", body = Problem),
        (status = 404, description = "`login-not-offered`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn poll_login(call: Call) -> Result<Response> {
    let (app, _, request) = call.json::<PollLoginRequest>().await?;
    let answer = oidc::poll(&app, &request.login).await?;
    once(if answer.token.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED }, &answer)
}

/// An answer with a secret in it, which nobody may keep.
fn once<T: Serialize>(status: StatusCode, value: &T) -> Result<Response> {
    let mut response = json(status, value)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
