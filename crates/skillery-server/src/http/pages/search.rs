//! `GET /search` and `GET /search/suggest`

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue, VARY};
use axum::response::Response;
use serde::Serialize;
use skillery_core::api::Record;
use skillery_core::{Namespace, Sort};

use super::frame::{Frame, page};
use super::pager::{Fit, Pager, Pages, fitting_rows, with_before};
use super::{feed, place, said, show};
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
/// Bytes of HTML for each of both and for tags to take away, for a link without its address and its text, and for a result without
/// its texts.
const ROOM_BESIDE: usize = 5_000;
const LINK: usize = 100;
const RESULT: usize = 350;
/// The most bytes of HTML of an address with all that is asked for, where other links have it than those to the pages before and
/// behind.
const MOST_ADDRESS: usize = 2_500;

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
    /// Whether it is so much that the filters alone lead to the same search with less or more.
    is_heavy: bool,
    /// How many of them there is room to take away for.
    removable: usize,
    namespace: String,
    /// The name of the user who is to have published the newest versions, as it was asked for.
    publisher: String,
    min_rating: String,
    sort: &'static str,
    total: usize,
    first: usize,
    records: Vec<Record>,
    pager: Pager,
    suggested_tags: Vec<Counted>,
    namespaces: Vec<Counted>,
}

/// What a search is narrowed down by, as it stands in an address; what is empty leaves nothing out.
#[derive(Clone, Copy)]
struct Filters<'page> {
    tags: &'page str,
    namespace: &'page str,
    publisher: &'page str,
    min_rating: &'page str,
}

impl SearchPage {
    fn has_filters(&self) -> bool {
        let filters = [&self.namespace, &self.publisher, &self.min_rating];
        !self.tags.is_empty() || filters.iter().any(|filter| !filter.is_empty())
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

    /// Bytes of HTML that what is asked for takes, in texts and in links with this many bytes of address, at most nearly.
    fn weight(&self, address: usize) -> usize {
        let tags = self.tags.iter().map(|tag| 1 + show::weight(tag)).sum::<usize>();
        // The words are in two titles, two fields and the heading, and encoded in a link.
        let texts = 5 * show::weight(&self.query) + 3 * self.query.len() + tags + 2 * self.namespace.len();
        // A field has the publisher, and a link to take it away.
        let publisher = 2 * (LINK + show::weight(&self.publisher));
        // The pages before and behind, else both links to the feed, and those without the namespace, the publisher and the rating,
        // too.
        let (links, lists) = if self.is_heavy { (2, 0) } else { (7, 3 * ROOM_BESIDE) };
        texts + publisher + links * (LINK + address) + lists
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
        let tags = tags.join(",");
        self.address(self.filters(&tags))
    }

    fn within(&self, namespace: &str) -> String {
        let tags = self.tags.join(",");
        self.address(Filters { namespace, ..self.filters(&tags) })
    }

    fn without_namespace(&self) -> String {
        self.within("")
    }

    fn without_publisher(&self) -> String {
        let tags = self.tags.join(",");
        self.address(Filters { publisher: "", ..self.filters(&tags) })
    }

    fn without_rating(&self) -> String {
        let tags = self.tags.join(",");
        self.address(Filters { min_rating: "", ..self.filters(&tags) })
    }

    /// What it is narrowed down by, with these tags in place of its own.
    fn filters<'page>(&'page self, tags: &'page str) -> Filters<'page> {
        Filters { tags, namespace: &self.namespace, publisher: &self.publisher, min_rating: &self.min_rating }
    }

    fn address(&self, filters: Filters<'_>) -> String {
        place::address(SEARCH, self.pairs(filters))
    }

    fn pairs<'page>(&'page self, filters: Filters<'page>) -> [(&'page str, &'page str); 6] {
        let sort = if self.sort == Sort::usual(&self.query).as_str() { "" } else { self.sort };
        let Filters { tags, namespace, publisher, min_rating } = filters;
        [
            ("q", &self.query),
            ("tags", tags),
            ("org", namespace),
            ("publisher", publisher),
            ("min_rating", min_rating),
            ("sort", sort),
        ]
    }
}

/// Whether two tags are one: they are found whatever the case of their letters.
fn is_same(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// Bytes of HTML that a result takes, at most nearly.
fn weight(record: &Record) -> usize {
    let texts = [show::clipped_to(&record.description, 300, 900), show::clipped_to(&record.author, 100, 200)];
    let texts = texts.iter().map(|text| show::weight(text)).sum::<usize>();
    let tags = show::few_tags(&record.tags).map(|tag| show::tag_weight(tag)).sum::<usize>();
    RESULT + 2 * record.id.len() + record.version.len() + texts + tags
}

/// What was found, and how to find less or more.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let mut query = api::query(call).await?;
    let rows = Page { limit: query.limit.min(ROWS), offset: query.offset };
    let known = with_before(rows);
    (query.limit, query.offset) = (known.limit, known.offset);
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
        is_heavy: false,
        removable: 0,
        namespace: query.namespace.as_ref().map_or_else(String::new, ToString::to_string),
        publisher: api::publisher(call).unwrap_or_default(),
        // As short as it can be said, however it was written.
        min_rating: query
            .min_rating
            .map_or_else(String::new, |least| format!("{least:?}").trim_end_matches(".0").to_owned()),
        sort: query.sort.as_str(),
        total: found.total,
        first: rows.offset + 1,
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
    let address = show::weight(&page_.within(&page_.namespace));
    page_.is_heavy = address > MOST_ADDRESS;
    if page_.is_heavy {
        page_.suggested_tags.clear();
        page_.namespaces.clear();
    }
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
    let pairs = page_.pairs(page_.filters(&tags));
    let room = said::ROOM.saturating_sub(page_.weight(address));
    let fit = Fit::of_part((&page_.records, known, page_.total as u64), rows, room, weight);
    let pager = fit.pager(&Pages::of(&call.app, SEARCH, &pairs).at_most(ROWS), rows.limit);
    let feed = (!page_.is_heavy).then(|| place::address(feed::SEARCH_FEED, pairs));
    (page_.pager, page_.frame.feed) = (pager, feed);
    fit.cut(&mut page_.records);
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
    let mut query = api::query(call).await?;
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
