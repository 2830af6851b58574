//! Several skills side by side, each with what one asks first.

use skillery_core::api::SkillInstalls;
use skillery_core::{SkillId, Version};

use super::{adoption, dependents};
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::call::Page;
use crate::skill;

/// A skill in short.
pub struct SkillInsight {
    /// The skill.
    pub id: SkillId,
    /// How often it was installed in the time that was asked for.
    pub installs: u64,
    /// Its latest version.
    pub latest: Option<Version>,
    /// The part of that in the installs of the last 28 days.
    pub share: Option<f64>,
    /// Users who have a version that was taken back, as far as that is told.
    pub withdrawn: u64,
    /// Whether there are more, and how many is withheld.
    pub withholds: bool,
    /// Skills that a change reaches, as far as the caller sees.
    pub reached: u64,
}

/// These skills in short, as far as the caller sees them.
pub async fn of_skills(
    app: &App,
    caller: &Caller,
    skills: impl Iterator<Item = SkillInstalls>,
) -> Result<Vec<SkillInsight>> {
    let mut told = Vec::new();
    for SkillInstalls { id, installs } in skills {
        let row = match skill::find(app, caller, &id).await {
            Ok(row) => row,
            Err(failure) if failure.problem.status == 404 => continue,
            Err(failure) => return Err(failure),
        };
        let adoption = adoption(app, caller, &row).await?;
        let reached = dependents(app, caller, &row.id, None, None, Page { limit: 0, offset: 0 }).await?.total;
        told.push(SkillInsight {
            installs,
            latest: row.latest,
            share: adoption.installs_share,
            withdrawn: adoption.withdrawn.iter().filter_map(|row| row.consumers).sum(),
            withholds: adoption.withdrawn.iter().any(|row| row.consumers.is_none()),
            reached,
            id: row.id,
        });
    }
    Ok(told)
}
