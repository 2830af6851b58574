//! Taking skills away from agents: only what was placed, and only while it is as it was placed.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;
use skillery_core::{SkillId, Version};

use crate::agents::disk::Scratch;
use crate::agents::plan::altered;
use crate::agents::record::{Record, path_of};
use crate::agents::site::{Look, Site, look};
use crate::agents::{Agent, AgentError, Conflicts};
use crate::error::Result;

/// What was taken from agents in one folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Taken {
    /// The skill.
    pub id: SkillId,
    /// The version that was there.
    pub version: Version,
    /// The agents that it was taken from.
    pub agents: BTreeSet<String>,
    /// The folder.
    pub path: PathBuf,
    /// The agents that still have it there, since they share the folder.
    pub kept_for: BTreeSet<String>,
    /// Where it is kept, as it was changed by hand.
    pub backup: Option<PathBuf>,
}

impl Site {
    /// Takes these skills from these agents, or from all: everything, or, where something was changed by hand, nothing.
    pub fn take(&self, ids: &[SkillId], agents: Option<&[&Agent]>, force: bool) -> Result<Vec<Taken>> {
        let _lock = self.lock()?;
        let file = self.record_file()?;
        let mut record = Record::load(&file)?;
        let folders = self.folders();
        let mut conflicts = Vec::new();
        let mut doomed = Vec::new();
        for (key, placement) in &record.placements {
            let is_meant = ids.iter().any(|id| id.key() == placement.id.key());
            if !is_meant || !placement.is_for(agents) {
                continue;
            }
            let (gone, kept): (BTreeSet<String>, BTreeSet<String>) =
                placement.agents.iter().cloned().partition(|name| {
                    agents.is_none_or(|agents| agents.iter().any(|agent| agent.name() == name))
                });
            // Links of other agents may lead here.
            let is_needed = placement.link.is_none()
                && record.placements.values().any(|other| {
                    other.link.is_some()
                        && other.id.key() == placement.id.key()
                        && !is_gone(&other.agents, agents)
                });
            let goes = kept.is_empty() && !is_needed;
            if goes
                && let Some(path) = self.locate(key, &folders)
                && let Look::Altered(differences) = look(&path, placement)?
                && !force
            {
                conflicts.push(altered(path, placement, differences));
            }
            doomed.push((key.clone(), gone, kept, goes));
        }
        if !conflicts.is_empty() {
            return Err(AgentError::Refused(Conflicts(conflicts)).into());
        }
        let mut taken = Vec::with_capacity(doomed.len());
        for (key, gone, kept, goes) in doomed {
            let Some(placement) = record.placements.get_mut(&key) else { continue };
            let mut backup = None;
            if goes {
                if let Some(path) = self.locate(&key, &folders) {
                    let scratch = path.parent().filter(|folder| folder.is_dir()).map(|_| Scratch::of(&path));
                    match (scratch.transpose()?, look(&path, placement)?) {
                        (Some(scratch), Look::Whole(_)) => scratch.take()?,
                        (Some(scratch), Look::Altered(_)) => backup = Some(scratch.keep(&self.backups()?)?),
                        _ => {}
                    }
                }
            } else {
                placement.agents.clone_from(&kept);
            }
            taken.push(Taken {
                id: placement.id.clone(),
                version: placement.content.version.clone(),
                agents: gone,
                path: path_of(&key, self.root.as_deref()),
                kept_for: kept,
                backup,
            });
            if goes {
                record.placements.remove(&key);
            }
        }
        if !taken.is_empty() {
            self.sweep(&mut record)?;
            self.tidy(&mut record);
            record.save(&file)?;
        }
        Ok(taken)
    }
}

/// Whether nothing is left of these agents.
fn is_gone(names: &BTreeSet<String>, agents: Option<&[&Agent]>) -> bool {
    agents.is_none_or(|agents| names.iter().all(|name| agents.iter().any(|agent| agent.name() == name)))
}
