//! Where users get mail, whether they have confirmed it, and what becomes of mail that waits.

use std::collections::{HashMap, HashSet};

use skillery_core::Digest;
use skillery_core::api::DeadMail;
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::deliveries::Channel;
use super::{BindAll, Db, Tx, parsed, pieces, placeholders};
use crate::failure::Result;

/// A user's address.
#[derive(Debug, Clone)]
pub struct AddressRow {
    /// The address.
    pub address: String,
    /// The hash of the code that confirms it.
    pub code: Option<Digest>,
    /// Until when the code is good.
    pub code_until: Time,
    /// How often it was guessed wrong.
    pub guesses: i64,
    /// When it was confirmed.
    pub confirmed_at: Option<Time>,
    /// When its owner unsubscribed.
    pub unsubscribed_at: Option<Time>,
    /// The address that the code confirms, where that is another one.
    pub pending: Option<String>,
    /// The last mail that could not be delivered, where none has arrived at the same address since.
    pub undelivered: Option<Undelivered>,
}

/// A mail that could not be delivered.
#[derive(Debug, Clone)]
pub struct Undelivered {
    /// Where it was sent.
    pub to: String,
    /// When it was given up.
    pub at: Time,
    /// What the mail server said, where it was about this address, or why it was not sent at all.
    pub why: Option<String>,
}

impl AddressRow {
    /// Whether notifications may be mailed to it.
    pub fn is_good(&self) -> bool {
        self.confirmed_at.is_some() && self.unsubscribed_at.is_none()
    }
}

fn address_row(row: &AnyRow) -> Result<AddressRow> {
    let time = |column: usize| -> Result<Option<Time>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Time::from_micros))
    };
    let undelivered = match (row.try_get::<Option<String>, _>(7)?, time(8)?) {
        (Some(to), Some(at)) => Some(Undelivered { to, at, why: row.try_get(9)? }),
        _ => None,
    };
    Ok(AddressRow {
        address: row.try_get(0)?,
        code: row.try_get::<Option<String>, _>(1)?.as_deref().map(parsed).transpose()?,
        code_until: Time::from_micros(row.try_get(2)?),
        guesses: row.try_get(3)?,
        confirmed_at: time(4)?,
        unsubscribed_at: time(5)?,
        pending: row.try_get(6)?,
        undelivered,
    })
}

/// The address of a user, if there is one.
pub async fn find(executor: impl Executor<'_, Database = Any>, user: &str) -> Result<Option<AddressRow>> {
    let row = sqlx::query(
        "SELECT address, code, code_until, guesses, confirmed_at, unsubscribed_at, pending, undelivered_to, undelivered_at, \
         undelivered_why FROM mail_addresses WHERE user_id = $1",
    )
    .bind(user.to_owned())
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(address_row).transpose()
}

/// Sets a user's address, and the code that confirms it.
pub async fn set(tx: &mut Tx, user: &str, row: &AddressRow) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query(
        "INSERT INTO mail_addresses (user_id, address, set_at, code, code_until, guesses, confirmed_at, unsubscribed_at, \
         pending, undelivered_to, undelivered_at, undelivered_why) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (user_id) DO UPDATE SET address = $2, set_at = $3, code = $4, code_until = $5, guesses = $6, confirmed_at = $7, \
         unsubscribed_at = $8, pending = $9, undelivered_to = $10, undelivered_at = $11, undelivered_why = $12",
    )
    .bind(user.to_owned())
    .bind(row.address.clone())
    .bind(now)
    .bind(row.code.map(|code| code.to_string()))
    .bind(row.code_until.micros())
    .bind(row.guesses)
    .bind(row.confirmed_at.map(Time::micros))
    .bind(row.unsubscribed_at.map(Time::micros))
    .bind(row.pending.clone())
    .bind(row.undelivered.as_ref().map(|mail| mail.to.clone()))
    .bind(row.undelivered.as_ref().map(|mail| mail.at.micros()))
    .bind(row.undelivered.as_ref().and_then(|mail| mail.why.clone()))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes that a mail to this address of a user was given up, and why, where that is for the user to read. An address that is the user's
