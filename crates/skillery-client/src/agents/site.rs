//! Where skills are placed: in one project, or for all projects of a user.
//!
//! A project may come from anywhere, so no link in it is followed out of it, and what its record says is believed only of
//! folders that agents have there. The folders of a user are where the user has put them, links or not.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use skillery_core::{Digest, SkillId, Version};

use crate::agents::content::{Content, DifferenceKind};
use crate::agents::disk::is_there;
use crate::agents::machine::join;
use crate::agents::record::{Form, Placement, Record, path_of};
use crate::agents::{Agent, AgentError, Difference, FolderName, Machine};
use crate::error::{Error, Result};
use crate::files::FileLock;
use crate::home::Home;
use crate::library::{Library, fold};
use crate::lockfile::{LOCK_FILE, Lockfile};
use crate::project::{self, Guard, PROJECT_FOLDER};

const GUARD_FILE: &str = "agents.lock";
const RECORD_FILE: &str = "agents.json";
const BACKUP_FOLDER: &str = "backups";

/// Whose skills they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Those of one project.
    Project,
    /// Those of all projects of a user.
    Global,
}

/// One project, or all projects of a user.
#[derive(Debug, Clone)]
pub struct Site {
    pub(super) home: Home,
    pub(super) machine: Machine,
    /// The project, without links in its path; none for all of them.
    pub(super) root: Option<PathBuf>,
}

/// Other processes are kept out until this is dropped.
pub(super) struct Locks {
    _home: FileLock,
    _project: Option<Guard>,
}

/// One skill in one folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Listed {
    /// The skill.
    pub id: SkillId,
    /// The version that was placed.
    pub version: Version,
    /// The agents that it was placed for.
    pub agents: BTreeSet<String>,
    /// Whose skill it is.
    pub scope: Scope,
    /// The folder.
    pub path: PathBuf,
    /// Where it leads, where it is a link.
    pub link: Option<String>,
    /// How it is now.
    pub state: State,
    /// What was changed by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// How something that was placed is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it was placed, and as the library or the project's lock file has this version.
    Whole,
    /// As the record says that it was placed. A record may come with a project, and nothing here says that the version has these
    /// files.
    Unverified,
    /// Changed by hand.
    Altered,
    /// Gone.
    Missing,
    /// In no folder where an agent looks: the folders are others now, or somebody else wrote the record.
    Elsewhere,
}

/// What stands in a place that is ours.
pub(super) enum Look {
    Missing,
    /// This.
    Whole(Form),
    Altered(Vec<Difference>),
}

impl Site {
    /// This project.
    pub fn project(home: &Home, folder: &Path) -> Result<Self> {
        let no_folder = || AgentError::NoFolder { path: folder.to_owned() };
        let root = fs::canonicalize(folder).map_err(|_| no_folder())?;
        if !root.is_dir() {
            return Err(no_folder().into());
        }
        let machine = Machine::here()?;
        if fs::canonicalize(machine.home()).is_ok_and(|home| home == root) {
            return Err(AgentError::ProjectIsHome { path: root }.into());
        }
        Ok(Self { home: home.clone(), machine, root: Some(root) })
    }

    /// All projects of this user.
    pub fn global(home: &Home) -> Result<Self> {
        Ok(Self { home: home.clone(), machine: Machine::here()?, root: None })
    }

    /// Whether anything was ever placed here.
    pub fn is_recorded(&self) -> bool {
        self.record_file().is_ok_and(|file| is_there(&file))
    }

    /// The machine that it is on.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Whose skills are placed.
    pub fn scope(&self) -> Scope {
        if self.root.is_some() { Scope::Project } else { Scope::Global }
    }

