//! The chores of this repository, run as `cargo xtask <task>`.
//!
//! It compiles before everything else, so it has no runtime and few dependencies; what it does, it does with programs
//! that a Debian has, and says so before it does it.

mod codegen;
mod demo;
mod e2e;
mod faults;
mod guard;
mod postgres;
mod python;
mod shell;
mod test;
mod tidy;
mod vectors;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::shell::{Say, cargo};

/// The chores of this repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Build everything, start a registry, and walk through the quick start in Python and on the command line
    Demo(demo::DemoArgs),
    /// Install what the tests need, and run all checks and tests
    Test(test::TestArgs),
    /// Let programs of others check the log of a real registry, each also with one byte changed
    E2e(e2e::E2eArgs),
    /// Kill a real registry, fail its system calls and cut its database off, and see that it stands by what it said
    Faults(faults::FaultsArgs),
    /// Check the rules of the source tree that no compiler knows
    Tidy,
    /// Write the documents that are made from code
    Codegen,
    /// Run the benchmarks
    Bench {
        /// Arguments for the benchmarks
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
}

fn main() -> ExitCode {
    let task = Task::parse();
    let done = enter_root().and_then(|()| match task {
        Task::Demo(args) => demo::run(&args),
        Task::Test(args) => test::run(&args),
        Task::E2e(args) => e2e::run(&args),
        Task::Faults(args) => faults::run(&args),
        Task::Tidy => tidy::run(),
        Task::Codegen => codegen::write(),
        Task::Bench { args } => {
            cargo().args(["run", "--release", "--package", "skillery-bench", "--"]).args(args).say_and_run()
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// All paths in this crate are relative to the root of the workspace.
fn enter_root() -> Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    std::env::set_current_dir(&root).with_context(|| format!("cannot enter `{}`", root.display()))
}
