//! Sending what is to be sent: taken from the database for a while, tried, and either done, tried later, or dead.
//!
//! A delivery is taken by one server. One that dies between sending and noting it has sent something that is sent again after a while:
//! that is what `webhook-id`, and the id of a mail, are the same for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use skillery_core::api::DeliveryState;
use skillery_core::time::{DAY_SECONDS, Time};
use skillery_core::{MailMode, NotificationDetail, NotificationKind};
use tokio::task::{JoinError, JoinSet};

use super::follow::{Telling, body};
use super::mailer::MailError;
use super::notice::Notice;
use super::{LATE, LATE_DAYS, addresses, letter, webhooks};
use crate::app::App;
use crate::db::audit;
use crate::db::deliveries::{self, Channel, Outcome, Taken};
use crate::db::due::{Turn, Way, due};
use crate::db::mail::AddressRow;
use crate::db::notifications::{self, Looker, NewNotification};
use crate::db::webhooks::WebhookRow;
use crate::db::{accounts, mail, webhooks as table};
use crate::failure::{Failure, Result};
use crate::jobs::Job;
use crate::outbound::{Hook, OutboundError};

/// How often it is looked whether something is due.
const TURN: Duration = Duration::from_secs(1);
/// How long a delivery is taken for: longer than any may need.
const LEASE: i64 = 300;
/// Deliveries of each way that are under way at a time, and of these of one user, on all servers together.
const TOGETHER: usize = 16;
const EACH: usize = 4;
/// How often it is tried to take something that others take, too.
const TURNS: usize = 3;
/// Deliveries of each way that are looked for at once, for places that get free within the next [`TURN`].
const AHEAD: usize = 64;
/// Seconds until the next attempt after each that failed; what fails after the last is dead. Together a day.
const PAUSES: &[i64] = &[30, 120, 600, 1_800, 7_200, 21_600, 43_200];
/// Days that a webhook may only fail before it is switched off.
const FAILING_DAYS: i64 = 3;
/// Notifications that stand in one mail.
const LINES: i64 = 50;
/// What is said of a mail with a code that nobody could enter any more.
const EXPIRED: &str = "it was not sent, as the code in it is too old by now";
/// What a receiver answers that wants nothing any more.
const GONE: u16 = 410;

/// Sends until the app stops. Mail and webhooks do not wait for each other.
pub async fn run(app: Arc<App>) {
    tokio::join!(work(&app, Way::Mail), work(&app, Way::Webhooks));
}

/// Sends what goes one way: whenever a place is free, what is due takes it.
async fn work(app: &Arc<App>, way: Way) {
    // Each is a task of its own: what is under way may have a connection to the database, and goes on while one is waited for here.
    let mut under_way = JoinSet::new();
    let mut line = Line::default();
    while !app.is_stopping() {
        let room = TOGETHER - under_way.len();
        let taken = line.take(app, way, room).await;
        tell(app, way, &taken);
        for (owner, one) in taken.unwrap_or_default() {
            let app = Arc::clone(app);
            under_way.spawn(async move { send(&app, owner, one).await });
        }
        tokio::select! {
            () = app.stopping() => {}
            Some(outcome) = under_way.join_next() => tell(app, way, &ended(outcome)),
            () = app.due.wait(way), if under_way.len() < TOGETHER => {}
            () = tokio::time::sleep(TURN), if under_way.len() < TOGETHER => {}
        }
    }
    // What has begun is noted, as far as there is time.
    while let Some(outcome) = under_way.join_next().await {
        tell(app, way, &ended(outcome));
    }
}

/// How a task has ended that sends something.
fn ended(outcome: std::result::Result<Result<()>, JoinError>) -> Result<()> {
    outcome.unwrap_or_else(|error| Err(Failure::internal(error)))
}

/// Each way for itself: one that goes well says nothing of the other.
fn tell<T>(app: &App, way: Way, outcome: &Result<T>) {
    let part = match way {
        Way::Mail => "mail",
        Way::Webhooks => "webhooks",
    };
    app.work.part_turned(Job::Deliveries, part, app.environment.now(), outcome);
}

/// What is due, in the order in which it comes to its turn, as it was when it was looked for.
#[derive(Default)]
struct Line {
    turns: VecDeque<Turn>,
    is_from: Option<Instant>,
    /// To whom the round over all users has come.
    after: String,
}

