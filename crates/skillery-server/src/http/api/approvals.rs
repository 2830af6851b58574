//! `/api/v1/approvals` and `/api/v1/skills/{id}/versions/{version}/approvals`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ApprovalsResponse, DecisionRequest, DecisionSummary, PendingResponse};
use skillery_core::id::key_contains;
use skillery_core::{
    Decision, Namespace, Problem, Role, Scope, SkillId, Version, VersionRequest, VersionStatus,
};

use super::orgs::org_not_found;
use crate::access::Caller;
use crate::app::App;
use crate::approvals::{Wanted, decide, given, judge, of_waiting};
use crate::db::{approvals as table, versions};
use crate::failure::Result;
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
    let is_bound_to_roles = !identity.is_site_admin();
    let mut within_bounds = identity.token.namespaces.clone();
    if let Some(namespace) = &wanted {
        let key = namespace.key();
        let reviewed = identity.roles.iter().filter(|(_, role)| *role >= Role::Reviewer);
        let reviewed: Vec<String> = reviewed.map(|(place, _)| place.clone()).collect();
        let is_known = !is_bound_to_roles || !within(&reviewed, std::slice::from_ref(&key)).is_empty();
        within_bounds = match within_bounds.is_empty() {
            true => vec![key],
            false => within(&within_bounds, &[key]),
        };
        if !is_known || within_bounds.is_empty() {
            return Err(org_not_found(namespace));
        }
    }
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let wanted = table::Wanted { user: &identity.user.id, is_bound_to_roles, within: &within_bounds };
    let (total, pending) = table::pending(&call.app.db, &wanted, limit, offset).await?;
    json(StatusCode::OK, &PendingResponse { total, pending })
}

/// What lies in both, of keys of namespaces that stand for all below them.
fn within(one: &[String], other: &[String]) -> Vec<String> {
    let mut both = Vec::new();
    for one in one {
        for other in other {
            let inner = match (key_contains(one, other), key_contains(other, one)) {
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
    let policies = table::policies(app.db.reader(), &namespace).await?;
    let policy = of_waiting(&policies);
    // What waits needs one approval even where nothing is demanded any more.
    let is_demanded = row.status == VersionStatus::Pending || policies.iter().any(|set| set.policy.waits());
    let demanded = is_demanded.then_some(policy);
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
