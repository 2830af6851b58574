//! Sending the audit on: to syslog, or to a webhook. A stream is a follower with a cursor in the database: what could not be
//! sent is sent later, after a crash too, and of several servers one sends at a time. So nothing is missing, and what was sent
//! when something broke may come twice; `id` and `times` tell.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use skillery_core::api::AuditEntry;

use super::export::{Format, rows};
use super::syslog::{self, Messages};
use crate::app::App;
use crate::db::audit as table;
use crate::failure::{Failure, Result};
use crate::outbound::{Hook, OutboundError};
use crate::settings::{AuditSettings, AuditStream};

/// How often it is looked for something new.
const TURN: Duration = Duration::from_secs(1);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Rows of one batch.
const ROWS: usize = 200;
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
        let pause = match follower.turn(&app).await {
            Ok(is_more) => {
                failures = 0;
                if is_more { Duration::ZERO } else { TURN }
            }
            Err(error) => {
                let pause = TURN.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(LONGEST_PAUSE);
                failures += 1;
                let (stream, seconds) = (&app.settings.audit.streams[place].name, pause.as_secs());
                tracing::warn!(stream, %error, again_in_seconds = seconds, "the audit cannot be sent now");
                pause
            }
        };
        tokio::select! {
            () = app.stopping() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
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

/// One stream, and the server that sends it.
pub struct Follower {
    stream: AuditStream,
    holder: String,
    messages: Messages,
}

impl Follower {
    /// That of the stream at this place of the settings.
    pub fn new(app: &App, place: usize) -> Self {
        let host = app.settings.public_url.as_ref().and_then(url::Url::host_str);
        let stream = app.settings.audit.streams[place].clone();
        Self { stream, holder: app.environment.new_id(), messages: Messages::new(host) }
    }

    /// Sends what is new, as much as one batch has. Whether there may be more.
    pub async fn turn(&mut self, app: &App) -> Result<bool, StreamError> {
        let name = &self.stream.name;
        if table::stream(&app.db, name).await? == Some(table::position(&app.db).await?) {
            return Ok(false);
        }
        let (name, holder) = (name.clone(), self.holder.clone());
        let held = app
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let until = tx.now.plus_seconds(HELD);
                    table::hold(tx, &name, &holder, until).await
                })
            })
            .await?;
        // Another server is at it.
        let Some(position) = held else { return Ok(false) };
        let rows = table::after(&app.db, position, ROWS).await?;
        let (is_more, last) = (rows.len() == ROWS, rows.last().map_or(position, |row| row.position));
        let entries = rows.into_iter().map(|row| row.entry).collect();
        let sent = match last == position {
            true => Ok(()),
            false => self.send(app, (position, last), entries).await,
        };
        // What was not sent is not passed over, and another server may try at once.
        let reached = if sent.is_ok() { last } else { position };
        let (name, holder) = (self.stream.name.clone(), self.holder.clone());
        app.db
            .write(move |tx| Box::pin(async move { table::advance(tx, &name, &holder, reached).await }))
            .await?;
        sent.map(|()| is_more)
    }

    async fn send(
        &self,
        app: &App,
        (from, to): (i64, i64),
        entries: Vec<AuditEntry>,
    ) -> Result<(), StreamError> {
        if !matches!(self.stream.to.scheme(), "http" | "https") {
            return Ok(syslog::send(&self.stream.to, &self.messages, entries).await?);
        }
        let hook = Hook {
            url: &self.stream.to,
            allow_private: self.stream.allow_private,
            id: &format!("audit-{}-{from}-{to}", self.stream.name),
            now: app.environment.now(),
            secret: self.stream.secret.as_deref().unwrap_or_default(),
            content_type: Format::Jsonl.content_type(),
            body: rows(Format::Jsonl, &entries)?,
        };
        Ok(app.outbound.post(hook).await?)
    }
}
