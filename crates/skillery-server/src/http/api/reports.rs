//! `/api/v1/reports`: what users report, and what moderators do about it

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ReportKind, ReportRequest, ReportsResponse, ResolveRequest};
use skillery_core::{Namespace, Problem, ProblemCode, Role, Scope, SkillId};

use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::audit::{self, About};
use crate::db::reports::{self as table, NewReport, Place};
use crate::db::{Tx, accounts, answers, comments, ratings, skills};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page, done, invalid_parameter, json};
use crate::origin;
use crate::skill;
use crate::talk::{
    check_rate, checked_reason, comment_not_found, moderates, of_ones_own, still_seeing, viewer,
};
use crate::text::{check_text, invalid};

/// Reports a comment, a review, an answer to one or a skill to moderators. About a skill, and about what members of its org wrote,
/// admins of the registry decide; about the rest admins of its namespace may, too. Each user reports the same once, once more
/// what a namespace has resolved: that is for admins of the registry then, and again what says something else since it was resolved:
/// another text, or of a skill another newest version. Who reports is told to these alone.
#[utoipa::path(
    post, path = "/api/v1/reports", tag = "comments", request_body = ReportRequest, security(("token" = ["rate"])),
    responses(
        (status = 204),
        (status = 404, description = "there is no such skill, comment or review, or the caller may not see it", body = Problem),
        (status = 409, description = "`report-exists`", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn create(call: Call) -> Result<Response> {
    origin::reports();
    call.caller.require(Scope::Rate)?;
    let (app, caller, request) = call.json::<ReportRequest>().await?;
    submit(&app, &caller, request).await?;
    Ok(done())
}

/// Reports something.
pub async fn submit(app: &App, caller: &Caller, request: ReportRequest) -> Result<()> {
    let identity = (**caller.require(Scope::Rate)?).clone();
    let id: SkillId = request.skill.parse()?;
    check_text("text", &request.text, app.settings.limits.reason_length, true)?;
    let skill = skill::find(app, caller, &id).await?;
    let named = request.review.as_ref().or(request.answer.as_ref());
    let reviewer = match named {
        Some(name) => Some(accounts::user_by_name(app.db.reader(), name).await?.ok_or_else(no_review)?.id),
        None => None,
    };
    let (kind, target) = match (request.comment, &request.review, &request.answer, reviewer) {
        (Some(comment), None, None, _) => (ReportKind::Comment, comment),
        (None, Some(_), None, Some(user)) => (ReportKind::Review, user),
        (None, None, Some(_), Some(user)) => (ReportKind::Answer, user),
        (None, None, None, _) => (ReportKind::Skill, String::new()),
        _ => {
            let detail = "report a comment, a review or an answer, not several at once";
            return Err(invalid("comment", detail));
        }
    };
    let viewer = viewer(caller, &skill.id);
    let new = NewReport {
        id: app.environment.new_id(),
        skill: skill.id,
        kind,
        target,
        reason: request.reason,
        text: request.text.trim().to_owned(),
        accused: None,
        said: None,
        for_registry: true,
    };
    let limit = app.settings.limits.comments_per_minute;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = still_seeing(tx, &identity, &new.skill).await?;
                let (user, key) = (identity.user.id.clone(), new.skill.key());
                check_rate(tx, &user, limit).await?;
                let mut new = new;
                match new.kind {
                    ReportKind::Comment => {
                        let found = comments::find(tx.connection(), &key, &new.target).await?;
                        let found = found.filter(|found| viewer.sees(found));
                        let found = found.ok_or_else(|| comment_not_found(&new.target))?;
                        (new.accused, new.said) = (Some(found.user), Some(found.text));
                    }
                    ReportKind::Review => {
                        let text = ratings::text(tx, &key, &new.target).await?.ok_or_else(no_review)?;
                        (new.accused, new.said) = (Some(new.target.clone()), Some(text));
                    }
                    ReportKind::Answer => {
                        // What is withheld is neither there nor away for who does not see it.
                        let may_see = viewer.is_moderator || viewer.user == new.target;
                        if !may_see && answers::hidden(tx, &key, &new.target).await?.is_some() {
                            return Err(no_review());
                        }
                        let found = answers::find(tx.connection(), &key, &new.target).await?;
                        let found = found.ok_or_else(no_review)?;
                        (new.accused, new.said) = (Some(found.author), Some(found.text));
                    }
                    ReportKind::Skill => {
                        let found = skills::find(tx.connection(), &key).await?;
                        let latest = found.and_then(|found| found.latest).map(|version| version.to_string());
                        // Nothing is what a skill says that has no such version; unknown it is of old reports alone.
                        new.said = Some(latest.unwrap_or_default());
                    }
                }
                if let Some(accused) = &new.accused {
                    // Whose fault it may be does not decide about it.
                    let org = new.skill.namespace().org_key();
                    new.for_registry = table::is_of_house(tx, accused, &org).await?;
                }
                let report = table::report(tx, &user, &new).await?;
                let report = report.ok_or_else(|| Failure::new(ProblemCode::ReportExists, ""))?;
                // No namespace learns by whom something was reported.
                let subject = Some(subject(&new.skill, &report));
                let about = About { skill: Some(key), subject, ..About::default() };
                audit::insert_private(tx, Some(&user), "report.filed", about).await
            })
        })
        .await
}

fn no_review() -> Failure {
    Failure::new(ProblemCode::ReviewNotFound, "nobody of that name has rated the skill, or been answered")
}

