//! What of the audit is forgotten, some rows in a transaction.

use skillery_core::time::Time;
use sqlx::Row;

use crate::db::{Db, Tx, registry};
use crate::failure::Result;

/// Up to which row it is forgotten from where it came.
const FORGOTTEN: &str = "audit-forgotten";

/// The time of the oldest row that is beyond so many rows of what was refused.
pub async fn beyond(db: &Db, kept: i64) -> Result<Option<Time>> {
    let text = "SELECT last_at FROM audit WHERE outcome = 'denied' ORDER BY last_at DESC LIMIT 1 OFFSET $1";
    let found: Option<i64> = sqlx::query_scalar(text).bind(kept).fetch_optional(db.reader()).await?;
    Ok(found.map(Time::from_micros))
}

/// Forgets some of what was refused up to that time. Returns how many went.
pub async fn forget_denied(tx: &mut Tx, until: Time, limit: i64) -> Result<u64> {
    let text = "DELETE FROM audit WHERE id IN \
         (SELECT id FROM audit WHERE outcome = 'denied' AND last_at <= $1 ORDER BY last_at LIMIT $2)";
    let done = sqlx::query(text).bind(until.micros()).bind(limit).execute(tx.connection()).await?;
    Ok(done.rows_affected())
}

/// Forgets from where some of the rows before that time came; who it was stays. It is remembered how far that is. Returns whether
/// there may be more.
pub async fn forget_addresses(tx: &mut Tx, before: Time, limit: i64) -> Result<bool> {
    let known = registry::value(tx, FORGOTTEN).await?;
    let (at, id) = known
        .as_deref()
        .and_then(|text| text.split_once(' '))
        .and_then(|(at, id)| Some((at.parse::<i64>().ok()?, id.parse::<i64>().ok()?)))
        .unwrap_or((i64::MIN, 0));
    let rows = sqlx::query(
        "SELECT at, id FROM audit WHERE at >= $1 AND (at > $1 OR id > $2) AND at < $3 ORDER BY at, id LIMIT $4",
    )
    .bind(at)
    .bind(id)
    .bind(before.micros())
    .bind(limit)
    .fetch_all(tx.connection())
    .await?;
    let Some(last) = rows.last() else { return Ok(false) };
    let last: (i64, i64) = (last.try_get(0)?, last.try_get(1)?);
    sqlx::query(
        "UPDATE audit SET address = NULL, agent = NULL WHERE at >= $1 AND (at > $1 OR id > $2) AND (at < $3 OR (at = $3 AND id <= $4)) \
         AND (address IS NOT NULL OR agent IS NOT NULL)",
    )
    .bind(at)
    .bind(id)
    .bind(last.0)
    .bind(last.1)
    .execute(tx.connection())
    .await?;
    registry::set(tx, FORGOTTEN, &format!("{} {}", last.0, last.1)).await?;
    Ok(i64::try_from(rows.len()).is_ok_and(|count| count == limit))
}
