//! How far each stream of the audit is, and which server sends for it.

use skillery_core::time::Time;
use sqlx::Row;

use crate::db::{Db, Tx};
use crate::failure::Result;

/// Rows that are counted of what a stream has still to send.
const COUNTED: i64 = 100_000;

/// The highest position.
pub async fn position(db: &Db) -> Result<i64> {
    let text = "SELECT position FROM audit_head WHERE id = 1";
    Ok(sqlx::query_scalar(text).fetch_one(db.reader()).await?)
}

/// How far the stream of this name is; none where it is new.
pub async fn stream(db: &Db, name: &str) -> Result<Option<i64>> {
    let text = "SELECT position FROM audit_streams WHERE name = $1";
    Ok(sqlx::query_scalar(text).bind(name.to_owned()).fetch_optional(db.reader()).await?)
}

/// How many rows the stream of this name has still to send, and since when the oldest of them waits.
pub async fn behind(db: &Db, name: &str) -> Result<(i64, Option<Time>)> {
    let Some(position) = stream(db, name).await? else { return Ok((0, None)) };
    let text =
        "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT id FROM audit WHERE position > $1 LIMIT $2) AS next";
    let rows: i64 = sqlx::query_scalar(text).bind(position).bind(COUNTED).fetch_one(db.reader()).await?;
    let text = "SELECT last_at FROM audit WHERE position > $1 ORDER BY position LIMIT 1";
    let oldest: Option<i64> = sqlx::query_scalar(text).bind(position).fetch_optional(db.reader()).await?;
    Ok((rows, oldest.map(Time::from_micros)))
}

/// A batch that a stream is to send: rows after `from`, up to `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// How far the stream is.
    pub from: i64,
    /// The end.
    pub to: i64,
}

/// Takes the stream for this server until then, where no other has it, with the batch that it has begun or a new one of at most so
/// many rows. A new stream begins at what comes from now on.
pub async fn hold(tx: &mut Tx, name: &str, holder: &str, until: Time, rows: usize) -> Result<Option<Batch>> {
    sqlx::query(
        "INSERT INTO audit_streams (name, position, holder, held_until) \
         SELECT CAST($1 AS TEXT), position, '', 0 FROM audit_head WHERE id = 1 ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.to_owned())
    .execute(tx.connection())
    .await?;
    let now = tx.now.micros();
    let held = sqlx::query(
        "UPDATE audit_streams SET holder = $2, held_until = $3 WHERE name = $1 AND (holder = $2 OR held_until < $4) \
         RETURNING position, batch_end",
    )
    .bind(name.to_owned())
    .bind(holder.to_owned())
    .bind(until.micros())
    .bind(now)
    .fetch_optional(tx.connection())
    .await?;
    let Some(held) = held else { return Ok(None) };
    let (from, begun): (i64, Option<i64>) = (held.try_get(0)?, held.try_get(1)?);
    if let Some(to) = begun {
        return Ok(Some(Batch { from, to }));
    }
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(position) FROM (SELECT position FROM audit WHERE position > $1 ORDER BY position LIMIT $2) AS next",
    )
    .bind(from)
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
    .fetch_one(tx.connection())
    .await?;
    let to = last.unwrap_or(from);
    set_batch(tx, name, holder, Some(to).filter(|to| *to > from)).await?;
    Ok(Some(Batch { from, to }))
}

/// The batch that is under way ends there from now on.
pub async fn set_batch(tx: &mut Tx, name: &str, holder: &str, to: Option<i64>) -> Result<()> {
    sqlx::query("UPDATE audit_streams SET batch_end = $3 WHERE name = $1 AND holder = $2")
        .bind(name.to_owned())
        .bind(holder.to_owned())
        .bind(to)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The stream has everything up to this position; other servers may go on with it.
pub async fn advance(tx: &mut Tx, name: &str, holder: &str, position: i64) -> Result<()> {
    sqlx::query(
        "UPDATE audit_streams SET position = $3, batch_end = NULL, held_until = 0 WHERE name = $1 AND holder = $2",
    )
    .bind(name.to_owned())
    .bind(holder.to_owned())
    .bind(position)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The batch was not taken: it is tried again up to there, by whichever server comes first.
pub async fn release(tx: &mut Tx, name: &str, holder: &str, to: i64) -> Result<()> {
    sqlx::query("UPDATE audit_streams SET batch_end = $3, held_until = 0 WHERE name = $1 AND holder = $2")
        .bind(name.to_owned())
        .bind(holder.to_owned())
        .bind(to)
        .execute(tx.connection())
        .await?;
    Ok(())
}
