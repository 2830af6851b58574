//! One witness: asking it for a cosignature, and when to ask it again.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use skillery_core::time::Time;
use skillery_core::tlog::{AddCheckpoint, Note, VerifierKey, parse_conflict, parse_cosignatures};
use url::{Host, Url};

use super::Shown;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::text::excerpt;
use crate::tlog::tree;

/// How long a witness may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer at most.
const MAX_ANSWER: usize = 64 * 1024;
/// How often a witness is asked in a row: it may know another size than we believe, twice if another server asks too.
const TRIES: usize = 3;
/// Seconds by which clocks may differ before it is worth a word.
const SKEW: u64 = 300;

/// A witness, and how it has done so far.
pub(super) struct Asked {
    pub(super) key: VerifierKey,
    url: Url,
    http: reqwest::Client,
    /// The size that it has cosigned last, as it said.
    cosigned: Option<u64>,
    /// When it has answered last.
    answered: Option<Time>,
    /// How often in a row it has not.
    failures: u32,
    /// Until when it is left alone.
    left_alone: Time,
}

/// Why a witness has not cosigned.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// What it should be shown cannot be read, or what it answered not kept.
    #[error("the registry itself is in trouble: {0}")]
    Registry(#[from] Failure),
    /// No connection, or one that broke.
    #[error("it cannot be reached at {url}")]
    Unreachable {
        /// Where.
        url: Url,
        /// Why.
        source: reqwest::Error,
    },
    /// It refused.
    #[error("it answered {status}: {text}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it said.
        text: String,
    },
    /// Its answer is none of a witness with its key.
    #[error("its answer is not believed: {0}")]
    Answer(String),
    /// It knows more of the log than the database.
    #[error("it has cosigned {0} entries of the log, and the database has fewer: is that an older copy?")]
    OlderCopy(u64),
}

/// What a witness that was asked has done.
pub(super) enum Outcome {
    /// Cosigned.
    Cosigned {
        /// The line, without a newline.
        line: String,
        /// When, in seconds since 1970.
        seconds: u64,
    },
    /// It has cosigned a newer checkpoint of this log.
    Ahead,
}

impl Asked {
    pub(super) fn new(key: VerifierKey, url: &Url) -> Result<Self> {
        // More than one crate may try to install it; the first one wins and is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("skillery/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(PATIENCE / 2)
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(url) {
            // A proxy has another idea of what this machine is.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(Failure::internal)?;
        let mut url = url.clone();
        url.set_path(&format!("{}/add-checkpoint", url.path().trim_end_matches('/')));
        Ok(Self { key, url, http, cosigned: None, answered: None, failures: 0, left_alone: Time::default() })
    }

    /// Whether a cosignature of this time is fresh enough. A clock of the witness that is behind does not make us ask
    /// again and again.
    pub(super) fn is_fresh(&self, seconds: u64, now: Time, freshness: i64) -> bool {
        let oldest = now.plus_seconds(-freshness);
        let signed = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1_000_000);
        signed > oldest.micros() || self.answered.is_some_and(|answered| answered > oldest)
    }

    /// Whether it has failed lately.
    pub(super) fn is_left_alone(&self, now: Time, longest: i64) -> bool {
        // Further away than it can be: the clock has gone back.
        now < self.left_alone && self.left_alone <= now.plus_seconds(longest)
    }

    pub(super) fn went_well(&mut self, now: Time) {
        self.failures = 0;
        self.answered = Some(now);
        self.left_alone = Time::default();
    }

    /// Returns the seconds for which it is left alone.
    pub(super) fn went_wrong(&mut self, now: Time, longest: i64) -> i64 {
        let pause = longest.min(1_i64.checked_shl(self.failures.min(30)).unwrap_or(longest));
        self.failures += 1;
        self.left_alone = now.plus_seconds(pause);
        pause
    }