impl Line {
    /// Takes some of what is due, each with who has it. What other servers have taken meanwhile is passed over.
    async fn take(&mut self, app: &App, way: Way, most: usize) -> Result<Vec<(String, Taken)>> {
        // Mail waits for a mail server, until it is late.
        if most == 0 || (way == Way::Mail && app.mailer.is_none()) {
            return Ok(Vec::new());
        }
        let owner = app.environment.new_id();
        for _ in 0..TURNS {
            let is_old = self.is_from.is_none_or(|is_from| is_from.elapsed() >= TURN);
            if is_old || self.turns.is_empty() {
                let found = due(&app.db, way, app.environment.now(), AHEAD, EACH, &self.after).await?;
                (self.turns, self.after) = (found.turns.into(), found.after);
                self.is_from = Some(Instant::now());
            }
            if self.turns.is_empty() {
                break;
            }
            let mut ids = Vec::new();
            for turn in self.turns.drain(..most.min(self.turns.len())) {
                self.after = turn.reaches.unwrap_or_else(|| std::mem::take(&mut self.after));
                ids.push(turn.id);
            }
            let taker = owner.clone();
            let take = app.db.write(move |tx| {
                Box::pin(async move {
                    let until = tx.now.plus_seconds(LEASE);
                    deliveries::take(tx, &taker, until, &ids).await
                })
            });
            let taken = take.await?;
            // Otherwise other servers have taken all of these just now.
            if !taken.is_empty() {
                return Ok(taken.into_iter().map(|one| (owner.clone(), one)).collect());
            }
        }
        Ok(Vec::new())
    }
}

/// Sends some of what is due, of both ways; false when nothing is.
#[cfg(test)]
pub async fn deliver_due(app: &App) -> Result<bool> {
    let mut taken = Line::default().take(app, Way::Mail, TOGETHER).await?;
    taken.extend(Line::default().take(app, Way::Webhooks, TOGETHER).await?);
    let is_some = !taken.is_empty();
    futures_util::future::try_join_all(taken.into_iter().map(|(owner, one)| send(app, owner, one))).await?;
    Ok(is_some)
}

async fn send(app: &App, owner: String, taken: Taken) -> Result<()> {
    match taken.channel {
        Channel::Webhook => to_webhook(app, &owner, taken).await,
        Channel::Mail | Channel::Digest | Channel::Code | Channel::Notice => {
            to_mailbox(app, &owner, taken).await
        }
    }
}

/// How an attempt has ended.
enum Ended {
    /// It arrived, or there was nothing left to say.
    Well(Option<u16>),
    /// It did not.
    Badly {
        /// Whether it is of no use to try again.
        is_final: bool,
        status: Option<u16>,
        reason: String,
    },
}

/// How an attempt to mail has ended.
struct Mailed {
    ended: Ended,
    /// Where it was sent; none where nothing was.
    to: Option<String>,
}

fn outcome(app: &App, attempts: i64, ended: &Ended) -> Outcome {
    let now = app.environment.now();
    match ended {
        Ended::Well(status) => {
            Outcome { state: DeliveryState::Done, next_at: now, status: *status, error: None }
        }
        Ended::Badly { is_final, status, reason } => {
            let attempt = usize::try_from(attempts - 1).unwrap_or(usize::MAX);
            let pause = PAUSES.get(attempt).filter(|_| !is_final);
            let (state, next_at) = match pause {
                // What failed together is not tried together again.
                Some(pause) => (DeliveryState::Waiting, later(app, now, *pause)),
                None => (DeliveryState::Dead, now),
            };
            Outcome { state, next_at, status: *status, error: Some(reason.clone()) }
        }
    }
}

fn later(app: &App, now: Time, pause: i64) -> Time {
    let [random] = app.environment.random::<1>();
    // From four fifths to six fifths of it.
    let share = 800 + i64::from(random) * 400 / 255;
    now.plus_seconds(pause * share / 1_000)
}

async fn to_mailbox(app: &App, owner: &str, taken: Taken) -> Result<()> {
    let Mailed { ended, to } = mail_it(app, &taken).await?;
    if let Ended::Badly { reason, is_final, .. } = &ended {
        tracing::warn!(delivery = taken.id, reason, is_final, "a mail was not sent");
    }
    let (outcome, owner) = (outcome(app, taken.attempts, &ended), owner.to_owned());
    // What is wrong between the mail server and the registry, and may pass, is for the operator alone to read.
    let why = match ended {
        Ended::Badly { is_final: true, reason, .. } => Some(reason),
        Ended::Badly { .. } | Ended::Well(_) => None,
    };
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let is_ours = deliveries::settle(tx, &owner, &taken.id, &outcome).await?;
                if !is_ours || outcome.state == DeliveryState::Waiting {
                    return Ok(());
                }
                deliveries::forget_body(tx, &taken.id).await?;
                match to {
                    Some(to) if outcome.state == DeliveryState::Dead => {
                        mail::note_undelivered(tx, &taken.user, &to, why.as_deref()).await
                    }
                    Some(to) => mail::note_arrived(tx, &taken.user, &to).await,
                    None => Ok(()),
                }
            })
        })
        .await
}

