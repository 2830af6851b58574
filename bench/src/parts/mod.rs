//! What is measured: one file each.

mod download;
mod get;
mod import;
mod log_audit;
mod log_check;
mod log_publish;
mod pages;
mod publish;
mod search;
mod start;
mod steps;

use std::path::PathBuf;

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
    /// Every page at 100,000 skills
    Pages,
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
    /// Durable publishes, beside an older build of the registry
    LogPublish,
    /// What checking one version against the log takes of the client
    LogCheck,
    /// Auditing a log of a million entries, starting with it and looking it over
    LogAudit,
}

/// How long to measure.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Rounds that count.
    pub rounds: u32,
    /// Seconds of each load of reads in each round.
    pub seconds: u32,
    /// A release build of an older version, to compare with.
    pub before: Option<PathBuf>,
}

impl Part {
    /// Every part.
    pub const ALL: &[Self] = &[
        Self::Get,
        Self::Search,
        Self::Pages,
        Self::Publish,
        Self::Download,
        Self::Start,
        Self::Import,
        Self::Steps,
        Self::LogPublish,
        Self::LogCheck,
        Self::LogAudit,
    ];

    /// As it is called on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Search => "search",
            Self::Pages => "pages",
            Self::Publish => "publish",
            Self::Download => "download",
            Self::Start => "start",
            Self::Import => "import",
            Self::Steps => "steps",
            Self::LogPublish => "log-publish",
            Self::LogCheck => "log-check",
            Self::LogAudit => "log-audit",
        }
    }

    /// Measures.
    pub fn run(self, setup: &Setup) -> Result<Findings> {
        match self {
            Self::Get => get::run(setup),
            Self::Search => search::run(setup),
            Self::Pages => pages::run(setup),
            Self::Publish => publish::run(setup),
            Self::Download => download::run(setup),
            Self::Start => start::run(setup),
            Self::Import => import::run(setup),
            Self::Steps => steps::run(setup),
            Self::LogPublish => log_publish::run(setup),
            Self::LogCheck => log_check::run(),
            Self::LogAudit => log_audit::run(setup),
        }
    }
}
