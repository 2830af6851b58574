//! How far each stream of the audit is, and which server sends for it.

use skillery_core::time::Time;

use crate::db::{Db, Tx};
use crate::failure::Result;

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

/// Takes the stream for this server until then, where no other has it. A new stream begins at what comes from now on.
/// Returns how far it is.
pub async fn hold(tx: &mut Tx, name: &str, holder: &str, until: Time) -> Result<Option<i64>> {
    sqlx::query(
        "INSERT INTO audit_streams (name, position, holder, held_until) \
         SELECT CAST($1 AS TEXT), position, '', 0 FROM audit_head WHERE id = 1 ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.to_owned())
    .execute(tx.connection())
    .await?;
    let now = tx.now.micros();
    let held = sqlx::query_scalar(
        "UPDATE audit_streams SET holder = $2, held_until = $3 WHERE name = $1 AND (holder = $2 OR held_until < $4) \
         RETURNING position",
    )
    .bind(name.to_owned())
    .bind(holder.to_owned())
    .bind(until.micros())
    .bind(now)
    .fetch_optional(tx.connection())
    .await?;
    Ok(held)
}

/// The stream has everything up to this position; other servers may go on with it.
pub async fn advance(tx: &mut Tx, name: &str, holder: &str, position: i64) -> Result<()> {
    sqlx::query("UPDATE audit_streams SET position = $3, held_until = 0 WHERE name = $1 AND holder = $2")
        .bind(name.to_owned())
        .bind(holder.to_owned())
        .bind(position)
        .execute(tx.connection())
        .await?;
    Ok(())
}
