//! Where the API is, who the caller is, and signing in with an account elsewhere.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use skillery_core::ProblemCode;
use skillery_core::api::StartLoginRequest;

use super::{BASE, Result, body, json, refusal, signed_in};
use crate::failure::Failure;
use crate::http::call::{self, Call};
use crate::oidc;

/// `GET /.well-known/clawhub.json`, and the same under ClawHub's former name: where the API is.
pub fn discover(call: &Call) -> Result<Response> {
    let base = call.base()?;
    let api = format!("{base}{BASE}");
    json(&serde_json::json!({ "apiBase": api, "registry": api, "authBase": base, "minCliVersion": "0.1.0" }))
}

/// `GET /whoami`
pub fn whoami(call: &Call) -> Result<Response> {
    let identity = call.caller.identity().ok_or_else(|| Failure::new(ProblemCode::Unauthenticated, ""))?;
    let name = &identity.user.name;
    let role = if identity.is_site_admin() { "admin" } else { "user" };
    json(&serde_json::json!({ "user": { "handle": name, "displayName": name, "image": null, "role": role } }))
}

/// `POST /api/cli/device/code`: begins to sign in. Which site the program believes to be at is of no interest: the address
/// for people is that of the provider of identities.
pub async fn begin(call: Call) -> Result<Response> {
    #[derive(Serialize)]
    struct Begun {
        device_code: String,
        user_code: String,
        verification_uri: String,
        expires_in: u64,
        interval: u64,
    }
    match oidc::start(&call.app, StartLoginRequest { scopes: Vec::new() }).await {
        Ok(begun) => json(&Begun {
            device_code: begun.login,
            user_code: begun.user_code,
            verification_uri: begun.verification_uri_complete.unwrap_or(begun.verification_uri),
            expires_in: begun.expires_in.max(1),
            interval: begun.interval.max(1),
        })
        .map(unkept),
        Err(failure) if failure.code() == ProblemCode::LoginNotOffered => Err(refusal(
            StatusCode::NOT_IMPLEMENTED,
            "nobody signs in to this registry with another account; use `clawhub login --token <token>`",
        )),
        Err(failure) => Err(failure.into()),
    }
}

#[derive(Default, Deserialize)]
struct Ask {
    #[serde(default)]
    device_code: String,
}

/// `POST /api/cli/device/token`: whether the person is done.
pub async fn ask(call: Call) -> Result<Response> {
    let (app, _, asked) = body::<Ask>(call).await?;
    let not_yet = |error: &str, more: serde_json::Value| {
        let mut body = serde_json::json!({ "error": error });
        if let (Some(body), serde_json::Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        call::json(StatusCode::BAD_REQUEST, &body).map(unkept)
    };
    match oidc::poll(&app, &asked.device_code).await {
        Ok(answer) => match answer.token {
            Some(token) => {
                let scopes: Vec<&str> = token.summary.scopes.iter().map(|scope| scope.as_str()).collect();
                let body = serde_json::json!({
                    "access_token": token.token, "token_type": "bearer", "scope": scopes.join(" "),
                });
                json(&body).map(unkept)
            }
            None => Ok(not_yet("authorization_pending", serde_json::json!({ "interval": answer.interval }))?),
        },
        Err(failure) if failure.code() == ProblemCode::LoginRefused => {
            let why = failure.problem.detail.clone();
            Ok(not_yet("access_denied", serde_json::json!({ "error_description": why }))?)
        }
        Err(failure) => Err(failure.into()),
    }
}

/// An answer with a secret in it, which nobody may keep.
fn unkept(mut response: Response) -> Response {
    use axum::http::header::{CACHE_CONTROL, HeaderValue};
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// `POST /api/cli/telemetry/install`: what the program tells of an install. The download was counted; what else it says is
/// not kept.
pub async fn telemetry(call: Call) -> Result<Response> {
    signed_in(&call)?;
    let limit = call.app.settings.limits.body_bytes;
    call.bytes(limit).await?;
    json(&serde_json::json!({ "ok": true }))
}
