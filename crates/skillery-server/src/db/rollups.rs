//! Sums of installs by week and month, and by namespace. Each day is added once, when it is over, and then its rows can go.

use std::collections::BTreeMap;

use skillery_core::Namespace;
use skillery_core::api::Unit;
use sqlx::AssertSqlSafe;

use super::{Tx, parsed, pieces, registry, tuples};
use crate::failure::Result;
use crate::insight::start_of;

/// The last day that is added as a whole; then, within the next one, the last skill that is.
const CURSOR: &str = "rollup-day";
/// Skills in one transaction.
const STEP: i64 = 200;
/// What stands for all programs together.
pub const ALL_PROGRAMS: &str = "";

/// How far sums have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The last day that is added as a whole.
    pub day: i64,
    /// The last skill of the next day that is added; empty before the first.
    pub skill: String,
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let (day, skill) = text.split_once(' ').unwrap_or((text, ""));
        Some(Self { day: day.parse().ok()?, skill: skill.to_owned() })
    }

    fn text(&self) -> String {
        format!("{} {}", self.day, self.skill).trim_end().to_owned()
    }
}

/// How far sums have come; nothing before there were any.
pub async fn cursor(db: &super::Db) -> Result<Option<Cursor>> {
    let text = sqlx::query_scalar::<_, String>("SELECT value FROM settings WHERE name = $1")
        .bind(CURSOR)
        .fetch_optional(db.reader())
        .await?;
    Ok(text.as_deref().and_then(Cursor::read))
}

/// Adds the next skills of the next day up to `until`. The cursor moves in the same transaction, so that nothing is added
/// twice. Whether there may be more.
pub async fn step(tx: &mut Tx, until: i64) -> Result<bool> {
    let known = registry::value(tx, CURSOR).await?;
    let mut cursor = match known.as_deref().and_then(Cursor::read) {
        Some(cursor) => cursor,
        None => {
            let first = sqlx::query_scalar::<_, Option<i64>>("SELECT MIN(day) FROM installs")
                .fetch_one(tx.connection())
                .await?;
            Cursor { day: first.map_or(until, |day| (day - 1).min(until)), skill: String::new() }
        }
    };
    if cursor.day >= until {
        registry::set(tx, CURSOR, &cursor.text()).await?;
        return Ok(false);
    }
    let day = cursor.day + 1;
    let skills = skills_of(tx, day, &cursor.skill).await?;
    if let Some((last, _)) = skills.last() {
        for unit in [Unit::Week, Unit::Month] {
            add_skills(tx, unit, start_of(unit, day), day, &cursor.skill, last).await?;
        }
        add_namespaces(tx, day, &cursor.skill, last, &skills).await?;
        cursor.skill = last.clone();
    }
    if (skills.len() as i64) < STEP {
        cursor = Cursor { day, skill: String::new() };
    }
    registry::set(tx, CURSOR, &cursor.text()).await?;
    Ok(true)
}

/// The next skills that were installed on a day, each with its namespace.
async fn skills_of(tx: &mut Tx, day: i64, after: &str) -> Result<Vec<(String, String)>> {
    Ok(sqlx::query_as(
        "SELECT s.key, s.namespace FROM skills s WHERE s.key IN \
         (SELECT DISTINCT skill FROM installs WHERE day = $1 AND skill > $2 ORDER BY skill LIMIT $3) ORDER BY s.key",
    )
    .bind(day)
    .bind(after.to_owned())
    .bind(STEP)
    .fetch_all(tx.connection())
    .await?)
}

