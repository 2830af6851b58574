//! `GET` and `POST /{id}/ratings`

use std::collections::HashSet;
use std::sync::Arc;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{RateRequest, RatingsResponse, ReportReason, ReportRequest, Review};
use skillery_core::{ProblemCode, Role, Scope, SkillId};

use super::desk::tried::Tried;
use super::form::{Form, unknown};
use super::frame::{Frame, see_other, with_status};
use super::pager::{Pager, Pages, first};
use super::said::{self, Hiding, Open, RoomLeft, field, report};
use super::skill::Header;
use super::{notice, place, show};
use crate::access::Caller;
use crate::app::App;
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
    /// Users whose reviews, or the answers to them, are shown by their beginning.
    cut: HashSet<String>,
    /// The viewer's rating.
    own: Option<(f64, String)>,
    /// Whether the form to rate it is there, and not only a way to it: a page has one thing with much text at most.
    has_form: bool,
    pager: Pager,
    /// Which rows, as an address has them.
    offset: String,
    limit: String,
    /// Whether the viewer answers for the authors.
    may_answer: bool,
    is_moderator: bool,
    /// Which form is open.
    open: Open,
    /// What the review at which it is open was answered.
    answer: String,
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

    fn hiding(&self, review: &Review) -> Hiding {
        Hiding::of(&self.frame, review.hidden, review.hidden_by_registry, self.is_own(review))
    }

    /// Whether there is more of the review or the answer to it than is shown.
    fn is_cut(&self, review: &Review) -> bool {
        self.cut.contains(&review.author)
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
        let user = review.author.as_str();
        let rows = [("offset", self.offset.as_str()), ("limit", self.limit.as_str())];
        let query = rows.into_iter().chain([("user", user), ("form", form)]);
        let address = place::address(&format!("/{}/ratings", self.header.id), query);
        format!("{address}#r-{}", place::encoded(user))
    }

    /// What stands in the field of an answer: what was tried, else what is there.
    fn typed(&self) -> &str {
        if self.tried.is("answer") { self.tried.typed("answer", "text") } else { &self.answer }
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
    let viewer = caller.identity();
    let own = ratings.own.take().map(|own| (own.rating, own.text));
    let namespace = skill.id.namespace();
    let mut fitting = Fitting {
        id: skill.id.to_string().len(),
        may_rate: viewer.is_some_and(|identity| identity.has(Scope::Rate)),
        may_answer: caller.require_role(Scope::Publish, Role::Publisher, &namespace).is_ok(),
        is_moderator: caller.require_role(Scope::Admin, Role::Admin, &namespace).is_ok(),
        asked: &open.at,
        cut: HashSet::new(),
        room: RoomLeft(said::ROOM),
    };
    // Whose review is asked for stands first where it is not on the page, wherever it would stand.
    let asked = match ratings.reviews.iter().find(|review| review.author == open.at) {
        Some(review) => Some(review.clone()),
        None if open.at.is_empty() => None,
        None => api::of_user(app, caller, &skill.id, &open.at).await?,
    };
    let answered = asked.as_ref().and_then(|review| review.answer.as_ref());
    let answer = answered.map_or_else(String::new, |answer| answer.text.clone());
    let has_form = open.form == "rate" || (open.form.is_empty() && open.at.is_empty());
    let typed = match &own {
        Some((_, text)) if has_form => text.as_str(),
        _ if open.form == "answer" && fitting.may_answer => answer.as_str(),
        _ => "",
    };
    fitting.room = RoomLeft(said::ROOM.saturating_sub(show::weight(typed).max(tried.weight())));
    let (reviews, taken) = fitting.all(asked, std::mem::take(&mut ratings.reviews));
    ratings.reviews = reviews;
    let Fitting { may_rate, may_answer, is_moderator, cut, .. } = fitting;
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "ratings");
    header.ratings = ratings.count;
    let bar = |stars: u32| {
        let number = ratings.histogram.get(&stars.to_string()).copied().unwrap_or_default();
        (stars, number, number * 100 / ratings.count.max(1))
    };
    let usual = app.settings.limits.default_page_rows;
    let path = format!("/{}/ratings", skill.id);
    let pager = Pages::of(app, &path, &[]).ending_at(rows.offset + taken, rows, ratings.count as u64);
    let template = RatingsPage {
        frame: frame.titled(format!("Ratings of {}", skill.id)).part("skill"),
        header,
        bars: (1..=5).rev().map(bar).collect(),
        may_rate,
        may_answer,
        is_moderator,
        cut,
        own,
        has_form,
        pager,
        offset: if rows.offset > 0 { rows.offset.to_string() } else { String::new() },
        limit: if rows.limit == usual { String::new() } else { rows.limit.to_string() },
        ratings,
        open,
        answer,
        reasons: ReportReason::ALL,
        most: app.settings.limits.comment_length,
        reason_length: app.settings.limits.reason_length,
        review_length: app.settings.limits.review_length,
        tried,
    };
    with_status(status, &template)
}

