//! What searches without words have found, kept until the index changes: each of them looks at every skill, and many ask for
//! the same.
//!
//! What is kept belongs to one state of the index, and to a filter that has in it what the caller sees. So an answer is
//! the one that would be found anew, for whoever gets it, and nothing ever has to be taken out by itself.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use skillery_core::Sort;
use tantivy::Searcher;

use super::facets::{Counted, Facet};
use super::index::Index;
use super::query::{Filter, Found, SearchQuery};
use crate::failure::Result;

/// Rankings that are expected, and bytes that they take at most.
const RANKINGS: usize = 512;
const RANKING_BYTES: u64 = 16 * 1024 * 1024;
/// Counts that are expected, and bytes that they take at most.
const COUNTS: usize = 512;
const COUNT_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of a value that is counted, more than most take.
const COUNTED_BYTES: usize = 100;
/// Rows of the shortest ranking, of which the first pages are parts.
const SHORTEST: usize = 64;
/// Rows of the longest; what stands further behind is looked for each time.
const LONGEST: usize = 16_384;

/// Which skills stand first, in which order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Ranking {
    filter: Filter,
    sort: Sort,
    rows: usize,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Counting {
    filter: Filter,
    facets: Vec<Facet>,
    most: usize,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<Ranking, Arc<Found>> for ByBytes {
    fn weight(&self, asked: &Ranking, found: &Arc<Found>) -> u64 {
        (asked.filter.bytes() + found.numbers.len() * size_of::<i64>()) as u64
    }
}

impl Weighter<Counting, Arc<Vec<Vec<Counted>>>> for ByBytes {
    fn weight(&self, asked: &Counting, counted: &Arc<Vec<Vec<Counted>>>) -> u64 {
        let values: usize = counted.iter().map(Vec::len).sum();
        (asked.filter.bytes() + values * COUNTED_BYTES) as u64
    }
}

/// What was found in one state of the index.
struct State {
    generation: u64,
    rankings: Cache<Ranking, Arc<Found>, ByBytes>,
    counts: Cache<Counting, Arc<Vec<Vec<Counted>>>, ByBytes>,
}

impl State {
    fn new(generation: u64) -> Self {
        Self {
            generation,
            rankings: Cache::with_weighter(RANKINGS, RANKING_BYTES, ByBytes),
            counts: Cache::with_weighter(COUNTS, COUNT_BYTES, ByBytes),
        }
    }
}

/// What was found in the state of the index that was searched last.
#[derive(Default)]
pub(super) struct Kept {
    state: Mutex<Option<Arc<State>>>,
}

impl Kept {
    /// As [`Index::find`]. Of those who ask for the same at the same time, one looks for it; the others wait.
    pub(super) async fn find(&self, index: &Index, query: &SearchQuery) -> Result<Found> {
        let searcher = index.searcher();
        let end = query.offset.saturating_add(query.limit);
        // A search of words takes well under a millisecond, and hardly anybody asks for the same.
        if query.has_words() || end > LONGEST {
            return index.find(&searcher, query);
        }
        // Rankings are twice as long from one to the next, so that whoever goes from page to page needs few.
        let rows = end.next_power_of_two().max(SHORTEST);
        let asked = Ranking { filter: query.filter(), sort: query.sort, rows };
        let state = self.state_of(&searcher);
        let rank = async {
            let whole = SearchQuery { limit: rows, offset: 0, ..query.clone() };
            index.find(&searcher, &whole).map(Arc::new)
        };
        let found = state.rankings.get_or_insert_async(&asked, rank).await?;
        Ok(found.page(query.limit, query.offset))
    }

    /// As [`Index::facets`]. Of those who ask for the same at the same time, one counts; the others wait.
    pub(super) async fn facets(
        &self,
        index: &Index,
        query: &SearchQuery,
        facets: &[Facet],
        most: usize,
    ) -> Result<Vec<Vec<Counted>>> {
        let searcher = index.searcher();
        if query.has_words() {
            return index.facets(&searcher, query, facets, most);
        }
        let asked = Counting { filter: query.filter(), facets: facets.to_vec(), most };
        let state = self.state_of(&searcher);
        let count = async { index.facets(&searcher, query, facets, most).map(Arc::new) };
        let counted = state.counts.get_or_insert_async(&asked, count).await?;
        Ok((*counted).clone())
    }

    /// What is kept of the state that is searched. With another one all that was kept goes.
    fn state_of(&self, searcher: &Searcher) -> Arc<State> {
        let generation = searcher.generation().generation_id();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = state.as_ref().filter(|known| known.generation == generation) {
            return Arc::clone(known);
        }
        let new = Arc::new(State::new(generation));
        // Who began before the last change keeps nothing, and takes nothing from those who came after it.
        if state.as_ref().is_none_or(|known| known.generation < generation) {
            *state = Some(Arc::clone(&new));
        }
        new
    }
}
