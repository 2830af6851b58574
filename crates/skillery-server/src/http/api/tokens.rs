//! `GET` and `POST /api/v1/tokens`, `DELETE /api/v1/tokens/{token}`

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use skillery_core::api::{CreateTokenRequest, CreateTokenResponse, TokensResponse};
use skillery_core::event::Event;
use skillery_core::limits::MAX_ENTRY_BYTES;
use skillery_core::token::{self, TokenKind};
use skillery_core::{Limits, Namespace, Problem, ProblemCode, Scope};

use crate::access::Identity;
use crate::app::App;
use crate::db::accounts::{self, TokenRow, UserRow};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, created, done, json};

const DAY_SECONDS: i64 = 86_400;

/// The caller's tokens, the newest first; an admin of the registry may look at anybody's.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "accounts", security(("token" = ["read"])),
    params(
        ("user" = Option<String>, Query, description = "whose; the caller's when left out"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = TokensResponse), (status = 404, description = "`user-not-found`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    let identity = call.caller.require(Scope::Read)?;
    let page = call.page()?;
    let user = whose(&call.app, identity, call.parameter("user")).await?;
    let (total, rows) =
        accounts::tokens(&call.app.db, &user.id, page.limit as i64, page.offset as i64).await?;
    let tokens = rows.iter().map(|row| row.summary(&user.name)).collect();
    json(StatusCode::OK, &TokensResponse { total, tokens })
}

/// Makes a token. It may do no more than the token that asks for it.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "accounts", security(("token" = ["admin"])), request_body = CreateTokenRequest,
    responses((status = 201, description = "the token is shown this once", body = CreateTokenResponse),
              (status = 404, description = "`user-not-found`", body = Problem),
              (status = "default", description = "a problem", body = Problem)),
)]
pub async fn create(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<CreateTokenRequest>().await?;
    let identity = caller.require(Scope::Admin)?;
    let user = whose(&app, identity, request.user.clone()).await?;
    let kind = if request.service { TokenKind::Service } else { TokenKind::Personal };
    let days = days(&request, &app.settings.limits)?;
    let secret = token::generate(kind, &app.environment.random());
    let row = TokenRow {
        id: app.environment.new_id(),
        label: label(&request, &app.settings.limits)?,
        scopes: scopes(&request, identity)?,
        namespaces: namespaces(&request, identity, app.settings.limits.token_namespaces)?,
        created_at: app.environment.now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
        via: None,
        parent: None,
    };
    let parent = identity.token.expires_at;
    let (hash, most, identity, owner) =
        (secret.hash(), app.settings.limits.tokens_per_user as i64, (**identity).clone(), user.clone());
    let row = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let identity = match owner.id == identity.user.id {
                    true => identity.again(tx).await?,
                    false => identity.still_site_admin(tx).await?,
                };
                let actor = identity.user.id;
                if accounts::live_tokens(tx, &owner.id).await? >= most {
                    return Err(Failure::new(
                        ProblemCode::InvalidField,
                        format!("the user has {most} live tokens already"),
                    ));
                }
                // No token outlives the one that made it.
                let expires_at = tx.now.plus_seconds(i64::from(days) * DAY_SECONDS);
                let expires_at = Some(parent.map_or(expires_at, |parent| expires_at.min(parent)));
                let row = TokenRow { created_at: tx.now, expires_at, ..row };
                accounts::insert_token(tx, &owner.id, &hash, &row).await?;
                let (token, user) = (row.id.clone(), owner.id);
                let (scopes, namespaces) = (row.scopes.clone(), row.namespaces.clone());
                let (publisher, build) = (None, None);
                tx.append(
                    Some(&actor),
                    Event::TokenIssued { token, user, scopes, namespaces, publisher, build },
                );
                Ok(row)
            })
        })
        .await?;
    let location = format!("/api/v1/tokens/{}", row.id);
    let answer = CreateTokenResponse { token: secret.expose().to_owned(), summary: row.summary(&user.name) };
    let mut response = created(&location, &answer)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Revokes a token of the caller; an admin of the registry may revoke anybody's. A token may revoke itself.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{token}", tag = "accounts", security(("token" = ["admin"])),
    params(("token" = String, Path, description = "the token's id, not the token")),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn revoke(call: &Call, id: &str) -> Result<Response> {
    let itself = call.caller.identity().filter(|identity| identity.token.id == id);
    let identity = match itself {
        Some(identity) => identity,
        None => call.caller.require(Scope::Admin)?,
    };
    let not_found = || Failure::new(ProblemCode::TokenNotFound, "the caller has no token with this id");
    let (row, owner) = accounts::token_by_id(call.app.db.reader(), id).await?.ok_or_else(not_found)?;
    if owner != identity.user.id && !identity.is_site_admin() {
        return Err(not_found());
    }
    let identity = (**identity).clone();
    if row.revoked_at.is_none() {
        call.app
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let actor = identity.again(tx).await?.user.id;
                    accounts::revoke(tx, Some(&actor), &row.id).await
                })
            })
            .await?;
    }
    Ok(done())
}

