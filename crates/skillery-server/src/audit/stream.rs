//! Sending the audit on: to syslog, or to a webhook. A stream is a follower with a cursor in the database: what could not be
//! sent is sent later, after a crash too, and of several servers one sends at a time. So nothing is missing, and what was sent
//! when something broke may come twice; `id` and `times` tell.
//!
//! No row holds up those behind it: a batch that is not taken is halved until it is one row, and a row that is refused
//! alone is sent without what strangers wrote into it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use skillery_core::api::AuditEntry;

use super::brief::brief;
use super::export::{Format, rows};
use super::syslog::{self, Messages};
use crate::app::App;
use crate::db::audit::{self as table, Batch};
use crate::failure::{Failure, Result};
use crate::jobs::Job;
use crate::outbound::{Hook, OutboundError};
use crate::settings::{AuditSettings, AuditStream};

/// How often it is looked for something new.
const TURN: Duration = Duration::from_secs(1);
/// How often it is measured how far the streams are.
const MEASURED: Duration = Duration::from_secs(15);
/// What that is called among the streams; none of them has such a name.
const MEASURING: &str = "how far they are";
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Rows of one batch at most.
const ROWS: usize = 200;
/// How often a batch is tried as it is, with the same id, before it is halved.
const TRIES: u32 = 5;
/// Bytes of a webhook's body at most, where it has more than one row.
const MAX_BODY: usize = 512 * 1024;
/// Seconds for which a server has a stream to itself: longer than sending takes.
const HELD: i64 = 60;
/// Characters of a stream's name.
const MAX_NAME: usize = 64;
/// Characters of a secret at least.
const MIN_SECRET: usize = 32;

/// Whether what the settings say of streams makes sense.
pub fn check_settings(settings: &AuditSettings) -> Result<(), String> {
    let mut names = HashSet::new();
    if settings.denied_rows < 0 {
        return Err("`audit.denied_rows` must not be negative".to_owned());
    }
    for stream in &settings.streams {
        let name = &stream.name;
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
            return Err(format!("`audit.streams` has the name `{}`, which is none", name.escape_debug()));
        }
        if !names.insert(name) {
            return Err(format!("`audit.streams` has `{name}` twice"));
        }
        let has_host = stream.to.host_str().is_some_and(|host| !host.is_empty());
        let is_webhook = matches!(stream.to.scheme(), "http" | "https");
        match stream.to.scheme() {
            "udp" | "tcp" | "http" | "https" if has_host => {}
            "unix" if !has_host && stream.to.path().starts_with('/') => {}
            _ => {
                let forms = "`udp://host:514`, `tcp://host:514`, `unix:/dev/log` or `https://…`";
                return Err(format!("`audit.streams` sends `{name}` to none of {forms}"));
            }
        }
        let length = stream.secret.as_ref().map_or(0, |secret| secret.len());
        if is_webhook && length < MIN_SECRET {
            return Err(format!(
                "the webhook `{name}` of `audit.streams` needs a `secret` of {MIN_SECRET} or more characters"
            ));
        }
        if !is_webhook && length > 0 {
            return Err(format!(
                "`{name}` of `audit.streams` is no webhook, and nothing is signed with its `secret`"
            ));
        }
    }
    Ok(())
}

