//! Search: an index of every skill's latest version, kept by following the log.
//!
//! The index is a copy. It can be deleted at any time and is built anew from the database; its cursor is stored in the
//! same commit as its documents.

mod facets;
mod follow;
mod index;
mod kept;
mod query;
mod stems;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use skillery_core::ProblemCode;
use tokio::sync::{Notify, watch};

use crate::db::{Db, log};
use crate::failure::{Failure, Result};
pub use facets::{Counted, Facet};
#[cfg(test)]
pub use follow::tidy;
pub use follow::{TREND_DAYS, catch_up, listen, run};
pub use index::{Cursor, Document, Index};
use kept::Kept;
pub use query::{Found, SearchQuery};

/// How long a search waits for changes that were acknowledged before it.
const PATIENCE: Duration = Duration::from_secs(10);

/// The index, and how far it has followed the log.
pub struct Search {
    index: Arc<Index>,
    kept: Kept,
    applied: watch::Sender<Cursor>,
    building: AtomicBool,
    failing: AtomicBool,
    work: Notify,
    urgent: Notify,
}

impl Search {
    /// Opens the index in this folder. One that belongs to another registry or history, or has another form, is
    /// emptied.
    pub async fn open(folder: &Path, registry: &str, db: &Db) -> Result<Self> {
        let (index, cursor) = Index::open(folder, registry)?;
        let usable = match cursor {
            // Another time at the cursor, or none: the database was restored from a backup.
            Some(cursor) if log::time_before(db, cursor.log).await? == cursor.time => Some(cursor),
            _ => None,
        };
        let (applied, _) = watch::channel(usable.unwrap_or_default());
        Ok(Self {
            index: Arc::new(index),
            kept: Kept::default(),
            applied,
            building: AtomicBool::new(usable.is_none()),
            failing: AtomicBool::new(false),
            work: Notify::new(),
            urgent: Notify::new(),
        })
    }

    /// How many segments a search looks into.
    #[cfg(test)]
    pub fn segments(&self) -> usize {
        self.index.segments()
    }

    /// How far the index has followed.
    pub fn cursor(&self) -> Cursor {
        *self.applied.borrow()
    }

    /// Whether the index is being built from nothing.
    pub fn is_building(&self) -> bool {
        self.building.load(Ordering::Acquire)
    }

    /// Builds the index from nothing at the next turn.
    pub fn start_over(&self) {
        self.building.store(true, Ordering::Release);
    }

    /// Whether the last turn failed, so that searches may lag behind.
    pub fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// There may be something to follow.
    pub fn nudge(&self) {
        self.work.notify_one();
    }

    /// Waits until the index has everything up to this size of the log.
    pub async fn wait_for(&self, size: i64) -> Result<()> {
        if self.cursor().log >= size && !self.is_building() {
            return Ok(());
        }
        self.urgent.notify_one();
        let mut applied = self.applied.subscribe();
        let caught_up = applied.wait_for(|cursor| cursor.log >= size && !self.is_building());
        match tokio::time::timeout(PATIENCE, caught_up).await {
            Ok(Ok(_)) => Ok(()),
            _ if self.is_building() => {
                Err(Failure::new(ProblemCode::Busy, "the search index is still being built"))
            }
            _ => Err(Failure::new(
                ProblemCode::Busy,
                "the search index does not follow the registry right now",
            )),
        }
    }

    /// The numbers of the skills on this page, and how many there are on all.
    pub async fn find(&self, query: &SearchQuery) -> Result<Found> {
        self.kept.find(&self.index, query).await
    }

    /// How many of what is found have which tag, and lie in which namespace.
    pub async fn facets(
        &self,
        query: &SearchQuery,
        facets: &[Facet],
        most: usize,
    ) -> Result<Vec<Vec<Counted>>> {
        self.kept.facets(&self.index, query, facets, most).await
    }

    /// As [`Search::find`], among the skills whose keys come behind this one.
    pub fn find_behind(&self, query: &SearchQuery, key: &str) -> Result<Found> {
        self.index.find_behind(query, key)
    }
}
