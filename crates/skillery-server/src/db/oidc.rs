//! Publishers that namespaces trust, identity tokens that were used, and people who sign in with another account.

use skillery_core::api::Publisher;
use skillery_core::time::Time;
use skillery_core::{Digest, Namespace, Scope};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Tx, from_json, parsed, placeholders};
use crate::failure::{Failure, Result};

const PUBLISHER: &str = "p.id, p.namespace, u.name, p.kind, p.issuer, p.repository, p.owner_id, p.workflow, \
    p.environment, p.reference, p.claims, p.created_at, p.user_id FROM publishers p JOIN users u ON u.id = p.user_id";

fn publisher_row(row: &AnyRow) -> Result<Publisher> {
    let claims: std::collections::BTreeMap<String, String> = from_json(row.try_get(10)?)?;
    let repository: String = row.try_get(5)?;
    Ok(Publisher {
        id: row.try_get(0)?,
        namespace: row.try_get(1)?,
        user: row.try_get(2)?,
        kind: parsed(row.try_get(3)?)?,
        issuer: row.try_get(4)?,
        repository: Some(repository).filter(|_| claims.is_empty()),
        owner_id: row.try_get(6)?,
        workflow: row.try_get(7)?,
        environment: row.try_get(8)?,
        reference: row.try_get(9)?,
        claims,
        created_at: Time::from_micros(row.try_get(11)?),
    })
}

/// Adds a publisher that acts as this user. `index` is the number of the log entry that says so.
pub async fn insert_publisher(
    tx: &mut Tx,
    publisher: &Publisher,
    namespace: &Namespace,
    user: &str,
    index: i64,
) -> Result<()> {
    let name = publisher.repository.as_ref().or_else(|| publisher.claims.get("sub"));
    sqlx::query(
        "INSERT INTO publishers (id, namespace, org, user_id, issuer, kind, repository, owner_id, workflow, \
         environment, reference, claims, created_at, log_index) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(publisher.id.clone())
    .bind(namespace.key())
    .bind(namespace.org_key())
    .bind(user.to_owned())
    .bind(publisher.issuer.clone())
    .bind(publisher.kind.as_str())
    .bind(name.cloned().unwrap_or_default())
    .bind(publisher.owner_id.clone())
    .bind(publisher.workflow.clone())
    .bind(publisher.environment.clone())
    .bind(publisher.reference.clone())
    .bind(serde_json::to_string(&publisher.claims).map_err(Failure::internal)?)
    .bind(publisher.created_at.micros())
    .bind(index)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The publisher with this id, while it is trusted, and the id of its user.
pub async fn publisher(
    executor: impl Executor<'_, Database = Any>,
    id: &str,
) -> Result<Option<(Publisher, String)>> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Ok(None);
    }
    let text = format!("SELECT {PUBLISHER} WHERE p.id = $1 AND p.removed_at IS NULL");
    let row = sqlx::query(AssertSqlSafe(text)).bind(id.to_owned()).fetch_optional(executor).await?;
    row.as_ref().map(|row| Ok((publisher_row(row)?, row.try_get(12)?))).transpose()
}

/// The key of the namespace that trusts the build which acts as this user, and the number of the log entry that says so.
pub async fn trusted_in(
    executor: impl Executor<'_, Database = Any>,
    user: &str,
) -> Result<Option<(String, u64)>> {
    let row: Option<(String, i64)> = sqlx::query_as(
        "SELECT namespace, log_index FROM publishers WHERE user_id = $1 AND removed_at IS NULL",
    )
    .bind(user.to_owned())
    .fetch_optional(executor)
    .await?;
    row.map(|(place, index)| Ok((place, u64::try_from(index).map_err(Failure::internal)?))).transpose()
}

