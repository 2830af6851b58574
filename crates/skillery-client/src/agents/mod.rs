//! Skills in the folders where agents look for them.
//!
//! `table` says where that is, `machine` what is on this machine, `site` what of it is meant: a project, or all projects of a
//! user. `record` remembers what was placed, so that nothing else is ever changed. `plan` and `take` decide, `disk` does.
//! Nothing here talks to a registry: what is placed comes out of the library, verified.

mod carry;
mod content;
mod disk;
mod error;
mod machine;
mod name;
mod plan;
mod record;
mod site;
mod table;
mod take;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub use self::content::{Difference, DifferenceKind};
pub use self::error::{AgentError, Conflict, Conflicts};
pub use self::machine::Machine;
pub use self::name::FolderName;
pub use self::plan::{Change, PlaceOptions, Placed, Placing, SkillFolder};
pub use self::record::Placement;
pub use self::site::{Listed, Scope, Site, State};
pub use self::take::Taken;

/// A program that reads skills from a folder.
#[derive(Debug, PartialEq, Eq)]
pub struct Agent {
    name: &'static str,
    title: &'static str,
    project: &'static str,
    global: &'static str,
    found_by: &'static str,
}

impl Agent {
    /// All of them, by name.
    pub fn all() -> &'static [Self] {
        table::AGENTS
    }

    /// The one of this name, or of this shorter name.
    pub fn named(name: &str) -> Result<&'static Self, AgentError> {
        let full = table::ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, full)| full);
        let found = Self::all().iter().find(|agent| agent.name == full);
        found.ok_or_else(|| AgentError::Unknown { name: name.to_owned(), near: near(name) })
    }

    /// The one whose folder many share.
    pub(crate) fn shared() -> Option<&'static Self> {
        Self::named(table::SHARED).ok()
    }

    /// What it is called on the command line: `claude-code`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it calls itself: `Claude Code`.
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// Shorter names for it.
    pub fn aliases(&self) -> impl Iterator<Item = &'static str> {
        table::ALIASES.iter().filter(|(_, full)| *full == self.name).map(|(alias, _)| *alias)
    }

    /// Its folder in a project, relative and with `/`.
    pub fn project_folder(&self) -> &'static str {
        self.project
    }

    /// Its folder for all projects of a user, in the words of the table: `$CLAUDE_CONFIG_DIR/skills`.
    pub fn global_folder(&self) -> Option<&'static str> {
        Some(self.global).filter(|folder| !folder.is_empty())
    }

    /// The folders that show that it is on a machine, in the words of the table.
    pub fn found_by(&self) -> impl Iterator<Item = &'static str> {
        self.found_by.split_whitespace()
    }
}

impl fmt::Display for Agent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl Serialize for Agent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// Which agents are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentChoice {
    /// Every one that there is; what that means is the command's to say.
    All,
    /// This one.
    One(&'static Agent),
}

impl FromStr for AgentChoice {
    type Err = AgentError;

    fn from_str(text: &str) -> Result<Self, AgentError> {
        if text == "all" { Ok(Self::All) } else { Agent::named(text).map(Self::One) }
    }
}

/// A name that begins like this one, or that this one begins like.
fn near(name: &str) -> Option<&'static str> {
    let names = table::AGENTS.iter().map(|agent| agent.name);
    let mut known = names.chain(table::ALIASES.iter().map(|(alias, _)| *alias));
    let begin: String = name.to_lowercase().chars().take(3).collect();
    (begin.len() >= 3).then(|| known.find(|known| known.starts_with(&begin))).flatten()
}
