//! What namespaces and users want told of how skills are used: from which number of users on, and whether on leaderboards.

use std::collections::HashMap;

use skillery_core::Namespace;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{Db, Tx, placeholders, places_of};
use crate::failure::Result;

/// What a namespace has set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its key.
    pub namespace: String,
    /// Figures about fewer users are withheld.
    pub k: Option<u32>,
    /// Whether its skills count on leaderboards.
    pub listed: bool,
}

/// What a namespace and those above it have set.
pub async fn around(executor: impl Executor<'_, Database = Any>, namespace: &Namespace) -> Result<Vec<Wish>> {
    let places = places_of(namespace)?;
    let text = format!(
        "SELECT namespace, k, unlisted_at FROM namespace_insight WHERE namespace IN ({})",
        placeholders(1, places.len())
    );
    let mut query = sqlx::query(AssertSqlSafe(text));
    for place in places {
        query = query.bind(place);
    }
    query.fetch_all(executor).await?.iter().map(wish).collect()
}

fn wish(row: &sqlx::any::AnyRow) -> Result<Wish> {
    Ok(Wish {
        namespace: row.try_get(0)?,
        k: row.try_get::<Option<i64>, _>(1)?.map(|k| u32::try_from(k).unwrap_or(u32::MAX)),
        listed: row.try_get::<Option<i64>, _>(2)?.is_none(),
    })
}

/// Sets what a namespace wants. `index` is the number of the log entry that says so.
pub async fn set(tx: &mut Tx, namespace: &Namespace, k: Option<u32>, listed: bool, index: i64) -> Result<()> {
    let now = tx.now;
    sqlx::query(
        "INSERT INTO namespace_insight (namespace, org, k, unlisted_at, log_index) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (namespace) DO UPDATE SET k = $3, unlisted_at = $4, log_index = $5",
    )
    .bind(namespace.key())
    .bind(namespace.org_key())
    .bind(k.map(i64::from))
    .bind((!listed).then(|| now.micros()))
    .bind(index)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The most that the namespaces of each org withhold figures below: by name of the org.
pub async fn most_by_org(db: &Db) -> Result<HashMap<String, u32>> {
    most(
        db,
        "SELECT o.name, MAX(n.k) FROM namespace_insight n JOIN orgs o ON o.key = n.org \
         WHERE n.k IS NOT NULL GROUP BY o.name",
    )
    .await
}

/// The most that the namespaces withhold figures below that an author has published in, or above: by name of the author.
pub async fn most_by_author(db: &Db) -> Result<HashMap<String, u32>> {
    most(
        db,
        "SELECT a.name, MAX(n.k) FROM namespace_insight n JOIN skills s ON s.org = n.org \
         AND (s.namespace = n.namespace OR SUBSTR(s.namespace, 1, LENGTH(n.namespace) + 1) = n.namespace || '/') \
         JOIN versions v ON v.skill = s.key AND v.status = 'published' JOIN users a ON a.id = v.publisher \
         WHERE n.k IS NOT NULL GROUP BY a.name",
    )
    .await
}

async fn most(db: &Db, text: &'static str) -> Result<HashMap<String, u32>> {
    let rows: Vec<(String, i64)> = sqlx::query_as(text).fetch_all(db.reader()).await?;
    Ok(rows.into_iter().map(|(name, k)| (name, u32::try_from(k).unwrap_or(u32::MAX))).collect())
}

/// Whether a user may be on leaderboards.
pub async fn is_listed(executor: impl Executor<'_, Database = Any>, user: &str) -> Result<bool> {
    let unlisted = sqlx::query_scalar::<_, Option<i64>>("SELECT unlisted_at FROM users WHERE id = $1")
        .bind(user.to_owned())
        .fetch_optional(executor)
        .await?;
    Ok(unlisted.flatten().is_none())
}

/// Sets whether a user may be on leaderboards.
pub async fn set_listed(tx: &mut Tx, user: &str, listed: bool) -> Result<()> {
    let now = tx.now;
    sqlx::query("UPDATE users SET unlisted_at = $2 WHERE id = $1")
        .bind(user.to_owned())
        .bind((!listed).then(|| now.micros()))
        .execute(tx.connection())
        .await?;
    Ok(())
}
