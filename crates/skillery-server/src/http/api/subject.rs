//! `PUT /api/v1/users/{user}/subject`

use axum::response::Response;
use skillery_core::api::LinkUserRequest;
use skillery_core::event::Event;
use skillery_core::{Problem, ProblemCode};

use super::users::user_not_found;
use crate::access::Caller;
use crate::app::App;
use crate::db::{accounts, oidc};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, done};
use crate::oidc::{MAX_SUBJECT, is_service_name, provider_of};
use crate::text::{check_text, invalid};

/// Links a user with an account at the provider that people sign in at, in place of another one: sessions of browsers that began with that
/// one end. For admins of the registry.
#[utoipa::path(
    put, path = "/api/v1/users/{user}/subject", tag = "accounts", security(("token" = ["admin"])),
    request_body = LinkUserRequest, params(("user" = String, Path, description = "the user's name")),
    responses((status = 204), (status = 409, description = "`account-linked`", body = Problem),
              (status = "default", description = "a problem", body = Problem)),
)]
pub async fn link(call: Call, name: &str) -> Result<Response> {
    call.caller.require_site_admin()?;
    let (app, caller, request) = call.json::<LinkUserRequest>().await?;
    link_user(&app, &caller, name, request).await?;
    Ok(done())
}

/// Links a user with an account elsewhere.
pub async fn link_user(app: &App, caller: &Caller, name: &str, request: LinkUserRequest) -> Result<()> {
    let identity = caller.require_site_admin()?;
    let issuer = provider_of(app)?.issuer.clone();
    check_text("subject", &request.subject, MAX_SUBJECT, false)?;
    if request.subject.is_empty() {
        return Err(invalid("subject", "`subject` is empty"));
    }
    let (identity, name) = ((**identity).clone(), name.to_owned());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let actor = identity.still_site_admin(tx).await?.user.id;
                let user = accounts::user_by_name(tx.connection(), &name).await?;
                let user = user.ok_or_else(|| user_not_found(&name))?;
                if is_service_name(&user.name) {
                    return Err(Failure::new(ProblemCode::Forbidden, "nobody signs in as a build"));
                }
                match oidc::linked_user(tx.connection(), &issuer, &request.subject).await? {
                    Some(other) if other == user.id => return Ok(()),
                    Some(_) => return Err(Failure::new(ProblemCode::AccountLinked, "")),
                    None => {}
                }
                let had_one = oidc::link(tx, &user.id, &issuer, &request.subject).await?;
                // Whoever signed in with the account of before is this user no more.
                if had_one {
                    for session in accounts::live_own_sessions(tx, &user.id).await? {
                        accounts::revoke(tx, Some(&actor), &session).await?;
                    }
                }
                tx.append(Some(&actor), Event::UserLinked { user: user.id, issuer });
                Ok(())
            })
        })
        .await
}
