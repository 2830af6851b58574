//! What is sent: mail to users, and requests to webhooks.

use std::collections::HashSet;

use skillery_core::api::{Delivery, DeliveryState, SentCount};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{BindAll, Db, Tx, parsed, pieces, placeholders, tuples};
use crate::failure::Result;

/// Deliveries that wait for one webhook at most.
pub const MAX_WAITING: i64 = 1_000;
/// What is said of those beyond.
const CROWDED: &str = "it was not sent, as so many others were waiting";

/// By which way something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Mail of what has just happened.
    Mail,
    /// Mail of what has happened in a day or a week.
    Digest,
    /// Mail with the code that confirms an address.
    Code,
    /// Mail that tells whoever has an address what was changed about it, whatever the user's preferences say by now.
    Notice,
    /// A request to a webhook.
    Webhook,
}

impl Channel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Digest => "digest",
            Self::Code => "code",
            Self::Notice => "notice",
            Self::Webhook => "webhook",
        }
    }

    pub(super) fn of(word: &str) -> Self {
        match word {
            "mail" => Self::Mail,
            "digest" => Self::Digest,
            "code" => Self::Code,
            "notice" => Self::Notice,
            _ => Self::Webhook,
        }
    }
}

/// Something that is to be sent.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// Its id.
    pub id: String,
    /// By which way.
    pub channel: Channel,
    /// To whom, or of whose webhook.
    pub user: String,
    /// To which webhook.
    pub webhook: Option<String>,
    /// What it tells of.
    pub kind: String,
    /// What it came from: the same goes to one place once.
    pub source: String,
    /// The number of the notification.
    pub notification: Option<i64>,
    /// What is sent, where that is known already.
    pub body: Option<String>,
    /// Not before then.
    pub next_at: Time,
}

impl NewDelivery {
    fn target(&self) -> String {
        match (&self.webhook, self.channel) {
            (Some(webhook), _) => webhook.clone(),
            (None, Channel::Notice) => format!("notice:{}", self.user),
            (None, _) => format!("mail:{}", self.user),
        }
    }
}