/// Where a mail goes; nowhere where there is nobody for it any more.
pub(super) fn goes_to(channel: Channel, body: Option<&str>, address: Option<&AddressRow>) -> Option<String> {
    match channel {
        // It goes to the address that was the user's, whatever that is by now.
        Channel::Notice => notice(body).map(|notice| notice.to),
        Channel::Code => {
            let address = address.filter(|address| address.code.is_some())?;
            Some(address.pending.as_ref().unwrap_or(&address.address).clone())
        }
        Channel::Mail | Channel::Digest => {
            address.filter(|address| address.is_good()).map(|address| address.address.clone())
        }
        Channel::Webhook => None,
    }
}

fn notice(body: Option<&str>) -> Option<Notice> {
    body.and_then(|body| serde_json::from_str(body).ok())
}

async fn mail_it(app: &App, taken: &Taken) -> Result<Mailed> {
    // What there is nobody for any more is done.
    let nothing = || Ok(Mailed { ended: Ended::Well(None), to: None });
    let (Some(mailer), Some(url)) = (&app.mailer, &app.settings.public_url) else { return nothing() };
    let (base, registry) = (url.as_str().trim_end_matches('/'), url.host_str().unwrap_or("the registry"));
    let Some(user) = accounts::user_by_id(app.db.reader(), &taken.user).await? else { return nothing() };
    let address = mail::find(app.db.reader(), &user.id).await?;
    let to = goes_to(taken.channel, taken.body.as_deref(), address.as_ref());
    let Some(to) = to.filter(|_| user.disabled_at.is_none() || taken.channel == Channel::Notice) else {
        return nothing();
    };
    let given_up = |to: String, why: &str| {
        let ended = Ended::Badly { is_final: true, status: None, reason: why.to_owned() };
        Ok(Mailed { ended, to: Some(to) })
    };
    if taken.created_at.plus_seconds(LATE_DAYS * DAY_SECONDS) <= app.environment.now() {
        return given_up(to, LATE);
    }
    if taken.channel == Channel::Notice {
        let Some(notice) = notice(taken.body.as_deref()) else { return nothing() };
        let letter = letter::of_notice(base, registry, &user.name, &notice.text)?;
        return Ok(posted(mailer.send(&taken.id, &to, &letter).await, to));
    }
    let Some(address) = address else { return nothing() };
    let letter = if taken.channel == Channel::Code {
        if address.code_until <= app.environment.now() {
            return given_up(to, EXPIRED);
        }
        let Some(sealed) = &taken.body else { return nothing() };
        let Ok(code) = app.secret_key.open_sealed(&addresses::context(&user.id), sealed) else {
            return nothing();
        };
        letter::of_code(base, registry, &user.name, code.expose())?
    } else {
        let looker = Looker { user: &user.id, is_admin: user.site_admin, within: &[] };
        let (total, told) = notifications::of_mail(&app.db, &looker, &taken.id, LINES).await?;
        if told.is_empty() {
            return nothing();
        }
        let digest = taken.body.as_deref().and_then(|mode| mode.parse::<MailMode>().ok());
        let link = addresses::link(app, base, &user.id, &address.address);
        letter::of_notifications(base, registry, digest, &told, total, link)?
    };
    Ok(posted(mailer.send(&taken.id, &to, &letter).await, to))
}

fn posted(outcome: Result<(), MailError>, to: String) -> Mailed {
    let ended = match outcome {
        Ok(()) => Ended::Well(None),
        Err(error) => Ended::Badly { is_final: error.is_final, status: None, reason: error.reason },
    };
    Mailed { ended, to: Some(to) }
}

async fn to_webhook(app: &App, owner: &str, taken: Taken) -> Result<()> {
    let Some(hook) = table::find(app.db.reader(), taken.webhook.as_deref().unwrap_or_default()).await? else {
        return settle(app, owner, &taken, &Ended::Well(None)).await;
    };
    if hook.disabled_at.is_some() {
        let reason = "the webhook is switched off".to_owned();
        return settle(app, owner, &taken, &Ended::Badly { is_final: true, status: None, reason }).await;
    }
    let Some(text) = text_of(app, &taken, &hook).await? else {
        return settle(app, owner, &taken, &Ended::Well(None)).await;
    };
    let ended = post(app, &taken, &hook, text).await?;
    settle(app, owner, &taken, &ended).await?;
    match ended {
        Ended::Well(_) if hook.failing_since.is_some() => {
            note(app, &hook.id, |_, row| row.failing_since = None).await
        }
        Ended::Well(_) => Ok(()),
        Ended::Badly { status, .. } => failed(app, &hook, status == Some(GONE)).await,
    }
}

