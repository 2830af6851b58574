//! `GET /search` and `GET /search/suggest`

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use skillery_core::api::Record;
use skillery_core::{Namespace, Sort};

use super::frame::{Frame, page};
use super::{place, show};
use crate::failure::{Failure, Result};
use crate::http::api::search as api;
use crate::http::call::{Call, json};
use crate::search::{Counted, Facet, Found, SearchQuery};
use crate::skill;

/// The results.
pub const SEARCH: &str = "/search";
/// What may be meant by what is typed.
pub const SUGGEST: &str = "/search/suggest";

/// Rows of a page of results.
const ROWS: usize = 20;
const SUGGESTIONS: usize = 8;
/// Tags, and namespaces, that are counted.
const FACETS: usize = 12;

/// What is found by a query, once everything is in the index that was acknowledged before.
pub async fn found(call: &Call, query: &SearchQuery) -> Result<Found> {
    call.app.search.wait_for(call.app.db.size()).await?;
    call.app.search.find(query)
}

/// The records of what was found.
pub async fn records(call: &Call, found: &Found) -> Result<Vec<Record>> {
    let ready = skill::records(&call.app, &call.caller, &found.numbers).await?;
    ready.iter().map(|record| serde_json::from_slice(record).map_err(Failure::internal)).collect()
}

#[derive(Template)]
#[template(path = "pages/search.html")]
struct SearchPage {
    frame: Frame,
    query: String,
    tags: Vec<String>,
    namespace: String,
    min_rating: String,
    sort: &'static str,
    total: usize,
    first: usize,
    records: Vec<Record>,
    previous: Option<String>,
    next: Option<String>,
    suggested_tags: Vec<Counted>,
    namespaces: Vec<Counted>,
}

impl SearchPage {
    fn has_filters(&self) -> bool {
        !self.tags.is_empty() || !self.namespace.is_empty() || !self.min_rating.is_empty()
    }

    fn last(&self) -> usize {
        self.first + self.records.len().saturating_sub(1)
    }

    /// The address of the same search with this tag, or without it where it has it.
    fn toggled(&self, tag: &str) -> String {
        let mut tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        match tags.iter().position(|known| *known == tag) {
            Some(place) => drop(tags.remove(place)),
            None => tags.push(tag),
        }
        self.address(&tags, &self.namespace, 0)
    }

    fn within(&self, namespace: &str) -> String {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        self.address(&tags, namespace, 0)
    }

    fn without_namespace(&self) -> String {
        self.within("")
    }

    fn without_rating(&self) -> String {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        self.with_rating(&tags, &self.namespace, "", 0)
    }

    fn address(&self, tags: &[&str], namespace: &str, offset: usize) -> String {
        self.with_rating(tags, namespace, &self.min_rating, offset)
    }

    fn with_rating(&self, tags: &[&str], namespace: &str, min_rating: &str, offset: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let offset = if offset > 0 { offset.to_string() } else { String::new() };
        let tags = tags.join(",");
        let sort = if self.sort == default_sort(&self.query).as_str() { "" } else { self.sort };
        for (name, value) in [
            ("q", self.query.as_str()),
            ("tags", &tags),
            ("org", namespace),
            ("min_rating", min_rating),
            ("sort", sort),
            ("offset", &offset),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        format!("{SEARCH}?{}", query.finish())
    }
}

fn default_sort(words: &str) -> Sort {
    if words.trim().is_empty() { Sort::Installs } else { Sort::Relevance }
}

/// What was found, and how to find less or more.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let mut query = api::query(call)?;
    query.limit = query.limit.min(ROWS);
    let found = found(call, &query).await?;
    let records = records(call, &found).await?;
    let words = call.parameter("q").unwrap_or_default();
    let mut counted = call.app.search.facets(&query, &[Facet::Namespace, Facet::Tag], FACETS)?.into_iter();
    let mut namespaces = counted.next().unwrap_or_default();
    // Those that lie above what is asked for would leave nothing out.
    let own = query.namespace.as_ref().map_or_else(String::new, Namespace::key);
    namespaces.retain(|(namespace, _)| namespace.len() > own.len());
    let mut page_ = SearchPage {
        frame: frame.titled(if words.is_empty() {
            "All skills".to_owned()
        } else {
            format!("{words} · Search")
        }),
        tags: query.tags.clone(),
        namespace: query.namespace.as_ref().map_or_else(String::new, ToString::to_string),
        min_rating: call.parameter("min_rating").unwrap_or_default(),
        sort: query.sort.as_str(),
        total: found.total,
        first: query.offset + 1,
        suggested_tags: counted.next().unwrap_or_default(),
        namespaces,
        records,
        previous: None,
        next: None,
        query: words,
    };
    page_.frame.words.clone_from(&page_.query);
    page_.frame.part = "search";
    page_.frame.feed = Some(match call.head.uri.query() {
        Some(asked) => format!("{}?{asked}", super::feed::SEARCH_FEED),
        None => super::feed::SEARCH_FEED.to_owned(),
    });
    let tags: Vec<&str> = page_.tags.iter().map(String::as_str).collect();
    let (offset, end) = (query.offset, query.offset + query.limit);
    let has_next = end < page_.total && end <= call.app.settings.limits.page_offset;
    let previous =
        (offset > 0).then(|| page_.address(&tags, &page_.namespace, offset.saturating_sub(query.limit)));
    let next = has_next.then(|| page_.address(&tags, &page_.namespace, end));
    (page_.previous, page_.next) = (previous, next);
    page(&page_)
}

#[derive(Serialize)]
struct Suggestion {
    id: String,
    description: String,
    href: String,
}

/// Skills whose id, tags or description begin with what is typed.
pub async fn suggest(call: &Call) -> Result<Response> {
    let mut query = api::query(call)?;
    query.limit = SUGGESTIONS;
    query.offset = 0;
    let suggestions: Vec<Suggestion> = records(call, &call.app.search.find(&query)?)
        .await?
        .into_iter()
        .map(|record| Suggestion {
            href: format!("/{}", record.id),
            id: record.id,
            description: record.description,
        })
        .collect();
    json(StatusCode::OK, &suggestions)
}
