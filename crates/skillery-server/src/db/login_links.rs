//! Links that sign somebody in with a browser, once.

use skillery_core::Digest;
use skillery_core::time::Time;
use sqlx::{Any, Executor, Row};

use super::{Tx, accounts};
use crate::access::Identity;
use crate::failure::Result;

/// A link that was not used yet.
#[derive(Debug, Clone)]
pub struct LoginLink {
    /// The name of the user whom it signs in.
    pub user: String,
    /// Until when it does.
    pub expires_at: Time,
}

/// The link with this hash.
pub async fn find(executor: impl Executor<'_, Database = Any>, hash: &Digest) -> Result<Option<LoginLink>> {
    let row = sqlx::query(
        "SELECT u.name, l.expires_at FROM login_links l JOIN tokens t ON t.id = l.token \
         JOIN users u ON u.id = t.user_id WHERE l.hash = $1",
    )
    .bind(hash.to_string())
    .fetch_optional(executor)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(LoginLink { user: row.try_get(0)?, expires_at: Time::from_micros(row.try_get(1)?) }))
}

/// Keeps a link that was made with this token. Those that are too old go.
pub async fn insert(tx: &mut Tx, hash: &Digest, token: &str, expires_at: Time) -> Result<()> {
    let now = tx.now;
    sqlx::query("DELETE FROM login_links WHERE expires_at <= $1")
        .bind(now.micros())
        .execute(tx.connection())
        .await?;
    sqlx::query("INSERT INTO login_links (hash, token, expires_at) VALUES ($1, $2, $3)")
        .bind(hash.to_string())
        .bind(token.to_owned())
        .bind(expires_at.micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Uses a link up; gives whom it was made by, if it was good and its token still is.
pub async fn take(tx: &mut Tx, hash: &Digest) -> Result<Option<Identity>> {
    let now = tx.now;
    let row = sqlx::query("DELETE FROM login_links WHERE hash = $1 RETURNING token, expires_at")
        .bind(hash.to_string())
        .fetch_optional(tx.connection())
        .await?;
    let Some(row) = row else { return Ok(None) };
    let (token, expires_at): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
    let Some((token, user)) = accounts::token_by_id(tx.connection(), &token).await? else { return Ok(None) };
    let Some(user) = accounts::user_by_id(tx.connection(), &user).await? else { return Ok(None) };
    let roles = accounts::roles(tx.connection(), &user.id).await?;
    let is_live = token.expires_at.is_none_or(|expires| expires > now) && expires_at > now.micros();
    let identity = Identity { user, token, roles };
    Ok(Some(identity).filter(|identity| is_live && identity.check_good().is_ok()))
}
