//! Usage: how often each version was run where it is installed, by day, as users told. Like installs these are
//! measurements: they have sums of their own, and no entries in the log.

use skillery_core::api::VersionUsage;
use skillery_core::time::Time;
use skillery_core::{SkillId, Version, VersionStatus, Visibility};
use sqlx::{AssertSqlSafe, Row};

use super::{Db, Tx, parsed, pieces, tuples};
use crate::counters::DAY_MICROS;
use crate::failure::Result;

/// Days for which a report that is sent again is known as such.
const BATCH_DAYS: i64 = 90;
/// Where a sum of one day stops, so that no sum of sums is too large for the database, whatever users tell.
const MOST: i64 = 1_000_000_000_000_000;

/// A version that a report may count for.
#[derive(Debug, Clone)]
pub struct Countable {
    /// The skill.
    pub skill: SkillId,
    /// Who sees it.
    pub visibility: Visibility,
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
}

/// What is added to a version's sums of a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Runs.
    pub runs: i64,
    /// Those that succeeded.
    pub succeeded: i64,
    /// Those that failed.
    pub failed: i64,
    /// Those whose time is known.
    pub timed: i64,
    /// Milliseconds of these.
    pub latency_ms: i64,
}

/// Those of these versions (key of the skill, version) that are there.
pub async fn countable(db: &Db, wanted: &[(String, String)]) -> Result<Vec<Countable>> {
    let mut found = Vec::with_capacity(wanted.len());
    for piece in pieces(wanted) {
        let one = |at: usize| format!("(v.skill = ${} AND v.version = ${})", at * 2 + 1, at * 2 + 2);
        let text = format!(
            "SELECT s.id, s.visibility, v.version, v.status FROM versions v JOIN skills s ON s.key = v.skill WHERE {}",
            (0..piece.len()).map(one).collect::<Vec<_>>().join(" OR ")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (skill, version) in piece {
            query = query.bind(skill.clone()).bind(version.clone());
        }
        for row in query.fetch_all(db.reader()).await? {
            found.push(Countable {
                skill: parsed(row.try_get(0)?)?,
                visibility: parsed(row.try_get(1)?)?,
                version: parsed(row.try_get(2)?)?,
                status: parsed(row.try_get(3)?)?,
            });
        }
    }
    Ok(found)
}

/// Adds a user's report to the sums of a day, unless it was added before. Each version occurs once. Whether it is new.
pub async fn add(
    tx: &mut Tx,
    user: &str,
    batch: &str,
    day: i64,
    counts: &[((String, String), Counts)],
) -> Result<bool> {
    sqlx::query("DELETE FROM usage_batches WHERE day < $1")
        .bind(day - BATCH_DAYS)
        .execute(tx.connection())
        .await?;
    let noted = sqlx::query(
        "INSERT INTO usage_batches (user_id, batch, day) VALUES ($1, $2, $3) \
         ON CONFLICT (user_id, batch) DO NOTHING",
    )
    .bind(user.to_owned())
    .bind(batch.to_owned())
    .bind(day)
    .execute(tx.connection())
    .await?;
    if noted.rows_affected() == 0 {
        return Ok(false);
    }
    let sum = |column: &str| {
        format!(
            "{column} = CASE WHEN usage_days.{column} > {MOST} - excluded.{column} THEN {MOST} \
             ELSE usage_days.{column} + excluded.{column} END"
        )
    };
    let sums = ["runs", "succeeded", "failed", "timed", "latency_ms"].map(sum).join(", ");
    for piece in pieces(counts) {
        let text = format!(
            "INSERT INTO usage_days (skill, version, day, runs, succeeded, failed, timed, latency_ms) VALUES {} \
             ON CONFLICT (skill, version, day) DO UPDATE SET {sums}",
            tuples(1, piece.len(), 8, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for ((skill, version), counts) in piece {
            let Counts { runs, succeeded, failed, timed, latency_ms } = *counts;
            query = query.bind(skill.clone()).bind(version.clone()).bind(day);
            query = query.bind(runs).bind(succeeded).bind(failed).bind(timed).bind(latency_ms);
        }
        query.execute(tx.connection()).await?;
    }
    Ok(true)
}

/// What was told of each version of a skill, with where the version stands, in no order.
pub async fn of_skill(db: &Db, key: &str) -> Result<Vec<(VersionUsage, VersionStatus)>> {
    let rows = sqlx::query(
        "SELECT u.version, MAX(v.status), CAST(SUM(u.runs) AS BIGINT), CAST(SUM(u.succeeded) AS BIGINT), \
         CAST(SUM(u.failed) AS BIGINT), CAST(SUM(u.timed) AS BIGINT), CAST(SUM(u.latency_ms) AS BIGINT), MAX(u.day) \
         FROM usage_days u JOIN versions v ON v.skill = u.skill AND v.version = u.version \
         WHERE u.skill = $1 GROUP BY u.version",
    )
    .bind(key.to_owned())
    .fetch_all(db.reader())
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        let number = |column: usize| row.try_get::<i64, _>(column);
        let count = |column: usize| number(column).map(|number| u64::try_from(number).unwrap_or(0));
        let (timed, latency_ms) = (number(5)?, number(6)?);
        let usage = VersionUsage {
            version: parsed(row.try_get(0)?)?,
            runs: count(2)?,
            succeeded: count(3)?,
            failed: count(4)?,
            latency_ms_mean: (timed > 0).then(|| latency_ms as f64 / timed as f64),
            last_day: day_text(number(7)?),
        };
        found.push((usage, parsed(row.try_get(1)?)?));
    }
    Ok(found)
}

/// A day as `2026-11-25`.
fn day_text(day: i64) -> String {
    Time::from_micros(day.saturating_mul(DAY_MICROS)).to_string().chars().take(10).collect()
}
