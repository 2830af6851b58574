//! What namespaces demand of versions, and what reviewers have decided.

use std::collections::HashMap;

use skillery_core::api::{PolicyInForce, ReviewSignature};
use skillery_core::approval::StageMark;
use skillery_core::time::Time;
use skillery_core::{Decision, Namespace, PublishPolicy, Role, Version};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Executor, Row};

use super::groups::Membership;
use super::{BindAll, Db, Tx, from_json, parsed, pieces, placeholders, places_of, tuples};
use crate::failure::{Failure, Result};

pub use super::policy_history::history;

/// The policies of a namespace and of those above it, the outermost first.
pub async fn policies(
    executor: impl Executor<'_, Database = Any>,
    namespace: &Namespace,
) -> Result<Vec<PolicyInForce>> {
    let places = places_of(namespace)?;
    let text = format!(
        "SELECT name, approvals, role, set_at, log_index, signed, document FROM policies WHERE namespace IN ({}) ORDER BY LENGTH(namespace)",
        placeholders(1, places.len())
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(places);
    query.fetch_all(executor).await?.iter().map(policy_row).collect()
}

/// The policies that the namespaces with these keys have themselves, by those keys.
pub async fn policies_at(
    connection: &mut AnyConnection,
    places: &[String],
) -> Result<HashMap<String, PolicyInForce>> {
    let mut found = HashMap::new();
    for piece in pieces(places) {
        let text = format!(
            "SELECT name, approvals, role, set_at, log_index, signed, document, namespace FROM policies \
             WHERE namespace IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in query.fetch_all(&mut *connection).await? {
            found.insert(row.try_get(7)?, policy_row(&row)?);
        }
    }
    Ok(found)
}

fn policy_row(row: &AnyRow) -> Result<PolicyInForce> {
    let policy = match row.try_get::<Option<String>, _>(6)? {
        Some(document) => from_json(&document)?,
        None => PublishPolicy {
            approvals: u32::try_from(row.try_get::<i64, _>(1)?).map_err(Failure::internal)?,
            role: parsed(row.try_get(2)?)?,
            signed: row.try_get::<i64, _>(5)? != 0,
            ..PublishPolicy::default()
        },
    };
    Ok(PolicyInForce {
        namespace: row.try_get(0)?,
        policy,
        set_at: Time::from_micros(row.try_get(3)?),
        log_index: u64::try_from(row.try_get::<i64, _>(4)?).map_err(Failure::internal)?,
    })
}

/// Sets what a namespace demands, in place of what it demanded before. `index` is the number of the log entry that says
/// so.
pub async fn set_policy(
    tx: &mut Tx,
    namespace: &Namespace,
    policy: &PublishPolicy,
    index: i64,
) -> Result<()> {
    let now = tx.now;
    // What a server of the release before reads: as many as there may be, of the highest role.
    let short = PublishPolicy {
        approvals: policy.approvals.max(policy.stages.iter().map(|stage| stage.approvals).sum()),
        role: policy.stages.iter().map(|stage| stage.role).max().unwrap_or(policy.role),
        signed: policy.signed,
        ..PublishPolicy::default()
    };
    let document = match *policy == short {
        true => None,
        false => Some(serde_json::to_string(policy).map_err(Failure::internal)?),
    };
    sqlx::query(
        "INSERT INTO policies (namespace, name, org, approvals, role, set_at, log_index, signed, document) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (namespace) \
         DO UPDATE SET approvals = $4, role = $5, set_at = $6, log_index = $7, signed = $8, document = $9",
    )
    .bind(namespace.key())
    .bind(namespace.to_string())
    .bind(namespace.org_key())
    .bind(i64::from(short.approvals))
    .bind(short.role.as_str())
    .bind(now.micros())
    .bind(index)
    .bind(i64::from(policy.signed))
    .bind(document)
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
    /// The role by which it was decided.
    pub role: Role,
    /// The number of the log entry that gave the role.
    pub member: u64,
    /// The groups that it names.
    pub groups: Vec<Membership>,
    /// The stages that it was given for.
    pub stages: Vec<StageMark>,
    /// Whether it is signed.
    pub is_signed: bool,
}

fn decision_row(row: &AnyRow, first: usize) -> Result<DecisionRow> {
    let list = |place: usize| row.try_get::<Option<String>, _>(first + place);
    Ok(DecisionRow {
        user: row.try_get(first)?,
        name: row.try_get(first + 1)?,
        is_disabled: row.try_get::<Option<i64>, _>(first + 2)?.is_some(),
        decision: parsed(row.try_get(first + 3)?)?,
        comment: row.try_get(first + 4)?,
        at: Time::from_micros(row.try_get(first + 5)?),
        log_index: row.try_get(first + 6)?,
        role: parsed(row.try_get(first + 7)?)?,
        member: u64::try_from(row.try_get::<i64, _>(first + 8)?).map_err(Failure::internal)?,
        groups: list(9)?.as_deref().map(from_json).transpose()?.unwrap_or_default(),
        stages: list(10)?.as_deref().map(from_json).transpose()?.unwrap_or_default(),
        is_signed: list(11)?.is_some(),
    })
}

/// A version, by the key of its skill and its own text.
pub type VersionKey = (String, String);

/// The last decision of each reviewer about these versions, the oldest first.
pub async fn decisions_about(
    connection: &mut AnyConnection,
    versions: &[VersionKey],
) -> Result<HashMap<VersionKey, Vec<DecisionRow>>> {
    let mut found: HashMap<VersionKey, Vec<DecisionRow>> = HashMap::new();
    for piece in pieces(versions) {
        let text = format!(
            "SELECT d.skill, d.version, d.user_id, u.name, u.disabled_at, d.decision, d.comment, d.at, d.log_index, \
             d.role, d.member, d.group_marks, d.stage_marks, d.signing_key FROM decisions d \
             JOIN users u ON u.id = d.user_id WHERE (d.skill, d.version) IN (VALUES {}) ORDER BY d.log_index",
            tuples(1, piece.len(), 2, "")
        );
        for row in of_versions(text, piece).fetch_all(&mut *connection).await? {
            let version = (row.try_get(0)?, row.try_get(1)?);
            found.entry(version).or_default().push(decision_row(&row, 2)?);
        }
    }
    Ok(found)
}

/// Users who signed these versions, each with the first log entry that has it.
pub async fn signers_of(
    connection: &mut AnyConnection,
    versions: &[VersionKey],
) -> Result<HashMap<VersionKey, Vec<(String, i64)>>> {
    let mut found: HashMap<VersionKey, Vec<(String, i64)>> = HashMap::new();
    for piece in pieces(versions) {
        let text = format!(
            "SELECT skill, version, signer, MIN(log_index) FROM signatures WHERE (skill, version) IN (VALUES {}) \
             GROUP BY skill, version, signer",
            tuples(1, piece.len(), 2, "")
        );
        for row in of_versions(text, piece).fetch_all(&mut *connection).await? {
            let version = (row.try_get(0)?, row.try_get(1)?);
            found.entry(version).or_default().push((row.try_get(2)?, row.try_get(3)?));
        }
    }
    Ok(found)
}

fn of_versions(
    text: String,
    versions: &[VersionKey],
) -> sqlx::query::Query<'static, Any, sqlx::any::AnyArguments> {
    let mut query = sqlx::query(AssertSqlSafe(text));
    for (skill, version) in versions {
        query = query.bind(skill.clone()).bind(version.clone());
    }
    query
}

