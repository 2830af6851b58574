//! Skills: the row that all versions of one skill share.

use skillery_core::api::Record;
use skillery_core::time::Time;
use skillery_core::{Rating, SkillId, Version, Visibility};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, from_json, parsed, pieces, placeholders};
use crate::failure::Result;

/// What decides who may see a skill, and where it stands.
#[derive(Debug, Clone)]
pub struct SkillRow {
    /// The id as it was first spelled.
    pub id: SkillId,
    /// A number of its own, for the search index.
    pub number: i64,
    /// Who sees it.
    pub visibility: Visibility,
    /// The version that a request without one gets.
    pub latest: Option<Version>,
    /// When its first version was published.
    pub created_at: Time,
}

/// A skill with its latest version: all that the API shows of it, and all that the search index keeps.
#[derive(Debug, Clone)]
pub struct FullSkill {
    /// The skill.
    pub skill: SkillRow,
    /// As the API shows it; none while it has no latest version.
    pub record: Option<Record>,
    /// Words of the latest version's content.
    pub words: String,
    /// The id of the user who published it.
    pub publisher: Option<String>,
    /// When the latest version was published.
    pub updated_at: Time,
}

const ROW: &str = "id, number, visibility, latest, created_at";

/// The skill with this key.
pub async fn find(executor: impl Executor<'_, Database = Any>, key: &str) -> Result<Option<SkillRow>> {
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {ROW} FROM skills WHERE key = $1")))
        .bind(key.to_owned())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(|row| skill_row(row, 0)).transpose()
}

/// The skills of the namespace with this key whose key has hyphens side by side, or at its end, by key.
pub async fn with_odd_hyphens(db: &Db, namespace: &str) -> Result<Vec<SkillRow>> {
    let text = format!(
        "SELECT {ROW} FROM skills WHERE namespace = $1 AND (key LIKE '%--%' OR key LIKE '%-') ORDER BY key"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(namespace.to_owned()).fetch_all(db.reader()).await?;
    rows.iter().map(|row| skill_row(row, 0)).collect()
}

/// The columns of [`ROW`], from this one on.
pub(super) fn skill_row(row: &AnyRow, first: usize) -> Result<SkillRow> {
    Ok(SkillRow {
        id: parsed(row.try_get(first)?)?,
        number: row.try_get(first + 1)?,
        visibility: parsed(row.try_get(first + 2)?)?,
        latest: row.try_get::<Option<String>, _>(first + 3)?.as_deref().map(parsed).transpose()?,
        created_at: Time::from_micros(row.try_get(first + 4)?),
    })
}

const FULL: &str = "SELECT s.id, s.number, s.visibility, s.latest, s.created_at, s.rating_sum, s.rating_count, \
    s.install_count, s.updated_at, v.description, v.code_hash, v.signature, v.tags, v.author, v.license, v.homepage, \
    v.repository, v.words, v.publisher FROM skills s LEFT JOIN versions v ON v.skill = s.key AND v.version = s.latest";

fn full_skill(row: &AnyRow) -> Result<FullSkill> {
    let skill = skill_row(row, 0)?;
    let updated_at = Time::from_micros(row.try_get(8)?);
    let (rating_sum, rating_count): (i64, i64) = (row.try_get(5)?, row.try_get(6)?);
    let record = match &skill.latest {
        None => None,
        Some(latest) => Some(Record {
            id: skill.id.to_string(),
            name: skill.id.name().to_owned(),
            org: skill.id.namespace().to_string(),
            version: latest.to_string(),
            description: row.try_get(9)?,
            code_hash: row.try_get(10)?,
            signature: row.try_get(11)?,
            tags: from_json(row.try_get(12)?)?,
            rating: Rating::average(rating_sum, rating_count),
            rating_count,
            install_count: row.try_get(7)?,
            created_at: skill.created_at.to_string(),
            updated_at: updated_at.to_string(),
            author: row.try_get(13)?,
            license: row.try_get(14)?,
            homepage: row.try_get(15)?,
            repository: row.try_get(16)?,
        }),
    };
    let words = row.try_get::<Option<String>, _>(17)?.unwrap_or_default();
    Ok(FullSkill { skill, record, words, publisher: row.try_get(18)?, updated_at })
}

/// The skill with this key and its latest version.
pub async fn full(db: &Db, key: &str) -> Result<Option<FullSkill>> {
    let row = sqlx::query(AssertSqlSafe(format!("{FULL} WHERE s.key = $1")))
        .bind(key.to_owned())
        .fetch_optional(db.reader())
        .await?;
    row.as_ref().map(full_skill).transpose()
}

/// Those of these skills that exist, with the words of their content.
pub async fn full_many(db: &Db, keys: &[String]) -> Result<Vec<FullSkill>> {
    many(db, FULL, keys).await
}

/// Those of these skills that exist, without the words of their content.
pub async fn records(db: &Db, keys: &[String]) -> Result<Vec<FullSkill>> {
    many(db, &FULL.replace("v.words", "CAST(NULL AS TEXT)"), keys).await
}

async fn many(db: &Db, select: &str, keys: &[String]) -> Result<Vec<FullSkill>> {
    let mut found = Vec::with_capacity(keys.len());
    for piece in pieces(keys) {
        let text = format!("{select} WHERE s.key IN ({})", placeholders(1, piece.len()));
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in query.fetch_all(db.reader()).await? {
            found.push(full_skill(&row)?);
        }
    }
    Ok(found)
}

/// The keys of those of these numbers that are a skill's.
pub async fn keys_of(db: &Db, numbers: &[i64]) -> Result<Vec<(i64, String)>> {
    let mut found = Vec::with_capacity(numbers.len());
    for piece in pieces(numbers) {
        let text =
            format!("SELECT number, key FROM skills WHERE number IN ({})", placeholders(1, piece.len()));
        let query = sqlx::query_as(AssertSqlSafe(text)).bind_all(piece.iter().copied());
        found.extend(query.fetch_all(db.reader()).await?);
    }
    Ok(found)
}

/// Skills with a number above `number`, by number: for walking over all of them.
pub async fn full_after(db: &Db, number: i64, limit: i64) -> Result<Vec<FullSkill>> {
    sqlx::query(AssertSqlSafe(format!("{FULL} WHERE s.number > $1 ORDER BY s.number LIMIT $2")))
        .bind(number)
        .bind(limit)
        .fetch_all(db.reader())
        .await?
        .iter()
        .map(full_skill)
        .collect()
}

/// Sets what a request without a version gets. The skill was updated when that version was published.
pub async fn set_latest(tx: &mut Tx, key: &str, latest: Option<&Version>) -> Result<()> {
    sqlx::query(
        "UPDATE skills SET latest = $2, updated_at = COALESCE( \
         (SELECT created_at FROM versions WHERE skill = $1 AND version = $2), updated_at) WHERE key = $1",
    )
    .bind(key.to_owned())
    .bind(latest.map(Version::to_string))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Sets who sees a skill.
pub async fn set_visibility(tx: &mut Tx, key: &str, visibility: Visibility) -> Result<()> {
    sqlx::query("UPDATE skills SET visibility = $2 WHERE key = $1")
        .bind(key.to_owned())
        .bind(visibility.as_str())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// How many skills there are.
pub async fn count(db: &Db) -> Result<i64> {
    Ok(sqlx::query_scalar::<_, i64>("SELECT CAST(COUNT(*) AS BIGINT) FROM skills")
        .fetch_one(db.reader())
        .await?)
}
