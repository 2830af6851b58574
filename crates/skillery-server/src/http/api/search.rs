//! `GET /api/v1/skills` and `GET /api/v1/facets`

use axum::http::StatusCode;
use axum::response::Response;
use bytes::{BufMut, BytesMut};
use skillery_core::api::{FacetCount, FacetsResponse, SearchResponse};
use skillery_core::limits::MAX_SEGMENT_LENGTH;
use skillery_core::{Limits, Namespace, Problem, Sort};

use crate::app::App;
use crate::db::accounts::{self, UserRow};
use crate::failure::Result;
use crate::http::call::{Call, invalid_parameter, json, ready_json};
use crate::search::{Counted, Facet, SearchQuery};
use crate::skill;

/// Searches the skills that the caller sees, by their latest versions.
#[utoipa::path(
    get, path = "/api/v1/skills", tag = "skills",
    params(
        ("q" = Option<String>, Query, description = "words that must all be found; the last may be the beginning of one"),
        ("tags" = Option<String>, Query, description = "tags that must all be there, separated by commas; at most 32, of 64 characters each and 512 together"),
        ("org" = Option<String>, Query, description = "a namespace; what lies below belongs to it"),
        ("publisher" = Option<String>, Query, description = "the name of the user who has published the latest version"),
        ("min_rating" = Option<f64>, Query, description = "the least average rating, 0 to 5"),
        ("sort" = Option<String>, Query, description = "`relevance` (default with `q`), `installs` (default without), `trending` (of the last seven days), `rating`, `updated`, `name`"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses(
        (status = 200, body = SearchResponse),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn search(call: &Call) -> Result<Response> {
    let query = query(call).await?;
    // What was acknowledged before this search started is found by it.
    call.app.search.wait_for(call.app.db.size()).await?;
    let found = call.app.search.find(&query).await?;
    let records = skill::records(&call.app, &call.caller, &found.numbers).await?;
    let mut body = BytesMut::with_capacity(64 + records.iter().map(|record| record.len() + 1).sum::<usize>());
    body.put(format!("{{\"total\":{},\"skills\":[", found.total).as_bytes());
    for (position, record) in records.iter().enumerate() {
        if position > 0 {
            body.put_u8(b',');
        }
        body.put(record.clone());
    }
    body.put(&b"]}"[..]);
    Ok(ready_json(StatusCode::OK, body.freeze()))
}

/// Counts the tags and the namespaces of all that a search finds, on whatever page: what it can be narrowed down by. Only skills
/// that the caller sees are counted.
#[utoipa::path(
    get, path = "/api/v1/facets", tag = "skills",
    params(
        ("q" = Option<String>, Query, description = "words that must all be found; the last may be the beginning of one"),
        ("tags" = Option<String>, Query, description = "tags that must all be there, separated by commas; at most 32, of 64 characters each and 512 together"),
        ("org" = Option<String>, Query, description = "a namespace; what lies below belongs to it"),
        ("publisher" = Option<String>, Query, description = "the name of the user who has published the latest version"),
        ("min_rating" = Option<f64>, Query, description = "the least average rating, 0 to 5"),
        ("limit" = Option<u32>, Query, description = "how many tags, and how many namespaces; 50 when left out, at most 200"),
    ),
    responses(
        (status = 200, body = FacetsResponse),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn facets(call: &Call) -> Result<Response> {
    let query = query(call).await?;
    let counted = count(&call.app, &query, &[Facet::Tag, Facet::Namespace], query.limit).await?;
    let told = |counts: Vec<Counted>| -> Vec<FacetCount> {
        counts.into_iter().map(|(name, count)| FacetCount { name, count: count as u64 }).collect()
    };
    let response = FacetsResponse {
        tags: told(counted.tags),
        namespaces: told(counted.namespaces),
        truncated: counted.is_cut,
    };
    json(StatusCode::OK, &response)
}

/// What all that is found has in common.
#[derive(Debug, Default)]
pub struct Facets {
    /// The commonest tags.
    pub tags: Vec<Counted>,
    /// The namespaces with most skills.
    pub namespaces: Vec<Counted>,
    /// Whether there are more of a kind than these.
    pub is_cut: bool,
}

/// Counts what is asked for, at most so many values of each kind, once everything is in the index that was acknowledged before.
pub async fn count(app: &App, query: &SearchQuery, kinds: &[Facet], most: usize) -> Result<Facets> {
    app.search.wait_for(app.db.size()).await?;
    // One more says whether there are more.
    let counted = app.search.facets(query, kinds, most.saturating_add(1)).await?;
    let mut facets = Facets::default();
    for (kind, mut counts) in kinds.iter().zip(counted) {
        facets.is_cut |= counts.len() > most;
        counts.truncate(most);
        match kind {
            Facet::Tag => facets.tags = counts,
            Facet::Namespace => facets.namespaces = counts,
        }
    }
    Ok(facets)
}

/// The query, of skills alone whose latest version this user has published; of none where there is no such user.
pub fn published_by(user: Option<&UserRow>, query: SearchQuery) -> SearchQuery {
    // The id of nobody is empty, and nobody has published anything.
    let id = user.map_or_else(String::new, |user| user.id.clone());
    SearchQuery { publisher: Some(id), ..query }
}

/// Whether so many tags, and so long ones, can be asked for together.
pub fn fit_together<'tag>(limits: &Limits, tags: impl Iterator<Item = &'tag String>) -> bool {
    let (count, length) = tags.fold((0, 0), |(count, length), tag| (count + 1, length + tag.chars().count()));
    count <= limits.tags && length <= limits.tag_length.max(2 * limits.query_length)
}

/// The name of the user whose skills are asked for. Telephones add a blank to what they complete.
pub fn publisher(call: &Call) -> Option<String> {
    let name = call.parameter("publisher")?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What a call asks for.
pub async fn query(call: &Call) -> Result<SearchQuery> {
    let words = call.parameter("q").unwrap_or_default();
    let longest = call.app.settings.limits.query_length;
    if words.chars().count() > longest {
        return Err(invalid_parameter("q", &format!("it is longer than {longest} characters")));
    }
    let tags: Vec<String> = call
        .all("tags")
        .flat_map(|tags| tags.split(',').map(|tag| tag.trim().to_owned()).collect::<Vec<_>>())
        .filter(|tag| !tag.is_empty())
        .collect();
    let limits = &call.app.settings.limits;
    if tags.len() > limits.tags {
        return Err(invalid_parameter("tags", &format!("at most {} tags can be asked for", limits.tags)));
    }
    // No skill has a longer one, and each link of a page of results has all of them.
    let longest = limits.tag_length;
    if tags.iter().any(|tag| tag.chars().count() > longest) {
        return Err(invalid_parameter("tags", &format!("a tag has at most {longest} characters")));
    }
    if !fit_together(limits, tags.iter()) {
        return Err(invalid_parameter("tags", "they are too long together: ask for fewer of them"));
    }
    let min_rating = call.parsed::<f64>("min_rating")?;
    if min_rating.is_some_and(|least| !(0.0..=5.0).contains(&least)) {
        return Err(invalid_parameter("min_rating", "it must be a number from 0 to 5"));
    }
    let publisher = publisher(call);
    // Nobody has a longer name, and each link of a page of results has it.
    if publisher.as_ref().is_some_and(|name| name.len() > MAX_SEGMENT_LENGTH) {
        let detail = format!("the name of a user has at most {MAX_SEGMENT_LENGTH} characters");
        return Err(invalid_parameter("publisher", &detail));
    }
    let page = call.page()?;
    let sort = call.parsed::<Sort>("sort")?.unwrap_or_else(|| Sort::usual(&words));
    let query = SearchQuery {
        tags,
        namespace: call.parsed::<Namespace>("org")?,
        min_rating,
        words,
        ..SearchQuery::all(&call.app, &call.caller, sort, page.limit, page.offset)
    };
    match publisher {
        Some(name) => {
            let user = accounts::user_by_name(call.app.db.reader(), &name).await?;
            Ok(published_by(user.as_ref(), query))
        }
        None => Ok(query),
    }
}
