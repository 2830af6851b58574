//! What needs what: the skills that a version needs. The other way is in `reach.rs`.
//!
//! It is walked level by level, each skill once, so that a circle comes to an end. A skill that the caller does not see is as
//! if it were not there, and nothing is found by way of it.

use std::collections::BTreeMap;

use skillery_core::api::{DependenciesResponse, Dependency, Wanted};
use skillery_core::{SkillId, Version, VersionRequest};

use crate::access::Caller;
use crate::app::App;
use crate::db::needs::{self, Told};
use crate::db::skills::SkillRow;
use crate::db::{parsed, versions};
use crate::failure::Result;
use crate::http::call::Page;
use crate::skill;

/// Levels that are walked at most.
pub(super) const MAX_LEVELS: u32 = 32;
/// Skills that are found at most.
const MAX_DEPENDENCIES: usize = 1_000;
/// Versions of all of them together that are looked at, where the latest is not the one that is taken.
const MAX_VERSIONS: usize = 20_000;

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
    let complete = row.dependencies.is_some();
    let mut walk = Needs { found: BTreeMap::new(), complete, truncated: false, room: MAX_VERSIONS };
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
struct Needs {
    found: BTreeMap<String, Dependency>,
    complete: bool,
    truncated: bool,
    /// Versions that may still be looked at.
    room: usize,
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
        let mut others = Vec::new();
        for skill in needs::skills(&app.db, keys).await? {
            if !caller.sees(skill.visibility, &skill.id.namespace().key()) {
                continue;
            }
            let key = skill.id.key();
            let Some(found) = self.found.get_mut(&key) else { continue };
            match latest(&skill, found)? {
                Some(version) => {
                    chosen.push((key, version.to_string()));
                    found.version = Some(version);
                }
                None => others.push(key),
            }
        }
        let (published, is_all) = needs::published(&app.db, &others, self.room).await?;
        self.truncated |= !is_all;
        for (key, versions) in published {
            self.room = self.room.saturating_sub(versions.len());
            let Some(found) = self.found.get_mut(&key) else { continue };
            found.version = match request(found)? {
                Some(request) => request.choose(versions.iter()).cloned(),
                None => None,
            };
            if let Some(version) = &found.version {
                chosen.push((key, version.to_string()));
            }
        }
        Ok(chosen)
    }
}

fn request(found: &Dependency) -> Result<Option<VersionRequest>> {
    found.wanted.first().map(|wanted| parsed(&wanted.range)).transpose()
}

/// The latest version of a skill, where that is the one that is taken for sure: no other version is higher but prereleases,
/// and a range takes these only where it names one.
fn latest(skill: &SkillRow, found: &Dependency) -> Result<Option<Version>> {
    let Some(request) = request(found)? else { return Ok(None) };
    let names_prerelease = found.wanted.first().is_some_and(|wanted| wanted.range.contains('-'));
    Ok(skill
        .latest
        .clone()
        .filter(|latest| !names_prerelease && request.choose(std::iter::once(latest)).is_some()))
}
