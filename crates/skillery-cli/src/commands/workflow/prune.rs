//! `skillery workflow prune`: forgets old runs.

use clap::Args;
use serde::Serialize;
use skillery_core::time::{DAY_SECONDS, Time};

use super::history;
use crate::failure::{CommandResult, Exit};
use crate::output::{Line, counted};
use crate::session::Session;

/// Arguments of `workflow prune`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow prune --keep 100
  skillery workflow prune --older-than 30            days

Runs that are going on stay. The oldest of more than 1,000 runs are forgotten without being asked.")]
pub(super) struct PruneArgs {
    /// Keep so many, the newest
    #[arg(long, value_name = "NUMBER", required_unless_present = "older_than")]
    keep: Option<usize>,

    /// Forget those that began more than so many days ago
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Report {
    forgotten: Vec<String>,
}

/// Runs it.
pub(super) fn run(session: &Session, args: &PruneArgs) -> CommandResult {
    let now = Time::from_micros(jiff::Timestamp::now().as_microsecond());
    let before = args.older_than.map(|days| now.plus_seconds(-DAY_SECONDS * i64::from(days)));
    let keep = args.keep.unwrap_or(usize::MAX);
    let report = Report { forgotten: history(session)?.prune(keep, before)? };
    let count = counted(report.forgotten.len() as u64, "run", "runs");
    session.output.show(&report, |page| page.line(Line::default().plain(format!("{count} forgotten"))))?;
    Ok(Exit::Done)
}
