//! `PUT` and `DELETE /api/v1/orgs/{org}/signing-secret`

use axum::response::Response;
use skillery_core::api::SigningSecretRequest;
use skillery_core::event::Event;
use skillery_core::{Namespace, Problem, ProblemCode, Role, Scope};

use super::orgs::org_not_found;
use super::publishers::still_admin;
use crate::access::Caller;
use crate::app::App;
use crate::db::orgs;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, done};
use crate::text::invalid;

/// Registers the org's shared HMAC secret: publishes are checked against it, members get it with downloads.
#[utoipa::path(
    put, path = "/api/v1/orgs/{org}/signing-secret", tag = "orgs", security(("token" = ["admin"])),
    request_body = SigningSecretRequest, params(("org" = String, Path, description = "its name")),
    responses((status = 204), (status = 409, description = "`secret-exists`", body = Problem),
              (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set(call: Call, org: &Namespace) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<SigningSecretRequest>().await?;
    register(&app, &caller, org, request).await?;
    Ok(done())
}

/// Registers an org's secret.
pub async fn register(
    app: &App,
    caller: &Caller,
    org: &Namespace,
    request: SigningSecretRequest,
) -> Result<()> {
    let identity = caller.require_role(Scope::Admin, Role::Admin, org)?;
    let longest = app.settings.limits.text_length;
    if request.secret.is_empty() || request.secret.chars().count() > longest {
        return Err(invalid("secret", format!("`secret` must have 1 to {longest} characters")));
    }
    let key = org.key();
    let sealed = app.secret_key.seal(&app.environment, &key, &request.secret)?;
    let (org, identity) = (org.clone(), (**identity).clone());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let row = orgs::find(tx.connection(), &key).await?.ok_or_else(|| org_not_found(&org))?;
                let actor = still_admin(tx, identity, &org).await?;
                if request.only_if_none && row.signing_secret.is_some() {
                    return Err(Failure::new(
                        ProblemCode::SecretExists,
                        format!("`{org}` has a signing secret already"),
                    ));
                }
                orgs::set_signing_secret(tx, &key, Some(&sealed)).await?;
                tx.append(Some(&actor), Event::SigningSecretSet { org: org.to_string() });
                Ok(())
            })
        })
        .await
}

/// Removes the org's shared HMAC secret. Signatures stay as they were published.
#[utoipa::path(
    delete, path = "/api/v1/orgs/{org}/signing-secret", tag = "orgs", security(("token" = ["admin"])),
    params(("org" = String, Path, description = "its name")),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn remove(call: &Call, org: &Namespace) -> Result<Response> {
    forget(&call.app, &call.caller, org).await?;
    Ok(done())
}

/// Removes an org's secret.
pub async fn forget(app: &App, caller: &Caller, org: &Namespace) -> Result<()> {
    let identity = caller.require_role(Scope::Admin, Role::Admin, org)?;
    let (org, identity) = (org.clone(), (**identity).clone());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let key = org.key();
                let row = orgs::find(tx.connection(), &key).await?.ok_or_else(|| org_not_found(&org))?;
                let actor = still_admin(tx, identity, &org).await?;
                if row.signing_secret.is_some() {
                    orgs::set_signing_secret(tx, &key, None).await?;
                    tx.append(Some(&actor), Event::SigningSecretRemoved { org: org.to_string() });
                }
                Ok(())
            })
        })
        .await
}
