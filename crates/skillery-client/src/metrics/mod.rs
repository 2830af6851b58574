//! What is known of how installed skills do on this machine: how often each version ran, how that ended, how long it
//! took, and what the user thinks of it.
//!
//! `journal` is where executions are appended, `summary` what they are folded into, `ratings` what the user gave,
//! `report` what is asked of all that, `share` what a registry is told where the user wants it to know, `recorder` what
//! stands beside a run. Nothing here may keep a run from going on, and nothing holds an input, an output or a message.

mod journal;
mod ratings;
mod recorder;
mod report;
mod share;
mod summary;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use skillery_core::time::Time;
use skillery_core::{SkillId, Version};

use crate::error::{Error, Result};
use crate::files::{self, FileLock};
use crate::home::Home;

pub use self::ratings::LocalRating;
pub use self::recorder::Recorder;
pub use self::report::{Latency, MINIMUM_RUNS, Ranking, SkillMetrics, Usage, VersionMetrics};
pub use self::share::Shared;

use self::journal::Line;
use self::summary::{Folded, Summary};

const LOCK_FILE: &str = ".lock";

/// The longest time that is kept of one execution: a day.
const MAX_LATENCY: Duration = Duration::from_secs(86_400);

/// What is kept in one home. Cheap to clone; any number of processes may use the same home.
#[derive(Debug, Clone)]
pub struct Metrics {
    folder: PathBuf,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExecutionStatus {
    /// It returned what it should.
    Success,
    /// It did not.
    Failed,
    /// It took too long.
    TimedOut,
    /// It needed too much memory.
    OutOfMemory,
    /// It failed for something that it was not granted.
    Denied,
    /// Somebody stopped it. This speaks neither for nor against the skill.
    Cancelled,
}

impl ExecutionStatus {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Success, Self::Failed, Self::TimedOut, Self::OutOfMemory, Self::Denied, Self::Cancelled];

    /// The word for it, which is that of a step's outcome.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::OutOfMemory => "out-of-memory",
            Self::Denied => "denied",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ExecutionStatus {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
            let words = Self::ALL.map(|status| format!("`{status}`")).join(", ");
            Error::invalid("`status`", format!("`{}` is none of {words}", text.escape_debug()))
        })
    }
}

impl Serialize for ExecutionStatus {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One execution of a skill that came to an end.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// The skill.
    pub id: SkillId,
    /// Its version.
    pub version: Version,
    /// How it ended.
    pub status: ExecutionStatus,
    /// How long it took, where that is known. More than a day counts as a day.
    pub latency: Option<Duration>,
    /// The registry that is to be told of it.
    pub share_with: Option<String>,
}

impl Metrics {
    /// What is kept in this home. Nothing is read or made yet.
    pub fn new(home: &Home) -> Self {
        Self { folder: home.metrics_folder() }
    }

    /// Remembers an execution. It is not synced: a loss of power may lose the last ones, the end of the program does not.
    pub fn record(&self, execution: &Execution) -> Result<()> {
        let line = Line {
            at: now(),
            skill: execution.id.as_str().into(),
            version: execution.version.to_string().into(),
            status: execution.status.as_str().into(),
            latency_us: execution.latency.map(microseconds),
            registry: execution.share_with.as_deref().map(Into::into),
        };
        let length = journal::append(&self.folder, &line)
            .map_err(Error::disk(format!("remember an execution of `{}`", execution.id)))?;
        if length > journal::FOLD_AT {
            self.fold_if_free();
        }
        Ok(())
    }

    /// Folds what was appended into the summary, unless another process is at it.
    fn fold_if_free(&self) {
        let Ok(file) = std::fs::File::create(self.folder.join(LOCK_FILE)) else { return };
        if file.try_lock().is_ok()
            && let Err(error) = summary::fold(&self.folder, journal::Waiting::No)
        {
            tracing::warn!(%error, "what was recorded of executions cannot be summed up");
        }
    }

    /// Everything that was recorded, folded as far as the disk lets it.
    fn read(&self) -> Result<Summary> {
        if !self.folder.exists() {
            return Ok(Summary::default());
        }
        let lock = self.lock();
        let folded = summary::fold(&self.folder, journal::Waiting::Yes);
        drop(lock);
        Ok(folded?.summary)
    }

    /// Changes the summary: what the closure answers is only known once the change is durable.
    fn change<T>(&self, change: impl FnOnce(&mut Summary) -> T) -> Result<T> {
        let _lock = self.lock()?;
        let Folded { mut summary, is_durable } = summary::fold(&self.folder, journal::Waiting::Yes)?;
        if !is_durable {
            let full = std::io::Error::other("executions cannot be summed up there");
            return Err(Error::disk(format!("write to {}", self.folder.display()))(full));
        }
        let answer = change(&mut summary);
        summary.write(&self.folder)?;
        Ok(answer)
    }

    /// Waits until no other process folds or rates.
    fn lock(&self) -> Result<FileLock> {
        files::create_private_folder(&self.folder)
            .map_err(Error::disk(format!("make {}", self.folder.display())))?;
        let path = self.folder.join(LOCK_FILE);
        files::lock(&path).map_err(Error::disk(format!("lock {}", path.display())))
    }
}

fn microseconds(latency: Duration) -> u64 {
    u64::try_from(latency.min(MAX_LATENCY).as_micros()).unwrap_or(u64::MAX)
}

/// This machine's clock.
fn now() -> Time {
    Time::from_micros(jiff::Timestamp::now().as_microsecond())
}
