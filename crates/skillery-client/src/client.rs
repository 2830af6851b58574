//! Sends requests to one registry. Knows addresses, time limits and sizes, and nothing of what the bodies mean.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, redirect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use skillery_core::tlog::VerifierKey;
use skillery_core::{Problem, SkillId};
use url::Url;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::retry::{self, Repeat};

/// The most that any answer may hold: the largest page of skills with the longest descriptions is below it.
const MAX_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of a content that is sent for which there is another second.
const BYTES_PER_SECOND: usize = 64 * 1024;
/// Bytes of a large answer for which there is another second once they have come. What a registry says beforehand of its size buys no
/// time.
const RECEIVED_PER_SECOND: usize = 16 * 1024;
/// Bytes of a content that go out at once.
const PIECE: usize = 64 * 1024;

/// The most of a foreign answer that an error repeats.
const MAX_SHOWN_CHARACTERS: usize = 200;

/// A connection to one registry. Cheap to clone: connections are shared.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    registry: String,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    log_key: Option<VerifierKey>,
    log_policy: Option<PathBuf>,
    log_max_age: Duration,
}

/// One request, before it knows which registry it goes to.
#[derive(Debug)]
pub(crate) struct Call {
    method: Method,
    /// What stands before the segments.
    root: [&'static str; 2],
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Content>,
    /// The most that the answer may hold.
    most: usize,
    /// Whether the answer has more time the more of it has come.
    is_large: bool,
    /// Time that it may take beside the usual.
    more_time: Duration,
    repeat: Repeat,
}

/// What a request brings.
#[derive(Debug)]
enum Content {
    Json(Bytes),
    /// JSON, and a ZIP.
    Form(Bytes, Bytes, Progress),
}

/// Is told how many bytes more have gone out, and of how many.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64, u64) + Send + Sync>>);

impl Progress {
    /// Tells this function.
    pub fn new(tell: impl Fn(u64, u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    fn tell(&self, bytes: usize, total: u64) {
        if let Some(tell) = &self.0 {
            tell(bytes as u64, total);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Progress")
    }
}

/// What came back, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    retry_after: Option<Duration>,
    body: Bytes,
}

impl Client {
    /// Prepares the connection; nothing is sent.
    pub fn new(config: &Config) -> Result<Self> {
        // Fails when the program has chosen a provider already, and then that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("skillery/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(config.timeout.min(Duration::from_secs(10)))
            .redirect(redirect::Policy::none());
        if is_loopback(&config.url) {
            // A proxy has another idea of what this machine is.
            builder = builder.no_proxy();
        }
        let authorization = match &config.token {
            None => None,
            Some(token) => {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
                    .map_err(|_| Error::invalid("the token", "a token is printable ASCII without spaces"))?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Self {
            http: builder.build().map_err(Error::internal("set up the HTTP client"))?,
            registry: config.url.as_str().trim_end_matches('/').to_owned(),
            base: config.url.clone(),
            authorization,
            timeout: config.timeout,
            log_key: config.log_key.clone(),
            log_policy: config.log_policy.clone(),
            log_max_age: config.log_max_age,
        })
    }

    /// The registry's address without a slash at its end: what libraries, caches, keys and lock files know it by.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The key that the registry's log is believed by, where one is configured.
    pub fn configured_log_key(&self) -> Option<&VerifierKey> {
        self.log_key.as_ref()
    }

    /// The file that says which witnesses must have seen the log, where one is configured.
    pub fn log_policy(&self) -> Option<&Path> {
        self.log_policy.as_deref()
    }

    /// How old the cosignatures of witnesses may be.
    pub fn log_max_age(&self) -> Duration {
        self.log_max_age
    }

    /// How long a request may take, retries included.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Whether requests are sent with a token.
    pub fn has_token(&self) -> bool {
        self.authorization.is_some()
    }

    /// Refuses what needs a token where there is none, in better words than the registry would. `purpose` is
    /// `publishing`, `rating`.
    pub fn need_token(&self, purpose: &'static str) -> Result<()> {
        if self.has_token() { Ok(()) } else { Err(Error::TokenRequired { purpose }) }
    }

    /// Sends, and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T> {
        let answer = self.send(call).await?;
        self.parse(&answer)
    }

    /// Sends, and gives the body as it is.
    pub(crate) async fn bytes(&self, call: Call) -> Result<Bytes> {
        Ok(self.send(call).await?.body)
    }

    /// Sends, and reads the answer as text.
    pub(crate) async fn text(&self, call: Call) -> Result<String> {
        let body = self.bytes(call).await?;
        String::from_utf8(body.into()).map_err(|_| self.bad_answer("it is not UTF-8"))
    }

    /// Sends, and expects nothing back.
    pub(crate) async fn empty(&self, call: Call) -> Result<()> {
        self.send(call).await.map(drop)
    }

    /// Reads an answer as JSON.
    pub(crate) fn parse<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T> {
        serde_json::from_slice(&answer.body)
            .map_err(|error| self.bad_answer(format!("its JSON does not fit: {error}")))
    }

    /// Sends, again where that does no harm and may help, within one time limit. What is no success is an error.
    pub(crate) async fn send(&self, call: Call) -> Result<Answer> {
        let url = self.url(&call)?;
        let deadline = Instant::now() + self.timeout + call.more_time;
        let mut attempt = 0;
        loop {
            let outcome = self.send_once(&call, &url, deadline).await;
            let (passing, retry_after) = match &outcome {
                Ok(answer) => (retry::is_passing(answer.status), answer.retry_after),
                Err(error) => (matches!(error, Error::Unreachable { .. }), None),
            };
            let pause = retry::pause(attempt, retry_after);
            attempt += 1;
            let again = passing
                && call.repeat == Repeat::Harmless
                && attempt < retry::ATTEMPTS
                && Instant::now() + pause < deadline;
            if !again {
                return outcome.and_then(|answer| self.success(answer));
            }
            tracing::debug!(%url, attempt, ?pause, "asking again");
            tokio::time::sleep(pause).await;
        }
    }

    async fn send_once(&self, call: &Call, url: &Url, deadline: Instant) -> Result<Answer> {
        let mut request = self.http.request(call.method.clone(), url.clone());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        match &call.body {
            Some(Content::Json(body)) => {
                request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
            }
            Some(Content::Form(json, zip, progress)) => {
                request = request.multipart(form(json, zip, progress)?);
            }
            None => {}
        }
        let timed_out = |more_time| Err(self.timed_out(call.more_time + more_time));
        let Ok(sent) = tokio::time::timeout_at(deadline.into(), request.send()).await else {
            return timed_out(Duration::ZERO);
        };
        let mut response = sent.map_err(|error| self.unreachable(error))?;
        if response.status().is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            return Err(Error::Redirected { url: self.registry.clone(), to: shown(to) });
        }
        let status = response.status().as_u16();
        let retry_after =
            retry::retry_after(response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()));
        let mut body = Vec::new();
        loop {
            let more_time = match call.is_large {
                true => Duration::from_secs((body.len() / RECEIVED_PER_SECOND) as u64),
                false => Duration::ZERO,
            };
            let came = tokio::time::timeout_at((deadline + more_time).into(), response.chunk()).await;
            let Ok(chunk) = came else { return timed_out(more_time) };
            let Some(chunk) = chunk.map_err(|error| self.unreachable(error))? else { break };
            if body.len() + chunk.len() > call.most {
                return Err(self.bad_answer(format!("it is larger than {} bytes", call.most)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body: body.into() })
    }

    fn success(&self, answer: Answer) -> Result<Answer> {
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        if let Ok(mut problem) = serde_json::from_slice::<Problem>(&answer.body) {
            problem.status = answer.status;
            return Err(Error::Problem(Box::new(problem)));
        }
        // A newer registry may have codes that this client does not know; a proxy has none.
        let value: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let text = |name: &str| value.get(name).and_then(|text| text.as_str()).map(shown);
        Err(Error::Refused {
            url: self.registry.clone(),
            status: answer.status,
            code: text("code").unwrap_or_else(|| format!("http-{}", answer.status)),
            message: text("detail")
                .or_else(|| text("title"))
                .unwrap_or_else(|| shown(&String::from_utf8_lossy(&answer.body))),
            hint: text("hint"),
        })
    }

    fn url(&self, call: &Call) -> Result<Url> {
        let mut url = self.base.clone();
        {
            let mut path = url
                .path_segments_mut()
                .map_err(|()| Error::invalid("the registry's URL", "it cannot have a path"))?;
            path.pop_if_empty().extend(call.root);
            for segment in &call.segments {
                // These would be left out of the path, and so name another route.
                if matches!(segment.as_str(), "" | "." | "..") {
                    return Err(Error::invalid(format!("`{segment}`"), "it cannot be part of an address"));
                }
                path.push(segment);
            }
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }

    fn unreachable(&self, error: reqwest::Error) -> Error {
        // The address may hold a query; the registry's own address is said already.
        Error::Unreachable { url: self.registry.clone(), source: error.without_url().into() }
    }

    fn timed_out(&self, more_time: Duration) -> Error {
        Error::TimedOut { url: self.registry.clone(), seconds: (self.timeout + more_time).as_secs_f64() }
    }

    pub(crate) fn bad_answer(&self, reason: impl Into<String>) -> Error {
        Error::BadAnswer { url: self.registry.clone(), reason: reason.into() }
    }
}

impl Call {
    pub(crate) fn get(segments: &[&str]) -> Self {
        Self::new(Method::GET, Repeat::Harmless, segments)
    }

    pub(crate) fn put(segments: &[&str]) -> Self {
        Self::new(Method::PUT, Repeat::Harmless, segments)
    }

    pub(crate) fn delete(segments: &[&str]) -> Self {
        Self::new(Method::DELETE, Repeat::Harmless, segments)
    }

    pub(crate) fn patch(segments: &[&str]) -> Self {
        Self::new(Method::PATCH, Repeat::Harmless, segments)
    }

    /// Sent once only, unless [`Call::repeatable`] says otherwise.
    pub(crate) fn post(segments: &[&str]) -> Self {
        Self::new(Method::POST, Repeat::Never, segments)
    }

    fn new(method: Method, repeat: Repeat, segments: &[&str]) -> Self {
        let segments = segments.iter().map(|segment| (*segment).to_owned()).collect();
        Self {
            method,
            root: ["api", "v1"],
            segments,
            query: Vec::new(),
            body: None,
            most: MAX_ANSWER_BYTES,
            is_large: false,
            more_time: Duration::ZERO,
            repeat,
        }
    }

    /// The answer may be as large as this, and take as long as so much takes as has come.
    pub(crate) fn large(mut self, bytes: usize) -> Self {
        self.most = bytes;
        self.is_large = true;
        self
    }

    /// Brings JSON and a ZIP, as a form.
    pub(crate) fn form(mut self, json: &impl Serialize, zip: Bytes, progress: Progress) -> Result<Self> {
        let bytes = serde_json::to_vec(json).map_err(Error::internal("write the request as JSON"))?;
        self.more_time = time_for(zip.len());
        self.body = Some(Content::Form(bytes.into(), zip, progress));
        Ok(self)
    }

    /// A part of the log: `checkpoint`, or `tile/…`.
    pub(crate) fn of_log(path: &str) -> Self {
        let segments: Vec<&str> = path.split('/').collect();
        Self { root: ["log", "v1"], ..Self::get(&segments) }
    }

    /// A call to a skill: its id, then what is asked of it.
    pub(crate) fn of_skill(method: Method, id: &SkillId, rest: &[&str]) -> Self {
        let repeat = if method == Method::POST { Repeat::Never } else { Repeat::Harmless };
        let segments: Vec<&str> =
            std::iter::once("skills").chain(id.as_str().split('/')).chain(rest.iter().copied()).collect();
        Self::new(method, repeat, &segments)
    }

    /// The second time answers as the first.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Harmless;
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        if let Some(value) = value {
            self.query.push((name, value.to_string()));
        }
        self
    }

    pub(crate) fn body(mut self, body: &impl Serialize) -> Result<Self> {
        let bytes = serde_json::to_vec(body).map_err(Error::internal("write the request as JSON"))?;
        self.body = Some(Content::Json(bytes.into()));
        Ok(self)
    }
}

fn time_for(bytes: usize) -> Duration {
    Duration::from_secs((bytes / BYTES_PER_SECOND) as u64)
}

fn form(json: &Bytes, zip: &Bytes, progress: &Progress) -> Result<Form> {
    let (length, mut rest, progress) = (zip.len() as u64, zip.clone(), progress.clone());
    let pieces = std::iter::from_fn(move || {
        let piece = rest.split_to(rest.len().min(PIECE));
        progress.tell(piece.len(), length);
        (!piece.is_empty()).then_some(Ok::<_, std::io::Error>(piece))
    });
    let body = reqwest::Body::wrap_stream(futures_util::stream::iter(pieces));
    let of_type = |part: Part, media_type| {
        part.mime_str(media_type).map_err(Error::internal("make the form that is sent"))
    };
    let json = of_type(Part::stream(reqwest::Body::from(json.clone())), "application/json")?;
    let zip = of_type(Part::stream_with_length(body, length).file_name("bundle.zip"), "application/zip")?;
    Ok(Form::new().part("request", json).part("bundle", zip))
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A foreign text made safe to repeat in a message.
fn shown(text: &str) -> String {
    let mut shown: String =
        text.trim().chars().take(MAX_SHOWN_CHARACTERS).flat_map(char::escape_debug).collect();
    if text.trim().chars().nth(MAX_SHOWN_CHARACTERS).is_some() {
        shown.push('…');
    }
    shown
}
