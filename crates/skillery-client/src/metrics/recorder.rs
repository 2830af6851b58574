//! What stands beside a run and remembers each step. It never fails: a run is worth more than its numbers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use skillery_core::{SkillId, Version, VersionRequest};

use crate::home::Home;
use crate::library::{Library, local_id};
use crate::metrics::{Execution, ExecutionStatus, Metrics};

/// A skill with its version.
type Key = (SkillId, Version);

/// Remembers the steps of one run, or of several. Any number of threads may share it.
#[derive(Debug)]
pub struct Recorder {
    metrics: Metrics,
    library: Library,
    share_usage: bool,
    /// Where versions came from, which does not change while they run.
    origins: Mutex<HashMap<Key, Option<String>>>,
    warned: AtomicBool,
}

impl Recorder {
    /// A recorder of this home. With `share_usage`, what came from a registry is put aside for it to be told.
    pub fn new(home: &Home, share_usage: bool) -> Self {
        Self {
            metrics: Metrics::new(home),
            library: Library::new(home.clone()),
            share_usage,
            origins: Mutex::default(),
            warned: AtomicBool::new(false),
        }
    }

    /// Remembers a step that came to an end, in the words of its outcome. A step that was skipped, or that ran no skill
    /// of the library, is none.
    pub fn record(&self, skill: &str, version: &str, status: &str, latency_ms: f64) {
        let (Ok(id), Ok(version)) = (local_id(skill), version.parse::<Version>()) else { return };
        if status == "skipped" {
            return;
        }
        let share_with = if self.share_usage { self.origin(&id, &version) } else { None };
        let execution = Execution {
            share_with,
            id,
            version,
            // A word that is not known here says at least that it was no success.
            status: status.parse().unwrap_or(ExecutionStatus::Failed),
            latency: Duration::try_from_secs_f64(latency_ms / 1_000.0).ok(),
        };
        if let Err(error) = self.metrics.record(&execution)
            && !self.warned.swap(true, Ordering::Relaxed)
        {
            let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(%error, cause, "executions are not recorded");
        }
    }

    /// The registry that a version came from.
    fn origin(&self, id: &SkillId, version: &Version) -> Option<String> {
        let key = (id.clone(), version.clone());
        let mut origins = self.origins.lock().unwrap_or_else(PoisonError::into_inner);
        origins
            .entry(key)
            .or_insert_with(|| {
                let request = VersionRequest::Exact(version.clone());
                self.library.get(id.as_str(), Some(&request)).ok()?.manifest.registry
            })
            .clone()
    }
}
