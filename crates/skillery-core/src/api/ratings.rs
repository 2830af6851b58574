//! Ratings and reviews.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::time::Time;

/// `POST /api/v1/skills/{id}/rate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateRequest {
    /// From 1 to 5, kept to one decimal.
    pub rating: f64,
    /// What the user thinks of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
}

/// What a rating is answered with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateResponse {
    /// Always true; a failure is a problem.
    pub success: bool,
    /// The mean with this rating.
    pub average_rating: f64,
    /// Ratings with this one.
    pub rating_count: i64,
}

/// `GET /api/v1/skills/{id}/ratings`: one page, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RatingsResponse {
    /// Mean of all ratings; 0 when there are none.
    pub average: f64,
    /// Ratings.
    pub count: i64,
    /// How many gave 1 to 5 stars, halves rounded up.
    pub histogram: BTreeMap<String, i64>,
    /// Ratings of this page, with their texts; fewer where these are long.
    pub reviews: Vec<Review>,
    /// The `offset` of the page behind, where there is one.
    #[serde(default)]
    pub next: Option<u64>,
    /// The rating of whoever asks, on whatever page it is; none where nobody is signed in, or has not rated.
    #[serde(default)]
    pub own: Option<Review>,
}

/// One user's rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Review {
    /// The user's name.
    pub author: String,
    /// 1 to 5.
    pub rating: f64,
    /// What the user wrote; empty when nothing, or when it is not shown.
    pub text: String,
    /// When it was given or last replaced (RFC 3339).
    pub created_at: String,
    /// Whether a moderator has hidden its text. The stars count on.
    #[serde(default)]
    pub hidden: bool,
    /// Why, for moderators and its author.
    #[serde(default)]
    pub hidden_reason: Option<String>,
    /// Whether an admin of the registry has hidden it, so that only one of them shows it again; for moderators and its author.
    #[serde(default)]
    pub hidden_by_registry: bool,
    /// What an author of the skill answers.
    #[serde(default)]
    pub answer: Option<ReviewAnswer>,
}

/// What an author of a skill answers a review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewAnswer {
    /// Who answers, for the skill.
    pub author: String,
    /// What.
    pub text: String,
    /// When, or when it was last changed.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub at: Time,
    /// Whether the review was written anew since.
    pub outdated: bool,
    /// The log has the SHA-256 of `salt`, a line feed and the text.
    pub salt: String,
}

/// `PUT /api/v1/skills/{id}/ratings/{user}/answer`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AnswerReviewRequest {
    /// What is answered, in place of what was before.
    pub text: String,
}
