//! Facts about the registry itself, by name.

use super::{Db, Tx};
use crate::failure::Result;

/// The registry's id, which an index remembers whose it is by.
pub const ID: &str = "registry-id";
/// The fingerprint of the key that encrypts signing secrets.
pub const SECRET_KEY: &str = "secret-key";
/// The last day that has left the trend (days since 1970 UTC).
pub const TREND_DAY: &str = "trend-day";

/// The last day on which it was looked for installs of users that are too old (days since 1970 UTC).
pub const USERS_FORGOTTEN: &str = "users-forgotten";

/// What is stored by this name.
pub async fn value(tx: &mut Tx, name: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar::<_, String>("SELECT value FROM settings WHERE name = $1")
        .bind(name.to_owned())
        .fetch_optional(tx.connection())
        .await?)
}

/// As [`value`], without a transaction.
pub async fn read(db: &Db, name: &str) -> Result<Option<String>> {
    Ok(sqlx::query_scalar::<_, String>("SELECT value FROM settings WHERE name = $1")
        .bind(name.to_owned())
        .fetch_optional(db.reader())
        .await?)
}

/// Stores a value by this name.
pub async fn set(tx: &mut Tx, name: &str, value: &str) -> Result<()> {
    sqlx::query(
        "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2",
    )
    .bind(name.to_owned())
    .bind(value.to_owned())
    .execute(tx.connection())
    .await?;
    Ok(())
}