    /// The agents that are on this machine, and have a folder here.
    pub fn found(&self) -> Vec<&'static Agent> {
        let is_usable = |agent: &&Agent| self.root.is_some() || agent.global_folder().is_some();
        let is_found = |agent: &&Agent| self.machine.has(agent, self.root.as_deref());
        Agent::all().iter().filter(is_usable).filter(is_found).collect()
    }

    /// The folder where an agent looks, without links in its path. It need not be there.
    pub fn folder(&self, agent: &Agent) -> Result<PathBuf> {
        let Some(root) = &self.root else {
            let folder = self.machine.global_folder(agent);
            return real(&folder.ok_or(AgentError::NoGlobalFolder { agent: agent.name() })?);
        };
        self.inside(&join(root, agent.project_folder()))
    }

    /// A path without links in it, which must not lead out of the project.
    fn inside(&self, path: &Path) -> Result<PathBuf> {
        let to = real(path)?;
        match &self.root {
            Some(root) if !to.starts_with(root) => {
                Err(AgentError::LeadsOutside { path: path.to_owned(), to }.into())
            }
            _ => Ok(to),
        }
    }

    /// The file with what was placed here.
    pub(super) fn record_file(&self) -> Result<PathBuf> {
        Ok(self.own_folder()?.join(RECORD_FILE)).and_then(no_link)
    }

    /// Where what was in the way is kept.
    pub(super) fn backups(&self) -> Result<PathBuf> {
        no_link(self.own_folder()?.join(BACKUP_FOLDER))
    }

    fn own_folder(&self) -> Result<PathBuf> {
        match &self.root {
            Some(root) => no_link(root.join(PROJECT_FOLDER)),
            None => Ok(self.home.agents_folder()),
        }
    }

    /// Keeps out other processes that place or take here: those of this home, and, in a project, those of others.
    pub(super) fn lock(&self) -> Result<Locks> {
        let home = self.home.lock()?;
        let project = match self.root {
            Some(_) => project::guard(&self.own_folder()?, GUARD_FILE)?,
            None => None,
        };
        Ok(Locks { _home: home, _project: project })
    }

    /// The skills that were placed here, by id.
    pub fn skills(&self) -> Result<BTreeSet<SkillId>> {
        let record = Record::load(&self.record_file()?)?;
        Ok(record.placements.into_values().map(|placement| placement.id).collect())
    }

    /// Which of the placed skills is meant: an id, or a name that only one of them has. None where none is.
    pub fn find(&self, name: &str) -> Result<Option<SkillId>> {
        let mut candidates: Vec<SkillId> = self.skills()?.into_iter().collect();
        if name.contains('/') {
            let id: SkillId = name.parse()?;
            candidates.retain(|candidate| candidate.key() == id.key());
        } else {
            candidates.retain(|candidate| fold(candidate.name()) == fold(name));
        }
        if candidates.len() > 1 {
            return Err(Error::Ambiguous { name: name.to_owned(), candidates });
        }
        Ok(candidates.pop())
    }

    /// Whether this skill was placed here, for one of these agents or for any.
    pub fn has(&self, id: &SkillId, agents: Option<&[&Agent]>) -> Result<bool> {
        let record = Record::load(&self.record_file()?)?;
        let is_it = |placement: &Placement| placement.id.key() == id.key() && placement.is_for(agents);
        Ok(record.placements.values().any(is_it))
    }

    /// What was placed here, for these agents or for all, by path.
    pub fn list(&self, library: &Library, agents: Option<&[&Agent]>) -> Result<Vec<Listed>> {
        let record = Record::load(&self.record_file()?)?;
        let folders = self.folders();
        // What cannot be read vouches for nothing.
        let lock = self.root.as_ref().and_then(|root| Lockfile::load(&root.join(LOCK_FILE)).ok().flatten());
        let mut listed = Vec::new();
        for (key, placement) in &record.placements {
            if !placement.is_for(agents) {
                continue;
            }
            let (state, differences) = match self.locate(key, &folders) {
                None => (State::Elsewhere, Vec::new()),
                Some(path) => match look(&path, placement)? {
                    Look::Missing => (State::Missing, Vec::new()),
                    Look::Whole(form) => {
                        let copy = self.copy_of(&path, &form, &record, &folders)?;
                        let is_known = match copy {
                            Some((path, content)) => {
                                let digest = content.digest_in(&path)?;
                                let known = digests(&placement.id, &content.version, library, lock.as_ref());
                                digest.is_some_and(|digest| known.contains(&digest))
                            }
                            None => false,
                        };
                        (if is_known { State::Whole } else { State::Unverified }, Vec::new())
                    }
                    Look::Altered(differences) => (State::Altered, differences),
                },
            };
            listed.push(Listed {
                id: placement.id.clone(),
                version: placement.content.version.clone(),
                agents: placement.agents.clone(),
                scope: self.scope(),
                path: path_of(key, self.root.as_deref()),
                link: placement.link.clone(),
                state,
                differences,
            });
        }
        Ok(listed)
    }

    /// The files of what stands somewhere: its own, or those of the copy that it leads to, if that is as it was placed.
    fn copy_of(
        &self,
        path: &Path,
        form: &Form,
        record: &Record,
        folders: &BTreeSet<PathBuf>,
    ) -> Result<Option<(PathBuf, Content)>> {
        if form.link.is_none() {
            return Ok(Some((path.to_owned(), form.content.clone())));
        }
        let Ok(to) = fs::canonicalize(path) else { return Ok(None) };
        for (key, placement) in &record.placements {
            if placement.link.is_none()
                && self.locate(key, folders).as_ref() == Some(&to)
                && let Look::Whole(Form { link: None, content }) = look(&to, placement)?
            {
                return Ok(Some((to, content)));
            }
        }
        Ok(None)
    }

    /// The folders of agents in a project; nothing is believed to be placed elsewhere.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        if self.root.is_none() {
            return BTreeSet::new();
        }
        Agent::all().iter().filter_map(|agent| self.folder(agent).ok()).collect()
    }

    /// The path of a placement, if it is one where something may have been placed.
    pub(super) fn locate(&self, key: &str, folders: &BTreeSet<PathBuf>) -> Option<PathBuf> {
        let path = path_of(key, self.root.as_deref());
        let name = path.file_name()?.to_str()?;
        let is_plain = name.parse::<FolderName>().is_ok() && !key.split(['/', '\\']).any(|part| part == "..");
        let is_known = match &self.root {
            // The record of a user is the user's own; agents may have been moved since.
            None => path.is_absolute(),
            Some(_) => folders.contains(path.parent()?),
        };
        (is_plain && is_known).then_some(path)
    }

    /// The folders that are to be made for one of an agent, from the top.
    pub(super) fn missing_folders(&self, folder: &Path) -> Vec<PathBuf> {
        let mut missing: Vec<PathBuf> =
            folder.ancestors().take_while(|folder| !is_there(folder)).map(Path::to_owned).collect();
        missing.reverse();
        missing
    }

    /// Removes the folders that were made for agents and have become empty.
    pub(super) fn tidy(&self, record: &mut Record) {
        for key in record.folders.iter().rev() {
            let path = path_of(key, self.root.as_deref());
            if !key.split(['/', '\\']).any(|part| part == "..")
                && self.inside(&path).is_ok_and(|to| to == path)
            {
                let _ = fs::remove_dir(&path);
            }
        }
        record.folders.retain(|key| is_there(&path_of(key, self.root.as_deref())));
    }
}

