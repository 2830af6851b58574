//! Runs on disk: what was to run, and every event, so that a run that was cut short can go on, and one that has ended
//! can be looked at.
//!
//! `<folder>/<run id>/` holds `run.json` (the workflow with all that it is made of, inputs, chosen versions),
//! `events.jsonl` (one event a line), `lock` (held while the run goes on), and `cancel`, where somebody wants it to end.
//! Everything is for its owner only. Secrets are in none of it.

mod told;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skillery_core::Digest;
use skillery_core::time::Time;

use crate::Values;
use crate::event::{Event, EventKind};
use crate::journal::{Journal, is_locked, lock, private_file, private_folders};
use crate::outcome::Status;
use crate::workflow::Workflow;

/// Ended runs that are kept when a new one begins.
const KEEP: usize = 1_000;
/// The end of the events in which the last one is looked for.
const TAIL: u64 = 64 * 1024;
const RUN_FILE: &str = "run.json";
pub(crate) const EVENTS_FILE: &str = "events.jsonl";
pub(crate) const LOCK_FILE: &str = "lock";
pub(crate) const CANCEL_FILE: &str = "cancel";

/// The runs of one folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    folder: PathBuf,
}

/// What a run began with; enough to begin it again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// The run.
    pub run_id: String,
    /// When it began.
    pub started_at: Time,
    /// What runs.
    pub workflow: Workflow,
    /// Workflows that are steps, by how they were named and from where.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub workflows: BTreeMap<String, Workflow>,
    /// Inputs as they were given.
    pub inputs: Values,
    /// What each reference to a skill stands for in this run.
    pub pins: BTreeMap<String, Pin>,
    /// Seconds for one attempt of a step that sets no limit.
    pub timeout_seconds: f64,
}

/// The version of a skill that a run has chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// The skill's id.
    pub skill: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its code.
    pub code_hash: Digest,
}

/// A run in the list of runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run_id: String,
    /// The workflow's name.
    pub workflow: String,
    /// How far it is.
    pub state: RunState,
    /// When it began.
    pub started_at: Time,
    /// When it last told something.
    pub last_event_at: Time,
    /// How many steps the workflow has.
    pub steps: usize,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// A process is at it.
    Running,
    /// Nobody is at it, and it has not ended.
    Interrupted,
    /// It has ended, and everything went well.
    Success,
    /// It has ended with a failure.
    Failed,
    /// It was cancelled.
    Cancelled,
}

/// Why the history cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The disk.
    #[error("cannot {what} `{}`", path.display())]
    Disk {
        /// What was to be done.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A file is not what it was.
    #[error("`{}` cannot be understood: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no such run.
    #[error("there is no run `{0}`")]
    NotFound(String),
    /// The beginning of a run's id fits several.
    #[error("`{0}` is the beginning of several runs")]
    Ambiguous(String),
    /// The run goes on in another process.
    #[error("the run `{0}` is going on")]
    Running(String),
    /// The run has ended, so that there is nothing left to do.
    #[error("the run `{0}` has ended")]
    Ended(String),
}

/// Events that are read, and what they come to.
#[derive(Debug, Clone)]
pub struct RunHistory {
    /// What it began with.
    pub record: Record,
    /// Every event, also those of earlier parts of it.
    pub events: Vec<Event>,
    /// How far it is.
    pub state: RunState,
}

impl HistoryError {
    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Disk { .. } => "history-unavailable",
            Self::Damaged { .. } => "history-damaged",
            Self::NotFound(_) => "run-not-found",
            Self::Ambiguous(_) => "run-ambiguous",
            Self::Running(_) => "run-running",
            Self::Ended(_) => "run-ended",
        }
    }
}

pub(crate) fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> HistoryError {
    move |source| HistoryError::Disk { what, path: path.to_owned(), source }
}

impl RunState {
    /// The word as it stands in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing of it will run any more, unless somebody asks for it.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled)
    }
}

