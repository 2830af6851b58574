//! Which contents are needed, and which are being collected.
//!
//! The collector marks a digest as doomed in a transaction that also sees that no version needs it; only who made the
//! mark removes the bytes, and then the mark. A publish of the same bytes that finds the mark waits and stores them
//! again. One whose bytes were stored before a collection ended, and so may be gone, sees that the number of collections
//! has changed, and stores them again too.

use std::collections::HashSet;

use skillery_core::Digest;
use skillery_core::time::Time;
use sqlx::AssertSqlSafe;

use super::{BindAll, Db, Tx, placeholders};
use crate::failure::Result;

/// How many collections have ended.
#[cfg(test)]
pub async fn collections(db: &Db) -> Result<i64> {
    Ok(sqlx::query_scalar::<_, i64>("SELECT collections FROM collector WHERE id = 1")
        .fetch_one(db.reader())
        .await?)
}

/// Those of these digests that no version needs now. At most a few hundred at once.
pub async fn unneeded(db: &Db, digests: &[Digest]) -> Result<Vec<Digest>> {
    let text = format!("SELECT digest FROM versions WHERE digest IN ({})", placeholders(1, digests.len()));
    let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text))
        .persistent(false)
        .bind_all(digests.iter().map(ToString::to_string));
    let needed: HashSet<String> = query.fetch_all(db.reader()).await?.into_iter().collect();
    Ok(digests.iter().filter(|digest| !needed.contains(&digest.to_string())).copied().collect())
}

async fn is_needed(tx: &mut Tx, digest: &str) -> Result<bool> {
    let found = sqlx::query_scalar::<_, String>("SELECT digest FROM versions WHERE digest = $1 LIMIT 1")
        .bind(digest.to_owned())
        .fetch_optional(tx.connection())
        .await?;
    Ok(found.is_some())
}

/// Marks a digest for collection by this owner. False when some version needs it, or another has marked it.
pub async fn doom(tx: &mut Tx, digest: &Digest, owner: &str) -> Result<bool> {
    if is_needed(tx, &digest.to_string()).await? {
        return Ok(false);
    }
    let now = tx.now.micros();
    let marked = sqlx::query(
        "INSERT INTO doomed_contents (digest, owner, at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(digest.to_string())
    .bind(owner.to_owned())
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(marked.rows_affected() == 1)
}

/// The content is gone; its bytes may be stored again.
pub async fn collected(tx: &mut Tx, digest: &Digest, owner: &str) -> Result<()> {
    sqlx::query("DELETE FROM doomed_contents WHERE digest = $1 AND owner = $2")
        .bind(digest.to_string())
        .bind(owner.to_owned())
        .execute(tx.connection())
        .await?;
    sqlx::query("UPDATE collector SET collections = collections + 1 WHERE id = 1")
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Takes over the marks that were made before this time: their owner stopped before the end. Returns the digests that
/// are still to be removed.
pub async fn take_over(tx: &mut Tx, before: Time, owner: &str) -> Result<Vec<String>> {
    let now = tx.now.micros();
    let old = sqlx::query_scalar::<_, String>("SELECT digest FROM doomed_contents WHERE at < $1")
        .bind(before.micros())
        .fetch_all(tx.connection())
        .await?;
    let mut taken = Vec::new();
    for digest in old {
        let text = if is_needed(tx, &digest).await? {
            "DELETE FROM doomed_contents WHERE digest = $1 AND owner <> $2 AND at < $3"
        } else {
            taken.push(digest.clone());
            "UPDATE doomed_contents SET owner = $2, at = $3 WHERE digest = $1"
        };
        sqlx::query(text).bind(digest).bind(owner.to_owned()).bind(now).execute(tx.connection()).await?;
    }
    Ok(taken)
}
