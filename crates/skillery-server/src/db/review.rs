//! What is said about versions while they are reviewed, and what their publishers say has changed.

use std::collections::{BTreeMap, HashMap};

use skillery_core::api::{DiffSide, EarlierText, ReviewComment, ReviewThread};
use skillery_core::time::Time;
use skillery_core::{Version, VersionStatus};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, parsed, pieces, placeholders};
use crate::failure::{Failure, Result};

/// A version that is handed out, or was until it was yanked.
#[derive(Debug, Clone, PartialEq)]
pub struct HandedOut {
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// Whether reviewers approved it.
    pub is_approved: bool,
    /// Whether it was handed out by force alone.
    pub is_only_forced: bool,
}

type HandedOutRow = (String, String, Option<i64>, Option<String>, Option<i64>);

/// Versions of a skill that are handed out, or were yanked, and were published before the entry of this number, if one is said; the last
/// first.
pub async fn handed_out_before(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    position: Option<i64>,
) -> Result<Vec<HandedOut>> {
    let rows: Vec<HandedOutRow> = sqlx::query_as(
        "SELECT v.version, v.status, g.reviewed_at, g.forced_by, g.only_forced FROM versions v \
         LEFT JOIN gates g ON g.skill = v.skill AND g.version = v.version \
         WHERE v.skill = $1 AND v.log_position < $2 AND v.status IN ('published', 'yanked') ORDER BY v.log_position DESC",
    )
    .bind(skill.to_owned())
    .bind(position.unwrap_or(i64::MAX))
    .fetch_all(executor)
    .await?;
    let row = |(version, status, reviewed_at, forced_by, only_forced): &HandedOutRow| {
        let is_only_forced = only_forced.is_some_and(|only_forced| only_forced != 0);
        Ok(HandedOut {
            version: parsed(version)?,
            status: parsed(status)?,
            // By force, it is said to be looked at as well.
            is_approved: reviewed_at.is_some() && forced_by.is_none() && !is_only_forced,
            is_only_forced,
        })
    };
    rows.iter().map(row).collect()
}

/// Versions that were published after the entry of this number and wait, or are handed out, each with its publisher.
pub async fn published_after(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    position: i64,
) -> Result<Vec<(Version, VersionStatus, String)>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT version, status, publisher FROM versions WHERE skill = $1 AND log_position > $2 \
         AND status IN ('published', 'pending')",
    )
    .bind(skill.to_owned())
    .bind(position)
    .fetch_all(executor)
    .await?;
    rows.into_iter().map(|(version, status, user)| Ok((parsed(&version)?, parsed(&status)?, user))).collect()
}

/// A comment as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct CommentRow {
    /// Its id.
    pub id: String,
    /// The id of the first comment of its thread.
    pub thread: String,
    /// The id of the user.
    pub user: String,
    /// What it says.
    pub text: String,
    /// Whether it was taken away.
    pub is_hidden: bool,
    /// Whether its thread, which it begins, is resolved.
    pub is_resolved: bool,
}

/// A comment on this version.
pub async fn comment(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
    id: &str,
) -> Result<Option<CommentRow>> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Ok(None);
    }
    let row = sqlx::query(
        "SELECT id, thread, user_id, text, hidden_at, resolved_at FROM review_comments \
         WHERE id = $1 AND skill = $2 AND version = $3",
    )
    .bind(id.to_owned())
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_optional(executor)
    .await?;
    let comment = |row: AnyRow| {
        Ok(CommentRow {
            id: row.try_get(0)?,
            thread: row.try_get(1)?,
            user: row.try_get(2)?,
            text: row.try_get(3)?,
            is_hidden: row.try_get::<Option<i64>, _>(4)?.is_some(),
            is_resolved: row.try_get::<Option<i64>, _>(5)?.is_some(),
        })
    };
    row.map(comment).transpose()
}

