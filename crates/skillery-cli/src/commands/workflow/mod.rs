//! `skillery workflow`: runs, checks, draws and remembers workflows of installed skills.

mod cancel;
mod graph;
mod missing;
mod prune;
mod report;
mod resume;
mod run;
mod running;
mod runs;
mod saved;
mod schema;
mod show;
mod source;
mod validate;
mod view;
mod walk;

use clap::{Args, Subcommand};
use skillery_runner::{History, HistoryError};

use crate::failure::{CommandResult, Exit, Failure};
use crate::session::Session;

/// Arguments of `workflow`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow run flow.yaml --input email=a@example.com
  skillery workflow validate flow.yaml
  skillery workflow graph flow.yaml --format svg > flow.svg
  skillery workflow runs                             what ran, and what was cut short
  skillery workflow resume last                      go on where a run ended

A workflow is a YAML or JSON file; `skillery workflow schema` prints its JSON Schema.")]
pub(crate) struct WorkflowArgs {
    #[command(subcommand)]
    command: WorkflowCommand,
}

#[derive(Debug, Subcommand)]
enum WorkflowCommand {
    /// Run a workflow; each step in a sandboxed Python process of its own
    Run(run::RunArgs),
    /// Say everything that is wrong with a workflow, without running it
    Validate(validate::ValidateArgs),
    /// Draw what waits for what
    Graph(graph::GraphArgs),
    /// List the runs of this machine
    Runs(runs::RunsArgs),
    /// Show what came of a run
    Show(show::ShowArgs),
    /// Go on with a run that was cut short, or try again what failed
    Resume(resume::ResumeArgs),
    /// End a run that is going on
    Cancel(cancel::CancelArgs),
    /// Forget old runs
    Prune(prune::PruneArgs),
    /// Keep a workflow under its name
    Save(saved::SaveArgs),
    /// List the workflows that were saved
    List(saved::ListArgs),
    /// Delete a workflow that was saved
    Delete(saved::DeleteArgs),
    /// Print the JSON Schema of workflows
    Schema(schema::SchemaArgs),
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &WorkflowArgs) -> CommandResult {
    match &args.command {
        WorkflowCommand::Run(args) => run::run(session, args).await,
        WorkflowCommand::Validate(args) => validate::run(session, args),
        WorkflowCommand::Graph(args) => graph::run(session, args),
        WorkflowCommand::Runs(args) => runs::run(session, args),
        WorkflowCommand::Show(args) => show::run(session, args),
        WorkflowCommand::Resume(args) => resume::run(session, args).await,
        WorkflowCommand::Cancel(args) => cancel::run(session, args),
        WorkflowCommand::Prune(args) => prune::run(session, args),
        WorkflowCommand::Save(args) => saved::save(session, args),
        WorkflowCommand::List(args) => saved::list(session, args),
        WorkflowCommand::Delete(args) => saved::delete(session, args),
        WorkflowCommand::Schema(args) => schema::run(session, args),
    }
}

/// The runs of this home.
fn history(session: &Session) -> Result<History, Failure> {
    Ok(History::at(session.home()?.runs_folder()))
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        let exit = match &error {
            HistoryError::NotFound(_) => Exit::NotFound,
            HistoryError::Ambiguous(_) | HistoryError::Running(_) | HistoryError::Ended(_) => Exit::Usage,
            HistoryError::Disk { .. } | HistoryError::Damaged { .. } => Exit::Failed,
        };
        let hint = match &error {
            HistoryError::NotFound(_) | HistoryError::Ambiguous(_) => {
                Some("`skillery workflow runs` lists the runs")
            }
            HistoryError::Running(_) => Some("end it first with `skillery workflow cancel`"),
            _ => None,
        };
        let failure = Self::new(exit, error.code(), error.to_string()).cause_behind(&error);
        hint.into_iter().fold(failure, Failure::hint)
    }
}
