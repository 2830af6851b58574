//! What waits again: as everybody sees its skill from now on, or as nobody has looked at it for too long.

use skillery_core::api::PolicyInForce;
use skillery_core::approval::{Fact, HeldFor, Notice, Overdue};
use skillery_core::event::Event;
use skillery_core::time::Time;
use skillery_core::{Namespace, SkillId, Version, VersionStatus};

use super::{demand, key_of, release_if_ready};
use crate::app::App;
use crate::db::gates::{self, Gate};
use crate::db::{Tx, approvals, versions};
use crate::failure::Result;

const DAY_SECONDS: i64 = 86_400;
/// Versions that a change looks at, so that it stays short.
const TOGETHER: i64 = 100;

/// From now on everybody sees the skill. What is handed out of it waits for what policies ask for then, and is released at once
/// where that is there already.
pub async fn hold_for_public(tx: &mut Tx, user: &str, id: &SkillId) -> Result<()> {
    let key = id.key();
    let policies = approvals::policies(tx.connection(), &id.namespace()).await?;
    let asks = policies.iter().any(|set| set.policy.asks_for_public());
    let mut ready = Vec::new();
    for (version, status) in versions::statuses(tx.connection(), &key).await? {
        let mut gate = gates::find(tx.connection(), &key, &version).await?;
        if gate.facts.as_ref().is_some_and(|facts| facts.contains(&Fact::Public)) {
            continue;
        }
        let Some(row) = versions::find(tx.connection(), &key, &version).await? else { continue };
        if let Some(facts) = &mut gate.facts {
            facts.push(Fact::Public);
            gates::keep(tx, &key, &version, &gate, row.notice).await?;
        }
        let waits_for = demand(&policies, &gate).policies();
        let is_out = matches!(status, VersionStatus::Published | VersionStatus::Yanked);
        if asks && is_out && !waits_for.is_empty() {
            let event = Event::VersionHeld {
                skill: id.clone(),
                version: version.clone(),
                why: HeldFor::Public,
                policies: waits_for,
            };
            tx.append(Some(user), event);
            versions::set_status(tx, &key, &version, VersionStatus::Pending, None).await?;
            gate = Gate { held_for: Some(HeldFor::Public), due_at: None, forced: None, ..gate };
            gates::keep(tx, &key, &version, &gate, None).await?;
            ready.push((versions::VersionRow { status: VersionStatus::Pending, ..row }, gate));
        }
    }
    for (row, gate) in ready {
        release_if_ready(tx, Some(user), id, &row, &policies, gate).await?;
    }
    Ok(())
}

/// Looks for what nobody has looked at for too long, and says so, once. Returns how many versions.
pub async fn review_overdue(app: &App) -> Result<usize> {
    let mut count = 0;
    for set in approvals::reviewing(&app.db).await? {
        let Some(review) = set.policy.review else { continue };
        let since = app.environment.now().plus_seconds(-i64::from(review.days) * DAY_SECONDS);
        let place = key_of(&set.namespace);
        let is_due = review.overdue == Overdue::Hold;
        loop {
            let found = gates::overdue(&app.db, &place, since, is_due, TOGETHER).await?;
            if found.is_empty() || app.is_stopping() {
                break;
            }
            let before = count;
            for (id, version) in found {
                let is_due = app
                    .db
                    .write(move |tx| Box::pin(async move { fall_due(tx, &id, &version).await }))
                    .await?;
                count += usize::from(is_due);
            }
            if count == before {
                break;
            }
        }
    }
    Ok(count)
}

/// What is due by the policies of this moment is so from now on, or waits.
async fn fall_due(tx: &mut Tx, id: &SkillId, version: &Version) -> Result<bool> {
    let (key, now) = (id.key(), tx.now);
    let Some(row) = versions::find(tx.connection(), &key, version).await? else { return Ok(false) };
    if row.status != VersionStatus::Published {
        return Ok(false);
    }
    let gate = gates::find(tx.connection(), &key, version).await?;
    let namespace: Namespace = id.namespace();
    let policies = approvals::policies(tx.connection(), &namespace).await?;
    let looked_at = gate.reviewed_at.unwrap_or(row.created_at);
    let is_late = |days: u32| looked_at.plus_seconds(i64::from(days) * DAY_SECONDS) < now;
    let overdue = |set: &PolicyInForce| {
        set.policy.review.filter(|review| is_late(review.days)).map(|review| (review.overdue, set.log_index))
    };
    let overdue: Vec<(Overdue, u64)> = policies.iter().filter_map(overdue).collect();
    let Some(worst) = overdue.iter().map(|(overdue, _)| *overdue).max() else { return Ok(false) };
    let is_held = worst == Overdue::Hold;
    if gate.due_at.is_some() && !is_held {
        return Ok(false);
    }
    let mut named: Vec<u64> = overdue
        .iter()
        .filter(|(overdue, _)| !is_held || *overdue == Overdue::Hold)
        .map(|(_, index)| *index)
        .collect();
    named.sort_unstable();
    let (skill, version_named) = (id.clone(), version.clone());
    let event = match is_held {
        true => Event::VersionHeld { skill, version: version_named, why: HeldFor::Review, policies: named },
        false => Event::VersionDue { skill, version: version_named, policies: named },
    };
    let counts_from = tx.append(None, event);
    if is_held {
        versions::set_status(tx, &key, version, VersionStatus::Pending, None).await?;
    }
    let due_at: Option<Time> = (!is_held).then_some(now);
    let notice = match worst {
        Overdue::Warn => Some(Notice::Due),
        _ => row.notice.filter(|_| !is_held),
    };
    let held_for = is_held.then_some(HeldFor::Review);
    let gate = Gate { counts_from, due_at, held_for, forced: gate.forced.filter(|_| !is_held), ..gate };
    gates::keep(tx, &key, version, &gate, notice).await?;
    Ok(true)
}
