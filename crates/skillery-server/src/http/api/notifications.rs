//! `/api/v1/notifications`, but for webhooks

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    ConfirmEmailRequest, EmailResponse, NotificationsResponse, PreferencesRequest, PreferencesResponse,
    ReadRequest, ReadResponse, SetEmailRequest,
};
use skillery_core::{Problem, ProblemCode, Scope};

use crate::db::notifications::Wanted;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, done, json};
use crate::http::pages::unsubscribe;
use crate::notify;

/// What the caller is told of, the newest first, as far as the caller may still see it.
#[utoipa::path(
    get, path = "/api/v1/notifications", tag = "notifications", security(("token" = ["read"])),
    params(
        ("unread" = Option<bool>, Query, description = "only what is not read"),
        ("kind" = Option<String>, Query, description = "only of this kind"),
        ("before" = Option<i64>, Query, description = "only what has a lower number: `next` of the page before"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
    ),
    responses((status = 200, body = NotificationsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    call.caller.require(Scope::Read)?;
    let (wanted, limit) = (wanted(call)?, call.page()?.limit);
    json(StatusCode::OK, &notify::list(&call.app, &call.caller, wanted, limit).await?)
}

/// What the parameters of the call ask for.
pub fn wanted(call: &Call) -> Result<Wanted> {
    Ok(Wanted {
        unread: call.parsed("unread")?.unwrap_or(false),
        before: call.parsed("before")?,
        kind: call.parsed("kind")?,
    })
}

/// Marks some as read, or all up to one.
#[utoipa::path(
    post, path = "/api/v1/notifications/read", tag = "notifications", security(("token" = ["read"])),
    request_body = ReadRequest,
    responses((status = 200, body = ReadResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn read(call: Call) -> Result<Response> {
    call.caller.require(Scope::Read)?;
    let (app, caller, request) = call.json::<ReadRequest>().await?;
    json(StatusCode::OK, &notify::mark_read(&app, &caller, request).await?)
}

/// How the caller is told of each kind.
#[utoipa::path(
    get, path = "/api/v1/notifications/preferences", tag = "notifications", security(("token" = ["read"])),
    responses((status = 200, body = PreferencesResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn preferences(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &notify::preferences(&call.app, &call.caller).await?)
}

/// Changes how the caller is told of some kinds.
#[utoipa::path(
    put, path = "/api/v1/notifications/preferences", tag = "notifications", security(("token" = ["admin"])),
    request_body = PreferencesRequest,
    responses((status = 200, body = PreferencesResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set_preferences(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<PreferencesRequest>().await?;
    json(StatusCode::OK, &notify::set_preferences(&app, &caller, request).await?)
}

/// Where the caller gets mail.
#[utoipa::path(
    get, path = "/api/v1/notifications/email", tag = "notifications", security(("token" = ["admin"])),
    responses((status = 200, body = EmailResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn email(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &notify::address(&call.app, &call.caller).await?)
}

/// Sets where the caller gets mail, and mails a code there. Nothing else is mailed before it is confirmed.
#[utoipa::path(
    put, path = "/api/v1/notifications/email", tag = "notifications", security(("token" = ["admin"])),
    request_body = SetEmailRequest,
    responses(
        (status = 200, body = EmailResponse),
        (status = 404, description = "`mail-not-offered`", body = Problem),
        (status = 429, description = "`rate-limited`: so many codes were mailed today", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn set_email(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<SetEmailRequest>().await?;
    json(StatusCode::OK, &notify::set_address(&app, &caller, &request.address).await?)
}

/// Confirms the address by the code that was mailed there.
#[utoipa::path(
    post, path = "/api/v1/notifications/email/confirm", tag = "notifications", security(("token" = ["admin"])),
    request_body = ConfirmEmailRequest,
    responses((status = 200, body = EmailResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn confirm_email(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<ConfirmEmailRequest>().await?;
    json(StatusCode::OK, &notify::confirm(&app, &caller, &request.code).await?)
}

/// Removes the address. Nothing is mailed any more.
#[utoipa::path(
    delete, path = "/api/v1/notifications/email", tag = "notifications", security(("token" = ["admin"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn remove_email(call: &Call) -> Result<Response> {
    notify::remove_address(&call.app, &call.caller).await?;
    Ok(done())
}

fn link(call: &Call) -> Result<(String, String)> {
    let of = |name: &str| call.parameter(name).ok_or_else(|| Failure::new(ProblemCode::LinkNotValid, ""));
    Ok((of("user")?, of("signature")?))
}

/// A page with a button that stops all mail, for the link of a mail. Looking at it changes nothing, as programs look at links.
#[utoipa::path(
    get, path = "/api/v1/notifications/unsubscribe", tag = "notifications",
    params(
        ("user" = String, Query, description = "as the link has it"),
        ("signature" = String, Query, description = "as the link has it"),
    ),
    responses(
        (status = 200, description = "a page", body = String, content_type = "text/html"),
        (status = 404, description = "`link-not-valid`", body = Problem),
    ),
)]
pub async fn ask_unsubscribe(call: &Call) -> Result<Response> {
    let (user, signature) = link(call)?;
    notify::unsubscribe(&call.app, &user, &signature, false).await?;
    unsubscribe::page(call, false)
}

/// Stops all mail to the address that the link was mailed to (RFC 8058). It needs no token.
#[utoipa::path(
    post, path = "/api/v1/notifications/unsubscribe", tag = "notifications",
    params(
        ("user" = String, Query, description = "as the link has it"),
        ("signature" = String, Query, description = "as the link has it"),
    ),
    responses(
        (status = 200, description = "a page", body = String, content_type = "text/html"),
        (status = 404, description = "`link-not-valid`", body = Problem),
    ),
)]
pub async fn unsubscribe(call: &Call) -> Result<Response> {
    let (user, signature) = link(call)?;
    notify::unsubscribe(&call.app, &user, &signature, true).await?;
    unsubscribe::page(call, true)
}
