//! Which contents are needed, and which are being collected.
//!
//! The collector marks a digest as doomed in a transaction that also sees that no version needs it. A publish of the
//! same bytes that finds the mark waits and stores them again; one that committed before is seen by the collector.

use std::collections::HashSet;

use skillery_core::Digest;
use sqlx::{Any, AssertSqlSafe, Executor};

use super::{Db, Tx, placeholders};
use crate::failure::Result;

/// Whether the collector is about to remove this content.
pub async fn is_doomed(executor: impl Executor<'_, Database = Any>, digest: &Digest) -> Result<bool> {
    let found = sqlx::query_scalar::<_, i64>("SELECT at FROM doomed_contents WHERE digest = $1")
        .bind(digest.to_string())
        .fetch_optional(executor)
        .await?;
    Ok(found.is_some())
}

/// Those of these digests that no version needs now. At most a few hundred at once.
pub async fn unneeded(db: &Db, digests: &[Digest]) -> Result<Vec<Digest>> {
    let text = format!("SELECT digest FROM versions WHERE digest IN ({})", placeholders(1, digests.len()));
    let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text)).persistent(false);
    for digest in digests {
        query = query.bind(digest.to_string());
    }
    let needed: HashSet<String> = query.fetch_all(db.reader()).await?.into_iter().collect();
    Ok(digests.iter().filter(|digest| !needed.contains(&digest.to_string())).copied().collect())
}

/// Marks a digest for collection, unless some version needs it.
pub async fn doom(tx: &mut Tx, digest: &Digest) -> Result<bool> {
    let needed = sqlx::query_scalar::<_, String>("SELECT digest FROM versions WHERE digest = $1 LIMIT 1")
        .bind(digest.to_string())
        .fetch_optional(tx.connection())
        .await?;
    if needed.is_some() {
        return Ok(false);
    }
    let now = tx.now.micros();
    sqlx::query("INSERT INTO doomed_contents (digest, at) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING")
        .bind(digest.to_string())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(true)
}

/// The content is gone; its bytes may be stored again.
pub async fn collected(tx: &mut Tx, digest: &Digest) -> Result<()> {
    sqlx::query("DELETE FROM doomed_contents WHERE digest = $1")
        .bind(digest.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Digests whose collection was begun and not finished.
pub async fn doomed(db: &Db) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar::<_, String>("SELECT digest FROM doomed_contents").fetch_all(db.reader()).await?)
}
