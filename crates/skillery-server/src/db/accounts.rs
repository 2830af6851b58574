//! Users and their tokens.

use std::collections::HashMap;

use skillery_core::api::{TokenSummary, UserSummary};
use skillery_core::event::Event;
use skillery_core::time::Time;
use skillery_core::{Digest, Role, Scope, Segment};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, from_json, parsed, pieces, placeholders};
use crate::failure::{Failure, Result};

/// A user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRow {
    /// Opaque; what the log calls the user.
    pub id: String,
    /// What people call the user.
    pub name: String,
    /// Whether an admin of the whole registry.
    pub site_admin: bool,
    /// When the user was made.
    pub created_at: Time,
    /// When the user was switched off.
    pub disabled_at: Option<Time>,
}

impl UserRow {
    /// For a listing.
    pub fn summary(&self) -> UserSummary {
        UserSummary {
            name: self.name.clone(),
            site_admin: self.site_admin,
            disabled: self.disabled_at.is_some(),
            created_at: self.created_at,
        }
    }
}

const USER: &str = "id, name, site_admin, created_at, disabled_at";

fn user_row(row: &AnyRow, first: usize) -> Result<UserRow> {
    Ok(UserRow {
        id: row.try_get(first)?,
        name: row.try_get(first + 1)?,
        site_admin: row.try_get::<i64, _>(first + 2)? != 0,
        created_at: Time::from_micros(row.try_get(first + 3)?),
        disabled_at: row.try_get::<Option<i64>, _>(first + 4)?.map(Time::from_micros),
    })
}

/// A name as it is compared: `-`, `_` and `.` are equal.
pub fn name_key(name: &str) -> String {
    name.replace(['_', '.'], "-")
}

/// The user with this name.
pub async fn user_by_name(
    executor: impl Executor<'_, Database = Any>,
    name: &str,
) -> Result<Option<UserRow>> {
    // What is no name is nobody's; not every database takes it either.
    if name.parse::<Segment>().is_err() {
        return Ok(None);
    }
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {USER} FROM users WHERE key = $1")))
        .bind(name_key(name))
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(|row| user_row(row, 0)).transpose()
}

/// The user with this id.
pub async fn user_by_id(executor: impl Executor<'_, Database = Any>, id: &str) -> Result<Option<UserRow>> {
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {USER} FROM users WHERE id = $1")))
        .bind(id.to_owned())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(|row| user_row(row, 0)).transpose()
}

/// Some admin of the registry, if there is one.
pub async fn any_site_admin(executor: impl Executor<'_, Database = Any>) -> Result<Option<UserRow>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {USER} FROM users WHERE site_admin = 1 AND disabled_at IS NULL ORDER BY created_at, id LIMIT 1"
    )))
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(|row| user_row(row, 0)).transpose()
}

/// One page of the users whose names begin so, by name, and how many there are.
pub async fn users(db: &Db, prefix: &str, limit: i64, offset: i64) -> Result<(u64, Vec<UserRow>)> {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    let prefix = prefix.trim().to_ascii_lowercase();
    if !prefix.bytes().all(is_part) {
        return Ok((0, Vec::new()));
    }
    // A key has no sign that means more in a pattern.
    let pattern = format!("{}%", name_key(&prefix));
    let total = sqlx::query_scalar::<_, i64>("SELECT CAST(COUNT(*) AS BIGINT) FROM users WHERE key LIKE $1")
        .bind(pattern.clone())
        .fetch_one(db.reader())
        .await?;
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT {USER} FROM users WHERE key LIKE $1 ORDER BY key LIMIT $2 OFFSET $3"
    )))
    .bind(pattern)
    .bind(limit)
    .bind(offset)
    .fetch_all(db.reader())
    .await?;
    let users = rows.iter().map(|row| user_row(row, 0)).collect::<Result<_>>()?;
    Ok((u64::try_from(total).unwrap_or(0), users))
}

