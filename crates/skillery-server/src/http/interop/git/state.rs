//! What the surface remembers, and who may work how much at once.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::snapshot::Snapshot;

/// Namespaces that are loaded at once: a large one takes some megabytes until it is ready.
const BUILDING: usize = 2;
/// Snapshots that are remembered at most.
const SNAPSHOTS: usize = 1_000;

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
    turns: Semaphore,
}

impl State {
    /// One that remembers about so many bytes.
    pub fn new(bytes: u64) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            snapshots: Cache::with_weighter(SNAPSHOTS, bytes, ByBytes),
            building: Semaphore::new(BUILDING),
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

    /// A turn to unpack, hash or compress. However many clone: each gets a bundle at a time.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.turns.acquire().await.ok()
    }
}
