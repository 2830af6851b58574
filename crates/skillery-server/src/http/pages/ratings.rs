//! `GET` and `POST /{id}/ratings`

use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{RateRequest, RatingsResponse, ReportReason, ReportRequest, Review};
use skillery_core::{ProblemCode, Role, Scope, SkillId};

use super::desk::pager::first;
use super::desk::tried::Tried;
use super::form::{Form, unknown};
use super::frame::{Frame, see_other, with_status};
use super::said::{Open, field, report};
use super::skill::Header;
use super::{notice, place, show};
use crate::access::Caller;
use crate::app::App;
use crate::db::ratings as table;
use crate::failure::{Failure, Result};
use crate::http::api::{answers, rate, ratings as api, reports};
use crate::http::call::{Call, Page};
use crate::skill;

/// Characters of reviews and answers on a page.
const CHARACTERS: i64 = 6_000;

/// What people think of a skill.
pub const RATINGS: &str = "/{id}/ratings";

#[derive(Template)]
#[template(path = "pages/ratings.html")]
struct RatingsPage {
    frame: Frame,
    header: Header,
    ratings: RatingsResponse,
    /// Five to one star: how many gave them, and the share in percent.
    bars: Vec<(u32, i64, i64)>,
    may_rate: bool,
    /// The viewer's rating.
    own: Option<(f64, String)>,
    previous: Option<String>,
    next: Option<String>,
    /// Which rows, as an address has it.
    rows: String,
    /// Whether the viewer answers for the authors.
    may_answer: bool,
    is_moderator: bool,
    /// Which form is open.
    open: Open,
    reasons: &'static [ReportReason],
    most: usize,
    reason_length: usize,
    review_length: usize,
    tried: Tried,
}

impl RatingsPage {
    /// What may be given: five to one star, and what the viewer gave between them by a program.
    fn choices(&self) -> Vec<String> {
        let mut choices: Vec<String> = self.bars.iter().map(|(stars, ..)| stars.to_string()).collect();
        let given = self.own.as_ref().map(|(rating, _)| rating.to_string());
        choices
            .extend(given.filter(|given| !self.bars.iter().any(|(stars, ..)| stars.to_string() == *given)));
        choices
    }

    /// Whether these stars are those that were tried, or else those that the viewer gave.
    fn is_chosen(&self, stars: &str) -> bool {
        let given = self.own.as_ref().is_some_and(|(rating, _)| rating.to_string() == stars);
        self.tried.chose("rate", "rating", stars, given)
    }

    /// What is wrong with what was tried of a rating.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.tried.why("rate", field)
    }

    /// Whether the viewer may hide what a namespace has hidden, so that it does not show it again.
    fn may_hide_again(&self, review: &Review) -> bool {
        let is_site_admin = self.frame.viewer.as_ref().is_some_and(|viewer| viewer.is_admin);
        is_site_admin && review.hidden && !review.hidden_by_registry
    }

    /// Whether the viewer may show it again, as far as the registry has not hidden it.
    fn may_show(&self, review: &Review) -> bool {
        let is_site_admin = self.frame.viewer.as_ref().is_some_and(|viewer| viewer.is_admin);
        review.hidden && (is_site_admin || !(review.hidden_by_registry || self.is_own(review)))
    }

    fn is_own(&self, review: &Review) -> bool {
        self.frame.viewer.as_ref().is_some_and(|viewer| viewer.name == review.author)
    }

    /// Whether a form is open at this review that the viewer may send.
    fn is_open(&self, review: &Review) -> bool {
        self.open.at == review.author
            && match self.open.form.as_str() {
                "answer" => self.may_answer,
                "hide" => self.is_moderator,
                "report" => self.may_rate,
                "report-answer" => self.may_rate && review.answer.is_some(),
                _ => false,
            }
    }

    /// The address of this page with a form at a review.
    fn with(&self, review: &Review, form: &str) -> String {
        let (id, rows, user) = (&self.header.id, &self.rows, &review.author);
        format!("/{id}/ratings?{rows}&user={}&form={form}#r-{user}", place::encoded(user))
    }

    /// What stands in the field of an answer: what was tried, else what is there.
    fn typed<'page>(&'page self, review: &'page Review) -> &'page str {
        match &review.answer {
            _ if self.tried.is("answer") => self.tried.typed("answer", "text"),
            Some(answer) => &answer.text,
            None => "",
        }
    }

    fn own_text(&self) -> &str {
        if self.tried.is("rate") {
            return self.tried.typed("rate", "review");
        }
        self.own.as_ref().map_or("", |(_, text)| text)
    }
}

/// The mean, how it comes about, and what was written.
pub async fn list(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let rows = call.page()?;
    let open = Open::of(call, "user");
    render(&call.app, &call.caller, frame, id, (rows, open), (Tried::default(), StatusCode::OK)).await
}

