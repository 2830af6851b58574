//! Why skills are not placed where an agent looks, or not taken away.

use std::fmt;
use std::path::PathBuf;

use skillery_core::{SkillId, Version};

use crate::agents::Difference;
use crate::error::{Error, ExitClass};

/// Differences that are named; there may be thousands.
const MOST_NAMED: usize = 10;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No agent is called that.
    #[error("there is no agent `{}`{}", .name.escape_debug(), meant(*.near))]
    Unknown {
        /// What it was called.
        name: String,
        /// What was perhaps meant.
        near: Option<&'static str>,
    },
    /// No folder of an agent is on this machine.
    #[error("no agent was found on this machine")]
    NoneFound,
    /// The agent reads skills of projects only.
    #[error("`{agent}` has no folder for the skills of all projects")]
    NoGlobalFolder {
        /// The agent.
        agent: &'static str,
    },
    /// A project that is the home folder: the folders in it are those of all projects.
    #[error("{} is your home folder, and what lies there is for all projects", .path.display())]
    ProjectIsHome {
        /// The folder.
        path: PathBuf,
    },
    /// The folder of the project is none.
    #[error("{} is not a folder", .path.display())]
    NoFolder {
        /// What should be one.
        path: PathBuf,
    },
    /// A link in a project leads out of it.
    #[error("{} is a link that leads out of the project, to {}", .path.display(), .to.display())]
    LeadsOutside {
        /// The link, or what lies below it.
        path: PathBuf,
        /// Where it leads.
        to: PathBuf,
    },
    /// A link leads nowhere, or stands where none may.
    #[error("{} is a link, and must be none, or lead to a folder that is there", .path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// A path that cannot be written down.
    #[error("{} is no text, and cannot be remembered", .path.display())]
    NoText {
        /// The path.
        path: PathBuf,
    },
    /// The skill has no name that a folder could have.
    #[error("`{id}` cannot be placed for agents: {reason}")]
    NoName {
        /// The skill.
        id: SkillId,
        /// What is wrong with its description.
        reason: String,
    },
    /// Two files of a skill are one on some machines.
    #[error("`{id}` has `{one}` and `{other}`, which are one file on some machines")]
    Capitals {
        /// The skill.
        id: SkillId,
        /// A path.
        one: String,
        /// The other.
        other: String,
    },
    /// The skill was not placed.
    #[error("`{name}` is not placed here{agents}")]
    NotPlaced {
        /// The skill.
        name: String,
        /// Empty, or ` for` and the agents.
        agents: String,
    },
    /// Placing failed when what was in the way had been moved aside, and something else stands in its place by now.
    #[error("not everything was placed; what was in the way is kept in {}", paths(.backups))]
    LeftAside {
        /// Where it is.
        backups: Vec<PathBuf>,
        /// Why it failed.
        #[source]
        source: Box<Error>,
    },
    /// Something is in the way that was not written by this program, or was changed since. Nothing was done.
    #[error("{}", .0.summary())]
    Refused(#[source] Conflicts),
}

