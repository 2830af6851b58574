//! What is searched for, and how it becomes a query of the index.

use std::ops::Bound;

use skillery_core::id::key_contains;
use skillery_core::{Namespace, Sort, Visibility};
use tantivy::collector::sort_key::{SortBySimilarityScore, SortByStaticFastValue, SortByString};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, InvertedIndexRangeQuery, Occur, Query, RangeQuery,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Order, Searcher, Term};

use super::index::{Index, STEMMED, WHOLE, exact};
use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};

/// A last word of fewer characters is not completed.
const MIN_PREFIX: usize = 2;

/// A search.
#[derive(Debug, Clone)]
pub struct SearchQuery {
    /// Words that must all be found; the last may be the beginning of one.
    pub words: String,
    /// Words that count; more are passed over.
    pub max_words: usize,
    /// Tags that must all be there.
    pub tags: Vec<String>,
    /// A namespace; what lies below belongs to it.
    pub namespace: Option<Namespace>,
    /// A user's id: only skills whose latest version this user has published.
    pub publisher: Option<String>,
    /// The least average rating.
    pub min_rating: Option<f64>,
    /// The order.
    pub sort: Sort,
    /// Rows.
    pub limit: usize,
    /// Rows before.
    pub offset: usize,
    /// Who asks; only what the caller sees is found or counted.
    pub caller: Caller,
}

impl SearchQuery {
    /// All skills that the caller sees, in this order.
    pub fn all(app: &App, caller: &Caller, sort: Sort, limit: usize, offset: usize) -> Self {
        Self {
            words: String::new(),
            max_words: app.settings.limits.query_words,
            tags: Vec::new(),
            namespace: None,
            publisher: None,
            min_rating: None,
            sort,
            limit,
            offset,
            caller: caller.clone(),
        }
    }

    /// Whether it asks for words.
    pub(super) fn has_words(&self) -> bool {
        !self.words.trim().is_empty()
    }

    /// What it leaves, whatever words it asks for.
    pub(super) fn filter(&self) -> Filter {
        fn sorted(mut texts: Vec<String>) -> Vec<String> {
            texts.sort_unstable();
            texts.dedup();
            texts
        }
        let mut hidden = Vec::new();
        for visibility in [Visibility::Internal, Visibility::Private] {
            if let Seen::Below(namespaces) = seen_in(&self.caller, visibility) {
                hidden.push((visibility, sorted(namespaces)));
            }
        }
        Filter {
            tags: sorted(self.tags.iter().map(|tag| tag.to_lowercase()).collect()),
            namespace: self.namespace.as_ref().map(Namespace::key),
            publisher: self.publisher.clone(),
            min_rating: self.min_rating.filter(|least| *least > 0.0).map(f64::to_bits),
            hidden,
        }
    }
}

/// What a search leaves of all skills before it looks at words: the same for all whose filters are equal, whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Filter {
    /// In lower case.
    tags: Vec<String>,
    /// A key.
    namespace: Option<String>,
    publisher: Option<String>,
    /// The bits of the number, which can be compared as they are.
    min_rating: Option<u64>,
    /// Skills of which visibility are left out, but for those in namespaces with these keys.
    hidden: Vec<(Visibility, Vec<String>)>,
}

impl Filter {
    /// What it takes in memory, nearly.
    pub(super) fn bytes(&self) -> usize {
        let hidden = self.hidden.iter().flat_map(|(_, namespaces)| namespaces);
        let texts = self.tags.iter().chain(&self.namespace).chain(&self.publisher).chain(hidden);
        300 + texts.map(|text| size_of::<String>() + text.len()).sum::<usize>()
    }
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// On all pages.
    pub total: usize,
    /// Numbers of the skills of this page, in order.
    pub numbers: Vec<i64>,
}

impl Found {
    /// A part of what was found from the first row on.
    pub(super) fn page(&self, limit: usize, offset: usize) -> Self {
        let numbers = self.numbers.iter().skip(offset).take(limit).copied().collect();
        Self { total: self.total, numbers }
    }
}

pub(super) type Clauses = Vec<(Occur, Box<dyn Query>)>;

impl Index {
    /// What is searched now.
    pub(super) fn searcher(&self) -> Searcher {
        self.reader.searcher()
    }

    /// Searches.
    pub(super) fn find(&self, searcher: &Searcher, query: &SearchQuery) -> Result<Found> {
        self.find_with(searcher, query, Vec::new())
    }

