//! `cargo xtask faults`: what a registry stands by when everything around it fails.
//!
//! A registry runs as a program, people work with it, and it is killed, its system calls fail one after the other, and its
//! database is cut off. Each time it starts again, and is held against everything that clients were told before: no
//! checkpoint may be contradicted, no acknowledged change missing, and nothing half there.

mod authors;
mod calls;
mod kill;
mod pair;
mod random;
mod report;
mod server;
mod strace;
mod truth;
mod wire;

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::calls::Thoroughness;
use self::random::Random;
use self::report::Report;
use crate::shell::{Say, cargo, skillery_binary};

/// Arguments of `faults`.
#[derive(Debug, Args)]
pub(crate) struct FaultsArgs {
    /// A fraction of all faults, in less than a minute
    #[arg(long)]
    quick: bool,
    /// Let each single system call fail, and not a part of those of which there are many; ten minutes more
    #[arg(long, conflicts_with = "quick")]
    every: bool,
    /// Only these kinds
    #[arg(long, value_enum)]
    only: Vec<Kind>,
    /// Brings random moments back, as far as the machine lets it
    #[arg(long)]
    seed: Option<u64>,
}

/// Kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// `kill -9` at random moments
    Kill,
    /// System calls that fail
    Calls,
    /// Two registries on one PostgreSQL
    Pair,
}

/// Brings all faults about, prints what came of them, and fails if anything did not hold.
pub(crate) fn run(args: &FaultsArgs) -> Result<()> {
    println!("==> the program");
    cargo().args(["build", "--package", "skillery-cli"]).say_and_run()?;
    let program = skillery_binary(false)?;
    let (mut random, seed) = Random::new(args.seed);
    println!("`--seed {seed}` brings the same moments back");
    let is_wanted = |kind| args.only.is_empty() || args.only.contains(&kind);
    let mut report = Report::default();
    if is_wanted(Kind::Kill) {
        kill::check(&program, if args.quick { 12 } else { 200 }, &mut random, &mut report);
    }
    if is_wanted(Kind::Calls) {
        let how = match args {
            FaultsArgs { quick: true, .. } => Thoroughness::Quick,
            FaultsArgs { every: true, .. } => Thoroughness::Every,
            _ => Thoroughness::Usual,
        };
        calls::check(&program, how, &mut random, &mut report)?;
    }
    if is_wanted(Kind::Pair) {
        pair::check(&program, args.quick, &mut random, &mut report)?;
    }
    report.finish()
}
