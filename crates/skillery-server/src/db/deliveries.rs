//! What is sent: mail to users, and requests to webhooks.

use std::collections::HashMap;

use skillery_core::api::{Delivery, DeliveryState};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Db, Tx, parsed, pieces, placeholders, tuples};
use crate::failure::Result;

/// By which way something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Mail of what has just happened.
    Mail,
    /// Mail of what has happened in a day or a week.
    Digest,
    /// Mail with the code that confirms an address.
    Code,
    /// A request to a webhook.
    Webhook,
}

impl Channel {
    fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Digest => "digest",
            Self::Code => "code",
            Self::Webhook => "webhook",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "mail" => Self::Mail,
            "digest" => Self::Digest,
            "code" => Self::Code,
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
        self.webhook.clone().unwrap_or_else(|| format!("mail:{}", self.user))
    }
}

/// Will be sent. What was to be sent before to the same place is passed over.
pub async fn insert(tx: &mut Tx, deliveries: &[NewDelivery]) -> Result<()> {
    let now = tx.now.micros();
    for piece in pieces(deliveries) {
        let text = format!(
            "INSERT INTO deliveries (id, channel, user_id, webhook, kind, source, target, notification, body, state, attempts, \
             next_at, created_at) VALUES {} ON CONFLICT (target, source) DO NOTHING",
            tuples(1, piece.len(), 13, "")
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
            query = query
                .bind(DeliveryState::Waiting.as_str())
                .bind(0_i64)
                .bind(delivery.next_at.micros())
                .bind(now);
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

/// Mail to these users that nobody has begun to send, by user: more may still go into it.
pub async fn open_mail(tx: &mut Tx, users: &[String]) -> Result<HashMap<String, String>> {
    let now = tx.now.micros();
    let mut open = HashMap::new();
    for piece in pieces(users) {
        let text = format!(
            "SELECT user_id, id FROM deliveries WHERE channel = 'mail' AND state = 'waiting' AND attempts = 0 AND next_at > $1 \
             AND target IN ({})",
            placeholders(2, piece.len())
        );
        let mut query = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(text)).bind(now);
        for user in piece {
            query = query.bind(format!("mail:{user}"));
        }
        open.extend(query.fetch_all(tx.connection()).await?);
    }
    Ok(open)
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
}

/// Whether something is due.
pub async fn is_due(db: &Db, now: Time) -> Result<bool> {
    let text = "SELECT id FROM deliveries WHERE state = 'waiting' AND next_at <= $1 LIMIT 1";
    Ok(sqlx::query(text).bind(now.micros()).fetch_optional(db.reader()).await?.is_some())
}

/// Takes what is due, at most `most` and not more than `each` for one place, until `until`: whoever has not said by then what became
/// of it has lost it to others.
pub async fn take(tx: &mut Tx, owner: &str, until: Time, most: usize, each: usize) -> Result<Vec<Taken>> {
    let now = tx.now.micros();
    let rows = sqlx::query(
        "SELECT id, channel, user_id, webhook, notification, body, attempts, target FROM deliveries \
         WHERE state = 'waiting' AND next_at <= $1 ORDER BY next_at, id LIMIT $2",
    )
    .bind(now)
    .bind(i64::try_from(most * 8).unwrap_or(i64::MAX))
    .fetch_all(tx.connection())
    .await?;
    let mut of_target: HashMap<String, usize> = HashMap::new();
    let mut taken = Vec::new();
    for row in &rows {
        let count = of_target.entry(row.try_get(7)?).or_default();
        if *count == each || taken.len() == most {
            continue;
        }
        *count += 1;
        taken.push(Taken {
            id: row.try_get(0)?,
            channel: Channel::of(row.try_get(1)?),
            user: row.try_get(2)?,
            webhook: row.try_get(3)?,
            notification: row.try_get(4)?,
            body: row.try_get(5)?,
            attempts: row.try_get::<i64, _>(6)? + 1,
        });
    }
    for piece in pieces(&taken) {
        let text = format!(
            "UPDATE deliveries SET taken_by = $1, next_at = $2, attempts = attempts + 1 WHERE id IN ({})",
            placeholders(3, piece.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(text)).bind(owner.to_owned()).bind(until.micros());
        for one in piece {
            query = query.bind(one.id.clone());
        }
        query.execute(tx.connection()).await?;
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
    sqlx::query(
        "UPDATE deliveries SET state = 'dead', error = $2, ended_at = $3, taken_by = NULL \
         WHERE webhook = $1 AND state = 'waiting'",
    )
    .bind(webhook.to_owned())
    .bind(why.to_owned())
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What waits to be mailed to this user is not mailed any more.
pub async fn drop_mail(tx: &mut Tx, user: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query(
        "UPDATE deliveries SET state = 'done', body = NULL, ended_at = $2, taken_by = NULL \
         WHERE target = $1 AND state = 'waiting'",
    )
    .bind(format!("mail:{user}"))
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What was sent is kept without what was in it.
pub async fn forget_body(tx: &mut Tx, id: &str) -> Result<()> {
    sqlx::query("UPDATE deliveries SET body = NULL WHERE id = $1")
        .bind(id.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Sends again: this one, or all that are dead. Returns how many.
pub async fn again(tx: &mut Tx, webhook: &str, id: Option<&str>) -> Result<u64> {
    let now = tx.now.micros();
    let condition =
        if id.is_some() { "id = $3 AND state <> 'waiting'" } else { "$3 = '' AND state = 'dead'" };
    let text = format!(
        "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = $2, ended_at = NULL, taken_by = NULL \
         WHERE webhook = $1 AND {condition}"
    );
    let changed = sqlx::query(AssertSqlSafe(text))
        .bind(webhook.to_owned())
        .bind(now)
        .bind(id.unwrap_or_default().to_owned())
        .execute(tx.connection())
        .await?;
    Ok(changed.rows_affected())
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

/// Removes some that arrived before `done`, or are dead since before `dead`. Returns how many.
pub async fn prune(tx: &mut Tx, done: Time, dead: Time, limit: i64) -> Result<u64> {
    let removed = sqlx::query(
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE ended_at IS NOT NULL AND ended_at < $1 AND \
         (state = 'done' OR ended_at < $2) ORDER BY ended_at LIMIT $3)",
    )
    .bind(done.micros())
    .bind(dead.micros())
    .bind(limit)
    .execute(tx.connection())
    .await?;
    Ok(removed.rows_affected())
}