/// What stands on a page, as far as there is room.
struct Fitting<'page> {
    /// Bytes of the id of the skill, which is in every address.
    id: usize,
    may_rate: bool,
    may_answer: bool,
    is_moderator: bool,
    /// The user whose review is asked for: it goes as far as there is room, before all others.
    asked: &'page str,
    cut: HashSet<String>,
    room: RoomLeft,
}

impl Fitting<'_> {
    /// The one that is asked for, or one at least, and as many of the page as there is room for; and how many of the page these are.
    fn all(&mut self, asked: Option<Review>, reviews: Vec<Review>) -> (Vec<Review>, usize) {
        let mut asked = asked.and_then(|review| self.add(review, true));
        let laid_out = reviews.into_iter().enumerate().map_while(|(place, review)| {
            let ready = asked.take_if(|asked| asked.author == review.author);
            ready.or_else(|| self.add(review, place == 0 && asked.is_none()))
        });
        let mut shown: Vec<Review> = laid_out.collect();
        let taken = shown.len();
        shown.splice(0..0, asked);
        (shown, taken)
    }

    /// A review; none where there is no room for it, unless it has to be there.
    fn add(&mut self, mut review: Review, has_to: bool) -> Option<Review> {
        let is_asked = review.author == self.asked;
        let mut row = self.room.row((!is_asked).then_some(said::ROOM / 8));
        row.cut_reason(&mut review.hidden_reason);
        row.used += self.around(&review);
        row.cut(&mut review.text);
        review.answer.iter_mut().for_each(|answer| row.cut(&mut answer.text));
        if row.is_cut {
            self.cut.insert(review.author.clone());
        }
        self.room.take(&row, has_to).then_some(review)
    }

    /// Bytes of HTML around what a review and the answer to it say and why it is hidden, at most nearly.
    fn around(&self, review: &Review) -> usize {
        let name = review.author.len();
        let (link, form) = (140 + self.id + 2 * name, 370 + self.id + name);
        let mut bytes = 600 + self.id + 4 * name;
        bytes += review.answer.as_ref().map_or(0, |answer| 250 + answer.author.len());
        if self.may_answer {
            bytes += link + if review.answer.is_some() { form } else { 0 };
        }
        if self.may_rate {
            bytes += 2 * link;
        }
        if self.is_moderator {
            bytes += link + if review.hidden { form } else { 0 };
        }
        bytes
    }
}

/// Rates the skill, takes the rating back, or does something about the review of a user.
pub async fn change(call: Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let form = Form::read(call).await?;
    let (action, user) = (form.text("action").into_owned(), form.text("user").into_owned());
    said::begin(&action);
    let skill = skill::find(&form.app, &form.caller, id).await?;
    let path = format!("/{}/ratings", skill.id);
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
