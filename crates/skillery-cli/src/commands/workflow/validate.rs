//! `skillery workflow validate`: says everything that is wrong with a workflow.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skillery_runner::Problem;

use super::{source, walk};
use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone, counted};
use crate::session::Session;

/// Arguments of `workflow validate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow validate flow.yaml
  skillery workflow validate flow.yaml --json | jq '.problems'

Each problem names its line and column, and its file where it is in a workflow that is a step. Exit code 1 when something is wrong.")]
pub(super) struct ValidateArgs {
    /// The workflow: a YAML or JSON file, or the name of one that was saved
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Validated<'a> {
    workflow: &'a str,
    ok: bool,
    problems: &'a [Problem],
}

/// Runs it.
pub(super) fn run(session: &Session, args: &ValidateArgs) -> CommandResult {
    let source::Source { document, folder, .. } = source::read(session, &args.file)?;
    let workflow = &document.workflow;
    let problems = walk::workflows(&document, &source::loader(&session.home()?, folder)).problems;
    let report = Validated { workflow: &workflow.name, ok: problems.is_empty(), problems: &problems };
    session.output.show(&report, |page| {
        for problem in &problems {
            page.line(Line::default().toned(Tone::Bad, "- ").plain(problem.to_string()));
        }
        let count = problems.len() as u64;
        page.line(if problems.is_empty() {
            let steps = counted(workflow.steps.len() as u64, "step", "steps");
            Line::default().toned(Tone::Good, "valid: ").name(&workflow.name).plain(format!(", {steps}"))
        } else {
            Line::default()
                .toned(Tone::Bad, counted(count, "problem", "problems"))
                .plain(" in ")
                .name(&workflow.name)
        });
    })?;
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed })
}
