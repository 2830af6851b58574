//! `skillery workflow show`: what came of a run.

use clap::Args;
use serde::Serialize;
use skillery_runner::{Event, Pin, RunReport, RunState, Values};

use super::{history, report};
use crate::failure::{CommandResult, Exit};
use crate::output::{moment_in, safe};
use crate::session::Session;

/// Arguments of `workflow show`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow show last
  skillery workflow show 0193f1c2 --events           every event, one JSON object a line
  skillery workflow show last --json | jq '.steps[-1].output'")]
pub(super) struct ShowArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,

    /// Print every event as a line of JSON
    #[arg(long)]
    events: bool,
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    state: RunState,
    started_at: String,
    inputs: &'a Values,
    skills: Vec<&'a Pin>,
    #[serde(flatten)]
    report: &'a RunReport,
}

/// Runs it.
pub(super) fn run(session: &Session, args: &ShowArgs) -> CommandResult {
    let history = history(session)?;
    let past = history.read(&history.find(&args.run)?)?;
    if args.events {
        past.events.iter().try_for_each(|event| print_event(session, event))?;
        return Ok(Exit::Done);
    }
    let report = past.report();
    let shown = Shown {
        state: past.state,
        started_at: past.record.started_at.to_string(),
        inputs: &past.record.inputs,
        skills: past.record.pins.values().collect(),
        report: &report,
    };
    session.output.show(&shown, |page| {
        page.field("run", &report.run_id);
        page.field("state", past.state.as_str());
        page.field("started", moment_in(&shown.started_at));
        for (name, value) in shown.inputs {
            page.field(&format!("input {}", safe(name)), value.to_string());
        }
        page.blank();
        report::steps(page, &report);
    })?;
    Ok(Exit::Done)
}

/// One event as a line of JSON.
pub(super) fn print_event(session: &Session, event: &Event) -> Result<(), crate::failure::Failure> {
    // An event is made of what JSON has.
    let line = serde_json::to_string(event).unwrap_or_default();
    session.output.print(&format!("{line}\n"))
}