/// The digests that a version is known to have here.
fn digests(id: &SkillId, version: &Version, library: &Library, lock: Option<&Lockfile>) -> Vec<Digest> {
    let installed = library.versions(id.as_str()).unwrap_or_default();
    let installed = installed.into_iter().map(|installed| installed.manifest);
    let locked = lock.and_then(|lock| lock.get(id)).filter(|locked| locked.version == *version);
    installed
        .filter(|manifest| manifest.version == *version)
        .map(|manifest| manifest.digest)
        .chain(locked.map(|locked| locked.digest))
        .collect()
}

impl Placement {
    /// Whether it is for one of these agents, or for all.
    pub(super) fn is_for(&self, agents: Option<&[&Agent]>) -> bool {
        agents.is_none_or(|agents| agents.iter().any(|agent| self.agents.contains(agent.name())))
    }
}

/// What stands where something was placed.
pub(super) fn look(path: &Path, placement: &Placement) -> Result<Look> {
    let doing = || format!("look at {}", path.display());
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Look::Missing);
        }
        metadata => metadata.map_err(Error::disk(doing()))?,
    };
    let link = match metadata.is_symlink() {
        true => Some(fs::read_link(path).map_err(Error::disk(doing()))?),
        false => None,
    };
    let mut differences = Vec::new();
    for form in std::iter::once(placement.form()).chain(placement.before.clone()) {
        let found = match (&link, &form.link) {
            (Some(link), Some(expected)) if link == Path::new(expected) => Vec::new(),
            (None, None) if metadata.is_dir() => form.content.differences(path)?,
            _ => vec![Difference { path: ".".to_owned(), kind: DifferenceKind::Changed }],
        };
        if found.is_empty() {
            return Ok(Look::Whole(form));
        }
        if differences.is_empty() {
            differences = found;
        }
    }
    Ok(Look::Altered(differences))
}

/// The path without links, as far as it is there.
fn real(path: &Path) -> Result<PathBuf> {
    let mut rest = Vec::new();
    for at in path.ancestors() {
        match fs::canonicalize(at) {
            Ok(found) if found.is_dir() => {
                return Ok(rest.into_iter().rev().fold(found, |path, part| path.join(part)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if is_there(at) {
                    return Err(AgentError::Link { path: at.to_owned() }.into());
                }
            }
            Err(error) if error.kind() != io::ErrorKind::NotADirectory => {
                return Err(Error::disk(format!("find {}", at.display()))(error));
            }
            _ => return Err(AgentError::NoFolder { path: at.to_owned() }.into()),
        }
        rest.extend(at.file_name());
    }
    Err(AgentError::NoFolder { path: path.to_owned() }.into())
}

fn no_link(path: PathBuf) -> Result<PathBuf> {
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_symlink() => Err(AgentError::Link { path }.into()),
        _ => Ok(path),
    }
}
