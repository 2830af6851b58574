//! Comments and reports.

use skillery_core::SkillId;
use skillery_core::api::{Comment, Report, ReportKind, ReportReason};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Db, Tx, parsed};
use crate::failure::Result;

/// A comment as it stands.
#[derive(Debug, Clone)]
pub struct CommentRow {
    /// Its id.
    pub id: String,
    /// What it answers.
    pub parent: Option<String>,
    /// The id of its author.
    pub user: String,
    /// The author's name.
    pub author: String,
    /// What it says.
    pub text: String,
    /// When it was said.
    pub at: Time,
    /// When it was last edited.
    pub edited_at: Option<Time>,
    /// When it was taken back.
    pub deleted_at: Option<Time>,
    /// Whether it is hidden.
    pub is_hidden: bool,
    /// Why.
    pub hidden_reason: Option<String>,
}

const COLUMNS: &str = "c.id, c.parent, c.user_id, u.name, c.text, c.at, c.edited_at, c.deleted_at, c.hidden_at, c.hidden_reason";
const TABLES: &str = "comments c JOIN users u ON u.id = c.user_id";

fn time(row: &AnyRow, column: usize) -> Result<Option<Time>> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(Time::from_micros))
}

fn row(row: &AnyRow) -> Result<CommentRow> {
    Ok(CommentRow {
        id: row.try_get(0)?,
        parent: row.try_get(1)?,
        user: row.try_get(2)?,
        author: row.try_get(3)?,
        text: row.try_get(4)?,
        at: Time::from_micros(row.try_get(5)?),
        edited_at: time(row, 6)?,
        deleted_at: time(row, 7)?,
        is_hidden: row.try_get::<Option<i64>, _>(8)?.is_some(),
        hidden_reason: row.try_get(9)?,
    })
}

/// Who looks: what is seen of comments depends on it.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// The id of the user; empty where nobody is signed in.
    pub user: String,
    /// Whether it is a moderator of the skill.
    pub is_moderator: bool,
}

impl Viewer {
    /// Whether this viewer sees what the comment says.
    pub fn sees(&self, comment: &CommentRow) -> bool {
        self.is_moderator
            || (comment.deleted_at.is_none() && (!comment.is_hidden || self.user == comment.user))
    }

    /// Which comments of this name the viewer sees; `$2` is the user.
    fn condition(&self, table: &str) -> String {
        match self.is_moderator {
            true => "$2 = $2".to_owned(),
            false => format!(
                "({table}.deleted_at IS NULL AND ({table}.hidden_at IS NULL OR {table}.user_id = $2))"
            ),
        }
    }

    /// The comment as the viewer sees it.
    pub fn shown(&self, row: CommentRow) -> Comment {
        let sees = self.sees(&row);
        let knows_why = self.is_moderator || self.user == row.user;
        Comment {
            id: row.id,
            parent: row.parent,
            author: sees.then_some(row.author),
            text: sees.then_some(row.text),
            created_at: row.at,
            edited_at: row.edited_at,
            deleted_at: row.deleted_at,
            hidden: row.is_hidden,
            hidden_reason: row.hidden_reason.filter(|_| knows_why),
            reply_count: 0,
            replies: Vec::new(),
        }
    }
}

/// One page of the threads of a skill, the newest first, and how many there are. Where an answer is seen, what it answers stands
/// there too, seen or not.
pub async fn threads(
    db: &Db,
    key: &str,
    viewer: &Viewer,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<CommentRow>)> {
    let (own, answered) = (viewer.condition("c"), viewer.condition("r"));
    let wanted = format!(
        "c.skill = $1 AND c.parent IS NULL AND ({own} OR EXISTS (SELECT 1 FROM comments r WHERE r.parent = c.id AND {answered}))"
    );
    page(db, key, viewer, &wanted, "c.at DESC, c.id DESC", limit, offset).await
}

