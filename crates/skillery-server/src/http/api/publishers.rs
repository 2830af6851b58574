//! `/api/v1/orgs/{namespace}/publishers`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{CreatePublisherRequest, Publisher, PublishersResponse};
use skillery_core::{Namespace, Problem, Role, Scope};

use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::{Tx, oidc, places_of};
use crate::failure::Result;
use crate::http::call::{Call, Page, created, done, json};
use crate::oidc::{checked, trust, untrust};

/// Builds that may publish into a namespace: those that it trusts itself, and those that namespaces above trust.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/publishers", tag = "orgs", security(("token" = ["admin"])),
    params(
        ("namespace" = String, Path, description = "an org, or what lies below one"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = PublishersResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call, namespace: &Namespace) -> Result<Response> {
    json(StatusCode::OK, &of_namespace(&call.app, &call.caller, namespace, call.page()?).await?)
}

/// One page of the builds that may publish into a namespace.
pub async fn of_namespace(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    page: Page,
) -> Result<PublishersResponse> {
    caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    let all = oidc::publishers_in(app.db.reader(), &places_of(namespace)?).await?;
    let total = all.len() as u64;
    let publishers = all.into_iter().skip(page.offset).take(page.limit).collect();
    Ok(PublishersResponse { total, publishers })
}

/// Lets builds publish into a namespace and what lies below it.
#[utoipa::path(
    post, path = "/api/v1/orgs/{namespace}/publishers", tag = "orgs", security(("token" = ["admin"])),
    request_body = CreatePublisherRequest,
    params(("namespace" = String, Path, description = "an org, or what lies below one")),
    responses(
        (status = 201, body = Publisher),
        (status = 403, description = "`issuer-not-allowed`, and others", body = Problem),
        (status = 409, description = "`publisher-exists`", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn create(call: Call, namespace: &Namespace) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<CreatePublisherRequest>().await?;
    let publisher = add(&app, &caller, namespace, request).await?;
    created(&format!("/api/v1/orgs/{}/publishers/{}", publisher.namespace, publisher.id), &publisher)
}

/// Trusts builds.
pub async fn add(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    request: CreatePublisherRequest,
) -> Result<Publisher> {
    let identity = caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    let publisher = checked(request, &app.settings.oidc_issuers, &app.settings.limits)?;
    let ids = (app.environment.new_id(), app.environment.new_id());
    let (namespace, identity) = (namespace.clone(), (**identity).clone());
    let most = app.settings.limits.publishers_per_namespace;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let actor = still_admin(tx, identity, &namespace).await?;
                trust(tx, &namespace, publisher, ids, &actor, most).await
            })
        })
        .await
}

/// Trusts builds no more. What they have published stays; tokens that they have are dead at once.
#[utoipa::path(
    delete, path = "/api/v1/orgs/{namespace}/publishers/{publisher}", tag = "orgs", security(("token" = ["admin"])),
    params(("namespace" = String, Path, description = "an org, or what lies below one"), ("publisher" = String, Path, description = "its id")),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn remove(call: &Call, namespace: &Namespace, publisher: &str) -> Result<Response> {
    end(&call.app, &call.caller, namespace, publisher).await?;
    Ok(done())
}

/// Trusts builds no more.
pub async fn end(app: &App, caller: &Caller, namespace: &Namespace, publisher: &str) -> Result<()> {
    let identity = caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    let (namespace, id, identity) = (namespace.clone(), publisher.to_owned(), (**identity).clone());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let actor = still_admin(tx, identity, &namespace).await?;
                untrust(tx, &namespace, &id, &actor).await
            })
        })
        .await
}

/// The id of the caller, who is an admin as things stand in this transaction.
pub(super) async fn still_admin(tx: &mut Tx, identity: Identity, namespace: &Namespace) -> Result<String> {
    Ok(identity.still(tx, Role::Admin, namespace).await?.user.id)
}
