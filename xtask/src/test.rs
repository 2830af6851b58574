//! `cargo xtask test`: everything that must hold, in one command.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::postgres::Cluster;
use crate::python::Environment;
use crate::shell::{Say, cargo, install_packages, is_there, skillery_binary};
use crate::{codegen, tidy, vectors};

/// Arguments of `test`.
#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// Leave out the second run of the server's tests, on PostgreSQL
    #[arg(long)]
    no_postgres: bool,
    /// Leave out the wheel and its tests
    #[arg(long)]
    no_python: bool,
    /// Arguments for nextest, or for `cargo test` where that is missing
    #[arg(last = true)]
    args: Vec<String>,
}

/// Runs every check, and says at the end what came of each.
pub(crate) fn run(args: &TestArgs) -> Result<()> {
    let mut checks = Checks::default();
    checks.run("format", || cargo().args(["fmt", "--check"]).say_and_run());
    checks.run("tidy", tidy::run);
    checks.run("clippy", || {
        let clippy = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        cargo().args(clippy).say_and_run()
    });
    checks.run("rust tests, on SQLite", || {
        if !is_there("ssh", "-V") {
            install_packages(&["openssh-client"])?;
        }
        if !is_there("git", "--version") {
            install_packages(&["git"])?;
        }
        // For the check of a version without our own programs, and for skills that ask for packages.
        if !is_there("curl", "--version") {
            install_packages(&["curl"])?;
        }
        if !has_pip() {
            install_packages(&["python3-pip"])?;
        }
        tests("--workspace", &args.args)
            .env_remove("SKILLERY_TEST_DATABASE")
            .env("SKILLERY_TEST_VECTORS", vectors::fetch()?)
            .say_and_run()
    });
    match args.no_postgres {
        true => checks.skip("server tests, on PostgreSQL", "left out"),
        false => checks.run("server tests, on PostgreSQL", || {
            let cluster = Cluster::start()?;
            tests("--package=skillery-server", &args.args)
                .env("SKILLERY_TEST_DATABASE", &cluster.url)
                .say_and_run()
        }),
    }
    // The tests above have built it, with the features that they use.
    checks.run("generated documents", || codegen::check(&skillery_binary(false)?));
    match args.no_python {
        true => checks.skip("python tests", "left out"),
        false => checks.run("python tests", python_tests),
    }
    match deny_checks() {
        None => checks.skip("dependencies", "`cargo-deny` is not installed"),
        Some(what) => checks.run("dependencies", || {
            cargo().args(["deny", "--offline", "check", "--hide-inclusion-graph"]).args(what).say_and_run()
        }),
    }
    checks.finish()
}

/// Whether the Python that runs skills can install packages.
fn has_pip() -> bool {
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    is_there("uv", "--version") || pip.status().is_ok_and(|status| status.success())
}

/// A run of Rust tests. The server's alone are chosen from the same build, where nextest can do that.
fn tests(which: &str, args: &[String]) -> Command {
    let mut command = cargo();
    if is_there("cargo-nextest", "--version") {
        command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--no-tests=pass"]);
        if let Some(package) = which.strip_prefix("--package=") {
            command.arg("--filterset").arg(format!("package({package})"));
        }
    } else {
        command.args(["test", "--no-fail-fast", which]);
    }
    command.args(args);
    command
}

fn python_tests() -> Result<()> {
    let environment = Environment::prepare()?;
    environment.install_wheel(false)?;
    Command::new(environment.program("python"))
        .args(["-m", "pytest", "--quiet", "crates/skillery-py/tests"])
        .env("SKILLERY_BIN", skillery_binary(false)?)
        .say_and_run()
}

/// What cargo-deny can check without a network; nothing when it is not there.
fn deny_checks() -> Option<Vec<&'static str>> {
    if !is_there("cargo-deny", "--version") {
        return None;
    }
    let home = std::env::var_os("CARGO_HOME").map(std::path::PathBuf::from);
    let home = home.or_else(|| Some(std::path::PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))?;
    let mut checks = vec!["bans", "licenses", "sources"];
    if home.join("advisory-dbs").is_dir() {
        checks.push("advisories");
    } else {
        println!("no database of advisories, so these are not checked; `cargo deny fetch` brings one");
    }
    Some(checks)
}

#[derive(Default)]
struct Checks {
    results: Vec<(&'static str, String)>,
    failed: usize,
}

impl Checks {
    fn run(&mut self, name: &'static str, check: impl FnOnce() -> Result<()>) {
        println!("\n==> {name}");
        let started = Instant::now();
        let result = check();
        let seconds = Duration::as_secs_f64(&started.elapsed());
        let word = match result {
            Ok(()) => "ok",
            Err(error) => {
                eprintln!("error: {error:#}");
                self.failed += 1;
                "FAILED"
            }
        };
        self.results.push((name, format!("{word:<8} {seconds:>7.1} s")));
    }

    fn skip(&mut self, name: &'static str, why: &str) {
        println!("\n==> {name}: skipped, {why}");
        self.results.push((name, format!("skipped: {why}")));
    }

    fn finish(self) -> Result<()> {
        println!("\n==> summary");
        for (name, result) in &self.results {
            println!("{name:<30} {result}");
        }
        match self.failed {
            0 => Ok(()),
            failed => bail!("{failed} of {} checks failed", self.results.len()),
        }
    }
}
