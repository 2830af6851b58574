//! What namespaces demand of versions, what reviewers have decided, and what waits.

use skillery_core::api::{NamespacePolicy, PendingVersion};
use skillery_core::time::Time;
use skillery_core::{ApprovalPolicy, Decision, Namespace, Version};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{Db, Tx, parsed, placeholders};
use crate::failure::{Failure, Result};

/// The policies of a namespace and of those above it, the outermost first.
pub async fn policies(
    executor: impl Executor<'_, Database = Any>,
    namespace: &Namespace,
) -> Result<Vec<NamespacePolicy>> {
    let key: Namespace = parsed(&namespace.key())?;
    let places: Vec<String> = key.self_and_ancestors().map(str::to_owned).collect();
    let text = format!(
        "SELECT name, approvals, role, set_at, log_index FROM policies WHERE namespace IN ({}) ORDER BY LENGTH(namespace)",
        placeholders(1, places.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(text));
    for place in places {
        query = query.bind(place);
    }
    query.fetch_all(executor).await?.iter().map(policy_row).collect()
}

fn policy_row(row: &AnyRow) -> Result<NamespacePolicy> {
    let approvals = u32::try_from(row.try_get::<i64, _>(1)?).map_err(Failure::internal)?;
    Ok(NamespacePolicy {
        namespace: row.try_get(0)?,
        policy: ApprovalPolicy { approvals, role: parsed(row.try_get(2)?)? },
        set_at: Time::from_micros(row.try_get(3)?),
        log_index: u64::try_from(row.try_get::<i64, _>(4)?).map_err(Failure::internal)?,
    })
}

/// Sets what a namespace demands, in place of what it demanded before. `index` is the number of the log entry that says
/// so.
pub async fn set_policy(
    tx: &mut Tx,
    namespace: &Namespace,
    policy: ApprovalPolicy,
    index: i64,
) -> Result<()> {
    let now = tx.now;
    sqlx::query(
        "INSERT INTO policies (namespace, name, org, approvals, role, set_at, log_index) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (namespace) DO UPDATE SET approvals = $4, role = $5, set_at = $6, log_index = $7",
    )
    .bind(namespace.key())
    .bind(namespace.to_string())
    .bind(namespace.org_key())
    .bind(i64::from(policy.approvals))
    .bind(policy.role.as_str())
    .bind(now.micros())
    .bind(index)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes what a namespace demands itself; tells whether it did.
pub async fn remove_policy(tx: &mut Tx, namespace: &Namespace) -> Result<bool> {
    let removed = sqlx::query("DELETE FROM policies WHERE namespace = $1")
        .bind(namespace.key())
        .execute(tx.connection())
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// What a reviewer decided.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionRow {
    /// The reviewer's id.
    pub user: String,
    /// The reviewer's name.
    pub name: String,
    /// Whether the reviewer is switched off by now.
    pub is_disabled: bool,
    /// What.
    pub decision: Decision,
    /// Why.
    pub comment: String,
    /// When.
    pub at: Time,
    /// The number of the log entry that has it.
    pub log_index: i64,
}

/// The last decision of each reviewer about a version, the oldest first.
pub async fn decisions(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Vec<DecisionRow>> {
    let rows = sqlx::query(
        "SELECT d.user_id, u.name, u.disabled_at, d.decision, d.comment, d.at, d.log_index FROM decisions d \
         JOIN users u ON u.id = d.user_id WHERE d.skill = $1 AND d.version = $2 ORDER BY d.log_index",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_all(executor)
    .await?;
    let row = |row: &AnyRow| {
        Ok(DecisionRow {
            user: row.try_get(0)?,
            name: row.try_get(1)?,
            is_disabled: row.try_get::<Option<i64>, _>(2)?.is_some(),
            decision: parsed(row.try_get(3)?)?,
            comment: row.try_get(4)?,
            at: Time::from_micros(row.try_get(5)?),
            log_index: row.try_get(6)?,
        })
    };
    rows.iter().map(row).collect()
}

/// Keeps what a user decides, in place of an earlier decision.
pub async fn decide(
    tx: &mut Tx,
    skill: &str,
    version: &Version,
    user: &str,
    decision: Decision,
    comment: &str,
    index: i64,
) -> Result<()> {
    let now = tx.now;
    sqlx::query(
        "INSERT INTO decisions (skill, version, user_id, decision, comment, at, log_index) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (skill, version, user_id) DO UPDATE SET decision = $4, comment = $5, at = $6, log_index = $7",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(user.to_owned())
    .bind(decision.as_str())
    .bind(comment.to_owned())
    .bind(now.micros())
    .bind(index)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Users who signed a version, each with the first log entry that has it.
pub async fn signers(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Vec<(String, i64)>> {
    Ok(sqlx::query_as(
        "SELECT signer, MIN(log_index) FROM signatures WHERE skill = $1 AND version = $2 GROUP BY signer",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_all(executor)
    .await?)
}

/// One page of the versions that wait in these namespaces and below, the oldest first, and how many there are. `places`
/// are keys; none stands for everywhere.
pub async fn pending(
    db: &Db,
    places: Option<&[String]>,
    user: &str,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<PendingVersion>)> {
    let places = match places {
        Some([]) => return Ok((0, Vec::new())),
        Some(places) => places,
        None => &[],
    };
    // Keys of namespaces have no letter that `LIKE` takes for another.
    let is_there: Vec<String> = (1..=places.len())
        .map(|place| format!("(s.namespace = ${place} OR s.namespace LIKE ${place} || '/%')"))
        .collect();
    let where_ = match is_there.is_empty() {
        true => "v.status = 'pending'".to_owned(),
        false => format!("v.status = 'pending' AND ({})", is_there.join(" OR ")),
    };
    let mut count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM versions v JOIN skills s ON s.key = v.skill WHERE {where_}"
    )));
    let next = places.len() + 1;
    let mut page = sqlx::query(AssertSqlSafe(format!(
        "SELECT s.id, v.version, u.name, v.description, v.created_at, \
         (SELECT CAST(COUNT(*) AS BIGINT) FROM decisions d \
          WHERE d.skill = v.skill AND d.version = v.version AND d.decision = 'approved'), \
         (SELECT d.decision FROM decisions d WHERE d.skill = v.skill AND d.version = v.version AND d.user_id = ${next}) \
         FROM versions v JOIN skills s ON s.key = v.skill JOIN users u ON u.id = v.publisher \
         WHERE {where_} ORDER BY v.created_at, v.skill, v.version LIMIT ${} OFFSET ${}",
        next + 1,
        next + 2,
    )));
    for place in places {
        count = count.bind(place.clone());
        page = page.bind(place.clone());
    }
    let total = count.fetch_one(db.reader()).await?;
    let rows = page.bind(user.to_owned()).bind(limit).bind(offset).fetch_all(db.reader()).await?;
    let row = |row: &AnyRow| {
        Ok(PendingVersion {
            id: parsed(row.try_get(0)?)?,
            version: parsed(row.try_get(1)?)?,
            publisher: row.try_get(2)?,
            description: row.try_get(3)?,
            published_at: Time::from_micros(row.try_get(4)?),
            given: u32::try_from(row.try_get::<i64, _>(5)?).unwrap_or(u32::MAX),
            mine: row.try_get::<Option<String>, _>(6)?.as_deref().map(parsed).transpose()?,
        })
    };
    let pending = rows.iter().map(row).collect::<Result<_>>()?;
    Ok((u64::try_from(total).unwrap_or(0), pending))
}
