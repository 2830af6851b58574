//! `cargo xtask e2e`: the log and the signatures of a real registry, checked by programs that other people wrote, and a
//! registry that believes identities of providers that other people wrote.
//!
//! Our own tests show that our own programs agree with each other. Here a registry runs as a program, is filled through its
//! API, is killed on the way, and strangers look at what it serves. Every check is done again with one byte changed, and must
//! then fail: a check that cannot fail says nothing. `clients/` has the programs that people install skills with.

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
mod world;

use std::time::Instant;

use anyhow::Result;
use clap::{Args, Subcommand};

use self::api::ApiArgs;
use self::clients::ClientsArgs;
use self::packages::{LOG_TOOLS, Packages};
use self::pages::PagesArgs;
use self::report::Report;
use self::world::World;
use crate::shell::{Say, cargo, skillery_binary};

/// Arguments of `e2e`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct E2eArgs {
    #[command(subcommand)]
    part: Option<Part>,
    /// Succeed although a tool cannot be had, because a registry of packages is not reached
    #[arg(long)]
    allow_skips: bool,
}

/// A part that is asked for by its name alone.
#[derive(Debug, Subcommand)]
enum Part {
    /// Drive the clients that other people wrote against a real registry, in a network that has only this machine
    Clients(ClientsArgs),
    /// Let Schemathesis send what the OpenAPI document allows, and what it does not, on both databases
    Api(ApiArgs),
    /// Let a browser look at all pages, do what people do with them, and what hostile people do
    Pages(PagesArgs),
}

/// Runs all checks, prints what came of each, and fails unless everything was as expected.
pub(crate) fn run(args: &E2eArgs) -> Result<()> {
    match &args.part {
        Some(Part::Clients(clients)) => return clients::run(clients),
        Some(Part::Api(api)) => return api::run(api),
        Some(Part::Pages(pages)) => return pages::run(pages),
        None => {}
    }
    println!("==> the program");
    cargo().args(["build", "--package", "skillery-cli"]).say_and_run()?;
    let program = skillery_binary(false)?;
    println!("\n==> packages of PyPI");
    let packages = Packages::prepare(LOG_TOOLS)?;

    println!("\n==> a registry with a history");
    let began = Instant::now();
    let world = World::make(&program)?;
    println!("it took {:.1} s", began.elapsed().as_secs_f64());
    let mut report = Report::default();
    go::check(&world, &mut report)?;
    aics_tlog::check(&world, &packages, &mut report)?;
    aics_witness::check(&world, &packages, &mut report)?;
    ssh_keygen::check(&world, &mut report)?;
    sigstore_verify::check(&world, &mut report)?;
    model_signing::check(&world, &mut report)?;
    oidc::check(&world.program, &mut report)?;
    let result = report.finish(args.allow_skips);
    println!("\n{:.0} s since the start of the registry", began.elapsed().as_secs_f64());
    result
}
