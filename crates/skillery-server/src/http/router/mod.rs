//! Every route, in one place: the table of them in `routes.rs`, and which function answers each.

mod orgs;
mod routes;
mod skills;

use axum::http::Method;
use axum::response::Response;
use percent_encoding::percent_decode_str;
use skillery_core::{Namespace, ProblemCode, SkillId, Version};

use super::call::{Call, problem};
use super::interop::{self, Surface};
use super::{api, docs, ops, pages};
use crate::failure::{Failure, Result};
use orgs::{ORG, below_orgs, of_org};
pub use routes::{ROUTES, Who};
use skills::{Asked, SHOW, asked, skill};

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
        ("/api/v1/notifications/webhooks/", "/test", WEBHOOK_TEST),
        ("/api/v1/notifications/webhooks/", "/deliveries", WEBHOOK_DELIVERIES),
        ("/api/v1/notifications/webhooks/", "/redeliver", WEBHOOK_REDELIVER),
        ("/api/v1/notifications/webhooks/", "", WEBHOOK),
        ("/api/v1/reports/", "/reopen", REOPEN),
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

/// Where a link of a mail leads, for whoever has it.
pub const UNSUBSCRIBE: &str = "/api/v1/notifications/unsubscribe";
const TOKEN: &str = "/api/v1/tokens/{token}";
const TILE: &str = "/log/v1/tile/{path}";
const REPORT: &str = "/api/v1/reports/{report}";
const REOPEN: &str = "/api/v1/reports/{report}/reopen";
const KEY: &str = "/api/v1/keys/{fingerprint}";
const USER: &str = "/api/v1/users/{user}";
const SUBJECT: &str = "/api/v1/users/{user}/subject";
const WEBHOOK: &str = "/api/v1/notifications/webhooks/{webhook}";
const WEBHOOK_TEST: &str = "/api/v1/notifications/webhooks/{webhook}/test";
const WEBHOOK_DELIVERIES: &str = "/api/v1/notifications/webhooks/{webhook}/deliveries";
const WEBHOOK_REDELIVER: &str = "/api/v1/notifications/webhooks/{webhook}/redeliver";

async fn one(call: Call, route: &'static str, name: &str) -> Result<Response> {
    match (route, call.method()) {
        (TOKEN, Method::DELETE) => api::tokens::revoke(&call, name).await,
        (REPORT, Method::PUT) => api::reports::resolve(call, name).await,
        (REOPEN, Method::POST) => api::reports::reopen(&call, name).await,
        (KEY, Method::DELETE) => api::keys::revoke(&call, name).await,
        (USER, Method::PATCH) => api::users::update(call, name).await,
        (SUBJECT, Method::PUT) => api::subject::link(call, name).await,
        (WEBHOOK, Method::PATCH) => api::webhooks::update(call, name).await,
        (WEBHOOK, Method::DELETE) => api::webhooks::remove(&call, name).await,
        (WEBHOOK_TEST, Method::POST) => api::webhooks::test(&call, name).await,
        (WEBHOOK_DELIVERIES, Method::GET) => api::webhooks::deliveries(&call, name).await,
        (WEBHOOK_REDELIVER, Method::POST) => api::webhooks::redeliver(call, name).await,
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
        ("/api/v1/facets", Method::GET) => api::search::facets(&call).await,
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
        ("/api/v1/leaderboards/me", Method::GET) => api::insight::settings::listed(&call).await,
        ("/api/v1/leaderboards/me", Method::PUT) => api::insight::settings::set_listed(call).await,
        ("/api/v1/approvals", Method::GET) => api::approvals::pending(&call).await,
        ("/api/v1/keys", Method::GET) => api::keys::list(&call).await,
        ("/api/v1/keys", Method::POST) => api::keys::enrol(call).await,
        ("/api/v1/keys/challenge", Method::POST) => api::keys::challenge(call).await,
        ("/api/v1/audit", Method::GET) => api::audit::list(&call).await,
        ("/api/v1/audit/report", Method::GET) => api::audit::show(&call).await,
        ("/api/v1/admin/jobs", Method::GET) => api::jobs::show(&call).await,
        ("/api/v1/admin/settings", Method::GET) => api::settings::show(&call),
        ("/api/v1/notifications", Method::GET) => api::notifications::list(&call).await,
        ("/api/v1/notifications/read", Method::POST) => api::notifications::read(call).await,
        ("/api/v1/notifications/preferences", Method::GET) => api::notifications::preferences(&call).await,
        ("/api/v1/notifications/preferences", Method::PUT) => api::notifications::set_preferences(call).await,
        ("/api/v1/notifications/email", Method::GET) => api::notifications::email(&call).await,
        ("/api/v1/notifications/email", Method::PUT) => api::notifications::set_email(call).await,
        ("/api/v1/notifications/email", Method::DELETE) => api::notifications::remove_email(&call).await,
        ("/api/v1/notifications/email/confirm", Method::POST) => {
            api::notifications::confirm_email(call).await
        }
        (UNSUBSCRIBE, Method::GET) => api::notifications::ask_unsubscribe(&call).await,
        (UNSUBSCRIBE, Method::POST) => api::notifications::unsubscribe(&call).await,
        ("/api/v1/notifications/webhooks", Method::GET) => api::webhooks::list(&call).await,
        ("/api/v1/notifications/webhooks", Method::POST) => api::webhooks::create(call).await,
        ("/api/v1/log", Method::GET) => api::log::list(&call).await,
        ("/api/v1/log/key", Method::GET) => api::tlog::key(&call).await,
        ("/api/v1/log/openings", Method::GET) => api::tlog::openings(&call).await,
        ("/api/v1/log/witnessed", Method::GET) => api::tlog::witnessed(&call).await,
        ("/log/v1/checkpoint", Method::GET) => api::tlog::checkpoint(&call).await,
        _ => Err(not_allowed(route)),
    }
}

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
