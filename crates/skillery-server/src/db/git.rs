//! What git repositories are made from: versions without what git does not show, the ids of their files, and what the
//! repository of a namespace has been.

use std::collections::HashMap;

use skillery_core::time::Time;
use skillery_core::{Digest, SkillId, Version, VersionStatus, Visibility};
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{BindAll, Db, Tx, parsed, pieces, placeholders, tuples, versions};
use crate::failure::Result;

/// A version as a repository has it.
#[derive(Debug, Clone)]
pub struct RepositoryVersion {
    /// The skill's id as it was first spelled.
    pub id: SkillId,
    /// Who sees the skill.
    pub visibility: Visibility,
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// What the skill is for.
    pub description: String,
    /// When it was published.
    pub created_at: Time,
    /// Why it was yanked.
    pub reason: Option<String>,
    /// The number of the log entry that published it.
    pub position: i64,
    /// The id of the folder in git: empty where git does not accept the files, none where it is not known yet.
    pub tree: Option<String>,
}

const COLUMNS: &str = "s.id, s.visibility, v.version, v.status, v.digest, v.description, v.created_at, v.reason, \
    v.log_position, g.tree";

fn version(row: &AnyRow) -> Result<RepositoryVersion> {
    Ok(RepositoryVersion {
        id: parsed(row.try_get(0)?)?,
        visibility: parsed(row.try_get(1)?)?,
        version: parsed(row.try_get(2)?)?,
        status: parsed(row.try_get(3)?)?,
        digest: parsed(row.try_get(4)?)?,
        description: row.try_get(5)?,
        created_at: Time::from_micros(row.try_get(6)?),
        reason: row.try_get(7)?,
        position: row.try_get(8)?,
        tree: row.try_get(9)?,
    })
}

/// The skills of the namespace with this key that have a latest version and one of these visibilities, with that version,
/// by key: those above `after`.
pub async fn latest_in(
    db: &Db,
    namespace: &str,
    visibilities: &[Visibility],
    after: &str,
    limit: i64,
) -> Result<Vec<RepositoryVersion>> {
    let join = "LEFT JOIN git_trees g ON g.digest = v.digest";
    let rows = versions::latest_rows(db, COLUMNS, join, (namespace, visibilities), after, limit).await?;
    rows.iter().map(version).collect()
}

