//! Who has what: users by the version that they installed last, and orgs and authors by who installed and rated something
//! of theirs.

use std::collections::HashMap;

use skillery_core::api::BoardOf;
use sqlx::{AssertSqlSafe, Row};

use super::Db;
use crate::failure::Result;

/// Users who have a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holders {
    /// The version.
    pub version: String,
    /// All of them.
    pub all: i64,
    /// Those who installed it since a time.
    pub recent: i64,
}

/// The version that each user installed last. One who is switched off has nothing any more.
const NEWEST: &str = "WITH newest AS (SELECT i.user_id, i.version, i.last_at, ROW_NUMBER() OVER \
    (PARTITION BY i.user_id ORDER BY i.last_at DESC, i.first_at DESC, i.version DESC) AS place \
    FROM user_installs i JOIN users u ON u.id = i.user_id WHERE i.skill = $1 AND u.disabled_at IS NULL)";

/// How many users have each version of a skill.
pub async fn holders(db: &Db, skill: &str, since: i64) -> Result<Vec<Holders>> {
    let text = format!(
        "{NEWEST} SELECT version, CAST(COUNT(*) AS BIGINT), \
         CAST(SUM(CASE WHEN last_at >= $2 THEN 1 ELSE 0 END) AS BIGINT) \
         FROM newest WHERE place = 1 GROUP BY version"
    );
    let rows =
        sqlx::query(AssertSqlSafe(text)).bind(skill.to_owned()).bind(since).fetch_all(db.reader()).await?;
    rows.iter()
        .map(|row| Ok(Holders { version: row.try_get(0)?, all: row.try_get(1)?, recent: row.try_get(2)? }))
        .collect()
}

/// The names of users who have a version, by name.
pub async fn names(db: &Db, skill: &str, version: &str, limit: i64) -> Result<Vec<String>> {
    let text = format!(
        "{NEWEST} SELECT u.name FROM newest n JOIN users u ON u.id = n.user_id \
         WHERE n.place = 1 AND n.version = $2 ORDER BY u.name LIMIT $3"
    );
    Ok(sqlx::query_scalar::<_, String>(AssertSqlSafe(text))
        .bind(skill.to_owned())
        .bind(version.to_owned())
        .bind(limit)
        .fetch_all(db.reader())
        .await?)
}

/// What users outside of an org did with what is of somebody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// Users who installed something.
    pub consumers: i64,
    /// Users who rated something.
    pub raters: i64,
    /// What these rated, each with the mean of theirs, together, in tenths.
    pub tenths: i64,
}

/// How all authors or orgs stand since a time, by name. Private skills count nowhere; internal ones where they are wanted.
/// Members of the skill's org do not count, nor authors for themselves, nor users who are switched off. What is of an author or
/// a namespace that wants to be on no board counts nowhere.
pub async fn standings(
    db: &Db,
    of: BoardOf,
    since: i64,
    is_internal: bool,
) -> Result<HashMap<String, Standing>> {
    // Of whom something is, its name, and what keeps a user from counting.
    let (subject, join, own) = match of {
        BoardOf::Teams => ("o.name", "JOIN orgs o ON o.key = s.org", ""),
        BoardOf::Authors => (
            "a.name",
            "JOIN (SELECT DISTINCT skill, publisher FROM versions WHERE status = 'published') p ON p.skill = s.key \
             JOIN users a ON a.id = p.publisher AND a.disabled_at IS NULL AND a.unlisted_at IS NULL",
            "AND d.user_id <> p.publisher",
        ),
    };
    let visible =
        if is_internal { "s.visibility IN ('public', 'internal')" } else { "s.visibility = 'public'" };
    let from = |table: &str| {
        format!(
            "FROM {table} d JOIN skills s ON s.key = d.skill JOIN users u ON u.id = d.user_id {join} \
             WHERE u.disabled_at IS NULL AND {visible} AND s.latest IS NOT NULL {own} \
             AND NOT EXISTS (SELECT 1 FROM members m WHERE m.user_id = d.user_id AND m.org = s.org) \
             AND NOT EXISTS (SELECT 1 FROM namespace_insight w WHERE w.org = s.org AND w.unlisted_at IS NOT NULL AND \
             (s.namespace = w.namespace OR SUBSTR(s.namespace, 1, LENGTH(w.namespace) + 1) = w.namespace || '/'))"
        )
    };
    let mut found: HashMap<String, Standing> = HashMap::new();
    let consumers = format!(
        "SELECT {subject}, CAST(COUNT(DISTINCT d.user_id) AS BIGINT) {} AND d.last_at >= $1 GROUP BY {subject}",
        from("user_installs")
    );
    for row in sqlx::query(AssertSqlSafe(consumers)).bind(since).fetch_all(db.reader()).await? {
        found.entry(row.try_get(0)?).or_default().consumers = row.try_get(1)?;
    }
    // Each rater counts once, whatever many skills were rated. Both divide whole numbers alike.
    let ratings = format!(
        "SELECT name, CAST(COUNT(*) AS BIGINT), CAST(SUM(mean) AS BIGINT) FROM (SELECT {subject} AS name, \
         CAST(SUM(d.tenths) AS BIGINT) / CAST(COUNT(*) AS BIGINT) AS mean {} AND d.at >= $1 \
         GROUP BY {subject}, d.user_id) r GROUP BY name",
        from("ratings")
    );
    for row in sqlx::query(AssertSqlSafe(ratings)).bind(since).fetch_all(db.reader()).await? {
        let standing = found.entry(row.try_get(0)?).or_default();
        (standing.raters, standing.tenths) = (row.try_get(1)?, row.try_get(2)?);
    }
    Ok(found)
}
