//! `GET /{id}/feed`, `/{namespace}/feed` and `/search/feed`: what is new, as Atom (RFC 4287).

use std::collections::HashMap;

use askama::Template;
use axum::http::header::{HeaderValue, VARY};
use axum::response::Response;
use bytes::Bytes;
use skillery_core::api::Record;
use skillery_core::time::Time;
use skillery_core::{Digest, Namespace, ProblemCode, SkillId, Sort, Version, VersionStatus, Visibility};

use super::search::{found, records};
use crate::db::skills::SkillRow;
use crate::db::{log, review};
use crate::failure::{Failure, Result};
use crate::http::api::search as search_api;
use crate::http::api::versions as versions_api;
use crate::http::call::Call;
use crate::http::etag::Tagged;
use crate::search::SearchQuery;
use crate::skill;

/// Versions of a skill.
pub const SKILL_FEED: &str = "/{id}/feed";
/// Skills of a namespace.
pub const NAMESPACE_FEED: &str = "/{namespace}/feed";
/// Skills that a search finds.
pub const SEARCH_FEED: &str = "/search/feed";

/// Entries of a feed.
const ENTRIES: usize = 50;
/// Entries of the log about yanked versions that are looked at.
const YANKS: usize = 200;

struct Entry {
    address: String,
    title: String,
    published: String,
    updated: String,
    author: String,
    summary: String,
    tags: Vec<String>,
}

#[derive(Template)]
#[template(path = "feeds/feed.xml")]
struct Feed {
    address: String,
    page: String,
    title: String,
    subtitle: String,
    entries: Vec<Entry>,
    /// When what the feed is about began; it was changed then when nothing is in it.
    began: String,
    version: &'static str,
}

impl Feed {
    /// The time of the newest entry. Times are written alike, so that their texts are in their order.
    fn updated(&self) -> &str {
        self.entries.iter().map(|entry| entry.updated.as_str()).max().unwrap_or(&self.began)
    }

    fn answer(&self, call: &Call, is_for_all: bool) -> Result<Response> {
        let text = self.render().map_err(Failure::internal)?;
        let text =
            Bytes::from(text.chars().filter(|character| may_be_in_xml(*character)).collect::<String>());
        let tagged = Tagged::new(call, &Digest::of(&text));
        let answer = tagged.answer(text, "application/atom+xml; charset=utf-8", Some(cache(is_for_all)));
        Ok(by_cookie(answer, is_for_all))
    }
}

/// The answer, with what it depends on: a cookie, where it is not for all.
pub fn by_cookie(mut answer: Response, is_for_all: bool) -> Response {
    if !is_for_all {
        answer.headers_mut().insert(VARY, HeaderValue::from_static("cookie"));
    }
    answer
}

/// How long something may be kept that changes now and then, by whom.
pub fn cache(is_for_all: bool) -> &'static str {
    if is_for_all { "public, max-age=300" } else { "private, no-cache" }
}

/// Whether XML can hold the character at all.
fn may_be_in_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// The versions of a skill that are handed out, the last published first.
pub async fn of_skill(call: &Call, id: &SkillId) -> Result<Response> {
    let base = call.base()?;
    let row = match skill::find(&call.app, &call.caller, id).await {
        // What has the form of a skill's id may be a namespace.
        Err(failure) if failure.code() == ProblemCode::SkillNotFound => match id.as_str().parse() {
            Ok(namespace) => {
                let of_namespace = of_namespace(call, &namespace).await;
                return of_namespace
                    .map_err(|other| if other.problem.status == 404 { failure } else { other });
            }
            Err(_) => return Err(failure),
        },
        found => found?,
    };
    let loaded = skill::load(&call.app, &call.caller, &row.id).await?;
    let record = loaded.record.as_ref().and_then(|record| serde_json::from_slice::<Record>(record).ok());
    let description = record.as_ref().map(|record| record.description.clone()).unwrap_or_default();
    let mut versions = versions_api::seen(&call.app, &call.caller, &row).await?;
    versions.retain(|version| matches!(version.status, VersionStatus::Published | VersionStatus::Yanked));
    versions.sort_by_key(|version| std::cmp::Reverse(version.created_at));
    versions.truncate(ENTRIES);
    let changed = changed(call, &row).await?;
    let entries = versions.into_iter().map(|version| {
        // What the record says is of its version, and of no other.
        let of = record.as_ref().filter(|record| record.version == version.version.to_string());
        let changed = changed.get(&version.version).copied().unwrap_or(version.created_at);
        let is_yanked = version.status == VersionStatus::Yanked;
        let reason = version.reason.filter(|_| is_yanked).unwrap_or_default();
        Entry {
            address: format!("{base}/{}/versions/{}", row.id, version.version),
            title: format!("{} {}{}", row.id, version.version, if is_yanked { " (yanked)" } else { "" }),
            published: version.created_at.to_string(),
            updated: changed.to_string(),
            author: version.publisher,
            summary: match (reason.as_str(), version.changelog) {
                ("", Some(changelog)) => changelog,
                ("", None) => of.map(|record| record.description.clone()).unwrap_or_default(),
                (reason, _) => format!("Yanked: {reason}"),
            },
            tags: of.map(|record| record.tags.clone()).unwrap_or_default(),
        }
    });
    let feed = Feed {
        address: format!("{base}/{}/feed", row.id),
        page: format!("{base}/{}", row.id),
        title: row.id.to_string(),
        subtitle: description.clone(),
        entries: entries.collect(),
        began: row.created_at.to_string(),
        version: env!("CARGO_PKG_VERSION"),
    };
    feed.answer(call, row.visibility == Visibility::Public && call.app.settings.anonymous_reads)
}