async fn add_skills(tx: &mut Tx, unit: Unit, start: i64, day: i64, after: &str, last: &str) -> Result<()> {
    for (table, part, source) in
        [("install_periods", "version", "installs"), ("program_periods", "program", "program_installs")]
    {
        let text = format!(
            "INSERT INTO {table} (skill, unit, start, {part}, downloads) \
             SELECT skill, CAST($1 AS TEXT), CAST($2 AS BIGINT), {part}, CAST(SUM(downloads) AS BIGINT) FROM {source} \
             WHERE day = $3 AND skill > $4 AND skill <= $5 GROUP BY skill, {part} \
             ON CONFLICT (skill, unit, start, {part}) DO UPDATE SET downloads = {table}.downloads + excluded.downloads"
        );
        sqlx::query(AssertSqlSafe(text))
            .bind(unit.as_str())
            .bind(start)
            .bind(day)
            .bind(after.to_owned())
            .bind(last.to_owned())
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

async fn add_namespaces(
    tx: &mut Tx,
    day: i64,
    after: &str,
    last: &str,
    skills: &[(String, String)],
) -> Result<()> {
    let mut sums: BTreeMap<(String, String), i64> = BTreeMap::new();
    let spaces: BTreeMap<&str, &str> =
        skills.iter().map(|(key, namespace)| (key.as_str(), namespace.as_str())).collect();
    for text in [
        "SELECT skill, '', CAST(SUM(downloads) AS BIGINT) FROM installs \
         WHERE day = $1 AND skill > $2 AND skill <= $3 GROUP BY skill",
        "SELECT skill, program, CAST(SUM(downloads) AS BIGINT) FROM program_installs \
         WHERE day = $1 AND skill > $2 AND skill <= $3 GROUP BY skill, program",
    ] {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(text)
            .bind(day)
            .bind(after.to_owned())
            .bind(last.to_owned())
            .fetch_all(tx.connection())
            .await?;
        for (skill, program, downloads) in rows {
            let Some(namespace) = spaces.get(skill.as_str()) else { continue };
            let namespace: Namespace = parsed(namespace)?;
            for place in namespace.self_and_ancestors() {
                *sums.entry((place.to_owned(), program.clone())).or_default() += downloads;
            }
        }
    }
    let sums: Vec<((String, String), i64)> = sums.into_iter().collect();
    for unit in Unit::ALL {
        let start = start_of(*unit, day);
        for piece in pieces(&sums) {
            let text = format!(
                "INSERT INTO namespace_periods (namespace, unit, start, program, downloads) VALUES {} \
                 ON CONFLICT (namespace, unit, start, program) \
                 DO UPDATE SET downloads = namespace_periods.downloads + excluded.downloads",
                tuples(1, piece.len(), 5, "")
            );
            let mut query = sqlx::query(AssertSqlSafe(text));
            for ((namespace, program), downloads) in piece {
                query = query.bind(namespace.clone()).bind(unit.as_str()).bind(start);
                query = query.bind(program.clone()).bind(*downloads);
            }
            query.execute(tx.connection()).await?;
        }
    }
    Ok(())
}

/// Removes rows of one day before `horizon`, where all of that day is added. Whether there may be more.
pub async fn prune(tx: &mut Tx, horizon: i64) -> Result<bool> {
    let Some(done) = registry::value(tx, CURSOR).await?.as_deref().and_then(Cursor::read) else {
        return Ok(false);
    };
    let horizon = horizon.min(done.day);
    for table in ["program_installs", "installs"] {
        let day =
            sqlx::query_scalar::<_, Option<i64>>(AssertSqlSafe(format!("SELECT MIN(day) FROM {table}")))
                .fetch_one(tx.connection())
                .await?;
        let Some(day) = day.filter(|day| *day < horizon) else { continue };
        let text = format!(
            "DELETE FROM {table} WHERE day = $1 AND skill IN \
             (SELECT DISTINCT skill FROM {table} WHERE day = $1 ORDER BY skill LIMIT $2)"
        );
        sqlx::query(AssertSqlSafe(text)).bind(day).bind(STEP).execute(tx.connection()).await?;
        return Ok(true);
    }
    // Sums of a namespace by day are many; its weeks and months are kept.
    let removed = sqlx::query("DELETE FROM namespace_periods WHERE unit = 'day' AND start < $1")
        .bind(horizon)
        .execute(tx.connection())
        .await?;
    Ok(removed.rows_affected() > 0)
}
