//! `GET /api/search`: the search of `skills find`.

use std::time::Instant;

use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use skillery_core::{Namespace, SkillId, Sort, bundle};

use super::not_allowed;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, invalid_parameter, json};
use crate::search::SearchQuery;
use crate::skill;

pub(super) const FIND: &str = "/api/search";

/// How many are found when the caller does not say, as the program does not show more.
const USUAL: usize = 20;

#[derive(Serialize)]
struct Answer {
    query: String,
    #[serde(rename = "searchType")]
    search_type: &'static str,
    skills: Vec<Skill>,
    count: usize,
    duration_ms: u64,
}

#[derive(Serialize)]
struct Skill {
    id: String,
    #[serde(rename = "skillId")]
    skill_id: String,
    name: String,
    /// What to add: the scope of this one skill, so that no other comes with it.
    source: String,
    installs: i64,
}

/// What is needed of a record.
#[derive(Deserialize)]
struct Record {
    id: SkillId,
    install_count: i64,
}

/// Searches the skills that the caller sees.
pub(super) async fn find(call: &Call) -> Result<Response> {
    if call.method() != Method::GET {
        return Err(not_allowed(FIND));
    }
    let started = Instant::now();
    let query = query(call)?;
    let base = call.base()?;
    call.app.search.wait_for(call.app.db.size()).await?;
    let found = call.app.search.find(&query).await?;
    let mut skills = Vec::with_capacity(found.numbers.len());
    for record in skill::records(&call.app, &call.caller, &found.numbers).await? {
        let record: Record = serde_json::from_slice(&record).map_err(Failure::internal)?;
        if is_taken_for_another_host(&record.id) {
            continue;
        }
        let name = bundle::skill_name(&record.id);
        skills.push(Skill {
            source: format!("{base}/{}", record.id),
            id: record.id.to_string(),
            skill_id: name.clone(),
            name,
            installs: record.install_count,
        });
    }
    let answer = Answer {
        query: query.words,
        search_type: "keyword",
        count: skills.len(),
        skills,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    };
    json(StatusCode::OK, &answer)
}

fn query(call: &Call) -> Result<SearchQuery> {
    let limits = &call.app.settings.limits;
    let words = call.parameter("q").unwrap_or_default();
    if words.chars().count() > limits.query_length {
        return Err(invalid_parameter("q", &format!("it is longer than {} characters", limits.query_length)));
    }
    let limit = call.parsed::<usize>("limit")?.unwrap_or(USUAL.min(limits.page_rows));
    if limit > limits.page_rows {
        return Err(invalid_parameter("limit", &format!("at most {} rows are found", limits.page_rows)));
    }
    let sort = Sort::usual(&words);
    Ok(SearchQuery {
        namespace: call.parsed::<Namespace>("owner")?,
        words,
        ..SearchQuery::all(&call.app, &call.caller, sort, limit, 0)
    })
}

/// Whether `npx skills` takes an address that has this id in it for one of another host: it looks for these names anywhere.
pub(crate) fn is_taken_for_another_host(id: &SkillId) -> bool {
    ["github.com/", "gitlab.com/"].iter().any(|host| id.as_str().contains(host))
}
