//! `skillery workflow resume`: goes on with a run that was cut short, or tries again what failed.

use std::time::Duration;

use clap::Args;
use skillery_runner::{SkillReference, resume_workflow};

use super::history;
use super::running::{Running, RunningArgs};
use crate::failure::CommandResult;
use crate::session::Session;

/// Arguments of `workflow resume`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow resume last
  skillery workflow resume 0193f1c2 --jobs 4
  skillery workflow resume last --secret-file API_KEY=key.txt

Steps that have succeeded do not run again, as long as what they were given is the same. The workflow, its inputs and the \
versions of its skills are those that the run began with; secrets are not kept, and given again. Exit code 1 when the workflow failed.")]
pub(super) struct ResumeArgs {
    /// The run: its id, the beginning of it, or `last`
    run: String,

    #[command(flatten)]
    running: RunningArgs,
}

/// Runs it.
pub(super) async fn run(session: &Session, args: &ResumeArgs) -> CommandResult {
    let history = history(session)?;
    let run_id = history.find(&args.run)?;
    let record = history.read(&run_id)?.record;
    let pins = record.pins.values().map(|pin| format!("{}@{}", pin.skill, pin.version).parse());
    let named: Vec<SkillReference> = pins.filter_map(Result::ok).collect();
    let mut running = Running::prepare(session, &args.running, &named, record.workflow.steps.len()).await?;
    if let (None, Ok(timeout)) = (args.running.timeout, Duration::try_from_secs_f64(record.timeout_seconds)) {
        running.options.timeout = timeout;
    }
    let resolve = |reference: &_| running.resolve(reference);
    let events = |event| running.see(&event);
    let ended = resume_workflow(&history, &run_id, &resolve, &running.options, &events).await;
    running.end(ended).await
}
