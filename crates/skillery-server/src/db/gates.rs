//! What else is known of versions that somebody had to approve, or has to approve again.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use skillery_core::approval::{AutoMark, Fact, HeldFor, Notice, Overdue};
use skillery_core::time::Time;
use skillery_core::{SkillId, Version, VersionStatus};
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, from_json, is_within, parsed, pieces, placeholders, tuples};
use crate::failure::{Failure, Result};

/// What is known of a version. Of one that nobody ever had to approve it is what the default says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gate {
    /// What is true of it; nothing where nobody has looked.
    pub facts: Option<Vec<Fact>>,
    /// What lets it pass.
    pub passed: Vec<AutoMark>,
    /// Approvals by entries before this one count no more.
    pub counts_from: i64,
    /// When it was released, or reviewed again.
    pub reviewed_at: Option<Time>,
    /// Since when it is due.
    pub due_at: Option<Time>,
    /// Why it waits again; of one that is yanked or quarantined, why it waits when it would be handed out again.
    pub held_for: Option<HeldFor>,
    /// Who released it by force.
    pub forced: Option<ForcedRow>,
    /// Whether it was handed out by force alone: never before, and nobody has approved it since.
    pub is_only_forced: bool,
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

/// A version, and what is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Gated {
    /// The version.
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// The id of the user who published it.
    pub publisher: String,
    /// What else is known of it.
    pub gate: Gate,
}

/// What lets a version pass, as it is stored: a part of the entry that published it, or the whole of it.
#[derive(Default, Serialize, Deserialize)]
struct Passed {
    #[serde(default)]
    passed: Vec<AutoMark>,
}

fn words<T: ToString>(list: &[T]) -> String {
    list.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn marks(list: &[AutoMark]) -> Result<String> {
    match list.is_empty() {
        true => Ok(String::new()),
        false => serde_json::to_string(&Passed { passed: list.to_vec() }).map_err(Failure::internal),
    }
}

fn read<T: std::str::FromStr>(text: &str) -> Result<Vec<T>>
where
    T::Err: std::fmt::Display,
{
    let parse = |word: &str| word.parse().map_err(|error: T::Err| Failure::internal(error.to_string()));
    text.split(',').filter(|word| !word.is_empty()).map(parse).collect()
}

const COLUMNS: &str = "g.facts, g.passed, g.counts_from, g.reviewed_at, g.due_at, g.held_for, g.forced_by, u.name, \
    g.forced_at, g.forced_reason, g.forced_salt, g.forced_index, g.only_forced";

/// What stands in [`COLUMNS`], from column `first` on. There may be no row.
fn gate_row(row: &AnyRow, first: usize) -> Result<Gate> {
    let time = |place: usize| -> Result<Option<Time>> {
        Ok(row.try_get::<Option<i64>, _>(first + place)?.map(Time::from_micros))
    };
    let text = |place: usize| row.try_get::<Option<String>, _>(first + place);
    let Some(passed) = text(1)? else { return Ok(Gate::default()) };
    let forced = match text(6)? {
        Some(by) => Some(ForcedRow {
            by,
            name: text(7)?.unwrap_or_default(),
            at: time(8)?.unwrap_or_default(),
            reason: text(9)?.unwrap_or_default(),
            salt: text(10)?.unwrap_or_default(),
            log_index: row.try_get::<Option<i64>, _>(first + 11)?.unwrap_or_default(),
        }),
        None => None,
    };
    let passed = if passed.is_empty() { Passed::default() } else { from_json(&passed)? };
    Ok(Gate {
        facts: text(0)?.as_deref().map(read).transpose()?,
        passed: passed.passed,
        counts_from: row.try_get(first + 2)?,
        reviewed_at: time(3)?,
        due_at: time(4)?,
        held_for: text(5)?.as_deref().map(parsed).transpose()?,
        forced,
        is_only_forced: row.try_get::<i64, _>(first + 12)? != 0,
    })
}

/// What is known of a version.
pub async fn find(
    executor: impl Executor<'_, Database = Any>,
    skill: &str,
    version: &Version,
) -> Result<Gate> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {COLUMNS} FROM gates g LEFT JOIN users u ON u.id = g.forced_by WHERE g.skill = $1 AND g.version = $2"
    )))
    .bind(skill.to_owned())
    .bind(version.to_string())
    .fetch_optional(executor)
    .await?;
    row.as_ref().map_or_else(|| Ok(Gate::default()), |row| gate_row(row, 0))
}

const GATED: &str = "FROM versions v LEFT JOIN gates g ON g.skill = v.skill AND g.version = v.version \
    LEFT JOIN users u ON u.id = g.forced_by";

fn gated_row(row: &AnyRow, first: usize) -> Result<Gated> {
    Ok(Gated {
        version: parsed(row.try_get(first)?)?,
        status: parsed(row.try_get(first + 1)?)?,
        publisher: row.try_get(first + 2)?,
        gate: gate_row(row, first + 3)?,
    })
}

