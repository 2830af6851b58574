//! Groups of namespaces, whose members policies ask for.

use std::collections::HashMap;

use skillery_core::api::GroupSummary;
use skillery_core::{Namespace, Segment};
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Tx, parsed, pieces, placeholders, places_of};
use crate::failure::{Failure, Result};

/// A group that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Membership {
    /// The key of its namespace.
    pub namespace: String,
    /// Its name.
    pub name: Segment,
    /// The number of the log entry that says so.
    pub entry: u64,
}

/// The ids of the members of a group, in order; nothing where there is no such group.
pub async fn members(tx: &mut Tx, namespace: &Namespace, name: &Segment) -> Result<Option<Vec<String>>> {
    let is_there = sqlx::query_scalar::<_, i64>(
        "SELECT log_index FROM reviewer_groups WHERE namespace = $1 AND name = $2",
    )
    .bind(namespace.key())
    .bind(name.to_string())
    .fetch_optional(tx.connection())
    .await?;
    if is_there.is_none() {
        return Ok(None);
    }
    let users = sqlx::query_scalar(
        "SELECT user_id FROM reviewer_group_members WHERE namespace = $1 AND name = $2 ORDER BY user_id",
    )
    .bind(namespace.key())
    .bind(name.to_string())
    .fetch_all(tx.connection())
    .await?;
    Ok(Some(users))
}

/// How many groups a namespace has.
pub async fn count(tx: &mut Tx, namespace: &Namespace) -> Result<i64> {
    Ok(sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM reviewer_groups WHERE namespace = $1")
        .bind(namespace.key())
        .fetch_one(tx.connection())
        .await?)
}

/// Sets the members of a group, in place of those before. `index` is the number of the log entry that says so.
pub async fn set(
    tx: &mut Tx,
    namespace: &Namespace,
    name: &Segment,
    users: &[String],
    index: i64,
) -> Result<()> {
    let now = tx.now;
    remove_members(tx, namespace, name).await?;
    sqlx::query(
        "INSERT INTO reviewer_groups (namespace, name, place, org, set_at, log_index) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (namespace, name) DO UPDATE SET place = $3, set_at = $5, log_index = $6",
    )
    .bind(namespace.key())
    .bind(name.to_string())
    .bind(namespace.to_string())
    .bind(namespace.org_key())
    .bind(now.micros())
    .bind(index)
    .execute(tx.connection())
    .await?;
    for user in users {
        sqlx::query("INSERT INTO reviewer_group_members (namespace, name, user_id) VALUES ($1, $2, $3)")
            .bind(namespace.key())
            .bind(name.to_string())
            .bind(user.clone())
            .execute(tx.connection())
            .await?;
    }
    Ok(())
}

async fn remove_members(tx: &mut Tx, namespace: &Namespace, name: &Segment) -> Result<()> {
    sqlx::query("DELETE FROM reviewer_group_members WHERE namespace = $1 AND name = $2")
        .bind(namespace.key())
        .bind(name.to_string())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Removes a group; tells whether there was one.
pub async fn remove(tx: &mut Tx, namespace: &Namespace, name: &Segment) -> Result<bool> {
    remove_members(tx, namespace, name).await?;
    let removed = sqlx::query("DELETE FROM reviewer_groups WHERE namespace = $1 AND name = $2")
        .bind(namespace.key())
        .bind(name.to_string())
        .execute(tx.connection())
        .await?;
    Ok(removed.rows_affected() > 0)
}

/// The groups of a namespace and of those above it that a user is in.
pub async fn of_user(
    executor: impl Executor<'_, Database = Any>,
    namespace: &Namespace,
    user: &str,
) -> Result<Vec<Membership>> {
    let places = places_of(namespace)?;
    let text = format!(
        "SELECT g.namespace, g.name, g.log_index FROM reviewer_groups g JOIN reviewer_group_members m \
         ON m.namespace = g.namespace AND m.name = g.name WHERE m.user_id = $1 AND g.namespace IN ({}) \
         ORDER BY g.log_index",
        placeholders(2, places.len())
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind(user.to_owned()).bind_all(places);
    query.fetch_all(executor).await?.iter().map(membership).collect()
}

/// The groups, wherever they are, that these users are in, by user.
pub async fn of_users(
    connection: &mut sqlx::AnyConnection,
    users: &[String],
) -> Result<HashMap<String, Vec<Membership>>> {
    let mut found: HashMap<String, Vec<Membership>> = HashMap::new();
    for piece in pieces(users) {
        let text = format!(
            "SELECT g.namespace, g.name, g.log_index, m.user_id FROM reviewer_groups g JOIN reviewer_group_members m \
             ON m.namespace = g.namespace AND m.name = g.name WHERE m.user_id IN ({}) ORDER BY g.log_index",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in query.fetch_all(&mut *connection).await? {
            found.entry(row.try_get(3)?).or_default().push(membership(&row)?);
        }
    }
    Ok(found)
}

fn membership(row: &sqlx::any::AnyRow) -> Result<Membership> {
    Ok(Membership {
        namespace: row.try_get(0)?,
        name: parsed(row.try_get(1)?)?,
        entry: u64::try_from(row.try_get::<i64, _>(2)?).map_err(Failure::internal)?,
    })
}

/// The groups of a namespace and of those above it, the outermost first, with the names of their members.
pub async fn around(
    executor: impl Executor<'_, Database = Any>,
    namespace: &Namespace,
) -> Result<Vec<GroupSummary>> {
    let places = places_of(namespace)?;
    let text = format!(
        "SELECT g.place, g.name, g.log_index, u.name FROM reviewer_groups g LEFT JOIN reviewer_group_members m \
         ON m.namespace = g.namespace AND m.name = g.name LEFT JOIN users u ON u.id = m.user_id \
         WHERE g.namespace IN ({}) ORDER BY LENGTH(g.namespace), g.name, u.key",
        placeholders(1, places.len())
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(places);
    let mut groups: Vec<GroupSummary> = Vec::new();
    for row in query.fetch_all(executor).await? {
        let (namespace, group): (String, Segment) = (row.try_get(0)?, parsed(row.try_get(1)?)?);
        let user: Option<String> = row.try_get(3)?;
        match groups.last_mut().filter(|last| last.namespace == namespace && last.group == group) {
            Some(last) => last.users.extend(user),
            None => {
                let log_index = u64::try_from(row.try_get::<i64, _>(2)?).map_err(Failure::internal)?;
                groups.push(GroupSummary { namespace, group, users: user.into_iter().collect(), log_index });
            }
        }
    }
    Ok(groups)
}
