//! Placing: first everything is looked at, then written down, then done ([`super::carry`]). What is in the way stays.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use skillery_core::bundle::BundleFile;
use skillery_core::{SkillId, Version};

use crate::agents::content::Content;
use crate::agents::disk::{Scratch, is_there};
use crate::agents::record::{Form, Placement, Record, key_of};
use crate::agents::site::{Look, Site, look};
use crate::agents::{Agent, AgentError, Conflict, Conflicts, FolderName};
use crate::error::Result;
use crate::library::Installed;

/// A verified version, ready to be placed.
#[derive(Debug, Clone)]
pub struct SkillFolder {
    pub(super) id: SkillId,
    pub(super) name: FolderName,
    pub(super) content: Content,
    pub(super) files: Vec<BundleFile>,
}

/// How to place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlaceOptions {
    /// Links to one copy instead of a copy for each folder. As it is, or else copies, where nothing is said.
    pub link: Option<bool>,
    /// Move what is in the way aside.
    pub force: bool,
}

/// What placing led to in one folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Placed {
    /// The skill.
    pub id: SkillId,
    /// The version that is there now.
    pub version: Version,
    /// The agents that it is there for.
    pub agents: BTreeSet<String>,
    /// The folder.
    pub path: PathBuf,
    /// Where it leads, where it is a link.
    pub link: Option<String>,
    /// What was done.
    pub change: Change,
    /// Where what was in the way is kept.
    pub backup: Option<PathBuf>,
}

/// What was done in one folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Nothing of ours was there.
    Placed,
    /// Another version, or another form, was there.
    Updated,
    /// It was there.
    Unchanged,
}

/// What was placed, and what was left as it is.
#[derive(Debug, Default)]
pub struct Placing {
    /// What is in order.
    pub placed: Vec<Placed>,
    /// What is in the way.
    pub conflicts: Vec<Conflict>,
}

impl SkillFolder {
    /// The files of an installed version.
    pub fn new(installed: &Installed, files: Vec<BundleFile>) -> Result<Self> {
        let manifest = &installed.manifest;
        let id = manifest.id.clone();
        let mut seen = BTreeMap::new();
        for file in &files {
            if let Some(one) = seen.insert(file.path.to_lowercase(), &file.path) {
                return Err(AgentError::Capitals { id, one: one.clone(), other: file.path.clone() }.into());
            }
        }
        let name = FolderName::of(&id, &files)?;
        Ok(Self { name, content: Content::of(&manifest.version, manifest.digest, &files), id, files })
    }
}

/// What is to stand in one folder.
pub(super) struct Target<'a> {
    pub(super) skill: &'a SkillFolder,
    pub(super) folder: PathBuf,
    pub(super) agents: BTreeSet<String>,
    /// Where it leads, where it is to be a link.
    pub(super) link: Option<String>,
}

/// What stands there now.
pub(super) enum Now {
    Nothing,
    Same,
    /// Another version, or another form.
    Other(Form),
    InTheWay,
}

pub(super) struct Step<'a> {
    pub(super) target: Target<'a>,
    pub(super) now: Now,
    /// Where the skill is under names that it had before.
    pub(super) earlier: Vec<String>,
}

type Targets<'a> = BTreeMap<String, Target<'a>>;

impl Target<'_> {
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(self.skill.name.as_str())
    }

    pub(super) fn form(&self) -> Form {
        let mut content = self.skill.content.clone();
        if self.link.is_some() {
            content.files.clear();
        }
        Form { link: self.link.clone(), content }
    }
}

