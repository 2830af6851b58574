//! What is asked for below `/api/v1/orgs/`.

use axum::http::Method;
use skillery_core::Namespace;

use super::{Answered, answer, not_allowed, nothing};
use crate::http::api;
use crate::http::call::Call;

/// Which route a path below `/api/v1/orgs/` is, its namespace, and what stands behind.
pub(super) fn of_org<'path>(
    segments: &'path [&'path str],
) -> Option<(&'static str, &'path [&'path str], &'path str)> {
    Some(match segments {
        [namespace @ .., "namespaces"] if !namespace.is_empty() => (NAMESPACES, namespace, ""),
        [namespace @ .., "members"] if !namespace.is_empty() => (MEMBERS, namespace, ""),
        [namespace @ .., "members", user] if !namespace.is_empty() => (MEMBER, namespace, user),
        [namespace @ .., "allowed_signers"] if !namespace.is_empty() => (ALLOWED_SIGNERS, namespace, ""),
        [namespace @ .., "policy"] if !namespace.is_empty() => (POLICY, namespace, ""),
        [namespace @ .., "policy", "history"] if !namespace.is_empty() => (POLICY_HISTORY, namespace, ""),
        [namespace @ .., "policy", "groups", group] if !namespace.is_empty() => (GROUP, namespace, group),
        [namespace @ .., "usage"] if !namespace.is_empty() => (NAMESPACE_USAGE, namespace, ""),
        [namespace @ .., "usage", "settings"] if !namespace.is_empty() => (USAGE_SETTINGS, namespace, ""),
        [namespace @ .., "publishers"] if !namespace.is_empty() => (PUBLISHERS, namespace, ""),
        [namespace @ .., "publishers", id] if !namespace.is_empty() => (PUBLISHER, namespace, id),
        [_, "signing-secret"] => (SIGNING_SECRET, &segments[..1], ""),
        [_] => (ORG, segments, ""),
        _ => return None,
    })
}

pub(super) async fn below_orgs(call: Call, rest: &str) -> Answered {
    let segments: Vec<&str> = rest.split('/').collect();
    let method = call.method();
    let Some((route, namespace, user)) = of_org(&segments) else { return nothing() };
    let result = async {
        let namespace: Namespace = namespace.join("/").parse()?;
        match (route, method) {
            (ORG, Method::GET) => api::orgs::show(&call, &namespace).await,
            (NAMESPACES, Method::GET) => api::orgs::namespaces(&call, &namespace).await,
            (MEMBERS, Method::GET) => api::members::list(&call, &namespace).await,
            (MEMBER, Method::PUT) => api::members::set(call, &namespace, user).await,
            (MEMBER, Method::DELETE) => api::members::remove(&call, &namespace, user).await,
            (ALLOWED_SIGNERS, Method::GET) => api::keys::allowed_signers(&call, &namespace).await,
            (POLICY, Method::GET) => api::policy::show(&call, &namespace).await,
            (POLICY, Method::PUT) => api::policy::set(call, &namespace).await,
            (POLICY, Method::DELETE) => api::policy::remove(&call, &namespace).await,
            (POLICY_HISTORY, Method::GET) => api::policy::history(&call, &namespace).await,
            (GROUP, Method::PUT) => api::groups::set(call, &namespace, user).await,
            (GROUP, Method::DELETE) => api::groups::remove(&call, &namespace, user).await,
            (NAMESPACE_USAGE, Method::GET) => api::insight::of_namespace::show(&call, &namespace).await,
            (USAGE_SETTINGS, Method::GET) => api::insight::settings::show(&call, &namespace).await,
            (USAGE_SETTINGS, Method::PUT) => api::insight::settings::set(call, &namespace).await,
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

pub(super) const ORG: &str = "/api/v1/orgs/{org}";
const NAMESPACES: &str = "/api/v1/orgs/{namespace}/namespaces";
const MEMBERS: &str = "/api/v1/orgs/{namespace}/members";
const MEMBER: &str = "/api/v1/orgs/{namespace}/members/{user}";
const ALLOWED_SIGNERS: &str = "/api/v1/orgs/{namespace}/allowed_signers";
const POLICY: &str = "/api/v1/orgs/{namespace}/policy";
const POLICY_HISTORY: &str = "/api/v1/orgs/{namespace}/policy/history";
const GROUP: &str = "/api/v1/orgs/{namespace}/policy/groups/{group}";
const NAMESPACE_USAGE: &str = "/api/v1/orgs/{namespace}/usage";
const USAGE_SETTINGS: &str = "/api/v1/orgs/{namespace}/usage/settings";
const PUBLISHERS: &str = "/api/v1/orgs/{namespace}/publishers";
const PUBLISHER: &str = "/api/v1/orgs/{namespace}/publishers/{publisher}";
const SIGNING_SECRET: &str = "/api/v1/orgs/{org}/signing-secret";
