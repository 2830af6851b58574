//! Every route, in one place.
//!
//! A skill's id contains slashes, so what follows `/api/v1/skills/` is taken apart here: words that stand behind an
//! id are reserved and can be no part of one.

use std::str::FromStr;
use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::Method;
use axum::response::Response;
use axum::routing::any;
use skillery_core::id::IdError;
use skillery_core::version::VersionError;
use skillery_core::{Namespace, ProblemCode, SkillId, Version};

use super::call::{Call, answer};
use super::{api, docs, middleware, ops};
use crate::app::App;
use crate::failure::{Failure, Result};

/// Who may call a route at all; what the caller may do there is decided by `access.rs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Everybody, always.
    Anyone,
    /// Everybody where anonymous reads are on; of what the caller sees.
    Reader,
    /// A signed-in caller, with whatever scopes.
    SignedIn,
    /// A signed-in caller with this scope.
    Scope(skillery_core::Scope),
    /// An admin of the registry.
    SiteAdmin,
}

use skillery_core::Scope::{Admin, Publish, Rate, Read};

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
    ("post", "/api/v1/skills/{id}/rate", Who::Scope(Rate)),
    ("delete", "/api/v1/skills/{id}/rate", Who::Scope(Rate)),
    ("get", "/api/v1/skills/{id}/ratings", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions", Who::Reader),
    ("get", "/api/v1/skills/{id}/versions/{version}", Who::Reader),
    ("put", "/api/v1/skills/{id}/versions/{version}/yank", Who::Scope(Publish)),
    ("delete", "/api/v1/skills/{id}/versions/{version}/yank", Who::Scope(Publish)),
    ("put", "/api/v1/skills/{id}/versions/{version}/quarantine", Who::SiteAdmin),
    ("delete", "/api/v1/skills/{id}/versions/{version}/quarantine", Who::SiteAdmin),
    ("put", "/api/v1/skills/{id}/visibility", Who::Scope(Admin)),
    ("get", "/api/v1/whoami", Who::SignedIn),
    ("get", "/api/v1/tokens", Who::Scope(Read)),
    ("post", "/api/v1/tokens", Who::Scope(Admin)),
    ("delete", "/api/v1/tokens/{token}", Who::SignedIn),
    ("get", "/api/v1/users", Who::SiteAdmin),
    ("post", "/api/v1/users", Who::SiteAdmin),
    ("patch", "/api/v1/users/{user}", Who::SiteAdmin),
    ("get", "/api/v1/orgs", Who::Reader),
    ("post", "/api/v1/orgs", Who::Scope(Admin)),
    ("get", "/api/v1/orgs/{org}", Who::Reader),
    ("get", "/api/v1/orgs/{namespace}/members", Who::Scope(Read)),
    ("put", "/api/v1/orgs/{namespace}/members/{user}", Who::Scope(Admin)),
    ("delete", "/api/v1/orgs/{namespace}/members/{user}", Who::Scope(Admin)),
    ("put", "/api/v1/orgs/{org}/signing-secret", Who::Scope(Admin)),
    ("delete", "/api/v1/orgs/{org}/signing-secret", Who::Scope(Admin)),
    ("get", "/api/v1/log", Who::SiteAdmin),
];

/// The routes as a service.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", any(fixed))
        .route("/readyz", any(fixed))
        .route("/metrics", any(fixed))
        .route("/openapi.json", any(fixed))
        .route("/docs", any(fixed))
        .route("/docs/errors", any(fixed))
        .route("/api/v1/skills", any(fixed))
        .route("/api/v1/skills/{*rest}", any(below_skills))
        .route("/api/v1/whoami", any(fixed))
        .route("/api/v1/tokens", any(fixed))
        .route("/api/v1/tokens/{token}", any(one_token))
        .route("/api/v1/users", any(fixed))
        .route("/api/v1/users/{user}", any(one_user))
        .route("/api/v1/orgs", any(fixed))
        .route("/api/v1/orgs/{*rest}", any(below_orgs))
        .route("/api/v1/log", any(fixed))
        .fallback(nothing)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), middleware::around))
        .with_state(app)
}