/// How many comments a version has, whatever became of them.
pub async fn count(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<i64> {
    Ok(sqlx::query_scalar(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM review_comments WHERE skill = $1 AND version = $2",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_one(executor)
    .await?)
}

/// A new comment.
#[derive(Debug, Clone)]
pub struct NewComment {
    /// Its id.
    pub id: String,
    /// The thread that it is in: its own id where it begins one.
    pub thread: String,
    /// The id of the user.
    pub user: String,
    /// What it says.
    pub text: String,
    /// The file that it is about.
    pub path: Option<String>,
    /// The line of the file.
    pub line: Option<u32>,
    /// The older version whose file it is.
    pub against: Option<Version>,
    /// How many comments the version had before it.
    pub number: i64,
}

/// Keeps a new comment.
pub async fn add(tx: &mut Tx, skill: &str, version: &Version, new: NewComment) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query(
        "INSERT INTO review_comments (id, skill, version, thread, user_id, text, created_at, path, line, against, number) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(new.id)
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(new.thread)
    .bind(new.user)
    .bind(new.text)
    .bind(now)
    .bind(new.path)
    .bind(new.line.map(i64::from))
    .bind(new.against.map(|version| version.to_string()))
    .bind(new.number)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// How often a comment was changed.
pub async fn edits(executor: impl Executor<'_, Database = Any>, comment: &str) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM review_edits WHERE comment = $1")
        .bind(comment.to_owned())
        .fetch_one(executor)
        .await?)
}

/// Changes what a comment says. `number` is how often it was changed before.
pub async fn edit(tx: &mut Tx, comment: &CommentRow, number: i64, text: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query("INSERT INTO review_edits (comment, number, text, until) VALUES ($1, $2, $3, $4)")
        .bind(comment.id.clone())
        .bind(number)
        .bind(comment.text.clone())
        .bind(now)
        .execute(tx.connection())
        .await?;
    sqlx::query("UPDATE review_comments SET text = $2 WHERE id = $1")
        .bind(comment.id.clone())
        .bind(text.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Takes a comment away.
pub async fn hide(tx: &mut Tx, comment: &str, user: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query(
        "UPDATE review_comments SET hidden_at = $2, hidden_by = $3 WHERE id = $1 AND hidden_at IS NULL",
    )
    .bind(comment.to_owned())
    .bind(now)
    .bind(user.to_owned())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Resolves a thread, by a user, or opens it again.
pub async fn resolve(tx: &mut Tx, thread: &str, user: Option<&str>) -> Result<()> {
    let now = user.map(|_| tx.now.micros());
    sqlx::query("UPDATE review_comments SET resolved_at = $2, resolved_by = $3 WHERE id = $1")
        .bind(thread.to_owned())
        .bind(now)
        .bind(user.map(str::to_owned))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// First comments of threads in which something is left to read; as [`super::has_row`] says it.
const THREADS: &str = "FROM review_comments c WHERE c.skill = $1 AND c.version = $2 AND c.thread = c.id AND \
    (SELECT 1 FROM review_comments r WHERE r.skill = c.skill AND r.version = c.version AND r.thread = c.id \
     AND r.hidden_at IS NULL LIMIT 1) IS NOT NULL";

/// How many threads a version has, and how many of them are not resolved.
pub async fn threads(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<(u64, u64)> {
    let (total, resolved): (i64, i64) = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT CAST(COUNT(*) AS BIGINT), CAST(COUNT(c.resolved_at) AS BIGINT) {THREADS}"
    )))
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_one(executor)
    .await?;
    let number = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok((number(total), number(total - resolved)))
}

/// Where a thread stands, without what is said in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadPlace {
    /// Its id.
    pub id: String,
    /// The name of who began it.
    pub author: String,
    /// The file that it is about.
    pub path: Option<String>,
    /// The line of the file.
    pub line: Option<u32>,
    /// The older version whose file it is.
    pub against: Option<Version>,
    /// Whether it is resolved.
    pub is_resolved: bool,
    /// Comments in it that were not taken away.
    pub comments: u64,
}

/// Where the threads of a version stand, the oldest first.
pub async fn places(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Vec<ThreadPlace>> {
    let text = format!(
        "SELECT c.id, (SELECT u.name FROM users u WHERE u.id = c.user_id), c.path, c.line, c.against, c.resolved_at, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM review_comments n WHERE n.thread = c.id AND n.hidden_at IS NULL) \
         {THREADS} ORDER BY c.number"
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(skill.to_owned())
        .bind(version.to_string())
        .fetch_all(executor)
        .await?;
    let place = |row: &AnyRow| {
        Ok(ThreadPlace {
            id: row.try_get(0)?,
            author: row.try_get(1)?,
            path: row.try_get(2)?,
            line: row.try_get::<Option<i64>, _>(3)?.and_then(|line| u32::try_from(line).ok()),
            against: row.try_get::<Option<String>, _>(4)?.as_deref().map(parsed).transpose()?,
            is_resolved: row.try_get::<Option<i64>, _>(5)?.is_some(),
            comments: u64::try_from(row.try_get::<i64, _>(6)?).unwrap_or(0),
        })
    };
    rows.iter().map(place).collect()
}

/// One page of the threads of a version, the oldest first.
pub async fn page(
    db: &Db,
    skill: &str,
    version: &Version,
    limit: i64,
    offset: i64,
) -> Result<Vec<ReviewThread>> {
    let ids: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "SELECT c.id {THREADS} ORDER BY c.number LIMIT $3 OFFSET $4"
    )))
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(limit)
    .bind(offset)
    .fetch_all(db.reader())
    .await?;
    these(db, &ids).await
}

/// These threads, in this order.
pub async fn these(db: &Db, ids: &[String]) -> Result<Vec<ReviewThread>> {
    let mut earlier: BTreeMap<String, Vec<EarlierText>> = BTreeMap::new();
    let mut threads: BTreeMap<String, ReviewThread> = BTreeMap::new();
    for piece in pieces(ids) {
        let wanted = placeholders(1, piece.len());
        let text = format!(
            "SELECT e.comment, e.text, e.until FROM review_edits e JOIN review_comments c ON c.id = e.comment \
             WHERE c.thread IN ({wanted}) ORDER BY e.comment, e.number"
        );
        let query =
            sqlx::query_as::<_, (String, String, i64)>(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for (comment, text, until) in query.fetch_all(db.reader()).await? {
            let until = Time::from_micros(until);
            earlier.entry(comment).or_default().push(EarlierText { until, text });
        }
        let text = format!(
            "SELECT c.id, c.thread, u.name, c.text, c.created_at, c.hidden_at, c.path, c.line, c.against, c.resolved_at, \
             r.name FROM review_comments c JOIN users u ON u.id = c.user_id \
             LEFT JOIN users r ON r.id = c.resolved_by WHERE c.thread IN ({wanted}) ORDER BY c.number"
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in query.fetch_all(db.reader()).await? {
            let thread: String = row.try_get(1)?;
            let comment = comment_of(&row, &mut earlier)?;
            if comment.id == thread {
                threads.insert(thread.clone(), thread_of(&row, thread.clone())?);
            }
            if let Some(thread) = threads.get_mut(&thread) {
                thread.comments.push(comment);
            }
        }
    }
    Ok(ids.iter().filter_map(|id| threads.remove(id)).collect())
}

fn comment_of(row: &AnyRow, earlier: &mut BTreeMap<String, Vec<EarlierText>>) -> Result<ReviewComment> {
    let id: String = row.try_get(0)?;
    let hidden_at = row.try_get::<Option<i64>, _>(5)?.map(Time::from_micros);
    let is_shown = hidden_at.is_none();
    Ok(ReviewComment {
        author: row.try_get(2)?,
        text: Some(row.try_get(3)?).filter(|_| is_shown),
        created_at: Time::from_micros(row.try_get(4)?),
        earlier: earlier.remove(&id).filter(|_| is_shown).unwrap_or_default(),
        hidden_at,
        id,
    })
}

fn thread_of(row: &AnyRow, id: String) -> Result<ReviewThread> {
    let path: Option<String> = row.try_get(6)?;
    let against: Option<Version> = row.try_get::<Option<String>, _>(8)?.as_deref().map(parsed).transpose()?;
    let side = path.as_ref().map(|_| if against.is_some() { DiffSide::Old } else { DiffSide::New });
    let line = row.try_get::<Option<i64>, _>(7)?.map(u32::try_from).transpose().map_err(Failure::internal)?;
    Ok(ReviewThread {
        id,
        path,
        line,
        side,
        against,
        resolved_at: row.try_get::<Option<i64>, _>(9)?.map(Time::from_micros),
        resolved_by: row.try_get(10)?,
        comments: Vec::new(),
    })
}

/// What changed with a version, as its publisher says.
pub async fn changelog(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar("SELECT text FROM changelogs WHERE skill = $1 AND version = $2")
        .bind(skill.to_owned())
        .bind(version.to_string())
        .fetch_optional(executor)
        .await?)
}

/// What changed with the latest versions of the skills with these keys, as their publishers say, by the key and the version.
pub async fn latest_changelogs(db: &Db, keys: &[String]) -> Result<HashMap<(String, String), String>> {
    let mut found = HashMap::new();
    for piece in pieces(keys) {
        let text = format!(
            "SELECT n.skill, n.version, n.text FROM skills s \
             JOIN changelogs n ON n.skill = s.key AND n.version = s.latest WHERE s.key IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query_as::<_, (String, String, String)>(AssertSqlSafe(text));
        let rows = query.bind_all(piece.iter().cloned()).fetch_all(db.reader()).await?;
        found.extend(rows.into_iter().map(|(skill, version, text)| ((skill, version), text)));
    }
    Ok(found)
}

/// Keeps what changed with a version, in place of what was said before.
pub async fn set_changelog(
    tx: &mut Tx,
    skill: &str,
    version: &Version,
    user: &str,
    text: &str,
) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query(
        "INSERT INTO changelogs (skill, version, text, user_id, at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (skill, version) DO UPDATE SET text = $3, user_id = $4, at = $5",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(text.to_owned())
    .bind(user.to_owned())
    .bind(now)
    .execute(tx.connection())
    .await?;
    Ok(())
}
