//! What `run` and `resume` have in common: how to run, who follows, and what it means when nothing could begin.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use clap::Args;
use skillery_client::metrics::Recorder;
use skillery_client::{Error, Home, Library};
use skillery_runner::{
    Cluster, Event, Executor, ExecutorError, Interpreter, InterpreterError, PackagesError, Policy,
    ProblemKind, Problems, RunError, RunOptions, RunReport, Sandbox, SchedulerAddress, Secrets,
    SkillReference, SkillSource, Status, Workers,
};
use tokio::task::JoinHandle;

use super::{history, report, show, source, view::View};
use crate::consent::{self, Consent};
use crate::failure::{CommandResult, Exit, Failure};
use crate::interrupt;
use crate::metrics;
use crate::session::Session;

/// Seconds that an attempt may take, as for those of a document: a week.
const MAX_TIMEOUT_SECONDS: f64 = 604_800.0;
/// Bytes of a file with a secret.
const MAX_SECRET: u64 = 1024 * 1024;

/// How to run.
#[derive(Debug, Args)]
pub(super) struct RunningArgs {
    /// Seconds for one attempt of a step that sets no limit [default: 60, or what a run that is resumed had]
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(super) timeout: Option<Duration>,

    /// A secret that is not in the environment (repeatable)
    #[arg(long = "secret-file", value_name = "NAME=FILE", value_parser = parse_secret_file)]
    secret_files: Vec<(String, PathBuf)>,

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

    /// Print every event as a line of JSON, as it happens, instead of the report
    #[arg(long)]
    events: bool,
}

/// Everything that a run of this session needs beside the workflow.
pub(super) struct Running<'a> {
    session: &'a Session,
    args: &'a RunningArgs,
    pub(super) options: RunOptions,
    library: Library,
    policy: Policy,
    /// How to grant what is asked for, where it is not.
    to_grant: Option<String>,
    verify_signature: bool,
    /// What the library said of a skill that is there and cannot be used.
    damaged: Mutex<Option<Error>>,
    view: View,
    recorder: Recorder,
    on_interrupt: JoinHandle<()>,
}

impl<'a> Running<'a> {
    /// Reads the policy, asks for what it lacks, finds the interpreter, and listens for Ctrl-C.
    pub(super) async fn prepare(
        session: &'a Session,
        args: &'a RunningArgs,
        named: &[SkillReference],
        steps: usize,
    ) -> Result<Self, Failure> {
        let secrets = secrets(args)?;
        let home = session.home()?;
        let interpreter = match &args.python {
            Some(path) => Some(Interpreter::at(path).await.map_err(no_interpreter)?),
            None => None,
        };
        let executor = executor(args).await?;
        let library = session.library()?;
        let verify_signature = session.config()?.verify_signature;
        let file = policy_file(&home, args)?;
        let policy = consent::read(&file)?;
        let installed =
            |policy: &Policy, skill: &_| consent::find(&library, policy, skill, verify_signature).ok();
        // What these call in turn is found there.
        let Consent { policy, hint: to_grant } = consent::seek(session, &file, policy, named, &installed)?;
        let defaults = RunOptions::default();
        let options = RunOptions {
            interpreter,
            workers: Workers::with_cache(home.runner_folder()),
            sandbox: Sandbox { allow_weaker: args.allow_weaker_sandbox, ..Sandbox::default() },
            executor,
            jobs: args.jobs.unwrap_or(defaults.jobs),
            timeout: args.timeout.unwrap_or(defaults.timeout),
            secrets,
            history: Some(history(session)?),
            environments: Some(home.environments_folder()),
            ..defaults
        };
        let cancel = options.cancel.clone();
        let interrupted = interrupt::listen();
        let on_interrupt = tokio::spawn(async move {
            interrupted.await;
            cancel.cancel();
        });
        Ok(Self {
            session,
            args,
            options,
            library,
            policy,
            to_grant,
            verify_signature,
            damaged: Mutex::new(None),
            view: View::new(&session.output, steps),
            recorder: metrics::recorder(session)?,
            on_interrupt,
        })
    }

    /// The content that a step names.
    pub(super) fn resolve(&self, reference: &SkillReference) -> Result<SkillSource, String> {
        consent::find(&self.library, &self.policy, reference, self.verify_signature).map_err(|error| {
            let reason = error.to_string();
            // A skill that is there and not whole is another failure than one that is missing.
            if let (false, Ok(mut damaged)) = (error.is_not_found(), self.damaged.lock()) {
                damaged.get_or_insert(error);
            }
            reason
        })
    }

    /// Follows what happens.
    pub(super) fn see(&self, event: &Event) {
        metrics::record(&self.recorder, event);
        self.view.see(event);
        if self.args.events {
            // Who does not read on will not read the report either, and is told then.
            let _ = show::print_event(self.session, event);
        }
    }

