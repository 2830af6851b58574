//! The log: one entry for every change, numbered without gaps.

use skillery_core::event::{Event, LogEntry};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};

use super::{Committed, Db, from_json, pieces, tuples};
use crate::failure::Result;

pub(super) const SIZE: &str = "SELECT size FROM log_head WHERE id = 1";
/// An update that changes nothing locks the row on PostgreSQL; SQLite holds its one write lock already.
pub(super) const LOCK_HEAD: &str = "UPDATE log_head SET size = size WHERE id = 1 RETURNING size, at";

/// The statement that ends the log at this size.
pub(super) fn set_size(size: i64, now: Time) -> String {
    format!("UPDATE log_head SET size = {size}, at = {} WHERE id = 1", now.micros())
}

pub(super) async fn insert(
    connection: &mut AnyConnection,
    now: Time,
    entries: &[Committed],
) -> sqlx::Result<()> {
    for piece in pieces(entries) {
        let rows = tuples(1, piece.len(), 6, "");
        let text = format!("INSERT INTO log (idx, at, kind, actor, skill, body) VALUES {rows}");
        let mut query = sqlx::query(AssertSqlSafe(text));
        for entry in piece {
            let body =
                serde_json::to_value(&entry.event).map_err(|error| sqlx::Error::Encode(Box::new(error)))?;
            let kind = body["kind"].as_str().unwrap_or_default().to_owned();
            query = query
                .bind(entry.index)
                .bind(now.micros())
                .bind(kind)
                .bind(entry.actor.clone())
                .bind(entry.event.skill().map(skillery_core::SkillId::key))
                .bind(body.to_string());
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// These columns of the first `limit` entries from number `from` on.
async fn page(db: &Db, columns: &str, from: i64, limit: i64) -> sqlx::Result<Vec<AnyRow>> {
    let text = format!("SELECT {columns} FROM log WHERE idx >= $1 ORDER BY idx LIMIT $2");
    sqlx::query(AssertSqlSafe(text)).bind(from).bind(limit).fetch_all(db.reader()).await
}

/// The first `limit` entries from number `from` on.
pub async fn entries(db: &Db, from: i64, limit: i64) -> Result<Vec<LogEntry>> {
    page(db, "idx, at, actor, body", from, limit)
        .await?
        .iter()
        .map(|row| {
            Ok(LogEntry {
                index: row.try_get(0)?,
                time: Time::from_micros(row.try_get(1)?),
                actor: row.try_get(2)?,
                event: from_json::<Event>(row.try_get(3)?)?,
            })
        })
        .collect()
}

/// What an entry has changed, for followers.
#[derive(Debug)]
pub struct Change {
    /// The entry's number.
    pub index: i64,
    /// The key of the skill that it is about, if it is about one.
    pub skill: Option<String>,
    /// What was done.
    pub event: Event,
}

/// The first `limit` changes from number `from` on.
pub async fn changes(db: &Db, from: i64, limit: i64) -> Result<Vec<Change>> {
    page(db, "idx, skill, body", from, limit)
        .await?
        .iter()
        .map(|row| {
            Ok(Change { index: row.try_get(0)?, skill: row.try_get(1)?, event: from_json(row.try_get(2)?)? })
        })
        .collect()
}

/// The time of the entry before number `index` in microseconds; 0 when there is none.
pub async fn time_before(db: &Db, index: i64) -> Result<i64> {
    let time = sqlx::query_scalar::<_, i64>("SELECT at FROM log WHERE idx = $1")
        .bind(index - 1)
        .fetch_optional(db.reader())
        .await?;
    Ok(time.unwrap_or(0))
}
