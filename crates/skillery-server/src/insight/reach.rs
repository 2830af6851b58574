//! What a change of a skill reaches: the skills whose latest version needs it, and those that need these.
//!
//! It is walked as in `graph.rs`, and kept: nobody makes the registry walk twice for the same answer.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use quick_cache::Weighter;
use skillery_core::api::{Dependent, DependentsResponse, Needed, USUAL_DAYS};
use skillery_core::{SkillId, Version, VersionRequest};

use super::graph::MAX_LEVELS;
use crate::access::Caller;
use crate::app::App;
use crate::counters::day_of;
use crate::db::skills::SkillRow;
use crate::db::{installs, needs, parsed};
use crate::failure::Result;
use crate::http::call::Page;
use crate::skill;

/// Skills that are found at most.
const MAX_DEPENDENTS: usize = 10_000;
/// Needs that are looked at for it.
const MAX_NEEDS: usize = 20_000;
/// Skills whose recent installs are asked for at once.
const RECENT: usize = 500;

/// A skill that a change reaches.
#[derive(Debug)]
struct Reached {
    skill: SkillRow,
    version: Version,
    depth: u32,
    installs: u64,
    recent: u64,
    needs: BTreeMap<String, String>,
    /// Which versions of the skill that changes it wants, where it needs that directly.
    wants: Option<String>,
}

/// All that a change of a skill reaches, as far as somebody sees.
#[derive(Debug)]
pub struct Reach {
    /// The nearest first, of these the most installed.
    found: Vec<Reached>,
    /// How far away there is more than was looked at.
    cut_at: Option<u32>,
}

/// Counts what a walk takes in memory, in bytes.
#[derive(Debug, Clone)]
pub struct ByFound;

impl Weighter<(String, String), (u64, i64, Arc<Reach>)> for ByFound {
    fn weight(&self, key: &(String, String), (.., reach): &(u64, i64, Arc<Reach>)) -> u64 {
        let of = |reached: &Reached| {
            400 + reached.needs.iter().map(|(id, range)| id.len() + range.len() + 80).sum::<usize>()
        };
        let found: usize = reach.found.iter().map(of).sum();
        (400 + key.0.len() + key.1.len() + found) as u64
    }
}

/// What a change of a skill reaches, as far as the caller sees. `coming`: the version that it may change to.
pub async fn dependents(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    coming: Option<Version>,
    levels: Option<u32>,
    page: Page,
) -> Result<DependentsResponse> {
    let root = skill::find(app, caller, id).await?;
    let reach = app.insight.reach(app, caller, &root).await?;
    let levels = levels.unwrap_or(MAX_LEVELS);
    let found = || reach.found.iter().take_while(|reached| reached.depth <= levels);
    let direct = || found().take_while(|reached| reached.depth == 1);
    let accepts = |reached: &Reached| -> Result<Option<bool>> {
        let (Some(coming), Some(wants)) = (&coming, &reached.wants) else { return Ok(None) };
        let wants: VersionRequest = parsed(wants)?;
        Ok(Some(wants.choose(std::iter::once(coming)).is_some()))
    };
    let mut accepting = 0;
    for reached in direct() {
        accepting += u64::from(accepts(reached)? == Some(true));
    }
    let mut dependents = Vec::new();
    for reached in found().skip(page.offset).take(page.limit) {
        dependents.push(shown(reached, accepts(reached)?));
    }
    Ok(DependentsResponse {
        id: root.id,
        total: found().count() as u64,
        direct: direct().count() as u64,
        accepting: coming.is_some().then_some(accepting),
        version: coming,
        installs: found().map(|reached| reached.installs).sum(),
        recent_installs: found().map(|reached| reached.recent).sum(),
        truncated: reach.cut_at.is_some_and(|depth| depth <= levels),
        dependents,
    })
}

fn shown(reached: &Reached, accepts: Option<bool>) -> Dependent {
    let needs = reached.needs.iter().map(|(id, range)| Needed { id: id.clone(), range: range.clone() });
    Dependent {
        id: reached.skill.id.clone(),
        version: reached.version.clone(),
        depth: reached.depth,
        needs: needs.collect(),
        installs: reached.installs,
        accepts,
    }
}

/// Walks over all that a change of a skill reaches.
pub(super) async fn walk(app: &App, caller: &Caller, root: &SkillRow) -> Result<Reach> {
    let (root_key, sight) = (root.id.key(), caller.sight());
    let mut found: HashMap<String, Reached> = HashMap::new();
    let mut cut_at = None;
    let mut room = MAX_NEEDS;
    let mut level = vec![root_key.clone()];
    let mut depth = 0;
    while !level.is_empty() && depth < MAX_LEVELS && cut_at.is_none() {
        depth += 1;
        let rows = needs::dependents(&app.db, &level, &sight, room + 1).await?;
        if rows.len() > room {
            cut_at = Some(depth);
        }
        room = room.saturating_sub(rows.len());
        let mut next = Vec::new();
        for row in rows {
            let key = row.skill.id.key();
            if key == root_key || !caller.sees(row.skill.visibility, &row.skill.id.namespace().key()) {
                continue;
            }
            let is_direct = row.needed == root_key;
            let needed = match is_direct {
                true => root.id.to_string(),
                false => {
                    found.get(&row.needed).map_or(row.needed.clone(), |found| found.skill.id.to_string())
                }
            };
            if let Some(known) = found.get_mut(&key) {
                known.needs.insert(needed, row.wanted);
                continue;
            }
            if found.len() >= MAX_DEPENDENTS {
                cut_at = Some(depth);
                continue;
            }
            let Some(version) = row.skill.latest.clone() else { continue };
            next.push(key.clone());
            let reached = Reached {
                version,
                depth,
                installs: u64::try_from(row.installs).unwrap_or(0),
                recent: 0,
                wants: is_direct.then(|| row.wanted.clone()),
                needs: BTreeMap::from([(needed, row.wanted)]),
                skill: row.skill,
            };
            found.insert(key, reached);
        }
        level = next;
    }
    if !level.is_empty() {
        cut_at = cut_at.or(Some(depth));
    }
    let keys: Vec<String> = found.keys().cloned().collect();
    let first = day_of(app.environment.now()) + 1 - i64::from(USUAL_DAYS);
    for keys in keys.chunks(RECENT) {
        for (key, count) in installs::since(&app.db, first, keys).await? {
            if let Some(reached) = found.get_mut(&key) {
                reached.recent = u64::try_from(count).unwrap_or(0);
            }
        }
    }
    let mut found: Vec<Reached> = found.into_values().collect();
    found.sort_by(|left, right| {
        let by_depth = left.depth.cmp(&right.depth);
        by_depth.then(right.installs.cmp(&left.installs)).then_with(|| left.skill.id.cmp(&right.skill.id))
    });
    Ok(Reach { found, cut_at })
}
