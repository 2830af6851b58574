//! What entries about comments and reviews have in them.

use serde::{Deserialize, Serialize};

use crate::SkillId;

/// A comment on a skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfComment {
    /// The skill.
    pub skill: SkillId,
    /// The comment's id.
    pub comment: String,
}

/// A review of a skill.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OfReview {
    /// The skill.
    pub skill: SkillId,
    /// The id of the user whose review it is.
    pub user: String,
}
