//! Notifications: who is told of what happened, and by which ways.
//!
//! A follower of the log ([`follow`]) finds out whom an entry concerns and tells them in batches, each in one short transaction
//! with how far it has come. What is to be sent lies in the database until it has arrived ([`deliver`]), so that none of it is
//! lost; what a crash cuts off may come twice. Nobody is told of what they may not see: that is looked at when they are
//! told, when they read, and when something is sent.

mod addresses;
mod deliver;
mod digest;
mod follow;
mod letter;
mod mailer;
mod notice;
mod read;
mod rules;
mod webhooks;

use std::sync::Arc;
use std::time::Duration;

use skillery_core::time::DAY_SECONDS;
use tokio::sync::Notify;

pub use addresses::{address, confirm, remove_address, set_address, unsubscribe};
#[cfg(test)]
pub use deliver::deliver_due;
pub use deliver::run as deliver;
pub use digest::digests;
#[cfg(test)]
pub use follow::catch_up;
pub use follow::run as follow;
#[cfg(test)]
pub use letter::Letter;
pub use mailer::{Mailer, MailerError, check_settings, connection};
pub use read::{list, mark_read, newest, preferences, set_preferences, unread};
pub use webhooks::{add, all, deliveries, host, one, redeliver, remove, test, update};

use crate::app::App;
use crate::db::due::Way;
use crate::db::{deliveries, mail, notifications};
use crate::failure::Result;
use crate::jobs::Job;

/// How often digests are looked for.
const TURN: Duration = Duration::from_secs(60);
/// Turns after which old rows are looked for again, once none is left.
const PRUNE_TURNS: u32 = 60;
/// Days that what has arrived is kept, and what is dead.
const DONE_DAYS: i64 = 7;
const DEAD_DAYS: i64 = 30;
/// Days after which mail that nobody could send is no news any more, and what is said of it.
const LATE_DAYS: i64 = 7;
const LATE: &str = "it was not sent, as it has waited for a week, for a mail server or for its turn";
/// Rows that are removed in one transaction.
const PRUNED: i64 = 500;
/// Mails that are given up in one, as each is noted where whose it was reads it.
const GIVEN_UP: i64 = 100;

/// What wakes those who send.
#[derive(Default)]
pub struct Due {
    mail: Notify,
    webhooks: Notify,
}

impl Due {
    /// There is something to send.
    pub fn tell(&self) {
        self.mail.notify_one();
        self.webhooks.notify_one();
    }

    async fn wait(&self, way: Way) {
        match way {
            Way::Mail => self.mail.notified().await,
            Way::Webhooks => self.webhooks.notified().await,
        }
    }
}

/// Mails digests when their time has come, and removes what is old.
pub async fn keep_house(app: Arc<App>) {
    let mut turns_left = 0_u32;
    loop {
        let outcome = digests(&app).await;
        app.work.part_turned(Job::Digests, "digests", app.environment.now(), &outcome);
        if turns_left == 0 {
            let outcome = prune(&app).await;
            app.work.part_turned(Job::Digests, "old rows", app.environment.now(), &outcome);
            // What has failed is tried at the next turn.
            if outcome.is_ok() {
                turns_left = PRUNE_TURNS;
            }
        }
        turns_left = turns_left.saturating_sub(1);
        tokio::select! {
            () = app.stopping() => return,
            () = tokio::time::sleep(TURN) => {}
        }
    }
}

/// Gives up mail that is late, a few at a time. Whoever names a mail server after a year wants no mail that is a year old to be sent.
async fn give_up_late(app: &App) -> Result<()> {
    let before = app.environment.now().plus_seconds(-LATE_DAYS * DAY_SECONDS);
    while !app.is_stopping() {
        let late = mail::late(&app.db, before, GIVEN_UP).await?;
        if late.is_empty() {
            return Ok(());
        }
        tracing::warn!(mails = late.len(), "mail that has waited for a week is not sent any more");
        let write = app.db.write(move |tx| {
            Box::pin(async move {
                for given_up in mail::give_up(tx, &late, LATE).await? {
                    let address = mail::find(tx.connection(), &given_up.user).await?;
                    let to = deliver::goes_to(given_up.channel, given_up.body.as_deref(), address.as_ref());
                    if let Some(to) = to {
                        mail::note_undelivered(tx, &given_up.user, &to, Some(LATE)).await?;
                    }
                }
                Ok(())
            })
        });
        write.await?;
    }
    Ok(())
}

/// Removes notifications and deliveries that are old, a few at a time.
pub async fn prune(app: &App) -> Result<()> {
    give_up_late(app).await?;
    let now = app.environment.now();
    let before = |days: i64| now.plus_seconds(-days.saturating_mul(DAY_SECONDS));
    let days = i64::from(app.settings.notification_days.max(1));
    let (read, any, done, dead) = (before(days), before(days * 4), before(DONE_DAYS), before(DEAD_DAYS));
    // What is kept is gone through once, and not again for each piece: it is looked for before the change, from where that was.
    let mut told = (i64::MIN, i64::MIN);
    let mut sent = (i64::MIN, String::new());
    while !app.is_stopping() {
        let notifications = notifications::old(&app.db, read, any, told, PRUNED).await?;
        let deliveries = deliveries::old(&app.db, done, dead, &sent, PRUNED).await?;
        if notifications.is_empty() && deliveries.is_empty() {
            return Ok(());
        }
        told = notifications.last().copied().unwrap_or(told);
        sent = deliveries.last().cloned().unwrap_or(sent);
        let numbers: Vec<i64> = notifications.into_iter().map(|(_, id)| id).collect();
        let ids: Vec<String> = deliveries.into_iter().map(|(_, id)| id).collect();
        let write = app.db.write(move |tx| {
            Box::pin(async move {
                notifications::remove(tx, &numbers).await?;
                deliveries::remove(tx, &ids).await
            })
        });
        write.await?;
    }
    Ok(())
}