async fn whose(app: &App, identity: &Identity, name: Option<String>) -> Result<UserRow> {
    match name {
        Some(name) if accounts::name_key(&name) != accounts::name_key(&identity.user.name) => {
            if !identity.is_site_admin() {
                return Err(Failure::new(
                    ProblemCode::Forbidden,
                    "only admins of the registry see to others' tokens",
                ));
            }
            accounts::user_by_name(app.db.reader(), &name).await?.ok_or_else(|| {
                Failure::new(ProblemCode::UserNotFound, format!("there is no user `{}`", name.escape_debug()))
            })
        }
        _ => Ok(identity.user.clone()),
    }
}

fn invalid(field: &str, detail: String) -> Failure {
    Problem::new(ProblemCode::InvalidField, detail).with("field", field).into()
}

fn days(request: &CreateTokenRequest, limits: &Limits) -> Result<u32> {
    let days = request.expires_in_days.unwrap_or(limits.default_token_days);
    if (1..=limits.token_days).contains(&days) {
        return Ok(days);
    }
    Err(invalid("expires_in_days", format!("`expires_in_days` must be from 1 to {}", limits.token_days)))
}

fn label(request: &CreateTokenRequest, limits: &Limits) -> Result<String> {
    let label = request.label.trim();
    if label.chars().count() <= limits.text_length && !label.chars().any(char::is_control) {
        return Ok(label.to_owned());
    }
    Err(invalid(
        "label",
        format!("`label` is longer than {} characters, or has control characters", limits.text_length),
    ))
}

fn scopes(request: &CreateTokenRequest, identity: &Identity) -> Result<Vec<Scope>> {
    let mut scopes = if request.scopes.is_empty() { vec![Scope::Read] } else { request.scopes.clone() };
    scopes.sort_unstable();
    scopes.dedup();
    match scopes.iter().find(|scope| !identity.has(**scope)) {
        None => Ok(scopes),
        Some(scope) => {
            let detail = format!("this token has not the scope `{scope}` itself");
            Err(Problem::new(ProblemCode::InsufficientScope, detail).with("scope", scope.as_str()).into())
        }
    }
}

fn namespaces(request: &CreateTokenRequest, identity: &Identity, most: usize) -> Result<Vec<String>> {
    if request.namespaces.is_empty() {
        return Ok(identity.token.namespaces.clone());
    }
    if request.namespaces.len() > most {
        return Err(invalid("namespaces", format!("a token can be bound to {most} namespaces at most")));
    }
    // Together they are part of one entry of the log.
    if request.namespaces.iter().map(String::len).sum::<usize>() > MAX_ENTRY_BYTES / 4 {
        return Err(invalid("namespaces", "the names of the namespaces are too long together".to_owned()));
    }
    let mut keys = Vec::new();
    for name in &request.namespaces {
        let namespace: Namespace = name.parse().map_err(|error: skillery_core::id::IdError| {
            Failure::new(ProblemCode::InvalidId, error.to_string())
        })?;
        crate::access::check_bounds(identity, &namespace.key())?;
        keys.push(namespace.key());
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}
