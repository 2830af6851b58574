//! `GET` and `POST /api/v1/orgs`, `GET /api/v1/orgs/{org}` and `/api/v1/orgs/{namespace}/namespaces`

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{CreateOrgRequest, NamespaceSummary, NamespacesResponse, OrgSummary, OrgsResponse};
use skillery_core::id::key_contains;
use skillery_core::{Namespace, Problem, ProblemCode, Scope};

use super::users::user_not_found;
use crate::access::{Caller, Identity, Sight};
use crate::app::App;
use crate::db::orgs::OrgRow;
use crate::db::{accounts, orgs};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page, created, json};
use crate::origin;
use crate::settings::NamespacePolicy;

/// Orgs that the caller knows of: with a skill that the caller sees and that has a version which neither waits nor was refused, or a
/// role in them.
#[utoipa::path(
    get, path = "/api/v1/orgs", tag = "orgs",
    params(
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = OrgsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &known(&call.app, &call.caller, call.page()?).await?)
}

/// One org.
#[utoipa::path(
    get, path = "/api/v1/orgs/{org}", tag = "orgs",
    params(("org" = String, Path, description = "its name")),
    responses((status = 200, body = OrgSummary), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, org: &Namespace) -> Result<Response> {
    let (app, caller, key) = (&call.app, &call.caller, org.key());
    let row = orgs::find(app.db.reader(), &key).await?.ok_or_else(|| org_not_found(org))?;
    let counts = counts(app, caller, std::slice::from_ref(&key)).await?;
    if !counts.contains_key(&key) && !caller.is_member(&key) {
        return Err(org_not_found(org));
    }
    json(StatusCode::OK, &summary(row, &counts))
}

/// The namespaces below an org or a namespace that the caller knows of: with a skill that the caller sees and that has a version
/// which neither waits nor was refused, or a role of the caller's where somebody has one.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/namespaces", tag = "orgs",
    params(
        ("namespace" = String, Path, description = "an org, or what lies below one"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = NamespacesResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn namespaces(call: &Call, namespace: &Namespace) -> Result<Response> {
    let page = call.page()?;
    let below = known_below(&call.app, &call.caller, namespace).await?;
    let below = below.ok_or_else(|| org_not_found(namespace))?;
    let total = below.len() as u64;
    let namespaces = below.into_iter().skip(page.offset).take(page.limit).collect();
    json(StatusCode::OK, &NamespacesResponse { total, namespaces })
}

/// Makes an org. On an open registry everybody may; on a managed one only admins of the registry.
#[utoipa::path(
    post, path = "/api/v1/orgs", tag = "orgs", security(("token" = ["admin"])), request_body = CreateOrgRequest,
    responses((status = 201, body = OrgSummary), (status = 409, description = "`org-exists`, `name-taken`", body = Problem),
        (status = 404, description = "`user-not-found`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn create(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<CreateOrgRequest>().await?;
    let org: Namespace = request.name.parse()?;
    if org.depth() != 1 {
        return Err(Failure::new(
            ProblemCode::InvalidId,
            "an org is one segment; what lies below needs no making",
        ));
    }
    let row = make(&app, &caller, org, request.owner.as_deref()).await?;
    let summary = OrgSummary { name: row.name, created_at: row.created_at, signing_secret: false, skills: 0 };
    created(&format!("/api/v1/orgs/{}", summary.name), &summary)
}

/// The caller, who may make orgs.
pub fn may_make<'caller>(app: &App, caller: &'caller Caller) -> Result<&'caller Arc<Identity>> {
    match app.settings.namespaces {
        NamespacePolicy::Open => caller.require(Scope::Admin),
        NamespacePolicy::Managed => caller.require_site_admin(),
    }
}

/// Makes an org for the caller, or as an admin of the registry for another owner.
pub async fn make(app: &App, caller: &Caller, org: Namespace, owner: Option<&str>) -> Result<OrgRow> {
    let identity = may_make(app, caller)?;
    crate::access::check_bounds(identity, &org.key())?;
    let actor = identity.user.id.clone();
    let owner = match owner {
        Some(name) if accounts::name_key(name) != accounts::name_key(&identity.user.name) => {
            caller.require_site_admin()?;
            let found = accounts::user_by_name(app.db.reader(), name).await?;
            found.ok_or_else(|| user_not_found(name))?.id
        }
        _ => actor.clone(),
    };
    let identity = (**identity).clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                identity.again(tx).await?;
                crate::orgs::create(tx, &org, &actor, &owner).await
            })
        })
        .await
}

/// There is no such org, or the caller may not know of it.
pub(crate) fn org_not_found(org: &Namespace) -> Failure {
    origin::hidden(None, &org.key());
    Failure::new(ProblemCode::OrgNotFound, format!("there is no org `{org}` here"))
}

/// Whether the caller may know of the org: as one of its members, or by a skill of it.
pub(super) async fn knows_org(app: &App, caller: &Caller, org: &Namespace) -> Result<bool> {
    let key = org.org_key();
    if orgs::find(app.db.reader(), &key).await?.is_none() {
        return Ok(false);
    }
    Ok(caller.is_member(&key) || counts(app, caller, std::slice::from_ref(&key)).await?.contains_key(&key))
}

/// Whether the caller may know of the namespace: by a role there, above or below, or by a skill there or below, as [`told`] tells them.
pub(crate) async fn knows_namespace(call: &Call, namespace: &Namespace) -> Result<bool> {
    let (app, caller) = (&call.app, &call.caller);
    if orgs::find(app.db.reader(), &namespace.org_key()).await?.is_none() {
        return Ok(false);
    }
    Ok(caller.is_member_around(&namespace.key()) || !told(app, caller, namespace).await?.is_empty())
}