async fn fixed(State(app): State<Arc<App>>, request: Request) -> Response {
    let call = Call::new(app, request);
    let path = call.head.uri.path();
    let method = call.method();
    let found = ROUTES.iter().find(|(_, route, _)| *route == path).map(|(_, route, _)| *route);
    let result = match (path, &method) {
        ("/healthz", &Method::GET) => ops::healthz(),
        ("/readyz", &Method::GET) => ops::readyz(&call).await,
        ("/metrics", &Method::GET) => ops::metrics(&call).await,
        ("/openapi.json", &Method::GET) => docs::openapi(),
        ("/docs", &Method::GET) => docs::api(),
        ("/docs/errors", &Method::GET) => docs::errors(),
        ("/api/v1/skills", &Method::GET) => api::search::search(&call).await,
        ("/api/v1/skills", &Method::POST) => api::publish::publish(call).await,
        ("/api/v1/whoami", &Method::GET) => api::whoami::whoami(&call),
        ("/api/v1/tokens", &Method::GET) => api::tokens::list(&call).await,
        ("/api/v1/tokens", &Method::POST) => api::tokens::create(call).await,
        ("/api/v1/users", &Method::GET) => api::users::list(&call).await,
        ("/api/v1/users", &Method::POST) => api::users::create(call).await,
        ("/api/v1/orgs", &Method::GET) => api::orgs::list(&call).await,
        ("/api/v1/orgs", &Method::POST) => api::orgs::create(call).await,
        ("/api/v1/log", &Method::GET) => api::log::list(&call).await,
        _ => Err(not_allowed(found.unwrap_or_default())),
    };
    answer(found.unwrap_or("none"), result)
}

async fn one_token(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    const ROUTE: &str = "/api/v1/tokens/{token}";
    let call = Call::new(app, request);
    let result = match (path, call.method()) {
        (Ok(Path(token)), Method::DELETE) => api::tokens::revoke(&call, &token).await,
        (Ok(_), _) => Err(not_allowed(ROUTE)),
        (Err(rejection), _) => Err(bad_path(&rejection)),
    };
    answer(ROUTE, result)
}

async fn one_user(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    const ROUTE: &str = "/api/v1/users/{user}";
    let call = Call::new(app, request);
    let result = match (path, call.method()) {
        (Ok(Path(user)), Method::PATCH) => api::users::update(call, &user).await,
        (Ok(_), _) => Err(not_allowed(ROUTE)),
        (Err(rejection), _) => Err(bad_path(&rejection)),
    };
    answer(ROUTE, result)
}

async fn below_skills(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let call = Call::new(app, request);
    let rest = match path {
        Ok(Path(rest)) => rest,
        Err(rejection) => return answer("/api/v1/skills/{id}", Err(bad_path(&rejection))),
    };
    let (route, result) = skill_route(call, &rest).await;
    answer(route, result)
}

const SHOW: &str = "/api/v1/skills/{id}";
const DOWNLOAD: &str = "/api/v1/skills/{id}/download";
const RATE: &str = "/api/v1/skills/{id}/rate";
const RATINGS: &str = "/api/v1/skills/{id}/ratings";
const VISIBILITY: &str = "/api/v1/skills/{id}/visibility";
const VERSIONS: &str = "/api/v1/skills/{id}/versions";
const VERSION: &str = "/api/v1/skills/{id}/versions/{version}";
const YANK: &str = "/api/v1/skills/{id}/versions/{version}/yank";
const QUARANTINE: &str = "/api/v1/skills/{id}/versions/{version}/quarantine";