/// One page of the answers to a comment of a skill, the oldest first, and how many there are.
pub async fn replies(
    db: &Db,
    parent: &str,
    viewer: &Viewer,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<CommentRow>)> {
    let wanted = format!("c.parent = $1 AND {}", viewer.condition("c"));
    page(db, parent, viewer, &wanted, "c.at, c.id", limit, offset).await
}

async fn page(
    db: &Db,
    key: &str,
    viewer: &Viewer,
    wanted: &str,
    order: &str,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<CommentRow>)> {
    let text = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM comments c WHERE {wanted}");
    let total: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(key.to_owned())
        .bind(viewer.user.clone())
        .fetch_one(db.reader())
        .await?;
    let text = format!("SELECT {COLUMNS} FROM {TABLES} WHERE {wanted} ORDER BY {order} LIMIT $3 OFFSET $4");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(key.to_owned())
        .bind(viewer.user.clone())
        .bind(limit)
        .bind(offset)
        .fetch_all(db.reader())
        .await?;
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(row).collect::<Result<_>>()?))
}

/// The comment of this skill with this id.
pub async fn find(
    executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
    key: &str,
    id: &str,
) -> Result<Option<CommentRow>> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Ok(None);
    }
    let text = format!("SELECT {COLUMNS} FROM {TABLES} WHERE c.id = $1 AND c.skill = $2");
    let found = sqlx::query(AssertSqlSafe(text))
        .bind(id.to_owned())
        .bind(key.to_owned())
        .fetch_optional(executor)
        .await?;
    found.as_ref().map(row).transpose()
}

/// How many comments and reports of the user are newer than that.
pub async fn said_since(tx: &mut Tx, user: &str, since: Time) -> Result<i64> {
    let text = "SELECT CAST((SELECT COUNT(*) FROM comments WHERE user_id = $1 AND at > $2) \
        + (SELECT COUNT(*) FROM abuse_reports WHERE user_id = $1 AND at > $2) AS BIGINT)";
    let said = sqlx::query_scalar(text).bind(user.to_owned()).bind(since.micros());
    Ok(said.fetch_one(tx.connection()).await?)
}