/// no more is nothing to tell of.
pub async fn note_undelivered(tx: &mut Tx, user: &str, to: &str, why: Option<&str>) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query(
        "UPDATE mail_addresses SET undelivered_to = $2, undelivered_at = $3, undelivered_why = $4 \
         WHERE user_id = $1 AND (address = $2 OR pending = $2)",
    )
    .bind(user.to_owned())
    .bind(to.to_owned())
    .bind(now)
    .bind(why.map(str::to_owned))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes that a mail has arrived at this address of a user.
pub async fn note_arrived(tx: &mut Tx, user: &str, to: &str) -> Result<()> {
    sqlx::query(
        "UPDATE mail_addresses SET undelivered_to = NULL, undelivered_at = NULL, undelivered_why = NULL \
         WHERE user_id = $1 AND undelivered_to = $2",
    )
    .bind(user.to_owned())
    .bind(to.to_owned())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes a user's address.
pub async fn remove(tx: &mut Tx, user: &str) -> Result<()> {
    sqlx::query("DELETE FROM mail_addresses WHERE user_id = $1")
        .bind(user.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// How many codes were sent since then, for this user or to this address, and when the first of these was.
pub async fn codes_since(tx: &mut Tx, user: &str, address: &str, since: Time) -> Result<(i64, Option<Time>)> {
    sqlx::query("DELETE FROM mail_codes WHERE at < $1").bind(since.micros()).execute(tx.connection()).await?;
    let (number, first): (i64, Option<i64>) = sqlx::query_as(
        "SELECT CAST(COUNT(*) AS BIGINT), MIN(at) FROM mail_codes WHERE user_id = $1 OR address = $2",
    )
    .bind(user.to_owned())
    .bind(address.to_lowercase())
    .fetch_one(tx.connection())
    .await?;
    Ok((number, first.map(Time::from_micros)))
}

/// Notes that a code was sent.
pub async fn note_code(tx: &mut Tx, user: &str, address: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query("INSERT INTO mail_codes (user_id, address, at) VALUES ($1, $2, $3)")
        .bind(user.to_owned())
        .bind(address.to_lowercase())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Those of these users who get mail.
pub async fn reachable(db: &Db, users: &[String]) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for piece in pieces(users) {
        let text = format!(
            "SELECT user_id FROM mail_addresses WHERE confirmed_at IS NOT NULL AND unsubscribed_at IS NULL AND user_id IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        found.extend(query.fetch_all(db.reader()).await?);
    }
    Ok(found)
}

/// The next users who get mail, by id, each with since when.
pub async fn reachable_after(db: &Db, after: &str, limit: i64) -> Result<Vec<(String, Time)>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT m.user_id, m.confirmed_at FROM mail_addresses m JOIN users u ON u.id = m.user_id WHERE m.user_id > $1 \
         AND m.confirmed_at IS NOT NULL AND m.unsubscribed_at IS NULL AND u.disabled_at IS NULL ORDER BY m.user_id LIMIT $2",
    )
    .bind(after.to_owned())
    .bind(limit)
    .fetch_all(db.reader())
    .await?;
    Ok(rows.into_iter().map(|(user, at)| (user, Time::from_micros(at))).collect())
}

/// Mail to these users that nobody has begun to send, by user: more may still go into it.
pub async fn open(tx: &mut Tx, users: &[String]) -> Result<HashMap<String, String>> {
    let now = tx.now.micros();
    let mut open = HashMap::new();
    for piece in pieces(users) {
        let text = format!(
            "SELECT user_id, id FROM deliveries WHERE channel = 'mail' AND state = 'waiting' AND attempts = 0 AND next_at > $1 \
             AND target IN ({})",
            placeholders(2, piece.len())
        );
        let query = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(text))
            .bind(now)
            .bind_all(piece.iter().map(|user| format!("mail:{user}")));
        open.extend(query.fetch_all(tx.connection()).await?);
    }
    Ok(open)
}

/// Mail that was made before this and still waits, at most `limit`.
pub async fn late(db: &Db, before: Time, limit: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar(LATE).bind(before.micros()).bind(limit).fetch_all(db.reader()).await?)
}

