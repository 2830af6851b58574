//! `skillery workflow runs`: lists the runs of this machine.

use clap::Args;
use serde::Serialize;
use skillery_runner::{RunState, RunSummary};

use super::history;
use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Tone, left, moment, right};
use crate::session::Session;

/// Arguments of `workflow runs`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow runs
  skillery workflow runs --limit 100 --json | jq '.runs[] | select(.state == \"failed\")'

A run is `running`, `interrupted` (its process is gone before it ended), `success`, `failed` or `cancelled`.")]
pub(super) struct RunsArgs {
    /// How many to list, the newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: usize,
}

#[derive(Debug, Serialize)]
struct Report {
    runs: Vec<RunSummary>,
}

/// Runs it.
pub(super) fn run(session: &Session, args: &RunsArgs) -> CommandResult {
    let report = Report { runs: history(session)?.list(args.limit)? };
    session.output.show(&report, |page| {
        if report.runs.is_empty() {
            page.line(Line::default().plain("nothing has run yet; ").command("skillery workflow run"));
            return;
        }
        let columns = [left("RUN"), left("WORKFLOW"), left("STATE"), left("STARTED"), right("STEPS")];
        let mut grid = Grid::new(&columns);
        for run in &report.runs {
            let started = moment(run.started_at);
            let steps = run.steps.to_string();
            grid.row([&run.run_id, &run.workflow, run.state.as_str(), &started, &steps]);
        }
        page.grid(grid);
        if report.runs.iter().any(|run| matches!(run.state, RunState::Interrupted)) {
            page.blank();
            page.line(
                Line::default()
                    .toned(Tone::Faint, "go on with one that was interrupted: ")
                    .command("skillery workflow resume RUN"),
            );
        }
    })?;
    Ok(Exit::Done)
}
