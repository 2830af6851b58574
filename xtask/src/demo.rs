//! `cargo xtask demo`: the quick start for real, in Python and on the command line, against a registry of its own.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::Value;

use crate::guard::{Guarded, temporary_folder};
use crate::python::Environment;
use crate::shell::{Say, cargo, shown, skillery_binary};

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Leave the registry running until Ctrl-C
    #[arg(long)]
    keep: bool,
    /// Build with optimisation
    #[arg(long)]
    release: bool,
}

/// Runs it. Whatever fails, fails the demo.
pub(crate) fn run(args: &DemoArgs) -> Result<()> {
    heading("Build the program and the Python package");
    let mut build = cargo();
    build.args(["build", "--package", "skillery-cli"]);
    if args.release {
        build.arg("--release");
    }
    build.say_and_run()?;
    let environment = Environment::prepare()?;
    environment.install_wheel(args.release)?;

    heading("Start a registry: SQLite and a folder, no configuration");
    let registry = Registry::start(&skillery_binary(args.release)?)?;

    heading("The quick start of the guide, in Python");
    let mut quickstart = Command::new(environment.program("python"));
    quickstart.arg("examples/quickstart.py");
    quickstart.env("REGISTRY_URL", &registry.url).env("REGISTRY_TOKEN", &registry.token);
    quickstart.env("SKILLERY_HOME", registry.folder.join("python-home"));
    quickstart.say_and_run()?;

    heading("The same on the command line");
    registry.walk_through()?;

    if args.keep {
        heading("The registry stays");
        println!("address       {}", registry.url);
        println!("admin token   {}", registry.token);
        println!("stop with Ctrl-C; its data goes with it");
        registry.server.wait_for_end();
    } else {
        println!("\nAll of it worked. `cargo xtask demo --keep` leaves the registry running.");
    }
    Ok(())
}

struct Registry {
    server: Guarded,
    skillery: PathBuf,
    folder: PathBuf,
    /// Where the commands run, so that `skillery.lock` is written there.
    project: PathBuf,
    url: String,
    token: String,
}

impl Registry {
    fn start(skillery: &Path) -> Result<Self> {
        let folder = temporary_folder("demo")?;
        let mut serve = Command::new(skillery);
        serve.args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(folder.join("data"));
        println!("$ {}", shown(&serve));
        let server = Guarded::start(&serve, "TERM", &folder)?;
        let started = server.wait_for("the registry", || {
            serde_json::from_str::<Value>(&std::fs::read_to_string(folder.join("out")).ok()?).ok()
        })?;
        let text = |key: &str| {
            let value = started.get(key).and_then(Value::as_str).map(str::to_owned);
            value.with_context(|| format!("the registry did not say its `{key}`"))
        };
        let (url, token) = (text("url")?, text("admin_token")?);
        println!("the registry listens on {url}");
        let project = folder.join("project");
        std::fs::create_dir(&project)?;
        symlink(Path::new("examples").canonicalize()?, project.join("examples"))?;
        Ok(Self { server, skillery: skillery.to_owned(), folder, project, url, token })
    }

    fn walk_through(&self) -> Result<()> {
        let publish = |file: &str, org: &str, tags: &[&str]| {
            let mut arguments = vec!["publish", file, "--org", org, "--version", "1.0.0"];
            for tag in tags {
                arguments.extend(["--tag", tag]);
            }
            self.skillery(&arguments)
        };
        publish("examples/skills/text_statistics.py", "acme", &["text", "utility"])?;
        publish("examples/skills/csv_summary.py", "acme/data", &["csv", "utility"])?;
        publish("examples/skills/redact_secrets.py", "acme", &["security", "text"])?;
        self.skillery(&["search", "csv", "--tag", "utility"])?;
        self.skillery(&["search", "--org", "acme", "--sort", "name"])?;
        self.skillery(&["info", "acme/email_validator"])?;
        self.skillery(&[
            "install",
            "acme/email_validator@^1",
            "acme/slugify",
            "acme/text_statistics",
            "acme/redact_secrets",
        ])?;
        self.skillery(&["list"])?;
        self.skillery(&["verify"])?;
        let validate = "examples/workflows/validate_emails.json";
        self.skillery(&["workflow", "run", validate, "--input", "email_input=ada.lovelace@example.com"])?;
        let article = "article=Ask for password=hunter2-hunter2 at the desk. It works.";
        let report = "examples/workflows/article_report.yaml";
        self.skillery(&["workflow", "run", report, "--input", "title=On Engines", "--input", article])?;
        self.skillery(&["rate", "acme/text_statistics", "4.5", "--review", "Counts what I wanted to know"])?;
        self.skillery(&["reviews", "acme/text_statistics"])?;
        self.skillery(&["trending", "--limit", "5"])
    }

    fn skillery(&self, arguments: &[&str]) -> Result<()> {
        println!();
        Command::new(&self.skillery)
            .args(arguments)
            .env("SKILLERY_REGISTRY", &self.url)
            .env("SKILLERY_TOKEN", &self.token)
            .env("SKILLERY_HOME", self.folder.join("home"))
            .current_dir(&self.project)
            .say_and_run()
    }
}

fn heading(text: &str) {
    println!("\n==> {text}");
}