fn paths(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

fn meant(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

impl AgentError {
    /// What went wrong, for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::Unknown { .. } => "unknown-agent",
            Self::NoneFound => "no-agent-found",
            Self::NoGlobalFolder { .. } => "no-global-folder",
            Self::ProjectIsHome { .. } => "project-is-home",
            Self::NoFolder { .. } => "no-folder",
            Self::LeadsOutside { .. } => "leads-outside",
            Self::Link { .. } => "link",
            Self::NoText { .. } => "no-text",
            Self::NoName { .. } => "no-folder-name",
            Self::Capitals { .. } => "capitals-differ",
            Self::NotPlaced { .. } => "not-placed",
            Self::LeftAside { source, .. } => source.code(),
            Self::Refused(conflicts) => conflicts.code(),
        }
    }

    /// What to try.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unknown { .. } => "`skillery agents` lists those that are known",
            Self::NoneFound => "name one, for example `--agent claude-code`",
            Self::NoGlobalFolder { .. } => "leave `--global` out",
            Self::ProjectIsHome { .. } => "say `--global`, or name a project with `--project`",
            Self::NoFolder { .. } => "make it, or name another one",
            Self::LeadsOutside { .. } => {
                "a project that came from elsewhere may bring such links; name the folder itself with `--project` or say \
                 `--global`"
            }
            Self::Link { .. } => "remove the link",
            Self::NoText { .. } => "choose a folder with a name in UTF-8",
            Self::NoName { .. } | Self::Capitals { .. } => "its publisher has to publish another version",
            Self::NotPlaced { .. } => "`skillery list --agent all` lists what is",
            Self::LeftAside { source, .. } => source
                .hint()
                .unwrap_or("correct what failed, and do it again; the backups stay where they are"),
            Self::Refused(conflicts) => conflicts.hint(),
        }
    }

    /// What it means for the caller of a program.
    pub fn exit_class(&self) -> ExitClass {
        match self {
            Self::Unknown { .. }
            | Self::NoGlobalFolder { .. }
            | Self::ProjectIsHome { .. }
            | Self::NoFolder { .. }
            | Self::NoText { .. } => ExitClass::Usage,
            Self::LeftAside { source, .. } => source.exit_class(),
            Self::NoneFound | Self::NotPlaced { .. } => ExitClass::NotFound,
            _ => ExitClass::Failed,
        }
    }
}

/// One thing in the way.
#[derive(Debug, thiserror::Error)]
pub enum Conflict {
    /// Somebody else put it there.
    #[error("{} is there already, and Skillery did not put it there", .path.display())]
    NotOurs {
        /// The folder.
        path: PathBuf,
    },
    /// It was changed since it was placed.
    #[error("{}, which is `{id}` {version}, was changed by hand: {}", .path.display(), listed(.differences))]
    Altered {
        /// The folder.
        path: PathBuf,
        /// The skill.
        id: SkillId,
        /// The version that was placed.
        version: Version,
        /// What differs from it.
        differences: Vec<Difference>,
    },
    /// Another skill has the folder.
    #[error("`{id}` and `{other}` are both called `{name}`, and {} has room for one of them", .folder.display())]
    NameTaken {
        /// The skill to place.
        id: SkillId,
        /// The one that has the name.
        other: SkillId,
        /// The name.
        name: String,
        /// The folder of the agent.
        folder: PathBuf,
    },
    /// The name is there in other capitals.
    #[error("{} is there already, and its name differs from `{name}` by capitals only", .path.display())]
    Capitals {
        /// What is there.
        path: PathBuf,
        /// The name of the skill.
        name: String,
    },
}

impl Conflict {
    fn code(&self) -> &'static str {
        match self {
            Self::NotOurs { .. } => "not-ours",
            Self::Altered { .. } => "altered-by-hand",
            Self::NameTaken { .. } => "name-taken",
            Self::Capitals { .. } => "capitals-differ",
        }
    }
}

/// Everything that is in the way.
#[derive(Debug)]
pub struct Conflicts(pub Vec<Conflict>);

impl Conflicts {
    fn code(&self) -> &'static str {
        self.0.first().map_or("internal", Conflict::code)
    }

    fn summary(&self) -> String {
        match self.0.as_slice() {
            [conflict] => conflict.to_string(),
            conflicts => format!("{} folders are in the way", conflicts.len()),
        }
    }

    fn hint(&self) -> &'static str {
        let is_forceable =
            |conflict: &Conflict| matches!(conflict, Conflict::NotOurs { .. } | Conflict::Altered { .. });
        if self.0.iter().all(is_forceable) {
            "`--force` keeps what is there as a backup, and goes on"
        } else {
            "remove one of them, or place it for other agents"
        }
    }
}

impl std::error::Error for Conflicts {}

impl fmt::Display for Conflicts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, conflict) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_str("\n")?;
            }
            write!(formatter, "{conflict}")?;
        }
        Ok(())
    }
}

fn listed(differences: &[Difference]) -> String {
    let mut words: Vec<String> = differences.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    if differences.len() > MOST_NAMED {
        words.push(format!("and {} more", differences.len() - MOST_NAMED));
    }
    words.join(", ")
}
