//! Walking over skills in orders that the search index does not have, and finding them without their namespace.

use skillery_core::SkillId;
use skillery_core::time::Time;
use sqlx::{AssertSqlSafe, Row};

use super::skills::{SkillRow, skill_row};
use super::{Backend, Db, parsed};
use crate::failure::Result;

const ROW: &str = "id, number, visibility, latest, created_at, star_count";
/// The last segment of a key, as the index over it has it.
fn name(backend: Backend) -> String {
    format!("substr(key, length(namespace) + 2) COLLATE {}", backend.by_bytes())
}

/// What comes behind every letter that a key may have, as bytes go.
const BEHIND: char = '{';

/// An order in which skills are walked over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Walk {
    /// The newest first.
    Newest,
    /// The most starred first.
    Stars,
    /// Those whose last segment's key begins with these letters, by that segment.
    Beginning(String),
}

/// Where a walk is: at this skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The skill's number.
    pub number: i64,
    /// How many stars it had, where they are the order.
    pub stars: i64,
    /// The last segment of its key, where that is the order.
    pub name: String,
}

fn walk_text(walk: &Walk, backend: Backend) -> String {
    let name = name(backend);
    let (condition, order) = match walk {
        Walk::Newest => ("number < $1".to_owned(), "number DESC".to_owned()),
        Walk::Stars => (
            "(star_count < $4 OR (star_count = $4 AND number < $1))".to_owned(),
            "star_count DESC, number DESC".to_owned(),
        ),
        Walk::Beginning(_) => (
            format!("{name} >= $4 AND {name} < $5 AND ({name} > $4 OR number > $1)"),
            format!("{name}, number"),
        ),
    };
    format!(
        "SELECT {ROW} FROM skills WHERE {condition} AND latest IS NOT NULL AND ($2 = 0 OR visibility = 'public') \
         ORDER BY {order} LIMIT $3"
    )
}

/// The next skills of a walk that have a latest version, each with its stars: those behind `after`. `is_public`: none but
/// public ones, which spares who sees no others the rows in between.
pub async fn walk(
    db: &Db,
    walk: &Walk,
    after: Option<&Place>,
    is_public: bool,
    limit: i64,
) -> Result<Vec<(SkillRow, i64)>> {
    let start = if matches!(walk, Walk::Beginning(_)) { i64::MIN } else { i64::MAX };
    let number = after.map_or(start, |place| place.number);
    let text = walk_text(walk, db.backend());
    let query = sqlx::query(AssertSqlSafe(text)).bind(number).bind(i64::from(is_public)).bind(limit);
    let query = match walk {
        Walk::Newest => query,
        Walk::Stars => query.bind(after.map_or(i64::MAX, |place| place.stars)),
        Walk::Beginning(prefix) => {
            let from = after.map_or(prefix, |place| &place.name);
            query.bind(from.clone()).bind(format!("{prefix}{BEHIND}"))
        }
    };
    let rows = query.fetch_all(db.reader()).await?;
    rows.iter().map(|row| Ok((skill_row(row, 0)?, row.try_get(5)?))).collect()
}

/// The highest number of a public skill that has a latest version; 0 where there is none.
pub async fn last_public(db: &Db) -> Result<i64> {
    let text = "SELECT number FROM skills WHERE visibility = 'public' AND latest IS NOT NULL \
        ORDER BY number DESC LIMIT 1";
    Ok(sqlx::query_scalar::<_, i64>(text).fetch_optional(db.reader()).await?.unwrap_or(0))
}

/// Ids of public skills that have a latest version and numbers from `begin` to below `end`, each with when that was published.
pub async fn public_between(db: &Db, begin: i64, end: i64) -> Result<Vec<(SkillId, Time)>> {
    let text = "SELECT id, updated_at FROM skills \
        WHERE number >= $1 AND number < $2 AND visibility = 'public' AND latest IS NOT NULL ORDER BY number";
    let rows = sqlx::query(text).bind(begin).bind(end).fetch_all(db.reader()).await?;
    rows.iter().map(|row| Ok((parsed(row.try_get(0)?)?, Time::from_micros(row.try_get(1)?)))).collect()
}

fn named_text(backend: Backend) -> String {
    let name = name(backend);
    format!("SELECT {ROW} FROM skills WHERE {name} = $1 AND number > $2 ORDER BY number LIMIT $3")
}

/// Skills of any namespace whose last segment has this key, by number: those above `after`.
pub async fn named(db: &Db, name: &str, after: i64, limit: i64) -> Result<Vec<SkillRow>> {
    let rows = sqlx::query(AssertSqlSafe(named_text(db.backend())))
        .bind(name.to_owned())
        .bind(after)
        .bind(limit)
        .fetch_all(db.reader())
        .await?;
    rows.iter().map(|row| skill_row(row, 0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn beginnings_of_names_are_looked_up_in_their_index() {
        let app = TestApp::new().await;
        let text = walk_text(&Walk::Beginning("a".to_owned()), app.app.db.backend());
        let plan = app.plan(&text, &[0, 0, 10], &["a", "a{"]).await;
        assert!(plan.contains("skills_by_name"), "{plan}");
        assert!(plan.contains(">") && !plan.to_lowercase().contains("scan skills using"), "{plan}");
        assert!(!plan.to_lowercase().contains("temp b-tree") && !plan.contains("Sort"), "{plan}");
    }
}