/// Trusts a publisher no more. Its row stays, as the log names it.
pub async fn remove_publisher(tx: &mut Tx, id: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query("UPDATE publishers SET removed_at = $2 WHERE id = $1")
        .bind(id.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Publishers that the namespace with this key itself trusts, the oldest first.
pub async fn publishers_of(
    executor: impl Executor<'_, Database = Any>,
    namespace: &str,
) -> Result<Vec<Publisher>> {
    publishers_in(executor, &[namespace.to_owned()]).await
}

/// Publishers that any of the namespaces with these keys trusts, by namespace, the oldest first.
pub async fn publishers_in(
    executor: impl Executor<'_, Database = Any>,
    namespaces: &[String],
) -> Result<Vec<Publisher>> {
    let text = format!(
        "SELECT {PUBLISHER} WHERE p.namespace IN ({}) AND p.removed_at IS NULL ORDER BY p.namespace, p.created_at, p.id",
        placeholders(1, namespaces.len())
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(namespaces.iter().cloned());
    query.fetch_all(executor).await?.iter().map(publisher_row).collect()
}

/// Whether anybody trusts builds of this issuer.
pub async fn is_issuer_trusted(executor: impl Executor<'_, Database = Any>, issuer: &str) -> Result<bool> {
    let found = sqlx::query_scalar::<_, i64>(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM publishers WHERE issuer = $1 AND removed_at IS NULL",
    )
    .bind(issuer.to_owned())
    .fetch_one(executor)
    .await?;
    Ok(found > 0)
}

/// Publishers of this issuer for this repository, or for this subject where they are generic.
pub async fn publishers_for(
    executor: impl Executor<'_, Database = Any>,
    issuer: &str,
    kind: &str,
    repository: &str,
) -> Result<Vec<Publisher>> {
    let text = format!(
        "SELECT {PUBLISHER} WHERE p.issuer = $1 AND p.kind = $2 AND p.repository = $3 AND p.removed_at IS NULL \
         ORDER BY p.created_at, p.id"
    );
    let query = sqlx::query(AssertSqlSafe(text));
    let rows = query
        .bind(issuer.to_owned())
        .bind(kind.to_owned())
        .bind(repository.to_owned())
        .fetch_all(executor)
        .await?;
    rows.iter().map(publisher_row).collect()
}

/// Notes that an identity token was used; whether it is for the first time. Forgets those that have ended.
pub async fn use_id_token(tx: &mut Tx, unique: &str, until: Time) -> Result<bool> {
    let now = tx.now.micros();
    sqlx::query("DELETE FROM used_id_tokens WHERE until < $1").bind(now).execute(tx.connection()).await?;
    let noted = sqlx::query(
        "INSERT INTO used_id_tokens (digest, until) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING",
    )
    .bind(Digest::of(unique.as_bytes()).to_string())
    .bind(until.micros())
    .execute(tx.connection())
    .await?;
    Ok(noted.rows_affected() > 0)
}

/// The id of the user who is linked with this account.
pub async fn linked_user(
    executor: impl Executor<'_, Database = Any>,
    issuer: &str,
    subject: &str,
) -> Result<Option<String>> {
    Ok(sqlx::query_scalar::<_, String>(
        "SELECT user_id FROM linked_accounts WHERE issuer = $1 AND subject = $2",
    )
    .bind(issuer.to_owned())
    .bind(subject.to_owned())
    .fetch_optional(executor)
    .await?)
}

/// Links a user with an account, in place of another one at the same issuer; true where there was one.
pub async fn link(tx: &mut Tx, user: &str, issuer: &str, subject: &str) -> Result<bool> {
    let now = tx.now.micros();
    let before = sqlx::query("DELETE FROM linked_accounts WHERE user_id = $1 AND issuer = $2")
        .bind(user.to_owned())
        .bind(issuer.to_owned())
        .execute(tx.connection())
        .await?;
    sqlx::query("INSERT INTO linked_accounts (issuer, subject, user_id, at) VALUES ($1, $2, $3, $4)")
        .bind(issuer.to_owned())
        .bind(subject.to_owned())
        .bind(user.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(before.rows_affected() > 0)
}

/// A signing in that has begun.
#[derive(Debug, Clone)]
pub struct PendingLogin {
    /// What it is asked for by, hashed.
    pub handle: Digest,
    /// What the provider knows it by, encrypted.
    pub device_code: String,
    /// What the token is to do.
    pub scopes: Vec<Scope>,
    /// Seconds between two questions to the provider.
    pub pause: i64,
    /// When the provider may be asked next.
    pub next_poll: Time,
    /// When it is too late.
    pub expires_at: Time,
}

/// How many there are that are not too late.
pub async fn pending_logins(executor: impl Executor<'_, Database = Any>, now: Time) -> Result<i64> {
    Ok(sqlx::query_scalar::<_, i64>(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM pending_logins WHERE expires_at > $1",
    )
    .bind(now.micros())
    .fetch_one(executor)
    .await?)
}

/// Forgets those that are too late, and tells how many are left.
pub async fn forget_logins(tx: &mut Tx) -> Result<i64> {
    let now = tx.now;
    sqlx::query("DELETE FROM pending_logins WHERE expires_at <= $1")
        .bind(now.micros())
        .execute(tx.connection())
        .await?;
    pending_logins(tx.connection(), now).await
}

/// Adds one.
pub async fn insert_login(tx: &mut Tx, login: &PendingLogin) -> Result<()> {
    sqlx::query(
        "INSERT INTO pending_logins (handle, device_code, scopes, pause, next_poll, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(login.handle.to_string())
    .bind(login.device_code.clone())
    .bind(serde_json::to_string(&login.scopes).map_err(Failure::internal)?)
    .bind(login.pause)
    .bind(login.next_poll.micros())
    .bind(login.expires_at.micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// The one with this handle.
pub async fn login(
    executor: impl Executor<'_, Database = Any>,
    handle: &Digest,
) -> Result<Option<PendingLogin>> {
    let row = sqlx::query(
        "SELECT device_code, scopes, pause, next_poll, expires_at FROM pending_logins WHERE handle = $1",
    )
    .bind(handle.to_string())
    .fetch_optional(executor)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(PendingLogin {
        handle: *handle,
        device_code: row.try_get(0)?,
        scopes: from_json(row.try_get(1)?)?,
        pause: row.try_get(2)?,
        next_poll: Time::from_micros(row.try_get(3)?),
        expires_at: Time::from_micros(row.try_get(4)?),
    }))
}

/// Notes when the provider may be asked next, and how often from then on.
pub async fn postpone_login(tx: &mut Tx, handle: &Digest, pause: i64, next_poll: Time) -> Result<()> {
    sqlx::query("UPDATE pending_logins SET pause = $2, next_poll = $3 WHERE handle = $1")
        .bind(handle.to_string())
        .bind(pause)
        .bind(next_poll.micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Ends one; whether it was there.
pub async fn end_login(tx: &mut Tx, handle: &Digest) -> Result<bool> {
    let ended = sqlx::query("DELETE FROM pending_logins WHERE handle = $1")
        .bind(handle.to_string())
        .execute(tx.connection())
        .await?;
    Ok(ended.rows_affected() > 0)
}