impl From<Status> for RunState {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => Self::Success,
            Status::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

impl History {
    /// The runs of this folder. Nothing is read or made yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    fn run_folder(&self, run_id: &str) -> PathBuf {
        self.folder.join(run_id)
    }

    /// Begins the journal of a new run, and forgets the oldest runs where there are too many.
    pub(crate) fn begin(&self, record: &Record) -> Result<Journal, HistoryError> {
        if let Err(error) = self.prune(KEEP.saturating_sub(1), None) {
            tracing::warn!(%error, "cannot forget old runs");
        }
        let folder = self.run_folder(&record.run_id);
        private_folders(&self.folder).map_err(disk("make", &self.folder))?;
        private_folders(&folder).map_err(disk("make", &folder))?;
        let lock = lock(&folder, &record.run_id)?;
        let path = folder.join(RUN_FILE);
        let text = serde_json::to_vec(record)
            .map_err(|error| HistoryError::Damaged { path: path.clone(), why: error.to_string() })?;
        let write = || {
            // There is a run when all of it is there.
            let new = folder.join("new");
            let mut file = private_file().create_new(true).open(&new)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(new, &path)
        };
        if let Err(error) = write() {
            let _ = fs::remove_dir_all(&folder);
            return Err(disk("write", &path)(error));
        }
        Journal::open(&folder, lock)
    }

    /// Takes up the journal of a run that nobody is at.
    pub(crate) fn take_up(&self, run_id: &str) -> Result<Journal, HistoryError> {
        let folder = self.run_folder(run_id);
        if !folder.join(RUN_FILE).is_file() {
            return Err(HistoryError::NotFound(run_id.to_owned()));
        }
        let lock = lock(&folder, run_id)?;
        // Who wanted the earlier part to end has had their way.
        let _ = fs::remove_file(folder.join(CANCEL_FILE));
        Journal::open(&folder, lock)
    }

    /// The whole id of a run that is named by it, by its beginning, or as `last`.
    pub fn find(&self, name: &str) -> Result<String, HistoryError> {
        let ids = self.ids()?;
        if name == "last" {
            return ids.first().cloned().ok_or_else(|| HistoryError::NotFound(name.to_owned()));
        }
        if ids.iter().any(|id| id == name) {
            return Ok(name.to_owned());
        }
        let mut fitting = ids.into_iter().filter(|id| !name.is_empty() && id.starts_with(name));
        match (fitting.next(), fitting.next()) {
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => Err(HistoryError::Ambiguous(name.to_owned())),
            (None, _) => Err(HistoryError::NotFound(name.to_owned())),
        }
    }

