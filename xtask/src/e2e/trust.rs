//! `cargo xtask e2e trust`: the log and the signatures of a real registry, checked by programs that other people wrote, and a
//! registry that believes identities of providers that other people wrote.
//!
//! A registry is filled through its API and killed on the way; then strangers look at what it serves. Every check is done
//! again with one byte changed, and must then fail: a check that cannot fail says nothing.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::Args;

use super::packages::{LOG_TOOLS, Packages};
use super::report::Report;
use super::world::World;
use super::{aics_tlog, aics_witness, go, model_signing, oidc, sigstore_verify, ssh_keygen};
use crate::shell::program;

/// Arguments of `e2e trust`.
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Succeed although a tool cannot be had, because a registry of packages is not reached
    #[arg(long)]
    allow_skips: bool,
    /// A `skillery` that is built already
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Runs all checks, prints what came of each, and fails unless everything was as expected.
pub(crate) fn run(args: &TrustArgs) -> Result<()> {
    println!("==> the program");
    let program = program(args.program.as_deref())?;
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