/// Adds a user.
pub async fn insert_user(tx: &mut Tx, id: String, name: &str, site_admin: bool) -> Result<UserRow> {
    let now = tx.now;
    sqlx::query("INSERT INTO users (id, name, key, site_admin, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.clone())
        .bind(name.to_owned())
        .bind(name_key(name))
        .bind(i64::from(site_admin))
        .bind(now.micros())
        .execute(tx.connection())
        .await?;
    Ok(UserRow { id, name: name.to_owned(), site_admin, created_at: now, disabled_at: None })
}

/// Switches a user off or on.
pub async fn set_disabled(tx: &mut Tx, user: &mut UserRow, disabled: bool) -> Result<()> {
    user.disabled_at = disabled.then_some(tx.now);
    sqlx::query("UPDATE users SET disabled_at = $2 WHERE id = $1")
        .bind(user.id.clone())
        .bind(user.disabled_at.map(Time::micros))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenRow {
    /// To revoke it by.
    pub id: String,
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Keys of the namespaces that it is bound to; empty: not bound.
    pub namespaces: Vec<String>,
    /// When it was made.
    pub created_at: Time,
    /// When it expires.
    pub expires_at: Option<Time>,
    /// When it was last used, to the hour.
    pub last_used_at: Option<Time>,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
    /// The build that it was made for, where it was made for one.
    pub via: Option<String>,
    /// Where this is the session of a browser: the token that was signed in with, or itself where it was an account elsewhere.
    pub parent: Option<String>,
}

impl TokenRow {
    /// A token with this id that is made at this time, bound to nothing, without an end, and no session and no build's.
    pub fn new(id: String, label: &str, scopes: Vec<Scope>, at: Time) -> Self {
        Self {
            id,
            label: label.to_owned(),
            scopes,
            namespaces: Vec::new(),
            created_at: at,
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
            via: None,
            parent: None,
        }
    }

    /// What the log says when it is issued to this user, by this publisher where it is a build's.
    fn issued(&self, user: &str, publisher: Option<String>) -> Event {
        Event::TokenIssued {
            token: self.id.clone(),
            user: user.to_owned(),
            scopes: self.scopes.clone(),
            namespaces: self.namespaces.clone(),
            publisher,
            build: self.via.as_deref().map(|via| Digest::of(via.as_bytes())),
        }
    }

    /// Whether it is the session of a browser.
    pub fn is_session(&self) -> bool {
        self.parent.is_some()
    }

    /// For a listing.
    pub fn summary(&self, user: &str) -> TokenSummary {
        TokenSummary {
            id: self.id.clone(),
            user: user.to_owned(),
            label: self.label.clone(),
            scopes: self.scopes.clone(),
            namespaces: self.namespaces.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            revoked_at: self.revoked_at,
        }
    }
}

const TOKEN: &str = "t.id, t.label, t.scopes, t.namespaces, t.created_at, t.expires_at, t.last_used_at, t.revoked_at, t.via, t.parent";

fn token_row(row: &AnyRow) -> Result<TokenRow> {
    let time = |column: usize| -> Result<Option<Time>> {
        Ok(row.try_get::<Option<i64>, _>(column)?.map(Time::from_micros))
    };
    Ok(TokenRow {
        id: row.try_get(0)?,
        label: row.try_get(1)?,
        scopes: from_json(row.try_get(2)?)?,
        namespaces: from_json(row.try_get(3)?)?,
        created_at: Time::from_micros(row.try_get(4)?),
        expires_at: time(5)?,
        last_used_at: time(6)?,
        revoked_at: time(7)?,
        via: row.try_get(8)?,
        parent: row.try_get(9)?,
    })
}

/// The token with this hash, and whose it is.
pub async fn token_by_hash(
    executor: impl Executor<'_, Database = Any>,
    hash: &Digest,
) -> Result<Option<(TokenRow, UserRow)>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT {TOKEN}, u.id, u.name, u.site_admin, u.created_at, u.disabled_at \
         FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1"
    )))
    .bind(hash.to_string())
    .fetch_optional(executor)
    .await?;
    row.as_ref().map(|row| Ok((token_row(row)?, user_row(row, 10)?))).transpose()
}

/// The token with this id, and the id of its user.
pub async fn token_by_id(
    executor: impl Executor<'_, Database = Any>,
    id: &str,
) -> Result<Option<(TokenRow, String)>> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Ok(None);
    }
    let row = sqlx::query(AssertSqlSafe(format!("SELECT {TOKEN}, t.user_id FROM tokens t WHERE t.id = $1")))
        .bind(id.to_owned())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(|row| Ok((token_row(row)?, row.try_get(10)?))).transpose()
}

/// One page of a user's tokens, the newest first, and how many there are.
pub async fn tokens(db: &Db, user: &str, limit: i64, offset: i64) -> Result<(u64, Vec<TokenRow>)> {
    let total =
        sqlx::query_scalar::<_, i64>("SELECT CAST(COUNT(*) AS BIGINT) FROM tokens WHERE user_id = $1")
            .bind(user.to_owned())
            .fetch_one(db.reader())
            .await?;
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT {TOKEN} FROM tokens t WHERE t.user_id = $1 ORDER BY t.created_at DESC, t.id DESC LIMIT $2 OFFSET $3"
    )))
    .bind(user.to_owned())
    .bind(limit)
    .bind(offset)
    .fetch_all(db.reader())
    .await?;
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(token_row).collect::<Result<_>>()?))
}

