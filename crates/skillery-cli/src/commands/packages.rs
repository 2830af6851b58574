//! `skillery packages`: the packages that were installed for skills.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::time::{DAY_SECONDS, Time};
use skillery_runner::{PackageSet, package_sets, prune_packages};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Tone, counted, left, moment};
use crate::session::Session;

/// Arguments of `packages`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery packages list
  skillery packages prune --unused-days 30

Packages that skills ask for are installed when a skill first runs that is granted them: once for each set of them and \
each interpreter.")]
pub(crate) struct PackagesArgs {
    #[command(subcommand)]
    command: PackagesCommand,
}

#[derive(Debug, Subcommand)]
enum PackagesCommand {
    /// List the sets of packages that are installed
    #[command(after_help = "\
Examples:
  skillery packages list
  skillery packages list --json | jq '.sets[].packages'")]
    List,
    /// Remove the sets that no run has had for some days
    #[command(after_help = "\
Examples:
  skillery packages prune
  skillery packages prune --unused-days 1

Not while a run goes on for longer than that. What is needed again is installed again.")]
    Prune {
        /// Days since a run last had it
        #[arg(long, value_name = "DAYS", default_value = "30", value_parser = clap::value_parser!(u16).range(1..))]
        unused_days: u16,
    },
}

#[derive(Debug, Serialize)]
struct Sets {
    sets: Vec<PackageSet>,
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &PackagesArgs) -> CommandResult {
    let home = session.home()?.environments_folder();
    match args.command {
        PackagesCommand::List => {
            let sets = package_sets(&home).map_err(|error| Failure::file("read", &home, &error))?;
            let shown = Sets { sets };
            session.output.show(&shown, |page| {
                let mut grid = Grid::new(&[left("PACKAGES"), left("LAST USED"), left("FOLDER")]);
                for PackageSet { folder, packages, used_at } in &shown.sets {
                    let used = moment(*used_at);
                    grid.row([packages.join(", "), used, folder.display().to_string()]);
                }
                page.grid(grid);
            })?;
        }
        PackagesCommand::Prune { unused_days } => {
            let now = Time::from_micros(jiff::Timestamp::now().as_microsecond());
            let since = now.plus_seconds(-i64::from(unused_days) * DAY_SECONDS);
            let sets = prune_packages(&home, since).map_err(|error| Failure::file("clear", &home, &error))?;
            let shown = Sets { sets };
            session.output.show(&shown, |page| {
                for PackageSet { packages, .. } in &shown.sets {
                    page.line(Line::default().toned(Tone::Good, "removed ").plain(packages.join(", ")));
                }
                let count = counted(shown.sets.len() as u64, "set of packages", "sets of packages");
                page.line(Line::default().plain(format!("{count} removed")));
            })?;
        }
    }
    Ok(Exit::Done)
}
