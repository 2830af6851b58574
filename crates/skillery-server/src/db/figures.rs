//! Reading what was counted: installs by version, program and time, of a skill or a namespace.

use skillery_core::api::Unit;
use skillery_core::{Namespace, SkillId};
use sqlx::{AssertSqlSafe, Row};

use super::rollups::{ALL_PROGRAMS, Cursor};
use super::{BindAll, Db, is_within, parsed};
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

/// The rows of a statement that asks for these numbers first, and then for these texts.
async fn figures(db: &Db, text: String, numbers: &[i64], texts: &[&str]) -> Result<Vec<Figure>> {
    let texts = texts.iter().map(|text| (*text).to_owned());
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(numbers.iter().copied()).bind_all(texts);
    let rows = query.fetch_all(db.reader()).await?;
    rows.iter()
        .map(|row| Ok(Figure { start: row.try_get(0)?, part: row.try_get(1)?, downloads: row.try_get(2)? }))
        .collect()
}

/// Downloads of a skill on each day from `from` until before `until`.
pub async fn days(db: &Db, skill: &str, apart: Apart, from: i64, until: i64) -> Result<Vec<Figure>> {
    days_left(db, skill, apart, None, from, until).await
}

/// The same, of what sums that have come so far do not have.
pub async fn days_left(
    db: &Db,
    skill: &str,
    apart: Apart,
    added: Option<&Cursor>,
    from: i64,
    until: i64,
) -> Result<Vec<Figure>> {
    let (part, table) = match apart {
        Apart::Versions => ("version", "installs"),
        Apart::Programs => ("program", "program_installs"),
    };
    let text = format!(
        "SELECT day, {part}, CAST(SUM(downloads) AS BIGINT) FROM {table} \
         WHERE skill = $4 AND day >= $1 AND day < $2 AND NOT (day = $3 AND skill <= $5) GROUP BY day, {part}"
    );
    let (from, day, last) = left(added, from);
    figures(db, text, &[from, until, day], &[skill, last]).await
}

/// Downloads of a skill on each day from `from` until before `until`, with one program apart by version, or of one version apart
/// by program. That much is kept of days alone.
pub async fn days_of_one(
    db: &Db,
    skill: &str,
    apart: Apart,
    one: &str,
    from: i64,
    until: i64,
) -> Result<Vec<Figure>> {
    let (part, other) = match apart {
        Apart::Versions => ("version", "program"),
        Apart::Programs => ("program", "version"),
    };
    let text = format!(
        "SELECT day, {part}, downloads FROM program_installs \
         WHERE skill = $3 AND day >= $1 AND day < $2 AND {other} = $4"
    );
    figures(db, text, &[from, until], &[skill, one]).await
}

/// From which day on all is left, and up to which skill of that day it is not.
fn left(added: Option<&Cursor>, from: i64) -> (i64, i64, &str) {
    match added {
        Some(cursor) => {
            let next = cursor.day.saturating_add(1);
            (from.max(next), next, &cursor.skill)
        }
        None => (from, i64::MIN, ""),
    }
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
    figures(db, text, &[from, until], &[skill, unit.as_str()]).await
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
    figures(db, text.to_owned(), &[from, until], &[namespace, unit.as_str()]).await
}

/// The skills `s` below the namespace whose org is `$org` and whose key is `$place`, each with its rows `i` of a table. They are
/// come to by the namespace, so that it costs nothing what others install.
fn below(table: &str, org: u8, place: u8) -> String {
    format!(
        "FROM skills s JOIN {table} i ON i.skill = s.key WHERE s.org = ${org} AND {}",
        is_within("s.namespace", &format!("${place}"))
    )
}

fn days_below(part: &str, table: &str, group: &str) -> String {
    format!(
        "SELECT i.day, {part}, CAST(SUM(i.downloads) AS BIGINT) {} AND i.day >= $1 AND i.day < $2 \
         AND NOT (i.day = $3 AND i.skill <= $6) GROUP BY {group}",
        below(table, 4, 5)
    )
}

fn most_below() -> String {
    format!(
        "SELECT MAX(s.id), CAST(SUM(i.downloads) AS BIGINT) {} AND i.day >= $1 AND i.day < $2 \
         GROUP BY s.key ORDER BY 2 DESC, 1 LIMIT $3",
        below("installs", 4, 5)
    )
}

/// The same of what is not added yet: from `from` until before `until`.
pub async fn namespace_days(
    db: &Db,
    namespace: &Namespace,
    added: Option<&Cursor>,
    from: i64,
    until: i64,
) -> Result<Vec<Figure>> {
    let (from, day, last) = left(added, from);
    let (org, place) = (namespace.org_key(), namespace.key());
    let mut found = Vec::new();
    for text in [
        days_below(&format!("'{ALL_PROGRAMS}'"), "installs", "i.day"),
        days_below("i.program", "program_installs", "i.day, i.program"),
    ] {
        found.extend(figures(db, text, &[from, until, day], &[&org, &place, last]).await?);
    }
    Ok(found)
}

/// The skills below a namespace that were installed most on these days.
pub async fn most_installed(
    db: &Db,
    namespace: &Namespace,
    from: i64,
    until: i64,
    limit: i64,
) -> Result<Vec<(SkillId, i64)>> {
    let rows = sqlx::query(AssertSqlSafe(most_below()))
        .bind(from)
        .bind(until)
        .bind(limit)
        .bind(namespace.org_key())
        .bind(namespace.key())
        .fetch_all(db.reader())
        .await?;
    rows.iter().map(|row| Ok((parsed(row.try_get(0)?)?, row.try_get(1)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn figures_of_a_namespace_are_come_to_by_its_skills() {
        let app = TestApp::new().await;
        // Of a few rows, one index of installs is as good to PostgreSQL as the other.
        let is_choice = app.app.db.backend() == Backend::Sqlite;
        if !is_choice {
            sqlx::query("DROP INDEX installs_by_day").execute(app.app.db.reader()).await.unwrap();
        }
        let figures = [
            (days_below("''", "installs", "i.day"), vec!["acme", "acme", ""]),
            (most_below(), vec!["acme"; 2]),
        ];
        for (text, values) in figures {
            let plan = app.plan(&text, &[1, 2, 3], &values).await;
            assert!(plan.contains("skills_by_place") && !plan.contains("Seq Scan"), "{plan}");
            assert!(!is_choice || !plan.contains("installs_by_day"), "{plan}");
        }
    }
}
