//! What needs what: the skills that a version needs, and those that a change of a skill reaches.
//!
//! Both ways are walked level by level, each skill once, so that a circle comes to an end. A skill that the caller does not see
//! is as if it were not there, and nothing is found by way of it.

use std::collections::{BTreeMap, HashMap};

use skillery_core::api::{
    DependenciesResponse, Dependency, Dependent, DependentsResponse, Needed, USUAL_DAYS, Wanted,
};
use skillery_core::{SkillId, Version, VersionRequest};

use crate::access::Caller;
use crate::app::App;
use crate::counters::day_of;
use crate::db::needs::{self, Told};
use crate::db::skills::SkillRow;
use crate::db::{installs, parsed, versions};
use crate::failure::Result;
use crate::http::call::Page;
use crate::skill;

/// Levels that are walked at most.
const MAX_LEVELS: u32 = 32;
/// Skills that are found at most: all versions of what is needed are looked at, and one row of what needs.
const MAX_DEPENDENCIES: usize = 1_000;
const MAX_DEPENDENTS: usize = 10_000;

/// What a version of a skill needs, as far as the caller sees; the version that was asked for, or the latest.
pub async fn dependencies(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    request: &VersionRequest,
    levels: Option<u32>,
    page: Page,
) -> Result<DependenciesResponse> {
    let root = skill::find(app, caller, id).await?;
    let version = skill::choose(app, &root, request).await?;
    let row = versions::find(app.db.reader(), &root.id.key(), &version)
        .await?
        .filter(|row| skill::sees_version(caller, &root.id.namespace().key(), row))
        .ok_or_else(|| skill::version_not_found(&root.id, request))?;
    let mut walk = Needs { complete: row.dependencies.is_some(), ..Needs::default() };
    let root_key = root.id.key();
    let mut level = walk.meet(&root_key, root.id.as_ref(), row.dependencies.unwrap_or_default(), 1)?;
    let mut depth = 1;
    while !level.is_empty() && depth < levels.unwrap_or(MAX_LEVELS).min(MAX_LEVELS) {
        let chosen = walk.choose(app, caller, &level).await?;
        let told = needs::told(&app.db, &chosen).await?;
        depth += 1;
        let mut next = Vec::new();
        for place in chosen {
            match told.get(&place).cloned().flatten() {
                Some(told) => {
                    let by = walk.spelled(&place.0);
                    next.extend(walk.meet(&root_key, &by, told, depth)?);
                }
                None => walk.complete = false,
            }
        }
        level = next;
    }
    // Those of the last level have a version, too.
    walk.choose(app, caller, &level).await?;
    walk.truncated |= !level.is_empty() && depth >= MAX_LEVELS;
    let mut found: Vec<Dependency> = walk.found.into_values().collect();
    found.sort_by(|left, right| (left.depth, &left.id).cmp(&(right.depth, &right.id)));
    Ok(DependenciesResponse {
        id: root.id,
        version,
        total: found.len() as u64,
        complete: walk.complete,
        truncated: walk.truncated,
        dependencies: found.into_iter().skip(page.offset).take(page.limit).collect(),
    })
}

/// A walk over what is needed.
#[derive(Default)]
struct Needs {
    found: BTreeMap<String, Dependency>,
    complete: bool,
    truncated: bool,
}

impl Needs {
    /// Notes what a skill needs. Returns the keys that are new.
    fn meet(&mut self, root: &str, by: &str, told: Told, depth: u32) -> Result<Vec<String>> {
        let mut new = Vec::new();
        for (id, range) in told {
            let id: SkillId = parsed(&id)?;
            let key = id.key();
            if key == root {
                continue;
            }
            let wanted = Wanted { by: by.to_owned(), range };
            if let Some(known) = self.found.get_mut(&key) {
                known.wanted.push(wanted);
            } else if self.found.len() >= MAX_DEPENDENCIES {
                self.truncated = true;
            } else {
                let found = Dependency { id, depth, wanted: vec![wanted], version: None };
                self.found.insert(key.clone(), found);
                new.push(key);
            }
        }
        Ok(new)
    }

    /// How a skill was spelled where it is needed.
    fn spelled(&self, key: &str) -> String {
        self.found.get(key).map_or_else(|| key.to_owned(), |found| found.id.to_string())
    }