    /// Searches among the skills whose keys come behind this one.
    pub fn find_behind(&self, query: &SearchQuery, key: &str) -> Result<Found> {
        let behind = Bound::Excluded(Term::from_field_text(self.fields.key, key));
        let behind = Box::new(InvertedIndexRangeQuery::new(behind, Bound::Unbounded));
        self.find_with(&self.searcher(), query, vec![(Occur::Must, constant(behind, 0.0))])
    }

    fn find_with(&self, searcher: &Searcher, query: &SearchQuery, clauses: Clauses) -> Result<Found> {
        let built = self.built(query, clauses)?;
        let (total, addresses) = self.collect(searcher, &*built, query).map_err(Failure::internal)?;
        let mut columns = Vec::new();
        for segment in searcher.segment_readers() {
            columns.push(segment.fast_fields().u64("number").map_err(Failure::internal)?);
        }
        let numbers = addresses
            .into_iter()
            .filter_map(|address| columns[address.segment_ord as usize].first(address.doc_id))
            .filter_map(|number| i64::try_from(number).ok())
            .collect();
        Ok(Found { total, numbers })
    }

    /// The whole query, with these clauses.
    pub(super) fn built(&self, query: &SearchQuery, mut clauses: Clauses) -> Result<Box<dyn Query>> {
        clauses.extend(self.word_clauses(query)?);
        clauses.extend(self.filters(&query.filter()));
        if !clauses.iter().any(|(occur, _)| *occur == Occur::Must) {
            clauses.push((Occur::Must, Box::new(AllQuery)));
        }
        Ok(match clauses.len() {
            1 => clauses.remove(0).1,
            _ => Box::new(BooleanQuery::new(clauses)),
        })
    }

    fn collect(
        &self,
        searcher: &Searcher,
        built: &dyn Query,
        query: &SearchQuery,
    ) -> tantivy::Result<(usize, Vec<DocAddress>)> {
        fn addresses<Key>(found: (usize, Vec<(Key, DocAddress)>)) -> (usize, Vec<DocAddress>) {
            (found.0, found.1.into_iter().map(|(_, address)| address).collect())
        }
        if query.limit == 0 {
            return Ok((searcher.search(built, &Count)?, Vec::new()));
        }
        let top = TopDocs::with_limit(query.limit).and_offset(query.offset);
        let number = || (SortByStaticFastValue::<u64>::for_field("number"), Order::Asc);
        let falling = |field: &str| (SortByStaticFastValue::<u64>::for_field(field), Order::Desc);
        Ok(match query.sort {
            Sort::Relevance => {
                addresses(searcher.search(built, &(Count, top.order_by((SortBySimilarityScore, number()))))?)
            }
            Sort::Installs => {
                addresses(searcher.search(built, &(Count, top.order_by((falling("installs"), number()))))?)
            }
            Sort::Trending => {
                addresses(searcher.search(
                    built,
                    &(Count, top.order_by((falling("recent"), falling("installs"), number()))),
                )?)
            }
            Sort::Rating => addresses(searcher.search(
                built,
                &(
                    Count,
                    top.order_by((
                        (SortByStaticFastValue::<f64>::for_field("rating"), Order::Desc),
                        falling("rating_count"),
                        number(),
                    )),
                ),
            )?),
            Sort::Updated => {
                addresses(searcher.search(built, &(Count, top.order_by((falling("updated"), number()))))?)
            }
            Sort::Name => addresses(
                searcher
                    .search(built, &(Count, top.order_by((SortByString::for_field("key"), Order::Asc))))?,
            ),
        })
    }