/// The namespaces below one, as [`below`] tells them; none where the caller may not know of the one.
pub(crate) async fn known_below(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
) -> Result<Option<Vec<NamespaceSummary>>> {
    if orgs::find(app.db.reader(), &namespace.org_key()).await?.is_none() {
        return Ok(None);
    }
    let seen = told(app, caller, namespace).await?;
    if seen.is_empty() && !caller.is_member_around(&namespace.key()) {
        return Ok(None);
    }
    with_members(app, caller, namespace, &seen).await.map(Some)
}

/// The namespaces below one that the caller knows of, by name, however far below.
pub async fn below(app: &App, caller: &Caller, namespace: &Namespace) -> Result<Vec<NamespaceSummary>> {
    let seen = told(app, caller, namespace).await?;
    with_members(app, caller, namespace, &seen).await
}

/// Where the caller sees skills in the namespace and below, and how many of them have a latest version. Where all wait for a decision
/// or were refused, those alone who have a role around it are told: it shows no namespace to others, as it shows no org.
async fn told(app: &App, caller: &Caller, namespace: &Namespace) -> Result<Vec<(String, i64)>> {
    let (key, org) = (namespace.key(), namespace.org_key());
    let is_seen = |place: &str, visibility| key_contains(&key, place) && caller.sees(visibility, place);
    let mut told = Vec::new();
    let places = app.totals.places(app, std::slice::from_ref(&org)).await?;
    let Some(places) = places.get(&org) else { return Ok(told) };
    for (place, visibility, count) in &places.counted {
        if is_seen(place, *visibility) && (*count > 0 || caller.is_member_around(place)) {
            told.push((place.clone(), *count));
        }
    }
    for (place, visibility) in &places.without_latest {
        if is_seen(place, *visibility) {
            told.push((place.clone(), 0));
        }
    }
    Ok(told)
}

/// These, and namespaces in which somebody has a role that the caller may know of.
async fn with_members(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    seen: &[(String, i64)],
) -> Result<Vec<NamespaceSummary>> {
    let (key, org) = (namespace.key(), namespace.org_key());
    let mut found = BTreeMap::new();
    for (place, count) in seen {
        add(&mut found, &key, place, *count);
    }
    for place in orgs::member_places(&app.db, &org).await? {
        if caller.is_member_around(&place) {
            add(&mut found, &key, &place, 0);
        }
    }
    Ok(found.into_iter().map(|(namespace, skills)| NamespaceSummary { namespace, skills }).collect())
}

/// Adds skills to a namespace and to all between it and the one with this key, below which it lies.
fn add(found: &mut BTreeMap<String, i64>, key: &str, place: &str, skills: i64) {
    if !key_contains(key, place) {
        return;
    }
    let above = place.match_indices('/').map(|(end, _)| &place[..end]).chain([place]);
    for namespace in above.filter(|namespace| namespace.len() > key.len()) {
        *found.entry(namespace.to_owned()).or_default() += skills;
    }
}

/// One page of the orgs that the caller knows of, by name, and how many there are.
pub async fn known(app: &App, caller: &Caller, page: Page) -> Result<OrgsResponse> {
    let sight = caller.sight();
    let known = match sight.is_all {
        true => None,
        false => Some(orgs::Known {
            is_internal: !sight.is_public && sight.bounds.is_empty(),
            keys: known_keys(app, caller, &sight).await?,
        }),
    };
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let (total, rows) = orgs::page(&app.db, known.as_ref(), limit, offset).await?;
    // Skills of other orgs are not counted: there may be very many.
    let keys: Vec<String> = rows.iter().map(|row| accounts::name_key(&row.name)).collect();
    let counts = counts(app, caller, &keys).await?;
    Ok(OrgsResponse { total, orgs: rows.into_iter().map(|row| summary(row, &counts)).collect() })
}

/// Keys of the orgs that the caller knows of though they may have no skill that many see: by a role, which shows private skills as
/// well, or by an internal skill where the token is bound to.
async fn known_keys(app: &App, caller: &Caller, sight: &Sight) -> Result<Vec<String>> {
    let org = |place: &String| place.split('/').next().unwrap_or_default().to_owned();
    let bounds: BTreeSet<String> = sight.bounds.iter().map(org).collect();
    let bounds: Vec<String> = bounds.into_iter().collect();
    let mut keys: BTreeSet<String> = sight.places.iter().map(org).collect();
    keys.extend(counts(app, caller, &bounds).await?.into_keys());
    Ok(keys.into_iter().collect())
}

/// How many skills with a latest version the caller sees in these orgs, by the keys of those that have any skill that is shown.
async fn counts(app: &App, caller: &Caller, keys: &[String]) -> Result<BTreeMap<String, i64>> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (org, places) in app.totals.places(app, keys).await? {
        for (_, _, count) in places.shown().filter(|(place, visibility, _)| caller.sees(*visibility, place)) {
            *counts.entry(org.clone()).or_default() += count;
        }
    }
    Ok(counts)
}

fn summary(row: OrgRow, counts: &BTreeMap<String, i64>) -> OrgSummary {
    OrgSummary {
        skills: counts.get(&accounts::name_key(&row.name)).copied().unwrap_or(0),
        name: row.name,
        created_at: row.created_at,
        signing_secret: row.signing_secret.is_some(),
    }
}
