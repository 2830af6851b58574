//! Installs: how often each version was downloaded, by day.

use std::collections::{BTreeMap, HashSet};

use skillery_core::Program;
use sqlx::{AssertSqlSafe, Row};

use super::{BindAll, Db, Tx, pieces, placeholders, tuples};
use crate::failure::Result;

/// Downloads of one version with one program on one day that are not written yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstallKey {
    /// The skill's key.
    pub skill: String,
    /// The version.
    pub version: String,
    /// With what it was downloaded.
    pub program: Program,
}

/// Adds a batch of downloads, in which each version and program occurs once, and moves the position that followers watch.
/// Returns the new position. What is of a skill that is not there is passed over.
pub async fn add(tx: &mut Tx, day: i64, batch: &[(InstallKey, i64)]) -> Result<i64> {
    let position = next_position(tx).await?;
    let mut of_skills: BTreeMap<&str, i64> = BTreeMap::new();
    for (key, downloads) in batch {
        *of_skills.entry(&key.skill).or_default() += downloads;
    }
    let mut known = HashSet::new();
    let of_skills: Vec<(&str, i64)> = of_skills.into_iter().collect();
    for piece in pieces(&of_skills) {
        let text = format!(
            "WITH more (skill, downloads) AS (VALUES {}) UPDATE skills \
             SET install_count = install_count + more.downloads, install_position = ${} \
             FROM more WHERE key = more.skill RETURNING key",
            tuples(1, piece.len(), 2, ""),
            piece.len() * 2 + 1
        );
        let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text));
        for (skill, downloads) in piece {
            query = query.bind((*skill).to_owned()).bind(*downloads);
        }
        known.extend(query.bind(position).fetch_all(tx.connection()).await?);
    }
    let of_programs: Vec<&(InstallKey, i64)> =
        batch.iter().filter(|(key, _)| known.contains(&key.skill)).collect();
    let mut of_versions: BTreeMap<(&str, &str), i64> = BTreeMap::new();
    for (key, downloads) in &of_programs {
        *of_versions.entry((&key.skill, &key.version)).or_default() += downloads;
    }
    let of_versions: Vec<((&str, &str), i64)> = of_versions.into_iter().collect();
    for piece in pieces(&of_versions) {
        let text = format!(
            "INSERT INTO installs (skill, version, day, downloads) VALUES {} ON CONFLICT (skill, version, day) \
             DO UPDATE SET downloads = installs.downloads + excluded.downloads",
            tuples(1, piece.len(), 4, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for ((skill, version), downloads) in piece {
            query = query.bind((*skill).to_owned()).bind((*version).to_owned()).bind(day).bind(*downloads);
        }
        query.execute(tx.connection()).await?;
    }
    for piece in pieces(&of_programs) {
        let text = format!(
            "INSERT INTO program_installs (skill, version, program, day, downloads) VALUES {} \
             ON CONFLICT (skill, day, version, program) \
             DO UPDATE SET downloads = program_installs.downloads + excluded.downloads",
            tuples(1, piece.len(), 5, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (key, downloads) in piece {
            query = query.bind(key.skill.clone()).bind(key.version.clone()).bind(key.program.as_str());
            query = query.bind(day).bind(*downloads);
        }
        query.execute(tx.connection()).await?;
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
    let query = sqlx::query(AssertSqlSafe(text)).persistent(false).bind(day).bind_all(keys.iter().cloned());
    query.fetch_all(db.reader()).await?.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
