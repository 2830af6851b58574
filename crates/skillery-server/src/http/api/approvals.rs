//! `/api/v1/approvals` and `/api/v1/skills/{id}/versions/{version}/approvals`

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    ApprovalState, ApprovalsResponse, DecisionRequest, DecisionSummary, ForcedSummary, PendingResponse,
    PolicyInForce, ReasonRequest, SignedReview, SignedReviewsResponse, StageStanding,
};
use skillery_core::id::key_contains;
use skillery_core::sign::review::{ReviewMark, ReviewStatement};
use skillery_core::{
    Decision, Digest, Namespace, Problem, PublishPolicy, Role, Scope, SkillId, Version, VersionStatus,
};

use super::orgs::org_not_found;
use crate::access::Caller;
use crate::app::App;
use crate::approvals::{
    Asked, Standing, Wanted, WantedForce, Worth, asks_for, check_review, decide, demand, force, in_force,
};
use crate::db::versions::VersionRow;
use crate::db::waiting::{self, Whose};
use crate::db::{approvals as table, gates, keys, review, versions};
use crate::failure::Result;
use crate::http::call::{Call, Page, invalid_parameter, json};
use crate::skill;
use crate::text::said;

/// Versions that wait where the caller may decide, the oldest first; or those that have been decided about, the last first.
#[utoipa::path(
    get, path = "/api/v1/approvals", tag = "approvals", security(("token" = ["read"])),
    params(
        ("namespace" = Option<String>, Query, description = "only in this namespace and below it"),
        ("state" = Option<ApprovalState>, Query, description = "`pending`, when left out, or `decided`"),
        ("mine" = Option<bool>, Query, description = "`true`: what the caller published, wherever that is"),
        ("needs_me" = Option<bool>, Query, description = "`true`: only what an approval of the caller would count for now"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
        ("due" = Option<bool>, Query, description = "those instead that are handed out, and due or released by force"),
    ),
    responses((status = 200, body = PendingResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn pending(call: &Call) -> Result<Response> {
    call.caller.require(Scope::Read)?;
    let filter = Filter {
        namespace: call.parsed("namespace")?,
        state: call.parsed("state")?.unwrap_or(ApprovalState::Pending),
        is_mine: call.parsed("mine")?.unwrap_or(false),
        needs_me: call.parsed("needs_me")?.unwrap_or(false),
        is_due: call.parsed("due")?.unwrap_or(false),
    };
    json(StatusCode::OK, &listed(&call.app, &call.caller, &filter, call.page()?).await?)
}

/// Which versions are asked for.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Only in this namespace and below it.
    pub namespace: Option<Namespace>,
    /// Whether they wait.
    pub state: ApprovalState,
    /// What the caller published.
    pub is_mine: bool,
    /// What waits for the caller: an approval would count for a stage that is open.
    pub needs_me: bool,
    /// What is handed out, and due or released by force, in place of what waits.
    pub is_due: bool,
}

/// Versions of which is asked at once whether they wait for one person.
const TOGETHER: i64 = 500;
/// Versions of which that is asked, at most. Of more, these are the oldest.
const LOOKED_AT: i64 = 5_000;

/// One page of the versions that wait, or have been decided about.
pub async fn listed(app: &App, caller: &Caller, filter: &Filter, page: Page) -> Result<PendingResponse> {
    let identity = caller.require(Scope::Read)?;
    let Filter { namespace, state, is_mine, needs_me, is_due } = filter;
    let is_bound_to_roles = !identity.is_site_admin();
    let mut within_bounds = identity.token.namespaces.clone();
    if let Some(namespace) = namespace {
        let key = namespace.key();
        let least = if *is_mine { Role::Reader } else { Role::Reviewer };
        let held = identity.roles.iter().filter(|(_, role)| *role >= least);
        let held: Vec<String> = held.map(|(place, _)| place.clone()).collect();
        let is_known = !is_bound_to_roles || !within(&held, std::slice::from_ref(&key)).is_empty();
        within_bounds = match within_bounds.is_empty() {
            true => vec![key],
            false => within(&within_bounds, &[key]),
        };
        if !is_known || within_bounds.is_empty() {
            return Err(org_not_found(namespace));
        }
    }
    let whose = match (needs_me, is_mine) {
        (true, true) => return Err(invalid_parameter("needs_me", "nobody approves what is their own")),
        (true, false) if *state != ApprovalState::Pending => {
            return Err(invalid_parameter("needs_me", "what has been decided needs nobody"));
        }
        (true, false) => Whose::Open,
        (false, true) => Whose::Own,
        (false, false) if is_bound_to_roles => Whose::Reviewed,
        (false, false) => Whose::All,
    };
    if *is_due && *state != ApprovalState::Pending {
        return Err(invalid_parameter("due", "what is due has not been decided about"));
    }
    let user = identity.user.id.as_str();
    let wanted = waiting::Wanted { user, state: *state, whose, within: &within_bounds, is_due: *is_due };
    if whose != Whose::Open {
        let total = app.totals.versions(app, identity, &wanted).await?;
        let (limit, offset) = (page.limit as i64, page.offset as i64);
        let pending = waiting::listed(&app.db, &wanted, total, limit, offset).await?;
        return Ok(PendingResponse { total, pending, truncated: false });
    }
    let asked = Asked { user, roles: &identity.roles };
    let (mut mine, mut behind, mut looked_at) = (Vec::new(), None, 0);
    let truncated = loop {
        // One more than are looked at tells whether there are more.
        let limit = if looked_at < LOOKED_AT { TOGETHER } else { 1 };
        let open = waiting::behind(&app.db, &wanted, behind.as_ref(), limit).await?;
        if looked_at >= LOOKED_AT {
            break !open.is_empty();
        }
        let is_last = open.len() < TOGETHER as usize;
        behind = open.last().cloned();
        looked_at += TOGETHER;
        let named: Vec<_> = open.iter().map(|version| (&version.id, &version.version)).collect();
        let answers = asks_for(&app.db, &asked, &named, app.environment.now()).await?;
        let answered = open.into_iter().zip(answers);
        mine.extend(answered.filter(|(_, worth)| *worth != Worth::Nothing).map(|(version, _)| version));
        if is_last {
            break false;
        }
    };
    let total = mine.len() as u64;
    let pending = mine.into_iter().skip(page.offset).take(page.limit).collect();
    Ok(PendingResponse { total, pending, truncated })
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
    json(StatusCode::OK, &standing(&call.app, &call.caller, id, version).await?)
}

/// How far a version is, for members of the namespace.
pub async fn standing(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
) -> Result<ApprovalsResponse> {
    caller.require(Scope::Read)?;
    let skill = skill::find(app, caller, id).await?;
    caller.require_role(Scope::Read, Role::Reader, &skill.id.namespace())?;
    approvals_of(app, caller, &skill.id, version).await
}

/// How far a version is, for who sees it.
async fn approvals_of(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
) -> Result<ApprovalsResponse> {
    let not_found = || skill::no_such_version(id, version);
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
    let demanded = is_demanded.then(|| PublishPolicy {
        signed: policies.iter().any(|set| set.policy.signed),
        ..standing.demand.in_short()
    });
    let stages = if is_demanded { stages(&standing, &policies) } else { Vec::new() };
    let given = standing.judgement.count();
    let decisions = standing
        .judged
        .into_iter()
        .map(|judged| DecisionSummary {
            counts: judged.counts,
            signed: judged.row.is_signed,
            user: judged.row.name,
            decision: judged.row.decision,
            comment: judged.row.comment,
            decided_at: judged.row.at,
            log_index: u64::try_from(judged.row.log_index).unwrap_or(0),
        })
        .collect();
    let (threads, unresolved) = review::threads(app.db.reader(), &key, version).await?;
    Ok(ApprovalsResponse {
        newer: newer(app, caller, id, &row).await?,
        threads,
        unresolved,
        id: id.clone(),
        version: row.version,
        status: row.status,
        digest: row.digest,
        publisher: summary.publisher,
        changelog: summary.changelog,
        demanded,
        given,
        decisions,
        stages,
        policies: in_force(&policies),
        facts: gate.facts,
        held_for: gate.held_for.filter(|_| row.status == VersionStatus::Pending),
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

/// The signed reviews of a version, with all that checks them: for whoever sees it. `decision` says which of them are approvals.
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
        .ok_or_else(|| skill::no_such_version(id, version))?;
    let (mut reviews, mut known) = (Vec::new(), HashMap::new());
    for (index, fingerprint, review) in table::signed_reviews(call.app.db.reader(), &key, version).await? {
        let found = match known.entry(fingerprint.clone()) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(keys::find(call.app.db.reader(), &fingerprint).await?),
        };
        let (Some(found), Some(statement)) = (found, ReviewStatement::parse(&review.statement)) else {
            continue;
        };
        let mark = ReviewMark {
            key: fingerprint,
            enrolled: found.log_index,
            statement: Digest::of(review.statement.as_bytes()),
            sha256: Digest::of(review.signature.as_bytes()),
        };
        let log_index = u64::try_from(index).unwrap_or(0);
        let (decision, public_key) = (statement.verdict, found.public_key.to_string());
        reviews.push(SignedReview { log_index, decision, review, public_key, mark });
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
    skill::find(&call.app, &call.caller, id).await?;
    let (app, caller, request) = call.json::<ReasonRequest>().await?;
    json(StatusCode::OK, &forced(&app, &caller, id, version, request).await?)
}

/// Releases a version that waits at once; how far it is then.
pub async fn forced(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    request: ReasonRequest,
) -> Result<ApprovalsResponse> {
    let skill = skill::find(app, caller, id).await?;
    let identity = (**caller.require_role(Scope::Admin, Role::Owner, &skill.id.namespace())?).clone();
    let most = app.settings.limits.reason_length;
    let reason = said("reason", &request.reason, most, "whoever does this says why, in `reason`")?;
    let salt = app.environment.salt();
    let wanted = WantedForce { id: skill.id.clone(), version: version.clone(), reason, salt };
    app.db.write(move |tx| Box::pin(async move { force(tx, &identity, wanted).await })).await?;
    approvals_of(app, caller, &skill.id, version).await
}

/// The highest version above one that waits or was rejected that was published since, as far as the caller sees it.
async fn newer(app: &App, caller: &Caller, id: &SkillId, row: &VersionRow) -> Result<Option<Version>> {
    if !matches!(row.status, VersionStatus::Pending | VersionStatus::Rejected) {
        return Ok(None);
    }
    let namespace = id.namespace().key();
    let since = review::published_after(app.db.reader(), &id.key(), row.log_position).await?;
    let seen = since.into_iter().filter(|(_, status, publisher)| {
        skill::sees_status(caller, &namespace, *status, |identity| identity.user.id == *publisher)
    });
    Ok(seen.map(|(version, ..)| version).filter(|version| *version > row.version).max())
}

/// Approves a version, rejects one that waits, or asks for changes of it. What has all approvals that are demanded is released with the last of
/// them. Deciding the same again changes nothing: `stages` says which of them an approval counts for, and whoever counts for one and is needed for a
/// later one asks for changes first. Any of them may be signed; the statement names the same decision.
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
    let (app, caller, request) = call.json::<DecisionRequest>().await?;
    json(StatusCode::OK, &decided(&app, &caller, id, version, request).await?)
}

/// Decides about a version; how far it is then.
pub async fn decided(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    request: DecisionRequest,
) -> Result<ApprovalsResponse> {
    caller.require(Scope::Review)?;
    let skill = skill::find(app, caller, id).await?;
    let identity = caller.require_role(Scope::Review, Role::Reviewer, &skill.id.namespace())?;
    let DecisionRequest { decision, digest, comment, signature } = request;
    let most = app.settings.limits.reason_length;
    let comment = match decision {
        Decision::Approved if comment.trim().is_empty() => String::new(),
        Decision::Approved | Decision::Rejected => {
            said("comment", &comment, most, "a rejection says why, in `comment`")?
        }
        Decision::ChangesRequested => {
            said("comment", &comment, most, "say what is to be changed, in `comment`")?
        }
    };
    let review = match signature {
        Some(signature) => Some(check_review(app, signature, (&skill.id, version), decision, digest).await?),
        None => None,
    };
    let digest = digest.or_else(|| review.as_ref().map(|review| review.digest()));
    let identity = (**identity).clone();
    let wanted = Wanted { id: skill.id.clone(), version: version.clone(), decision, digest, comment, review };
    app.db.write(move |tx| Box::pin(async move { decide(tx, &identity, wanted).await })).await?;
    approvals_of(app, caller, &skill.id, version).await
}
