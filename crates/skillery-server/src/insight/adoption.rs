//! Which versions of a skill are in use, and who still has one that was taken back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use skillery_core::api::{AdoptionResponse, USUAL_DAYS, VersionAdoption, Withdrawn};
use skillery_core::{Version, VersionStatus};

use super::settings;
use super::withheld::{alone, with_parts};
use crate::access::Caller;
use crate::app::App;
use crate::counters::{DAY_MICROS, day_of};
use crate::db::consumers::{self, Holders};
use crate::db::figures::{self, Apart};
use crate::db::skills::SkillRow;
use crate::db::versions;
use crate::failure::Result;
use crate::skill;

/// Versions that are listed at most, and names of users of all of them together.
const VERSIONS: usize = consumers::MOST;
const NAMES: i64 = 200;

/// What is known of a version that is in use.
struct Use {
    version: Version,
    status: VersionStatus,
    installs: u64,
    recent: u64,
    all: u64,
}

/// Who asks, as far as the answer depends on it.
#[derive(Debug, Clone, Copy)]
struct Asker {
    /// Whoever looks after the skill must be able to ask people to change.
    is_admin: bool,
    /// Whether versions that wait for a decision, or were refused, are known.
    sees_waiting: bool,
    /// Figures about fewer users than so many are withheld from others.
    k: u32,
}

impl Asker {
    fn sees(self, status: VersionStatus) -> bool {
        self.sees_waiting || !matches!(status, VersionStatus::Pending | VersionStatus::Rejected)
    }
}

/// How far a skill's versions are taken up. The caller sees the skill.
pub async fn adoption(app: &App, caller: &Caller, skill: &SkillRow) -> Result<Arc<AdoptionResponse>> {
    let namespace = skill.id.namespace();
    let asker = Asker {
        is_admin: settings::sees_few(caller, &namespace),
        sees_waiting: skill::sees_status(caller, &namespace.key(), VersionStatus::Pending, |_| false),
        k: settings::k_of(app, &namespace).await?,
    };
    let key = (skill.id.key(), asker.is_admin, asker.sees_waiting, asker.k);
    app.insight.adoption(app, key, made(app, asker, skill)).await
}

async fn made(app: &App, asker: Asker, skill: &SkillRow) -> Result<AdoptionResponse> {
    let key = skill.id.key();
    let today = day_of(app.environment.now());
    let first = today + 1 - i64::from(USUAL_DAYS);
    let mut installs: HashMap<String, u64> = HashMap::new();
    for figure in figures::days(&app.db, &key, Apart::Versions, first, today + 1).await? {
        *installs.entry(figure.part).or_default() += u64::try_from(figure.downloads).unwrap_or(0);
    }
    let holders: HashMap<String, Holders> = consumers::holders(&app.db, &key, first * DAY_MICROS)
        .await?
        .into_iter()
        .map(|holders| (holders.version.clone(), holders))
        .collect();
    let mut uses = Vec::new();
    for (version, status) in versions::statuses(app.db.reader(), &key).await? {
        if !asker.sees(status) {
            continue;
        }
        let text = version.to_string();
        let count = |of: fn(&Holders) -> i64| {
            holders.get(&text).map_or(0, |holders| u64::try_from(of(holders)).unwrap_or(0))
        };
        let (recent, all) = (count(|holders| holders.recent), count(|holders| holders.all));
        uses.push(Use { status, installs: installs.get(&text).copied().unwrap_or(0), recent, all, version });
    }
    let is_admin = asker.is_admin;
    let k = if is_admin { 0 } else { asker.k };
    let recent: Vec<u64> = uses.iter().map(|used| used.recent).collect();
    let told = with_parts(&recent, k);
    let total = uses.iter().map(|used| used.installs).sum();
    let of_latest = |of: fn(&Use) -> u64| {
        uses.iter().find(|used| Some(&used.version) == skill.latest.as_ref()).map_or(0, of)
    };
    let latest_consumers = match &skill.latest {
        Some(latest) => uses
            .iter()
            .zip(&told.parts)
            .find(|(used, _)| used.version == *latest)
            .map_or(Some(0), |(_, told)| *told),
        None => Some(0),
    };
    let versions = uses
        .iter()
        .zip(&told.parts)
        .filter(|(used, _)| used.installs > 0 || used.recent > 0)
        .take(VERSIONS)
        .map(|(used, consumers)| VersionAdoption {
            version: used.version.clone(),
            status: used.status,
            installs: used.installs,
            consumers: *consumers,
        })
        .collect();
    Ok(AdoptionResponse {
        id: skill.id.clone(),
        latest: skill.latest.clone(),
        days: USUAL_DAYS,
        installs: total,
        installs_share: share(of_latest(|used| used.installs), total),
        consumers: told.whole,
        consumers_share: latest_consumers.zip(told.whole).and_then(|(part, whole)| share(part, whole)),
        versions,
        withdrawn: withdrawn(app, &key, &uses, &told.parts, is_admin, k).await?,
        k: asker.k,
    })
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

async fn withdrawn(
    app: &App,
    key: &str,
    uses: &[Use],
    recent: &[Option<u64>],
    is_admin: bool,
    k: u32,
) -> Result<Vec<Withdrawn>> {
    let is_withdrawn = |status| matches!(status, VersionStatus::Yanked | VersionStatus::Quarantined);
    let held: Vec<(&Use, &Option<u64>)> = uses
        .iter()
        .zip(recent)
        .filter(|(used, _)| is_withdrawn(used.status) && used.all > 0)
        .take(VERSIONS)
        .collect();
    if held.is_empty() {
        return Ok(Vec::new());
    }
    let reasons: BTreeMap<Version, Option<String>> =
        versions::reasons(&app.db, key).await?.into_iter().collect();
    let mut users: HashMap<String, Vec<String>> = HashMap::new();
    if is_admin {
        let versions: Vec<String> = held.iter().map(|(used, _)| used.version.to_string()).collect();
        for (version, name) in consumers::names(&app.db, key, &versions, NAMES).await? {
            users.entry(version).or_default().push(name);
        }
    }
    let mut withdrawn = Vec::with_capacity(held.len());
    for (used, recent) in held {
        withdrawn.push(Withdrawn {
            reason: reasons.get(&used.version).cloned().flatten(),
            version: used.version.clone(),
            status: used.status,
            consumers: alone(used.all, k).filter(|_| {
                let before = used.all.saturating_sub(used.recent);
                // Neither those of the last days must be told by this figure, nor those of before them.
                before >= u64::from(k).max(1) || (before == 0 && recent.is_some())
            }),
            // None where there was no room: it is not that there is nobody.
            users: users.remove(&used.version.to_string()),
        });
    }
    Ok(withdrawn)
}
