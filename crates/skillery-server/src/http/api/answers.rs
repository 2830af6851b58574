//! `/api/v1/skills/{id}/ratings/{user}/answer` and `…/hidden`: what authors answer a review, and what moderators hide

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{AnswerReviewRequest, HideRequest, ReviewAnswer};
use skillery_core::event::{Event, OfReview};
use skillery_core::{Digest, Problem, ProblemCode, Role, Scope, SkillId};

use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::answers::{self as table, Hide};
use crate::db::{Tx, accounts, ratings};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, done, json};
use crate::skill;
use crate::talk::{check_may_show, check_rate, checked, checked_reason};

/// Answers a review for the authors of the skill, in place of an earlier answer. For publishers of its namespace.
#[utoipa::path(
    put, path = "/api/v1/skills/{id}/ratings/{user}/answer", tag = "ratings", request_body = AnswerReviewRequest,
    params(("id" = String, Path, description = "`org/name`"), ("user" = String, Path, description = "whose review it is")),
    security(("token" = ["publish"])),
    responses((status = 200, body = ReviewAnswer), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set(call: Call, id: &SkillId, reviewer: &str) -> Result<Response> {
    call.caller.require(Scope::Publish)?;
    let (app, caller, request) = call.json::<AnswerReviewRequest>().await?;
    json(StatusCode::OK, &answer(&app, &caller, id, reviewer, &request.text).await?)
}

/// Takes an answer back. Nothing happens where the review has none. For publishers of the namespace.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/ratings/{user}/answer", tag = "ratings",
    params(("id" = String, Path, description = "`org/name`"), ("user" = String, Path, description = "whose review it is")),
    security(("token" = ["publish"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn remove(call: &Call, id: &SkillId, reviewer: &str) -> Result<Response> {
    take_back(&call.app, &call.caller, id, reviewer).await?;
    Ok(done())
}

/// Hides the text of a review, and what is answered. The stars count on, so that nobody betters the mean of their skills by it. Its
/// author and moderators go on seeing it, and what is written anew stays hidden. For admins of the namespace.
#[utoipa::path(
    put, path = "/api/v1/skills/{id}/ratings/{user}/hidden", tag = "ratings", request_body = HideRequest,
    params(("id" = String, Path, description = "`org/name`"), ("user" = String, Path, description = "whose review it is")),
    security(("token" = ["admin"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn hide(call: Call, id: &SkillId, reviewer: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<HideRequest>().await?;
    hide_review(&app, &caller, id, reviewer, &request.reason).await?;
    Ok(done())
}

/// Shows the text of a review again. What an admin of the registry has hidden, or what one has written oneself, only an admin of the
/// registry shows again.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/ratings/{user}/hidden", tag = "ratings",
    params(("id" = String, Path, description = "`org/name`"), ("user" = String, Path, description = "whose review it is")),
    security(("token" = ["admin"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn unhide(call: &Call, id: &SkillId, reviewer: &str) -> Result<Response> {
    unhide_review(&call.app, &call.caller, id, reviewer).await?;
    Ok(done())
}

/// What a change of a review needs to know.
struct Wanted {
    id: SkillId,
    reviewer: String,
    identity: Identity,
    role: Role,
}

/// The review, its text, and who may do something about it in this transaction.
struct Found {
    key: String,
    reviewer: String,
    text: String,
    identity: Identity,
}

impl Wanted {
    async fn of(app: &App, caller: &Caller, id: &SkillId, reviewer: &str, role: Role) -> Result<Self> {
        let scope = if role == Role::Publisher { Scope::Publish } else { Scope::Admin };
        caller.require(scope)?;
        let id = skill::find(app, caller, id).await?.id;
        let identity = caller.require_role(scope, role, &id.namespace())?;
        Ok(Self { reviewer: reviewer.to_owned(), identity: (**identity).clone(), role, id })
    }

    async fn find(&self, tx: &mut Tx) -> Result<Found> {
        let identity = self.identity.still(tx, self.role, &self.id.namespace()).await?;
        let user = accounts::user_by_name(tx.connection(), &self.reviewer).await?.ok_or_else(no_review)?;
        let key = self.id.key();
        let text = ratings::text(tx, &key, &user.id).await?.ok_or_else(no_review)?;
        Ok(Found { key, reviewer: user.id, text, identity })
    }
}

/// Answers a review.
pub async fn answer(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    reviewer: &str,
    text: &str,
) -> Result<ReviewAnswer> {
    caller.require(Scope::Publish)?;
    let text = checked(app, text)?;
    let wanted = Wanted::of(app, caller, id, reviewer, Role::Publisher).await?;
    let salt = app.environment.salt();
    let limit = app.settings.limits.comments_per_minute;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let Found { key, reviewer, identity, .. } = wanted.find(tx).await?;
                let user = identity.user;
                check_rate(tx, &user.id, limit).await?;
                table::set(tx, &key, &reviewer, &user.id, &text, &salt).await?;
                let answer = Digest::salted(&salt, &text);
                let event = Event::ReviewAnswered { skill: wanted.id, user: reviewer, answer };
                tx.append(Some(&user.id), event);
                Ok(ReviewAnswer { author: user.name, text, at: tx.now, outdated: false, salt })
            })
        })
        .await
}

/// Takes an answer back. The same again changes nothing.
pub async fn take_back(app: &App, caller: &Caller, id: &SkillId, reviewer: &str) -> Result<()> {
    let wanted = Wanted::of(app, caller, id, reviewer, Role::Publisher).await?;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let found = wanted.find(tx).await?;
                if !table::remove(tx, &found.key, &found.reviewer).await? {
                    return Ok(());
                }
                let event = Event::ReviewAnswerRemoved(OfReview { skill: wanted.id, user: found.reviewer });
                tx.append(Some(&found.identity.user.id), event);
                Ok(())
            })
        })
        .await
}

/// Hides the text of a review for this reason. The same again changes nothing.
pub async fn hide_review(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    reviewer: &str,
    reason: &str,
) -> Result<()> {
    caller.require(Scope::Admin)?;
    let reason = checked_reason(app, "reason", reason, "a reason is needed")?;
    let wanted = Wanted::of(app, caller, id, reviewer, Role::Admin).await?;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let found = wanted.find(tx).await?;
                let (by, by_registry) = (&found.identity.user.id, found.identity.is_site_admin());
                // What a namespace has hidden already, the registry hides as well: then the namespace does not show it again.
                if table::hidden(tx, &found.key, &found.reviewer)
                    .await?
                    .is_some_and(|before| before || !by_registry)
                {
                    return Ok(());
                }
                let hide = Hide { by, by_registry, reason: &reason, text: &found.text };
                table::hide(tx, &found.key, &found.reviewer, &hide).await?;
                let of = OfReview { skill: wanted.id, user: found.reviewer.clone() };
                tx.append(Some(by), Event::ReviewHidden(of));
                Ok(())
            })
        })
        .await
}

/// Shows the text of a review again. The same again changes nothing.
pub async fn unhide_review(app: &App, caller: &Caller, id: &SkillId, reviewer: &str) -> Result<()> {
    let wanted = Wanted::of(app, caller, id, reviewer, Role::Admin).await?;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let found = wanted.find(tx).await?;
                let Some(by_registry) = table::hidden(tx, &found.key, &found.reviewer).await? else {
                    return Ok(());
                };
                let by = &found.identity.user.id;
                check_may_show(found.identity.is_site_admin(), by_registry, *by == found.reviewer)?;
                table::unhide(tx, &found.key, &found.reviewer).await?;
                let of = OfReview { skill: wanted.id, user: found.reviewer.clone() };
                tx.append(Some(by), Event::ReviewUnhidden(of));
                Ok(())
            })
        })
        .await
}

fn no_review() -> Failure {
    Failure::new(ProblemCode::ReviewNotFound, "nobody of that name has rated the skill")
}
