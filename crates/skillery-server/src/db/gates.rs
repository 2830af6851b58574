//! What else is known of versions that somebody had to approve, or has to approve again.

use skillery_core::approval::{Fact, HeldFor, Notice};
use skillery_core::time::Time;
use skillery_core::{SkillId, Version};
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{Db, Tx, parsed};
use crate::failure::{Failure, Result};

/// What is known of a version. Of one that nobody ever had to approve it is what the default says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    /// What is true of it; nothing where nobody has looked.
    pub facts: Option<Vec<Fact>>,
    /// Entries of policies that let it pass.
    pub passed: Vec<u64>,
    /// Approvals by entries before this one count no more.
    pub counts_from: i64,
    /// When it was released, or reviewed again.
    pub reviewed_at: Option<Time>,
    /// Since when it is due.
    pub due_at: Option<Time>,
    /// Why it waits again.
    pub held_for: Option<HeldFor>,
    /// Who released it by force.
    pub forced: Option<ForcedRow>,
}

/// That somebody released a version by force.
#[derive(Debug, Clone, PartialEq)]
pub struct ForcedRow {
    /// The user's id.
    pub by: String,
    /// The user's name.
    pub name: String,
    /// When.
    pub at: Time,
    /// Why.
    pub reason: String,
    /// 64 hexadecimal digits.
    pub salt: String,
    /// The number of the log entry.
    pub log_index: i64,
}

impl Gate {
    /// Whether it is handed out, and still wants approvals.
    pub fn wants_review(&self) -> bool {
        self.due_at.is_some() || self.forced.is_some()
    }
}

fn words<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn read<T: std::str::FromStr>(text: &str) -> Result<Vec<T>>
where
    T::Err: std::fmt::Display,
{
    let parse = |word: &str| word.parse().map_err(|error: T::Err| Failure::internal(error.to_string()));
    text.split(',').filter(|word| !word.is_empty()).map(parse).collect()
}

/// What is known of a version.
pub async fn find(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Gate> {
    let row = sqlx::query(
        "SELECT g.facts, g.passed, g.counts_from, g.reviewed_at, g.due_at, g.held_for, g.forced_by, u.name, \
         g.forced_at, g.forced_reason, g.forced_salt, g.forced_index FROM gates g \
         LEFT JOIN users u ON u.id = g.forced_by WHERE g.skill = $1 AND g.version = $2",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_optional(executor)
    .await?;
    let Some(row) = row else { return Ok(Gate::default()) };
    let time = |place: usize| -> Result<Option<Time>> {
        Ok(row.try_get::<Option<i64>, _>(place)?.map(Time::from_micros))
    };
    let forced = match row.try_get::<Option<String>, _>(6)? {
        Some(by) => Some(ForcedRow {
            by,
            name: row.try_get::<Option<String>, _>(7)?.unwrap_or_default(),
            at: time(8)?.unwrap_or_default(),
            reason: row.try_get::<Option<String>, _>(9)?.unwrap_or_default(),
            salt: row.try_get::<Option<String>, _>(10)?.unwrap_or_default(),
            log_index: row.try_get::<Option<i64>, _>(11)?.unwrap_or_default(),
        }),
        None => None,
    };
    Ok(Gate {
        facts: row.try_get::<Option<String>, _>(0)?.as_deref().map(read).transpose()?,
        passed: read(row.try_get(1)?)?,
        counts_from: row.try_get(2)?,
        reviewed_at: time(3)?,
        due_at: time(4)?,
        held_for: row.try_get::<Option<String>, _>(5)?.as_deref().map(parsed).transpose()?,
        forced,
    })
}

/// Keeps what is known of a version, in place of what was known before, and what is said of it while it is handed out.
pub async fn keep(
    tx: &mut Tx,
    skill: &str,
    version: &Version,
    gate: &Gate,
    notice: Option<Notice>,
) -> Result<()> {
    let forced = gate.forced.as_ref();
    sqlx::query(
        "INSERT INTO gates (skill, version, facts, passed, counts_from, reviewed_at, due_at, held_for, forced_by, \
         forced_at, forced_reason, forced_salt, forced_index) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (skill, version) DO UPDATE SET \
         facts = $3, passed = $4, counts_from = $5, reviewed_at = $6, due_at = $7, held_for = $8, forced_by = $9, \
         forced_at = $10, forced_reason = $11, forced_salt = $12, forced_index = $13",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(gate.facts.as_deref().map(words))
    .bind(words(&gate.passed))
    .bind(gate.counts_from)
    .bind(gate.reviewed_at.map(Time::micros))
    .bind(gate.due_at.map(Time::micros))
    .bind(gate.held_for.map(|why| why.as_str()))
    .bind(forced.map(|forced| forced.by.clone()))
    .bind(forced.map(|forced| forced.at.micros()))
    .bind(forced.map(|forced| forced.reason.clone()))
    .bind(forced.map(|forced| forced.salt.clone()))
    .bind(forced.map(|forced| forced.log_index))
    .execute(tx.connection())
    .await?;
    sqlx::query("UPDATE versions SET notice = $3 WHERE skill = $1 AND version = $2")
        .bind(skill.to_owned())
        .bind(version.to_string())
        .bind(notice.map(|notice| notice.as_str()))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// What a version asks for; nothing where nobody has looked.
pub async fn permissions(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Option<Vec<String>>> {
    let text = sqlx::query_scalar::<_, Option<String>>(
        "SELECT permissions FROM versions WHERE skill = $1 AND version = $2",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_optional(executor)
    .await?;
    text.flatten().as_deref().map(super::from_json).transpose()
}

/// Whether a version of the skill was ever handed out: one that waits the first time, or was rejected, was not.
pub async fn was_released(tx: &mut Tx, skill: &str) -> Result<bool> {
    let count = sqlx::query_scalar::<_, i64>(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM versions v LEFT JOIN gates g ON g.skill = v.skill AND g.version = v.version \
         WHERE v.skill = $1 AND (v.status IN ('published', 'yanked', 'quarantined') OR g.reviewed_at IS NOT NULL \
         OR g.held_for IS NOT NULL)",
    )
    .bind(skill.to_owned())
    .fetch_one(tx.connection())
    .await?;
    Ok(count > 0)
}

/// Versions that are handed out in a namespace, or below it, and that nobody has looked at since a time: at most `limit`, and
/// none that are due already unless `is_due` says so.
pub async fn overdue(
    db: &Db,
    namespace: &str,
    since: Time,
    is_due: bool,
    limit: i64,
) -> Result<Vec<(SkillId, Version)>> {
    let due = if is_due { "" } else { "AND g.due_at IS NULL" };
    let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT s.id, v.version FROM versions v JOIN skills s ON s.key = v.skill \
         LEFT JOIN gates g ON g.skill = v.skill AND g.version = v.version \
         WHERE v.status = 'published' AND (s.namespace = $1 OR s.namespace LIKE $1 || '/%') \
         AND COALESCE(g.reviewed_at, v.created_at) < $2 {due} ORDER BY v.skill, v.version LIMIT $3"
    )))
    .bind(namespace.to_owned())
    .bind(since.micros())
    .bind(limit)
    .fetch_all(db.reader())
    .await?;
    rows.iter().map(|(id, version)| Ok((parsed(id)?, parsed(version)?))).collect()
}
