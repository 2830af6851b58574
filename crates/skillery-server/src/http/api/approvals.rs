//! `/api/v1/approvals` and `/api/v1/skills/{id}/versions/{version}/approvals`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    ApprovalsResponse, DecisionRequest, DecisionSummary, ForcedSummary, PendingResponse, PolicyInForce,
    ReasonRequest, SignedReview, SignedReviewsResponse, StageStanding,
};
use skillery_core::id::key_contains;
use skillery_core::sign::review::ReviewMark;
use skillery_core::{
    Decision, Digest, Namespace, Problem, Role, Scope, SkillId, Version, VersionRequest, VersionStatus,
};

use super::orgs::org_not_found;
use crate::access::Caller;
use crate::app::App;
use crate::approvals::{Standing, Wanted, WantedForce, check_review, decide, demand, force, in_force};
use crate::db::{approvals as table, gates, keys, versions};
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
        ("due" = Option<bool>, Query, description = "those instead that are handed out, and due or released by force"),
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
    let is_due = call.parsed::<bool>("due")?.unwrap_or(false);
    let wanted = table::Wanted { user: &identity.user.id, is_bound_to_roles, within: &within_bounds, is_due };
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
    let gate = gates::find(app.db.reader(), &key, version).await?;
    let now = app.environment.now();
    let standing =
        Standing::of(&mut *app.db.reader().acquire().await?, id, &row, &policies, &gate, now).await?;
    // What waits needs one approval even where nothing is demanded any more.
    let is_demanded = row.status == VersionStatus::Pending || !demand(&policies, &gate).is_nothing();
    let demanded = is_demanded.then(|| standing.demand.in_short());
    let stages = if is_demanded { stages(&standing, &policies) } else { Vec::new() };
    let given = standing.judgement.count();
    let decisions = standing
        .judged
        .into_iter()
        .map(|judged| DecisionSummary {
            counts: judged.counts,
            signed: judged.row.review.is_some(),
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
        stages,
        policies: in_force(&policies),
        facts: gate.facts,
        held_for: gate.held_for,
        due_since: gate.due_at,
        forced: gate.forced.map(|forced| ForcedSummary {
            by: forced.name,
            at: forced.at,
            reason: forced.reason,
            salt: forced.salt,
            log_index: u64::try_from(forced.log_index).unwrap_or(0),
        }),
    })
}

/// How far each stage is, with the names of those who count for it.
fn stages(standing: &Standing, policies: &[PolicyInForce]) -> Vec<StageStanding> {
    let mut told = Vec::new();
    for (ladder, counts) in standing.demand.ladders.iter().zip(&standing.judgement.ladders) {
        let place = policies.iter().rev().find(|set| ladder.policies.contains(&set.log_index));
        let namespace = place.map_or_else(String::new, |set| set.namespace.clone());
        for (stage, count) in ladder.stages.iter().zip(counts) {
            let name = |place: &usize| standing.judged[standing.places[*place]].row.name.clone();
            told.push(StageStanding {
                namespace: namespace.clone(),
                name: stage.name.clone(),
                approvals: stage.approvals,
                role: stage.role,
                group: stage.group.clone(),
                signed: ladder.signed_reviews,
                given: count.given.iter().map(name).collect(),
                is_open: count.is_open,
                is_complete: count.is_complete,
            });
        }
    }
    told
}

/// The signed approvals of a version, with all that checks them: for whoever sees it.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/reviews", tag = "approvals",
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses((status = 200, body = SignedReviewsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn reviews(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let (key, namespace) = (skill.id.key(), skill.id.namespace().key());
    versions::find(call.app.db.reader(), &key, version)
        .await?
        .filter(|row| skill::sees_version(&call.caller, &namespace, row))
        .ok_or_else(|| skill::version_not_found(id, &VersionRequest::Exact(version.clone())))?;
    let mut reviews = Vec::new();
    for row in table::decisions(call.app.db.reader(), &key, version).await? {
        let (Some(review), Some(fingerprint)) = (row.review, row.signing_key) else { continue };
        let Some(found) = keys::find(call.app.db.reader(), &fingerprint).await? else { continue };
        let mark = ReviewMark {
            key: fingerprint,
            enrolled: found.log_index,
            statement: Digest::of(review.statement.as_bytes()),
            sha256: Digest::of(review.signature.as_bytes()),
        };
        let log_index = u64::try_from(row.log_index).unwrap_or(0);
        reviews.push(SignedReview { log_index, review, public_key: found.public_key.to_string(), mark });
    }
    json(StatusCode::OK, &SignedReviewsResponse { reviews })
}

/// Releases a version that waits at once, without the approvals that it waits for. For owners of the namespace, and for admins of
/// the registry with a role there; the log has it as a kind of its own, and clients are warned until reviewers have approved.
#[utoipa::path(
    post, path = "/api/v1/skills/{id}/versions/{version}/break-glass", tag = "approvals", security(("token" = ["admin"])),
    request_body = ReasonRequest,
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses(
        (status = 200, body = ApprovalsResponse),
        (status = 409, description = "`status-conflict`: it does not wait", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn break_glass(call: Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let (app, caller, request) = call.json::<ReasonRequest>().await?;
    let identity = (**caller.require_role(Scope::Admin, Role::Owner, &skill.id.namespace())?).clone();
    let ReasonRequest { reason } = request;
    check_text("reason", &reason, app.settings.limits.reason_length, true)?;
    if reason.trim().is_empty() {
        return Err(invalid("reason", "whoever does this says why, in `reason`"));
    }
    let salt = Digest::of(&app.environment.random::<32>()).to_string();
    let wanted = WantedForce { id: skill.id.clone(), version: version.clone(), reason, salt };
    app.db.write(move |tx| Box::pin(async move { force(tx, &identity, wanted).await })).await?;
    json(StatusCode::OK, &approvals_of(&app, &caller, &skill.id, version).await?)
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
    let DecisionRequest { decision, digest, comment, signature } = request;
    check_text("comment", &comment, app.settings.limits.reason_length, true)?;
    if decision == Decision::Rejected && comment.trim().is_empty() {
        return Err(invalid("comment", "a rejection says why, in `comment`"));
    }
    let review = match signature {
        Some(_) if decision == Decision::Rejected => {
            return Err(invalid("signature", "an approval is signed, and a rejection is not"));
        }
        Some(signature) => Some(check_review(&app, signature, &skill.id, version, digest).await?),
        None => None,
    };
    let digest = digest.or_else(|| review.as_ref().map(|review| review.digest()));
    let identity = (**identity).clone();
    let wanted = Wanted { id: skill.id.clone(), version: version.clone(), decision, digest, comment, review };
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                decide(tx, &identity, wanted).await
            })
        })
        .await?;
    json(StatusCode::OK, &approvals_of(&app, &caller, &skill.id, version).await?)
}