/// What was reported and is the caller's to decide about, the oldest first; what is resolved, the last decision first. A report that is open and has a resolution was resolved
/// before.
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
    let is_open = is_open(call)?;
    let asked = Asked { namespace: namespace.as_ref(), is_open, id: None };
    json(StatusCode::OK, &reports(&call.app, &call.caller, &asked, page).await?)
}

/// Whether those are asked for that are open, or those that are resolved.
pub fn is_open(call: &Call) -> Result<bool> {
    match call.parameter("state").as_deref() {
        None | Some("open") => Ok(true),
        Some("resolved") => Ok(false),
        Some(_) => Err(invalid_parameter("state", "use `open` or `resolved`")),
    }
}

/// Which reports are asked for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Those of this namespace and those below; none: of all.
    pub namespace: Option<&'a Namespace>,
    /// Those that are open, or those that are resolved.
    pub is_open: bool,
    /// The one with this id alone.
    pub id: Option<String>,
}

/// Reports that are the caller's to decide about.
pub async fn reports(app: &App, caller: &Caller, asked: &Asked<'_>, page: Page) -> Result<ReportsResponse> {
    let identity = caller.require(Scope::Admin)?;
    let (within, is_site_admin) = (places(caller, asked.namespace)?, identity.is_site_admin());
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let wanted =
        table::Wanted { within, is_open: asked.is_open, for_site_admin: is_site_admin, id: asked.id.clone() };
    let (total, reports) = table::reports(&app.db, &wanted, limit, offset).await?;
    Ok(ReportsResponse { total, reports })
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

/// Says what was done about a report. Two moderators at the same time: the second one gets 409. What an admin of the registry has
/// resolved is theirs from then on.
#[utoipa::path(
    put, path = "/api/v1/reports/{report}", tag = "comments", request_body = ResolveRequest,
    params(("report" = String, Path, description = "its id")), security(("token" = ["admin"])),
    responses(
        (status = 204),
        (status = 409, description = "`report-exists`: it was resolved already", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn resolve(call: Call, report: &str) -> Result<Response> {
    places(&call.caller, None)?;
    let (app, caller, request) = call.json::<ResolveRequest>().await?;
    resolve_report(&app, &caller, report, &request.resolution).await?;
    Ok(done())
}

/// Says what was done about a report.
pub async fn resolve_report(app: &App, caller: &Caller, report: &str, resolution: &str) -> Result<()> {
    places(caller, None)?;
    let resolution = checked_reason(app, "resolution", resolution, "say what was done about it")?;
    decide(app, caller, report, Decision::Resolved(resolution)).await
}

/// Opens a report again that was resolved. What was done about it before stays beside it.
#[utoipa::path(
    post, path = "/api/v1/reports/{report}/reopen", tag = "comments",
    params(("report" = String, Path, description = "its id")), security(("token" = ["admin"])),
    responses(
        (status = 204),
        (status = 409, description = "`report-exists`: it is open", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn reopen(call: &Call, report: &str) -> Result<Response> {
    reopen_report(&call.app, &call.caller, report).await?;
    Ok(done())
}

/// Opens a report again.
pub async fn reopen_report(app: &App, caller: &Caller, report: &str) -> Result<()> {
    places(caller, None)?;
    decide(app, caller, report, Decision::Reopened).await
}

/// What a moderator decides about a report.
enum Decision {
    Resolved(String),
    Reopened,
}

async fn decide(app: &App, caller: &Caller, report: &str, decision: Decision) -> Result<()> {
    let (identity, report) = ((**caller.require(Scope::Admin)?).clone(), report.to_owned());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                let place = of_moderator(tx, &identity, &report).await?;
                let (user, is_site_admin) = (&identity.user.id, identity.is_site_admin());
                let exists = |detail: &str| Err(Failure::new(ProblemCode::ReportExists, detail));
                let action = match decision {
                    Decision::Resolved(_) if !place.is_open => {
                        return exists("the report is resolved already");
                    }
                    Decision::Reopened if place.is_open => return exists("the report is open already"),
                    Decision::Resolved(resolution) => {
                        table::resolve(tx, &report, user, is_site_admin, &resolution).await?;
                        "report.resolved"
                    }
                    Decision::Reopened => {
                        table::reopen(tx, &report).await?;
                        "report.reopened"
                    }
                };
                audit::insert_private(tx, Some(user), action, about(&place, &report, is_site_admin)).await
            })
        })
        .await
}

/// The report, where the identity may decide about it.
async fn of_moderator(tx: &mut Tx, identity: &Identity, report: &str) -> Result<Place> {
    let place = table::place(tx, report).await?;
    let not_found = || Failure::new(ProblemCode::ReportNotFound, "there is no such report here");
    let place = place.ok_or_else(not_found)?;
    if identity.is_site_admin() {
        return Ok(place);
    }
    if place.for_registry || !moderates(identity, &place.skill.namespace().key()) {
        return Err(not_found());
    }
    if place.accused.as_ref() == Some(&identity.user.id) {
        return Err(of_ones_own());
    }
    Ok(place)
}

/// What the audit says. A namespace does not read of what is for the registry.
fn about(place: &Place, report: &str, by_registry: bool) -> About {
    let about = match place.for_registry || by_registry {
        true => About { skill: Some(place.skill.key()), ..About::default() },
        false => About::skill(&place.skill),
    };
    About { subject: Some(subject(&place.skill, report)), ..about }
}

/// A report in the audit, by which what was reported and what was decided about it are found together.
fn subject(skill: &SkillId, report: &str) -> String {
    format!("{skill} report {report}")
}
