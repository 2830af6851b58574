//! `skillery workflow`: runs or checks a workflow of installed skills.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::library::InstalledCode;
use skillery_client::{Error, Library};
use skillery_core::VersionRequest;
use skillery_runner::{
    Cluster, Event, EventKind, Executor, ExecutorError, Interpreter, InterpreterError, Policy, Problem,
    ProblemKind, Problems, RunError, RunOptions, RunReport, Sandbox, SchedulerAddress, SkillCode,
    SkillReference, SkillSource, Status, StepReport, Values, Workers, Workflow, is_call, run_workflow,
};

use crate::failure::{CommandResult, Exit, Failure};
use crate::interrupt;
use crate::output::{Grid, Line, Page, Tone, counted, left};
use crate::progress::Progress;
use crate::session::Session;

/// Arguments of `workflow`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow run validate.json --input email=a@example.com
  skillery workflow validate validate.json")]
pub(crate) struct WorkflowArgs {
    #[command(subcommand)]
    command: WorkflowCommand,
}

#[derive(Debug, Subcommand)]
enum WorkflowCommand {
    /// Run a workflow; each step in a Python process of its own
    Run(RunArgs),
    /// Say everything that is wrong with a workflow, without running it
    Validate(ValidateArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow run validate.json --input email=a@example.com
  skillery workflow run report.json --input 'rows:=[1, 2, 3]' --input title=Sums
  skillery workflow run report.json --inputs-file in.json --json | jq '.steps[-1].output'
  skillery workflow run report.json --executor dask://scheduler.example.com:8786 --jobs 64

The skills are those of the local library, checked against their digests. They run in a sandbox, and may do what the \
policy grants. Exit code 1 when the workflow failed.")]
struct RunArgs {
    /// The workflow, JSON
    file: PathBuf,

    /// An input: `name=text`, or `name:=JSON` (repeatable)
    #[arg(long = "input", short, value_name = "NAME=VALUE", value_parser = parse_input)]
    inputs: Vec<(String, serde_json::Value)>,

    /// A JSON object with inputs; `--input` wins over it
    #[arg(long, value_name = "FILE")]
    inputs_file: Option<PathBuf>,

    /// Seconds for one attempt of a step that sets no limit
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    timeout: Duration,

    /// How many steps may run at once [default: the number of processors]
    #[arg(long, value_name = "NUMBER")]
    jobs: Option<NonZeroUsize>,

    /// The Python to run with [default: `python3`]
    #[arg(long, value_name = "FILE", env = "SKILLERY_PYTHON", hide_env_values = true)]
    python: Option<PathBuf>,

    /// What the skills may do, TOML [default: `policy.toml` in the home folder, else nothing]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Run even where this machine cannot keep the skills in completely
    #[arg(long)]
    allow_weaker_sandbox: bool,

    /// Where steps run: `dask://host:port`, the scheduler of a Dask cluster [default: this machine]
    #[arg(long, value_name = "ADDRESS", value_parser = parse_executor)]
    executor: Option<SchedulerAddress>,

    /// The Python that speaks with the cluster; it has the packages `skillery` and `distributed` [default: `--python`]
    #[arg(long, value_name = "FILE", requires = "executor")]
    executor_python: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery workflow validate validate.json
  skillery workflow validate validate.json --json | jq '.problems'

Exit code 1 when something is wrong.")]
struct ValidateArgs {
    /// The workflow, JSON
    file: PathBuf,
}

#[derive(Debug, Serialize)]
struct Validated<'a> {
    workflow: &'a str,
    ok: bool,
    problems: &'a [Problem],
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &WorkflowArgs) -> CommandResult {
    match &args.command {
        WorkflowCommand::Run(args) => run_file(session, args).await,
        WorkflowCommand::Validate(args) => validate(session, args),
    }
}

fn validate(session: &Session, args: &ValidateArgs) -> CommandResult {
    let workflow: Workflow = read_json(&args.file, "a workflow")?;
    let problems = workflow.validate().err().map(|problems| problems.problems).unwrap_or_default();
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

async fn run_file(session: &Session, args: &RunArgs) -> CommandResult {
    let workflow: Workflow = read_json(&args.file, "a workflow")?;
    let mut inputs: Values = match &args.inputs_file {
        Some(file) => read_json(file, "a JSON object of inputs")?,
        None => Values::new(),
    };
    inputs.extend(args.inputs.iter().cloned());

    let library = session.library()?;
    let verify_signature = session.config()?.verify_signature;
    let interpreter = match &args.python {
        Some(path) => Some(Interpreter::at(path).await.map_err(no_interpreter)?),
        None => None,
    };
    let executor = executor(args).await?;
    let home = session.home()?;
    let policy = match &args.policy {
        // A file that was named is there.
        Some(file) => std::fs::metadata(file)
            .map_err(|error| Failure::file("read", file, &error))
            .map(|_| file.clone())?,
        None => home.policy_file(),
    };
    let policy = Policy::read(&policy).map_err(|error| {
        Failure::new(Exit::Usage, "invalid-policy", error.to_string()).cause_behind(&error)
    })?;
    let defaults = RunOptions::default();
    let options = RunOptions {
        interpreter,
        workers: Workers::with_cache(home.runner_folder()),
        sandbox: Sandbox { allow_weaker: args.allow_weaker_sandbox, ..Sandbox::default() },
        executor,
        jobs: args.jobs.unwrap_or(defaults.jobs),
        timeout: args.timeout,
        ..defaults
    };

    let cancel = options.cancel.clone();
    let interrupted = interrupt::listen();
    let on_interrupt = tokio::spawn(async move {
        interrupted.await;
        cancel.cancel();
    });
    let progress = Arc::new(Progress::bar(&session.output, workflow.steps.len()));
    // A skill that is there and not whole is another failure than one that is missing.
    let damaged = Mutex::new(None);
    let resolve = |reference: &SkillReference| {
        resolve(&library, &policy, reference, verify_signature).map_err(|error| {
            let reason = error.to_string();
            if let (false, Ok(mut damaged)) = (error.is_not_found(), damaged.lock()) {
                damaged.get_or_insert(error);
            }
            reason
        })
    };
    let followed = Arc::clone(&progress);
    let events = move |event: Event| follow(&followed, &event);
    let report = run_workflow(&workflow, inputs, &resolve, &options, &events).await;
    on_interrupt.abort();
    drop((events, progress));

    let report = report.map_err(|error| not_begun(error, damaged.into_inner().ok().flatten()))?;
    session.output.show(&report, |page| describe(page, &report))?;
    Ok(match report.status {
        Status::Success => Exit::Done,
        Status::Cancelled => Exit::Interrupted,
        _ => Exit::Failed,
    })
}

fn follow(progress: &Progress, event: &Event) {
    match &event.kind {
        EventKind::StepStarted { step, .. } => progress.message(step),
        EventKind::StepFinished { step, .. } if !is_call(step) => progress.step(),
        _ => {}
    }
}

/// The content that a step names: as it was installed, and signed where that is wanted and it came from a registry.
fn resolve(
    library: &Library,
    policy: &Policy,
    reference: &SkillReference,
    verify_signature: bool,
) -> Result<SkillSource, Error> {
    let request = match &reference.version {
        VersionRequest::Latest => None,
        request => Some(request),
    };
    let InstalledCode { manifest, code } =
        library.code(&reference.name.to_string(), request, verify_signature)?;
    let id = manifest.id.to_string();
    let grants = policy.grants(&id).clone();
    Ok(SkillSource { id, version: manifest.version, code: SkillCode::Text(code), grants })
}

fn describe(page: &mut Page, report: &RunReport) {
    let (tone, word) = match report.status {
        Status::Success => (Tone::Good, "succeeded"),
        Status::Cancelled => (Tone::Warning, "was cancelled"),
        _ => (Tone::Bad, "failed"),
    };
    page.line(
        Line::default()
            .name(&report.workflow)
            .toned(tone, format!(" {word}"))
            .plain(format!(" in {:.0} ms", report.latency_ms)),
    );
    page.blank();
    let mut grid = Grid::new(&[left("STEP"), left("STATUS"), left("SKILL"), left("VERSION"), left("TIME")]);
    for StepReport { name, outcome } in &report.steps {
        let time =
            if outcome.attempts == 0 { "-".to_owned() } else { format!("{:.0} ms", outcome.latency_ms) };
        grid.row([name, outcome.status.as_str(), &outcome.skill, &outcome.version, &time]);
    }
    page.grid(grid);
    for StepReport { name, outcome } in &report.steps {
        page.blank();
        page.heading(name);
        match (&outcome.error, &outcome.reason) {
            (Some(error), _) => {
                page.line(
                    Line::default()
                        .toned(Tone::Bad, format!("  {}", error.kind))
                        .plain(format!(": {}", error.message)),
                );
                page.indented(error.traceback.as_deref().unwrap_or_default());
            }
            (None, Some(reason)) => page.indented(reason),
            (None, None) => page.indented(&serde_json::to_string_pretty(&outcome.output).unwrap_or_default()),
        }
        for (stream, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
            if !text.is_empty() {
                page.line(Line::default().toned(Tone::Faint, format!("  {stream}:")));
                page.indented(text);
            }
        }
    }
}

/// Nothing has run: say why. `damaged` is what the library said of a skill that is there and cannot be used.
fn not_begun(error: RunError, damaged: Option<Error>) -> Failure {
    let hint = error.hint();
    let Problems { workflow, problems } = match error {
        RunError::Interpreter(error) => return no_interpreter(error),
        RunError::Sandbox(error) => {
            return Failure::new(Exit::Failed, "no-sandbox", error.to_string()).hint(error.hint());
        }
        RunError::Executor(error) => {
            return Failure::new(Exit::Failed, "no-executor", error.to_string()).hint(error.hint());
        }
        RunError::Invalid(problems) => problems,
    };
    let all = |kind| problems.iter().all(|problem| problem.kind == kind);
    let message = format!("workflow `{workflow}` cannot run");
    let (failure, hint) = match damaged.map(Failure::from) {
        Some(damaged) => {
            let hint = match damaged.code() {
                // What the client says of it is meant for a download.
                "digest-mismatch" | "code-hash-mismatch" => {
                    Some("the files were altered; install the skill again to put them right")
                }
                _ => damaged.hint_text(),
            };
            (Failure::new(damaged.exit(), damaged.code(), message), hint.map(str::to_owned))
        }
        None if all(ProblemKind::SkillNotFound) => {
            (Failure::new(Exit::NotFound, "skill-not-installed", message), hint.map(str::to_owned))
        }
        None => {
            let inputs_hint = "give inputs with `--input name=text` or `--inputs-file`";
            let hint = if all(ProblemKind::UnknownInput) { Some(inputs_hint) } else { hint };
            (Failure::new(Exit::Usage, "invalid-workflow", message), hint.map(str::to_owned))
        }
    };
    let failure = problems.iter().fold(failure, |failure, problem| failure.because(problem.to_string()));
    hint.into_iter().fold(failure, Failure::hint)
}

async fn executor(args: &RunArgs) -> Result<Executor, Failure> {
    let Some(scheduler) = args.executor.clone() else { return Ok(Executor::Here) };
    let python = args.executor_python.as_ref().or(args.python.as_ref());
    let python = Interpreter::at_or_discover(python.map(PathBuf::as_path)).await.map_err(no_interpreter)?;
    Ok(Executor::Dask(Cluster { scheduler, python }))
}

fn no_interpreter(error: InterpreterError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Failed, "no-python", error.to_string()).cause_behind(&error).hint(hint)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path, what: &str) -> Result<T, Failure> {
    let text = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::new(Exit::Usage, "invalid-json", format!("`{}` is not {what}", path.display())).cause(&error)
    })
}

fn parse_input(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) = text.split_once('=').ok_or("use `name=text` or `name:=JSON`")?;
    let (name, value) = match name.strip_suffix(':') {
        Some(name) => (
            name,
            serde_json::from_str(value).map_err(|error| format!("no JSON stands behind `:=`: {error}"))?,
        ),
        None => (name, serde_json::Value::from(value)),
    };
    if name.is_empty() { Err("the input has no name".to_owned()) } else { Ok((name.to_owned(), value)) }
}

fn parse_executor(text: &str) -> Result<SchedulerAddress, String> {
    text.parse().map_err(|error: ExecutorError| format!("{error}; {}", error.hint()))
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "use a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| "use a number of seconds above 0".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_texts_or_json() {
        assert_eq!(parse_input("a=1").unwrap(), ("a".into(), serde_json::json!("1")));
        assert_eq!(parse_input("a:=[1, 2]").unwrap(), ("a".into(), serde_json::json!([1, 2])));
        assert_eq!(parse_input("a=b=c").unwrap(), ("a".into(), serde_json::json!("b=c")));
        for bad in ["a", "=1", ":=1", "a:=one"] {
            assert!(parse_input(bad).is_err(), "{bad}");
        }
    }
}
