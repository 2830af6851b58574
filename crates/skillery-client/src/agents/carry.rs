//! Carrying out what was planned: what is in the way is moved aside, what will be there is written down, and then placed. What
//! fails is undone, as far as nothing of it stands in a place yet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use fs_err as fs;
use skillery_core::SkillId;

use crate::agents::AgentError;
use crate::agents::disk::{Fresh, Scratch, is_there};
use crate::agents::plan::{Change, Now, Placed, Step, Target, last};
use crate::agents::record::{Form, Placement, Record, key_of};
use crate::agents::site::{Look, Site, look};
use crate::error::{Error, Result};

/// What was done before something failed.
#[derive(Default)]
struct Attempt {
    /// Where what was in the way is, for each step.
    kept: Vec<Option<PathBuf>>,
    /// Folders that were made.
    made: Vec<PathBuf>,
    /// Whether anything was placed, or may have been.
    is_begun: bool,
}

impl Site {
    /// Carries out the steps. What was moved aside comes back where nothing took its place, or the error says where it is.
    pub(super) fn carry_out(
        &self,
        file: &Path,
        record: &mut Record,
        steps: &[Step<'_>],
    ) -> Result<Vec<Placed>> {
        let known = record.clone();
        let mut attempt = Attempt::default();
        let carried_out = self.try_carry_out(file, record, steps, &mut attempt);
        carried_out.map_err(|error| self.undo(file, &known, record, steps, attempt, error))
    }

    /// Moves aside what is in the way, as nothing of it may be taken for ours, and writes down what will be there. Does it, and
    /// writes down that it is done. An interruption in between leaves old or new in each folder, and both are known to be ours.
    fn try_carry_out(
        &self,
        file: &Path,
        record: &mut Record,
        steps: &[Step<'_>],
        attempt: &mut Attempt,
    ) -> Result<Vec<Placed>> {
        for step in steps {
            let backup = match step.now {
                Now::InTheWay => Some(Scratch::of(&step.target.path())?.keep(&self.backups()?)?),
                _ => None,
            };
            attempt.kept.push(backup);
        }
        let known = record.clone();
        let mut missing = BTreeSet::new();
        for step in steps {
            let Target { skill, folder, .. } = &step.target;
            let key = self.key(folder, &skill.name)?;
            let mut agents = step.target.agents.clone();
            for key in step.earlier.iter().chain([&key]) {
                let old = record.placements.get(key).filter(|old| old.id.key() == skill.id.key());
                agents.extend(old.into_iter().flat_map(|old| old.agents.clone()));
            }
            let before = match &step.now {
                Now::Other(form) => Some(form.clone()),
                _ => None,
            };
            let Form { link, content } = step.target.form();
            let id = skill.id.clone();
            record.placements.insert(key, Placement { id, agents, link, content, before });
            missing.extend(self.missing_folders(folder));
        }
        for folder in &missing {
            record.folders.insert(key_of(folder, self.root.as_deref())?);
        }
        if *record != known {
            record.save(file)?;
        }
        for folder in missing {
            fs::create_dir(&folder).map_err(Error::disk(format!("make {}", folder.display())))?;
            attempt.made.push(folder);
        }
        attempt.is_begun = true;
        let mut done = record.clone();
        let mut placed = Vec::with_capacity(steps.len());
        for (step, backup) in steps.iter().zip(&attempt.kept) {
            placed.push(self.carry_out_one(&mut done, step, backup.clone())?);
        }
        for placement in done.placements.values_mut() {
            placement.before = None;
        }
        self.sweep(&mut done)?;
        if done != known {
            done.save(file)?;
        }
        Ok(placed)
    }

    /// Brings back all that can be brought back, and writes down no more than what may have been done. Why it came to that, with
    /// where the rest is.
    fn undo(
        &self,
        file: &Path,
        known: &Record,
        written: &Record,
        steps: &[Step<'_>],
        attempt: Attempt,
        error: Error,
    ) -> Error {
        let mut back = written.clone();
        let mut left = Vec::new();
        for (step, backup) in steps.iter().zip(attempt.kept) {
            let Some(backup) = backup else { continue };
            let Target { skill, folder, .. } = &step.target;
            let path = step.target.path();
            let key = self.key(folder, &skill.name);
            // What was placed in the meantime stays.
            let bring = || match is_there(&path) {
                false => Scratch::of(&path)?.bring_back(&backup).map(|()| true),
                true => Ok(false),
            };
            match (bring(), key) {
                (Ok(true), Ok(key)) => match known.placements.get(&key) {
                    Some(before) => drop(back.placements.insert(key, before.clone())),
                    None => drop(back.placements.remove(&key)),
                },
                (Ok(true), Err(_)) => {}
                (brought, _) => {
                    if let Err(error) = brought {
                        tracing::warn!(%error, "what was in the way stays in the backups");
                    }
                    left.push(backup);
                }
            }
        }
        if !attempt.is_begun {
            back = known.clone();
            for folder in attempt.made.iter().rev() {
                let _ = fs::remove_dir(folder);
            }
        }
        if back != *written
            && let Err(error) = back.save(file)
        {
            tracing::warn!(%error, "what was written down before is not written down again");
        }
        match left.is_empty() {
            true => error,
            false => AgentError::LeftAside { backups: left, source: Box::new(error) }.into(),
        }
    }

    fn carry_out_one(&self, record: &mut Record, step: &Step<'_>, backup: Option<PathBuf>) -> Result<Placed> {
        let Target { skill, link, .. } = &step.target;
        let path = step.target.path();
        let scratch = Scratch::of(&path)?;
        if !matches!(step.now, Now::Same) {
            scratch.put(&link.as_deref().map_or(Fresh::Files(&skill.files), Fresh::Link))?;
        }
        for key in &step.earlier {
            let path = step.target.folder.join(last(key));
            let (scratch, placement) = (Scratch::of(&path)?, record.placements.remove(key));
            match placement.map(|placement| look(&path, &placement)).transpose()? {
                Some(Look::Whole(_)) => scratch.take()?,
                Some(Look::Altered(_)) => drop(scratch.keep(&self.backups()?)?),
                _ => {}
            }
        }
        let key = self.key(&step.target.folder, &skill.name)?;
        let agents =
            record.placements.get(&key).map(|placement| placement.agents.clone()).unwrap_or_default();
        let change = match step.now {
            Now::Nothing | Now::InTheWay => Change::Placed,
            Now::Same => Change::Unchanged,
            Now::Other(_) => Change::Updated,
        };
        let (id, version) = (skill.id.clone(), skill.content.version.clone());
        Ok(Placed { id, version, agents, path, link: link.clone(), change, backup })
    }

    /// Takes away copies that no agent looks at and no link leads to any more. One that was changed by hand stays.
    pub(super) fn sweep(&self, record: &mut Record) -> Result<Vec<PathBuf>> {
        let folders = self.folders();
        let is_linked = |id: &SkillId| {
            record.placements.values().any(|other| other.link.is_some() && other.id.key() == id.key())
        };
        let unused = record
            .placements
            .iter()
            .filter(|(_, placement)| placement.agents.is_empty() && !is_linked(&placement.id));
        let unused: Vec<String> = unused.map(|(key, _)| key.clone()).collect();
        let mut taken = Vec::new();
        for key in unused {
            let Some(placement) = record.placements.remove(&key) else { continue };
            if let Some(path) = self.locate(&key, &folders)
                && let Look::Whole(_) = look(&path, &placement)?
            {
                Scratch::of(&path)?.take()?;
                taken.push(path);
            }
        }
        Ok(taken)
    }
}
