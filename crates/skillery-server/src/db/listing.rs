//! Walking over skills in orders that the search index does not have, and finding them without their namespace.

use sqlx::{AssertSqlSafe, Row};

use super::skills::{SkillRow, skill_row};
use super::Db;
use crate::failure::Result;

const ROW: &str = "id, number, visibility, latest, created_at, star_count";
/// The last segment of a key, as the index over it has it.
const NAME: &str = "substr(key, length(namespace) + 2)";

/// An order in which skills are walked over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Walk {
    /// The newest first.
    Newest,
    /// The most starred first.
    Stars,
    /// Those whose last segment's key begins with this, in the order in which they were made.
    Beginning(String),
}

/// Where a walk is: number and stars of the last skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The skill's number.
    pub number: i64,
    /// How many stars it had.
    pub stars: i64,
}

/// The next skills of a walk that have a latest version, each with its stars. `is_public`: none but public ones, which
/// spares who sees no others the rows in between.
pub async fn walk(
    db: &Db,
    walk: &Walk,
    after: Option<Place>,
    is_public: bool,
    limit: i64,
) -> Result<Vec<(SkillRow, i64)>> {
    let (condition, order) = match walk {
        Walk::Newest => ("number < $1", "number DESC"),
        Walk::Stars => {
            ("(star_count < $4 OR (star_count = $4 AND number < $1))", "star_count DESC, number DESC")
        }
        // `substr` counts in small integers.
        Walk::Beginning(_) => {
            ("number > $1 AND substr(key, length(namespace) + 2, CAST($5 AS INTEGER)) = $4", "number")
        }
    };
    let text = format!(
        "SELECT {ROW} FROM skills WHERE {condition} AND latest IS NOT NULL AND ($2 = 0 OR visibility = 'public') \
         ORDER BY {order} LIMIT $3"
    );
    let start = if matches!(walk, Walk::Beginning(_)) { 0 } else { i64::MAX };
    let place = after.unwrap_or(Place { number: start, stars: i64::MAX });
    let query = sqlx::query(AssertSqlSafe(text)).bind(place.number).bind(i64::from(is_public)).bind(limit);
    let query = match walk {
        Walk::Newest => query,
        Walk::Stars => query.bind(place.stars),
        Walk::Beginning(prefix) => query.bind(prefix.clone()).bind(prefix.len() as i64),
    };
    let rows = query.fetch_all(db.reader()).await?;
    rows.iter().map(|row| Ok((skill_row(row, 0)?, row.try_get(5)?))).collect()
}

/// Skills of any namespace whose last segment has this key, by number: those above `after`.
pub async fn named(db: &Db, name: &str, after: i64, limit: i64) -> Result<Vec<SkillRow>> {
    let text =
        format!("SELECT {ROW} FROM skills WHERE {NAME} = $1 AND number > $2 ORDER BY number LIMIT $3");
    let rows = sqlx::query(AssertSqlSafe(text))
        .bind(name.to_owned())
        .bind(after)
        .bind(limit)
        .fetch_all(db.reader())
        .await?;
    rows.iter().map(|row| skill_row(row, 0)).collect()
}
