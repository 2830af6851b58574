//! `POST /mcp` and `POST /mcp/{namespace}`: hosts of the Model Context Protocol, over its streamable HTTP.
//!
//! Each request stands for itself: there are no sessions, and no stream stays open, so that any of several servers answers
//! any request. What is said is in `skillery-mcp`; here is who asks, and what is no message at all.

mod refuse;
mod registry;

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, Request};
use axum::response::Response;
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use rmcp::transport::StreamableHttpService;
use rmcp::transport::streamable_http_server::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use skillery_core::{Namespace, Problem, ProblemCode};
use skillery_mcp::{Handler, MAX_MESSAGE_BYTES};
use url::Url;

use self::registry::Registry;
use super::Surface;
use crate::failure::Result;
use crate::http::call::Call;
use crate::http::router::Answered;
use crate::origin;
use crate::settings::Settings;

/// All skills.
pub const ALL: &str = "/mcp";
/// Those of a namespace, and below it.
pub const NAMESPACE: &str = "/mcp/{namespace}";

/// Answers a message.
pub async fn answer(call: Call) -> Answered {
    let path = call.head.uri.path().to_owned();
    let (route, scope) = match path.trim_matches('/').split_once('/') {
        None => (ALL, None),
        Some((_, namespace)) => (NAMESPACE, Some(namespace)),
    };
    let parsed = |text| percent_decode_str(text).decode_utf8().ok()?.parse::<Namespace>().ok();
    let scope = match scope.map(parsed) {
        Some(None) => return (route, Surface::Mcp.problem(Surface::Mcp.not_found(&path))),
        scope => scope.flatten(),
    };
    (route, message(call, scope).await.unwrap_or_else(|failure| Surface::Mcp.problem(failure)))
}

async fn message(call: Call, scope: Option<Namespace>) -> Result<Response> {
    if call.method() != Method::POST {
        // There is no stream to listen to, and no session to end.
        let detail = "this address takes POST; there are no sessions and no streams here";
        return Err(Problem::new(ProblemCode::MethodNotAllowed, detail).with("allow", "POST").into());
    }
    let base = call.base().ok();
    let (app, caller, mut head, bytes) = call.bytes(MAX_MESSAGE_BYTES).await?;
    if let Some(refused) = refuse::no_message(&bytes) {
        return Ok(refused);
    }
    // The head goes along with the message, and may be shown by whoever logs one.
    head.headers.remove(AUTHORIZATION);
    let config = config(&app.settings);
    let handler = Handler::new(Registry { app, caller, scope, base, origin: origin::current() });
    let service = StreamableHttpService::new(
        move || Ok(handler.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let mut answered = service.handle(Request::from_parts(head, Full::new(bytes))).await.map(Body::new);
    // What is refused by its head is refused in a few words.
    let text = HeaderValue::from_static("text/plain; charset=utf-8");
    if answered.status().is_client_error() {
        answered.headers_mut().entry(CONTENT_TYPE).or_insert(text);
    }
    Ok(answered)
}

fn config(settings: &Settings) -> StreamableHttpServerConfig {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_sse_keep_alive(None)
        .with_sse_retry(None)
        .with_max_request_body_bytes(MAX_MESSAGE_BYTES);
    let config = match hosts(settings) {
        Some(hosts) => config.with_allowed_hosts(hosts),
        None => config.disable_allowed_hosts(),
    };
    match origins(settings) {
        Some(origins) => config.with_allowed_origins(origins).enforce_origin_validation(),
        None => config.disable_allowed_origins(),
    }
}

/// The names that this server may be called by. A server that only this machine reaches is called by no other, whatever a
/// page's own name resolves to; where one that others reach says nothing of its name, it can have any.
fn hosts(settings: &Settings) -> Option<Vec<String>> {
    let ip = settings.listen.ip();
    let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    match settings.public_url.as_ref().and_then(Url::host_str) {
        Some(host) => hosts.push(host.trim_matches(['[', ']']).to_owned()),
        None if !ip.is_loopback() => return None,
        None => {}
    }
    if !ip.is_unspecified() {
        hosts.push(ip.to_string());
    }
    Some(hosts)
}

/// The pages that may call it: its own and those that may call the API. None: all of them.
fn origins(settings: &Settings) -> Option<Vec<String>> {
    if settings.cors_origins.iter().any(|origin| origin == "*") {
        return None;
    }
    let with_port = |url: &Url| {
        let host = url.host_str()?;
        let port = url.port_or_known_default().map_or_else(|| "*".to_owned(), |port| port.to_string());
        Some(format!("{}://{host}:{port}", url.scheme()))
    };
    let configured = settings.cors_origins.iter().filter_map(|origin| Url::parse(origin).ok());
    Some(configured.chain(settings.public_url.clone()).filter_map(|url| with_port(&url)).collect())
}