/// All versions of a skill with what is known of them, the highest first.
pub async fn of_skill(executor: impl Executor<'_, Database = Any>, skill: &str) -> Result<Vec<Gated>> {
    let text = format!("SELECT v.version, v.status, v.publisher, {COLUMNS} {GATED} WHERE v.skill = $1");
    let rows = sqlx::query(AssertSqlSafe(text)).bind(skill.to_owned()).fetch_all(executor).await?;
    let mut found = rows.iter().map(|row| gated_row(row, 0)).collect::<Result<Vec<Gated>>>()?;
    found.sort_by(|left, right| right.version.cmp(&left.version));
    Ok(found)
}

/// These versions, by the keys of their skills and their own texts, with what is known of them.
pub async fn of_versions(
    connection: &mut AnyConnection,
    versions: &[(String, String)],
) -> Result<HashMap<(String, String), Gated>> {
    let mut found = HashMap::with_capacity(versions.len());
    for piece in pieces(versions) {
        let text = format!(
            "SELECT v.skill, v.version, v.status, v.publisher, {COLUMNS} {GATED} \
             WHERE (v.skill, v.version) IN (VALUES {})",
            tuples(1, piece.len(), 2, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (skill, version) in piece {
            query = query.bind(skill.clone()).bind(version.clone());
        }
        for row in query.fetch_all(&mut *connection).await? {
            found.insert((row.try_get(0)?, row.try_get(1)?), gated_row(&row, 1)?);
        }
    }
    Ok(found)
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
         forced_at, forced_reason, forced_salt, forced_index, only_forced) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (skill, version) DO UPDATE SET \
         facts = $3, passed = $4, counts_from = $5, reviewed_at = $6, due_at = $7, held_for = $8, forced_by = $9, \
         forced_at = $10, forced_reason = $11, forced_salt = $12, forced_index = $13, only_forced = $14",
    )
    .bind(skill.to_owned())
    .bind(version.to_string())
    .bind(gate.facts.as_deref().map(words))
    .bind(marks(&gate.passed)?)
    .bind(gate.counts_from)
    .bind(gate.reviewed_at.map(Time::micros))
    .bind(gate.due_at.map(Time::micros))
    .bind(gate.held_for.map(|why| why.as_str()))
    .bind(forced.map(|forced| forced.by.clone()))
    .bind(forced.map(|forced| forced.at.micros()))
    .bind(forced.map(|forced| forced.reason.clone()))
    .bind(forced.map(|forced| forced.salt.clone()))
    .bind(forced.map(|forced| forced.log_index))
    .bind(i64::from(gate.is_only_forced))
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

/// Of all versions of a skill of which somebody has looked what is true, everybody sees it from now on.
pub async fn make_public(tx: &mut Tx, skill: &str) -> Result<()> {
    let public = Fact::Public.as_str();
    sqlx::query(
        "UPDATE gates SET facts = CASE WHEN facts = '' THEN $2 ELSE facts || ',' || $2 END \
         WHERE skill = $1 AND facts IS NOT NULL AND ',' || facts || ',' NOT LIKE '%,' || $2 || ',%'",
    )
    .bind(skill.to_owned())
    .bind(public)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What becomes of many versions at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// They wait again, for this.
    Held(HeldFor),
    /// They wait when they would be handed out again, or not.
    WaitsWhenBack(Option<HeldFor>),
    /// They have all that is demanded.
    Reviewed,
}

/// Keeps what becomes of these versions of a skill.
pub async fn turn(tx: &mut Tx, skill: &str, versions: &[Version], turn: Turn) -> Result<()> {
    let now = tx.now.micros();
    let (held_for, reviewed_at, set) = match turn {
        Turn::Held(why) => (Some(why), None, "held_for = excluded.held_for, due_at = NULL, forced_by = NULL"),
        Turn::WaitsWhenBack(why) => (why, None, "held_for = excluded.held_for"),
        Turn::Reviewed => (
            None,
            Some(now),
            "held_for = NULL, reviewed_at = excluded.reviewed_at, due_at = NULL, forced_by = NULL, only_forced = 0",
        ),
    };
    for piece in pieces(versions) {
        let text = format!(
            "INSERT INTO gates (skill, version, passed, counts_from, held_for, reviewed_at) \
             SELECT skill, version, '', 0, CAST($2 AS TEXT), CAST($3 AS BIGINT) FROM versions \
             WHERE skill = $1 AND version IN ({}) ON CONFLICT (skill, version) DO UPDATE SET {set}",
            placeholders(4, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(skill.to_owned())
            .bind(held_for.map(|why| why.as_str()))
            .bind(reviewed_at)
            .bind_all(piece.iter().map(ToString::to_string));
        query.execute(tx.connection()).await?;
        if matches!(turn, Turn::WaitsWhenBack(_)) {
            continue;
        }
        let text = format!(
            "UPDATE versions SET notice = NULL WHERE skill = $1 AND notice IS NOT NULL AND version IN ({})",
            placeholders(2, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(skill.to_owned())
            .bind_all(piece.iter().map(ToString::to_string));
        query.execute(tx.connection()).await?;
    }
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

/// Whether a version of the skill was ever handed out otherwise than by force: one that waits the first time, or was rejected, was not.
pub async fn was_released(tx: &mut Tx, skill: &str) -> Result<bool> {
    let count = sqlx::query_scalar::<_, i64>(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM versions v LEFT JOIN gates g ON g.skill = v.skill AND g.version = v.version \
         WHERE v.skill = $1 AND COALESCE(g.only_forced, 0) = 0 AND (v.status IN ('published', 'yanked', 'quarantined') \
         OR g.reviewed_at IS NOT NULL OR g.held_for IS NOT NULL)",
    )
    .bind(skill.to_owned())
    .fetch_one(tx.connection())
    .await?;
    Ok(count > 0)
}

/// A version that is late, by the key of its skill and its own text, with the skill's id.
pub type Late = (String, SkillId, Version);

fn overdue_text(overdue: Overdue) -> String {
    let unknown = match overdue {
        Overdue::List => "AND g.due_at IS NULL",
        Overdue::Warn => "AND (g.due_at IS NULL OR v.notice IS NULL)",
        Overdue::Hold => "",
    };
    // The skills of the org come first, as they are few beside the versions of all.
    format!(
        "SELECT s.key, s.id, v.version FROM skills s CROSS JOIN versions v \
         LEFT JOIN gates g ON g.skill = v.skill AND g.version = v.version \
         WHERE v.skill = s.key AND s.org = $3 AND {} AND v.status = 'published' AND COALESCE(g.reviewed_at, v.created_at) < $1 {unknown} \
         AND (s.key > $5 OR (s.key = $5 AND v.version > $6)) ORDER BY s.key, v.version LIMIT $2",
        is_within("s.namespace", "$4")
    )
}

/// Versions that are handed out in a namespace, or below it, and that nobody has looked at since a time: at most `limit`, in order,
/// behind the last one. Those of which is known already what `overdue` makes of them are none.
pub async fn overdue(
    db: &Db,
    namespace: &str,
    since: Time,
    overdue: Overdue,
    behind: Option<&Late>,
    limit: i64,
) -> Result<Vec<Late>> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(AssertSqlSafe(overdue_text(overdue)))
        .bind(since.micros())
        .bind(limit)
        .bind(namespace.split('/').next().unwrap_or_default().to_owned())
        .bind(namespace.to_owned())
        .bind(behind.map_or("", |(key, ..)| key).to_owned())
        .bind(behind.map_or_else(String::new, |(.., version)| version.to_string()))
        .fetch_all(db.reader())
        .await?;
    rows.into_iter().map(|(key, id, version)| Ok((key, parsed(&id)?, parsed(&version)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Backend;
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_late_is_looked_for_among_the_skills_of_the_org() {
        let app = TestApp::new().await;
        app.publish("acme/tool", "1.0.0").await;
        if app.app.db.backend() == Backend::Postgres {
            // Of few rows it has a choice, and knows how many there are when it has looked at them.
            let of_skill = "visibility, latest, updated_at, rating_sum, rating_count, stars_1, stars_2, stars_3, stars_4, stars_5, \
                install_count, install_position";
            let of_version = "version, status, digest, size, code_hash, description, tags, author, license, files, words, \
                publisher, log_position";
            app.tamper(format!(
                "INSERT INTO orgs (key, name, created_at) SELECT 'org' || n, 'org' || n, 0 FROM generate_series(1, 100) n; \
                 INSERT INTO skills (key, number, id, namespace, org, created_at, {of_skill}) \
                 SELECT o.key || '/x' || n, n + 1000, o.key || '/x' || n, o.key, o.key, 0, {of_skill} \
                 FROM generate_series(1, 2000) n JOIN orgs o ON o.key = 'org' || (n % 100 + 1) JOIN skills s ON s.key = 'acme/tool'; \
                 INSERT INTO versions (skill, created_at, {of_version}) SELECT s.key, 0, {of_version} \
                 FROM versions v JOIN skills s ON s.key <> v.skill; ANALYZE skills; ANALYZE versions"
            ))
            .await;
        }
        for overdue in Overdue::ALL {
            let plan = app.plan(&overdue_text(*overdue), &[10, 100], &["acme", "acme", "", ""]).await;
            assert!(plan.contains("skills_by_place"), "{plan}");
            assert!(plan.contains("SEARCH v ") || plan.contains("(skill = s.key)"), "{plan}");
            assert!(!plan.contains("SCAN") && !plan.contains("Seq Scan"), "{plan}");
        }
    }
}
