//! `POST` and `DELETE /api/v1/skills/{id}/rate`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{RateRequest, RateResponse};
use skillery_core::event::Event;
use skillery_core::{Problem, ProblemCode, Rating, Scope, SkillId};

use crate::access::Caller;
use crate::app::App;
use crate::db::{answers, ratings};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, done, json};
use crate::skill;
use crate::talk::{check_rate, still_seeing};
use crate::text::check_text;

/// Rates a skill, in place of the caller's earlier rating. The same again changes nothing.
#[utoipa::path(
    post, path = "/api/v1/skills/{id}/rate", tag = "ratings", request_body = RateRequest,
    params(("id" = String, Path, description = "`org/name`")), security(("token" = ["rate"])),
    responses(
        (status = 200, body = RateResponse),
        (status = 422, description = "`invalid-rating`, `unknown-field`, `invalid-field`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn rate(call: Call, id: &SkillId) -> Result<Response> {
    call.caller.require(Scope::Rate)?;
    let (app, caller, request) = call.json::<RateRequest>().await?;
    json(StatusCode::OK, &give(&app, &caller, id, request).await?)
}

/// Sets the caller's rating of a skill that the caller sees.
pub async fn give(app: &App, caller: &Caller, id: &SkillId, request: RateRequest) -> Result<RateResponse> {
    let identity = (**caller.require(Scope::Rate)?).clone();
    let rating = Rating::try_from(request.rating)
        .map_err(|error| Failure::new(ProblemCode::InvalidRating, error.to_string()))?;
    let review = request.review.unwrap_or_default();
    check_text("review", &review, app.settings.limits.review_length, true)?;
    let id = skill::find(app, caller, id).await?.id;
    let limit = app.settings.limits.comments_per_minute;
    let sums = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let user = still_seeing(tx, &identity, &id).await?.user.id;
                let (key, review) = (id.key(), review.trim());
                let before = ratings::find(tx, &key, &user).await?;
                if before.as_ref().is_some_and(|(given, text)| *given == rating && text == review) {
                    return ratings::sums(tx, &key).await;
                }
                // Each stays in the log for ever.
                check_rate(tx, &user, limit).await?;
                let before = before.map(|(given, _)| given);
                let sums = ratings::set(tx, &key, &user, (before, rating), review).await?;
                tx.append(Some(&user), Event::SkillRated { skill: id, tenths: rating.tenths() });
                Ok(sums)
            })
        })
        .await?;
    Ok(RateResponse { success: true, average_rating: sums.average, rating_count: sums.count })
}

/// Takes the caller's rating back. Nothing happens when there is none.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/rate", tag = "ratings",
    params(("id" = String, Path, description = "`org/name`")), security(("token" = ["rate"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn unrate(call: &Call, id: &SkillId) -> Result<Response> {
    take_back(&call.app, &call.caller, id).await?;
    Ok(done())
}

/// Removes the caller's rating of a skill that the caller sees, if there is one.
pub async fn take_back(app: &App, caller: &Caller, id: &SkillId) -> Result<()> {
    let identity = (**caller.require(Scope::Rate)?).clone();
    let skill = skill::find(app, caller, id).await?;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let user = still_seeing(tx, &identity, &skill.id).await?.user.id;
                let key = skill.id.key();
                if ratings::remove(tx, &key, &user).await?.is_some() {
                    answers::remove(tx, &key, &user).await?;
                    tx.append(Some(&user), Event::SkillUnrated { skill: skill.id });
                }
                Ok(())
            })
        })
        .await
}
