//! One request under way, and the few forms of an answer.

use std::borrow::Cow;
use std::fmt::Display;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use skillery_core::{Problem, ProblemCode};

use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};

/// A request with who makes it.
pub struct Call {
    /// The registry.
    pub app: Arc<App>,
    /// Who asks.
    pub caller: Caller,
    /// The head of the request.
    pub head: Parts,
    /// A body cannot be shared between threads by itself, and routes that do not read it share the call.
    body: Mutex<Body>,
    /// More rows than these are not given, however many are asked for.
    most_rows: usize,
}

/// Rows of a page for people, which is to be light to load.
const LIGHT: usize = 50;

/// Rows of a page.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    /// How many at most.
    pub limit: usize,
    /// How many come before.
    pub offset: usize,
}

impl Call {
    /// A request that the middleware has passed.
    pub fn new(app: Arc<App>, caller: Caller, head: Parts, body: Body) -> Self {
        Self { app, caller, head, body: Mutex::new(body), most_rows: usize::MAX }
    }

    /// The same for a page that people look at.
    pub fn light(self) -> Self {
        Self { most_rows: LIGHT, ..self }
    }

    /// What tells this caller from others, where something is shared out: the user, or the address of who is not signed in.
    pub fn asks(&self) -> String {
        match self.caller.user_id() {
            Some(user) => user.to_owned(),
            None => self.head.extensions.get::<IpAddr>().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// The method; HEAD is answered as GET.
    pub fn method(&self) -> Method {
        if self.is_head() { Method::GET } else { self.head.method.clone() }
    }

    /// Whether only the head of the answer is wanted.
    pub fn is_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// How the registry is reached from outside, without a slash at the end: as it is configured, else as this request has
    /// reached it.
    pub fn base(&self) -> Result<String> {
        base(&self.app, &self.head)
    }

    /// All values of a parameter of the URL.
    pub fn all<'call>(&'call self, name: &'call str) -> impl Iterator<Item = Cow<'call, str>> {
        let query = self.head.uri.query().unwrap_or_default();
        url::form_urlencoded::parse(query.as_bytes())
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// A parameter of the URL, the last where it is repeated; none when it is missing or empty.
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.all(name).last().filter(|value| !value.is_empty()).map(Cow::into_owned)
    }

    /// A parameter of the URL as a value.
    pub fn parsed<T: FromStr>(&self, name: &str) -> Result<Option<T>>
    where
        T::Err: Display,
    {
        self.parameter(name)
            .map(|text| text.parse().map_err(|error: T::Err| invalid_parameter(name, &error.to_string())))
            .transpose()
    }

    /// `limit` and `offset`.
    pub fn page(&self) -> Result<Page> {
        let limits = &self.app.settings.limits;
        let limit = self.parsed::<usize>("limit")?.unwrap_or(limits.default_page_rows);
        let offset = self.parsed::<usize>("offset")?.unwrap_or(0);
        if limit > limits.page_rows {
            return Err(invalid_parameter(
                "limit",
                &format!("at most {} rows make a page", limits.page_rows),
            ));
        }
        if offset > limits.page_offset {
            return Err(invalid_parameter(
                "offset",
                &format!("at most {} rows can be passed over", limits.page_offset),
            ));
        }
        Ok(Page { limit: limit.min(self.most_rows), offset })
    }

    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// The whole body, of at most so many bytes. Returns the rest of the call, too.
    pub async fn bytes(self, limit: usize) -> Result<(Arc<App>, Caller, Parts, Bytes)> {
        let bytes = read(self.body.into_inner().unwrap_or_else(PoisonError::into_inner), limit).await?;
        Ok((self.app, self.caller, self.head, bytes))
    }

    /// The body as it comes. Returns the rest of the call, too.
    pub fn stream(self) -> (Arc<App>, Caller, Parts, Body) {
        (self.app, self.caller, self.head, self.body.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The body as JSON of this type. Returns the rest of the call, too.
    pub async fn json<T: DeserializeOwned>(self) -> Result<(Arc<App>, Caller, T)> {
        let announced =
            self.head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = announced.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if media_type != "application/json" && !media_type.ends_with("+json") {
            return Err(Failure::new(
                ProblemCode::UnsupportedMediaType,
                format!("`{}` was sent", media_type.escape_debug()),
            ));
        }
        let limit = self.app.settings.limits.body_bytes;
        let bytes = read(self.body.into_inner().unwrap_or_else(PoisonError::into_inner), limit).await?;
        Ok((self.app, self.caller, parse_json(&bytes)?))
    }
}

/// How the registry is reached from outside by this request, without a slash at the end.
pub fn base(app: &App, head: &Parts) -> Result<String> {
    if let Some(url) = &app.settings.public_url {
        return Ok(url.as_str().trim_end_matches('/').to_owned());
    }
    let header = |name: &str| {
        let value = head.headers.get(name)?.to_str().ok()?;
        value.split(',').next().map(str::trim).filter(|value| !value.is_empty())
    };
    let forwarded = |name: &str| header(name).filter(|_| app.settings.trust_forwarded);
    let authority = forwarded("x-forwarded-host")
        .or_else(|| header("host"))
        .or_else(|| head.uri.authority().map(|authority| authority.as_str()));
    let scheme = match (forwarded("x-forwarded-proto"), app.settings.tls_cert.is_some()) {
        (Some("https"), _) | (None, true) => "https",
        _ => "http",
    };
    // Addresses are pasted into shells.
    let is_plain = |authority: &&str| {
        authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte))
    };
    let authority = authority.filter(is_plain);
    let base = authority.map(|authority| format!("{scheme}://{authority}")).filter(|base| {
        url::Url::parse(base).is_ok_and(|url| {
            url.path() == "/"
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty()
        })
    });
    base.ok_or_else(|| Failure::new(ProblemCode::InvalidParameter, "the header `Host` is missing, or none"))
}

/// What a caller sent as JSON.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| json_failure(&error))
}

async fn read(body: Body, limit: usize) -> Result<Bytes> {
    use http_body_util::{BodyExt, LengthLimitError, Limited};
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            let problem =
                Problem::new(ProblemCode::BodyTooLarge, format!("the body has more than {limit} bytes"));
            Err(problem.with("limit", limit).into())
        }
        Err(error) => Err(Failure::caused(ProblemCode::InvalidJson, "the body did not arrive whole", error)),
    }
}

