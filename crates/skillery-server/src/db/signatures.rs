//! What was signed of versions: one statement each, and signatures over it.

use skillery_core::api::{SignatureMark, VersionSignature};
use skillery_core::sign::author::{AuthorKey, SignatureKind};
use skillery_core::time::Time;
use skillery_core::{Digest, Version};
use sqlx::{Any, Executor, Row};

use super::{Tx, parsed};
use crate::failure::{Failure, Result};

/// The statement of a version.
pub async fn statement(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar::<_, String>("SELECT body FROM statements WHERE skill = $1 AND version = $2")
        .bind(skill.to_owned())
        .bind(version.to_string())
        .fetch_optional(executor)
        .await?)
}

/// Keeps the statement of a version.
pub async fn insert_statement(tx: &mut Tx, skill: &str, version: &Version, body: &str) -> Result<()> {
    sqlx::query("INSERT INTO statements (skill, version, digest, body) VALUES ($1, $2, $3, $4)")
        .bind(skill.to_owned())
        .bind(version.to_string())
        .bind(Digest::of(body.as_bytes()).to_string())
        .bind(body.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// How many signatures a version has, and whether one of them is this signer's with this key.
pub async fn count(
    tx: &mut Tx,
    skill: &str,
    version: &Version,
    key: &str,
    signer: &str,
) -> Result<(i64, bool)> {
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN key = $3 AND signer = $4 THEN 1 ELSE 0 END), 0) AS BIGINT) \
         FROM signatures WHERE skill = $1 AND version = $2",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(key.to_owned())
    .bind(signer.to_owned())
    .fetch_one(tx.connection())
    .await?;
    Ok((row.try_get(0)?, row.try_get::<i64, _>(1)? > 0))
}

/// Keeps a signature that the log entry of this number has.
pub async fn insert(
    tx: &mut Tx,
    skill: &str,
    version: &Version,
    mark: &SignatureMark,
    body: &str,
    index: i64,
) -> Result<()> {
    let now = tx.now;
    sqlx::query(
        "INSERT INTO signatures (skill, version, digest, kind, key, signer, at, log_index, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(mark.sha256.to_string())
    .bind(mark.kind.as_str())
    .bind(mark.key.clone())
    .bind(mark.signer.clone())
    .bind(now.micros())
    .bind(index)
    .bind(body.to_owned())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The signatures of a version, the oldest first.
pub async fn of_version(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Vec<VersionSignature>> {
    let rows = sqlx::query(
        "SELECT s.kind, s.key, k.public_key, k.org, u.name, s.at, s.log_index, s.body FROM signatures s \
         JOIN signing_keys k ON k.fingerprint = s.key JOIN users u ON u.id = s.signer \
         WHERE s.skill = $1 AND s.version = $2 ORDER BY s.log_index, s.digest",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_all(executor)
    .await?;
    rows.iter()
        .map(|row| {
            let public_key: AuthorKey = parsed(row.try_get(2)?)?;
            Ok(VersionSignature {
                kind: parsed::<SignatureKind>(row.try_get(0)?)?,
                key: row.try_get(1)?,
                public_key: public_key.to_string(),
                is_authority: row.try_get::<Option<String>, _>(3)?.is_some(),
                signer: row.try_get(4)?,
                signed_at: Time::from_micros(row.try_get(5)?),
                log_index: u64::try_from(row.try_get::<i64, _>(6)?).map_err(Failure::internal)?,
                value: row.try_get(7)?,
            })
        })
        .collect()
}