    /// How long it can wait if the log does not grow.
    pub(super) fn pause(&self, now: Time, freshness: i64, longest: i64) -> Duration {
        let until = match self.answered {
            _ if self.failures > 0 => self.left_alone.min(now.plus_seconds(longest)),
            Some(answered) => answered.plus_seconds(freshness),
            // Another server has asked it.
            None => now.plus_seconds(freshness),
        };
        let micros = until.micros().saturating_sub(now.micros()).max(1_000);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// Asks for a cosignature over what is shown. `stored` is the size of the newest checkpoint that it is known to have
    /// cosigned.
    pub(super) async fn ask(&mut self, shown: &Shown<'_>, stored: Option<u64>) -> Result<Outcome, AskError> {
        let Shown { app, size, note, .. } = shown;
        let mut old = self.cosigned.max(stored).unwrap_or(0).min(*size);
        for _ in 0..TRIES {
            let proof = tree::consistency(&app.db, &app.tiles, old, *size).await?;
            let request = AddCheckpoint { old_size: old, proof, checkpoint: note.clone() };
            let (status, is_size, body) = self.send(request.to_string()).await?;
            match status {
                200 => {
                    let outcome = self.cosignature(&body, note, app)?;
                    self.cosigned = Some(*size);
                    return Ok(outcome);
                }
                409 if is_size => match parse_conflict(&body) {
                    Some(other) if other > *size => return self.ahead(app, other).await,
                    Some(other) if other != old => {
                        self.cosigned = Some(other);
                        old = other;
                    }
                    _ => return Err(refused(status, &body)),
                },
                _ => return Err(refused(status, &body)),
            }
        }
        Err(AskError::Answer("it names another size each time that it is asked".to_owned()))
    }

    /// The witness has seen more than we have shown it.
    async fn ahead(&mut self, app: &App, size: u64) -> Result<Outcome, AskError> {
        if u64::try_from(app.db.refresh_size().await?).unwrap_or(0) >= size {
            self.cosigned = Some(size);
            return Ok(Outcome::Ahead);
        }
        Err(AskError::OlderCopy(size))
    }

    fn cosignature(&self, body: &str, note: &Note, app: &App) -> Result<Outcome, AskError> {
        let keys = std::slice::from_ref(&self.key);
        let read = || {
            let signatures = parse_cosignatures(body, note, keys)?;
            let verified = Note { text: note.text.clone(), signatures: signatures.clone() }.verify(keys)?;
            let seconds = verified.first().and_then(|one| one.time);
            Ok::<_, skillery_core::tlog::NoteError>(seconds.zip(signatures.into_iter().next()))
        };
        let found = read().map_err(|error| AskError::Answer(error.to_string()))?;
        let (seconds, signature) =
            found.ok_or_else(|| AskError::Answer("it has no cosignature".to_owned()))?;
        let now = u64::try_from(app.environment.now().micros() / 1_000_000).unwrap_or(0);
        if now.abs_diff(seconds) > SKEW {
            let (witness, ours) = (self.key.name(), now);
            tracing::warn!(
                witness,
                seconds,
                ours,
                "the clock of a witness is not ours: readers may refuse it"
            );
        }
        Ok(Outcome::Cosigned { line: signature.to_string(), seconds })
    }

    /// The status, whether the body is the size of a tree, and the body.
    async fn send(&self, body: String) -> Result<(u16, bool, String), AskError> {
        // The address is said already.
        let unreachable = |error: reqwest::Error| AskError::Unreachable {
            url: self.url.clone(),
            source: error.without_url(),
        };
        let mut response = self.http.post(self.url.clone()).body(body).send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let is_size = response.headers().get(CONTENT_TYPE).and_then(|kind: &HeaderValue| kind.to_str().ok())
            == Some("text/x.tlog.size");
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(AskError::Answer("it is too long".to_owned()));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok((status, is_size, String::from_utf8_lossy(&bytes).into_owned()))
    }
}

fn refused(status: u16, body: &str) -> AskError {
    AskError::Refused { status, text: excerpt(body.trim()) }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}
