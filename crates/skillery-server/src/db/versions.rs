//! Versions of skills. What was published of one never changes; only its status does.

use std::collections::BTreeMap;

use skillery_core::api::{FileSummary, VersionSummary};
use skillery_core::approval::Notice;
use skillery_core::lint::Level;
use skillery_core::time::Time;
use skillery_core::{Digest, SkillKind, Version, VersionRequest, VersionStatus, Visibility};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::skills::SkillRow;
use super::{BindAll, Db, Tx, from_json, parsed, pieces, placeholders, skills};
use crate::failure::Result;

/// A version as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionRow {
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// SHA-256 of the bundle: where its bytes are.
    pub digest: Digest,
    /// Bytes of the bundle.
    pub size: i64,
    /// What it is.
    pub kind: SkillKind,
    /// SHA-256 of the code; of a folder, of its bundle.
    pub code_hash: Digest,
    /// The publisher's HMAC.
    pub signature: Option<String>,
    /// What the skill is for.
    pub description: String,
    /// Topics.
    pub tags: Vec<String>,
    /// The author.
    pub author: String,
    /// Licence.
    pub license: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
    /// The skills that it needs, each with the version or range that will do; nothing where that was not looked for.
    pub dependencies: Option<BTreeMap<String, String>>,
    /// The files of the bundle.
    pub files: Vec<FileSummary>,
    /// Words of the content, for the search index.
    pub words: String,
    /// The publisher's user id.
    pub publisher: String,
    /// When it was published.
    pub created_at: Time,
    /// Why it was yanked or quarantined.
    pub reason: Option<String>,
    /// The number of the log entry that published it.
    pub log_position: i64,
    /// What is to be said of it while it is handed out.
    pub notice: Option<Notice>,
    /// What it asks for; nothing where nobody has looked. It is not read with the rest.
    pub permissions: Option<Vec<String>>,
    /// The worst that a strict look finds in it. It is not read with the rest.
    pub findings: Option<Level>,
}

const COLUMNS: &str = "version, status, digest, size, code_hash, signature, description, tags, author, license, \
    homepage, repository, files, words, publisher, created_at, reason, log_position, kind, dependencies, notice";

fn told(dependencies: Option<String>) -> Result<Option<BTreeMap<String, String>>> {
    dependencies.as_deref().map(from_json).transpose()
}

fn version_row(row: &AnyRow) -> Result<VersionRow> {
    Ok(VersionRow {
        version: parsed(row.try_get(0)?)?,
        status: parsed(row.try_get(1)?)?,
        digest: parsed(row.try_get(2)?)?,
        size: row.try_get(3)?,
        code_hash: parsed(row.try_get(4)?)?,
        signature: row.try_get(5)?,
        description: row.try_get(6)?,
        tags: from_json(row.try_get(7)?)?,
        author: row.try_get(8)?,
        license: row.try_get(9)?,
        homepage: row.try_get(10)?,
        repository: row.try_get(11)?,
        files: from_json(row.try_get(12)?)?,
        words: row.try_get(13)?,
        publisher: row.try_get(14)?,
        created_at: Time::from_micros(row.try_get(15)?),
        reason: row.try_get(16)?,
        log_position: row.try_get(17)?,
        kind: parsed(row.try_get(18)?)?,
        dependencies: told(row.try_get(19)?)?,
        notice: row.try_get::<Option<String>, _>(20)?.as_deref().map(parsed).transpose()?,
        permissions: None,
        findings: None,
    })
}

/// This version of the skill with this key.
pub async fn find(
    executor: impl Executor<'_, Database = Any>,
    key: &str,
    version: &Version,
) -> Result<Option<VersionRow>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM versions WHERE skill = $1 AND version = $2"
    )))
    .bind(key.to_owned())
    .bind(version.to_string())
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(version_row).transpose()
}

/// A version that is published, as far as a list of versions needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// Bytes of the bundle.
    pub size: i64,
    /// When it was published.
    pub created_at: Time,
}

/// The versions of a skill that are published, the newest first. Those that were yanked are not among them.
pub async fn released(db: &Db, key: &str) -> Result<Vec<Release>> {
    let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
        "SELECT version, digest, size, created_at FROM versions WHERE skill = $1 AND status = 'published' \
         ORDER BY log_position DESC",
    )
    .bind(key.to_owned())
    .fetch_all(db.reader())
    .await?;
    let release = |(version, digest, size, created_at): &(String, String, i64, i64)| {
        let created_at = Time::from_micros(*created_at);
        Ok(Release { version: parsed(version)?, digest: parsed(digest)?, size: *size, created_at })
    };
    rows.iter().map(release).collect()
}