    /// Chooses a version of each of these that the caller sees, by the first range that was met.
    async fn choose(&mut self, app: &App, caller: &Caller, keys: &[String]) -> Result<Vec<(String, String)>> {
        let mut chosen = Vec::with_capacity(keys.len());
        for (skill, statuses) in needs::standing(&app.db, keys).await? {
            if !caller.sees(skill.visibility, &skill.id.namespace().key()) {
                continue;
            }
            let key = skill.id.key();
            let Some(found) = self.found.get_mut(&key) else { continue };
            let Some(wanted) = found.wanted.first() else { continue };
            let request: VersionRequest = parsed(&wanted.range)?;
            found.version = request.choose(versions::published(&statuses)).cloned();
            if let Some(version) = &found.version {
                chosen.push((key, version.to_string()));
            }
        }
        Ok(chosen)
    }
}

/// A skill that a change reaches, on its way.
struct Reached {
    skill: SkillRow,
    version: Version,
    depth: u32,
    installs: u64,
    needs: BTreeMap<String, String>,
    accepts: Option<bool>,
}

/// What a change of a skill reaches: the skills whose latest version needs it, and those that need these, as far as the
/// caller sees. `coming`: the version that it may change to.
pub async fn dependents(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    coming: Option<Version>,
    levels: Option<u32>,
    page: Page,
) -> Result<DependentsResponse> {
    let root = skill::find(app, caller, id).await?;
    let root_key = root.id.key();
    let mut found: HashMap<String, Reached> = HashMap::new();
    let mut truncated = false;
    let mut level = vec![root_key.clone()];
    let mut depth = 0;
    while !level.is_empty() && depth < levels.unwrap_or(MAX_LEVELS).min(MAX_LEVELS) {
        depth += 1;
        let room = MAX_DEPENDENTS + 1 - found.len();
        let rows = needs::dependents(&app.db, &level, room).await?;
        truncated |= rows.len() >= room;
        let mut next = Vec::new();
        for row in rows {
            let key = row.skill.id.key();
            if key == root_key || !caller.sees(row.skill.visibility, &row.skill.id.namespace().key()) {
                continue;
            }
            let needed = match row.needed == root_key {
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
                truncated = true;
                continue;
            }
            let Some(version) = row.skill.latest.clone() else { continue };
            let accepts = match &coming {
                Some(coming) if depth == 1 => {
                    let wanted: VersionRequest = parsed(&row.wanted)?;
                    Some(wanted.choose(std::iter::once(coming)).is_some())
                }
                _ => None,
            };
            let installs = u64::try_from(row.installs).unwrap_or(0);
            let needs = BTreeMap::from([(needed, row.wanted)]);
            next.push(key.clone());
            found.insert(key, Reached { skill: row.skill, version, depth, installs, needs, accepts });
        }
        level = next;
    }
    let keys: Vec<String> = found.keys().cloned().collect();
    let first = day_of(app.environment.now()) + 1 - i64::from(USUAL_DAYS);
    let mut recent = 0;
    for keys in keys.chunks(RECENT) {
        recent += installs::since(&app.db, first, keys).await?.iter().map(|(_, count)| *count).sum::<i64>();
    }
    let mut found: Vec<Reached> = found.into_values().collect();
    found.sort_by(|left, right| {
        let by_depth = left.depth.cmp(&right.depth);
        by_depth.then(right.installs.cmp(&left.installs)).then_with(|| left.skill.id.cmp(&right.skill.id))
    });
    let count = |is: fn(&Reached) -> bool| found.iter().filter(|reached| is(reached)).count() as u64;
    Ok(DependentsResponse {
        id: root.id,
        total: found.len() as u64,
        direct: count(|reached| reached.depth == 1),
        accepting: coming.is_some().then(|| count(|reached| reached.accepts == Some(true))),
        version: coming,
        installs: found.iter().map(|reached| reached.installs).sum(),
        recent_installs: u64::try_from(recent).unwrap_or(0),
        truncated,
        dependents: found.into_iter().skip(page.offset).take(page.limit).map(shown).collect(),
    })
}

/// Skills whose recent installs are asked for at once.
const RECENT: usize = 500;

fn shown(reached: Reached) -> Dependent {
    let Reached { skill, version, depth, installs, needs, accepts } = reached;
    let needs = needs.into_iter().map(|(id, range)| Needed { id, range }).collect();
    Dependent { id: skill.id, version, depth, needs, installs, accepts }
}