async fn render(
    app: &Arc<App>,
    caller: &Caller,
    frame: Frame,
    id: &SkillId,
    (rows, open): (Page, Open),
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let skill = skill::find(app, caller, id).await?;
    let mut ratings = api::of_skill(app, caller, &skill.id, rows, CHARACTERS).await?;
    // Whose review is asked for stands first, wherever it would stand.
    if !open.at.is_empty() && !ratings.reviews.iter().any(|review| review.author == open.at) {
        let asked = api::of_user(app, caller, &skill.id, &open.at).await?;
        ratings.reviews.splice(0..0, asked);
    }
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "ratings");
    header.ratings = ratings.count;
    let bar = |stars: u32| {
        let number = ratings.histogram.get(&stars.to_string()).copied().unwrap_or_default();
        (stars, number, number * 100 / ratings.count.max(1))
    };
    let viewer = caller.identity();
    let own = match viewer {
        Some(identity) => table::own(&app.db, &skill.id.key(), &identity.user.id).await?,
        None => None,
    };
    let own = own.map(|(tenths, text)| (tenths as f64 / 10.0, text));
    let usual = app.settings.limits.default_page_rows;
    let limit = if rows.limit == usual { String::new() } else { format!("&limit={}", rows.limit) };
    let rows_at = |offset: usize| format!("offset={offset}{limit}");
    let address = |offset: usize| format!("/{}/ratings?{}", skill.id, rows_at(offset));
    let next = ratings.next.and_then(|next| usize::try_from(next).ok());
    let namespace = skill.id.namespace();
    let template = RatingsPage {
        frame: frame.titled(format!("Ratings of {}", skill.id)).part("skill"),
        header,
        bars: (1..=5).rev().map(bar).collect(),
        may_rate: viewer.is_some_and(|identity| identity.has(Scope::Rate)),
        may_answer: caller.require_role(Scope::Publish, Role::Publisher, &namespace).is_ok(),
        is_moderator: caller.require_role(Scope::Admin, Role::Admin, &namespace).is_ok(),
        own,
        previous: (rows.offset > 0).then(|| address(rows.offset.saturating_sub(rows.limit))),
        next: next.map(address),
        rows: rows_at(rows.offset),
        ratings,
        open,
        reasons: ReportReason::ALL,
        most: app.settings.limits.comment_length,
        reason_length: app.settings.limits.reason_length,
        review_length: app.settings.limits.review_length,
        tried,
    };
    with_status(status, &template)
}

/// Rates the skill, takes the rating back, or does something about the review of a user.
pub async fn change(call: Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let form = Form::read(call).await?;
    let skill = skill::find(&form.app, &form.caller, id).await?;
    let path = format!("/{}/ratings", skill.id);
    let (action, user) = (form.text("action").into_owned(), form.text("user").into_owned());
    match act(&form, &skill.id, &action, &user).await {
        Ok(code) => Ok(see_other(&notice::with(&path, code))),
        Err(failure) if failure.code() == ProblemCode::InvalidParameter => Err(failure),
        Err(failure) => {
            let field = match failure.code() {
                ProblemCode::InvalidRating => "rating",
                _ if action == "rate" => "review",
                _ => field(&action),
            };
            let shown = Tried::new(&form, failure, field)?;
            let asked = (first(&form.app), Open { at: user, form: action });
            render(&form.app, &form.caller, frame, &skill.id, asked, shown).await
        }
    }
}

/// Does what the form asks for, and gives what is to be said of it.
async fn act(form: &Form, id: &SkillId, action: &str, user: &str) -> Result<&'static str> {
    let (app, caller) = (&form.app, &form.caller);
    Ok(match action {
        "rate" => {
            let rating = form.text("rating").parse::<f64>();
            let rating = rating
                .map_err(|_| Failure::new(ProblemCode::InvalidRating, "choose from one to five stars"))?;
            rate::give(app, caller, id, RateRequest { rating, review: form.filled("review") }).await?;
            "rated"
        }
        "remove" => {
            rate::take_back(app, caller, id).await?;
            "rating-removed"
        }
        "answer" => {
            answers::answer(app, caller, id, user, &form.text("text")).await?;
            "answered"
        }
        "unanswer" => {
            answers::take_back(app, caller, id, user).await?;
            "answer-removed"
        }
        "hide" => {
            answers::hide_review(app, caller, id, user, &form.text("reason")).await?;
            "hidden"
        }
        "unhide" => {
            answers::unhide_review(app, caller, id, user).await?;
            "unhidden"
        }
        "report" | "report-answer" => {
            let whole = report(form, id)?;
            let user = Some(user.to_owned());
            let (review, answer) = if action == "report" { (user, None) } else { (None, user) };
            reports::submit(app, caller, ReportRequest { review, answer, ..whole }).await?;
            "reported"
        }
        _ => return Err(unknown()),
    })
}
