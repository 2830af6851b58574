//! Around every request: its id, who makes it, its time limit, the headers of its answer, its log line.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY,
    USER_AGENT, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skillery_core::limits::MAX_TOKEN_LENGTH;
use skillery_core::token::{Secret, checksum_fits};
use skillery_core::{Limits, Problem, ProblemCode, Program};

use super::call::{Call, Cause, problem};
use super::interop::Surface;
use super::multipart;
use super::pages::{self, session};
use super::router::{Answered, UNSUBSCRIBE, dispatch};
use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::accounts;
use crate::failure::{Failure, Result};
use crate::origin::{self, Origin};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Headers of every answer: there is nothing here that a browser should guess the kind of, or tell others about.
const ALWAYS: [(HeaderName, HeaderValue); 2] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];
/// Headers of what a browser shows: nothing in it comes from elsewhere, nothing that stands in a page runs, and nobody
/// frames it.
const SHOWN: [(HeaderName, HeaderValue); 2] = [
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
             form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        ),
    ),
];

/// Runs a request that came from this address.
pub async fn around(app: Arc<App>, peer: Option<IpAddr>, request: Request) -> Response {
    let started = Instant::now();
    let (mut head, body) = request.into_parts();
    if let Some(address) = address(&app, peer, &head.headers) {
        head.extensions.insert(address);
    }
    let id = request_id(&head.headers);
    let (method, uri) = (head.method.clone(), head.uri.clone());
    let agent = head.headers.get(USER_AGENT).cloned();
    let address = head.extensions.get::<IpAddr>().copied();
    let origin = Origin::request(Surface::via(uri.path()), address, id.clone(), agent);
    let answering = answer(&app, peer, head, body);
    let (route, mut response) = origin::scope(Some(Arc::clone(&origin)), answering).await;
    app.denials.note(&app, &origin, route, &method, uri.path(), &response);
    finish(&app, &mut response, &id);
    if method == Method::HEAD {
        without_body(&mut response);
    }
    let elapsed = started.elapsed();
    app.metrics.answered(route, static_method(&method), response.status().as_u16(), elapsed.as_secs_f64());
    log(&response, &method, uri.path(), &id, elapsed);
    response
}

async fn answer(app: &Arc<App>, peer: Option<IpAddr>, head: Parts, body: Body) -> Answered {
    let uri = head.uri.clone();
    let is_open = matches!(uri.path(), "/healthz" | "/readyz");
    let admitted = if is_open { Ok(Caller::anonymous()) } else { admit(app, peer, &head).await };
    let failure = match admitted {
        Ok(caller) => {
            let (limit, is_safe) = (time_limit(&app.settings.limits, &head), head.method.is_safe());
            let caller = caller.with_program(program(&head));
            let call = Call::new(Arc::clone(app), caller, head, body);
            match tokio::time::timeout(limit, dispatch(call)).await {
                Ok(answered) => return answered,
                Err(_) => {
                    // What has reached the writer is done without its caller.
                    let unknown = match is_safe {
                        true => "",
                        false => ", and it is not known whether the change was written",
                    };
                    let detail = format!("it took over {} s{unknown}", limit.as_secs());
                    Failure::new(ProblemCode::RequestTimedOut, detail)
                }
            }
        }
        Err(failure) if Surface::of(uri.path()).is_none() && pages::may_be(uri.path()) => {
            let call = Call::new(Arc::clone(app), Caller::anonymous(), head, body);
            return ("none", pages::refused(&call, failure));
        }
        Err(failure) => failure,
    };
    match Surface::of(uri.path()) {
        Some(surface) => ("none", surface.problem(failure)),
        None => ("none", problem(failure)),
    }
}

/// With which program a request is made: the protocol that it speaks says more than what it calls itself.
fn program(head: &Parts) -> Program {
    match Surface::of(head.uri.path()) {
        Some(Surface::Git) => Program::Git,
        Some(Surface::Clawhub) => Program::Clawhub,
        Some(Surface::Mcp) => Program::Mcp,
        Some(Surface::Openapm) => Program::Openapm,
        Some(Surface::Discovery | Surface::Marketplace) => Program::Discovery,
        None => {
            let text = head.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
            text.map_or(Program::Other, Program::of_user_agent)
        }
    }
}

