//! Installs: how often each version was downloaded, by day.

use sqlx::{AssertSqlSafe, Row};

use super::{Db, Tx, placeholders};
use crate::failure::Result;

/// Downloads of one version on one day that are not written yet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InstallKey {
    /// The skill's key.
    pub skill: String,
    /// The version.
    pub version: String,
}

/// Adds a batch of downloads, and moves the position that followers watch. Returns the new position.
pub async fn add(tx: &mut Tx, day: i64, batch: &[(InstallKey, i64)]) -> Result<i64> {
    let position = next_position(tx).await?;
    for (key, downloads) in batch {
        let known = sqlx::query(
            "UPDATE skills SET install_count = install_count + $2, install_position = $3 WHERE key = $1",
        )
        .bind(key.skill.clone())
        .bind(*downloads)
        .bind(position)
        .execute(tx.connection())
        .await?;
        if known.rows_affected() == 0 {
            continue;
        }
        sqlx::query(
            "INSERT INTO installs (skill, version, day, downloads) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (skill, version, day) DO UPDATE SET downloads = installs.downloads + $4",
        )
        .bind(key.skill.clone())
        .bind(key.version.clone())
        .bind(day)
        .bind(*downloads)
        .execute(tx.connection())
        .await?;
    }
    Ok(position)
}

async fn next_position(tx: &mut Tx) -> Result<i64> {
    Ok(sqlx::query_scalar::<_, i64>(
        "UPDATE install_head SET position = position + 1 WHERE id = 1 RETURNING position",
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Makes followers look again at the skills that were downloaded after day `after` and up to day `until`.
pub async fn touch_days(tx: &mut Tx, after: i64, until: i64) -> Result<()> {
    let position = next_position(tx).await?;
    sqlx::query(
        "UPDATE skills SET install_position = $3 \
         WHERE key IN (SELECT skill FROM installs WHERE day > $1 AND day <= $2)",
    )
    .bind(after)
    .bind(until)
    .bind(position)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The position that installs have reached.
pub async fn position(db: &Db) -> Result<i64> {
    Ok(sqlx::query_scalar::<_, i64>("SELECT position FROM install_head WHERE id = 1")
        .fetch_one(db.reader())
        .await?)
}

/// Keys of skills whose installs changed after position `after` and up to `until`.
pub async fn changed_after(db: &Db, after: i64, until: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar::<_, String>(
        "SELECT key FROM skills WHERE install_position > $1 AND install_position <= $2",
    )
    .bind(after)
    .bind(until)
    .fetch_all(db.reader())
    .await?)
}

/// Downloads of these skills since `day`, by key.
pub async fn since(db: &Db, day: i64, keys: &[String]) -> Result<Vec<(String, i64)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT skill, CAST(SUM(downloads) AS BIGINT) FROM installs WHERE day >= $1 AND skill IN ({}) GROUP BY skill",
        placeholders(2, keys.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(text)).persistent(false).bind(day);
    for key in keys {
        query = query.bind(key.clone());
    }
    query.fetch_all(db.reader()).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
