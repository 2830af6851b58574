//! `GET /search` and `GET /skills`: searching, and walking over what there is.

use std::collections::HashMap;

use axum::response::Response;
use serde::Serialize;
use skillery_core::Sort;
use skillery_core::limits::MAX_SEGMENT_LENGTH;

use super::forms::{Hit, Item, Listed};
use super::names::{id_of, named, slug_of};
use super::{Result, json};
use crate::app::App;
use crate::db::listing::{self, Place, Walk};
use crate::db::skills::{self, SkillRow};
use crate::db::{review, stars};
use crate::failure;
use crate::http::call::{Call, invalid_parameter};
use crate::search::SearchQuery;

/// Rows when the program does not say.
const USUAL: usize = 25;
/// Rows that a walk looks at at once.
const ROWS: usize = 200;

#[derive(Serialize)]
struct Hits {
    results: Vec<Hit>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Items {
    items: Vec<Item>,
    next_cursor: Option<String>,
}

/// Searches what the caller sees: by words, or with `mode=exact` by the whole name.
pub async fn search(call: &Call) -> Result<Response> {
    let base = super::base(call);
    let words = call.parameter("q").unwrap_or_default();
    let longest = call.app.settings.limits.query_length;
    if words.chars().count() > longest {
        return Err(invalid_parameter("q", &format!("it is longer than {longest} characters")).into());
    }
    let limit = limit(call)?;
    let found = match call.parameter("mode").as_deref() {
        Some("exact") => exact(call, &words, limit).await?,
        _ => {
            let numbers = find(call, words, Sort::Relevance, limit, 0).await?.1;
            of_numbers(&call.app, call, &numbers).await?
        }
    };
    let results = found.iter().enumerate().map(|(place, listed)| Hit::of(listed, place, &base)).collect();
    json(&Hits { results })
}

/// Lists what the caller sees, in an order; with `prefix` skills whose names begin so.
pub async fn explore(call: &Call) -> Result<Response> {
    let limit = limit(call)?;
    let cursor = call.parameter("cursor");
    if let Some(prefix) = call.parameter("prefix") {
        return walked(call, Walk::Beginning(name_of(&prefix)), cursor, limit).await;
    }
    let sort = match call.parameter("sort").as_deref() {
        Some("createdAt" | "newest") => return walked(call, Walk::Newest, cursor, limit).await,
        Some("stars") => return walked(call, Walk::Stars, cursor, limit).await,
        Some("downloads" | "installs" | "installsAllTime" | "installsCurrent" | "recommended") => {
            Sort::Installs
        }
        Some("trending") => Sort::Trending,
        Some("rating") => Sort::Rating,
        Some("name") => Sort::Name,
        None | Some("updated") => Sort::Updated,
        Some(_) => {
            let orders =
                "`createdAt`, `updated`, `stars`, `downloads`, `installs`, `trending`, `rating`, `name`";
            return Err(invalid_parameter("sort", &format!("it is none of {orders}")).into());
        }
    };
    let offset = match cursor {
        None => 0,
        Some(text) => text.parse::<usize>().map_err(|_| bad_cursor())?,
    };
    let most = call.app.settings.limits.page_offset;
    if offset > most {
        return Err(invalid_parameter("cursor", &format!("at most {most} rows can be passed over")).into());
    }
    let (total, numbers) = find(call, String::new(), sort, limit, offset).await?;
    let next = offset + limit;
    let mut items = of_numbers(&call.app, call, &numbers).await?;
    tell_changes(&call.app, &mut items).await?;
    let next_cursor = (next < total && next <= most).then(|| next.to_string());
    json(&Items { items: items.iter().map(Item::of).collect(), next_cursor })
}

/// As many rows as the program wants, as far as a page goes: it asks for more without being told that it may not.
fn limit(call: &Call) -> Result<usize> {
    let limit = call.parsed::<usize>("limit")?.unwrap_or(USUAL);
    Ok(limit.clamp(1, call.app.settings.limits.page_rows))
}

/// The beginning of a key as that of a name.
fn name_of(text: &str) -> String {
    text.trim().to_lowercase().replace(['_', '.'], "-")
}

fn bad_cursor() -> failure::Failure {
    invalid_parameter("cursor", "it is none that this registry has given")
}

async fn find(
    call: &Call,
    words: String,
    sort: Sort,
    limit: usize,
    offset: usize,
) -> Result<(usize, Vec<i64>)> {
    let app = &call.app;
    app.search.wait_for(app.db.size()).await?;
    let query = SearchQuery { words, ..SearchQuery::all(app, &call.caller, sort, limit, offset) };
    let found = app.search.find(&query).await?;
    Ok((found.total, found.numbers))
}

async fn exact(call: &Call, text: &str, limit: usize) -> Result<Vec<Listed>> {
    let skills = match text.trim().split_once('/') {
        Some((owner, slug)) => {
            let found = match id_of(owner, slug) {
                Some(id) => skills::find(call.app.db.reader(), &id.key()).await?,
                None => None,
            };
            found.into_iter().collect()
        }
        None => named(&call.app, &call.caller, text, limit).await?,
    };
    let latest = skills.into_iter().filter(|skill: &SkillRow| skill.latest.is_some());
    let keys: Vec<String> = latest.map(|skill| skill.id.key()).collect();
    listed(&call.app, call, &keys).await
}

/// These skills, of numbers of the index.
async fn of_numbers(app: &App, call: &Call, numbers: &[i64]) -> Result<Vec<Listed>> {
    let keys: HashMap<i64, String> = skills::keys_of(&app.db, numbers).await?.into_iter().collect();
    let keys: Vec<String> = numbers.iter().filter_map(|number| keys.get(number).cloned()).collect();
    listed(app, call, &keys).await
}

/// These skills, in their order, as far as the caller sees them and they have a latest version.
pub async fn listed(app: &App, call: &Call, keys: &[String]) -> Result<Vec<Listed>> {
    let mut stars = stars::counts(&app.db, keys).await?;
    let mut found: HashMap<String, Listed> = HashMap::with_capacity(keys.len());
    for full in skills::records(&app.db, keys).await? {
        let key = full.skill.id.key();
        let is_seen = call.caller.sees(full.skill.visibility, &full.skill.id.namespace().key());
        if is_seen && full.record.is_some() {
            let stars = stars.remove(&key).unwrap_or(0);
            found.insert(key, Listed { full, stars, changelog: String::new() });
        }
    }
    Ok(keys.iter().filter_map(|key| found.remove(key)).collect())
}

/// Adds what changed with the latest versions of these skills.
pub async fn tell_changes(app: &App, found: &mut [Listed]) -> Result<()> {
    let keys: Vec<String> = found.iter().map(|listed| listed.full.skill.id.key()).collect();
    let mut told = review::latest_changelogs(&app.db, &keys).await?;
    for (listed, key) in found.iter_mut().zip(keys) {
        let latest = listed.full.record.as_ref().map(|record| record.version.clone());
        listed.changelog = latest.and_then(|latest| told.remove(&(key, latest))).unwrap_or_default();
    }
    Ok(())
}

async fn walked(call: &Call, walk: Walk, cursor: Option<String>, limit: usize) -> Result<Response> {
    // What can be in no name begins none; not every database takes it either.
    if matches!(&walk, Walk::Beginning(prefix) if !is_of_name(prefix)) {
        return json(&Items { items: Vec::new(), next_cursor: None });
    }
    let given = match cursor {
        None => None,
        Some(cursor) => Some(place_of(&cursor, &walk).ok_or_else(bad_cursor)?),
    };
    // Whoever is not signed in sees public skills alone.
    let is_public = call.caller.identity().is_none();
    // Where the walk is, and the last skill of the page: a cursor tells of no other.
    let (mut place, mut last) = (given, None);
    let mut keys = Vec::new();
    let is_end = 'walk: loop {
        let page = listing::walk(&call.app.db, &walk, place.as_ref(), is_public, ROWS as i64).await?;
        let is_last = page.len() < ROWS;
        for (skill, stars) in page {
            let is_seen = call.caller.sees(skill.visibility, &skill.id.namespace().key());
            if is_seen && keys.len() == limit {
                break 'walk false;
            }
            let here = Place { number: skill.number, stars, name: slug_of(&skill.id) };
            if is_seen {
                keys.push(skill.id.key());
                last = Some(here.clone());
            }
            place = Some(here);
        }
        if is_last {
            break true;
        }
    };
    let mut items = listed(&call.app, call, &keys).await?;
    tell_changes(&call.app, &mut items).await?;
    let next_cursor = last.filter(|_| !is_end).map(|place| cursor_of(&place, &walk));
    json(&Items { items: items.iter().map(Item::of).collect(), next_cursor })
}

/// Whether these letters may be in the key of a name.
fn is_of_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= MAX_SEGMENT_LENGTH && text.bytes().all(is_letter)
}

fn cursor_of(place: &Place, walk: &Walk) -> String {
    match walk {
        Walk::Beginning(_) => format!("{}.{}", place.number, place.name),
        Walk::Newest | Walk::Stars => format!("{}.{}", place.number, place.stars),
    }
}

/// [`cursor_of`] read again.
fn place_of(cursor: &str, walk: &Walk) -> Option<Place> {
    let (number, rest) = cursor.split_once('.')?;
    let number = number.parse().ok()?;
    match walk {
        Walk::Beginning(prefix) => {
            let is_behind = is_of_name(rest) && rest.starts_with(prefix);
            is_behind.then(|| Place { number, stars: 0, name: rest.to_owned() })
        }
        Walk::Newest | Walk::Stars => Some(Place { number, stars: rest.parse().ok()?, name: String::new() }),
    }
}