/// Signed reviews of a version that are shown: the newest. Of those who approve, a client looks at no more.
const SHOWN: i64 = 256;

/// A signed review, the number of the entry that has it, and the fingerprint of its key.
pub type SignedRow = (i64, String, ReviewSignature);

/// The signed reviews of a version, the oldest first. Of more than are shown, approvals are not pushed out by what else was signed:
/// clients count them.
pub async fn signed_reviews(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Vec<SignedRow>> {
    let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
        "SELECT s.log_index, s.signing_key, s.statement, s.signature FROM signed_reviews s \
         WHERE s.skill = $1 AND s.version = $2 AND s.log_index IN (SELECT r.log_index FROM signed_reviews r \
         JOIN log l ON l.idx = r.log_index WHERE r.skill = $1 AND r.version = $2 \
         ORDER BY CASE l.kind WHEN 'version.approved' THEN 0 ELSE 1 END, r.log_index DESC LIMIT $3)",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(SHOWN)
    .fetch_all(executor)
    .await?;
    let row = |(index, key, statement, signature)| (index, key, ReviewSignature { statement, signature });
    let mut found: Vec<SignedRow> = rows.into_iter().map(row).collect();
    found.sort_by_key(|(index, ..)| *index);
    Ok(found)
}

/// What a user decides.
#[derive(Debug, Clone)]
pub struct NewDecision<'a> {
    /// The user's id.
    pub user: &'a str,
    /// What.
    pub decision: Decision,
    /// Why.
    pub comment: &'a str,
    /// The role by which it is decided.
    pub role: Role,
    /// The number of the log entry that gave the role.
    pub member: u64,
    /// The number of the log entry that has it.
    pub log_index: i64,
    /// The groups that it names.
    pub groups: &'a [Membership],
    /// The stages that it is given for.
    pub stages: &'a [StageMark],
    /// The signature, with the fingerprint of its key.
    pub signed: Option<(&'a str, &'a ReviewSignature)>,
}

