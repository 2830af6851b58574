//! Every route, in one place.
//!
//! A skill's id contains slashes, so what follows `/api/v1/skills/` is taken apart here: words that stand behind an
//! id are reserved and can be no part of one.

use std::str::FromStr;

use axum::http::Method;
use axum::response::Response;
use percent_encoding::percent_decode_str;
use skillery_core::id::IdError;
use skillery_core::version::VersionError;
use skillery_core::{Namespace, ProblemCode, SkillId, Version};

use super::call::{Call, problem};
use super::interop::{self, Surface};
use super::{api, docs, ops, pages};
use crate::failure::{Failure, Result};

/// Who may call a route at all; what the caller may do there is decided by `access.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody, always.
    Anyone,
    /// Everybody, always, who has what is asked for in the body.
    Bearer,
    /// Everybody where anonymous reads are on; of what the caller sees.
    Reader,
    /// A signed-in caller, with whatever scopes.
    SignedIn,
    /// A signed-in caller with this scope.
    Scope(skillery_core::Scope),
    /// An admin of the registry.
    SiteAdmin,
}

use skillery_core::Scope::{Admin, Publish, Rate, Read, Review};

/// Method, path and who may: compared with the OpenAPI document by a test, and the names of routes in the metrics.
pub const ROUTES: &[(&str, &str, Who)] = &[
    ("get", "/healthz", Who::Anyone),
    ("get", "/readyz", Who::Anyone),
    ("get", "/metrics", Who::Anyone),
    ("get", "/openapi.json", Who::Anyone),
    ("get", "/docs", Who::Anyone),
    ("get", "/docs/errors", Who::Anyone),
    ("get", "/api/v1/skills", Who::Reader),
    ("post", "/api/v1/skills", Who::Scope(Publish)),
    ("get", "/api/v1/skills/{id}", Who::Reader),
    ("get", "/api/v1/skills/{id}/download", Who::Reader),
    ("get", "/api/v1/skills/{id}/install", Who::Reader),
    ("post", "/api/v1/skills/{id}/rate", Who::Scope(Rate)),
    ("delete", "/api/v1/skills/{id}/rate", Who::Scope(Rate)),
    ("get", "/api/v1/skills/{id}/ratings", Who::Reader),
    ("get", "/api/v1/skills/{id}/comments", Who::Reader),
    ("post", "/api/v1/skills/{id}/comments", Who::Scope(Rate)),
    ("patch", "/api/v1/skills/{id}/comments/{comment}", Who::Scope(Rate)),
    ("delete", "/api/v1/skills/{id}/comments/{comment}", Who::Scope(Rate)),
    ("put", "/api/v1/skills/{id}/comments/{comment}/hidden", Who::Scope(Admin)),
    ("delete", "/api/v1/skills/{id}/comments/{comment}/hidden", Who::Scope(Admin)),
    ("get", "/api/v1/reports", Who::Scope(Admin)),
    ("post", "/api/v1/reports", Who::Scope(Rate)),
    ("put", "/api/v1/reports/{report}", Who::Scope(Admin)),
    ("get", "/api/v1/skills/{id}/usage", Who::Reader),
    ("get", "/api/v1/skills/{id}/usage/installs", Who::Reader),
    ("get", "/api/v1/skills/{id}/usage/adoption", Who::Reader),
    ("get", "/api/v1/skills/{id}/dependencies", Who::Reader),
    ("get", "/api/v1/skills/{id}/dependents", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/bundle", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/health", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/files/{path}", Who::Reader),
    ("put", "/api/v1/skills/{id}/versions/{version}/yank", Who::Scope(Publish)),
    ("delete", "/api/v1/skills/{id}/versions/{version}/yank", Who::Scope(Publish)),
    ("put", "/api/v1/skills/{id}/versions/{version}/quarantine", Who::SiteAdmin),
    ("delete", "/api/v1/skills/{id}/versions/{version}/quarantine", Who::SiteAdmin),
    ("put", "/api/v1/skills/{id}/visibility", Who::Scope(Admin)),
    ("post", "/api/v1/usage", Who::Scope(Read)),
    ("get", "/api/v1/whoami", Who::SignedIn),
    ("get", "/api/v1/tokens", Who::Scope(Read)),
    ("post", "/api/v1/tokens", Who::Scope(Admin)),
    ("delete", "/api/v1/tokens/{token}", Who::SignedIn),
    ("post", "/api/v1/login-links", Who::SignedIn),
    ("get", "/api/v1/users", Who::SiteAdmin),
    ("post", "/api/v1/users", Who::SiteAdmin),
    ("patch", "/api/v1/users/{user}", Who::SiteAdmin),
    ("put", "/api/v1/users/{user}/subject", Who::SiteAdmin),
    ("get", "/api/v1/oidc", Who::Anyone),
    ("post", "/api/v1/oidc/exchange", Who::Bearer),
    ("post", "/api/v1/oidc/login", Who::Bearer),
    ("post", "/api/v1/oidc/login/poll", Who::Bearer),
    ("get", "/api/v1/orgs", Who::Reader),
    ("post", "/api/v1/orgs", Who::Scope(Admin)),
    ("get", "/api/v1/orgs/{org}", Who::Reader),
    ("get", "/api/v1/orgs/{namespace}/members", Who::Scope(Read)),
    ("put", "/api/v1/orgs/{namespace}/members/{user}", Who::Scope(Admin)),
    ("delete", "/api/v1/orgs/{namespace}/members/{user}", Who::Scope(Admin)),
    ("get", "/api/v1/orgs/{namespace}/publishers", Who::Scope(Admin)),
    ("post", "/api/v1/orgs/{namespace}/publishers", Who::Scope(Admin)),
    ("delete", "/api/v1/orgs/{namespace}/publishers/{publisher}", Who::Scope(Admin)),
    ("put", "/api/v1/orgs/{org}/signing-secret", Who::Scope(Admin)),
    ("delete", "/api/v1/orgs/{org}/signing-secret", Who::Scope(Admin)),
    ("get", "/api/v1/orgs/{namespace}/allowed_signers", Who::Reader),
    ("get", "/api/v1/orgs/{namespace}/policy", Who::Scope(Read)),
    ("put", "/api/v1/orgs/{namespace}/policy", Who::Scope(Admin)),
    ("delete", "/api/v1/orgs/{namespace}/policy", Who::Scope(Admin)),
    ("get", "/api/v1/orgs/{namespace}/usage", Who::Scope(Read)),
    ("get", "/api/v1/leaderboards", Who::Reader),
    ("get", "/api/v1/approvals", Who::Scope(Read)),
    ("get", "/api/v1/keys", Who::Scope(Read)),
    ("post", "/api/v1/keys", Who::Scope(Admin)),
    ("post", "/api/v1/keys/challenge", Who::Scope(Admin)),
    ("delete", "/api/v1/keys/{fingerprint}", Who::Scope(Admin)),
    ("get", "/api/v1/audit", Who::Scope(Admin)),
    ("get", "/api/v1/audit/report", Who::Scope(Admin)),
    ("get", "/api/v1/skills/{id}/versions/{version}/installs", Who::Scope(Admin)),
    ("get", "/api/v1/log", Who::SiteAdmin),
    ("get", "/api/v1/log/key", Who::Reader),
    ("get", "/api/v1/log/openings", Who::Reader),
    ("get", "/api/v1/log/witnessed", Who::Reader),
    ("get", "/api/v1/skills/{id}/log", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/proof", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/signatures", Who::Reader),
    ("post", "/api/v1/skills/{id}/versions/{version}/signatures", Who::Scope(Publish)),
    ("get", "/api/v1/skills/{id}/versions/{version}/statement", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/approvals", Who::Scope(Read)),
    ("post", "/api/v1/skills/{id}/versions/{version}/approvals", Who::Scope(Review)),
    ("get", "/api/v1/skills/{id}/versions/{version}/approvals/comments", Who::Scope(Read)),
    ("post", "/api/v1/skills/{id}/versions/{version}/approvals/comments", Who::SignedIn),
    ("patch", "/api/v1/skills/{id}/versions/{version}/approvals/comments/{comment}", Who::SignedIn),
    ("delete", "/api/v1/skills/{id}/versions/{version}/approvals/comments/{comment}", Who::SignedIn),
    ("put", "/api/v1/skills/{id}/versions/{version}/changelog", Who::Scope(Publish)),
    ("get", "/api/v1/skills/{id}/versions/{version}/diff", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/findings", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}/signature", Who::Reader),
    ("get", "/log/v1/checkpoint", Who::Reader),
    ("get", "/log/v1/tile/{path}", Who::Reader),
];

/// A route's name and its answer.
pub type Answered = (&'static str, Response);

/// Answers a call by the route that it asks for. What is rarely asked for is boxed, so that the rest stays small.
pub async fn dispatch(call: Call) -> Answered {
    let path = call.head.uri.path();
    if let Some(rest) = below(path, "/api/v1/skills/") {
        let asked = percent_decode_str(rest)
            .decode_utf8()
            .map_err(|_| (SHOW, not_utf8()))
            .and_then(|rest| asked(&rest));
        return match asked {
            // Whatever stands in the address, a method that is not taken there is the first thing that is wrong.
            Err((route, _)) if !takes(route, &call.method()) => answer(route, Err(not_allowed(route))),
            Ok(asked) if asked.route == SHOW && call.method() == Method::GET => {
                answer(SHOW, api::show::show(&call, &asked.id).await)
            }
            Ok(asked) => answer(asked.route, Box::pin(skill(call, asked)).await),
            Err((route, failure)) => answer(route, Err(failure)),
        };
    }
    Box::pin(other(call)).await
}

fn answer(route: &'static str, result: Result<Response>) -> Answered {
    (route, result.unwrap_or_else(problem))
}

/// What stands behind this prefix, if something does.
fn below<'path>(path: &'path str, prefix: &str) -> Option<&'path str> {
    path.strip_prefix(prefix).filter(|rest| !rest.is_empty())
}

async fn other(call: Call) -> Answered {
    let path = call.head.uri.path().to_owned();
    if let Some(surface) = Surface::of(&path) {
        return interop::dispatch(call, surface).await;
    }
    if let Some(rest) = below(&path, "/api/v1/orgs/") {
        return match percent_decode_str(rest).decode_utf8() {
            Ok(rest) => below_orgs(call, &rest).await,
            Err(_) => answer(ORG, Err(not_utf8())),
        };
    }
    if let Some(path) = path.strip_prefix("/log/v1/").filter(|path| path.starts_with("tile/")) {
        let result = match call.method() {
            Method::GET => api::tlog::tile(&call, path).await,
            _ => Err(not_allowed(TILE)),
        };
        return answer(TILE, result);
    }
    if let Some((route, name)) = named(&path) {
        return match percent_decode_str(name).decode_utf8() {
            Ok(name) => answer(route, one(call, route, &name).await),
            Err(_) => answer(route, Err(not_utf8())),
        };
    }
    match ROUTES.iter().find(|(_, route, _)| *route == path) {
        Some((_, route, _)) => answer(route, fixed(call, route).await),
        None if pages::may_be(&path) => pages::dispatch(call).await,
        None => nothing(),
    }
}

/// The route with a name at its end or before it that the path is, and the name.
fn named(path: &str) -> Option<(&'static str, &str)> {
    let routes = [
        ("/api/v1/users/", "/subject", SUBJECT),
        ("/api/v1/tokens/", "", TOKEN),
        ("/api/v1/users/", "", USER),
        ("/api/v1/keys/", "", KEY),
        ("/api/v1/reports/", "", REPORT),
    ];
    routes.into_iter().find_map(|(prefix, end, route)| {
        let rest = below(path, prefix)?.strip_suffix(end)?;
        // A fingerprint may have a slash in it.
        let is_name = match route {
            KEY => rest != "challenge",
            _ => !rest.contains('/'),
        };
        (is_name && !rest.is_empty()).then_some((route, rest))
    })
}

/// What a path asks for, without asking for it: its route, and what it names.
#[derive(Debug, Default)]
pub struct Named {
    /// The route, where it is one of the API.
    pub route: Option<&'static str>,
    /// The skill.
    pub skill: Option<SkillId>,
    /// The version of it.
    pub version: Option<Version>,
    /// The namespace.
    pub namespace: Option<Namespace>,
    /// What else: a user, a token, a key.
    pub name: Option<String>,
}

impl Named {
    /// Of this path.
    pub fn of(path: &str) -> Self {
        if let Some(rest) = below(path, "/api/v1/skills/") {
            let asked = percent_decode_str(rest).decode_utf8().ok().and_then(|rest| asked(&rest).ok());
            return asked.map_or_else(
                || Self { route: Some(SHOW), ..Self::default() },
                |Asked { route, id, version, .. }| Self {
                    route: Some(route),
                    skill: Some(id),
                    version,
                    ..Self::default()
                },
            );
        }
        if let Some(rest) = below(path, "/api/v1/orgs/") {
            let rest = percent_decode_str(rest).decode_utf8_lossy();
            let segments: Vec<&str> = rest.split('/').collect();
            let Some((route, namespace, name)) = of_org(&segments) else { return Self::default() };
            return Self {
                route: Some(route),
                namespace: namespace.join("/").parse().ok(),
                name: Some(name.to_owned()).filter(|name| !name.is_empty()),
                ..Self::default()
            };
        }
        if let Some((route, name)) = named(path) {
            let name = percent_decode_str(name).decode_utf8_lossy().into_owned();
            return Self { route: Some(route), name: Some(name), ..Self::default() };
        }
        let route = ROUTES.iter().find(|(_, route, _)| *route == path).map(|(_, route, _)| *route);
        Self { route, ..Self::default() }
    }
}

const TOKEN: &str = "/api/v1/tokens/{token}";
const TILE: &str = "/log/v1/tile/{path}";
const REPORT: &str = "/api/v1/reports/{report}";
const KEY: &str = "/api/v1/keys/{fingerprint}";
const USER: &str = "/api/v1/users/{user}";
const SUBJECT: &str = "/api/v1/users/{user}/subject";

async fn one(call: Call, route: &'static str, name: &str) -> Result<Response> {
    match (route, call.method()) {
        (TOKEN, Method::DELETE) => api::tokens::revoke(&call, name).await,
        (REPORT, Method::PUT) => api::reports::resolve(call, name).await,
        (KEY, Method::DELETE) => api::keys::revoke(&call, name).await,
        (USER, Method::PATCH) => api::users::update(call, name).await,
        (SUBJECT, Method::PUT) => api::subject::link(call, name).await,
        _ => Err(not_allowed(route)),
    }
}

async fn fixed(call: Call, route: &'static str) -> Result<Response> {
    match (route, call.method()) {
        ("/healthz", Method::GET) => ops::healthz(),
        ("/readyz", Method::GET) => ops::readyz(&call).await,
        ("/metrics", Method::GET) => ops::metrics(&call).await,
        ("/openapi.json", Method::GET) => docs::openapi(),
        ("/docs", Method::GET) => docs::api(&call),
        ("/docs/errors", Method::GET) => docs::errors(&call),
        ("/api/v1/skills", Method::GET) => api::search::search(&call).await,
        ("/api/v1/skills", Method::POST) => api::publish::publish(call).await,
        ("/api/v1/usage", Method::POST) => api::usage::report(call).await,
        ("/api/v1/reports", Method::GET) => api::reports::list(&call).await,
        ("/api/v1/reports", Method::POST) => api::reports::create(call).await,
        ("/api/v1/whoami", Method::GET) => api::whoami::whoami(&call),
        ("/api/v1/tokens", Method::GET) => api::tokens::list(&call).await,
        ("/api/v1/tokens", Method::POST) => api::tokens::create(call).await,
        ("/api/v1/login-links", Method::POST) => api::login_links::create(&call).await,
        ("/api/v1/users", Method::GET) => api::users::list(&call).await,
        ("/api/v1/users", Method::POST) => api::users::create(call).await,
        ("/api/v1/oidc", Method::GET) => api::oidc::show(&call),
        ("/api/v1/oidc/exchange", Method::POST) => api::oidc::exchange(call).await,
        ("/api/v1/oidc/login", Method::POST) => api::oidc::start_login(call).await,
        ("/api/v1/oidc/login/poll", Method::POST) => api::oidc::poll_login(call).await,
        ("/api/v1/orgs", Method::GET) => api::orgs::list(&call).await,
        ("/api/v1/orgs", Method::POST) => api::orgs::create(call).await,
        ("/api/v1/leaderboards", Method::GET) => api::insight::leaderboard::show(&call).await,
        ("/api/v1/approvals", Method::GET) => api::approvals::pending(&call).await,
        ("/api/v1/keys", Method::GET) => api::keys::list(&call).await,
        ("/api/v1/keys", Method::POST) => api::keys::enrol(call).await,
        ("/api/v1/keys/challenge", Method::POST) => api::keys::challenge(call).await,
        ("/api/v1/audit", Method::GET) => api::audit::list(&call).await,
        ("/api/v1/audit/report", Method::GET) => api::audit::show(&call).await,
        ("/api/v1/log", Method::GET) => api::log::list(&call).await,
        ("/api/v1/log/key", Method::GET) => api::tlog::key(&call).await,
        ("/api/v1/log/openings", Method::GET) => api::tlog::openings(&call).await,
        ("/api/v1/log/witnessed", Method::GET) => api::tlog::witnessed(&call).await,
        ("/log/v1/checkpoint", Method::GET) => api::tlog::checkpoint(&call).await,
        _ => Err(not_allowed(route)),
    }
}

const SHOW: &str = "/api/v1/skills/{id}";
const DOWNLOAD: &str = "/api/v1/skills/{id}/download";
const INSTALL: &str = "/api/v1/skills/{id}/install";
const LOG: &str = "/api/v1/skills/{id}/log";
const RATE: &str = "/api/v1/skills/{id}/rate";
const RATINGS: &str = "/api/v1/skills/{id}/ratings";
const COMMENTS: &str = "/api/v1/skills/{id}/comments";
const COMMENT: &str = "/api/v1/skills/{id}/comments/{comment}";
const HIDDEN: &str = "/api/v1/skills/{id}/comments/{comment}/hidden";
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
struct Asked {
    route: &'static str,
    id: SkillId,
    version: Option<Version>,
    /// The path of a file of the version, or the id of a comment.
    path: Option<String>,
}

/// What is wrong with it is told with the route that it would be.
fn asked(rest: &str) -> std::result::Result<Asked, (&'static str, Failure)> {
    let segments: Vec<&str> = rest.split('/').collect();
    // What stands behind a version may be called the same.
    let is_of_version = segments.iter().skip(2).any(|segment| *segment == "versions");
    let said = match segments.as_slice() {
        _ if is_of_version => None,
        [id @ .., "comments"] if id.len() >= 2 => Some((COMMENTS, id, None)),
        [id @ .., "comments", comment] if id.len() >= 2 => Some((COMMENT, id, Some(*comment))),
        [id @ .., "comments", comment, "hidden"] if id.len() >= 2 => Some((HIDDEN, id, Some(*comment))),
        _ => None,
    };
    if let Some((route, id, comment)) = said {
        let id = parsed(&id.join("/")).map_err(|failure| (route, failure))?;
        let path = comment.map(str::to_owned);
        return Ok(Asked { route, id, version: None, path });
    }
    let (route, id, version) = take_apart(&segments);
    // With one segment there is no id, and still the rest says what was meant.
    let wrong = |failure| (take_apart(&[&["org"], segments.as_slice()].concat()).0, failure);
    // The id's segments stand together at the beginning, with a slash behind each.
    let length = id.iter().map(|segment| segment.len() + 1).sum::<usize>().saturating_sub(1);
    let version = version
        .map(str::parse::<Version>)
        .transpose()
        .map_err(|error: VersionError| wrong(Failure::new(ProblemCode::InvalidVersion, error.to_string())));
    let path = match (file_place(&segments), route) {
        (Some(place), _) => Some(segments[place + 3..].join("/")),
        (None, REVIEW_COMMENT) => segments.last().map(|comment| (*comment).to_owned()),
        (None, _) => None,
    };
    Ok(Asked { route, id: parsed(&rest[..length]).map_err(wrong)?, version: version?, path })
}

async fn skill(call: Call, asked: Asked) -> Result<Response> {
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

/// Which route a path below `/api/v1/orgs/` is, its namespace, and what stands behind.
fn of_org<'path>(segments: &'path [&'path str]) -> Option<(&'static str, &'path [&'path str], &'path str)> {
    Some(match segments {
        [namespace @ .., "members"] if !namespace.is_empty() => (MEMBERS, namespace, ""),
        [namespace @ .., "members", user] if !namespace.is_empty() => (MEMBER, namespace, user),
        [namespace @ .., "allowed_signers"] if !namespace.is_empty() => (ALLOWED_SIGNERS, namespace, ""),
        [namespace @ .., "policy"] if !namespace.is_empty() => (POLICY, namespace, ""),
        [namespace @ .., "usage"] if !namespace.is_empty() => (NAMESPACE_USAGE, namespace, ""),
        [namespace @ .., "publishers"] if !namespace.is_empty() => (PUBLISHERS, namespace, ""),
        [namespace @ .., "publishers", id] if !namespace.is_empty() => (PUBLISHER, namespace, id),
        [_, "signing-secret"] => (SIGNING_SECRET, &segments[..1], ""),
        [_] => (ORG, segments, ""),
        _ => return None,
    })
}

async fn below_orgs(call: Call, rest: &str) -> Answered {
    let segments: Vec<&str> = rest.split('/').collect();
    let method = call.method();
    let Some((route, namespace, user)) = of_org(&segments) else { return nothing() };
    let result = async {
        let namespace: Namespace = parsed(&namespace.join("/"))?;
        match (route, method) {
            (ORG, Method::GET) => api::orgs::show(&call, &namespace).await,
            (MEMBERS, Method::GET) => api::members::list(&call, &namespace).await,
            (MEMBER, Method::PUT) => api::members::set(call, &namespace, user).await,
            (MEMBER, Method::DELETE) => api::members::remove(&call, &namespace, user).await,
            (ALLOWED_SIGNERS, Method::GET) => api::keys::allowed_signers(&call, &namespace).await,
            (POLICY, Method::GET) => api::policy::show(&call, &namespace).await,
            (POLICY, Method::PUT) => api::policy::set(call, &namespace).await,
            (POLICY, Method::DELETE) => api::policy::remove(&call, &namespace).await,
            (NAMESPACE_USAGE, Method::GET) => api::insight::of_namespace::show(&call, &namespace).await,
            (PUBLISHERS, Method::GET) => api::publishers::list(&call, &namespace).await,
            (PUBLISHERS, Method::POST) => api::publishers::create(call, &namespace).await,
            (PUBLISHER, Method::DELETE) => api::publishers::remove(&call, &namespace, user).await,
            (SIGNING_SECRET, Method::PUT) => api::signing_secret::set(call, &namespace).await,
            (SIGNING_SECRET, Method::DELETE) => api::signing_secret::remove(&call, &namespace).await,
            _ => Err(not_allowed(route)),
        }
    };
    answer(route, result.await)
}

const ORG: &str = "/api/v1/orgs/{org}";
const MEMBERS: &str = "/api/v1/orgs/{namespace}/members";
const MEMBER: &str = "/api/v1/orgs/{namespace}/members/{user}";
const ALLOWED_SIGNERS: &str = "/api/v1/orgs/{namespace}/allowed_signers";
const POLICY: &str = "/api/v1/orgs/{namespace}/policy";
const NAMESPACE_USAGE: &str = "/api/v1/orgs/{namespace}/usage";
const PUBLISHERS: &str = "/api/v1/orgs/{namespace}/publishers";
const PUBLISHER: &str = "/api/v1/orgs/{namespace}/publishers/{publisher}";
const SIGNING_SECRET: &str = "/api/v1/orgs/{org}/signing-secret";

fn nothing() -> Answered {
    answer("none", Err(not_found()))
}

fn not_found() -> Failure {
    Failure::new(ProblemCode::RouteNotFound, "")
}

/// Whether a route takes a method at all.
fn takes(route: &str, method: &Method) -> bool {
    ROUTES.iter().any(|(taken, path, _)| *path == route && method.as_str().eq_ignore_ascii_case(taken))
}

fn not_allowed(route: &str) -> Failure {
    not_allowed_by(ROUTES, route)
}

/// The route of this table does not take the method that was sent.
pub fn not_allowed_by(routes: &[(&str, &str, Who)], route: &str) -> Failure {
    let mut methods: Vec<String> = routes
        .iter()
        .filter(|(_, path, _)| *path == route)
        .map(|(method, ..)| method.to_uppercase())
        .collect();
    if methods.iter().any(|method| method == "GET") {
        methods.push("HEAD".to_owned());
    }
    let allowed = methods.join(", ");
    skillery_core::Problem::new(ProblemCode::MethodNotAllowed, format!("this address takes {allowed}"))
        .with("allow", allowed)
        .into()
}

fn not_utf8() -> Failure {
    Failure::new(ProblemCode::InvalidId, "the address is not UTF-8")
}

fn parsed<T: FromStr<Err = IdError>>(text: &str) -> Result<T> {
    text.parse().map_err(|error: IdError| Failure::new(ProblemCode::InvalidId, error.to_string()))
}
