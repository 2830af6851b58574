//! `cargo xtask e2e`: a real registry, and programs that other people wrote.
//!
//! Our own tests show that our own programs agree with each other. Here a registry runs as a program, and strangers look at
//! what it serves, install from it, look at its pages, and send it what no client of ours would.

mod aics_tlog;
mod aics_witness;
mod api;
mod authors;
mod clients;
mod go;
mod history;
pub(crate) mod http;
mod model_signing;
mod npm;
mod oidc;
mod packages;
mod pages;
mod registry;
mod report;
mod resources;
mod sigstore_verify;
mod ssh_keygen;
mod stock;
mod tamper;
mod trust;
mod world;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};

use self::api::ApiArgs;
use self::clients::ClientsArgs;
use self::pages::PagesArgs;
use self::trust::TrustArgs;
use crate::shell::{Say, program};

/// All parts, the short ones first.
const PARTS: [&str; 4] = ["trust", "clients", "pages", "api"];
/// Those of them that can do without a tool.
const MAY_SKIP: [&str; 2] = ["trust", "clients"];

/// Arguments of `e2e`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct E2eArgs {
    /// Without one, all are run
    #[command(subcommand)]
    part: Option<Part>,
    /// Succeed although a tool of `trust` or `clients` cannot be had, because a registry of packages is not reached
    #[arg(long)]
    allow_skips: bool,
    /// A `skillery` that is built already
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Let programs that other people wrote check the log, the signatures and who may sign in
    Trust(TrustArgs),
    /// Drive the clients that other people wrote against a real registry, in a network that has only this machine
    Clients(ClientsArgs),
    /// Let Schemathesis send what the OpenAPI document allows, and what it does not, on both databases
    Api(ApiArgs),
    /// Let a browser look at all pages, do what people do with them, and what hostile people do
    Pages(PagesArgs),
}

/// Runs a part, or each of them, and fails unless everything was as expected.
pub(crate) fn run(args: &E2eArgs) -> Result<()> {
    match &args.part {
        Some(Part::Trust(trust)) => trust::run(trust),
        Some(Part::Clients(clients)) => clients::run(clients),
        Some(Part::Api(api)) => api::run(api),
        Some(Part::Pages(pages)) => pages::run(pages),
        None => all(args),
    }
}

/// Runs each part as a program of its own, so that one that fails leaves the others as they are.
fn all(args: &E2eArgs) -> Result<()> {
    let program = program(args.program.as_deref())?;
    let this = std::env::current_exe().context("cannot tell what runs here")?;
    let mut told = Vec::new();
    for part in PARTS {
        println!("\n==> e2e {part}");
        let began = Instant::now();
        let mut command = Command::new(&this);
        command.args(["e2e", part, "--program"]).arg(&program);
        command.args((args.allow_skips && MAY_SKIP.contains(&part)).then_some("--allow-skips"));
        told.push((part, command.say_and_run(), began.elapsed().as_secs_f64()));
    }
    println!();
    for (part, result, seconds) in &told {
        println!("{:<6} {part:<8} {seconds:>6.0} s", if result.is_ok() { "ok" } else { "FAILED" });
    }
    let failed: Vec<&str> = told.iter().filter(|(_, result, _)| result.is_err()).map(|told| told.0).collect();
    if !failed.is_empty() {
        bail!("not as expected: {}", failed.join(", "));
    }
    Ok(())
}
