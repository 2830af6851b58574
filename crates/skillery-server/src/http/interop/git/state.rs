//! What the surface remembers, and who may work how much at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use skillery_core::{Problem, ProblemCode};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::snapshot::Snapshot;
use crate::failure::{Failure, Result};

/// Namespaces that are loaded at once: a large one takes some megabytes until it is ready.
const BUILDING: usize = 2;
/// Packs that are sent at once: each has the ids of all its objects in memory, and a bundle or what became of it.
pub const SENDING: usize = 32;
/// Packs that are sent at once to one caller: whoever reads slowly leaves places for others.
pub const SENDING_TO_ONE: usize = SENDING / 2;
/// Packs that wait until another one is sent.
const WAITING: usize = 64;
/// How long one waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// Seconds until one that was sent away may come again.
const LATER: u64 = 5;
/// About how many snapshots are remembered. More of them would make the cache split its bytes, and what is larger than a
/// part is not remembered at all: a snapshot of a large namespace has a third of all.
const SNAPSHOTS: usize = 32;

/// The key of a namespace, and who sees what is in its snapshot.
pub type Place = (String, String);
type Remembered = (u64, Arc<Snapshot>);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Place, Remembered> for ByBytes {
    fn weight(&self, _: &Place, (_, snapshot): &Remembered) -> u64 {
        snapshot.weight()
    }
}

/// A place to send a pack.
pub struct Sending {
    _counted: Counted,
    _place: OwnedSemaphorePermit,
}

/// One of those that are sent to a caller. It counts until it is dropped.
struct Counted {
    callers: Arc<Mutex<HashMap<String, usize>>>,
    caller: String,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = callers.get_mut(&self.caller) {
            *own -= 1;
            if *own == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

/// State of the surface.
pub struct State {
    snapshots: Cache<Place, Remembered, ByBytes>,
    building: Semaphore,
    sending: Arc<Semaphore>,
    /// How many packs are sent to whom.
    callers: Arc<Mutex<HashMap<String, usize>>>,
    waiting: Semaphore,
}

impl State {
    /// One that remembers about so many bytes.
    pub fn new(bytes: u64) -> Self {
        Self {
            snapshots: Cache::with_weighter(SNAPSHOTS, bytes, ByBytes),
            building: Semaphore::new(BUILDING),
            sending: Arc::new(Semaphore::new(SENDING)),
            callers: Arc::default(),
            waiting: Semaphore::new(WAITING),
        }
    }

    /// What a namespace was, with the epoch from before it was loaded.
    pub fn ready(&self, place: &Place) -> Option<Remembered> {
        self.snapshots.get(place)
    }

    /// Remembers a snapshot that was loaded at this epoch of its namespace.
    pub fn keep(&self, place: Place, epoch: u64, snapshot: &Arc<Snapshot>) {
        self.snapshots.insert(place, (epoch, Arc::clone(snapshot)));
    }

    /// A turn to load a namespace.
    pub async fn building(&self) -> Option<SemaphorePermit<'_>> {
        self.building.acquire().await.ok()
    }

    /// A place to send a pack, as long as it is held. Where all are taken and none gets free soon, or this caller has as many as
    /// one may, whoever asks is to come later.
    pub async fn place(&self, caller: &str) -> Result<Sending> {
        let busy = || {
            let detail = "too many clones are being sent at the same time";
            Failure::from(Problem::new(ProblemCode::Busy, detail).with("retry_after", LATER))
        };
        let counted = self.count(caller).ok_or_else(busy)?;
        if let Ok(place) = Arc::clone(&self.sending).try_acquire_owned() {
            return Ok(Sending { _counted: counted, _place: place });
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.sending).acquire_owned()).await;
        let place = place.map_err(|_| busy())?.map_err(Failure::internal)?;
        Ok(Sending { _counted: counted, _place: place })
    }

    /// One more for this caller, if it may have one.
    fn count(&self, caller: &str) -> Option<Counted> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let own = callers.entry(caller.to_owned()).or_default();
        if *own >= SENDING_TO_ONE {
            return None;
        }
        *own += 1;
        Some(Counted { callers: Arc::clone(&self.callers), caller: caller.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use skillery_core::git::{blob, commit};
    use skillery_core::time::Time;

    use super::*;

    #[test]
    fn a_large_namespace_is_remembered() {
        let state = State::new(32 * 1024 * 1024);
        let large = blob(vec![0; 14 * 1024 * 1024]).unwrap();
        let commit = commit(large.id, Time::from_micros(0), "large").unwrap();
        let snapshot = Arc::new(Snapshot { commit, others: vec![large], entries: Vec::new() });
        for name in ["acme", "other"] {
            state.keep((name.to_owned(), "public".to_owned()), 7, &snapshot);
            assert_eq!(state.ready(&(name.to_owned(), "public".to_owned())).unwrap().0, 7);
        }
        assert!(state.ready(&("acme".to_owned(), "public,private".to_owned())).is_none());
    }
}
