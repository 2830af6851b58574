//! `skillery list`: what is in the local library.

use clap::Args;
use serde::Serialize;
use skillery_client::{Installed, Library};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, left, moment};
use crate::session::Session;

/// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery list                                      the current version of each skill
  skillery list --all                                every version
  skillery list --json | jq -r '.skills[].path'")]
pub(crate) struct ListArgs {
    /// Every version, not only the current ones
    #[arg(long)]
    all: bool,
}

#[derive(Debug, Serialize)]
struct Listed<'a> {
    skills: &'a [Installed],
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &ListArgs) -> CommandResult {
    let library = session.library()?;
    let skills = if args.all { all_versions(&library)? } else { library.list()? };
    session.output.show(&Listed { skills: &skills }, |page| {
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
                &moment(&manifest.installed_at.to_string()),
                &manifest.description,
            ]);
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