/// The skills of the namespace with this key that have a latest version and one of these visibilities, with that version
/// but for the words of its content, by key: those above `after`.
pub async fn latest_in(
    db: &Db,
    namespace: &str,
    visibilities: &[Visibility],
    after: &str,
    limit: i64,
) -> Result<Vec<(SkillRow, VersionRow)>> {
    let column = |column: &str| match column {
        "words" => "CAST('' AS TEXT)".to_owned(),
        column => format!("v.{column}"),
    };
    let columns = COLUMNS.split(", ").map(column).collect::<Vec<_>>().join(", ");
    let columns = format!("{columns}, s.id, s.number, s.visibility, s.latest, s.created_at");
    let rows = latest_rows(db, &columns, "", (namespace, visibilities), after, limit).await?;
    rows.iter()
        .map(|row| Ok((skills::skill_row(row, COLUMNS.split(", ").count())?, version_row(row)?)))
        .collect()
}

/// These columns of skills (`s`), their latest versions (`v`) and what `join` adds to them: of the namespace with this key, of
/// these visibilities, by key, those above `after`.
pub(super) async fn latest_rows(
    db: &Db,
    columns: &str,
    join: &str,
    (namespace, visibilities): (&str, &[Visibility]),
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<AnyRow>> {
    let text = format!(
        "SELECT {columns} FROM skills s JOIN versions v ON v.skill = s.key AND v.version = s.latest {join} \
         WHERE s.namespace = $1 AND s.key > $2 AND s.visibility IN ({}) ORDER BY s.key LIMIT $3",
        placeholders(4, visibilities.len()),
    );
    let query = sqlx::query(AssertSqlSafe(text))
        .bind(namespace.to_owned())
        .bind(after.to_owned())
        .bind(limit)
        .bind_all(visibilities.iter().map(|visibility| visibility.as_str()));
    query.fetch_all(db.reader()).await
}

/// All versions of a skill with their status, the highest first.
pub async fn statuses(
    executor: impl Executor<'_, Database = Any>,
    key: &str,
) -> Result<Vec<(Version, VersionStatus)>> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT version, status FROM versions WHERE skill = $1")
        .bind(key.to_owned())
        .fetch_all(executor)
        .await?;
    let mut statuses = rows
        .iter()
        .map(|(version, status)| Ok((parsed(version)?, parsed(status)?)))
        .collect::<Result<Vec<(Version, VersionStatus)>>>()?;
    statuses.sort_by(|left, right| right.0.cmp(&left.0));
    Ok(statuses)
}

/// Why versions of a skill were yanked or quarantined, in no order.
pub async fn reasons(db: &Db, key: &str) -> Result<Vec<(Version, Option<String>)>> {
    let rows: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT version, reason FROM versions WHERE skill = $1 AND status IN ('yanked', 'quarantined')",
    )
    .bind(key.to_owned())
    .fetch_all(db.reader())
    .await?;
    rows.into_iter().map(|(version, reason)| Ok((parsed(&version)?, reason))).collect()
}

/// The version that a request without one gets.
pub fn latest(statuses: &[(Version, VersionStatus)]) -> Option<&Version> {
    VersionRequest::Latest.choose(published(statuses))
}

/// Those that are found and downloaded.
pub fn published(statuses: &[(Version, VersionStatus)]) -> impl Iterator<Item = &Version> {
    statuses.iter().filter(|(_, status)| *status == VersionStatus::Published).map(|(version, _)| version)
}

const SUMMARY: &str = "SELECT v.version, v.status, v.digest, v.size, v.code_hash, u.name, v.created_at, v.reason, \
    v.kind, v.dependencies, v.notice, n.text FROM versions v JOIN users u ON u.id = v.publisher \
    LEFT JOIN changelogs n ON n.skill = v.skill AND n.version = v.version WHERE v.skill = $1";

fn version_summary(row: &AnyRow) -> Result<VersionSummary> {
    Ok(VersionSummary {
        version: parsed(row.try_get(0)?)?,
        status: parsed(row.try_get(1)?)?,
        digest: parsed(row.try_get(2)?)?,
        size: u64::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0),
        code_hash: parsed(row.try_get(4)?)?,
        publisher: row.try_get(5)?,
        created_at: Time::from_micros(row.try_get(6)?),
        reason: row.try_get(7)?,
        kind: parsed(row.try_get(8)?)?,
        dependencies: told(row.try_get(9)?)?,
        notice: row.try_get::<Option<String>, _>(10)?.as_deref().map(parsed).transpose()?,
        changelog: row.try_get(11)?,
    })
}

/// All versions of a skill for a listing, in no order.
pub async fn summaries(db: &Db, key: &str) -> Result<Vec<VersionSummary>> {
    let rows = sqlx::query(SUMMARY).bind(key.to_owned()).fetch_all(db.reader()).await?;
    rows.iter().map(version_summary).collect()
}