/// Adds a comment.
pub async fn insert(
    tx: &mut Tx,
    id: &str,
    key: &str,
    parent: Option<&str>,
    user: &str,
    text: &str,
) -> Result<()> {
    let at = tx.now.micros();
    sqlx::query(
        "INSERT INTO comments (id, skill, parent, user_id, text, at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(id.to_owned())
    .bind(key.to_owned())
    .bind(parent.map(str::to_owned))
    .bind(user.to_owned())
    .bind(text.to_owned())
    .bind(at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Lets a comment say something else, and keeps what it said.
pub async fn edit(tx: &mut Tx, comment: &CommentRow, text: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query("INSERT INTO comment_texts (comment, until, text) VALUES ($1, $2, $3)")
        .bind(comment.id.clone())
        .bind(now)
        .bind(comment.text.clone())
        .execute(tx.connection())
        .await?;
    sqlx::query("UPDATE comments SET text = $2, edited_at = $3 WHERE id = $1")
        .bind(comment.id.clone())
        .bind(text.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Takes a comment back.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query("UPDATE comments SET deleted_at = $2 WHERE id = $1")
        .bind(id.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Hides a comment for this reason, or shows it again.
pub async fn set_hidden(tx: &mut Tx, id: &str, by: &str, reason: Option<&str>) -> Result<()> {
    let at = reason.map(|_| tx.now.micros());
    sqlx::query("UPDATE comments SET hidden_at = $2, hidden_by = $3, hidden_reason = $4 WHERE id = $1")
        .bind(id.to_owned())
        .bind(at)
        .bind(reason.map(|_| by.to_owned()))
        .bind(reason.map(str::to_owned))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What is reported.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// Its id.
    pub id: String,
    /// The skill.
    pub skill: SkillId,
    /// What.
    pub kind: ReportKind,
    /// The id of the comment, or of the user whose review it is; else empty.
    pub target: String,
    /// Why.
    pub reason: ReportReason,
    /// What there is to say about it.
    pub text: String,
}

/// Adds a report. False where the user has reported the same before.
pub async fn report(tx: &mut Tx, user: &str, new: &NewReport) -> Result<bool> {
    let at = tx.now.micros();
    let done = sqlx::query(
        "INSERT INTO abuse_reports (id, skill, namespace, kind, target, user_id, reason, text, at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (skill, kind, target, user_id) DO NOTHING",
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
    .execute(tx.connection())
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Reports of these namespaces and what lies below them, the oldest first; none: of all. Those that are open, or resolved.
pub async fn reports(
    db: &Db,
    within: Option<&[String]>,
    is_open: bool,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<Report>)> {
    let mut wanted = format!("a.resolved_at IS {}", if is_open { "NULL" } else { "NOT NULL" });
    let mut values = Vec::new();
    if let Some(within) = within {
        let mut any = vec!["1 = 0".to_owned()];
        for namespace in within {
            let place = values.len() + 1;
            values.extend([namespace.clone(), format!("{namespace}/")]);
            any.push(format!(
                "a.namespace = ${place} OR substr(a.namespace, 1, {}) = ${}",
                namespace.chars().count() + 1,
                place + 1
            ));
        }
        wanted += &format!(" AND ({})", any.join(" OR "));
    }
    let text = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM abuse_reports a WHERE {wanted}");
    let mut query = sqlx::query_scalar(AssertSqlSafe(text));
    for value in &values {
        query = query.bind(value.clone());
    }
    let total: i64 = query.fetch_one(db.reader()).await?;
    let text = format!(
        "SELECT a.id, a.kind, s.id, a.target, o.name, u.name, a.reason, a.text, a.at, a.resolved_at, m.name, a.resolution \
         FROM abuse_reports a JOIN skills s ON s.key = a.skill JOIN users u ON u.id = a.user_id \
         LEFT JOIN users o ON o.id = a.target LEFT JOIN users m ON m.id = a.resolved_by \
         WHERE {wanted} ORDER BY a.at, a.id LIMIT ${} OFFSET ${}",
        values.len() + 1,
        values.len() + 2
    );
    let mut query = sqlx::query(AssertSqlSafe(text));
    for value in values {
        query = query.bind(value);
    }
    let rows = query.bind(limit).bind(offset).fetch_all(db.reader()).await?;
    let reports = rows
        .iter()
        .map(|row| {
            let kind: ReportKind = parsed(row.try_get(1)?)?;
            let target: String = row.try_get(3)?;
            Ok(Report {
                id: row.try_get(0)?,
                kind,
                skill: row.try_get(2)?,
                comment: Some(target).filter(|_| kind == ReportKind::Comment),
                review: row.try_get::<Option<String>, _>(4)?.filter(|_| kind == ReportKind::Review),
                reporter: row.try_get(5)?,
                reason: parsed(row.try_get(6)?)?,
                text: row.try_get(7)?,
                created_at: Time::from_micros(row.try_get(8)?),
                resolved_at: time(row, 9)?,
                resolved_by: row.try_get(10)?,
                resolution: row.try_get(11)?,
            })
        })
        .collect::<Result<_>>()?;
    Ok((u64::try_from(total).unwrap_or(0), reports))
}

/// The namespace of a report, and whether it is open.
pub async fn report_place(tx: &mut Tx, id: &str) -> Result<Option<(String, bool)>> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Ok(None);
    }
    let text = "SELECT namespace, resolved_at FROM abuse_reports WHERE id = $1";
    let found = sqlx::query(text).bind(id.to_owned()).fetch_optional(tx.connection()).await?;
    found.map(|row| Ok((row.try_get(0)?, row.try_get::<Option<i64>, _>(1)?.is_none()))).transpose()
}

/// Resolves a report.
pub async fn resolve(tx: &mut Tx, id: &str, by: &str, resolution: &str) -> Result<()> {
    let at = tx.now.micros();
    sqlx::query("UPDATE abuse_reports SET resolved_at = $2, resolved_by = $3, resolution = $4 WHERE id = $1")
        .bind(id.to_owned())
        .bind(at)
        .bind(by.to_owned())
        .bind(resolution.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}
