//! `/api/v1/reports`: what users report, and what moderators do about it

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ReportKind, ReportRequest, ReportsResponse, ResolveRequest};
use skillery_core::id::IdError;
use skillery_core::{Namespace, Problem, ProblemCode, Role, Scope, SkillId};

use super::comments::{check_rate, comment_not_found, moderates, still_seeing};
use crate::access::Caller;
use crate::db::comments::{self as table, NewReport, Viewer};
use crate::db::{accounts, ratings};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, done, invalid_parameter, json};
use crate::skill;
use crate::text::{check_text, invalid};

/// Reports a comment, a review or a skill to the moderators: admins of its namespace and of the registry. Once by each user.
#[utoipa::path(
    post, path = "/api/v1/reports", tag = "comments", request_body = ReportRequest, security(("token" = ["rate"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn create(call: Call) -> Result<Response> {
    call.caller.require(Scope::Rate)?;
    let (app, caller, request) = call.json::<ReportRequest>().await?;
    let id: SkillId = request
        .skill
        .parse()
        .map_err(|error: IdError| Failure::new(ProblemCode::InvalidId, error.to_string()))?;
    check_text("text", &request.text, app.settings.limits.reason_length, true)?;
    let skill = skill::find(&app, &caller, &id).await?;
    let identity = (**caller.require(Scope::Rate)?).clone();
    let reviewer = match &request.review {
        Some(name) => Some(accounts::user_by_name(app.db.reader(), name).await?.ok_or_else(no_review)?),
        None => None,
    };
    let (kind, target) = match (&request.comment, reviewer) {
        (Some(comment), None) => (ReportKind::Comment, comment.clone()),
        (None, Some(user)) => (ReportKind::Review, user.id),
        (None, None) => (ReportKind::Skill, String::new()),
        (Some(_), Some(_)) => {
            return Err(invalid("comment", "report a comment or a review, not both at once"));
        }
    };
    let (reason, text) = (request.reason, request.text.trim().to_owned());
    let new = NewReport { id: app.environment.new_id(), skill: skill.id, kind, target, reason, text };
    let limit = app.settings.limits.comments_per_minute;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = still_seeing(tx, &identity, &new.skill).await?;
                let (user, key) = (identity.user.id.clone(), new.skill.key());
                check_rate(tx, &user, limit).await?;
                let is_moderator = moderates(&identity, &new.skill.namespace().key());
                let viewer = Viewer { user: user.clone(), is_moderator };
                match new.kind {
                    ReportKind::Comment => {
                        let found = table::find(tx.connection(), &key, &new.target).await?;
                        found
                            .filter(|found| viewer.sees(found))
                            .ok_or_else(|| comment_not_found(&new.target))?;
                    }
                    ReportKind::Review if !ratings::is_there(tx, &key, &new.target).await? => {
                        return Err(no_review());
                    }
                    _ => {}
                }
                match table::report(tx, &user, &new).await? {
                    true => Ok(()),
                    false => Err(Failure::new(ProblemCode::ReportExists, "")),
                }
            })
        })
        .await?;
    Ok(done())
}

fn no_review() -> Failure {
    Failure::new(ProblemCode::UserNotFound, "nobody of that name has rated the skill")
}

/// What was reported where the caller is a moderator, the oldest first.
#[utoipa::path(
    get, path = "/api/v1/reports", tag = "comments", security(("token" = ["admin"])),
    params(
        ("state" = Option<String>, Query, description = "`open`, or `resolved`; `open` when left out"),
        ("namespace" = Option<String>, Query, description = "only of this namespace, and what lies below"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = ReportsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    let page = call.page()?;
    let namespace = call.parsed::<Namespace>("namespace")?;
    let within = places(&call.caller, namespace.as_ref())?;
    let is_open = match call.parameter("state").as_deref() {
        None | Some("open") => true,
        Some("resolved") => false,
        Some(_) => return Err(invalid_parameter("state", "use `open` or `resolved`")),
    };
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let (total, reports) = table::reports(&call.app.db, within.as_deref(), is_open, limit, offset).await?;
    json(StatusCode::OK, &ReportsResponse { total, reports })
}

/// Keys of the namespaces that the caller moderates; none: all.
fn places(caller: &Caller, namespace: Option<&Namespace>) -> Result<Option<Vec<String>>> {
    let identity = caller.require(Scope::Admin)?;
    if let Some(namespace) = namespace {
        caller.require_role(Scope::Admin, Role::Admin, namespace)?;
        return Ok(Some(vec![namespace.key()]));
    }
    let within = identity.places_as(Role::Admin);
    if within.as_ref().is_some_and(Vec::is_empty) {
        let detail = "only admins of the registry, or of a namespace, are moderators";
        return Err(Failure::new(ProblemCode::Forbidden, detail));
    }
    Ok(within)
}

/// Says what was done about a report. Two moderators at the same time: the second one gets 409.
#[utoipa::path(
    put, path = "/api/v1/reports/{report}", tag = "comments", request_body = ResolveRequest,
    params(("report" = String, Path, description = "its id")), security(("token" = ["admin"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn resolve(call: Call, report: &str) -> Result<Response> {
    places(&call.caller, None)?;
    let (app, caller, request) = call.json::<ResolveRequest>().await?;
    check_text("resolution", &request.resolution, app.settings.limits.reason_length, true)?;
    if request.resolution.trim().is_empty() {
        return Err(invalid("resolution", "say what was done about it"));
    }
    let (identity, report) = ((**caller.require(Scope::Admin)?).clone(), report.to_owned());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                let place = table::report_place(tx, &report).await?;
                let place = place.filter(|(namespace, _)| moderates(&identity, namespace));
                match place {
                    None => Err(Failure::new(ProblemCode::ReportNotFound, "there is no such report here")),
                    Some((_, false)) => {
                        Err(Failure::new(ProblemCode::ReportExists, "the report is resolved already"))
                    }
                    Some((_, true)) => {
                        table::resolve(tx, &report, &identity.user.id, request.resolution.trim()).await
                    }
                }
            })
        })
        .await?;
    Ok(done())
}