    /// One clause for each word: it must be found in some field, and counts the more the weightier the field is.
    fn word_clauses(&self, query: &SearchQuery) -> Result<Clauses> {
        let words = query.words.as_str();
        let stems = self.tokens(STEMMED, words)?;
        let whole = self.tokens(WHOLE, words)?;
        let fields = &self.fields;
        let weights = [(fields.name, 4.0), (fields.tags, 3.0), (fields.description, 2.0), (fields.body, 1.0)];
        let mut clauses: Clauses = Vec::new();
        // A blank after the last word says that it is complete.
        let is_open = words.chars().next_back().is_some_and(char::is_alphanumeric);
        for (position, stem) in stems.iter().enumerate().take(query.max_words) {
            let mut places: Clauses = weights
                .iter()
                .map(|(field, weight)| (Occur::Should, boosted(*field, stem, *weight)))
                .collect();
            if is_open
                && position + 1 == stems.len()
                && let Some(prefix) = whole.last()
                && prefix.chars().count() >= MIN_PREFIX
            {
                // Each completion counts the same: how rare a longer word is says nothing.
                places.push((Occur::Should, begins_with(fields.words, prefix)));
            }
            clauses.push((Occur::Must, Box::new(BooleanQuery::new(places))));
        }
        if stems.is_empty() && query.has_words() {
            // Words without a letter or digit find nothing, rather than everything.
            clauses.push((Occur::Must, Box::new(BooleanQuery::new(Vec::new()))));
        }
        if !stems.is_empty() {
            clauses.push((Occur::Should, boosted(fields.exact, &exact(words), 8.0)));
        }
        Ok(clauses)
    }

    fn tokens(&self, tokenizer: &str, text: &str) -> Result<Vec<String>> {
        let mut analyzer = self
            .inner
            .tokenizers()
            .get(tokenizer)
            .ok_or_else(|| Failure::internal(format!("no tokenizer `{tokenizer}`")))?;
        let mut tokens = Vec::new();
        analyzer.token_stream(text).process(&mut |token| tokens.push(token.text.clone()));
        Ok(tokens)
    }

    fn filters(&self, filter: &Filter) -> Clauses {
        let fields = &self.fields;
        let unscored = |inner| constant(inner, 0.0);
        let mut clauses: Clauses = Vec::new();
        for tag in &filter.tags {
            clauses.push((Occur::Must, unscored(term(fields.tag, tag))));
        }
        if let Some(namespace) = &filter.namespace {
            clauses.push((Occur::Must, unscored(term(fields.namespace, namespace))));
        }
        if let Some(publisher) = &filter.publisher {
            clauses.push((Occur::Must, unscored(term(fields.publisher, publisher))));
        }
        if let Some(least) = filter.min_rating.map(f64::from_bits) {
            let least = Bound::Included(Term::from_field_f64(fields.rating, least));
            clauses.push((Occur::Must, unscored(Box::new(RangeQuery::new(least, Bound::Unbounded)))));
        }
        for (visibility, namespaces) in &filter.hidden {
            let mut hidden: Clauses = vec![(Occur::Must, term(fields.visibility, visibility.as_str()))];
            hidden.extend(namespaces.iter().map(|place| (Occur::MustNot, term(fields.namespace, place))));
            clauses.push((Occur::MustNot, Box::new(BooleanQuery::new(hidden))));
        }
        clauses
    }
}

enum Seen {
    Everywhere,
    Below(Vec<String>),
}

/// Where the caller sees skills of this visibility: [`Caller::sees`] as a list of namespaces.
fn seen_in(caller: &Caller, visibility: Visibility) -> Seen {
    let everywhere = vec![String::new()];
    let Some(identity) = caller.identity().filter(|identity| identity.has(skillery_core::Scope::Read)) else {
        return Seen::Below(Vec::new());
    };
    let bounds = if identity.token.namespaces.is_empty() {
        everywhere.clone()
    } else {
        identity.token.namespaces.clone()
    };
    let roles = if visibility == Visibility::Internal || identity.is_site_admin() {
        everywhere
    } else {
        identity.roles.iter().map(|(place, _)| place.clone()).collect()
    };
    let contains = |outer: &str, inner: &str| outer.is_empty() || key_contains(outer, inner);
    let mut places = Vec::new();
    for bound in &bounds {
        for role in &roles {
            if contains(bound, role) {
                places.push(role.clone());
            } else if contains(role, bound) {
                places.push(bound.clone());
            }
        }
    }
    if places.iter().any(String::is_empty) { Seen::Everywhere } else { Seen::Below(places) }
}

fn term(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::Basic))
}

fn begins_with(field: Field, prefix: &str) -> Box<dyn Query> {
    let (first, behind) = (Term::from_field_text(field, prefix), format!("{prefix}{}", char::MAX));
    let behind = Term::from_field_text(field, &behind);
    Box::new(InvertedIndexRangeQuery::new(Bound::Included(first), Bound::Excluded(behind)))
}

fn constant(query: Box<dyn Query>, score: f32) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, score))
}

fn boosted(field: Field, text: &str, weight: f32) -> Box<dyn Query> {
    let query = TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs);
    Box::new(BoostQuery::new(Box::new(query), weight))
}