/// What is sent, as far as it may still be told.
async fn text_of(app: &App, taken: &Taken, hook: &WebhookRow) -> Result<Option<String>> {
    if let Some(text) = &taken.body {
        return Ok(Some(text.clone()));
    }
    let Some(user) = accounts::user_by_id(app.db.reader(), &hook.user).await? else { return Ok(None) };
    let Some(number) = taken.notification.filter(|_| user.disabled_at.is_none()) else { return Ok(None) };
    let looker = Looker { user: &user.id, is_admin: user.site_admin, within: &[] };
    match notifications::one(&app.db, &looker, number).await? {
        Some(one) => Ok(Some(body(&one.told(), one.at, one.log_index)?)),
        None => Ok(None),
    }
}

async fn post(app: &App, taken: &Taken, hook: &WebhookRow, text: String) -> Result<Ended> {
    // Lost with the key: trying again does not help.
    let Ok(secret) = app.secret_key.open_sealed(&webhooks::context(&hook.id), &hook.secret) else {
        let reason = "its secret cannot be decrypted any more: make the webhook anew".to_owned();
        return Ok(Ended::Badly { is_final: true, status: None, reason });
    };
    let Ok((url, reach)) = webhooks::place(&hook.url) else {
        let reason = "the address is none".to_owned();
        return Ok(Ended::Badly { is_final: true, status: None, reason });
    };
    let hook = Hook {
        url: &url,
        allow_private: false,
        id: &taken.id,
        now: app.environment.now(),
        secret: secret.expose(),
        content_type: "application/json",
        body: text.into_bytes(),
    };
    Ok(match app.outbound.send(hook, reach).await {
        Ok(status) => Ended::Well(Some(status)),
        Err(error) => {
            let status = match &error {
                OutboundError::Status { status, .. } => Some(*status),
                OutboundError::Private(_)
                | OutboundError::NoAddress(_)
                | OutboundError::Unreachable { .. } => None,
            };
            Ended::Badly { is_final: false, status, reason: error.to_string() }
        }
    })
}

async fn settle(app: &App, owner: &str, taken: &Taken, ended: &Ended) -> Result<()> {
    let (outcome, owner, id) = (outcome(app, taken.attempts, ended), owner.to_owned(), taken.id.clone());
    app.db
        .write(move |tx| {
            Box::pin(async move { deliveries::settle(tx, &owner, &id, &outcome).await.map(drop) })
        })
        .await
}

async fn note(
    app: &App,
    id: &str,
    change: impl FnOnce(Time, &mut WebhookRow) + Send + 'static,
) -> Result<()> {
    let id = id.to_owned();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                if let Some(mut row) = table::find(tx.connection(), &id).await? {
                    change(tx.now, &mut row);
                    table::update(tx, &row).await?;
                }
                Ok(())
            })
        })
        .await
}

/// A webhook has failed: since when, and whether that was long enough.
async fn failed(app: &App, hook: &WebhookRow, is_gone: bool) -> Result<()> {
    let now = app.environment.now();
    let is_over =
        hook.failing_since.is_some_and(|since| since.plus_seconds(FAILING_DAYS * DAY_SECONDS) <= now)
            || is_gone;
    // Somebody may have changed it, or switched it on again, while this attempt was under way: that one has not failed.
    let seen = hook.changed_at;
    if !is_over {
        return note(app, &hook.id, move |now, row| {
            if row.changed_at == seen {
                row.failing_since = row.failing_since.or(Some(now));
            }
        })
        .await;
    }
    let notification = NewNotification {
        kind: NotificationKind::WebhookDisabled,
        source: format!("webhook:{}:{}", hook.id, now.micros()),
        detail: is_gone.then_some(NotificationDetail::Gone),
        skill: None,
        version: None,
        namespace: hook.namespace.clone(),
        object: Some(webhooks::host(&hook.url)),
        actor: None,
        log_index: None,
        at: now,
    };
    let telling = Telling::of_webhook(app, notification, &hook.user).await?;
    let (id, environment) = (hook.id.clone(), app.environment.clone());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let Some(mut row) = table::find(tx.connection(), &id).await? else { return Ok(()) };
                if row.disabled_at.is_some() || row.changed_at != seen {
                    return Ok(());
                }
                row.disabled_at = Some(tx.now);
                table::update(tx, &row).await?;
                let about = webhooks::about(&row);
                audit::insert_private(tx, None, "webhook.disabled", about).await?;
                let why = match is_gone {
                    true => "the webhook is switched off, as it has answered 410",
                    false => "the webhook is switched off, as it has only failed",
                };
                deliveries::give_up(tx, &id, why).await?;
                telling.insert(tx, || environment.new_id()).await
            })
        })
        .await?;
    tracing::info!(webhook = hook.id, "a webhook has only failed");
    app.due.tell();
    Ok(())
}

/// A secret as Standard Webhooks write it.
pub(super) fn secret_of(random: [u8; 32]) -> String {
    format!("whsec_{}", STANDARD.encode(random))
}
