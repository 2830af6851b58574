//! `/api/v1/approvals` and `/api/v1/skills/{id}/versions/{version}/approvals`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ApprovalsResponse, DecisionRequest, DecisionSummary, PendingResponse};
use skillery_core::id::key_contains;
use skillery_core::{
    ApprovalPolicy, Decision, Namespace, Problem, Role, Scope, SkillId, Version, VersionRequest,
};

use super::orgs::org_not_found;
use crate::access::{Caller, Identity};
use crate::app::App;
use crate::approvals::{Wanted, decide, demanded, given, judge};
use crate::db::{approvals as table, versions};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};
use crate::skill;
use crate::text::{check_text, invalid};

/// Versions that wait where the caller may decide, the oldest first.
#[utoipa::path(
    get, path = "/api/v1/approvals", tag = "approvals", security(("token" = ["read"])),
    params(
        ("namespace" = Option<String>, Query, description = "only in this namespace and below it"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = PendingResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn pending(call: &Call) -> Result<Response> {
    let identity = call.caller.require(Scope::Read)?;
    let page = call.page()?;
    let wanted = call.parsed::<Namespace>("namespace")?;
    let places = places(identity, wanted.as_ref());
    if wanted.is_some() && places.as_ref().is_some_and(Vec::is_empty) {
        return Err(wanted.as_ref().map_or_else(|| Failure::internal("no namespace"), org_not_found));
    }
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let (total, pending) =
        table::pending(&call.app.db, places.as_deref(), &identity.user.id, limit, offset).await?;
    json(StatusCode::OK, &PendingResponse { total, pending })
}

/// Keys of the namespaces where a caller may decide, each with all below it; none stands for everywhere.
fn places(identity: &Identity, wanted: Option<&Namespace>) -> Option<Vec<String>> {
    let everywhere = vec![String::new()];
    let held = match identity.is_site_admin() {
        true => everywhere.clone(),
        false => {
            let reviewed = identity.roles.iter().filter(|(_, role)| *role >= Role::Reviewer);
            reviewed.map(|(place, _)| place.clone()).collect()
        }
    };
    let bounds = match identity.token.namespaces.is_empty() {
        true => everywhere.clone(),
        false => identity.token.namespaces.clone(),
    };
    let wanted = wanted.map_or(everywhere, |namespace| vec![namespace.key()]);
    let places = within(&within(&held, &bounds), &wanted);
    (!places.iter().any(String::is_empty)).then_some(places)
}

/// What lies in both.
fn within(one: &[String], other: &[String]) -> Vec<String> {
    let contains = |outer: &str, inner: &str| outer.is_empty() || key_contains(outer, inner);
    let mut both = Vec::new();
    for one in one {
        for other in other {
            let inner = match (contains(one, other), contains(other, one)) {
                (true, _) => other,
                (false, true) => one,
                (false, false) => continue,
            };
            if !both.contains(inner) {
                both.push(inner.clone());
            }
        }
    }
    both
}

/// How far a version is: what is demanded, and what reviewers have decided. For members of the namespace.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/approvals", tag = "approvals", security(("token" = ["read"])),
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses((status = 200, body = ApprovalsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Read)?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    call.caller.require_role(Scope::Read, Role::Reader, &skill.id.namespace())?;
    json(StatusCode::OK, &approvals_of(&call.app, &call.caller, &skill.id, version).await?)
}

async fn approvals_of(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
) -> Result<ApprovalsResponse> {
    let not_found = || skill::version_not_found(id, &VersionRequest::Exact(version.clone()));
    let (key, namespace) = (id.key(), id.namespace());
    let row = versions::find(app.db.reader(), &key, version)
        .await?
        .filter(|row| skill::sees_version(caller, &namespace.key(), row))
        .ok_or_else(not_found)?;
    let summary = versions::summary(&app.db, &key, version).await?.ok_or_else(not_found)?;
    let demanded = demanded(&table::policies(app.db.reader(), &namespace).await?);
    let policy = demanded.unwrap_or(ApprovalPolicy::LEAST);
    let judged = judge(&mut *app.db.reader().acquire().await?, id, &row).await?;
    let given = given(&judged, policy);
    let decisions = judged
        .into_iter()
        .map(|judged| DecisionSummary {
            counts: judged.counts(policy),
            user: judged.row.name,
            decision: judged.row.decision,
            comment: judged.row.comment,
            decided_at: judged.row.at,
            log_index: u64::try_from(judged.row.log_index).unwrap_or(0),
        })
        .collect();
    Ok(ApprovalsResponse {
        id: id.clone(),
        version: row.version,
        status: row.status,
        digest: row.digest,
        publisher: summary.publisher,
        demanded,
        given,
        decisions,
    })
}

/// Approves a version, or rejects one that waits. What has all approvals that are demanded is released with the last of
/// them. Deciding the same again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/skills/{id}/versions/{version}/approvals", tag = "approvals", security(("token" = ["review"])),
    request_body = DecisionRequest,
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses(
        (status = 200, body = ApprovalsResponse),
        (status = 403, description = "`self-approval`; `forbidden`", body = Problem),
        (status = 409, description = "`status-conflict`: it does not wait, or has another digest", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn decide_about(call: Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Review)?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let (app, caller, request) = call.json::<DecisionRequest>().await?;
    let identity = caller.require_role(Scope::Review, Role::Reviewer, &skill.id.namespace())?;
    let DecisionRequest { decision, digest, comment } = request;
    check_text("comment", &comment, app.settings.limits.reason_length, true)?;
    if decision == Decision::Rejected && comment.trim().is_empty() {
        return Err(invalid("comment", "a rejection says why, in `comment`"));
    }
    let identity = (**identity).clone();
    let wanted = Wanted { id: skill.id.clone(), version: version.clone(), decision, digest, comment };
    app.db.write(move |tx| Box::pin(async move { decide(tx, &identity, wanted).await })).await?;
    json(StatusCode::OK, &approvals_of(&app, &caller, &skill.id, version).await?)
}
