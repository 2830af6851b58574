//! `skillery workflow save`, `list` and `delete`: workflows that are kept under their names.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use skillery_client::{Error, SavedWorkflows};
use skillery_runner::{Workflow, is_saved_name};

use super::source;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::Line;
use crate::session::Session;

/// Arguments of `workflow save`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow save flow.yaml                   under the name that stands in it
  skillery workflow run daily_report                 runs it by name

A workflow that was saved under the name before is replaced. Workflows that are steps of it must have been saved, too: \
files beside it are not found from where it is kept.")]
pub(super) struct SaveArgs {
    /// The workflow: a YAML or JSON file
    file: PathBuf,
}

/// Arguments of `workflow list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow list
  skillery workflow list --json")]
pub(super) struct ListArgs {}

/// Arguments of `workflow delete`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow delete daily_report

Runs of it stay.")]
pub(super) struct DeleteArgs {
    /// The name
    name: String,
}

#[derive(Debug, Serialize)]
struct Report {
    workflow: String,
    file: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Listed {
    workflows: Vec<String>,
}

/// Runs `save`.
pub(super) fn save(session: &Session, args: &SaveArgs) -> CommandResult {
    let source = source::read(session, &args.file)?;
    let workflow = &source.document.workflow;
    if let Err(mut problems) = workflow.validate() {
        source.document.locate(&mut problems);
        return Err(source::invalid(&workflow.name, &problems.problems));
    }
    refuse_files(workflow)?;
    let file = SavedWorkflows::new(&session.home()?).save(&workflow.name, &source.text)?;
    let report = Report { workflow: workflow.name.clone(), file: Some(file) };
    session.output.show(&report, |page| page.line(Line::default().plain("saved: ").name(&workflow.name)))?;
    Ok(Exit::Done)
}

/// A workflow that was saved is looked up from the folder of all that were, where files beside this one are not.
fn refuse_files(workflow: &Workflow) -> Result<(), Failure> {
    let is_beside = |name: &str| !is_saved_name(name) && Path::new(name).is_relative();
    let named = workflow.steps.iter().filter_map(|step| Some((step, step.workflow.as_deref()?)));
    let files: Vec<_> = named.filter(|(_, name)| is_beside(name)).collect();
    if files.is_empty() {
        return Ok(());
    }
    let message = format!("workflow `{}` cannot be saved", workflow.name);
    let failure = Failure::new(Exit::Usage, "invalid-workflow", message)
        .hint("save the workflows that are its steps first, and name them as they were saved");
    Err(files.into_iter().fold(failure, |failure, (step, name)| {
        failure.because(format!("step `{}`: `{name}` is a file, which is not saved with it", step.name))
    }))
}

/// Runs `list`.
pub(super) fn list(session: &Session, _: &ListArgs) -> CommandResult {
    let listed = Listed { workflows: SavedWorkflows::new(&session.home()?).list()? };
    session.output.show(&listed, |page| {
        if listed.workflows.is_empty() {
            page.line(
                Line::default().plain("nothing was saved yet; ").command("skillery workflow save FILE"),
            );
        }
        for name in &listed.workflows {
            page.line(Line::default().name(name));
        }
    })?;
    Ok(Exit::Done)
}

/// Runs `delete`.
pub(super) fn delete(session: &Session, args: &DeleteArgs) -> CommandResult {
    if !SavedWorkflows::new(&session.home()?).delete(&args.name)? {
        return Err(Error::WorkflowNotSaved { name: args.name.clone() }.into());
    }
    let report = Report { workflow: args.name.clone(), file: None };
    session.output.show(&report, |page| page.line(Line::default().plain("deleted: ").name(&args.name)))?;
    Ok(Exit::Done)
}
