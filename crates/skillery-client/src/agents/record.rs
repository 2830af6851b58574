//! What was placed where: a file in the project, or in the home for all projects. What is not in it is not ours.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::{Deserialize, Serialize};
use skillery_core::SkillId;

use crate::agents::AgentError;
use crate::agents::content::Content;
use crate::error::{Error, Result};
use crate::files::{self, Readers};

/// The form that is written.
const FORMAT: u32 = 1;

/// One skill in one folder of agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// The skill.
    pub id: SkillId,
    /// The agents that it was placed for. None where only links lead to it.
    pub(super) agents: BTreeSet<String>,
    /// Where the link leads, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// What was placed.
    pub(super) content: Content,
    /// What stood there before, until it is known to be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Form>,
}

/// A copy of a version, or a link to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    /// Where the link leads, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    /// The version, without files where it is a link.
    pub(super) content: Content,
}

impl Placement {
    /// What was placed.
    pub(super) fn form(&self) -> Form {
        Form { link: self.link.clone(), content: self.content.clone() }
    }
}

/// Everything that was placed in one project, or for all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    version: u32,
    /// By path: relative to the project and with `/`, or absolute.
    pub(super) placements: BTreeMap<String, Placement>,
    /// Folders of agents that were made for it, and go with the last skill in them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) folders: BTreeSet<String>,
}

impl Default for Record {
    fn default() -> Self {
        Self { version: FORMAT, placements: BTreeMap::new(), folders: BTreeSet::new() }
    }
}

impl Record {
    /// Reads it; an empty one where there is none.
    pub(super) fn load(path: &Path) -> Result<Self> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Ok(Self::default());
            }
            Err(error) => return Err(Error::disk("read what was placed for agents")(error)),
        };
        let bad = |source: crate::error::Cause| Error::BadFile { path: path.display().to_string(), source };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| bad(error.into()))?;
        if record.version != FORMAT {
            let reason = format!("its format is {}, and this program reads {FORMAT}", record.version);
            return Err(bad(reason.into()));
        }
        Ok(record)
    }

    /// Writes it: the old one or the new one, never half. An empty one is removed.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        let doing = || format!("write {}", path.display());
        let folder = path.parent().unwrap_or(Path::new("."));
        if self.placements.is_empty() {
            clear_half_written(folder);
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::disk(doing())(error));
                }
                // Backups keep it.
                _ => drop(fs::remove_dir(folder)),
            }
            return Ok(());
        }
        fs::create_dir_all(folder).map_err(Error::disk(doing()))?;
        clear_half_written(folder);
        let mut bytes =
            serde_json::to_vec_pretty(self).map_err(Error::internal("write what was placed as JSON"))?;
        bytes.push(b'\n');
        files::write_atomically(path, &bytes, Readers::Mask).map_err(Error::disk(doing()))
    }
}

/// Removes what runs that were killed while they wrote the record left of it.
fn clear_half_written(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(files::HALF_WRITTEN))
    {
        let _ = fs::remove_file(entry.path());
    }
}

/// A path as it is written down, relative to the project where there is one.
pub(super) fn key_of(path: &Path, project: Option<&Path>) -> Result<String> {
    let no_text = || AgentError::NoText { path: path.to_owned() };
    let Some(project) = project else {
        return Ok(path.to_str().ok_or_else(no_text)?.to_owned());
    };
    let inside = path
        .strip_prefix(project)
        .map_err(|_| AgentError::LeadsOutside { path: project.to_owned(), to: path.to_owned() })?;
    let parts: Option<Vec<&str>> = inside.components().map(|part| part.as_os_str().to_str()).collect();
    Ok(parts.ok_or_else(no_text)?.join("/"))
}

/// A path that was written down.
pub(super) fn path_of(key: &str, project: Option<&Path>) -> PathBuf {
    match project {
        Some(project) => super::machine::join(project, key),
        None => PathBuf::from(key),
    }
}
