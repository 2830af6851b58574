//! What is asked for below `/api/v1/skills/`.
//!
//! A skill's id contains slashes, so the path is taken apart here: words that stand behind an id are reserved and can be no
//! part of one.

use axum::http::Method;
use axum::response::Response;
use skillery_core::id::IdError;
use skillery_core::{SkillId, Version};

use super::not_allowed;
use crate::failure::{Failure, Result};
use crate::http::api;
use crate::http::call::Call;

pub(super) const SHOW: &str = "/api/v1/skills/{id}";
const DOWNLOAD: &str = "/api/v1/skills/{id}/download";
const INSTALL: &str = "/api/v1/skills/{id}/install";
const LOG: &str = "/api/v1/skills/{id}/log";
const RATE: &str = "/api/v1/skills/{id}/rate";
const RATINGS: &str = "/api/v1/skills/{id}/ratings";
const COMMENTS: &str = "/api/v1/skills/{id}/comments";
const COMMENT: &str = "/api/v1/skills/{id}/comments/{comment}";
const HIDDEN: &str = "/api/v1/skills/{id}/comments/{comment}/hidden";
const TEXTS: &str = "/api/v1/skills/{id}/comments/{comment}/texts";
const ANSWER: &str = "/api/v1/skills/{id}/ratings/{user}/answer";
const REVIEW_HIDDEN: &str = "/api/v1/skills/{id}/ratings/{user}/hidden";
const USAGE: &str = "/api/v1/skills/{id}/usage";
const INSTALLS: &str = "/api/v1/skills/{id}/usage/installs";
const ADOPTION: &str = "/api/v1/skills/{id}/usage/adoption";
const DEPENDENCIES: &str = "/api/v1/skills/{id}/dependencies";
const DEPENDENTS: &str = "/api/v1/skills/{id}/dependents";
const VISIBILITY: &str = "/api/v1/skills/{id}/visibility";
const VERSIONS: &str = "/api/v1/skills/{id}/versions";
const VERSION: &str = "/api/v1/skills/{id}/versions/{version}";
const BUNDLE: &str = "/api/v1/skills/{id}/versions/{version}/bundle";
const HEALTH: &str = "/api/v1/skills/{id}/versions/{version}/health";
const FILE: &str = "/api/v1/skills/{id}/versions/{version}/files/{path}";
const PROOF: &str = "/api/v1/skills/{id}/versions/{version}/proof";
const SIGNATURES: &str = "/api/v1/skills/{id}/versions/{version}/signatures";
const SIGNATURE: &str = "/api/v1/skills/{id}/versions/{version}/signature";
const STATEMENT: &str = "/api/v1/skills/{id}/versions/{version}/statement";
const WHO_INSTALLED: &str = "/api/v1/skills/{id}/versions/{version}/installs";
const APPROVALS: &str = "/api/v1/skills/{id}/versions/{version}/approvals";
const REVIEWS: &str = "/api/v1/skills/{id}/versions/{version}/reviews";
const BREAK_GLASS: &str = "/api/v1/skills/{id}/versions/{version}/break-glass";
const REVIEW_COMMENTS: &str = "/api/v1/skills/{id}/versions/{version}/approvals/comments";
const REVIEW_COMMENT: &str = "/api/v1/skills/{id}/versions/{version}/approvals/comments/{comment}";
const CHANGELOG: &str = "/api/v1/skills/{id}/versions/{version}/changelog";
const DIFF: &str = "/api/v1/skills/{id}/versions/{version}/diff";
const FINDINGS: &str = "/api/v1/skills/{id}/versions/{version}/findings";
const YANK: &str = "/api/v1/skills/{id}/versions/{version}/yank";
const QUARANTINE: &str = "/api/v1/skills/{id}/versions/{version}/quarantine";

/// Words behind an id, and the routes that they are.
const OF_SKILL: &[(&str, &str)] = &[
    ("comments", COMMENTS),
    ("dependencies", DEPENDENCIES),
    ("dependents", DEPENDENTS),
    ("download", DOWNLOAD),
    ("install", INSTALL),
    ("log", LOG),
    ("rate", RATE),
    ("ratings", RATINGS),
    ("usage", USAGE),
    ("versions", VERSIONS),
    ("visibility", VISIBILITY),
];

/// Words behind a version.
const OF_VERSION: &[(&str, &str)] = &[
    ("approvals", APPROVALS),
    ("break-glass", BREAK_GLASS),
    ("bundle", BUNDLE),
    ("changelog", CHANGELOG),
    ("diff", DIFF),
    ("findings", FINDINGS),
    ("health", HEALTH),
    ("installs", WHO_INSTALLED),
    ("proof", PROOF),
    ("quarantine", QUARANTINE),
    ("reviews", REVIEWS),
    ("signature", SIGNATURE),
    ("signatures", SIGNATURES),
    ("statement", STATEMENT),
    ("yank", YANK),
];

