//! `POST /api/v1/login-links`

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use skillery_core::api::LoginLinkResponse;
use skillery_core::token::Secret;
use skillery_core::{Problem, ProblemCode};

use crate::db::audit::{self, About};
use crate::db::login_links;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};
use crate::http::pages::session;

/// Seconds that a link works.
const SECONDS: i64 = 600;

/// A link that signs the caller in with a browser, once, for as much as the token of this call can do.
#[utoipa::path(
    post, path = "/api/v1/login-links", tag = "accounts", security(("token" = [])),
    responses((status = 201, description = "the link is told this once", body = LoginLinkResponse),
              (status = "default", description = "a problem", body = Problem)),
)]
pub async fn create(call: &Call) -> Result<Response> {
    let identity = call.caller.identity().ok_or_else(|| Failure::new(ProblemCode::Unauthenticated, ""))?;
    let base = call.base()?;
    let secret = Secret::new(hex::encode(call.app.environment.random::<32>()));
    let (hash, identity) = (secret.hash(), (**identity).clone());
    let expires_at = call
        .app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                session::check_may_begin(&identity.token)?;
                let expires_at = tx.now.plus_seconds(SECONDS);
                login_links::insert(tx, &hash, &identity.token.id, expires_at).await?;
                let (user, token) = (&identity.user.id, &identity.token.id);
                audit::insert_private(tx, Some(user), "login-link.made", About::of_user(user, Some(token)))
                    .await?;
                Ok(expires_at)
            })
        })
        .await?;
    let url = format!("{base}/login?code={}", secret.expose());
    let mut response = json(StatusCode::CREATED, &LoginLinkResponse { url, expires_at })?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
