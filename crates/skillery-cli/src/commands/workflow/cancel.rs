//! `skillery workflow cancel`: ends a run that is going on in another process.

use clap::Args;
use serde::Serialize;

use super::history;
use crate::failure::{CommandResult, Exit};
use crate::output::Line;
use crate::session::Session;

/// Arguments of `workflow cancel`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow cancel last
  skillery workflow cancel 0193f1c2

What runs is asked to end, then killed; what has not begun is skipped. `resume` goes on from there.")]
pub(super) struct CancelArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,
}

#[derive(Debug, Serialize)]
struct Report {
    run_id: String,
}

/// Runs it.
pub(super) fn run(session: &Session, args: &CancelArgs) -> CommandResult {
    let history = history(session)?;
    let report = Report { run_id: history.find(&args.run)? };
    history.cancel(&report.run_id)?;
    session
        .output
        .show(&report, |page| page.line(Line::default().plain("asked to end: ").name(&report.run_id)))?;
    Ok(Exit::Done)
}
