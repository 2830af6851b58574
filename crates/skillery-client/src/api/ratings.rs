//! Ratings: give, take back, read.

use reqwest::Method;
use skillery_core::api::{RateRequest, RateResponse, RatingsResponse};
use skillery_core::{Rating, SkillId};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `POST /skills/{id}/rate`. Safe to repeat: a user has one rating per skill.
    pub async fn rate(&self, id: &SkillId, rating: Rating, review: Option<&str>) -> Result<RateResponse> {
        self.need_token("rating")?;
        let body = RateRequest { rating: rating.into(), review: review.map(str::to_owned) };
        self.json(Call::of_skill(Method::POST, id, &["rate"]).body(&body)?.repeatable()).await
    }

    /// `DELETE /skills/{id}/rate`: takes the caller's rating back.
    pub async fn unrate(&self, id: &SkillId) -> Result<()> {
        self.empty(Call::of_skill(Method::DELETE, id, &["rate"])).await
    }

    /// `GET /skills/{id}/ratings`: average, histogram, and one page of reviews.
    pub async fn ratings(&self, id: &SkillId, page: Page) -> Result<RatingsResponse> {
        self.json(page.add_to(Call::of_skill(Method::GET, id, &["ratings"]))).await
    }
}