impl Site {
    /// Places skills for agents: all of them, or, where something is in the way, none.
    pub fn place(
        &self,
        skills: &[SkillFolder],
        agents: &[&Agent],
        options: PlaceOptions,
    ) -> Result<Vec<Placed>> {
        let _lock = self.lock()?;
        let file = self.record_file()?;
        let mut record = Record::load(&file)?;
        let mut conflicts = Vec::new();
        let mut targets = Targets::new();
        for skill in skills {
            for agent in agents {
                let folder = self.folder(agent)?;
                let key = self.key(&folder, &skill.name)?;
                let present =
                    record.placements.get(&key).filter(|placement| placement.id.key() == skill.id.key());
                let is_link = present.is_some_and(|placement| placement.link.is_some());
                let wanted = options.link.unwrap_or(is_link);
                self.want(
                    &mut targets,
                    &mut conflicts,
                    skill,
                    &folder,
                    [agent.name().to_owned()].into(),
                    wanted,
                )?;
            }
        }
        let steps = self.judge(&record, targets, options.force, &mut conflicts)?;
        if !conflicts.is_empty() {
            return Err(AgentError::Refused(Conflicts(conflicts)).into());
        }
        self.carry_out(&file, &mut record, &steps)
    }

    /// Brings what was placed of these skills, for these agents or for all, to these versions. What is in the way is left.
    pub fn refresh(&self, skills: &[SkillFolder], agents: Option<&[&Agent]>, force: bool) -> Result<Placing> {
        let _lock = self.lock()?;
        let file = self.record_file()?;
        let mut record = Record::load(&file)?;
        let folders = self.folders();
        let mut conflicts = Vec::new();
        let mut targets = Targets::new();
        for skill in skills {
            for (key, placement) in &record.placements {
                if placement.id.key() != skill.id.key() || !placement.is_for(agents) {
                    continue;
                }
                let Some(path) = self.locate(key, &folders) else { continue };
                let (folder, is_link) = (path.parent().unwrap_or(&path), placement.link.is_some());
                self.want(&mut targets, &mut conflicts, skill, folder, placement.agents.clone(), is_link)?;
            }
        }
        let mut steps = self.judge(&record, targets, force, &mut conflicts)?;
        if !conflicts.is_empty() {
            // A link is no newer than what it leads to.
            let is_done = |step: &Step<'_>| steps_have_copy(step, &steps);
            let done: Vec<bool> = steps.iter().map(is_done).collect();
            let mut done = done.into_iter();
            steps.retain(|_| done.next().unwrap_or(false));
        }
        Ok(Placing { placed: self.carry_out(&file, &mut record, &steps)?, conflicts })
    }

    pub(super) fn key(&self, folder: &Path, name: &FolderName) -> Result<String> {
        key_of(&folder.join(name.as_str()), self.root.as_deref())
    }

    /// Adds a folder to what is wanted, and for a link the copy that it leads to.
    fn want<'a>(
        &self,
        targets: &mut Targets<'a>,
        conflicts: &mut Vec<Conflict>,
        skill: &'a SkillFolder,
        folder: &Path,
        agents: BTreeSet<String>,
        is_link: bool,
    ) -> Result<()> {
        let shared = Agent::shared().map(|agent| self.folder(agent)).transpose()?;
        let shared = shared.filter(|shared| is_link && shared != folder);
        if let Some(shared) = &shared {
            self.want(targets, conflicts, skill, shared, BTreeSet::new(), false)?;
        }
        let link = shared.map(|shared| relative(folder, &shared.join(skill.name.as_str())));
        let key = self.key(folder, &skill.name)?;
        match targets.get_mut(&key) {
            Some(target) if target.skill.id.key() == skill.id.key() => target.agents.extend(agents),
            Some(target) => {
                conflicts.push(name_taken(&skill.id, &target.skill.id, &skill.name, folder));
            }
            None => {
                targets.insert(key, Target { skill, folder: folder.to_owned(), agents, link });
            }
        }
        Ok(())
    }

    /// Looks at every folder. What is in the way becomes a conflict instead of a step.
    fn judge<'a>(
        &self,
        record: &Record,
        targets: Targets<'a>,
        force: bool,
        conflicts: &mut Vec<Conflict>,
    ) -> Result<Vec<Step<'a>>> {
        let mut steps = Vec::with_capacity(targets.len());
        for (key, target) in targets {
            let mut earlier = Vec::new();
            let known = conflicts.len();
            for (other, placement) in &record.placements {
                let is_here = same_folder(&key, other) && *other != key;
                if is_here && placement.id.key() == target.skill.id.key() {
                    let path = target.folder.join(last(other));
                    if let Look::Altered(differences) = look(&path, placement)?
                        && !force
                    {
                        conflicts.push(altered(path, placement, differences));
                    }
                    earlier.push(other.clone());
                }
            }
            let now = match now(record.placements.get(&key), &target)? {
                Ok(now) => now,
                Err(Conflict::NotOurs { .. } | Conflict::Altered { .. }) if force => Now::InTheWay,
                Err(conflict) => {
                    conflicts.push(conflict);
                    continue;
                }
            };
            // What was changed by hand under an earlier name would be left behind.
            if conflicts.len() == known {
                steps.push(Step { target, now, earlier });
            }
        }
        Ok(steps)
    }
}

