//! What a skill may do beyond computing, and what it was kept from.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

const MEBIBYTE: u64 = 1024 * 1024;

/// What the caller grants to a skill. The default is nothing but processor time, memory and a scratch folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Grants {
    /// Files and folders that it may read, absolute; with all below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<PathBuf>,
    /// Files and folders that it may read and write, absolute; with all below them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<PathBuf>,
    /// Environment variables of the caller that it is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<String>,
    /// Whether it may start other programs and processes.
    pub subprocess: bool,
    /// Bytes of memory: of address space for each process, and of what all of them hold together.
    pub memory_bytes: u64,
    /// The longest an attempt may take, where the step does not say less.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            read: Vec::new(),
            write: Vec::new(),
            environment: Vec::new(),
            subprocess: false,
            memory_bytes: 512 * MEBIBYTE,
            seconds: None,
        }
    }
}

impl Grants {
    /// The time limit of an attempt: what the step says, or else the run, and never more than granted.
    pub(crate) fn timeout(&self, asked: Duration) -> Duration {
        self.seconds.map_or(asked, |seconds| asked.min(Duration::from_secs(seconds)))
    }

    /// The variables that are granted and set.
    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        let granted = self.environment.iter();
        granted.filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
    }
}

/// What a skill was kept from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// To read a file that was not granted.
    Read,
    /// To write a file that was not granted.
    Write,
    /// To open a socket.
    Network,
    /// To start a process.
    Subprocess,
    /// To look into, or trace, another process.
    Processes,
    /// To send a signal to a process that is not its own.
    Signal,
    /// To use a part of the kernel that no skill needs.
    Kernel,
}

impl Rule {
    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Network => "network",
            Self::Subprocess => "subprocess",
            Self::Processes => "processes",
            Self::Signal => "signal",
            Self::Kernel => "kernel",
        }
    }

    /// What to grant so that it would have been allowed, where that can be granted.
    pub(crate) fn hint(self) -> &'static str {
        match self {
            Self::Read => "; grant `read` for the path to allow it",
            Self::Write => "; grant `write` for the path to allow it",
            Self::Subprocess => "; grant `subprocess` to allow it",
            Self::Network | Self::Processes | Self::Signal | Self::Kernel => "; no skill may do that",
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}
