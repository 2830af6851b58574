//! Reading what was counted: installs by version, program and time, of a skill or a namespace.

use skillery_core::SkillId;
use skillery_core::api::Unit;
use sqlx::{AssertSqlSafe, Row};

use super::rollups::ALL_PROGRAMS;
use super::{Db, parsed};
use crate::failure::Result;

/// Downloads of a part (a version, a program) in a unit of time that begins on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    /// The first day of the unit.
    pub start: i64,
    /// The version or program.
    pub part: String,
    /// How many.
    pub downloads: i64,
}

/// What is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apart {
    /// Versions.
    Versions,
    /// Programs.
    Programs,
}

async fn figures(db: &Db, text: String, texts: &[&str], from: i64, until: i64) -> Result<Vec<Figure>> {
    let mut query = sqlx::query(AssertSqlSafe(text)).bind(from).bind(until);
    for text in texts {
        query = query.bind((*text).to_owned());
    }
    let rows = query.fetch_all(db.reader()).await?;
    rows.iter()
        .map(|row| Ok(Figure { start: row.try_get(0)?, part: row.try_get(1)?, downloads: row.try_get(2)? }))
        .collect()
}

/// Downloads of a skill on each day from `from` until before `until`.
pub async fn days(db: &Db, skill: &str, apart: Apart, from: i64, until: i64) -> Result<Vec<Figure>> {
    let (part, table) = match apart {
        Apart::Versions => ("version", "installs"),
        Apart::Programs => ("program", "program_installs"),
    };
    let text = format!(
        "SELECT day, {part}, CAST(SUM(downloads) AS BIGINT) FROM {table} \
         WHERE skill = $3 AND day >= $1 AND day < $2 GROUP BY day, {part}"
    );
    figures(db, text, &[skill], from, until).await
}

/// Downloads of a skill in each week or month that begins from `from` until before `until`, as far as days are added.
pub async fn periods(
    db: &Db,
    skill: &str,
    apart: Apart,
    unit: Unit,
    from: i64,
    until: i64,
) -> Result<Vec<Figure>> {
    let (part, table) = match apart {
        Apart::Versions => ("version", "install_periods"),
        Apart::Programs => ("program", "program_periods"),
    };
    let text = format!(
        "SELECT start, {part}, downloads FROM {table} \
         WHERE skill = $3 AND unit = $4 AND start >= $1 AND start < $2"
    );
    figures(db, text, &[skill, unit.as_str()], from, until).await
}

/// Downloads below a namespace in each unit that begins from `from` until before `until`, as far as days are added: by
/// program, and with an empty one of all.
pub async fn namespace_periods(
    db: &Db,
    namespace: &str,
    unit: Unit,
    from: i64,
    until: i64,
) -> Result<Vec<Figure>> {
    let text = "SELECT start, program, downloads FROM namespace_periods \
                WHERE namespace = $3 AND unit = $4 AND start >= $1 AND start < $2";
    figures(db, text.to_owned(), &[namespace, unit.as_str()], from, until).await
}

/// What is behind the letters of everything below a namespace.
fn below(namespace: &str) -> (String, String) {
    // `0` comes behind `/` as bytes go.
    (format!("{namespace}/"), format!("{namespace}0"))
}

/// The same on days that are not added yet: from `from` until before `until`.
pub async fn namespace_days(db: &Db, namespace: &str, from: i64, until: i64) -> Result<Vec<Figure>> {
    let (first, behind) = below(namespace);
    let bytes = db.backend().by_bytes();
    let mut found = Vec::new();
    for (part, table) in
        [(format!("'{ALL_PROGRAMS}'"), "installs"), ("program".to_owned(), "program_installs")]
    {
        let group = if table == "installs" { "day" } else { "day, program" };
        let text = format!(
            "SELECT day, {part}, CAST(SUM(downloads) AS BIGINT) FROM {table} WHERE day >= $1 AND day < $2 \
             AND skill COLLATE {bytes} >= $3 AND skill COLLATE {bytes} < $4 GROUP BY {group}"
        );
        found.extend(figures(db, text, &[&first, &behind], from, until).await?);
    }
    Ok(found)
}

/// The skills below a namespace that were installed most on these days.
pub async fn most_installed(
    db: &Db,
    namespace: &str,
    from: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<(SkillId, i64)>> {
    let (first, behind) = below(namespace);
    let bytes = db.backend().by_bytes();
    let text = format!(
        "SELECT MAX(s.id), CAST(SUM(i.downloads) AS BIGINT) FROM installs i JOIN skills s ON s.key = i.skill \
         WHERE i.day >= $1 AND i.day < $2 AND i.skill COLLATE {bytes} >= $3 AND i.skill COLLATE {bytes} < $4 \
         GROUP BY i.skill ORDER BY 2 DESC, 1 LIMIT $5"
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(from)
        .bind(until)
        .bind(first)
        .bind(behind)
        .bind(limit)
        .fetch_all(db.reader())
        .await?;
    rows.iter().map(|row| Ok((parsed(row.try_get(0)?)?, row.try_get(1)?))).collect()
}
