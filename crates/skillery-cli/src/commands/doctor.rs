//! `skillery doctor`: what keeps skills in on this machine, tried for real.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use skillery_runner::{Interpreter, Layers, RunError, Sandbox, Workers, installer};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Tone, left};
use crate::session::Session;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery doctor
  skillery doctor --json | jq .layers
  skillery doctor --python .venv/bin/python

Starts what skills are run in, and says which layers of the sandbox this kernel enforces. \
Exit code 1 when one is missing: skills are then refused, unless `--allow-weaker-sandbox` says otherwise.")]
pub(crate) struct DoctorArgs {
    /// The Python to run with [default: `python3`]
    #[arg(long, value_name = "FILE", env = "SKILLERY_PYTHON", hide_env_values = true)]
    python: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    interpreter: Option<PathBuf>,
    #[serde(flatten)]
    layers: Layers,
    /// What would install packages for skills.
    installer: Option<String>,
    problem: Option<String>,
}

/// What each layer is for, in the order in which they are set up.
const LAYERS: [(&str, &str); 5] = [
    ("user", "skills never run as root"),
    ("namespaces", "a root, processes and a network of their own"),
    ("proc", "a /proc that shows their own processes"),
    ("landlock", "rights to files, checked on each access"),
    ("seccomp", "a list of system calls"),
];

/// Runs it.
pub(crate) async fn run(session: &Session, args: &DoctorArgs) -> CommandResult {
    let report = look(args).await;
    session.output.show(&report, |page| {
        if let Some(interpreter) = &report.interpreter {
            page.field("interpreter", format!("{} ({})", interpreter.display(), report.layers.python));
            let none = "neither `uv` nor `pip`: skills that ask for packages are refused";
            page.field("packages", report.installer.as_deref().unwrap_or(none));
        }
        let mut grid = Grid::new(&[left("LAYER"), left("STATE"), left("WHAT IT GIVES")]);
        for (name, purpose) in LAYERS {
            let state = match report.layers.layers.get(name) {
                None => continue,
                Some(Value::Bool(true)) => "enforced".to_owned(),
                Some(Value::Number(version)) => format!("enforced, version {version}"),
                Some(Value::String(text)) if name == "user" => text.clone(),
                Some(Value::String(why)) => format!("missing: {why}"),
                Some(_) => "missing".to_owned(),
            };
            grid.row([name, &state, purpose]);
        }
        if !report.layers.layers.is_empty() {
            page.blank();
            page.grid(grid);
            page.blank();
        }
        if let Some(problem) = &report.problem {
            page.line(Line::default().toned(Tone::Bad, problem));
        }
        page.line(if report.ok {
            Line::default().toned(Tone::Good, "skills run here, kept in by every layer")
        } else {
            Line::default().toned(Tone::Bad, "skills are refused here")
        });
    })?;
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

async fn look(args: &DoctorArgs) -> Report {
    let interpreter = match Interpreter::at_or_discover(args.python.as_deref()).await {
        Ok(interpreter) => interpreter,
        Err(error) => {
            return Report {
                ok: false,
                interpreter: None,
                layers: Layers::default(),
                installer: None,
                problem: Some(error.to_string()),
            };
        }
    };
    let path = Some(interpreter.path().to_owned());
    let installer = installer(&interpreter).await;
    let probe = async |sandbox| Workers::default().probe(&interpreter, &sandbox).await;
    // First as skills are run; then, to see what there is, with whatever holds.
    match probe(Sandbox::default()).await {
        Ok(layers) => Report { ok: true, interpreter: path, layers, installer, problem: None },
        Err(error @ RunError::Sandbox(_)) => {
            let layers =
                probe(Sandbox { allow_weaker: true, ..Sandbox::default() }).await.unwrap_or_default();
            Report { ok: false, interpreter: path, layers, installer, problem: Some(error.to_string()) }
        }
        Err(error) => Report {
            ok: false,
            interpreter: path,
            layers: Layers::default(),
            installer,
            problem: Some(error.to_string()),
        },
    }
}
