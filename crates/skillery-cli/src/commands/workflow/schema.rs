//! `skillery workflow schema`: the JSON Schema of workflows, for editors and other programs.

use clap::Args;
use skillery_runner::Workflow;

use crate::failure::{CommandResult, Exit, Failure};
use crate::session::Session;

/// Arguments of `workflow schema`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow schema > workflow.schema.json

Editors with a YAML language server use it through a first line in the file:
  # yaml-language-server: $schema=workflow.schema.json")]
pub(super) struct SchemaArgs {}

/// Runs it.
pub(super) fn run(session: &Session, _: &SchemaArgs) -> CommandResult {
    let text = serde_json::to_string_pretty(&Workflow::schema())
        .map_err(|error| Failure::new(Exit::Failed, "internal", "cannot write the schema").cause(&error))?;
    session.output.print(&format!("{text}\n"))?;
    Ok(Exit::Done)
}
