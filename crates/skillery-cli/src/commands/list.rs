//! `skillery list`: what is in the local library.

use clap::Args;
use serde::Serialize;
use skillery_client::agents::{Listed, State};
use skillery_client::{Installed, Library};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, left, moment};
use crate::placing::{AgentArgs, names, shown};
use crate::session::Session;

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery list                                      the current version of each skill
  skillery list --all                                every version
  skillery list --agent all                          what is placed for agents
  skillery list --json | jq -r '.skills[].path'")]
pub(crate) struct ListArgs {
    /// Every version, not only the current ones
    #[arg(long)]
    all: bool,

    #[command(flatten)]
    agents: AgentArgs,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    skills: Vec<Shown<'a>>,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    skill: &'a Installed,
    /// Where it is placed for agents, in this project and for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    placements: Vec<&'a Listed>,
}

#[derive(Debug, Serialize)]
struct Placements<'a> {
    placements: &'a [Listed],
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &ListArgs) -> CommandResult {
    if args.agents.is_given() || args.agents.has_scope() {
        return list_placements(session, args);
    }
    let library = session.library()?;
    let skills = if args.all { all_versions(&library)? } else { library.list()? };
    // A project whose record cannot be read keeps nobody from the library.
    let placements = args.agents.listed(session).unwrap_or_else(|failure| {
        session.output.warning(failure.message());
        Vec::new()
    });
    let placements_of = |skill: &Installed| -> Vec<&Listed> {
        let is_it = |listed: &&Listed| listed.id.key() == skill.manifest.id.key();
        placements.iter().filter(is_it).collect()
    };
    let shown = skills.iter().map(|skill| Shown { skill, placements: placements_of(skill) });
    session.output.show(&Report { skills: shown.collect() }, |page| {
        if skills.is_empty() {
            page.line(
                Line::default().plain("nothing is installed; find skills with ").command("skillery search"),
            );
            return;
        }
        let mut grid = Grid::new(&[left("SKILL"), left("VERSION"), left("INSTALLED"), left("DESCRIPTION")]);
        for skill in &skills {
            let manifest = &skill.manifest;
            let mark = if args.all && skill.current { " (current)" } else { "" };
            grid.row([
                manifest.id.as_str(),
                &format!("{}{mark}", manifest.version),
                &moment(manifest.installed_at),
                &manifest.description,
            ]);
        }
        page.grid(grid);
    })?;
    if !placements.is_empty() {
        let line = Line::default().plain("some are placed for agents: ");
        session.output.note(line.command("skillery list --agent all"));
    }
    Ok(Exit::Done)
}

/// Lists what is placed for agents instead of what is in the library.
fn list_placements(session: &Session, args: &ListArgs) -> CommandResult {
    let placements = args.agents.listed(session)?;
    session.output.show(&Placements { placements: &placements }, |page| {
        if placements.is_empty() {
            page.text("nothing is placed");
            return;
        }
        let heads = ["SKILL", "VERSION", "AGENTS", "FOLDER", "STATE"].map(left);
        let mut grid = Grid::new(&heads);
        for listed in &placements {
            let state = match listed.state {
                State::Whole => "as placed".to_owned(),
                State::Unverified => "as placed, by the record alone".to_owned(),
                State::Missing => "missing".to_owned(),
                State::Elsewhere => "in no folder of an agent".to_owned(),
                State::Altered => {
                    let files = listed.differences.iter().map(ToString::to_string);
                    format!("changed by hand: {}", files.collect::<Vec<_>>().join(", "))
                }
            };
            let agents = match names(&listed.agents) {
                names if names.is_empty() => "(links)".to_owned(),
                names => names,
            };
            let folder = shown(&listed.path);
            grid.row([listed.id.as_str(), &listed.version.to_string(), &agents, &folder, &state]);
        }
        page.grid(grid);
    })?;
    Ok(Exit::Done)
}

/// Every version of every skill: by id, the highest first.
pub(crate) fn all_versions(library: &Library) -> Result<Vec<Installed>, Failure> {
    let mut all = Vec::new();
    for skill in library.list()? {
        all.extend(library.versions(skill.manifest.id.as_str())?);
    }
    Ok(all)
}
