//! Whether somebody is asked to decide about versions.

use std::collections::{BTreeSet, HashMap};

use skillery_core::approval::Approval;
use skillery_core::id::key_contains;
use skillery_core::time::Time;
use skillery_core::{Role, SkillId, Version};

use super::MAX_GROUPS_NAMED;
use super::standing::{Decisions, Standing, group};
use crate::access::highest_role;
use crate::db::groups::{self, Membership};
use crate::db::{Db, approvals, gates, places_of};
use crate::failure::Result;

/// Somebody who may be asked, and has no part in any of the versions.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The id of the user.
    pub user: &'a str,
    /// The user's roles by namespace key.
    pub roles: &'a [(String, Role)],
}

/// What an approval of somebody would come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worth {
    /// It counts for no stage that is open.
    Nothing,
    /// It counts, and needs no signature.
    Plain,
    /// It counts if it is signed: some stage that asks for them, open or not, counts signed ones alone.
    Signed,
}

/// What an approval of theirs would come to for each of these versions. All that decides it is read in a few statements, however many
/// versions there are.
pub async fn asks_for(
    db: &Db,
    asked: &Asked<'_>,
    versions: &[(&SkillId, &Version)],
    now: Time,
) -> Result<Vec<Worth>> {
    let mut connection = db.reader().acquire().await?;
    let named: Vec<(String, String)> =
        versions.iter().map(|(id, version)| (id.key(), version.to_string())).collect();
    let gated = gates::of_versions(&mut connection, &named).await?;
    let known = Decisions::about(&mut connection, &named).await?;
    let mut places: BTreeSet<String> = BTreeSet::new();
    for (id, _) in versions {
        places.extend(places_of(&id.namespace())?);
    }
    let places: Vec<String> = places.into_iter().collect();
    let set = approvals::policies_at(&mut connection, &places).await?;
    let mut mine: HashMap<String, Vec<Membership>> =
        groups::of_users(&mut connection, &[asked.user.to_owned()]).await?;
    let mine = mine.remove(asked.user).unwrap_or_default();
    drop(connection);
    let mut answers = Vec::with_capacity(versions.len());
    for ((id, _), named) in versions.iter().zip(&named) {
        let Some(gated) = gated.get(named) else {
            answers.push(Worth::Nothing);
            continue;
        };
        let namespace = id.namespace();
        let place = namespace.key();
        // The outermost first, as they are for one version.
        let policies: Vec<_> =
            places_of(&namespace)?.iter().rev().filter_map(|place| set.get(place).cloned()).collect();
        let standing = Standing::by(&known, id, gated, &policies, now);
        let role = highest_role(asked.roles, &place).unwrap_or(Role::Reader);
        let there = mine.iter().filter(|membership| key_contains(&membership.namespace, &place));
        let new = Approval {
            user: asked.user,
            role,
            is_own: false,
            groups: there.take(MAX_GROUPS_NAMED).map(group).collect(),
            is_signed: true,
            at: now,
            index: u64::MAX,
            stages: &[],
        };
        let is_signed = standing.demand.needs_signature(&new).is_some();
        let counts = role >= standing.demand.lowest_role() && standing.with(new, now).counts;
        answers.push(match (counts, is_signed) {
            (false, _) => Worth::Nothing,
            (true, false) => Worth::Plain,
            (true, true) => Worth::Signed,
        });
    }
    Ok(answers)
}
