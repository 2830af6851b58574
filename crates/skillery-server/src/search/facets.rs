//! How many of what is found have which tag, and lie in which namespace.

use std::collections::HashMap;

use tantivy::query::EnableScoring;
use tantivy::{DocId, Searcher, SegmentReader};

use super::index::{Index, NAMESPACE, TAG};
use super::query::SearchQuery;
use crate::failure::{Failure, Result};

/// Values of each segment that are looked at for each that is wanted: the commonest of all are among the commonest of one.
const CANDIDATES: usize = 8;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Facet {
    /// Tags, in lower case.
    Tag,
    /// Keys of namespaces, with those above them.
    Namespace,
}

impl Facet {
    fn field(self) -> &'static str {
        match self {
            Self::Tag => TAG,
            Self::Namespace => NAMESPACE,
        }
    }
}

/// A value and how many have it.
pub type Counted = (String, usize);

impl Index {
    /// The commonest values of each of these among all that is found, on whatever page. Exact where they are few.
    pub(super) fn facets(
        &self,
        searcher: &Searcher,
        query: &SearchQuery,
        facets: &[Facet],
        most: usize,
    ) -> Result<Vec<Vec<Counted>>> {
        let built = self.built(query, Vec::new())?;
        let weight =
            built.weight(EnableScoring::disabled_from_searcher(searcher)).map_err(Failure::internal)?;
        let mut counted: Vec<Vec<Column>> = facets.iter().map(|_| Vec::new()).collect();
        for segment in searcher.segment_readers() {
            let mut columns = Vec::with_capacity(facets.len());
            for facet in facets {
                columns.push(Column::of(segment, *facet)?);
            }
            let living = segment.alive_bitset();
            let mut count = |documents: &[DocId]| {
                for document in documents
                    .iter()
                    .filter(|document| living.is_none_or(|living| living.is_alive(**document)))
                {
                    columns.iter_mut().flatten().for_each(|column| column.count(*document));
                }
            };
            weight.for_each_no_score(segment, &mut count).map_err(Failure::internal)?;
            for (all, column) in counted.iter_mut().zip(columns) {
                all.extend(column);
            }
        }
        counted.into_iter().map(|columns| commonest(&columns, most)).collect()
    }
}

/// The values of a field in one segment.
struct Column {
    values: tantivy::columnar::StrColumn,
    counts: Vec<u32>,
}

impl Column {
    fn of(segment: &SegmentReader, facet: Facet) -> Result<Option<Self>> {
        let values = segment.fast_fields().str(facet.field()).map_err(Failure::internal)?;
        Ok(values.map(|values| Self { counts: vec![0; values.num_terms()], values }))
    }

    fn count(&mut self, document: DocId) {
        for place in self.values.term_ords(document) {
            if let Some(count) = usize::try_from(place).ok().and_then(|place| self.counts.get_mut(place)) {
                *count += 1;
            }
        }
    }

    /// The commonest values of this segment with their counts, and how many a value at most has that is not among them.
    fn candidates(&self, most: usize) -> Result<(HashMap<String, u32>, u32)> {
        let mut places: Vec<(u32, u64)> = self
            .counts
            .iter()
            .zip(0..)
            .filter(|(count, _)| **count > 0)
            .map(|(count, place)| (*count, place))
            .collect();
        places.sort_unstable_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(&right.1)));
        let rest = places.get(most).map_or(0, |(count, _)| *count);
        places.truncate(most);
        // Texts are packed by what they share with the one before, so they are read in their order.
        places.sort_unstable_by_key(|(_, place)| *place);
        let ordered: Vec<u64> = places.iter().map(|(_, place)| *place).collect();
        let mut counts = places.iter().map(|(count, _)| *count);
        let mut found = HashMap::with_capacity(places.len());
        let keep = |text: &[u8]| {
            if let (Some(count), Ok(text)) = (counts.next(), std::str::from_utf8(text)) {
                found.insert(text.to_owned(), count);
            }
        };
        self.values.dictionary().sorted_ords_to_term_cb(&ordered, keep).map_err(Failure::internal)?;
        Ok((found, rest))
    }

    fn count_of(&self, value: &str) -> Result<usize> {
        let place = self.values.dictionary().term_ord(value.as_bytes()).map_err(Failure::internal)?;
        let count = place.and_then(|place| self.counts.get(usize::try_from(place).ok()?));
        Ok(count.map_or(0, |count| *count as usize))
    }
}

fn commonest(columns: &[Column], most: usize) -> Result<Vec<Counted>> {
    let mut candidates = Vec::with_capacity(columns.len());
    for column in columns {
        candidates.push(column.candidates(most.saturating_mul(CANDIDATES))?);
    }
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (value, count) in candidates.iter().flat_map(|(values, _)| values) {
        *known.entry(value).or_default() += *count as usize;
    }
    // Looking a value up in a segment takes long. It is only done for one that may be among the commonest with it.
    let mut counts: Vec<usize> = known.values().copied().collect();
    counts.sort_unstable_by(|left, right| right.cmp(left));
    let enough = counts.get(most.saturating_sub(1)).copied().unwrap_or(0);
    let mut counted = Vec::with_capacity(most);
    for (value, count) in known {
        let missing =
            || candidates.iter().zip(columns).filter(|((values, _), _)| !values.contains_key(value));
        let possible: usize = missing().map(|((_, rest), _)| *rest as usize).sum();
        if count + possible < enough {
            continue;
        }
        let mut whole = count;
        for ((_, rest), column) in missing() {
            whole += if *rest == 0 { 0 } else { column.count_of(value)? };
        }
        counted.push((value.to_owned(), whole));
    }
    counted.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    counted.truncate(most);
    Ok(counted)
}