fn route_of(words: &[(&str, &'static str)], word: &str) -> Option<&'static str> {
    words.iter().find(|(known, _)| *known == word).map(|(_, route)| *route)
}

/// What a path below `/api/v1/skills/` is made of.
struct Parts<'path> {
    route: &'static str,
    id: &'path [&'path str],
    version: Option<&'path str>,
    /// The path of a file of the version, or the id of a comment, or the name of whose review it is.
    path: Option<String>,
}

/// The shortest id has two segments; reserved words can stand only behind them.
fn take_apart<'path>(segments: &'path [&'path str]) -> Parts<'path> {
    let shown = Parts { route: SHOW, id: segments, version: None, path: None };
    // A file's path may have any words in it, and what stands behind a version may be called as what stands behind an id: so
    // the version is looked for first, and from the front. No name of a skill is `versions`.
    if let Some(place) = segments.iter().skip(2).position(|segment| *segment == "versions") {
        let (id, rest) = segments.split_at(place + 2);
        let (route, path) = match &rest[1..] {
            [] => return Parts { route: VERSIONS, id, ..shown },
            [_] => (VERSION, None),
            [_, "files", path @ ..] if !path.is_empty() => (FILE, Some(path.join("/"))),
            [_, "approvals", "comments"] => (REVIEW_COMMENTS, None),
            [_, "approvals", "comments", comment] => (REVIEW_COMMENT, Some((*comment).to_owned())),
            [_, word] if let Some(route) = route_of(OF_VERSION, word) => (route, None),
            _ => return shown,
        };
        return Parts { route, id, version: rest.get(1).copied(), path };
    }
    let (route, id, path) = match segments {
        [id @ .., word]
            if id.len() >= 2
                && let Some(route) = route_of(OF_SKILL, word) =>
        {
            (route, id, None)
        }
        [id @ .., "usage", "installs"] if id.len() >= 2 => (INSTALLS, id, None),
        [id @ .., "usage", "adoption"] if id.len() >= 2 => (ADOPTION, id, None),
        [id @ .., "comments", comment] if id.len() >= 2 => (COMMENT, id, Some(*comment)),
        [id @ .., "comments", comment, "hidden"] if id.len() >= 2 => (HIDDEN, id, Some(*comment)),
        [id @ .., "comments", comment, "texts"] if id.len() >= 2 => (TEXTS, id, Some(*comment)),
        [id @ .., "ratings", user, "answer"] if id.len() >= 2 => (ANSWER, id, Some(*user)),
        [id @ .., "ratings", user, "hidden"] if id.len() >= 2 => (REVIEW_HIDDEN, id, Some(*user)),
        _ => return shown,
    };
    Parts { route, id, version: None, path: path.map(str::to_owned) }
}

/// What is asked for below `/api/v1/skills/`.
pub(super) struct Asked {
    pub(super) route: &'static str,
    pub(super) id: SkillId,
    pub(super) version: Option<Version>,
    /// The path of a file of the version, or the id of a comment, or the name of whose review it is.
    pub(super) path: Option<String>,
}

/// What is wrong with it is told with the route that it would be.
pub(super) fn asked(rest: &str) -> std::result::Result<Asked, (&'static str, Failure)> {
    let segments: Vec<&str> = rest.split('/').collect();
    let Parts { route, id, version, path } = take_apart(&segments);
    // With one segment there is no id, and still the rest says what was meant.
    let wrong = |failure: Failure| (take_apart(&[&["org"], segments.as_slice()].concat()).route, failure);
    // The id's segments stand together at the beginning, with a slash behind each.
    let length = id.iter().map(|segment| segment.len() + 1).sum::<usize>().saturating_sub(1);
    let version = version.map(str::parse::<Version>).transpose().map_err(|error| wrong(error.into()))?;
    let id = rest[..length].parse().map_err(|error: IdError| wrong(error.into()))?;
    Ok(Asked { route, id, version, path })
}

pub(super) async fn skill(call: Call, asked: Asked) -> Result<Response> {
    let Asked { route, id, version, path } = asked;
    match (route, call.method(), version) {
        (DOWNLOAD, Method::GET, _) => api::download::download(&call, &id).await,
        (INSTALL, Method::GET, _) => api::install::show(&call, &id).await,
        (RATE, Method::POST, _) => api::rate::rate(call, &id).await,
        (RATE, Method::DELETE, _) => api::rate::unrate(&call, &id).await,
        (RATINGS, Method::GET, _) => api::ratings::ratings(&call, &id).await,
        (COMMENTS, Method::GET, _) => api::comments::list(&call, &id).await,
        (COMMENTS, Method::POST, _) => api::comments::post(call, &id).await,
        (COMMENT, Method::PATCH, _) => api::comments::edit(call, &id, &path.unwrap_or_default()).await,
        (COMMENT, Method::DELETE, _) => api::comments::delete(&call, &id, &path.unwrap_or_default()).await,
        (HIDDEN, Method::PUT, _) => api::comments::hide(call, &id, &path.unwrap_or_default()).await,
        (HIDDEN, Method::DELETE, _) => api::comments::unhide(&call, &id, &path.unwrap_or_default()).await,
        (TEXTS, Method::GET, _) => api::comments::texts(&call, &id, &path.unwrap_or_default()).await,
        (ANSWER, Method::PUT, _) => api::answers::set(call, &id, &path.unwrap_or_default()).await,
        (ANSWER, Method::DELETE, _) => api::answers::remove(&call, &id, &path.unwrap_or_default()).await,
        (REVIEW_HIDDEN, Method::PUT, _) => api::answers::hide(call, &id, &path.unwrap_or_default()).await,
        (REVIEW_HIDDEN, Method::DELETE, _) => {
            api::answers::unhide(&call, &id, &path.unwrap_or_default()).await
        }
        (USAGE, Method::GET, _) => api::usage::show(&call, &id).await,
        (INSTALLS, Method::GET, _) => api::insight::installs::show(&call, &id).await,
        (ADOPTION, Method::GET, _) => api::insight::adoption::show(&call, &id).await,
        (DEPENDENCIES, Method::GET, _) => api::insight::dependencies::show(&call, &id).await,
        (DEPENDENTS, Method::GET, _) => api::insight::dependents::show(&call, &id).await,
        (HEALTH, Method::GET, Some(version)) => api::insight::health::show(&call, &id, &version).await,
        (VISIBILITY, Method::PUT, _) => api::visibility::set(call, &id).await,
        (VERSIONS, Method::GET, _) => api::versions::list(&call, &id).await,
        (VERSION, Method::GET, Some(version)) => api::versions::show(&call, &id, &version).await,
        (LOG, Method::GET, _) => api::tlog::of_skill(&call, &id).await,
        (SIGNATURES, Method::GET, Some(version)) => api::signatures::list(&call, &id, &version).await,
        (SIGNATURES, Method::POST, Some(version)) => api::signatures::sign(call, &id, &version).await,
        (SIGNATURE, Method::GET, Some(version)) => api::signatures::signature(&call, &id, &version).await,
        (STATEMENT, Method::GET, Some(version)) => api::signatures::statement(&call, &id, &version).await,
        (WHO_INSTALLED, Method::GET, Some(version)) => api::installs::list(&call, &id, &version).await,
        (APPROVALS, Method::GET, Some(version)) => api::approvals::show(&call, &id, &version).await,
        (APPROVALS, Method::POST, Some(version)) => api::approvals::decide_about(call, &id, &version).await,
        (REVIEWS, Method::GET, Some(version)) => api::approvals::reviews(&call, &id, &version).await,
        (BREAK_GLASS, Method::POST, Some(version)) => api::approvals::break_glass(call, &id, &version).await,
        (REVIEW_COMMENTS, Method::GET, Some(version)) => api::review::list(&call, &id, &version).await,
        (REVIEW_COMMENTS, Method::POST, Some(version)) => api::review::say(call, &id, &version).await,
        (REVIEW_COMMENT, Method::PATCH, Some(version)) => {
            api::review::patch(call, &id, &version, &path.unwrap_or_default()).await
        }
        (REVIEW_COMMENT, Method::DELETE, Some(version)) => {
            api::review::hide(&call, &id, &version, &path.unwrap_or_default()).await
        }
        (CHANGELOG, Method::PUT, Some(version)) => api::review::changelog(call, &id, &version).await,
        (DIFF, Method::GET, Some(version)) => api::diff::show(&call, &id, &version).await,
        (FINDINGS, Method::GET, Some(version)) => api::diff::findings(&call, &id, &version).await,
        (BUNDLE, Method::GET, Some(version)) => api::bundle::bundle(&call, &id, &version).await,
        (FILE, Method::GET, Some(version)) => {
            api::bundle::file(&call, &id, &version, &path.unwrap_or_default()).await
        }
        (PROOF, Method::GET, Some(version)) => api::tlog::proof(&call, &id, &version).await,
        (YANK, Method::PUT, Some(version)) => api::status::yank(call, &id, &version).await,
        (YANK, Method::DELETE, Some(version)) => api::status::unyank(&call, &id, &version).await,
        (QUARANTINE, Method::PUT, Some(version)) => api::status::quarantine(call, &id, &version).await,
        (QUARANTINE, Method::DELETE, Some(version)) => api::status::release(&call, &id, &version).await,
        _ => Err(not_allowed(route)),
    }
}
