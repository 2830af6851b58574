//! Placing skills for agents, as several commands do: which agents, in which projects, and what is told of it.

use std::path::{Path, PathBuf};

use clap::Args;
use skillery_client::agents::{
    Agent, AgentChoice, AgentError, Change, Conflicts, Listed, PlaceOptions, Placed, Placing, Site,
    SkillFolder,
};
use skillery_client::{Error, Home, Installed, Library};
use skillery_core::SkillId;

use crate::failure::Failure;
use crate::output::{Line, Page, Tone};
use crate::session::Session;

/// Which agents, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Agents")]
pub(crate) struct AgentArgs {
    /// Agents, by name (`skillery agents`), or `all`; repeatable, or with commas
    #[arg(long = "agent", value_name = "AGENT", value_delimiter = ',')]
    agents: Vec<AgentChoice>,

    /// The skills of all projects of this user, not those of one; leaves `skillery.lock` alone
    #[arg(long, conflicts_with = "project")]
    pub(crate) global: bool,

    /// The project [default: this folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) project: Option<PathBuf>,
}

/// How to place.
#[derive(Debug, Args)]
#[command(next_help_heading = "Agents")]
pub(crate) struct PlaceArgs {
    /// One copy in `.agents/skills`, and links to it from the folders of other agents
    #[arg(long, conflicts_with = "copy")]
    link: bool,

    /// A copy in the folder of each agent, as is usual
    #[arg(long)]
    copy: bool,

    #[command(flatten)]
    pub(crate) force: ForceArgs,
}

/// What to do with what is in the way.
#[derive(Debug, Args)]
#[command(next_help_heading = "Agents")]
pub(crate) struct ForceArgs {
    /// Move what others put there, or what was changed by hand, aside instead of refusing
    #[arg(long)]
    pub(crate) force: bool,
}

impl PlaceArgs {
    fn options(&self) -> PlaceOptions {
        let link = (self.link || self.copy).then_some(self.link);
        PlaceOptions { link, force: self.force.force }
    }

    fn is_given(&self) -> bool {
        self.link || self.copy || self.force.force
    }
}

/// Where to place, known before anything is asked or changed.
pub(crate) struct Target {
    site: Site,
    agents: Vec<&'static Agent>,
    options: PlaceOptions,
}

impl AgentArgs {
    /// Whether agents are named.
    pub(crate) fn is_given(&self) -> bool {
        !self.agents.is_empty()
    }

    /// Whether a project, or all of them, is named.
    pub(crate) fn has_scope(&self) -> bool {
        self.global || self.project.is_some()
    }

    /// The agents that are named; none where all are meant.
    pub(crate) fn named(&self) -> Option<Vec<&'static Agent>> {
        let named = self.agents.iter().map(|choice| match choice {
            AgentChoice::One(agent) => Some(*agent),
            AgentChoice::All => None,
        });
        named.collect::<Option<Vec<_>>>().filter(|named| !named.is_empty())
    }

    /// Where to place, if anything is to be placed.
    pub(crate) fn target(&self, session: &Session, place: &PlaceArgs) -> Result<Option<Target>, Failure> {
        if !self.is_given() {
            return match place.is_given() || self.has_scope() {
                true => {
                    Err(Failure::usage("no agent is named")
                        .hint("name one, for example `--agent claude-code`"))
                }
                false => Ok(None),
            };
        }
        let home = session.home()?;
        let site = match self.global {
            true => Site::global(&home)?,
            false => Site::project(&home, self.project.as_deref().unwrap_or(Path::new(".")))?,
        };
        let agents = match self.named() {
            Some(named) => named,
            None => {
                let found = site.found();
                if found.is_empty() {
                    return Err(Error::from(AgentError::NoneFound).into());
                }
                let names = found.iter().map(|agent| agent.name()).collect::<Vec<_>>().join(", ");
                session
                    .output
                    .note(Line::default().toned(Tone::Faint, "found on this machine: ").name(names));
                found
            }
        };
        // What cannot be placed is told before anything is downloaded.
        for agent in &agents {
            site.folder(agent)?;
        }
        Ok(Some(Target { site, agents, options: place.options() }))
    }

    /// Where something may have been placed: in the project that is named, or for all projects; in both where nothing is said.
    pub(crate) fn sites(&self, session: &Session) -> Result<Vec<Site>, Failure> {
        let home = session.home()?;
        if self.global {
            return Ok(vec![Site::global(&home)?]);
        }
        if let Some(project) = &self.project {
            return Ok(vec![Site::project(&home, project)?]);
        }
        let here = Site::project(&home, Path::new("."));
        let sites = here.into_iter().chain([Site::global(&home)?]);
        Ok(sites.filter(Site::is_recorded).collect())
    }

    /// What was placed for them.
    pub(crate) fn listed(&self, session: &Session) -> Result<Vec<Listed>, Failure> {
        let named = self.named();
        let library = session.library()?;
        let mut listed = Vec::new();
        for site in self.sites(session)? {
            listed.extend(site.list(&library, named.as_deref())?);
        }
        Ok(listed)
    }
}

