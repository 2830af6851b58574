//! What namespaces and users want told of how skills are used: from which number of users on, and whether on leaderboards.

use skillery_core::Namespace;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Tx, placeholders, places_of};
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
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(places);
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