/// Keeps what a user decides, in place of an earlier decision.
pub async fn decide(tx: &mut Tx, skill: &str, version: &Version, decision: NewDecision<'_>) -> Result<()> {
    let now = tx.now;
    sqlx::query(
        "INSERT INTO decisions (skill, version, user_id, decision, comment, at, log_index, role, member, group_marks, \
         signing_key, stage_marks) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (skill, version, user_id) DO UPDATE SET decision = $4, comment = $5, at = $6, log_index = $7, \
         role = $8, member = $9, group_marks = $10, signing_key = $11, stage_marks = $12, statement = NULL, signature = NULL",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(decision.user.to_owned())
    .bind(decision.decision.as_str())
    .bind(decision.comment.to_owned())
    .bind(now.micros())
    .bind(decision.log_index)
    .bind(decision.role.as_str())
    .bind(i64::try_from(decision.member).map_err(Failure::internal)?)
    .bind(serde_json::to_string(decision.groups).map_err(Failure::internal)?)
    .bind(decision.signed.map(|(key, _)| key.to_owned()))
    .bind(serde_json::to_string(decision.stages).map_err(Failure::internal)?)
    .execute(tx.connection())
    .await?;
    let Some((key, review)) = decision.signed else { return Ok(()) };
    sqlx::query(
        "INSERT INTO signed_reviews (skill, version, log_index, signing_key, statement, signature) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(decision.log_index)
    .bind(key.to_owned())
    .bind(review.statement.clone())
    .bind(review.signature.clone())
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

/// The namespaces, by key, whose policies want released versions to be looked at again, with these policies.
pub async fn reviewing(db: &Db) -> Result<Vec<PolicyInForce>> {
    let text = "SELECT name, approvals, role, set_at, log_index, signed, document FROM policies \
        WHERE document LIKE '%\"review\"%' ORDER BY namespace";
    let rows = sqlx::query(text).fetch_all(db.reader()).await?;
    let policies = rows.iter().map(policy_row).collect::<Result<Vec<_>>>()?;
    Ok(policies.into_iter().filter(|set| set.policy.review.is_some()).collect())
}