/// The versions of the skill with this key that are handed out, in no order: those that were yanked are among them.
pub async fn of_skill(db: &Db, key: &str) -> Result<Vec<RepositoryVersion>> {
    let text = format!(
        "SELECT {COLUMNS} FROM skills s JOIN versions v ON v.skill = s.key \
         LEFT JOIN git_trees g ON g.digest = v.digest \
         WHERE s.key = $1 AND v.status IN ('published', 'yanked')"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(key.to_owned()).fetch_all(db.reader()).await?;
    rows.iter().map(version).collect()
}

/// The versions that were published by these entries of the log, in no order, as they stand now.
pub async fn published_by(db: &Db, positions: &[i64]) -> Result<Vec<RepositoryVersion>> {
    let mut found = Vec::with_capacity(positions.len());
    for piece in pieces(positions) {
        let text = format!(
            "SELECT {COLUMNS} FROM log l JOIN versions v ON v.skill = l.skill AND v.log_position = l.idx \
             JOIN skills s ON s.key = v.skill LEFT JOIN git_trees g ON g.digest = v.digest WHERE l.idx IN ({})",
            placeholders(1, piece.len()),
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().copied());
        for row in &query.fetch_all(db.reader()).await? {
            found.push(version(row)?);
        }
    }
    Ok(found)
}

/// What the files of a bundle are called in git.
#[derive(Debug, Clone)]
pub struct TreeRow {
    /// The bundle.
    pub digest: Digest,
    /// The id of its folder; empty where git does not accept its files.
    pub tree: String,
    /// The ids of everything in it, the folder too, one behind the other.
    pub objects: String,
}

/// The ids of everything in these bundles, as far as they are known.
pub async fn objects(db: &Db, digests: &[Digest]) -> Result<HashMap<Digest, String>> {
    let mut found = HashMap::with_capacity(digests.len());
    for piece in pieces(digests) {
        let text = format!(
            "SELECT digest, objects FROM git_trees WHERE digest IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().map(ToString::to_string));
        for row in &query.fetch_all(db.reader()).await? {
            found.insert(parsed(row.try_get(0)?)?, row.try_get(1)?);
        }
    }
    Ok(found)
}

/// Keeps what was made from bundles. Another server may have made the same.
pub async fn keep_trees(tx: &mut Tx, trees: &[TreeRow]) -> Result<()> {
    for piece in pieces(trees) {
        let text = format!(
            "INSERT INTO git_trees (digest, tree, objects) VALUES {} ON CONFLICT (digest) DO NOTHING",
            tuples(1, piece.len(), 3, ""),
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for row in piece {
            query = query.bind(row.digest.to_string()).bind(row.tree.clone()).bind(row.objects.clone());
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

/// What the repository of a namespace has been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRow {
    /// The key of the namespace.
    pub namespace: String,
    /// The id of its commit.
    pub commit: String,
    /// Who could see all that is in it.
    pub audience: String,
    /// The commit of the snapshot that `positions` differ from; empty where they are all.
    pub base: String,
    /// The entries of the log that published its versions.
    pub positions: String,
}

const SNAPSHOT: &str = "namespace, commit_id, audience, base, positions";

fn snapshot_row(row: &AnyRow) -> Result<SnapshotRow> {
    Ok(SnapshotRow {
        namespace: row.try_get(0)?,
        commit: row.try_get(1)?,
        audience: row.try_get(2)?,
        base: row.try_get(3)?,
        positions: row.try_get(4)?,
    })
}

/// The snapshot of the namespace with this commit.
pub async fn snapshot(db: &Db, namespace: &str, commit: &str) -> Result<Option<SnapshotRow>> {
    let text = format!("SELECT {SNAPSHOT} FROM git_snapshots WHERE namespace = $1 AND commit_id = $2");
    let row = sqlx::query(AssertSqlSafe(text))
        .bind(namespace.to_owned())
        .bind(commit.to_owned())
        .fetch_optional(db.reader())
        .await?;
    row.as_ref().map(snapshot_row).transpose()
}

/// Those of these commits that are snapshots of the namespace, the newest first.
pub async fn known_snapshots(db: &Db, namespace: &str, commits: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for piece in pieces(commits) {
        let text = format!(
            "SELECT commit_id, made_at FROM git_snapshots WHERE namespace = $1 AND commit_id IN ({})",
            placeholders(2, piece.len()),
        );
        let query =
            sqlx::query(AssertSqlSafe(text)).bind(namespace.to_owned()).bind_all(piece.iter().cloned());
        for row in &query.fetch_all(db.reader()).await? {
            found.push((row.try_get::<i64, _>(1)?, row.try_get::<String, _>(0)?));
        }
    }
    found.sort_by(|left, right| right.cmp(left));
    Ok(found.into_iter().map(|(_, commit)| commit).collect())
}

/// The newest snapshot for this audience that says all that is in it.
pub async fn newest_base(db: &Db, namespace: &str, audience: &str) -> Result<Option<SnapshotRow>> {
    let text = format!(
        "SELECT {SNAPSHOT} FROM git_snapshots WHERE namespace = $1 AND audience = $2 AND base = '' \
         ORDER BY made_at DESC LIMIT 1"
    );
    let row = sqlx::query(AssertSqlSafe(text))
        .bind(namespace.to_owned())
        .bind(audience.to_owned())
        .fetch_optional(db.reader())
        .await?;
    row.as_ref().map(snapshot_row).transpose()
}

/// Keeps a snapshot. Another server may have made the same.
pub async fn keep_snapshot(tx: &mut Tx, row: &SnapshotRow) -> Result<()> {
    let now = tx.now.micros();
    let text = format!(
        "INSERT INTO git_snapshots ({SNAPSHOT}, made_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (namespace, commit_id) DO NOTHING"
    );
    sqlx::query(AssertSqlSafe(text))
        .bind(row.namespace.clone())
        .bind(row.commit.clone())
        .bind(row.audience.clone())
        .bind(row.base.clone())
        .bind(row.positions.clone())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}
