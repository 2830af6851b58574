//! Comments on skills.

use std::collections::HashMap;

use skillery_core::api::{Comment, CommentText};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Db, Tx, placeholders};
use crate::failure::Result;

/// Threads that are listed at once at most.
pub const MAX_THREADS: usize = 50;

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
    /// Whether an admin of the registry has hidden it.
    pub by_registry: bool,
}

const COLUMNS: &str = "c.id, c.parent, c.user_id, u.name, c.text, c.at, c.edited_at, c.deleted_at, c.hidden_at, c.hidden_reason, \
    c.hidden_by_registry";
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
        by_registry: row.try_get::<i64, _>(10)? != 0,
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

    /// Which comments of this name the viewer sees; the user is the value of this number.
    fn condition(&self, table: &str, user: usize) -> String {
        match self.is_moderator {
            true => format!("${user} = ${user}"),
            false => format!(
                "({table}.deleted_at IS NULL AND ({table}.hidden_at IS NULL OR {table}.user_id = ${user}))"
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
            hidden_by_registry: row.by_registry && knows_why,
            reply_count: 0,
            replies: Vec::new(),
        }
    }
}

/// A comment before it is read.
#[derive(Debug, Clone)]
pub struct Glimpse {
    /// Its id.
    pub id: String,
    /// What it answers.
    pub parent: Option<String>,
    /// Characters that the viewer gets of it.
    pub length: i64,
}

fn glimpse(row: &AnyRow) -> Result<Glimpse> {
    Ok(Glimpse { id: row.try_get(0)?, parent: row.try_get(1)?, length: row.try_get(2)? })
}

/// One page of the threads of a skill, the newest first, and how many there are. Where an answer is seen, what it answers stands
/// there too, seen or not.
pub async fn threads(
    db: &Db,
    key: &str,
    viewer: &Viewer,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<Glimpse>)> {
    let (own, answered) = (viewer.condition("c", 2), viewer.condition("r", 2));
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
) -> Result<(u64, Vec<Glimpse>)> {
    let wanted = format!("c.parent = $1 AND {}", viewer.condition("c", 2));
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
) -> Result<(u64, Vec<Glimpse>)> {
    let text = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM comments c WHERE {wanted}");
    let total: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(key.to_owned())
        .bind(viewer.user.clone())
        .fetch_one(db.reader())
        .await?;
    let text = format!(
        "SELECT c.id, c.parent, CAST(CASE WHEN {} THEN LENGTH(c.text) ELSE 0 END AS BIGINT) \
         FROM comments c WHERE {wanted} ORDER BY {order} LIMIT $3 OFFSET $4",
        viewer.condition("c", 2)
    );
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(key.to_owned())
        .bind(viewer.user.clone())
        .bind(limit)
        .bind(offset)
        .fetch_all(db.reader())
        .await?;
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(glimpse).collect::<Result<_>>()?))
}

/// One page of what was hidden or taken back of a skill, the newest first, and how much there is. For moderators.
pub async fn hidden(
    db: &Db,
    key: &str,
    viewer: &Viewer,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<Glimpse>)> {
    let wanted = "c.skill = $1 AND $2 = $2 AND (c.hidden_at IS NOT NULL OR c.deleted_at IS NOT NULL)";
    page(db, key, viewer, wanted, "COALESCE(c.hidden_at, c.deleted_at) DESC, c.id DESC", limit, offset).await
}

/// How many answers to a comment the viewer sees that stand before this one.
pub async fn place_of(db: &Db, viewer: &Viewer, answer: &Comment) -> Result<usize> {
    let text = format!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM comments c WHERE c.parent = $1 AND (c.at, c.id) < ($3, $4) AND {}",
        viewer.condition("c", 2)
    );
    let place: i64 = sqlx::query_scalar(AssertSqlSafe(text))
        .bind(answer.parent.clone().unwrap_or_default())
        .bind(viewer.user.clone())
        .bind(answer.created_at.micros())
        .bind(answer.id.clone())
        .fetch_one(db.reader())
        .await?;
    Ok(usize::try_from(place).unwrap_or(0))
}

/// The first answers to each of these comments, the oldest first, in one statement. It reads so many rows for each, however many
/// answers there are.
pub async fn first_replies(
    db: &Db,
    parents: &[String],
    viewer: &Viewer,
    each: i64,
) -> Result<HashMap<String, Vec<Glimpse>>> {
    let mut found: HashMap<String, Vec<Glimpse>> = HashMap::new();
    if parents.is_empty() {
        return Ok(found);
    }
    let condition = viewer.condition("c", 2);
    // Always as many, so that it is one statement that stays prepared.
    let some: Vec<String> = (3..3 + MAX_THREADS)
        .map(|place| {
            format!(
                "SELECT * FROM (SELECT c.id, c.parent, CAST(LENGTH(c.text) AS BIGINT) AS length, c.at FROM comments c \
                 WHERE c.parent = ${place} AND {condition} ORDER BY c.at, c.id LIMIT $1) AS r{place}"
            )
        })
        .collect();
    let text = format!(
        "SELECT r.id, r.parent, r.length FROM ({}) AS r ORDER BY r.parent, r.at, r.id",
        some.join(" UNION ALL ")
    );
    let mut query = sqlx::query(AssertSqlSafe(text)).bind(each).bind(viewer.user.clone());
    for place in 0..MAX_THREADS {
        query = query.bind(parents.get(place).cloned().unwrap_or_default());
    }
    for row in query.fetch_all(db.reader()).await? {
        let reply = glimpse(&row)?;
        found.entry(reply.parent.clone().unwrap_or_default()).or_default().push(reply);
    }
    Ok(found)
}

