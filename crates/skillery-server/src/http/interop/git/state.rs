//! What the surface remembers, and who may work how much at once.

use std::sync::Arc;
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

/// State of the surface.
pub struct State {
    snapshots: Cache<Place, Remembered, ByBytes>,
    building: Semaphore,
    sending: Arc<Semaphore>,
    waiting: Semaphore,
    turns: Semaphore,
}

impl State {
    /// One that remembers about so many bytes.
    pub fn new(bytes: u64) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            snapshots: Cache::with_weighter(SNAPSHOTS, bytes, ByBytes),
            building: Semaphore::new(BUILDING),
            sending: Arc::new(Semaphore::new(SENDING)),
            waiting: Semaphore::new(WAITING),
            turns: Semaphore::new(processors),
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

    /// A place to send a pack, as long as it is held. Where all are taken and none gets free soon, whoever asks is to come later.
    pub async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let busy = || {
            let detail = "too many clones are being sent at the same time";
            Failure::from(Problem::new(ProblemCode::Busy, detail).with("retry_after", LATER))
        };
        if let Ok(place) = Arc::clone(&self.sending).try_acquire_owned() {
            return Ok(place);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let place = tokio::time::timeout(PATIENCE, Arc::clone(&self.sending).acquire_owned()).await;
        place.map_err(|_| busy())?.map_err(Failure::internal)
    }

    /// A turn to hold a bundle in memory, and to unpack, hash or compress it. However many clone, or read single files: each
    /// gets a bundle at a time.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
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