/// Which route a path below `/api/v1/skills/` is, and its id and version. The shortest id has two segments; reserved
/// words can stand only behind them.
fn take_apart<'path>(
    segments: &'path [&'path str],
) -> (&'static str, &'path [&'path str], Option<&'path str>) {
    match segments {
        [id @ .., "versions", version, "yank"] if id.len() >= 2 => (YANK, id, Some(version)),
        [id @ .., "versions", version, "quarantine"] if id.len() >= 2 => (QUARANTINE, id, Some(version)),
        [id @ .., "versions", version] if id.len() >= 2 => (VERSION, id, Some(version)),
        [id @ .., "versions"] if id.len() >= 2 => (VERSIONS, id, None),
        [id @ .., "download"] if id.len() >= 2 => (DOWNLOAD, id, None),
        [id @ .., "rate"] if id.len() >= 2 => (RATE, id, None),
        [id @ .., "ratings"] if id.len() >= 2 => (RATINGS, id, None),
        [id @ .., "visibility"] if id.len() >= 2 => (VISIBILITY, id, None),
        id => (SHOW, id, None),
    }
}

async fn skill_route(call: Call, rest: &str) -> (&'static str, Result<Response>) {
    let segments: Vec<&str> = rest.split('/').collect();
    let (route, id, version) = take_apart(&segments);
    (route, skill_answer(call, route, id, version).await)
}

async fn skill_answer(
    call: Call,
    route: &'static str,
    id: &[&str],
    version: Option<&str>,
) -> Result<Response> {
    let id: SkillId = parsed(id)?;
    let version = version
        .map(str::parse::<Version>)
        .transpose()
        .map_err(|error: VersionError| Failure::new(ProblemCode::InvalidVersion, error.to_string()))?;
    match (route, call.method(), version) {
        (SHOW, Method::GET, _) => api::show::show(&call, &id).await,
        (DOWNLOAD, Method::GET, _) => api::download::download(&call, &id).await,
        (RATE, Method::POST, _) => api::rate::rate(call, &id).await,
        (RATE, Method::DELETE, _) => api::rate::unrate(&call, &id).await,
        (RATINGS, Method::GET, _) => api::ratings::ratings(&call, &id).await,
        (VISIBILITY, Method::PUT, _) => api::visibility::set(call, &id).await,
        (VERSIONS, Method::GET, _) => api::versions::list(&call, &id).await,
        (VERSION, Method::GET, Some(version)) => api::versions::show(&call, &id, &version).await,
        (YANK, Method::PUT, Some(version)) => api::status::yank(call, &id, &version).await,
        (YANK, Method::DELETE, Some(version)) => api::status::unyank(&call, &id, &version).await,
        (QUARANTINE, Method::PUT, Some(version)) => api::status::quarantine(call, &id, &version).await,
        (QUARANTINE, Method::DELETE, Some(version)) => api::status::release(&call, &id, &version).await,
        _ => Err(not_allowed(route)),
    }
}

async fn below_orgs(
    State(app): State<Arc<App>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let call = Call::new(app, request);
    let rest = match path {
        Ok(Path(rest)) => rest,
        Err(rejection) => return answer("/api/v1/orgs/{org}", Err(bad_path(&rejection))),
    };
    let segments: Vec<&str> = rest.split('/').collect();
    let method = call.method();
    let (route, namespace, user): (&str, &[&str], &str) = match segments.as_slice() {
        [namespace @ .., "members"] if !namespace.is_empty() => (MEMBERS, namespace, ""),
        [namespace @ .., "members", user] if !namespace.is_empty() => (MEMBER, namespace, user),
        [_, "signing-secret"] => (SIGNING_SECRET, &segments[..1], ""),
        [_] => (ORG, &segments, ""),
        _ => return nothing().await,
    };
    let result = async {
        let namespace: Namespace = parsed(namespace)?;
        match (route, method) {
            (ORG, Method::GET) => api::orgs::show(&call, &namespace).await,
            (MEMBERS, Method::GET) => api::members::list(&call, &namespace).await,
            (MEMBER, Method::PUT) => api::members::set(call, &namespace, user).await,
            (MEMBER, Method::DELETE) => api::members::remove(&call, &namespace, user).await,
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
const SIGNING_SECRET: &str = "/api/v1/orgs/{org}/signing-secret";

async fn nothing() -> Response {
    answer("none", Err(not_found()))
}

fn not_found() -> Failure {
    Failure::new(ProblemCode::RouteNotFound, "")
}

fn not_allowed(route: &str) -> Failure {
    let mut methods: Vec<String> = ROUTES
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

fn bad_path(rejection: &PathRejection) -> Failure {
    Failure::new(ProblemCode::InvalidId, rejection.body_text())
}

fn parsed<T: FromStr<Err = IdError>>(segments: &[&str]) -> Result<T> {
    segments
        .join("/")
        .parse()
        .map_err(|error: IdError| Failure::new(ProblemCode::InvalidId, error.to_string()))
}
