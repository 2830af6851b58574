//! What is measured: one file each.

mod download;
mod get;
mod import;
mod publish;
mod search;
mod start;
mod steps;

use anyhow::Result;
use clap::ValueEnum;

use crate::report::Findings;

/// A part of the benchmarks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// One skill's record, beside a bare axum handler and verdaccio
    Get,
    /// Searches, beside a bare axum handler, and at ten times as many skills
    Search,
    /// Durable publishes, beside plain synced files and verdaccio
    Publish,
    /// Downloads, beside nginx
    Download,
    /// From the start to the first answer, and the memory after
    Start,
    /// `import orchestrator.execution`, beside an empty Python program
    Import,
    /// Steps of workflows in the sandbox, beside bare forks and a bare start of Python
    Steps,
}

/// How long to measure.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Rounds that count.
    pub rounds: u32,
    /// Seconds of each load of reads in each round.
    pub seconds: u32,
}

impl Part {
    /// Every part.
    pub const ALL: &[Self] =
        &[Self::Get, Self::Search, Self::Publish, Self::Download, Self::Start, Self::Import, Self::Steps];

    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Search => "search",
            Self::Publish => "publish",
            Self::Download => "download",
            Self::Start => "start",
            Self::Import => "import",
            Self::Steps => "steps",
        }
    }

    /// Measures.
    pub fn run(self, setup: &Setup) -> Result<Findings> {
        match self {
            Self::Get => get::run(setup),
            Self::Search => search::run(setup),
            Self::Publish => publish::run(setup),
            Self::Download => download::run(setup),
            Self::Start => start::run(setup),
            Self::Import => import::run(setup),
            Self::Steps => steps::run(setup),
        }
    }
}
