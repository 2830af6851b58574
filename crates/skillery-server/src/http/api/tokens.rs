//! `GET` and `POST /api/v1/tokens`, `DELETE /api/v1/tokens/{token}`

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use skillery_core::api::{CreateTokenRequest, CreateTokenResponse, TokensResponse};
use skillery_core::limits::MAX_ENTRY_BYTES;
use skillery_core::time::DAY_SECONDS;
use skillery_core::token::{self, TokenKind};
use skillery_core::{Limits, Namespace, Problem, ProblemCode, Scope};

use super::users::user_not_found;
use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::accounts::{self, TokenRow, UserRow};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page, created, done, json};
use crate::text::invalid;

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
    json(StatusCode::OK, &of_user(&call.app, &call.caller, call.parameter("user"), call.page()?).await?)
}

/// One page of a user's tokens: of the caller's when nobody is named.
pub async fn of_user(app: &App, caller: &Caller, user: Option<String>, page: Page) -> Result<TokensResponse> {
    let user = whose(app, caller.require(Scope::Read)?, user).await?;
    let (total, rows) = accounts::tokens(&app.db, &user.id, page.limit as i64, page.offset as i64).await?;
    let tokens = rows.iter().map(|row| row.summary(&user.name)).collect();
    Ok(TokensResponse { total, tokens })
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
    let answer = make(&app, &caller, request).await?;
    let mut response = created(&format!("/api/v1/tokens/{}", answer.summary.id), &answer)?;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Makes a token that can do no more than the caller's.
pub async fn make(app: &App, caller: &Caller, request: CreateTokenRequest) -> Result<CreateTokenResponse> {
    let identity = caller.require(Scope::Admin)?;
    let user = whose(app, identity, request.user.clone()).await?;
    let kind = if request.service { TokenKind::Service } else { TokenKind::Personal };
    let days = days(&request, &app.settings.limits)?;
    let secret = token::generate(kind, &app.environment.random());
    let (id, now) = (app.environment.new_id(), app.environment.now());
    let row = TokenRow {
        namespaces: namespaces(&request, identity, app.settings.limits.token_namespaces)?,
        ..TokenRow::new(id, &label(&request, &app.settings.limits)?, scopes(&request, identity)?, now)
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
                accounts::issue_token(tx, Some(&actor), &owner.id, &hash, &row, None).await?;
                Ok(row)
            })
        })
        .await?;
    Ok(CreateTokenResponse { token: secret.expose().to_owned(), summary: row.summary(&user.name) })
}

/// Revokes a token of the caller; an admin of the registry may revoke anybody's. A token may revoke itself.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{token}", tag = "accounts", security(("token" = ["admin"])),
    params(("token" = String, Path, description = "the token's id, not the token")),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn revoke(call: &Call, id: &str) -> Result<Response> {
    end(&call.app, &call.caller, id).await?;
    Ok(done())
}

/// Revokes a token with this id.
pub async fn end(app: &App, caller: &Caller, id: &str) -> Result<()> {
    let itself = caller.identity().filter(|identity| identity.token.id == id);
    let identity = match itself {
        Some(identity) => identity,
        None => caller.require(Scope::Admin)?,
    };
    let not_found = || Failure::new(ProblemCode::TokenNotFound, "the caller has no token with this id");
    let (row, owner) = accounts::token_by_id(app.db.reader(), id).await?.ok_or_else(not_found)?;
    if owner != identity.user.id && !identity.is_site_admin() {
        return Err(not_found());
    }
    let identity = (**identity).clone();
    if row.revoked_at.is_some() {
        return Ok(());
    }
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let actor = identity.again(tx).await?.user.id;
                accounts::revoke(tx, Some(&actor), &row.id).await
            })
        })
        .await
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
            accounts::user_by_name(app.db.reader(), &name).await?.ok_or_else(|| user_not_found(&name))
        }
        _ => Ok(identity.user.clone()),
    }
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
        let namespace: Namespace = name.parse()?;
        crate::access::check_bounds(identity, &namespace.key())?;
        keys.push(namespace.key());
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}