    /// Ids of all runs, the newest first, as they begin with the time.
    fn ids(&self) -> Result<Vec<String>, HistoryError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(disk("read", &self.folder))?,
        };
        let is_run = |name: &String| self.folder.join(name).join(RUN_FILE).is_file();
        let mut ids: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(is_run).collect();
        ids.sort_by(|one, other| other.cmp(one));
        Ok(ids)
    }

    /// The runs, the newest first, as many as are wanted. One that cannot be read is passed over.
    pub fn list(&self, limit: usize) -> Result<Vec<RunSummary>, HistoryError> {
        let ids = self.ids()?;
        let summaries = ids.iter().filter_map(|id| match self.summary(id) {
            Ok(summary) => Some(summary),
            Err(error) => {
                tracing::warn!(%error, "passing over a run");
                None
            }
        });
        Ok(summaries.take(limit).collect())
    }

    fn summary(&self, run_id: &str) -> Result<RunSummary, HistoryError> {
        let record = self.record(run_id)?;
        let last = self.last_event(run_id)?;
        Ok(RunSummary {
            run_id: record.run_id,
            state: self.state(run_id, last.as_ref()),
            workflow: record.workflow.name,
            started_at: record.started_at,
            last_event_at: last.map_or(record.started_at, |event| event.time),
            steps: record.workflow.steps.len(),
        })
    }

    fn state(&self, run_id: &str, last: Option<&Event>) -> RunState {
        match last.map(|event| &event.kind) {
            Some(EventKind::RunFinished { status, .. }) => (*status).into(),
            _ if is_locked(&self.run_folder(run_id)) => RunState::Running,
            _ => RunState::Interrupted,
        }
    }

    fn record(&self, run_id: &str) -> Result<Record, HistoryError> {
        let path = self.run_folder(run_id).join(RUN_FILE);
        let text = fs::read(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => HistoryError::NotFound(run_id.to_owned()),
            _ => disk("read", &path)(error),
        })?;
        serde_json::from_slice(&text).map_err(|error| HistoryError::Damaged { path, why: error.to_string() })
    }

    /// The last whole event. A line that was cut off by a crash is none.
    fn last_event(&self, run_id: &str) -> Result<Option<Event>, HistoryError> {
        let path = self.run_folder(run_id).join(EVENTS_FILE);
        let read = || {
            let mut file = File::open(&path)?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut tail = Vec::new();
            file.read_to_end(&mut tail)?;
            io::Result::Ok(tail)
        };
        let tail = match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            tail => tail.map_err(disk("read", &path))?,
        };
        let found = tail.rsplit(|byte| *byte == b'\n').find_map(|line| serde_json::from_slice(line).ok());
        match found {
            Some(event) => Ok(Some(event)),
            // The last one is longer than the tail.
            None => Ok(self.events(run_id)?.pop()),
        }
    }

    fn events(&self, run_id: &str) -> Result<Vec<Event>, HistoryError> {
        let path = self.run_folder(run_id).join(EVENTS_FILE);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file.map_err(disk("read", &path))?,
        };
        let mut events = Vec::new();
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(disk("read", &path))?;
            match serde_json::from_slice(&line) {
                Ok(event) => events.push(event),
                Err(_) if line.is_empty() => {}
                // A crash has cut it off, and what came behind it began a line of its own.
                Err(error) => tracing::debug!(%error, path = %path.display(), "passing over a line"),
            }
        }
        Ok(events)
    }

    /// Everything that is known of a run.
    pub fn read(&self, run_id: &str) -> Result<RunHistory, HistoryError> {
        let record = self.record(run_id)?;
        let events = self.events(run_id)?;
        let state = self.state(run_id, events.last());
        Ok(RunHistory { record, events, state })
    }

    /// Asks the process that is at a run to end it.
    pub fn cancel(&self, run_id: &str) -> Result<(), HistoryError> {
        let summary = self.summary(run_id)?;
        if summary.state != RunState::Running {
            return Err(HistoryError::Ended(run_id.to_owned()));
        }
        let path = self.run_folder(run_id).join(CANCEL_FILE);
        private_file().create(true).truncate(true).open(&path).map_err(disk("write", &path))?;
        Ok(())
    }

    /// Forgets ended and interrupted runs: all but the newest `keep`, and those that began before `before`. Returns
    /// the ids of those that are gone.
    pub fn prune(&self, keep: usize, before: Option<Time>) -> Result<Vec<String>, HistoryError> {
        let mut gone = Vec::new();
        for (position, id) in self.ids()?.into_iter().enumerate() {
            let folder = self.run_folder(&id);
            let is_old = || {
                before.is_some_and(|before| self.record(&id).is_ok_and(|record| record.started_at < before))
            };
            if position < keep && !is_old() {
                continue;
            }
            // Nobody takes it up while it is taken away.
            let Ok(_lock) = lock(&folder, &id) else { continue };
            // Without the record it is no run any more, wherever the rest of it is cut short.
            match fs::remove_file(folder.join(RUN_FILE)).and_then(|()| fs::remove_dir_all(&folder)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(disk("remove", &folder)(error));
                }
                _ => {}
            }
            gone.push(id);
        }
        Ok(gone)
    }
}
