//! `skillery agents`: which agents there are, and where they look for skills.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use skillery_client::agents::{Agent, Site};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, left};
use crate::session::Session;

/// Arguments of `agents`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery agents                                    all that can be named with `--agent`
  skillery agents --found                            those on this machine
  skillery agents --json | jq -r '.agents[] | select(.found) | .name'

An agent counts as found where its folder exists.")]
pub(crate) struct AgentsArgs {
    /// Only those that are on this machine
    #[arg(long)]
    found: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    name: &'static str,
    title: &'static str,
    aliases: Vec<&'static str>,
    found: bool,
    /// Its folder in a project.
    project: &'static str,
    /// Its folder for all projects, on this machine.
    global: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report {
    agents: Vec<Shown>,
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &AgentsArgs) -> CommandResult {
    let home = session.home()?;
    let everywhere = Site::global(&home)?;
    let machine = everywhere.machine();
    let show = |agent: &'static Agent| Shown {
        name: agent.name(),
        title: agent.title(),
        aliases: agent.aliases().collect(),
        found: machine.has(agent, Some(Path::new("."))),
        project: agent.project_folder(),
        global: machine.global_folder(agent),
    };
    let all = Agent::all().iter().map(show);
    let report = Report { agents: all.filter(|agent| agent.found || !args.found).collect() };
    session.output.show(&report, |page| {
        if report.agents.is_empty() {
            page.line(
                Line::default().plain("no agent was found; all are listed by ").command("skillery agents"),
            );
            return;
        }
        let mut grid =
            Grid::new(&[left("AGENT"), left("FOUND"), left("IN A PROJECT"), left("FOR ALL PROJECTS")]);
        for agent in &report.agents {
            let names = std::iter::once(agent.name).chain(agent.aliases.iter().copied());
            let names = names.collect::<Vec<_>>().join(", ");
            let global = agent.global.as_ref().map_or_else(String::new, |path| path.display().to_string());
            grid.row([names.as_str(), if agent.found { "yes" } else { "" }, agent.project, global.as_str()]);
        }
        page.grid(grid);
    })?;
    Ok(Exit::Done)
}
