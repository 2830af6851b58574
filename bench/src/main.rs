//! Measures the registry beside its peers and beside what the machine can do at most.
//!
//! `cargo xtask bench [PART]...` runs it. Each part starts what it compares on loopback, asks all of them in turns, and
//! says what came of it; the table goes to the terminal and to `bench/RESULTS.md`. It knows the registry only as a
//! program with an HTTP API; the client is a library to it where its own work is measured.

mod bare;
mod corpus;
mod cpu;
mod dataset;
mod http;
mod parts;
mod peers;
mod places;
mod process;
mod registry;
mod report;
mod rounds;
mod workers;
mod wrk;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use mimalloc::MiMalloc;

use crate::parts::{Part, Setup};

// The program under test uses it too: the bare handler is compared for its work, not for its allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measures the registry beside its peers and the physical limit.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; everything when left out
    #[arg(value_enum)]
    parts: Vec<Part>,

    /// Measured rounds, after one to warm up
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,

    /// Seconds of each load of reads in each round
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,

    /// A release build of an older `skillery`, which `log-publish` compares with
    #[arg(long, value_name = "BINARY")]
    before: Option<PathBuf>,

    /// Do not append the results to `bench/RESULTS.md`
    #[arg(long)]
    no_record: bool,

    /// Measure the `target/release/skillery` that is there, up to date or not
    #[arg(long)]
    no_build: bool,

    /// Be the bare handler: answer everything with this file
    #[arg(long, hide = true, requires = "listen")]
    bare: Option<PathBuf>,

    /// Where the bare handler listens
    #[arg(long, hide = true)]
    listen: Option<SocketAddr>,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if let (Some(file), Some(address)) = (&arguments.bare, arguments.listen) {
        bare::serve(file, address)?;
        return Ok(ExitCode::SUCCESS);
    }
    process::end_all_on_signal()?;
    if !arguments.no_build {
        places::build_skillery()?;
    }
    let _lock = places::lock()?;
    places::remove_fresh()?;
    let setup = Setup { rounds: arguments.rounds, seconds: arguments.seconds, before: arguments.before };
    let parts = if arguments.parts.is_empty() { Part::ALL.to_vec() } else { arguments.parts };
    let report = report::Report::begin(&setup);
    let mut missed = 0;
    for part in parts {
        eprintln!("{}", part.name());
        let findings = part.run(&setup)?;
        missed += findings.missed();
        report.show(part, &findings);
        if !arguments.no_record {
            report.record(part, &findings)?;
        }
    }
    places::remove_fresh()?;
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
