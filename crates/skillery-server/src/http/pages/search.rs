//! `GET /search` and `GET /search/suggest`

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, VARY};
use axum::response::Response;
use serde::Serialize;
use skillery_core::api::Record;
use skillery_core::{Namespace, Sort};

use super::frame::{Frame, page};
use super::pager::{Pager, Pages, fitting_rows};
use super::{feed, place, show};
use crate::failure::{Failure, Result};
use crate::http::api::search as api;
use crate::http::call::{Call, Page, json};
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
/// Bytes of HTML for each of both, and for a link without its address and its text.
const ROOM_BESIDE: usize = 5_000;
const LINK: usize = 100;

/// What is found by a query, once everything is in the index that was acknowledged before.
pub async fn found(call: &Call, query: &SearchQuery) -> Result<Found> {
    call.app.search.wait_for(call.app.db.size()).await?;
    call.app.search.find(query).await
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
    /// How many of them there is room to take away for.
    removable: usize,
    namespace: String,
    min_rating: String,
    sort: &'static str,
    total: usize,
    first: usize,
    records: Vec<Record>,
    pager: Pager,
    suggested_tags: Vec<Counted>,
    namespaces: Vec<Counted>,
}

impl SearchPage {
    fn has_filters(&self) -> bool {
        !self.tags.is_empty() || !self.namespace.is_empty() || !self.min_rating.is_empty()
    }

    /// Whether it is a search for this tag.
    fn has(&self, tag: impl AsRef<str>) -> bool {
        self.tags.iter().any(|known| is_same(known, tag.as_ref()))
    }

    fn shown_tags(&self) -> &[String] {
        &self.tags[..self.removable]
    }

    fn more_tags(&self) -> usize {
        self.tags.len() - self.removable
    }

    fn last(&self) -> usize {
        self.first + self.records.len().saturating_sub(1)
    }

    /// The address of the same search with this tag, or without it where it has it.
    fn toggled(&self, tag: &str) -> String {
        let mut tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        match tags.iter().position(|known| is_same(known, tag)) {
            Some(place) => drop(tags.remove(place)),
            None => tags.push(tag),
        }
        self.address(&tags, &self.namespace)
    }

    fn within(&self, namespace: &str) -> String {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        self.address(&tags, namespace)
    }

    fn without_namespace(&self) -> String {
        self.within("")
    }

    fn without_rating(&self) -> String {
        let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        self.with_rating(&tags, &self.namespace, "")
    }

    fn address(&self, tags: &[&str], namespace: &str) -> String {
        self.with_rating(tags, namespace, &self.min_rating)
    }

    fn with_rating(&self, tags: &[&str], namespace: &str, min_rating: &str) -> String {
        let tags = tags.join(",");
        place::address(SEARCH, self.pairs(&tags, namespace, min_rating))
    }

    fn pairs<'pair>(
        &'pair self,
        tags: &'pair str,
        namespace: &'pair str,
        min_rating: &'pair str,
    ) -> [(&'pair str, &'pair str); 5] {
        let sort = if self.sort == Sort::usual(&self.query).as_str() { "" } else { self.sort };
        [("q", &self.query), ("tags", tags), ("org", namespace), ("min_rating", min_rating), ("sort", sort)]
    }
}

/// Whether two tags are one: they are found whatever the case of their letters.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// What was found, and how to find less or more.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let mut query = api::query(call)?;
    query.limit = query.limit.min(ROWS);
    let found = found(call, &query).await?;
    let records = records(call, &found).await?;
    let words = call.parameter("q").unwrap_or_default();
    let counted = api::count(&call.app, &query, &[Facet::Namespace, Facet::Tag], FACETS).await?;
    let mut namespaces = counted.namespaces;
    // Those that lie above what is asked for would leave nothing out.
    let own = query.namespace.as_ref().map_or_else(String::new, Namespace::key);
    namespaces.retain(|(namespace, _)| namespace.len() > own.len());
    let mut tags: Vec<String> = Vec::new();
    for tag in &query.tags {
        if !tags.iter().any(|known| is_same(known, tag)) {
            tags.push(tag.clone());
        }
    }
    let mut page_ = SearchPage {
        frame: frame.titled(if words.is_empty() {
            "All skills".to_owned()
        } else {
            format!("{words} · Search")
        }),
        tags,
        removable: 0,
        namespace: query.namespace.as_ref().map_or_else(String::new, ToString::to_string),
        min_rating: call.parameter("min_rating").unwrap_or_default(),
        sort: query.sort.as_str(),
        total: found.total,
        first: query.offset + 1,
        suggested_tags: counted.tags,
        namespaces,
        records,
        pager: Pager::default(),
        query: words,
    };
    page_.frame.words.clone_from(&page_.query);
    page_.frame.part = "search";
    // Nothing leads to what would be refused.
    let limits = &call.app.settings.limits;
    let may_add = |tag: &String| api::fit_together(limits, page_.tags.iter().chain([tag]));
    let suggested = std::mem::take(&mut page_.suggested_tags);
    page_.suggested_tags = suggested.into_iter().filter(|(tag, _)| page_.has(tag) || may_add(tag)).collect();
    // Each link has all that is asked for in it, which may be long.
    let fits = fitting_rows(page_.suggested_tags.iter(), ROOM_BESIDE, |(tag, _)| {
        LINK + show::weight(&page_.toggled(tag)) + show::weight(tag)
    });
    page_.suggested_tags.truncate(fits);
    let fits = fitting_rows(page_.namespaces.iter(), ROOM_BESIDE, |(namespace, _)| {
        LINK + show::weight(&page_.within(namespace)) + namespace.len()
    });
    page_.namespaces.truncate(fits);
    page_.removable = fitting_rows(page_.tags.iter(), ROOM_BESIDE, |tag| {
        LINK + show::weight(&page_.toggled(tag)) + show::weight(tag)
    });
    let tags = page_.tags.join(",");
    let pairs = page_.pairs(&tags, &page_.namespace, &page_.min_rating);
    let rows = Page { limit: query.limit, offset: query.offset };
    let pager = Pages::of(&call.app, SEARCH, &pairs).at_most(ROWS).by_offset(rows, page_.total as u64);
    let feed = place::address(feed::SEARCH_FEED, pairs);
    (page_.pager, page_.frame.feed) = (pager, Some(feed));
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
    let suggestions: Vec<Suggestion> = records(call, &call.app.search.find(&query).await?)
        .await?
        .into_iter()
        .map(|record| Suggestion {
            href: format!("/{}", record.id),
            id: record.id,
            description: record.description,
        })
        .collect();
    let mut response = json(StatusCode::OK, &suggestions)?;
    // It is a page's, and depends on who is signed in.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response.headers_mut().insert(VARY, HeaderValue::from_static("cookie"));
    Ok(response)
}