/// What stands where something is to be placed, or why it stays.
fn now(present: Option<&Placement>, target: &Target<'_>) -> Result<Result<Now, Conflict>> {
    let (path, skill) = (target.path(), target.skill);
    if let Some(present) = present
        && present.id.key() != skill.id.key()
        && is_there(&path)
    {
        return Ok(Err(name_taken(&skill.id, &present.id, &skill.name, &target.folder)));
    }
    // What an interrupted run left of it comes back first.
    if target.folder.is_dir() {
        drop(Scratch::of(&path)?);
    }
    if let Some(other) = differing_by_capitals(&target.folder, skill.name.as_str()) {
        return Ok(Err(Conflict::Capitals { path: other, name: skill.name.to_string() }));
    }
    let Some(present) = present else {
        return Ok(if is_there(&path) { Err(Conflict::NotOurs { path }) } else { Ok(Now::Nothing) });
    };
    Ok(match look(&path, present)? {
        Look::Missing => Ok(Now::Nothing),
        Look::Altered(differences) => Err(altered(path, present, differences)),
        Look::Whole(form) if form.link.is_some() && form.link == target.link => Ok(Now::Same),
        Look::Whole(form) if form == target.form() => Ok(Now::Same),
        Look::Whole(form) => Ok(Now::Other(form)),
    })
}

/// What is in the folder under this name in other capitals.
fn differing_by_capitals(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten();
    let differs = |found: &str| found != name && found.to_lowercase() == name;
    entries.find(|entry| entry.file_name().to_str().is_some_and(differs)).map(|entry| entry.path())
}

/// Whether what a link leads to is among the steps; for what is no link, always.
fn steps_have_copy(step: &Step<'_>, steps: &[Step<'_>]) -> bool {
    let is_copy = |other: &Step<'_>| {
        other.target.link.is_none() && other.target.skill.id.key() == step.target.skill.id.key()
    };
    step.target.link.is_none() || steps.iter().any(is_copy)
}

pub(super) fn altered(path: PathBuf, placement: &Placement, differences: Vec<super::Difference>) -> Conflict {
    let (id, version) = (placement.id.clone(), placement.content.version.clone());
    Conflict::Altered { path, id, version, differences }
}

fn name_taken(id: &SkillId, other: &SkillId, name: &FolderName, folder: &Path) -> Conflict {
    Conflict::NameTaken {
        id: id.clone(),
        other: other.clone(),
        name: name.to_string(),
        folder: folder.to_owned(),
    }
}

pub(super) fn last(key: &str) -> &str {
    key.rsplit(['/', std::path::MAIN_SEPARATOR]).next().unwrap_or(key)
}

fn same_folder(one: &str, other: &str) -> bool {
    one.strip_suffix(last(one)) == other.strip_suffix(last(other))
}

/// The way from a folder to a path, with `/`. Neither has links in it.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..".to_owned(), from.len() - common);
    let down = to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<_>>().join("/")
}
