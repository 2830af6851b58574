//! `GET /skills` and `GET /facets`: find skills.

use skillery_core::Namespace;
pub use skillery_core::Sort;
use skillery_core::api::{FacetsResponse, Record, SearchResponse};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

/// The most rows that any registry puts on one page.
const PAGE_ROWS: u64 = 200;

/// What to look for. What is left out does not narrow the search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SearchQuery {
    /// Words of name, tags, description and text.
    pub q: String,
    /// All of these must be there.
    pub tags: Vec<String>,
    /// This namespace and what is below it.
    pub org: Option<Namespace>,
    /// The name of the user who has published the latest version.
    pub publisher: Option<String>,
    /// From 0 to 5.
    pub min_rating: Option<f64>,
    /// The order; `relevance` with words, `installs` without, when left out.
    pub sort: Option<Sort>,
    /// Which part of what is found.
    pub page: Page,
}

impl SearchQuery {
    /// What skills have to be for it to find them.
    fn add_to(&self, call: Call) -> Call {
        let words = Some(self.q.trim()).filter(|words| !words.is_empty());
        let tags = Some(self.tags.join(",")).filter(|tags| !tags.is_empty());
        call.query("q", words)
            .query("tags", tags)
            .query("org", self.org.as_ref())
            .query("publisher", self.publisher.as_ref())
            .query("min_rating", self.min_rating)
    }
}

impl Client {
    /// One page of a search.
    pub async fn search(&self, query: &SearchQuery) -> Result<SearchResponse> {
        let call = query.add_to(Call::get(&["skills"])).query("sort", query.sort);
        self.json(query.page.add_to(call)).await
    }

    /// The commonest tags and namespaces of all that a search finds, as many of each as the page has rows. Its order and the
    /// rows to skip count for nothing.
    pub async fn facets(&self, query: &SearchQuery) -> Result<FacetsResponse> {
        self.json(query.add_to(Call::get(&["facets"])).query("limit", query.page.limit)).await
    }

    /// As many skills as `limit` says, from as many pages as that takes.
    pub async fn search_many(&self, query: &SearchQuery, limit: u64) -> Result<SearchResponse> {
        let mut query = query.clone();
        let first = query.page.offset.unwrap_or(0);
        let mut skills: Vec<Record> = Vec::new();
        loop {
            let missing = limit.saturating_sub(skills.len() as u64);
            query.page = Page {
                limit: Some(missing.clamp(1, PAGE_ROWS)),
                offset: Some(first + skills.len() as u64).filter(|offset| *offset > 0),
            };
            let page = self.search(&query).await?;
            let got = page.skills.len() as u64;
            skills.extend(page.skills);
            if got < PAGE_ROWS || got >= missing {
                skills.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
                return Ok(SearchResponse { total: page.total, skills });
            }
        }
    }
}
