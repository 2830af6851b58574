//! `skillery workflow graph`: draws what waits for what.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::source;
use crate::failure::{CommandResult, Exit};
use crate::session::Session;

/// Arguments of `workflow graph`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow graph flow.yaml                  Mermaid, for Markdown
  skillery workflow graph flow.yaml --format svg > flow.svg

A solid line leads to a step that needs the other's success, a dotted one to a step that only waits for its end.")]
pub(super) struct GraphArgs {
    /// The workflow: a YAML or JSON file, or the name of one that was saved
    file: PathBuf,

    /// How to draw it
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    format: Format,
}

/// The variants have no words of their own, so that the help stays short.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Mermaid,
    Svg,
}

/// Runs it.
pub(super) fn run(session: &Session, args: &GraphArgs) -> CommandResult {
    let document = source::read(session, &args.file)?.document;
    let drawn = match args.format {
        Format::Mermaid => document.workflow.mermaid(),
        Format::Svg => document.workflow.svg(),
    };
    let text = drawn.map_err(|mut problems| {
        document.locate(&mut problems);
        source::invalid(&problems.workflow, &problems.problems)
    })?;
    session.output.print(&text)?;
    Ok(Exit::Done)
}
