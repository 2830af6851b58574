//! Sends requests to one registry. Knows addresses, time limits and sizes, and nothing of what the bodies mean.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{Response, redirect};
use serde::de::DeserializeOwned;
use skillery_core::Problem;
use skillery_core::tlog::VerifierKey;
use url::Url;

use crate::call::{Content, form};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::retry::{self, Repeat};

pub(crate) use crate::call::Call;
pub use crate::call::Progress;

/// Bytes of a large answer for which there is another second once they have come. What a registry says beforehand of its size buys no
/// time.
const RECEIVED_PER_SECOND: usize = 16 * 1024;
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
            let outcome = match self.start(&call, &url, deadline).await {
                Ok(response) => self.read(&call, response, deadline).await,
                Err(error) => Err(error),
            };
            let answered = outcome.as_ref().map(|answer| (answer.status, answer.retry_after));
            let Some(pause) = pause(&call, attempt, answered, deadline) else {
                return outcome.and_then(|answer| self.success(answer));
            };
            attempt += 1;
            tracing::debug!(%url, attempt, ?pause, "asking again");
            tokio::time::sleep(pause).await;
        }
    }

    /// Sends, and hands on each piece of the answer as it comes, until no more is wanted. Once the answer has begun nothing is
    /// asked again: its beginning is with somebody else. For a [`Call::large`], however long the answer is.
    pub(crate) async fn pieces<E: From<Error>>(
        &self,
        call: Call,
        mut take: impl FnMut(&[u8]) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let url = self.url(&call)?;
        let deadline = Instant::now() + self.timeout;
        let mut attempt = 0;
        let mut response = loop {
            let outcome = self.start(&call, &url, deadline).await;
            let answered = outcome.as_ref().map(head);
            match pause(&call, attempt, answered, deadline) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => break outcome?,
            }
            attempt += 1;
        };
        if !response.status().is_success() {
            let answer = self.read(&call, response, deadline).await?;
            return Ok(self.success(answer).map(drop)?);
        }
        let mut came = 0;
        while let Some(piece) = self.chunk(&call, &mut response, came, deadline).await? {
            came += piece.len();
            if take(&piece)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Sends it once, and gives the answer as soon as it begins.
    async fn start(&self, call: &Call, url: &Url, deadline: Instant) -> Result<Response> {
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
        let Ok(sent) = tokio::time::timeout_at(deadline.into(), request.send()).await else {
            return Err(self.timed_out(call.more_time));
        };
        let response = sent.map_err(|error| self.unreachable(error))?;
        if response.status().is_redirection() {
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("nowhere");
            return Err(Error::Redirected { url: self.registry.clone(), to: shown(to) });
        }
        Ok(response)
    }

    /// Reads the rest of an answer.
    async fn read(&self, call: &Call, mut response: Response, deadline: Instant) -> Result<Answer> {
        let (status, retry_after) = head(&response);
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk(call, &mut response, body.len(), deadline).await? {
            if body.len() + chunk.len() > call.most {
                return Err(self.bad_answer(format!("it is larger than {} bytes", call.most)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body: body.into() })
    }

    /// The next piece of an answer of which so many bytes have come.
    async fn chunk(
        &self,
        call: &Call,
        response: &mut Response,
        came: usize,
        deadline: Instant,
    ) -> Result<Option<Bytes>> {
        let seconds = if call.is_large { came / RECEIVED_PER_SECOND } else { 0 };
        let more_time = Duration::from_secs(seconds as u64);
        match tokio::time::timeout_at((deadline + more_time).into(), response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| self.unreachable(error)),
            Err(_) => Err(self.timed_out(call.more_time + more_time)),
        }
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

/// How long to wait before it is sent again, where that does no harm and may help.
fn pause(
    call: &Call,
    attempt: u32,
    answered: Result<(u16, Option<Duration>), &Error>,
    deadline: Instant,
) -> Option<Duration> {
    let (is_passing, retry_after) = match answered {
        Ok((status, retry_after)) => (retry::is_passing(status), retry_after),
        Err(error) => (matches!(error, Error::Unreachable { .. }), None),
    };
    let pause = retry::pause(attempt, retry_after);
    let again = is_passing
        && call.repeat == Repeat::Harmless
        && attempt + 1 < retry::ATTEMPTS
        && Instant::now() + pause < deadline;
    again.then_some(pause)
}

fn head(response: &Response) -> (u16, Option<Duration>) {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    (response.status().as_u16(), retry::retry_after(retry_after))
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