impl Target {
    /// These agents in the project that this program works in, without overwriting anything.
    pub(crate) fn here(home: &Home, agents: &[String]) -> Result<Self, Failure> {
        let site = Site::project(home, Path::new("."))?;
        let mut chosen: Vec<&'static Agent> = Vec::new();
        for name in agents {
            let named = match name.parse().map_err(Error::from)? {
                AgentChoice::One(agent) => vec![agent],
                AgentChoice::All => site.found(),
            };
            if named.is_empty() {
                return Err(Error::from(AgentError::NoneFound).into());
            }
            for agent in named {
                if !chosen.iter().any(|known| known.name() == agent.name()) {
                    // What cannot be placed is told before anything is downloaded.
                    site.folder(agent)?;
                    chosen.push(agent);
                }
            }
        }
        Ok(Self { site, agents: chosen, options: PlaceOptions { link: None, force: false } })
    }

    /// The agents.
    pub(crate) fn names(&self) -> Vec<String> {
        self.agents.iter().map(|agent| agent.name().to_owned()).collect()
    }

    /// Places what was installed.
    pub(crate) fn place<'a>(
        &self,
        library: &Library,
        installed: impl DoubleEndedIterator<Item = &'a Installed>,
    ) -> Result<Vec<Placed>, Failure> {
        let mut folders: Vec<SkillFolder> = Vec::new();
        let mut seen: Vec<&SkillId> = Vec::new();
        // Of one skill in two versions the later is the current one.
        for installed in installed.rev() {
            if !seen.contains(&&installed.manifest.id) {
                seen.push(&installed.manifest.id);
                folders.push(SkillFolder::new(installed, library.files(installed)?)?);
            }
        }
        folders.reverse();
        Ok(self.site.place(&folders, &self.agents, self.options)?)
    }
}

/// Brings what was placed to the versions that are current now: of these skills, or of all. What is in the way is left, and
/// told by [`refused`].
pub(crate) fn refresh(
    session: &Session,
    library: &Library,
    args: &AgentArgs,
    only: Option<&[SkillId]>,
    force: bool,
) -> Result<Placing, Failure> {
    let named = args.named();
    let mut all = Placing::default();
    for site in args.sites(session)? {
        let mut folders = Vec::new();
        for id in site.skills()? {
            if only.is_some_and(|only| !only.iter().any(|other| other.key() == id.key())) {
                continue;
            }
            match library.get(id.as_str(), None) {
                Ok(installed) => folders.push(SkillFolder::new(&installed, library.files(&installed)?)?),
                // Placed from another home, or removed since: it stays as it is.
                Err(Error::NotInstalled { .. }) => {
                    let line =
                        Line::default().name(id.as_str()).plain(" is placed, and not in the library; ");
                    session.output.note(line.command(format!("skillery install {id}")).plain(" gets it"));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let placing = site.refresh(&folders, named.as_deref(), force)?;
        all.placed.extend(placing.placed);
        all.conflicts.extend(placing.conflicts);
    }
    Ok(all)
}

/// What was left as it is, as a failure of the command.
pub(crate) fn refused(placing: Placing) -> Result<(), Failure> {
    if placing.conflicts.is_empty() {
        return Ok(());
    }
    Err(Error::from(AgentError::Refused(Conflicts(placing.conflicts))).into())
}

/// Tells of one folder.
pub(crate) fn describe(page: &mut Page, placed: &Placed) {
    let line = Line::default();
    let line = match placed.change {
        Change::Placed => line.toned(Tone::Good, "placed "),
        Change::Updated => line.toned(Tone::Good, "updated "),
        Change::Unchanged => line.toned(Tone::Good, "is placed already: "),
    };
    let line = line.name(placed.id.as_str()).plain(format!(" {}", placed.version));
    let line = match names(&placed.agents) {
        names if names.is_empty() => line.plain(", which links lead to,"),
        names => line.plain(format!(" for {names}")),
    };
    let line = line.plain(" in ").name(shown(&placed.path));
    page.line(match &placed.link {
        Some(link) => line.toned(Tone::Faint, format!(" -> {link}")),
        None => line,
    });
    if let Some(backup) = &placed.backup {
        page.line(Line::default().plain("  what was there is kept in ").name(shown(backup)));
    }
}

/// Names of agents, as a person reads them.
pub(crate) fn names<'a>(names: impl IntoIterator<Item = &'a String>) -> String {
    names.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// A path, relative where it lies below the working folder.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(std::fs::canonicalize).ok();
    let below = here.and_then(|here| path.strip_prefix(here).ok());
    below.unwrap_or(path).display().to_string()
}
