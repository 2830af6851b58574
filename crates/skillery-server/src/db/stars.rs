//! Stars: at most one of each user for a skill, with the exact number beside the skill.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::{BindAll, Db, Tx, pieces, placeholders};
use crate::failure::Result;

/// Stars a skill for a user. False when the user had starred it.
pub async fn set(tx: &mut Tx, key: &str, user: &str) -> Result<bool> {
    let now = tx.now.micros();
    let added = sqlx::query(
        "INSERT INTO stars (skill, user_id, at) VALUES ($1, $2, $3) ON CONFLICT (skill, user_id) DO NOTHING",
    )
    .bind(key.to_owned())
    .bind(user.to_owned())
    .bind(now)
    .execute(tx.connection())
    .await?
    .rows_affected();
    add(tx, key, added, 1).await
}

/// Takes the user's star back. False when there was none.
pub async fn remove(tx: &mut Tx, key: &str, user: &str) -> Result<bool> {
    let removed = sqlx::query("DELETE FROM stars WHERE skill = $1 AND user_id = $2")
        .bind(key.to_owned())
        .bind(user.to_owned())
        .execute(tx.connection())
        .await?
        .rows_affected();
    add(tx, key, removed, -1).await
}

async fn add(tx: &mut Tx, key: &str, rows: u64, sign: i64) -> Result<bool> {
    if rows == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE skills SET star_count = star_count + $2 WHERE key = $1")
        .bind(key.to_owned())
        .bind(sign)
        .execute(tx.connection())
        .await?;
    Ok(true)
}

/// How many stars these skills have, by key.
pub async fn counts(db: &Db, keys: &[String]) -> Result<HashMap<String, i64>> {
    let mut counts = HashMap::with_capacity(keys.len());
    for piece in pieces(keys) {
        let text =
            format!("SELECT key, star_count FROM skills WHERE key IN ({})", placeholders(1, piece.len()));
        let query = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        counts.extend(query.fetch_all(db.reader()).await?);
    }
    Ok(counts)
}
