//! Reports of abuse.

use std::collections::HashMap;

use skillery_core::SkillId;
use skillery_core::api::{FormerReport, Report, ReportKind, ReportReason};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{BindAll, Db, Tx, any_of, is_within, parsed, pieces, placeholders};
use crate::failure::Result;

/// What is reported as it says now; none where it is not there any more. Of a skill it is the newest version,
/// and nothing where it has none.
const NOW: &str = "CASE a.kind WHEN 'comment' THEN (SELECT text FROM comments WHERE id = a.target AND deleted_at IS NULL) \
    WHEN 'review' THEN (SELECT review FROM ratings WHERE skill = a.skill AND user_id = a.target) \
    WHEN 'answer' THEN (SELECT text FROM review_answers WHERE skill = a.skill AND user_id = a.target) \
    ELSE COALESCE(s.latest, '') END";

/// What is reported.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// Its id.
    pub id: String,
    /// The skill.
    pub skill: SkillId,
    /// What.
    pub kind: ReportKind,
    /// The id of the comment, or of the user whose review it is, or was answered; else empty.
    pub target: String,
    /// Why.
    pub reason: ReportReason,
    /// What there is to say about it.
    pub text: String,
    /// The id of who wrote it.
    pub accused: Option<String>,
    /// What it says.
    pub said: Option<String>,
    /// Whether admins of the registry alone decide about it.
    pub for_registry: bool,
}

/// A report that the user has made of the same.
struct Before {
    id: String,
    is_open: bool,
    for_registry: bool,
    said: Option<String>,
}

async fn before(tx: &mut Tx, user: &str, new: &NewReport) -> Result<Option<Before>> {
    let found = sqlx::query(
        "SELECT id, resolved_at, for_registry, said FROM abuse_reports \
         WHERE skill = $1 AND kind = $2 AND target = $3 AND user_id = $4",
    )
    .bind(new.skill.key())
    .bind(new.kind.as_str())
    .bind(new.target.clone())
    .bind(user.to_owned())
    .fetch_optional(tx.connection())
    .await?;
    let before = |row: AnyRow| {
        Ok(Before {
            id: row.try_get(0)?,
            is_open: row.try_get::<Option<i64>, _>(1)?.is_none(),
            for_registry: row.try_get::<i64, _>(2)? != 0,
            said: row.try_get(3)?,
        })
    };
    found.map(before).transpose()
}

/// Adds a report. One that was resolved is open again where it says something else by now; where it says the same, once more, for
/// admins of the registry, if they have not decided about it. What the report was before is kept. The id of the report, or nothing
/// where the user has reported the same and nothing is to be added.
pub async fn report(tx: &mut Tx, user: &str, new: &NewReport) -> Result<Option<String>> {
    match before(tx, user, new).await? {
        None => {
            insert(tx, user, new).await?;
            Ok(Some(new.id.clone()))
        }
        Some(before) => {
            // Of reports from before it was kept, nobody knows what was said: a decision about them stands as one about the same.
            let is_same = before.said.is_none() || before.said == new.said;
            if before.is_open || (is_same && before.for_registry) {
                return Ok(None);
            }
            keep(tx, &before.id).await?;
            let for_registry = before.for_registry || is_same || new.for_registry;
            report_anew(tx, &before.id, new, for_registry, is_same).await?;
            Ok(Some(before.id))
        }
    }
}

