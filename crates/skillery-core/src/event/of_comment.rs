//! What entries about comments have in them.

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
