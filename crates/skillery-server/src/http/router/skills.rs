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

/// Which route a path below `/api/v1/skills/` is, and its id and version. The shortest id has two segments; reserved
/// words can stand only behind them.
fn take_apart<'path>(
    segments: &'path [&'path str],
) -> (&'static str, &'path [&'path str], Option<&'path str>) {
    // A file's path may have any words in it, so it is looked for first, and from the front.
    if let Some(place) = file_place(segments) {
        return (FILE, &segments[..place], Some(segments[place + 1]));
    }
    match segments {
        [id @ .., "versions", version, "yank"] if id.len() >= 2 => (YANK, id, Some(version)),
        [id @ .., "versions", version, "signatures"] if id.len() >= 2 => (SIGNATURES, id, Some(version)),
        [id @ .., "versions", version, "signature"] if id.len() >= 2 => (SIGNATURE, id, Some(version)),
        [id @ .., "versions", version, "statement"] if id.len() >= 2 => (STATEMENT, id, Some(version)),
        [id @ .., "versions", version, "installs"] if id.len() >= 2 => (WHO_INSTALLED, id, Some(version)),
        [id @ .., "versions", version, "approvals"] if id.len() >= 2 => (APPROVALS, id, Some(version)),
        [id @ .., "versions", version, "reviews"] if id.len() >= 2 => (REVIEWS, id, Some(version)),
        [id @ .., "versions", version, "break-glass"] if id.len() >= 2 => (BREAK_GLASS, id, Some(version)),
        [id @ .., "versions", version, "approvals", "comments"] if id.len() >= 2 => {
            (REVIEW_COMMENTS, id, Some(version))
        }
        [id @ .., "versions", version, "approvals", "comments", _] if id.len() >= 2 => {
            (REVIEW_COMMENT, id, Some(version))
        }
        [id @ .., "versions", version, "changelog"] if id.len() >= 2 => (CHANGELOG, id, Some(version)),
        [id @ .., "versions", version, "diff"] if id.len() >= 2 => (DIFF, id, Some(version)),
        [id @ .., "versions", version, "findings"] if id.len() >= 2 => (FINDINGS, id, Some(version)),
        [id @ .., "versions", version, "health"] if id.len() >= 2 => (HEALTH, id, Some(version)),
        [id @ .., "versions", version, "bundle"] if id.len() >= 2 => (BUNDLE, id, Some(version)),
        [id @ .., "versions", version, "proof"] if id.len() >= 2 => (PROOF, id, Some(version)),
        [id @ .., "versions", version, "quarantine"] if id.len() >= 2 => (QUARANTINE, id, Some(version)),
        [id @ .., "versions", version] if id.len() >= 2 => (VERSION, id, Some(version)),
        [id @ .., "versions"] if id.len() >= 2 => (VERSIONS, id, None),
        [id @ .., "log"] if id.len() >= 2 => (LOG, id, None),
        [id @ .., "download"] if id.len() >= 2 => (DOWNLOAD, id, None),
        [id @ .., "install"] if id.len() >= 2 => (INSTALL, id, None),
        [id @ .., "rate"] if id.len() >= 2 => (RATE, id, None),
        [id @ .., "ratings"] if id.len() >= 2 => (RATINGS, id, None),
        [id @ .., "usage"] if id.len() >= 2 => (USAGE, id, None),
        [id @ .., "usage", "installs"] if id.len() >= 2 => (INSTALLS, id, None),
        [id @ .., "usage", "adoption"] if id.len() >= 2 => (ADOPTION, id, None),
        [id @ .., "dependencies"] if id.len() >= 2 => (DEPENDENCIES, id, None),
        [id @ .., "dependents"] if id.len() >= 2 => (DEPENDENTS, id, None),
        [id @ .., "visibility"] if id.len() >= 2 => (VISIBILITY, id, None),
        id => (SHOW, id, None),
    }
}

/// Where `versions/{version}/files/…` begins, if it is there.
fn file_place(segments: &[&str]) -> Option<usize> {
    // No name of a skill is `versions`, and an id has no more segments than a namespace and a name.
    let place = segments.iter().skip(2).position(|segment| *segment == "versions")? + 2;
    (segments.len() > place + 3 && segments[place + 2] == "files").then_some(place)
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
    // What stands behind a version may be called the same.
    let is_of_version = segments.iter().skip(2).any(|segment| *segment == "versions");
    let said = match segments.as_slice() {
        _ if is_of_version => None,
        [id @ .., "comments"] if id.len() >= 2 => Some((COMMENTS, id, None)),
        [id @ .., "comments", comment] if id.len() >= 2 => Some((COMMENT, id, Some(*comment))),
        [id @ .., "comments", comment, "hidden"] if id.len() >= 2 => Some((HIDDEN, id, Some(*comment))),
        [id @ .., "comments", comment, "texts"] if id.len() >= 2 => Some((TEXTS, id, Some(*comment))),
        [id @ .., "ratings", user, "answer"] if id.len() >= 2 => Some((ANSWER, id, Some(*user))),
        [id @ .., "ratings", user, "hidden"] if id.len() >= 2 => Some((REVIEW_HIDDEN, id, Some(*user))),
        _ => None,
    };
    if let Some((route, id, comment)) = said {
        let id = id.join("/").parse().map_err(|error: IdError| (route, error.into()))?;
        let path = comment.map(str::to_owned);
        return Ok(Asked { route, id, version: None, path });
    }
    let (route, id, version) = take_apart(&segments);
    // With one segment there is no id, and still the rest says what was meant.
    let wrong = |failure| (take_apart(&[&["org"], segments.as_slice()].concat()).0, failure);
    // The id's segments stand together at the beginning, with a slash behind each.
    let length = id.iter().map(|segment| segment.len() + 1).sum::<usize>().saturating_sub(1);
    let version = version.map(str::parse::<Version>).transpose().map_err(|error| wrong(error.into()));
    let path = match (file_place(&segments), route) {
        (Some(place), _) => Some(segments[place + 3..].join("/")),
        (None, REVIEW_COMMENT) => segments.last().map(|comment| (*comment).to_owned()),
        (None, _) => None,
    };
    Ok(Asked {
        route,
        id: rest[..length].parse().map_err(|error: IdError| wrong(error.into()))?,
        version: version?,
        path,
    })
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