/// Sends the stream at this place of the settings until the app stops.
pub async fn follow(app: Arc<App>, place: usize) {
    let mut follower = Follower::new(&app, place);
    let mut failures = 0_u32;
    loop {
        let outcome = follower.turn(&app).await;
        let pause = match &outcome {
            Ok(is_more) => {
                failures = 0;
                if *is_more { Duration::ZERO } else { TURN }
            }
            Err(_) => {
                // A smaller batch, or a shorter row, is another try.
                failures = if follower.is_smaller { 0 } else { failures };
                let pause = TURN.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST_PAUSE);
                failures += 1;
                pause
            }
        };
        let stream = &app.settings.audit.streams[place].name;
        let told = outcome.map_err(|error| {
            Failure::internal(format!("stream `{stream}`, again in {} s: {error}", pause.as_secs()))
        });
        app.work.part_turned(Job::Audit, stream, app.environment.now(), &told);
        tokio::select! {
            () = app.stopping() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Measures how far the streams are, for whoever reads the metrics, until the app stops: whoever asks for them, and however often,
/// makes the database count nothing.
pub async fn watch(app: Arc<App>) {
    loop {
        let outcome = measure(&app).await;
        app.work.part_turned(Job::Audit, MEASURING, app.environment.now(), &outcome);
        tokio::select! {
            () = app.stopping() => return,
            () = tokio::time::sleep(MEASURED) => {}
        }
    }
}

/// Notes how far each stream is behind. Of one of which that is not known nothing is told.
pub async fn measure(app: &App) -> Result<()> {
    let mut outcome = Ok(());
    for stream in &app.settings.audit.streams {
        match table::behind(&app.db, &stream.name).await {
            Ok((rows, oldest)) => {
                let now = app.environment.now().micros();
                let seconds = oldest.map_or(0, |oldest| (now - oldest.micros()).max(0) / 1_000_000);
                app.metrics.stream_is_behind(&stream.name, rows, seconds);
            }
            Err(failure) => {
                app.metrics.stream_is_unknown(&stream.name);
                outcome = Err(failure);
            }
        }
    }
    outcome
}

/// Why a batch was not sent.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The database.
    #[error("the registry itself is in trouble: {0}")]
    Registry(#[from] Failure),
    /// A collector of syslog.
    #[error("syslog does not take it: {0}")]
    Syslog(#[from] std::io::Error),
    /// A webhook.
    #[error(transparent)]
    Webhook(#[from] OutboundError),
}

impl StreamError {
    /// Whether so much at a time is never taken.
    fn is_too_much(&self) -> bool {
        match self {
            Self::Syslog(error) => is_too_long(error),
            Self::Webhook(OutboundError::Status { status, .. }) => *status == 413,
            Self::Registry(_) | Self::Webhook(_) => false,
        }
    }

    /// Whether somebody was there and refused it, so that it may be for what stands in it.
    fn is_refusal(&self) -> bool {
        matches!(self, Self::Webhook(OutboundError::Status { .. })) || self.is_too_much()
    }
}

/// Whether a message has more bytes than the way there takes.
fn is_too_long(error: &std::io::Error) -> bool {
    // EMSGSIZE of Linux, macOS and Windows.
    matches!(error.raw_os_error(), Some(90 | 40 | 10_040))
}

/// One stream, and the server that sends it.
pub struct Follower {
    stream: AuditStream,
    holder: String,
    messages: Messages,
    /// Rows of the next batch.
    rows: usize,
    /// The end of the batch that was not taken last, and how often it was tried as it is.
    tried: (i64, u32),
    /// The end of a batch of one row that was refused as it is.
    refused: Option<i64>,
    /// Whether what failed last is tried in a smaller form.
    is_smaller: bool,
}

impl Follower {
    /// That of the stream at this place of the settings.
    pub fn new(app: &App, place: usize) -> Self {
        let host = app.settings.public_url.as_ref().and_then(url::Url::host_str);
        let stream = app.settings.audit.streams[place].clone();
        let (holder, messages) = (app.environment.new_id(), Messages::new(host));
        Self { stream, holder, messages, rows: ROWS, tried: (0, 0), refused: None, is_smaller: false }
    }

    /// Sends what is new, as much as one batch has. Whether there may be more.
    pub async fn turn(&mut self, app: &App) -> Result<bool, StreamError> {
        self.is_smaller = false;
        let name = &self.stream.name;
        if table::stream(&app.db, name).await? == Some(table::position(&app.db).await?) {
            return Ok(false);
        }
        let Some(batch) = self.hold(app).await? else {
            // Another server is at it.
            return Ok(false);
        };
        if batch.to == batch.from {
            self.settle(app, batch.from, true).await?;
            return Ok(false);
        }
        let rows = table::of_batch(&app.db, batch).await?;
        let middle = rows.get((rows.len() / 2).wrapping_sub(1)).map(|row| row.position);
        let middle = middle.filter(|_| rows.len() > 1);
        let count = rows.len();
        let entries: Vec<AuditEntry> = rows.into_iter().map(|row| row.entry).collect();
        let entries = match self.refused == Some(batch.to) {
            true => entries.into_iter().map(brief).collect(),
            false => entries,
        };
        let sent = match self.body(&entries)? {
            Some(body) if body.len() > MAX_BODY && middle.is_some() => {
                self.settle(app, middle.unwrap_or(batch.to), false).await?;
                return Ok(true);
            }
            // What was in it counts more by now, and comes in a later batch.
            _ if entries.is_empty() => Ok(()),
            Some(body) => self.post(app, batch, body).await,
            None => syslog::send(&self.stream.to, &self.messages, entries).await.map_err(StreamError::from),
        };
        let Err(error) = sent else {
            self.settle(app, batch.to, true).await?;
            self.rows = (self.rows * 2).min(ROWS);
            self.refused = None;
            return Ok(table::position(&app.db).await? > batch.to);
        };
        let tries = if self.tried.0 == batch.to { self.tried.1 + 1 } else { 1 };
        self.tried = (batch.to, tries);
        let is_enough = error.is_too_much() || tries >= TRIES;
        let middle = middle.filter(|_| is_enough);
        let is_refused = count == 1 && is_enough && error.is_refusal() && self.refused != Some(batch.to);
        self.is_smaller = middle.is_some() || is_refused;
        if middle.is_some() {
            self.rows = (count / 2).max(1);
        }
        if is_refused {
            self.refused = Some(batch.to);
            self.tried = (0, 0);
        }
        // Nothing is passed over, and another server may try at once.
        self.settle(app, middle.unwrap_or(batch.to), false).await?;
        Err(error)
    }

    async fn hold(&self, app: &App) -> Result<Option<Batch>, StreamError> {
        let (name, holder, rows) = (self.stream.name.clone(), self.holder.clone(), self.rows);
        let held = app.db.write(move |tx| {
            Box::pin(async move {
                let until = tx.now.plus_seconds(HELD);
                table::hold(tx, &name, &holder, until, rows).await
            })
        });
        Ok(held.await?)
    }

    /// Notes that everything up to there was taken, or that it is tried again up to there.
    async fn settle(&self, app: &App, to: i64, is_taken: bool) -> Result<(), StreamError> {
        let (name, holder) = (self.stream.name.clone(), self.holder.clone());
        let settle = app.db.write(move |tx| {
            Box::pin(async move {
                match is_taken {
                    true => table::advance(tx, &name, &holder, to).await,
                    false => table::release(tx, &name, &holder, to).await,
                }
            })
        });
        Ok(settle.await?)
    }

    /// What a webhook is sent.
    fn body(&self, entries: &[AuditEntry]) -> Result<Option<Vec<u8>>, StreamError> {
        match self.stream.to.scheme() {
            "http" | "https" => Ok(Some(rows(Format::Jsonl, entries)?)),
            _ => Ok(None),
        }
    }

    async fn post(&self, app: &App, batch: Batch, body: Vec<u8>) -> Result<(), StreamError> {
        let Batch { from, to } = batch;
        let hook = Hook {
            url: &self.stream.to,
            allow_private: self.stream.allow_private,
            id: &format!("audit-{}-{from}-{to}", self.stream.name),
            now: app.environment.now(),
            secret: self.stream.secret.as_deref().unwrap_or_default(),
            content_type: Format::Jsonl.content_type(),
            body,
        };
        Ok(app.outbound.post(hook).await?)
    }
}