/// How many live tokens a user has.
pub async fn live_tokens(tx: &mut Tx, user: &str) -> Result<i64> {
    let now = tx.now.micros();
    Ok(sqlx::query_scalar::<_, i64>(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM tokens \
         WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(user.to_owned())
    .bind(now)
    .fetch_one(tx.connection())
    .await?)
}

/// Adds a token with this hash for the user, of this publisher where it is a build's, and says so in the log.
pub async fn issue_token(
    tx: &mut Tx,
    actor: Option<&str>,
    user: &str,
    hash: &Digest,
    token: &TokenRow,
    publisher: Option<String>,
) -> Result<()> {
    let json = |value: serde_json::Result<String>| value.map_err(Failure::internal);
    sqlx::query(
        "INSERT INTO tokens (id, hash, user_id, label, scopes, namespaces, created_at, expires_at, via, parent) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(token.id.clone())
    .bind(hash.to_string())
    .bind(user.to_owned())
    .bind(token.label.clone())
    .bind(json(serde_json::to_string(&token.scopes))?)
    .bind(json(serde_json::to_string(&token.namespaces))?)
    .bind(token.created_at.micros())
    .bind(token.expires_at.map(Time::micros))
    .bind(token.via.clone())
    .bind(token.parent.clone())
    .execute(tx.connection())
    .await?;
    tx.append(actor, token.issued(user, publisher));
    Ok(())
}

/// Makes a revoked token of this user good again, and says so in the log.
pub async fn revive_token(tx: &mut Tx, user: &str, token: &TokenRow) -> Result<()> {
    sqlx::query("UPDATE tokens SET revoked_at = NULL WHERE id = $1")
        .bind(token.id.clone())
        .execute(tx.connection())
        .await?;
    tx.append(None, token.issued(user, None));
    Ok(())
}

/// Revokes a token, and the sessions that were begun with it; each has its entry in the log.
pub async fn revoke(tx: &mut Tx, actor: Option<&str>, id: &str) -> Result<()> {
    let sessions = live_sessions(tx, id).await?;
    for token in std::iter::once(id.to_owned()).chain(sessions) {
        sqlx::query("UPDATE tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL")
            .bind(token.clone())
            .bind(tx.now.micros())
            .execute(tx.connection())
            .await?;
        tx.append(actor, Event::TokenRevoked { token });
    }
    Ok(())
}

/// Ids of the live sessions that were begun with this token, the oldest first.
pub async fn live_sessions(tx: &mut Tx, id: &str) -> Result<Vec<String>> {
    let now = tx.now.micros();
    Ok(sqlx::query_scalar::<_, String>(
        "SELECT id FROM tokens WHERE parent = $1 AND id <> $1 AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $2) ORDER BY created_at, id",
    )
    .bind(id.to_owned())
    .bind(now)
    .fetch_all(tx.connection())
    .await?)
}

/// Ids of a user's live sessions that were begun with no token but with an account elsewhere, the oldest first. Each is its own
/// parent.
pub async fn live_own_sessions(tx: &mut Tx, user: &str) -> Result<Vec<String>> {
    let now = tx.now.micros();
    Ok(sqlx::query_scalar::<_, String>(
        "SELECT id FROM tokens WHERE user_id = $1 AND parent = id AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $2) ORDER BY created_at, id",
    )
    .bind(user.to_owned())
    .bind(now)
    .fetch_all(tx.connection())
    .await?)
}

/// Ids of a user's live tokens with this label.
pub async fn live_with_label(tx: &mut Tx, user: &str, label: &str) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar::<_, String>(
        "SELECT id FROM tokens WHERE user_id = $1 AND label = $2 AND revoked_at IS NULL",
    )
    .bind(user.to_owned())
    .bind(label.to_owned())
    .fetch_all(tx.connection())
    .await?)
}

/// Notes when a token was used.
pub async fn set_last_used(tx: &mut Tx, id: &str, at: Time) -> Result<()> {
    sqlx::query("UPDATE tokens SET last_used_at = $2 WHERE id = $1")
        .bind(id.to_owned())
        .bind(at.micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The roles of these users by namespace key, by user.
pub async fn roles_of(
    connection: &mut sqlx::AnyConnection,
    users: &[String],
) -> Result<HashMap<String, Vec<(String, Role)>>> {
    let mut found: HashMap<String, Vec<(String, Role)>> = HashMap::new();
    for piece in pieces(users) {
        let text = format!(
            "SELECT user_id, namespace, role FROM members WHERE user_id IN ({})",
            placeholders(1, piece.len())
        );
        let query = sqlx::query_as::<_, (String, String, String)>(AssertSqlSafe(text))
            .bind_all(piece.iter().cloned());
        for (user, namespace, role) in query.fetch_all(&mut *connection).await? {
            found.entry(user).or_default().push((namespace, parsed(&role)?));
        }
    }
    Ok(found)
}

/// A user's roles by namespace key.
pub async fn roles(executor: impl Executor<'_, Database = Any>, user: &str) -> Result<Vec<(String, Role)>> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT namespace, role FROM members WHERE user_id = $1 ORDER BY namespace")
            .bind(user.to_owned())
            .fetch_all(executor)
            .await?;
    rows.into_iter().map(|(namespace, role)| Ok((namespace, parsed(&role)?))).collect()
}
