//! Asking others over HTTP: short, small, and never anywhere else than asked.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{RequestBuilder, redirect};
use skillery_core::token::Secret;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use super::settings::is_loopback;

/// How long an answer may take, to its last byte.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const MAX_BYTES: usize = 256 * 1024;

/// Connections to issuers; made when the first one is asked.
#[derive(Default)]
pub struct Web {
    outside: OnceLock<reqwest::Client>,
    /// A proxy has another idea of what this machine is.
    loopback: OnceLock<reqwest::Client>,
}

/// What came back.
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// An issuer did not answer as it should.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    /// No connection, or one that broke.
    #[error("cannot ask {host}")]
    Unreachable {
        /// Whom.
        host: String,
        /// Why.
        source: reqwest::Error,
    },
    /// It took too long.
    #[error("{0} did not answer within {PATIENCE:?}")]
    TimedOut(String),
    /// Too much came back.
    #[error("the answer of {0} has more than {MAX_BYTES} bytes")]
    TooLarge(String),
    /// Another status than success.
    #[error("{host} answered {status}")]
    Status {
        /// Who.
        host: String,
        /// What.
        status: u16,
    },
    /// The answer is something else than it should be.
    #[error("the answer of {host} cannot be used: {reason}")]
    Form {
        /// Who.
        host: String,
        /// Why.
        reason: String,
    },
}

impl Web {
    fn client(&self, url: &Url) -> Result<&reqwest::Client, WebError> {
        let place = if is_loopback(url) { &self.loopback } else { &self.outside };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        // More than one crate may try to install it; the first one wins and is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("skillery/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none());
        if is_loopback(url) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|source| unreachable(url, source))?;
        Ok(place.get_or_init(|| client))
    }

    /// Gets a document; any other status than 200 is an error.
    pub async fn get(&self, url: &Url, bearer: Option<&Secret>) -> Result<Vec<u8>, WebError> {
        let mut request = self.client(url)?.get(url.clone()).header(ACCEPT, "application/json");
        if let Some(token) = bearer {
            request = request.header(AUTHORIZATION, format!("Bearer {}", token.expose()));
        }
        let reply = send(url, request).await?;
        if reply.status == 200 {
            return Ok(reply.body);
        }
        Err(WebError::Status { host: host(url), status: reply.status })
    }

    /// Sends a form; statuses are left to the caller. `basic` is a name and a secret.
    pub async fn post(
        &self,
        url: &Url,
        fields: &[(&str, &str)],
        basic: Option<(&str, &Secret)>,
    ) -> Result<Reply, WebError> {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self
            .client(url)?
            .post(url.clone())
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        if let Some((name, secret)) = basic {
            let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = STANDARD.encode(format!("{}:{}", encoded(name), encoded(secret.expose())));
            request = request.header(AUTHORIZATION, format!("Basic {pair}"));
        }
        send(url, request).await
    }
}

async fn send(url: &Url, request: RequestBuilder) -> Result<Reply, WebError> {
    let sent = async {
        let mut response = request.send().await.map_err(|source| unreachable(url, source))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|source| unreachable(url, source))? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(WebError::TooLarge(host(url)));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body })
    };
    tokio::time::timeout(PATIENCE, sent).await.map_err(|_| WebError::TimedOut(host(url)))?
}

fn unreachable(url: &Url, source: reqwest::Error) -> WebError {
    if source.is_timeout() {
        return WebError::TimedOut(host(url));
    }
    WebError::Unreachable { host: host(url), source: source.without_url() }
}

/// Whom an address asks, for messages: paths may hold what nobody should read.
pub fn host(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}{port}", url.host_str().unwrap_or_default())
}
