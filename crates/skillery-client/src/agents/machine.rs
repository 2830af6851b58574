//! What the words of the table mean on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::agents::Agent;
use crate::agents::table::VARIABLES;
use crate::error::{Error, Result};

/// The home folder of a user, and the variables that move folders of agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    home: PathBuf,
    variables: BTreeMap<&'static str, PathBuf>,
}

impl Machine {
    /// This one, as the environment has it.
    pub fn here() -> Result<Self> {
        let home = etcetera::home_dir().map_err(Error::internal("find the home folder of this user"))?;
        let mut variables = BTreeMap::new();
        for (name, _) in VARIABLES {
            let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) else { continue };
            let path = std::path::absolute(value)
                .map_err(Error::disk(format!("find the folder that `{name}` names")))?;
            variables.insert(*name, path);
        }
        Ok(Self { home, variables })
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder of an agent for all projects of the user, if it has one.
    pub fn global_folder(&self, agent: &Agent) -> Option<PathBuf> {
        agent.global_folder().map(|folder| self.resolve(folder, Path::new("")))
    }

    /// Whether the agent is on this machine, or at work in this project: one of its folders exists.
    pub fn has(&self, agent: &Agent, project: Option<&Path>) -> bool {
        agent.found_by().any(|place| match (place.starts_with("./"), project) {
            (true, None) => false,
            (_, project) => self.resolve(place, project.unwrap_or(Path::new(""))).exists(),
        })
    }

    fn resolve(&self, text: &str, project: &Path) -> PathBuf {
        let (first, rest) = text.split_once('/').unwrap_or((text, ""));
        let base = match (first, first.strip_prefix('$')) {
            ("~", _) => self.home.clone(),
            (".", _) => project.to_owned(),
            (_, Some(name)) => self.variables.get(name).cloned().unwrap_or_else(|| {
                let usual = VARIABLES.iter().find(|(variable, _)| *variable == name);
                join(&self.home, usual.map_or("", |(_, usual)| usual))
            }),
            _ => PathBuf::from("/").join(first),
        };
        join(&base, rest)
    }
}

/// A path that is written with `/`, below another.
pub(super) fn join(base: &Path, path: &str) -> PathBuf {
    path.split('/').filter(|part| !part.is_empty()).fold(base.to_owned(), |base, part| base.join(part))
}