const LATE: &str =
    "SELECT id FROM deliveries WHERE state = 'waiting' AND channel <> 'webhook' AND created_at < $1 LIMIT $2";

/// A mail that was given up before it was sent.
#[derive(Debug)]
pub struct GivenUp {
    /// What kind of mail it was.
    pub channel: Channel,
    /// Whose it was.
    pub user: String,
    /// What it had to say, where that was known.
    pub body: Option<String>,
}

/// This mail, as far as it waits, is dead. What it had to say is forgotten once it is told here.
pub async fn give_up(tx: &mut Tx, ids: &[String], why: &str) -> Result<Vec<GivenUp>> {
    let now = tx.now.micros();
    let mut given_up = Vec::with_capacity(ids.len());
    for piece in pieces(ids) {
        let text = format!(
            "UPDATE deliveries SET state = 'dead', error = $1, ended_at = $2, taken_by = NULL \
             WHERE state = 'waiting' AND id IN ({}) RETURNING channel, user_id, body",
            placeholders(3, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind(why.to_owned()).bind(now);
        for row in query.bind_all(piece.iter().cloned()).fetch_all(tx.connection()).await? {
            given_up.push(GivenUp {
                channel: Channel::of(row.try_get(0)?),
                user: row.try_get(1)?,
                body: row.try_get(2)?,
            });
        }
        let text = format!(
            "UPDATE deliveries SET body = NULL WHERE state = 'dead' AND id IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        query.execute(tx.connection()).await?;
    }
    Ok(given_up)
}

/// What waits to be mailed to this user is not mailed any more.
pub async fn drop_waiting(tx: &mut Tx, user: &str) -> Result<()> {
    drop_some(tx, user, "").await
}

/// Codes that wait to be mailed to this user are worth nothing any more.
pub async fn drop_codes(tx: &mut Tx, user: &str) -> Result<()> {
    drop_some(tx, user, " AND channel = 'code'").await
}

async fn drop_some(tx: &mut Tx, user: &str, which: &str) -> Result<()> {
    let now = tx.now.micros();
    let text = format!(
        "UPDATE deliveries SET state = 'done', body = NULL, ended_at = $2, taken_by = NULL \
         WHERE target = $1 AND state = 'waiting'{which}"
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind(format!("mail:{user}")).bind(now);
    query.execute(tx.connection()).await?;
    Ok(())
}

/// How many notices were made for a user since then.
pub async fn notices_since(tx: &mut Tx, user: &str, since: Time) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM deliveries WHERE target = $1 AND created_at > $2",
    )
    .bind(format!("notice:{user}"))
    .bind(since.micros())
    .fetch_one(tx.connection())
    .await?)
}

/// The mails that are dead and were made last, at most `limit`.
pub async fn dead(db: &Db, limit: i64) -> Result<Vec<DeadMail>> {
    let query = sqlx::query_as(DEAD).bind(limit);
    let rows: Vec<(String, String, i64, Option<String>)> = query.fetch_all(db.reader()).await?;
    let dead = |(user, kind, at, why): (String, String, i64, Option<String>)| DeadMail {
        user,
        kind,
        at: Time::from_micros(at),
        why: why.unwrap_or_default(),
    };
    Ok(rows.into_iter().map(dead).collect())
}

// Mail is of no webhook. That the order names it too has both databases read the index of what is dead from its end.
const DEAD: &str = "SELECT u.name, d.kind, d.ended_at, d.error FROM deliveries d JOIN users u ON u.id = d.user_id \
    WHERE d.state = 'dead' AND d.webhook IS NULL AND d.channel <> 'webhook' AND d.ended_at IS NOT NULL \
    ORDER BY d.webhook DESC, d.created_at DESC, d.id DESC LIMIT $1";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn mail_that_is_dead_is_found_by_an_index() {
        let app = TestApp::new().await;
        let plan = app.plan_in_order(&DEAD.replace("$1", "20"), &[], &[]).await;
        assert!(plan.contains("deliveries_dead_by_webhook"), "{plan}");
    }
}
