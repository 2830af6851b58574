//! `GET` and `POST /{id}/ratings`

use askama::Template;
use axum::response::Response;
use skillery_core::api::{RateRequest, RatingsResponse};
use skillery_core::{ProblemCode, Scope, SkillId};

use super::form::Form;
use super::frame::{Frame, page, see_other};
use super::skill::Header;
use super::{notice, show};
use crate::db::ratings as table;
use crate::failure::{Failure, Result};
use crate::http::api::{rate, ratings as api};
use crate::http::call::Call;
use crate::skill;

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
}

impl RatingsPage {
    /// Whether these stars are those that the viewer gave.
    fn is_chosen(&self, stars: &u32) -> bool {
        self.own.as_ref().is_some_and(|(rating, _)| rating.round() as u32 == *stars)
    }

    fn own_text(&self) -> &str {
        self.own.as_ref().map_or("", |(_, text)| text)
    }
}

/// The mean, how it comes about, and what was written.
pub async fn list(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let rows = call.page()?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let ratings = api::of_skill(&call.app, &call.caller, &skill.id, rows).await?;
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "ratings");
    header.ratings = ratings.count;
    let bar = |stars: u32| {
        let number = ratings.histogram.get(&stars.to_string()).copied().unwrap_or_default();
        (stars, number, number * 100 / ratings.count.max(1))
    };
    let viewer = call.caller.identity();
    let own = match viewer {
        Some(identity) => table::own(&call.app.db, &skill.id.key(), &identity.user.id).await?,
        None => None,
    };
    let own = own.map(|(tenths, text)| (tenths as f64 / 10.0, text));
    let address = |offset: usize| format!("/{}/ratings?offset={offset}", skill.id);
    let end = rows.offset + rows.limit;
    let has_next = (end as i64) < ratings.count && end <= call.app.settings.limits.page_offset;
    page(&RatingsPage {
        frame: frame.titled(format!("Ratings of {}", skill.id)).part("skill"),
        header,
        bars: (1..=5).rev().map(bar).collect(),
        may_rate: viewer.is_some_and(|identity| identity.has(Scope::Rate)),
        own,
        previous: (rows.offset > 0).then(|| address(rows.offset.saturating_sub(rows.limit))),
        next: has_next.then(|| address(end)),
        ratings,
    })
}

/// Rates the skill, or takes the rating back.
pub async fn change(call: Call, id: &SkillId) -> Result<Response> {
    let form = Form::read(call).await?;
    let skill = skill::find(&form.app, &form.caller, id).await?;
    let path = format!("/{}/ratings", skill.id);
    if form.text("action") == "remove" {
        rate::take_back(&form.app, &form.caller, &skill.id).await?;
        return Ok(see_other(&notice::with(&path, "rating-removed")));
    }
    let rating = form.text("rating").parse::<f64>();
    let rating =
        rating.map_err(|_| Failure::new(ProblemCode::InvalidRating, "choose from one to five stars"))?;
    let request = RateRequest { rating, review: form.filled("review") };
    rate::give(&form.app, &form.caller, &skill.id, request).await?;
    Ok(see_other(&notice::with(&path, "rated")))
}
