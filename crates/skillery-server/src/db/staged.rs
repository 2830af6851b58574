//! Files that were uploaded, or may be, for versions that are not published yet.

use skillery_core::Digest;
use skillery_core::time::Time;
use sqlx::AssertSqlSafe;

use super::{BindAll, Db, Tx, parsed, pieces, placeholders};
use crate::failure::Result;

/// A file that its user may upload, or has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedFile {
    /// What the user holds.
    pub id: String,
    /// The only user who may use it.
    pub user: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// Its bytes.
    pub size: i64,
    /// When it is forgotten.
    pub expires_at: Time,
    /// Whether its bytes came.
    pub is_stored: bool,
}

const COLUMNS: &str =
    "id, user_id, digest, size, expires_at, CAST(CASE WHEN stored_at IS NULL THEN 0 ELSE 1 END AS BIGINT)";

type Columns = (String, String, String, i64, i64, i64);

fn staged((id, user, digest, size, expires_at, is_stored): Columns) -> Result<StagedFile> {
    Ok(StagedFile {
        id,
        user,
        digest: parsed(&digest)?,
        size,
        expires_at: Time::from_micros(expires_at),
        is_stored: is_stored != 0,
    })
}

/// Forgets what is too old, and tells how many files and bytes this user has left.
pub async fn held(tx: &mut Tx, user: &str) -> Result<(i64, i64)> {
    let now = tx.now.micros();
    sqlx::query("DELETE FROM staged_files WHERE expires_at <= $1").bind(now).execute(tx.connection()).await?;
    Ok(sqlx::query_as::<_, (i64, i64)>(
        "SELECT CAST(COUNT(*) AS BIGINT), CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM staged_files WHERE user_id = $1",
    )
    .bind(user.to_owned())
    .fetch_one(tx.connection())
    .await?)
}

/// Adds one.
pub async fn insert(tx: &mut Tx, file: &StagedFile) -> Result<()> {
    sqlx::query(
        "INSERT INTO staged_files (id, user_id, digest, size, expires_at) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(file.id.clone())
    .bind(file.user.clone())
    .bind(file.digest.to_string())
    .bind(file.size)
    .bind(file.expires_at.micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Notes that the bytes came. False when it is not there any more.
pub async fn stored(tx: &mut Tx, id: &str) -> Result<bool> {
    let now = tx.now.micros();
    let changed = sqlx::query("UPDATE staged_files SET stored_at = $2 WHERE id = $1")
        .bind(id.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(changed.rows_affected() > 0)
}

/// Those of these that there are, and that belong to this user and are not too old at that time.
pub async fn of_user(db: &Db, user: &str, ids: &[String], now: Time) -> Result<Vec<StagedFile>> {
    // What is no id is nobody's; not every database takes it either.
    let is_id = |id: &&String| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let ids: Vec<&String> = ids.iter().filter(is_id).collect();
    let mut found = Vec::with_capacity(ids.len());
    for piece in pieces(&ids) {
        let text = format!(
            "SELECT {COLUMNS} FROM staged_files WHERE user_id = $1 AND expires_at > $2 AND id IN ({})",
            placeholders(3, piece.len())
        );
        let query = sqlx::query_as::<_, Columns>(AssertSqlSafe(text))
            .bind(user.to_owned())
            .bind(now.micros())
            .bind_all(piece.iter().map(ToString::to_string));
        for row in query.fetch_all(db.reader()).await? {
            found.push(staged(row)?);
        }
    }
    Ok(found)
}

/// Forgets these.
pub async fn remove(tx: &mut Tx, ids: &[String]) -> Result<()> {
    for piece in pieces(ids) {
        let text = format!("DELETE FROM staged_files WHERE id IN ({})", placeholders(1, piece.len()));
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        query.execute(tx.connection()).await?;
    }
    Ok(())
}