/// How many answers to each of these comments the viewer sees: at most as many as a page has threads.
pub async fn count_replies(
    executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
    parents: &[String],
    viewer: &Viewer,
) -> Result<HashMap<String, u64>> {
    if parents.is_empty() {
        return Ok(HashMap::new());
    }
    let text = format!(
        "SELECT c.parent, CAST(COUNT(*) AS BIGINT) FROM comments c WHERE c.parent IN ({}) AND {} GROUP BY c.parent",
        placeholders(2, MAX_THREADS),
        viewer.condition("c", 1)
    );
    let mut query = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(text)).bind(viewer.user.clone());
    for place in 0..MAX_THREADS {
        query = query.bind(parents.get(place).cloned().unwrap_or_default());
    }
    let counts = query.fetch_all(executor).await?.into_iter();
    Ok(counts.map(|(parent, count)| (parent, u64::try_from(count).unwrap_or(0))).collect())
}

/// Whether a comment has so many answers. Those that their authors took back count as well, as they are kept and read; who hides a
/// flood makes room.
pub async fn is_full(tx: &mut Tx, parent: &str, most: usize) -> Result<bool> {
    let text = "SELECT CAST(COUNT(*) AS BIGINT) FROM comments WHERE parent = $1 AND hidden_at IS NULL";
    let count: i64 = sqlx::query_scalar(text).bind(parent.to_owned()).fetch_one(tx.connection()).await?;
    Ok(usize::try_from(count).unwrap_or(0) >= most)
}

/// The comments with these ids.
pub async fn read(db: &Db, ids: &[String]) -> Result<HashMap<String, CommentRow>> {
    let text = format!("SELECT {COLUMNS} FROM {TABLES} WHERE c.id IN ({})", placeholders(1, MAX_THREADS));
    let mut found = HashMap::new();
    for piece in ids.chunks(MAX_THREADS) {
        let mut query = sqlx::query(AssertSqlSafe(text.clone()));
        for place in 0..MAX_THREADS {
            query = query.bind(piece.get(place).cloned().unwrap_or_default());
        }
        for one in query.fetch_all(db.reader()).await? {
            let comment = row(&one)?;
            found.insert(comment.id.clone(), comment);
        }
    }
    Ok(found)
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

/// Counts that the user says something, and gives how often that was since when, within so many seconds.
pub async fn count_said(tx: &mut Tx, user: &str, window: i64) -> Result<(i64, Time)> {
    let (now, since) = (tx.now.micros(), tx.now.plus_seconds(-window).micros());
    let row = sqlx::query(
        "INSERT INTO said (user_id, since, times) VALUES ($1, $2, 1) ON CONFLICT (user_id) DO UPDATE SET \
         times = CASE WHEN said.since > $3 THEN said.times + 1 ELSE 1 END, \
         since = CASE WHEN said.since > $3 THEN said.since ELSE $2 END RETURNING times, since",
    )
    .bind(user.to_owned())
    .bind(now)
    .bind(since)
    .fetch_one(tx.connection())
    .await?;
    Ok((row.try_get(0)?, Time::from_micros(row.try_get(1)?)))
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

/// How often a comment was edited.
pub async fn edits(tx: &mut Tx, comment: &str) -> Result<i64> {
    let text = "SELECT CAST(COUNT(*) AS BIGINT) FROM comment_texts WHERE comment = $1";
    Ok(sqlx::query_scalar(text).bind(comment.to_owned()).fetch_one(tx.connection()).await?)
}

/// What a comment said before, the oldest first.
pub async fn texts(db: &Db, comment: &str) -> Result<Vec<CommentText>> {
    let rows = sqlx::query("SELECT text, until FROM comment_texts WHERE comment = $1 ORDER BY until")
        .bind(comment.to_owned())
        .fetch_all(db.reader())
        .await?;
    let text =
        |row: &AnyRow| Ok(CommentText { text: row.try_get(0)?, until: Time::from_micros(row.try_get(1)?) });
    rows.iter().map(text).collect()
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
pub async fn set_hidden(
    tx: &mut Tx,
    id: &str,
    by: &str,
    by_registry: bool,
    reason: Option<&str>,
) -> Result<()> {
    let at = reason.map(|_| tx.now.micros());
    sqlx::query(
        "UPDATE comments SET hidden_at = $2, hidden_by = $3, hidden_reason = $4, hidden_by_registry = $5 WHERE id = $1",
    )
    .bind(id.to_owned())
    .bind(at)
    .bind(reason.map(|_| by.to_owned()))
    .bind(reason.map(str::to_owned))
    .bind(i64::from(reason.is_some() && by_registry))
    .execute(tx.connection())
    .await?;
    Ok(())
}
