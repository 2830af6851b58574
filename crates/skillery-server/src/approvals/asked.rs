//! Whether somebody is asked to decide about a version.

use skillery_core::Role;
use skillery_core::api::PolicyInForce;
use skillery_core::approval::Approval;
use skillery_core::time::Time;
use skillery_core::{SkillId, Version};

use super::{MAX_GROUPS_NAMED, Standing, group};
use crate::db::groups::Membership;
use crate::db::{Db, gates, versions};
use crate::failure::Result;

/// Somebody who may be asked, in one namespace.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The id of the user, who has no part in the version.
    pub user: &'a str,
    /// The highest role that the user has there.
    pub role: Role,
    /// The groups that the user is in there.
    pub groups: &'a [Membership],
    /// The policies in force there.
    pub policies: &'a [PolicyInForce],
}

/// Whether an approval of theirs would count for a stage that is open; where signed ones are demanded, a signed one.
pub async fn asks(db: &Db, asked: &Asked<'_>, id: &SkillId, version: &Version, now: Time) -> Result<bool> {
    let key = id.key();
    let Some(row) = versions::find(db.reader(), &key, version).await? else { return Ok(false) };
    let gate = gates::find(db.reader(), &key, version).await?;
    let standing =
        Standing::of(&mut *db.reader().acquire().await?, id, &row, asked.policies, &gate, now).await?;
    if asked.role < standing.demand.lowest_role() {
        return Ok(false);
    }
    let groups = asked.groups.iter().take(MAX_GROUPS_NAMED).map(group).collect();
    let new =
        Approval { user: asked.user, role: asked.role, is_own: false, groups, is_signed: true, at: now };
    Ok(standing.would_count(new, now))
}