    /// Tells what came of it.
    pub(super) async fn end(self, ended: Result<RunReport, RunError>) -> CommandResult {
        self.on_interrupt.abort();
        drop(self.view);
        let damaged = self.damaged.into_inner().ok().flatten();
        let report = ended.map_err(|error| not_begun(error, damaged, self.to_grant))?;
        if !self.args.events {
            self.session.output.show(&report, |page| report::whole(page, &report))?;
        }
        if report.status != Status::Cancelled {
            metrics::share(self.session).await;
        }
        Ok(match report.status {
            Status::Success => Exit::Done,
            Status::Cancelled => Exit::Interrupted,
            _ => Exit::Failed,
        })
    }
}

fn policy_file(home: &Home, args: &RunningArgs) -> Result<PathBuf, Failure> {
    match &args.policy {
        // A file that was named is there.
        Some(file) => {
            std::fs::metadata(file).map_err(|error| Failure::file("read", file, &error)).map(|_| file.clone())
        }
        None => Ok(home.policy_file()),
    }
}

/// Nothing has run: say why. `damaged` is what the library said of a skill that is there and cannot be used.
/// `to_grant` is how to grant what is asked for.
fn not_begun(error: RunError, damaged: Option<Error>, to_grant: Option<String>) -> Failure {
    let hint = error.hint();
    let Problems { workflow, problems } = match error {
        RunError::Interpreter(error) => return no_interpreter(error),
        RunError::Sandbox(error) => {
            return Failure::new(Exit::Failed, "no-sandbox", error.to_string()).hint(error.hint());
        }
        RunError::Packages(error) => return no_packages(&error),
        RunError::Executor(error) => {
            return Failure::new(Exit::Failed, "no-executor", error.to_string()).hint(error.hint());
        }
        RunError::History(error) => return error.into(),
        RunError::Invalid(problems) => problems,
    };
    let all = |kinds: &[ProblemKind]| problems.iter().all(|problem| kinds.contains(&problem.kind));
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
        None if all(&[ProblemKind::SkillNotFound]) => {
            (Failure::new(Exit::NotFound, "skill-not-installed", message), hint.map(str::to_owned))
        }
        None if all(&[ProblemKind::NotGranted]) => {
            (Failure::new(Exit::NotAllowed, "not-granted", message), to_grant.or(hint.map(str::to_owned)))
        }
        None => {
            let about_inputs = [ProblemKind::UnknownInput, ProblemKind::MissingInput, ProblemKind::BadInput];
            let hint = if all(&about_inputs) {
                Some("give inputs with `--input name=text` or `--inputs-file`")
            } else if all(&[ProblemKind::BadSecret]) {
                Some("set an environment variable of that name, or use `--secret-file`")
            } else {
                hint
            };
            (Failure::new(Exit::Usage, "invalid-workflow", message), hint.map(str::to_owned))
        }
    };
    let failure = problems.iter().fold(failure, |failure, problem| failure.because(problem.to_string()));
    hint.into_iter().fold(failure, Failure::hint)
}

async fn executor(args: &RunningArgs) -> Result<Executor, Failure> {
    let Some(scheduler) = args.executor.clone() else { return Ok(Executor::Here) };
    let python = args.executor_python.as_ref().or(args.python.as_ref());
    let python = Interpreter::at_or_discover(python.map(PathBuf::as_path)).await.map_err(no_interpreter)?;
    Ok(Executor::Dask(Cluster { scheduler, python }))
}

fn no_interpreter(error: InterpreterError) -> Failure {
    let hint = error.hint();
    Failure::new(Exit::Failed, "no-python", error.to_string()).cause_behind(&error).hint(hint)
}

fn no_packages(error: &PackagesError) -> Failure {
    let exit = if matches!(error, PackagesError::Cancelled) { Exit::Interrupted } else { Exit::Failed };
    let failure = Failure::new(exit, "no-packages", error.to_string()).cause_behind(error);
    error.hint().into_iter().fold(failure, Failure::hint)
}

fn parse_executor(text: &str) -> Result<SchedulerAddress, String> {
    text.parse().map_err(|error: ExecutorError| format!("{error}; {}", error.hint()))
}

fn secrets(args: &RunningArgs) -> Result<Secrets, Failure> {
    let mut by_name = BTreeMap::new();
    for (name, file) in &args.secret_files {
        let text = source::read_text(file, MAX_SECRET)?;
        // Editors end a file with a line's end, which is no part of the secret.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        by_name.insert(name.clone(), text.strip_suffix('\r').unwrap_or(text).to_owned());
    }
    Ok(Secrets::or_of_environment(by_name))
}

fn parse_secret_file(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.to_owned(), file.into())),
        _ => Err("use `NAME=FILE`".to_owned()),
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "use a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero() && seconds <= MAX_TIMEOUT_SECONDS)
        .ok_or_else(|| format!("use a number of seconds above 0 and at most {MAX_TIMEOUT_SECONDS}"))
}