/// One version as a listing shows it.
pub async fn summary(db: &Db, key: &str, version: &Version) -> Result<Option<VersionSummary>> {
    let row = sqlx::query(AssertSqlSafe(format!("{SUMMARY} AND v.version = $2")))
        .bind(key.to_owned())
        .bind(version.to_string())
        .fetch_optional(db.reader())
        .await?;
    row.as_ref().map(version_summary).transpose()
}

/// Sets where a version stands, and which version is the latest by that.
pub async fn set_status(
    tx: &mut Tx,
    key: &str,
    version: &Version,
    status: VersionStatus,
    reason: Option<&str>,
) -> Result<()> {
    sqlx::query("UPDATE versions SET status = $3, reason = $4 WHERE skill = $1 AND version = $2")
        .bind(key.to_owned())
        .bind(version.to_string())
        .bind(status.as_str())
        .bind(reason.map(str::to_owned))
        .execute(tx.connection())
        .await?;
    let statuses = statuses(tx.connection(), key).await?;
    skills::set_latest(tx, key, latest(&statuses)).await
}

/// Every digest that some version needs, in pages: those above `after`.
pub async fn digests_after(db: &Db, after: &str, limit: i64) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar::<_, String>(
        "SELECT DISTINCT digest FROM versions WHERE digest > $1 ORDER BY digest LIMIT $2",
    )
    .bind(after.to_owned())
    .bind(limit)
    .fetch_all(db.reader())
    .await?)
}

/// All versions of a skill with their status and the digest of their bundle, in no order.
pub async fn digests(db: &Db, key: &str) -> Result<Vec<(Version, VersionStatus, Digest)>> {
    let rows: Vec<(String, String, String)> =
        sqlx::query_as("SELECT version, status, digest FROM versions WHERE skill = $1")
            .bind(key.to_owned())
            .fetch_all(db.reader())
            .await?;
    rows.iter()
        .map(|(version, status, digest)| Ok((parsed(version)?, parsed(status)?, parsed(digest)?)))
        .collect()
}

/// The files of these versions of a skill, each list with the digest of its bundle.
pub async fn files_of(db: &Db, key: &str, versions: &[&Version]) -> Result<Vec<(Digest, Vec<FileSummary>)>> {
    let mut found = Vec::with_capacity(versions.len());
    for piece in pieces(versions) {
        let text = format!(
            "SELECT digest, files FROM versions WHERE skill = $1 AND version IN ({})",
            placeholders(2, piece.len())
        );
        let query = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(text))
            .bind(key.to_owned())
            .bind_all(piece.iter().map(ToString::to_string));
        for (digest, files) in query.fetch_all(db.reader()).await? {
            found.push((parsed(&digest)?, from_json(&files)?));
        }
    }
    Ok(found)
}

/// Where these versions of a skill stand in this transaction, and why, in no order.
pub async fn standing(
    tx: &mut Tx,
    key: &str,
    versions: &[Version],
) -> Result<Vec<(Version, VersionStatus, Option<String>)>> {
    let mut found = Vec::with_capacity(versions.len());
    for piece in pieces(versions) {
        let text = format!(
            "SELECT version, status, reason FROM versions WHERE skill = $1 AND version IN ({})",
            placeholders(2, piece.len())
        );
        let query = sqlx::query_as::<_, (String, String, Option<String>)>(AssertSqlSafe(text))
            .bind(key.to_owned())
            .bind_all(piece.iter().map(ToString::to_string));
        for (version, status, reason) in query.fetch_all(tx.connection()).await? {
            found.push((parsed(&version)?, parsed(&status)?, reason));
        }
    }
    Ok(found)
}

/// Sets where these versions stand, and which version is the latest by that.
pub async fn set_statuses(
    tx: &mut Tx,
    key: &str,
    versions: &[Version],
    status: VersionStatus,
    reason: Option<&str>,
) -> Result<()> {
    for piece in pieces(versions) {
        let text = format!(
            "UPDATE versions SET status = $2, reason = $3 WHERE skill = $1 AND version IN ({})",
            placeholders(4, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(key.to_owned())
            .bind(status.as_str())
            .bind(reason.map(str::to_owned))
            .bind_all(piece.iter().map(ToString::to_string));
        query.execute(tx.connection()).await?;
    }
    let statuses = statuses(tx.connection(), key).await?;
    skills::set_latest(tx, key, latest(&statuses)).await
}

/// The worst that a strict look found in a version when it was published.
pub async fn findings(
    executor: impl Executor<'_, Database = Any>,
    key: &str,
    version: &Version,
) -> Result<Option<Level>> {
    let found = sqlx::query_scalar::<_, Option<String>>(
        "SELECT findings FROM versions WHERE skill = $1 AND version = $2",
    )
    .bind(key.to_owned())
    .bind(version.to_string())
    .fetch_optional(executor)
    .await?;
    found.flatten().as_deref().map(parsed).transpose()
}
