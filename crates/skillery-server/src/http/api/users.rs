//! `GET` and `POST /api/v1/users`, `PATCH /api/v1/users/{user}`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{CreateUserRequest, UpdateUserRequest, UserSummary, UsersResponse};
use skillery_core::event::Event;
use skillery_core::{Problem, ProblemCode, Segment};

use crate::access::Caller;
use crate::app::App;
use crate::db::accounts;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page, created, json};

/// Everybody who has an account, by name.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "accounts", security(("token" = ["admin"])),
    params(
        ("q" = Option<String>, Query, description = "how names begin; `-`, `_` and `.` are the same"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = UsersResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    let prefix = call.parameter("q").unwrap_or_default();
    json(StatusCode::OK, &all(&call.app, &call.caller, &prefix, call.page()?).await?)
}

/// One page of the users whose names begin so.
pub async fn all(app: &App, caller: &Caller, prefix: &str, page: Page) -> Result<UsersResponse> {
    caller.require_site_admin()?;
    let (total, rows) = accounts::users(&app.db, prefix, page.limit as i64, page.offset as i64).await?;
    Ok(UsersResponse { total, users: rows.iter().map(accounts::UserRow::summary).collect() })
}

/// Makes a user. A token for the user is made with `POST /api/v1/tokens`.
#[utoipa::path(
    post, path = "/api/v1/users", tag = "accounts", security(("token" = ["admin"])), request_body = CreateUserRequest,
    responses((status = 201, body = skillery_core::api::UserSummary),
              (status = 409, description = "`user-exists`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn create(call: Call) -> Result<Response> {
    call.caller.require_site_admin()?;
    let (app, caller, request) = call.json::<CreateUserRequest>().await?;
    let user = make(&app, &caller, request).await?;
    created(&format!("/api/v1/users/{}", user.name), &user)
}

/// Makes a user.
pub async fn make(app: &App, caller: &Caller, request: CreateUserRequest) -> Result<UserSummary> {
    let identity = (**caller.require_site_admin()?).clone();
    let name: Segment = request.name.parse()?;
    let id = app.environment.new_id();
    let user = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let actor = identity.still_site_admin(tx).await?.user.id;
                if let Some(existing) = accounts::user_by_name(tx.connection(), name.as_str()).await? {
                    return Err(Failure::new(
                        ProblemCode::UserExists,
                        format!("there is `{}` already", existing.name),
                    ));
                }
                let user = accounts::insert_user(tx, id, name.as_str(), request.site_admin).await?;
                tx.append(
                    Some(&actor),
                    Event::UserCreated { user: user.id.clone(), admin: request.site_admin },
                );
                Ok(user)
            })
        })
        .await?;
    Ok(user.summary())
}

/// There is no such user.
pub(super) fn user_not_found(name: &str) -> Failure {
    Failure::new(ProblemCode::UserNotFound, format!("there is no user `{}`", crate::text::named(name)))
}

/// Switches a user off, so that every token of the user is refused; or on again.
#[utoipa::path(
    patch, path = "/api/v1/users/{user}", tag = "accounts", security(("token" = ["admin"])), request_body = UpdateUserRequest,
    params(("user" = String, Path, description = "the user's name")),
    responses((status = 200, body = skillery_core::api::UserSummary),
              (status = "default", description = "a problem", body = Problem)),
)]
pub async fn update(call: Call, name: &str) -> Result<Response> {
    call.caller.require_site_admin()?;
    let (app, caller, request) = call.json::<UpdateUserRequest>().await?;
    json(StatusCode::OK, &switch(&app, &caller, name, request).await?)
}

/// Switches a user off or on.
pub async fn switch(
    app: &App,
    caller: &Caller,
    name: &str,
    request: UpdateUserRequest,
) -> Result<UserSummary> {
    let identity = caller.require_site_admin()?;
    if request.disabled && accounts::name_key(name) == accounts::name_key(&identity.user.name) {
        return Err(Failure::new(ProblemCode::Forbidden, "nobody switches off their own account"));
    }
    let (identity, name) = ((**identity).clone(), name.to_owned());
    let user = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let actor = identity.still_site_admin(tx).await?.user.id;
                let found = accounts::user_by_name(tx.connection(), &name).await?;
                let mut user = found.ok_or_else(|| user_not_found(&name))?;
                if user.disabled_at.is_some() != request.disabled {
                    accounts::set_disabled(tx, &mut user, request.disabled).await?;
                    let event = Event::UserDisabled { user: user.id.clone(), disabled: request.disabled };
                    tx.append(Some(&actor), event);
                }
                Ok(user)
            })
        })
        .await?;
    Ok(user.summary())
}
