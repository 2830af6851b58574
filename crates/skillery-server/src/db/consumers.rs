//! Who has what: users by the version that they installed last.

use sqlx::{AssertSqlSafe, Row};

use super::{BindAll, Db, placeholders};
use crate::failure::Result;

/// Versions whose users are asked for together at most.
pub const MOST: usize = 200;
/// As many as mostly are: there is one statement for so many, and one for all that may be.
const FEW: usize = 8;

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

/// Versions with the names of users who have them: one version after the other in the order in which they are asked for, and
/// by name, so many names together. At most [`MOST`] versions are looked at.
pub async fn names(db: &Db, skill: &str, asked: &[String], limit: i64) -> Result<Vec<(String, String)>> {
    let length = if asked.len() <= FEW { FEW } else { MOST };
    let places: String = (0..length).map(|place| format!("WHEN ${} THEN {place} ", place + 3)).collect();
    let text = format!(
        "{NEWEST} SELECT n.version, u.name FROM newest n JOIN users u ON u.id = n.user_id \
         WHERE n.place = 1 AND n.version IN ({}) \
         ORDER BY CASE n.version {places} END, u.key COLLATE {} LIMIT $2",
        placeholders(3, length),
        db.backend().by_bytes(),
    );
    let query = sqlx::query_as::<_, (String, String)>(AssertSqlSafe(text))
        .bind(skill.to_owned())
        .bind(limit)
        // No version is empty.
        .bind_all((0..length).map(|place| asked.get(place).cloned().unwrap_or_default()));
    Ok(query.fetch_all(db.reader()).await?)
}