/// How much of what a caller sent is repeated in a problem.
const SHOWN: usize = 200;

fn json_failure(error: &serde_json::Error) -> Failure {
    let text = without_value(&error.to_string());
    let code = match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => ProblemCode::InvalidJson,
        Category::Data if text.starts_with("unknown field") => ProblemCode::UnknownField,
        Category::Data => ProblemCode::InvalidField,
    };
    let field = text.split('`').nth(1).filter(|_| text.contains(" field `")).map(shortened);
    let mut problem = Problem::new(code, shortened(&text));
    if let Some(field) = field {
        problem = problem.with("field", field);
    }
    problem.into()
}

/// A value may be a secret, and is not repeated.
fn without_value(text: &str) -> String {
    for kind in ["invalid type: string ", "invalid value: string "] {
        if let Some(rest) = text.strip_prefix(kind)
            && let Some(end) = rest.rfind("\", expected")
        {
            return format!("{kind}{}", &rest[end + 1..]).replace("string ,", "a string,");
        }
    }
    text.to_owned()
}

/// The beginning and the end, as the place of the mistake stands at the end.
fn shortened(text: &str) -> String {
    let characters: Vec<char> = text.escape_debug().collect();
    if characters.len() <= SHOWN * 2 {
        return text.to_owned();
    }
    let (head, tail) = (&characters[..SHOWN], &characters[characters.len() - SHOWN..]);
    format!("{} … {}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

/// A parameter of the URL is not what it may be.
pub fn invalid_parameter(name: &str, detail: &str) -> Failure {
    Problem::new(ProblemCode::InvalidParameter, format!("`{name}`: {detail}")).with("parameter", name).into()
}

/// What caused a failure, for the log line of the request.
#[derive(Debug, Clone)]
pub struct Cause(pub Arc<str>);

/// A problem as an answer. The middleware adds the request id.
pub fn problem(failure: Failure) -> Response {
    let Failure { problem, source } = failure;
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::UNAUTHORIZED {
        headers.insert("www-authenticate", HeaderValue::from_static("Bearer realm=\"skillery\""));
    }
    if matches!(
        problem.code,
        ProblemCode::Busy
            | ProblemCode::DatabaseUnavailable
            | ProblemCode::StorageUnavailable
            | ProblemCode::IssuerUnavailable
    ) {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    for (fact, header) in [("retry_after", "retry-after"), ("allow", "allow")] {
        let value = problem
            .facts
            .get(fact)
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
            headers.insert(header, value);
        }
    }
    if let Some(source) = source {
        let mut causes = source.to_string();
        let mut next = source.source();
        while let Some(cause) = next {
            causes += &format!(": {cause}");
            next = cause.source();
        }
        response.extensions_mut().insert(Cause(causes.into()));
    }
    response.extensions_mut().insert(problem.code);
    response.extensions_mut().insert(problem);
    response
}

/// JSON with this status.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Response> {
    let bytes = serde_json::to_vec(value).map_err(Failure::internal)?;
    Ok(ready_json(status, Bytes::from(bytes)))
}

/// Headers that an answer has with those of the middleware and of the connection, more or less.
const HEADERS: usize = 12;

/// JSON that is ready.
pub fn ready_json(status: StatusCode, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    // Room for what the middleware adds.
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.headers_mut() = headers;
    response
}

/// Text.
pub fn text(text: String, cache: &'static str) -> Response {
    plain(text.into(), "text/plain; charset=utf-8", cache)
}

/// Bytes of this type, and how long they may be kept.
pub fn plain(bytes: Bytes, content_type: &'static str, cache: &'static str) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    *response.headers_mut() = headers;
    response
}

/// 201 with where the new thing is.
pub fn created<T: Serialize>(location: &str, value: &T) -> Result<Response> {
    let mut response = json(StatusCode::CREATED, value)?;
    if let Ok(location) = HeaderValue::from_str(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

/// 204.
pub fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