/// Will be sent. What was to be sent before to the same place is passed over; what comes for a webhook for which very many wait is
/// dead at once.
pub async fn insert(tx: &mut Tx, deliveries: &[NewDelivery]) -> Result<()> {
    let now = tx.now.micros();
    let mut webhooks: Vec<String> =
        deliveries.iter().filter_map(|delivery| delivery.webhook.clone()).collect();
    webhooks.sort_unstable();
    webhooks.dedup();
    let crowded = crowded(tx, &webhooks, MAX_WAITING).await?;
    for piece in pieces(deliveries) {
        let text = format!(
            "INSERT INTO deliveries (id, channel, user_id, webhook, kind, source, target, notification, body, state, attempts, \
             next_at, created_at, ended_at, error) VALUES {} ON CONFLICT (target, source) DO NOTHING",
            tuples(1, piece.len(), 15, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for delivery in piece {
            query =
                query.bind(delivery.id.clone()).bind(delivery.channel.as_str()).bind(delivery.user.clone());
            query = query
                .bind(delivery.webhook.clone())
                .bind(delivery.kind.clone())
                .bind(delivery.source.clone());
            query = query.bind(delivery.target()).bind(delivery.notification).bind(delivery.body.clone());
            let is_dropped = delivery.webhook.as_ref().is_some_and(|webhook| crowded.contains(webhook));
            let state = if is_dropped { DeliveryState::Dead } else { DeliveryState::Waiting };
            query = query.bind(state.as_str()).bind(0_i64).bind(delivery.next_at.micros()).bind(now);
            query = query.bind(is_dropped.then_some(now)).bind(is_dropped.then_some(CROWDED));
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

/// Something that this server sends now.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its id.
    pub id: String,
    /// By which way.
    pub channel: Channel,
    /// To whom, or of whose webhook.
    pub user: String,
    /// To which webhook.
    pub webhook: Option<String>,
    /// The number of the notification.
    pub notification: Option<i64>,
    /// What is sent, where that is known already.
    pub body: Option<String>,
    /// How often it was tried, with this time.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Time,
}

/// Takes those of these that are still due, until `until`: whoever has not said by then what became of it has lost it to others.
pub async fn take(tx: &mut Tx, owner: &str, until: Time, ids: &[String]) -> Result<Vec<Taken>> {
    let now = tx.now.micros();
    let mut taken = Vec::with_capacity(ids.len());
    for piece in pieces(ids) {
        let text = format!(
            "UPDATE deliveries SET taken_by = $1, next_at = $2, attempts = attempts + 1 \
             WHERE state = 'waiting' AND next_at <= $3 AND id IN ({}) \
             RETURNING id, channel, user_id, webhook, notification, body, attempts, created_at",
            placeholders(4, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(owner.to_owned())
            .bind(until.micros())
            .bind(now)
            .bind_all(piece.iter().cloned());
        for row in query.fetch_all(tx.connection()).await? {
            taken.push(Taken {
                id: row.try_get(0)?,
                channel: Channel::of(row.try_get(1)?),
                user: row.try_get(2)?,
                webhook: row.try_get(3)?,
                notification: row.try_get(4)?,
                body: row.try_get(5)?,
                attempts: row.try_get(6)?,
                created_at: Time::from_micros(row.try_get(7)?),
            });
        }
    }
    Ok(taken)
}

/// What became of something that was sent.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How far it is now.
    pub state: DeliveryState,
    /// When it is tried again, where it is.
    pub next_at: Time,
    /// The HTTP status of the answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Notes what became of it, where it is still this server's. Tells whether it was.
pub async fn settle(tx: &mut Tx, owner: &str, id: &str, outcome: &Outcome) -> Result<bool> {
    let now = tx.now.micros();
    let ended = (outcome.state != DeliveryState::Waiting).then_some(now);
    let settled = sqlx::query(
        "UPDATE deliveries SET state = $3, next_at = $4, status = $5, error = $6, ended_at = $7, taken_by = NULL \
         WHERE id = $1 AND taken_by = $2 AND state = 'waiting'",
    )
    .bind(id.to_owned())
    .bind(owner.to_owned())
    .bind(outcome.state.as_str())
    .bind(outcome.next_at.micros())
    .bind(outcome.status.map(i64::from))
    .bind(outcome.error.clone())
    .bind(ended)
    .execute(tx.connection())
    .await?;
    Ok(settled.rows_affected() > 0)
}

/// What waits for this webhook is dead.
pub async fn give_up(tx: &mut Tx, webhook: &str, why: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query(GIVE_UP)
        .bind(webhook.to_owned())
        .bind(why.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

const GIVE_UP: &str = "UPDATE deliveries SET state = 'dead', error = $2, ended_at = $3, taken_by = NULL \
    WHERE webhook = $1 AND state = 'waiting' AND channel = 'webhook'";

/// What was sent is kept without what was in it.
pub async fn forget_body(tx: &mut Tx, id: &str) -> Result<()> {
    sqlx::query("UPDATE deliveries SET body = NULL WHERE id = $1")
        .bind(id.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Sends again: this one, or the newest `most` that are dead. What has arrived at another address, before `moved`, is not sent to
/// this one. Returns how many.
pub async fn again(tx: &mut Tx, webhook: &str, id: Option<&str>, moved: Time, most: i64) -> Result<u64> {
    let now = tx.now.micros();
    let condition = match id {
        Some(_) => "id = $3 AND (state = 'dead' OR (state = 'done' AND created_at >= $4))",
        None => NEWEST_DEAD,
    };
    let changed = sqlx::query(AssertSqlSafe(again_text(condition)))
        .bind(webhook.to_owned())
        .bind(now)
        .bind(id.unwrap_or_default().to_owned())
        .bind(moved.micros())
        .bind(most)
        .execute(tx.connection())
        .await?;
    Ok(changed.rows_affected())
}

const NEWEST_DEAD: &str = "$3 = '' AND CAST($4 AS BIGINT) IS NOT NULL AND state = 'dead'";

fn again_text(condition: &str) -> String {
    format!(
        "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = $2, ended_at = NULL, taken_by = NULL WHERE id IN \
         (SELECT id FROM deliveries WHERE webhook = $1 AND {condition} ORDER BY created_at DESC, id DESC LIMIT $5)"
    )
}

/// The delivery of this kind that waits for this webhook, if one does: it is due now, unless it is under way.
pub async fn hurry(tx: &mut Tx, webhook: &str, kind: &str) -> Result<Option<String>> {
    let now = tx.now.micros();
    let waiting: Option<String> = sqlx::query_scalar(HURRY)
        .bind(webhook.to_owned())
        .bind(kind.to_owned())
        .fetch_optional(tx.connection())
        .await?;
    if let Some(id) = &waiting {
        sqlx::query("UPDATE deliveries SET next_at = $2 WHERE id = $1 AND taken_by IS NULL AND next_at > $2")
            .bind(id.clone())
            .bind(now)
            .execute(tx.connection())
            .await?;
    }
    Ok(waiting)
}

const HURRY: &str = "SELECT id FROM deliveries WHERE webhook = $1 AND kind = $2 AND state = 'waiting' AND channel = 'webhook' \
    ORDER BY created_at LIMIT 1";

/// How many deliveries wait for this webhook.
pub async fn waiting(tx: &mut Tx, webhook: &str) -> Result<i64> {
    Ok(sqlx::query_scalar(WAITING).bind(webhook.to_owned()).fetch_one(tx.connection()).await?)
}

const WAITING: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE webhook = $1 AND state = 'waiting' \
    AND channel = 'webhook'";

/// How much of each way waits, and how much is dead.
pub async fn counts(db: &Db) -> Result<[SentCount; 2]> {
    let count = async |condition: &str| -> Result<u64> {
        let text = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE {condition}");
        let number: i64 = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(db.reader()).await?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let (all, webhooks) =
        (count("state = 'dead'").await?, count("state = 'dead' AND webhook IS NOT NULL").await?);
    let mail = count("state = 'waiting' AND channel <> 'webhook'").await?;
    let requests = count("state = 'waiting' AND channel = 'webhook'").await?;
    Ok([
        SentCount { way: "mail".to_owned(), waiting: mail, dead: all.saturating_sub(webhooks) },
        SentCount { way: "webhooks".to_owned(), waiting: requests, dead: webhooks },
    ])
}

/// Those of these webhooks for which so many deliveries wait.
async fn crowded(tx: &mut Tx, webhooks: &[String], many: i64) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for piece in pieces(webhooks) {
        let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(crowded_text(piece.len())))
            .bind(many)
            .bind_all(piece.iter().cloned());
        found.extend(query.fetch_all(tx.connection()).await?);
    }
    Ok(found)
}

fn crowded_text(count: usize) -> String {
    format!(
        "SELECT webhook FROM deliveries WHERE state = 'waiting' AND channel = 'webhook' AND webhook IN ({}) \
         GROUP BY webhook HAVING COUNT(*) >= $1",
        placeholders(2, count)
    )
}

fn delivery_row(row: &AnyRow) -> Result<Delivery> {
    let state: DeliveryState = parsed(row.try_get(2)?)?;
    let next_at = Time::from_micros(row.try_get(5)?);
    Ok(Delivery {
        id: row.try_get(0)?,
        kind: row.try_get(1)?,
        state,
        attempts: u32::try_from(row.try_get::<i64, _>(3)?).unwrap_or(u32::MAX),
        created_at: Time::from_micros(row.try_get(4)?),
        next_at: (state == DeliveryState::Waiting).then_some(next_at),
        status: row.try_get::<Option<i64>, _>(6)?.and_then(|status| u16::try_from(status).ok()),
        error: row.try_get(7)?,
    })
}

/// One page of what was or is sent to a webhook, the newest first, and how many there are.
pub async fn of_webhook(
    db: &Db,
    webhook: &str,
    state: Option<DeliveryState>,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<Delivery>)> {
    let state = state.map(DeliveryState::as_str).unwrap_or_default();
    let condition = "webhook = $1 AND ($2 = '' OR state = $2)";
    let count = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE {condition}");
    let total = sqlx::query_scalar::<_, i64>(AssertSqlSafe(count))
        .bind(webhook.to_owned())
        .bind(state)
        .fetch_one(db.reader())
        .await?;
    let text = format!(
        "SELECT id, kind, state, attempts, created_at, next_at, status, error FROM deliveries WHERE {condition} \
         ORDER BY created_at DESC, id DESC LIMIT $3 OFFSET $4"
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(webhook.to_owned())
        .bind(state)
        .bind(limit)
        .bind(offset)
        .fetch_all(db.reader())
        .await?;
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(delivery_row).collect::<Result<_>>()?))
}

/// The next behind this one of those that arrived before `done`, or are dead since before `dead`, the oldest first: when each has ended,
/// and its id.
pub async fn old(
    db: &Db,
    done: Time,
    dead: Time,
    (at, id): &(i64, String),
    limit: i64,
) -> Result<Vec<(i64, String)>> {
    Ok(sqlx::query_as(OLD)
        .bind(done.micros())
        .bind(dead.micros())
        .bind(*at)
        .bind(limit)
        .bind(id.clone())
        .fetch_all(db.reader())
        .await?)
}

const OLD: &str = "SELECT ended_at, id FROM deliveries WHERE ended_at IS NOT NULL AND ended_at < $1 \
    AND (ended_at, id) > ($3, $5) AND (state = 'done' OR ended_at < $2) ORDER BY ended_at, id LIMIT $4";

/// Removes these, but for what is sent again by now.
pub async fn remove(tx: &mut Tx, ids: &[String]) -> Result<()> {
    for piece in pieces(ids) {
        let text = format!(
            "DELETE FROM deliveries WHERE ended_at IS NOT NULL AND id IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_waits_for_a_webhook_or_is_dead_or_old_is_found_by_an_index() {
        let app = TestApp::new().await;
        let of_one = |text: &str| text.replace("$1", "'w'");
        for (text, index) in [
            (of_one(WAITING), "deliveries_waiting_by_webhook"),
            (of_one(GIVE_UP).replace("$2", "''").replace("$3", "0"), "deliveries_waiting_by_webhook"),
            (of_one(HURRY).replace("$2", "'test'"), "deliveries_waiting_by_webhook"),
            (crowded_text(1).replace("$2", "'w'").replace("$1", "9"), "deliveries_waiting_by_webhook"),
            (
                of_one(&again_text(NEWEST_DEAD))
                    .replace("$2", "0")
                    .replace("$3", "''")
                    .replace("$4", "0")
                    .replace("$5", "9"),
                "deliveries_dead_by_webhook",
            ),
            (
                OLD.replace("$1", "9")
                    .replace("$2", "9")
                    .replace("$3", "0")
                    .replace("$4", "500")
                    .replace("$5", "''"),
                "deliveries_ended",
            ),
        ] {
            let plan = app.plan_in_order(&text, &[], &[]).await;
            assert!(plan.contains(index), "{text}: {plan}");
        }
    }
}
