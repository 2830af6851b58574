//! How what runs beside requests goes, for whoever operates the registry.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use skillery_core::time::Time;

use crate::failure::Result;

/// Everything that runs beside requests, since this server has started.
#[derive(Default)]
pub struct Work(Mutex<BTreeMap<&'static str, Standing>>);

/// How one of them goes.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// Turns that it has taken.
    pub turns: u64,
    /// When the last one ended.
    pub last_at: Option<Time>,
    /// Whether that one failed.
    pub is_failing: bool,
    /// When one failed last, and why.
    pub last_error: Option<(Time, String)>,
}

impl Work {
    /// Something has taken a turn, which ended so.
    pub fn turned<T>(&self, name: &'static str, now: Time, outcome: &Result<T>) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = all.entry(name).or_default();
        standing.turns += 1;
        standing.last_at = Some(now);
        standing.is_failing = outcome.is_err();
        if let Err(failure) = outcome {
            let cause = failure.source.as_ref().map_or_else(String::new, |source| format!(": {source}"));
            standing.last_error = Some((now, format!("{failure}{cause}")));
        }
    }

    /// All that have taken a turn, by name.
    pub fn all(&self) -> Vec<(&'static str, Standing)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(name, standing)| (*name, standing.clone())).collect()
    }
}