/// How long a request may take. One that brings a bundle takes as long as the way to here is slow.
fn time_limit(limits: &Limits, head: &Parts) -> Duration {
    let path = head.uri.path();
    // A header alone gives nobody more time: it must be where a form is taken.
    let is_form =
        matches!(path, "/api/v1/skills" | "/clawhub/api/v1/skills") && multipart::is_form(&head.headers);
    let sends = matches!(head.method, Method::POST | Method::PUT) && head.headers.contains_key(AUTHORIZATION);
    Duration::from_secs(match sends && (is_form || Surface::brings_file(path)) {
        true => limits.upload_seconds.max(limits.request_seconds),
        false => limits.request_seconds,
    })
}

/// The answer to HEAD is that to GET without its body.
fn without_body(response: &mut Response) {
    let length = HttpBody::size_hint(response.body()).exact();
    *response.body_mut() = Body::empty();
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
}

/// The name of a method, where it is one that this server may answer. Callers may make up longer ones.
pub(crate) fn static_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Who asks, and whether one more request is welcome.
async fn admit(app: &App, peer: Option<IpAddr>, head: &Parts) -> Result<Caller> {
    let surface = Surface::of(head.uri.path());
    let takes_basic = surface.is_some_and(Surface::takes_basic);
    let signed_in = match credentials(&head.headers, takes_basic) {
        Ok(Some(token)) => authenticate(app, &token).await.map(Some),
        Ok(None) => Ok(None),
        Err(failure) => Err(failure),
    };
    let signed_in = match signed_in {
        // A browser that is not signed in any more is like one that never was.
        Ok(None) if surface.is_none() && pages::may_be(head.uri.path()) => match session::token(app, head) {
            Some(token) => authenticate(app, &token).await.map(Some).or_else(as_anonymous),
            None => Ok(None),
        },
        other => other,
    };
    let guesses = head.method == Method::POST && pages::signs_in(head.uri.path());
    if (guesses
        || pages::asks_provider(head.uri.path())
        || is_oidc(head.uri.path())
        || Surface::signs_in(head.uri.path()))
        && let Some(address) = address(app, peer, &head.headers)
    {
        app.limiter.check_oidc(address)?;
    }
    // Whoever shows no good token is limited by address: guessing is no way around the limit.
    if !matches!(signed_in, Ok(Some(_)))
        && let Some(address) = address(app, peer, &head.headers)
    {
        app.limiter.check_address(address)?;
    }
    match signed_in? {
        Some(caller) => {
            if let Some(identity) = caller.identity() {
                app.limiter.check_token(&identity.token.id)?;
            }
            Ok(caller)
        }
        None if !app.settings.anonymous_reads
            && (surface.is_some() || is_reading(head.uri.path()))
            && !Surface::is_open(head.uri.path())
            && (surface.is_some() || !pages::takes_form(&head.method, head.uri.path())) =>
        {
            Err(Failure::new(ProblemCode::Unauthenticated, "this registry answers signed-in callers only"))
        }
        None => Ok(Caller::anonymous()),
    }
}

fn as_anonymous(failure: Failure) -> Result<Option<Caller>> {
    if failure.problem.status != 401 {
        return Err(failure);
    }
    origin::ended_session(failure.code());
    Ok(None)
}

/// Whether the address is one of those that tell of skills, and not of the server or its documents.
fn is_reading(path: &str) -> bool {
    (path.starts_with("/api/") && path != "/api/v1/oidc" && path != UNSUBSCRIBE && !is_oidc(path))
        || path.starts_with("/log/")
        || (pages::may_be(path) && !pages::is_open(path))
}

/// Whether the address is one where callers bring what they have from elsewhere, to get a token for it.
fn is_oidc(path: &str) -> bool {
    path.starts_with("/api/v1/oidc/")
}

fn address(app: &App, peer: Option<IpAddr>, headers: &HeaderMap) -> Option<IpAddr> {
    let forwarded = || -> Option<IpAddr> {
        // The last entry is the one that the nearest proxy wrote.
        let entries = headers.get_all("x-forwarded-for").iter().next_back()?;
        entries.to_str().ok()?.rsplit(',').next()?.trim().parse().ok()
    };
    let believed = if app.settings.trust_forwarded { forwarded() } else { None };
    believed.or(peer)
}

