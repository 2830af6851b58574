//! What waits again: as everybody sees its skill from now on, or as nobody has looked at it for too long.

use skillery_core::api::PolicyInForce;
use skillery_core::approval::{Fact, HeldFor, Notice, Overdue};
use skillery_core::event::Event;
use skillery_core::time::{DAY_SECONDS, Time};
use skillery_core::{Namespace, SkillId, Version, VersionStatus};

use super::{demand, key_of, release_those_ready};
use crate::app::App;
use crate::db::gates::{self, Gate, Gated, Turn};
use crate::db::{Tx, approvals, versions};
use crate::failure::Result;

/// Versions that are read at once. Each is a change of its own.
const TOGETHER: i64 = 1_000;

/// From now on everybody sees the skill. What is handed out of it waits for what policies ask for then, and is released at once
/// where that is there already. What was yanked or quarantined stays so, and is asked for when it would be handed out again.
pub async fn hold_for_public(tx: &mut Tx, user: &str, id: &SkillId) -> Result<()> {
    let key = id.key();
    let policies = approvals::policies(tx.connection(), &id.namespace()).await?;
    if !policies.iter().any(|set| set.policy.asks_for_public()) {
        return gates::make_public(tx, &key).await;
    }
    let (mut held, mut later) = (Vec::new(), Vec::new());
    for mut gated in gates::of_skill(tx.connection(), &key).await? {
        match &mut gated.gate.facts {
            Some(facts) if facts.contains(&Fact::Public) => continue,
            Some(facts) => facts.push(Fact::Public),
            None => {}
        }
        if demand(&policies, &gated.gate).is_nothing() {
            continue;
        }
        match gated.status {
            VersionStatus::Published => held.push(gated),
            VersionStatus::Yanked | VersionStatus::Quarantined => later.push(gated.version),
            VersionStatus::Pending | VersionStatus::Rejected => {}
        }
    }
    gates::make_public(tx, &key).await?;
    gates::turn(tx, &key, &later, Turn::WaitsWhenBack(Some(HeldFor::Public))).await?;
    for gated in &held {
        tx.append(Some(user), held_event(id, gated, &policies));
    }
    hold(tx, user, id, held, &policies).await
}

fn held_event(id: &SkillId, gated: &Gated, policies: &[PolicyInForce]) -> Event {
    Event::VersionHeld {
        skill: id.clone(),
        version: gated.version.clone(),
        why: HeldFor::Public,
        policies: demand(policies, &gated.gate).policies(),
    }
}

/// What was held a moment ago waits, unless it has all that is demanded.
async fn hold(
    tx: &mut Tx,
    user: &str,
    id: &SkillId,
    held: Vec<Gated>,
    policies: &[PolicyInForce],
) -> Result<()> {
    if held.is_empty() {
        return Ok(());
    }
    let (key, named) = (id.key(), held.iter().map(|gated| gated.version.clone()).collect::<Vec<_>>());
    versions::set_statuses(tx, &key, &named, VersionStatus::Pending, None).await?;
    gates::turn(tx, &key, &named, Turn::Held(HeldFor::Public)).await?;
    let waits = |gated: Gated| {
        let gate = Gate { held_for: Some(HeldFor::Public), due_at: None, forced: None, ..gated.gate };
        Gated { status: VersionStatus::Pending, gate, ..gated }
    };
    release_those_ready(tx, Some(user), id, held.into_iter().map(waits).collect(), policies).await
}

/// Logs that versions of a skill are handed out again, each with its entry. What was taken back before everybody saw the skill
/// waits now for what is asked of it since. The caller has set their status.
pub async fn come_back(
    tx: &mut Tx,
    user: &str,
    id: &SkillId,
    back: impl IntoIterator<Item = (Version, Event)>,
) -> Result<()> {
    let key = id.key();
    let back: Vec<(Version, Event)> = back.into_iter().collect();
    let named: Vec<_> = back.iter().map(|(version, _)| (key.clone(), version.to_string())).collect();
    let mut known = gates::of_versions(tx.connection(), &named).await?;
    let policies = approvals::policies(tx.connection(), &id.namespace()).await?;
    let (mut held, mut free) = (Vec::new(), Vec::new());
    for (version, event) in back {
        tx.append(Some(user), event);
        let gated = known.remove(&(key.clone(), version.to_string()));
        let Some(gated) = gated.filter(|gated| gated.gate.held_for.is_some()) else { continue };
        match demand(&policies, &gated.gate).is_nothing() {
            true => free.push(version),
            false => {
                tx.append(Some(user), held_event(id, &gated, &policies));
                held.push(gated);
            }
        }
    }
    gates::turn(tx, &key, &free, Turn::WaitsWhenBack(None)).await?;
    hold(tx, user, id, held, &policies).await
}

/// Looks for what nobody has looked at for too long, and says so, once. Returns how many versions.
pub async fn review_overdue(app: &App) -> Result<usize> {
    let mut count = 0;
    for set in approvals::reviewing(&app.db).await? {
        let Some(review) = set.policy.review else { continue };
        let since = app.environment.now().plus_seconds(-i64::from(review.days) * DAY_SECONDS);
        let place = key_of(&set.namespace);
        let mut behind = None;
        loop {
            let found =
                gates::overdue(&app.db, &place, since, review.overdue, behind.as_ref(), TOGETHER).await?;
            let Some(last) = found.last().cloned() else { break };
            for (_, id, version) in found {
                if app.is_stopping() {
                    return Ok(count);
                }
                let is_due = app
                    .db
                    .write(move |tx| Box::pin(async move { fall_due(tx, &id, &version).await }))
                    .await?;
                count += usize::from(is_due);
            }
            behind = Some(last);
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
    // Nobody is warned of what was listed alone, until a policy wants that.
    let is_told = worst != Overdue::Warn || row.notice.is_some();
    if gate.due_at.is_some() && !is_held && is_told {
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
    let forced = gate.forced.filter(|_| !is_held);
    // Whoever looks at it anew passes it by nothing that was said before.
    let gate = Gate { counts_from, due_at, held_for, forced, passed: Vec::new(), ..gate };
    gates::keep(tx, &key, version, &gate, notice).await?;
    Ok(true)
}
