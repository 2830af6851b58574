//! `skillery workflow run`: runs a workflow of installed skills.

use std::path::{Path, PathBuf};

use clap::Args;
use skillery_runner::{RunError, Values, Workflow, run_workflow};

use super::running::{Running, RunningArgs};
use super::{missing, source, walk};
use crate::failure::{CommandResult, Exit, Failure};
use crate::session::Session;

/// Bytes of a file with inputs. The runner takes less, and says so; this keeps a mistake from filling the memory.
const MAX_INPUTS: u64 = 256 * 1024 * 1024;

/// Arguments of `workflow run`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow run flow.yaml --input email=a@example.com
  skillery workflow run report.yaml --input 'rows:=[1, 2, 3]' --input title=Sums
  skillery workflow run report.yaml --inputs-file in.json --json | jq '.steps[-1].output'
  skillery workflow run daily_report --events        a saved one; events as lines of JSON
  skillery workflow run flow.yaml --install          skills that are missing are installed first
  skillery workflow run flow.yaml --executor dask://scheduler.example.com:8786 --jobs 64

The skills are those of the local library, checked against their digests. They run in a sandbox, and may do what the \
policy grants. Secrets that the workflow names come from environment variables of their names. \
Exit code 1 when the workflow failed.")]
pub(super) struct RunArgs {
    /// The workflow: a YAML or JSON file, or the name of one that was saved
    file: PathBuf,

    /// An input: `name=text`, or `name:=JSON` (repeatable)
    #[arg(long = "input", short, value_name = "NAME=VALUE", value_parser = parse_input)]
    inputs: Vec<(String, Input)>,

    /// A JSON object with inputs; `--input` wins over it
    #[arg(long, value_name = "FILE")]
    inputs_file: Option<PathBuf>,

    /// Install the skills that the workflow needs and the local library lacks
    #[arg(long)]
    install: bool,

    #[command(flatten)]
    running: RunningArgs,
}

/// An input as it was written.
#[derive(Debug, Clone, PartialEq)]
enum Input {
    /// Becomes what the workflow declares.
    Text(String),
    Json(serde_json::Value),
}

/// Runs it.
pub(super) async fn run(session: &Session, args: &RunArgs) -> CommandResult {
    let source::Source { document, folder, .. } = source::read(session, &args.file)?;
    let workflow = &document.workflow;
    let inputs = inputs(workflow, args)?;
    let loader = source::loader(&session.home()?, folder);
    // What is wrong is told by the run, which sees all of it.
    let skills = walk::workflows(&document, &loader).skills;
    if args.install {
        missing::install(session, &skills).await?;
    }
    let mut running = Running::prepare(session, &args.running, &skills, workflow.steps.len()).await?;
    running.options.workflows = loader;
    let resolve = |reference: &_| running.resolve(reference);
    let events = |event| running.see(&event);
    let ended = run_workflow(workflow, inputs, &resolve, &running.options, &events).await;
    let ended = ended.map_err(|error| match error {
        RunError::Invalid(mut problems) => {
            document.locate(&mut problems);
            RunError::Invalid(problems)
        }
        other => other,
    });
    running.end(ended).await
}

fn inputs(workflow: &Workflow, args: &RunArgs) -> Result<Values, Failure> {
    let mut inputs = match &args.inputs_file {
        Some(file) => read_inputs(file)?,
        None => Values::new(),
    };
    for (name, input) in &args.inputs {
        let value = match input {
            Input::Text(text) => workflow.input_of_text(name, text).map_err(Failure::usage)?,
            Input::Json(value) => value.clone(),
        };
        inputs.insert(name.clone(), value);
    }
    Ok(inputs)
}

fn read_inputs(file: &Path) -> Result<Values, Failure> {
    let text = source::read_at_most(file, MAX_INPUTS)?;
    serde_json::from_slice(&text).map_err(|error| {
        let message = format!("`{}` is not a JSON object of inputs", file.display());
        Failure::new(Exit::Usage, "invalid-json", message).cause(&error)
    })
}

fn parse_input(text: &str) -> Result<(String, Input), String> {
    let (name, value) = text.split_once('=').ok_or("use `name=text` or `name:=JSON`")?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => {
            let value = serde_json::from_str(value);
            (name, Input::Json(value.map_err(|error| format!("no JSON stands behind `:=`: {error}"))?))
        }
        None => (name, Input::Text(value.to_owned())),
    };
    if name.is_empty() { Err("the input has no name".to_owned()) } else { Ok((name.to_owned(), value)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_texts_or_json() {
        assert_eq!(parse_input("a=1").unwrap(), ("a".into(), Input::Text("1".into())));
        assert_eq!(parse_input("a:=[1, 2]").unwrap(), ("a".into(), Input::Json(serde_json::json!([1, 2]))));
        assert_eq!(parse_input("a=b=c").unwrap(), ("a".into(), Input::Text("b=c".into())));
        for bad in ["a", "=1", ":=1", "a:=one"] {
            assert!(parse_input(bad).is_err(), "{bad}");
        }
    }
}