/// The token that the request brings. Clients that know nothing but `Basic` bring it as the password, or where there is
/// none as the name.
fn credentials(headers: &HeaderMap, takes_basic: bool) -> Result<Option<Secret>> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| {
        let (scheme, rest) = value.split_once(' ')?;
        match scheme.to_ascii_lowercase().as_str() {
            "bearer" => Some(rest.trim().to_owned()),
            "basic" if takes_basic => {
                let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
                let (name, password) = decoded.split_once(':')?;
                Some(if password.is_empty() { name } else { password }.to_owned())
            }
            _ => None,
        }
    });
    match token {
        Some(token) if !token.is_empty() && token.len() <= MAX_TOKEN_LENGTH => Ok(Some(Secret::new(token))),
        _ => {
            Err(Failure::new(ProblemCode::InvalidToken, "the header must be `Authorization: Bearer <token>`"))
        }
    }
}

pub(super) async fn authenticate(app: &App, token: &Secret) -> Result<Caller> {
    if token.expose().starts_with("sky_") && !checksum_fits(token.expose()) {
        return Err(Failure::new(
            ProblemCode::InvalidToken,
            "the token's checksum does not fit; it was not copied whole",
        ));
    }
    let hash = token.hash();
    let identity = match app.identities.get(&hash) {
        Some(identity) => identity,
        None => {
            let epoch = app.identities.epoch();
            let found = accounts::token_by_hash(app.db.reader(), &hash).await?;
            let (token, user) = found.ok_or_else(|| Failure::new(ProblemCode::InvalidToken, ""))?;
            let roles = accounts::roles(app.db.reader(), &user.id).await?;
            let identity = Arc::new(Identity { user, token, roles });
            app.identities.keep(hash, epoch, Arc::clone(&identity));
            identity
        }
    };
    let now = app.environment.now();
    origin::shown(&identity);
    identity.check_good()?;
    if let Some(expired) = identity.token.expires_at.filter(|expires| *expires <= now) {
        return Err(Failure::new(ProblemCode::TokenExpired, format!("it expired at {expired}")));
    }
    app.counters.note_use(&identity.token.id, now);
    Ok(Caller::signed_in(identity))
}

/// The caller's own id where it is short and plain, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let given = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |text: &&str| {
        (8..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    match given.filter(plain) {
        Some(id) => id.to_owned(),
        None => format!("{}-{:x}", prefix(), NEXT.fetch_add(1, Ordering::Relaxed)),
    }
}

/// Tells this process's requests from those of others and of other starts.
fn prefix() -> &'static str {
    static PREFIX: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    PREFIX.get_or_init(|| hex::encode(crate::environment::Environment::default().random::<6>()))
}

fn finish(app: &App, response: &mut Response, id: &str) {
    if let Some(mut details) = response.extensions_mut().remove::<Box<Problem>>() {
        details.request_id = Some(id.to_owned());
        if let Some(url) = &app.settings.public_url {
            details.kind = format!("{}{}", url.as_str().trim_end_matches('/'), details.kind);
        }
        let bytes = serde_json::to_vec(&details).unwrap_or_default();
        *response.body_mut() = Body::from(bytes);
        // The body replaces an empty one, whose length may already be noted.
        response.headers_mut().remove("content-length");
    }
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(value);
    }
    // JSON is data to a browser that must not guess; everything else might be shown.
    if headers.get(CONTENT_TYPE).is_none_or(|kind| kind != "application/json") {
        for (name, value) in SHOWN {
            // What is stricter with itself, or has a form and says where it may go, stays so.
            headers.entry(name).or_insert(value);
        }
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("authorization"));
    }
    if app.settings.tls_cert.is_some() {
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    }
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
}

fn log(response: &Response, method: &Method, path: &str, id: &str, elapsed: Duration) {
    let status = response.status().as_u16();
    let millis = elapsed.as_secs_f64() * 1_000.0;
    let cause = response.extensions().get::<Cause>().map(|cause| &*cause.0);
    if status >= 500 {
        tracing::error!(%method, path, status, millis, id, cause, "request failed");
    } else if let Some(cause) = cause {
        tracing::warn!(%method, path, status, millis, id, cause, "request refused");
    } else {
        tracing::debug!(%method, path, status, millis, id, "request");
    }
}