async fn insert(tx: &mut Tx, user: &str, new: &NewReport) -> Result<()> {
    let at = tx.now.micros();
    sqlx::query(
        "INSERT INTO abuse_reports (id, skill, namespace, kind, target, user_id, reason, text, at, accused, said, for_registry) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.id.clone())
    .bind(new.skill.key())
    .bind(new.skill.namespace().key())
    .bind(new.kind.as_str())
    .bind(new.target.clone())
    .bind(user.to_owned())
    .bind(new.reason.as_str())
    .bind(new.text.clone())
    .bind(at)
    .bind(new.accused.clone())
    .bind(new.said.clone())
    .bind(i64::from(new.for_registry))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Keeps what a report is, before it is made anew.
async fn keep(tx: &mut Tx, id: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO former_reports (report, reason, text, at, accused, said, resolved_at, resolved_by, resolution) \
         SELECT id, reason, text, at, accused, said, resolved_at, resolved_by, resolution FROM abuse_reports WHERE id = $1",
    )
    .bind(id.to_owned())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What was done about other words stands beside these alone.
async fn report_anew(
    tx: &mut Tx,
    id: &str,
    new: &NewReport,
    for_registry: bool,
    is_same: bool,
) -> Result<()> {
    let at = tx.now.micros();
    sqlx::query(
        "UPDATE abuse_reports SET reason = $2, text = $3, at = $4, accused = $5, said = $6, for_registry = $7, resolved_at = NULL, \
         resolved_by = CASE WHEN $8 = 1 THEN resolved_by END, resolution = CASE WHEN $8 = 1 THEN resolution END WHERE id = $1",
    )
    .bind(id.to_owned())
    .bind(new.reason.as_str())
    .bind(new.text.clone())
    .bind(at)
    .bind(new.accused.clone())
    .bind(new.said.clone())
    .bind(i64::from(for_registry))
    .bind(i64::from(is_same))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Whether the user belongs to the org of the skill, or is an admin of the registry.
pub async fn is_of_house(tx: &mut Tx, user: &str, org: &str) -> Result<bool> {
    let text = "SELECT CAST((SELECT COUNT(*) FROM users WHERE id = $1 AND site_admin = 1) \
        + (SELECT COUNT(*) FROM members WHERE user_id = $1 AND org = $2) AS BIGINT)";
    let found: i64 = sqlx::query_scalar(text)
        .bind(user.to_owned())
        .bind(org.to_owned())
        .fetch_one(tx.connection())
        .await?;
    Ok(found > 0)
}

/// Which reports are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Keys of namespaces; those below them count too. None: all.
    pub within: Option<Vec<String>>,
    /// Those that are open, or those that are resolved.
    pub is_open: bool,
    /// With those about which admins of the registry alone decide, and with who reports.
    pub for_site_admin: bool,
    /// The one with this id alone, if there is one among them.
    pub id: Option<String>,
}

/// Reports, the oldest first, or of those that are resolved what was resolved last, and how many there are.
pub async fn reports(db: &Db, wanted: &Wanted, limit: i64, offset: i64) -> Result<(u64, Vec<Report>)> {
    let Wanted { within, is_open, for_site_admin, id } = wanted;
    let mut wanted = format!("a.resolved_at IS {}", if *is_open { "NULL" } else { "NOT NULL" });
    let mut values = Vec::new();
    if !for_site_admin {
        wanted += " AND a.for_registry = 0";
    }
    if let Some(within) = within {
        values.clone_from(within);
        let places = (1..=within.len()).map(|place| is_within("a.namespace", &format!("${place}")));
        wanted += &format!(" AND {}", any_of(&places.collect::<Vec<_>>()));
    }
    if let Some(id) = id {
        if uuid::Uuid::try_parse(id).is_err() {
            return Ok((0, Vec::new()));
        }
        values.push(id.clone());
        wanted += &format!(" AND a.id = ${}", values.len());
    }
    let text = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM abuse_reports a WHERE {wanted}");
    let query = sqlx::query_scalar(AssertSqlSafe(text)).bind_all(values.iter().cloned());
    let total: i64 = query.fetch_one(db.reader()).await?;
    let text = format!(
        "SELECT a.id, a.kind, s.id, a.target, o.name, u.name, a.reason, a.text, a.at, a.resolved_at, m.name, a.resolution, \
         c.name, a.said, a.for_registry, CASE WHEN a.said IS NOT NULL AND ({NOW}) IS DISTINCT FROM a.said THEN 1 ELSE 0 END \
         FROM abuse_reports a JOIN skills s ON s.key = a.skill JOIN users u ON u.id = a.user_id \
         LEFT JOIN users o ON o.id = a.target LEFT JOIN users m ON m.id = a.resolved_by \
         LEFT JOIN users c ON c.id = a.accused \
         WHERE {wanted} ORDER BY {} LIMIT ${} OFFSET ${}",
        if *is_open { "a.at, a.id" } else { "a.resolved_at DESC, a.id DESC" },
        values.len() + 1,
        values.len() + 2
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(values);
    let rows = query.bind(limit).bind(offset).fetch_all(db.reader()).await?;
    let mut former = former(db, &rows).await?;
    let reports = rows
        .iter()
        .map(|row| {
            let kind: ReportKind = parsed(row.try_get(1)?)?;
            let (id, target): (String, String) = (row.try_get(0)?, row.try_get(3)?);
            Ok(Report {
                former: former.remove(&id).unwrap_or_default(),
                id,
                kind,
                skill: row.try_get(2)?,
                comment: Some(target).filter(|_| kind == ReportKind::Comment),
                review: row.try_get::<Option<String>, _>(4)?.filter(|_| kind == ReportKind::Review),
                answer: row.try_get::<Option<String>, _>(4)?.filter(|_| kind == ReportKind::Answer),
                accused: row.try_get(12)?,
                said: row.try_get(13)?,
                changed: row.try_get::<i64, _>(15)? != 0,
                for_registry: row.try_get::<i64, _>(14)? != 0,
                reporter: Some(row.try_get(5)?).filter(|_| *for_site_admin),
                reason: parsed(row.try_get(6)?)?,
                text: row.try_get(7)?,
                created_at: Time::from_micros(row.try_get(8)?),
                resolved_at: row.try_get::<Option<i64>, _>(9)?.map(Time::from_micros),
                resolved_by: row.try_get(10)?,
                resolution: row.try_get(11)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok((u64::try_from(total).unwrap_or(0), reports))
}

/// What these reports were before they were made anew, the oldest first.
async fn former(db: &Db, reports: &[AnyRow]) -> Result<HashMap<String, Vec<FormerReport>>> {
    let ids = reports.iter().map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<String>>>()?;
    let mut found: HashMap<String, Vec<FormerReport>> = HashMap::new();
    for piece in pieces(&ids) {
        let text = format!(
            "SELECT f.report, f.reason, f.text, f.at, c.name, f.said, f.resolved_at, m.name, f.resolution FROM former_reports f \
             LEFT JOIN users c ON c.id = f.accused LEFT JOIN users m ON m.id = f.resolved_by \
             WHERE f.report IN ({}) ORDER BY f.report, f.at",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in query.fetch_all(db.reader()).await? {
            found.entry(row.try_get(0)?).or_default().push(FormerReport {
                reason: parsed(row.try_get(1)?)?,
                text: row.try_get(2)?,
                created_at: Time::from_micros(row.try_get(3)?),
                accused: row.try_get(4)?,
                said: row.try_get(5)?,
                resolved_at: row.try_get::<Option<i64>, _>(6)?.map(Time::from_micros),
                resolved_by: row.try_get(7)?,
                resolution: row.try_get(8)?,
            });
        }
    }
    Ok(found)
}

/// What decides who deals with a report.
#[derive(Debug, Clone)]
pub struct Place {
    /// The skill.
    pub skill: SkillId,
    /// Whether it is open.
    pub is_open: bool,
    /// The id of who wrote what was reported.
    pub accused: Option<String>,
    /// Whether admins of the registry alone decide about it.
    pub for_registry: bool,
}

/// Where a report belongs.
pub async fn place(tx: &mut Tx, id: &str) -> Result<Option<Place>> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Ok(None);
    }
    let text = "SELECT s.id, a.resolved_at, a.accused, a.for_registry FROM abuse_reports a \
        JOIN skills s ON s.key = a.skill WHERE a.id = $1";
    let found = sqlx::query(text).bind(id.to_owned()).fetch_optional(tx.connection()).await?;
    let place = |row: AnyRow| {
        Ok(Place {
            skill: parsed(row.try_get(0)?)?,
            is_open: row.try_get::<Option<i64>, _>(1)?.is_none(),
            accused: row.try_get(2)?,
            for_registry: row.try_get::<i64, _>(3)? != 0,
        })
    };
    found.map(place).transpose()
}

/// Resolves a report. What an admin of the registry has resolved stays theirs.
pub async fn resolve(tx: &mut Tx, id: &str, by: &str, by_registry: bool, resolution: &str) -> Result<()> {
    let at = tx.now.micros();
    sqlx::query(
        "UPDATE abuse_reports SET resolved_at = $2, resolved_by = $3, resolution = $4, \
         for_registry = CASE WHEN $5 = 1 THEN 1 ELSE for_registry END WHERE id = $1",
    )
    .bind(id.to_owned())
    .bind(at)
    .bind(by.to_owned())
    .bind(resolution.to_owned())
    .bind(i64::from(by_registry))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Opens a report again. What was done about it before stays beside it.
pub async fn reopen(tx: &mut Tx, id: &str) -> Result<()> {
    sqlx::query("UPDATE abuse_reports SET resolved_at = NULL WHERE id = $1")
        .bind(id.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}