/// When versions were yanked, or were so no more: readers show an entry anew that is of a later time.
async fn changed(call: &Call, row: &SkillRow) -> Result<HashMap<Version, Time>> {
    let mut changed = HashMap::new();
    for opening in log::yanks(&call.app.db, &row.id.key(), YANKS).await? {
        let entry = opening.parse().map_err(Failure::internal)?;
        if let Some(version) = entry.event.version() {
            changed.entry(version.clone()).or_insert(entry.time);
        }
    }
    Ok(changed)
}

/// The skills of a namespace and of those below it, the last published first.
pub async fn of_namespace(call: &Call, namespace: &Namespace) -> Result<Response> {
    let base = call.base()?;
    let query = SearchQuery {
        namespace: Some(namespace.clone()),
        ..SearchQuery::all(&call.app, &call.caller, Sort::Updated, ENTRIES, 0)
    };
    let address = format!("{base}/{namespace}/feed");
    let page = format!("{base}/{namespace}");
    of_search(call, query, true, address, page, namespace.to_string()).await
}

/// What a search finds, the last published first where it names no other order.
pub async fn of_query(call: &Call) -> Result<Response> {
    let base = call.base()?;
    let mut query = search_api::query(call).await?;
    if call.parameter("sort").is_none() {
        query.sort = Sort::Updated;
    }
    let pairs = call.head.uri.query().unwrap_or_default().split('&');
    let is_search =
        |pair: &&str| !["", "offset", "limit", "notice"].contains(&pair.split('=').next().unwrap_or(""));
    let kept: Vec<&str> = pairs.filter(is_search).collect();
    let asked = if kept.is_empty() { String::new() } else { format!("?{}", kept.join("&")) };
    let by = search_api::publisher(call).map_or_else(String::new, |name| format!(" published by {name}"));
    let title = match query.words.trim() {
        "" => format!("Skills{by}"),
        words => format!("Skills{by}: {words}"),
    };
    let (address, page) = (format!("{base}{SEARCH_FEED}{asked}"), format!("{base}/search{asked}"));
    of_search(call, query, false, address, page, title).await
}

async fn of_search(
    call: &Call,
    mut query: SearchQuery,
    is_place: bool,
    address: String,
    page: String,
    title: String,
) -> Result<Response> {
    let base = call.base()?;
    // Whoever subscribes from another page, or from one of few rows, wants the newest all the same.
    (query.limit, query.offset) = (ENTRIES, 0);
    let found = found(call, &query).await?;
    if let Some(namespace) = query.namespace.as_ref().filter(|_| is_place && found.total == 0) {
        let detail = format!("there is no skill in `{namespace}` here");
        return Err(Failure::new(ProblemCode::OrgNotFound, detail));
    }
    let records = records(call, &found).await?;
    let keys: Vec<String> = records.iter().map(key).collect();
    let mut told = review::latest_changelogs(&call.app.db, &keys).await?;
    let entries = records.into_iter().map(|record| {
        let changelog = told.remove(&(key(&record), record.version.clone()));
        Entry {
            address: format!("{base}/{}/versions/{}", record.id, record.version),
            title: format!("{} {}", record.id, record.version),
            published: record.updated_at.clone(),
            updated: record.updated_at,
            author: record.author,
            summary: changelog.unwrap_or(record.description),
            tags: record.tags,
        }
    });
    let feed = Feed {
        address,
        page,
        title,
        subtitle: String::new(),
        entries: entries.collect(),
        began: skillery_core::time::Time::from_micros(0).to_string(),
        version: env!("CARGO_PKG_VERSION"),
    };
    // What is found depends on who asks.
    feed.answer(call, call.caller.identity().is_none() && call.app.settings.anonymous_reads)
}

fn key(record: &Record) -> String {
    record.id.parse::<SkillId>().map(|id| id.key()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::may_be_in_xml;

    #[test]
    fn what_xml_cannot_hold_is_left_out() {
        let text: String =
            "a\u{0}b\u{b}c\u{ffff}d\té\u{1f600}".chars().filter(|c| may_be_in_xml(*c)).collect();
        assert_eq!(text, "abcd\té\u{1f600}");
    }
}
