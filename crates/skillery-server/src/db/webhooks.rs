//! Webhooks of users and of namespaces.

use std::collections::HashSet;

use skillery_core::NotificationKind;
use skillery_core::api::Webhook;
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, from_json, is_within, pieces, placeholders};
use crate::failure::{Failure, Result};

/// A webhook as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct WebhookRow {
    /// Its id.
    pub id: String,
    /// Whose it is; of a namespace's, who made it.
    pub user: String,
    /// The name of that user.
    pub made_by: String,
    /// The key of its namespace.
    pub namespace: Option<String>,
    /// Where to.
    pub url: String,
    /// The encrypted secret.
    pub secret: String,
    /// Told of these kinds; empty: of all.
    pub kinds: Vec<NotificationKind>,
    /// When it was made.
    pub created_at: Time,
    /// Since when it has only failed.
    pub failing_since: Option<Time>,
    /// When it was switched off.
    pub disabled_at: Option<Time>,
    /// When somebody has changed it last, or switched it on.
    pub changed_at: Time,
    /// When its address was changed.
    pub moved_at: Time,
}

impl WebhookRow {
    /// Whether it is told of this kind.
    pub fn wants(&self, kind: NotificationKind) -> bool {
        self.disabled_at.is_none() && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }

    /// As the API shows it.
    pub fn summary(&self) -> Webhook {
        Webhook {
            id: self.id.clone(),
            url: self.url.clone(),
            namespace: self.namespace.clone(),
            kinds: self.kinds.clone(),
            created_at: self.created_at,
            failing_since: self.failing_since,
            disabled_at: self.disabled_at,
            made_by: self.namespace.is_some().then(|| self.made_by.clone()),
            changed_at: Some(self.changed_at),
        }
    }
}

const COLUMNS: &str = "id, user_id, namespace, url, secret, kinds, created_at, failing_since, disabled_at, \
    changed_at, moved_at, (SELECT name FROM users WHERE users.id = user_id)";

fn webhook_row(row: &AnyRow) -> Result<WebhookRow> {
    Ok(WebhookRow {
        id: row.try_get(0)?,
        user: row.try_get(1)?,
        namespace: row.try_get(2)?,
        url: row.try_get(3)?,
        secret: row.try_get(4)?,
        kinds: from_json(row.try_get(5)?)?,
        created_at: Time::from_micros(row.try_get(6)?),
        failing_since: row.try_get::<Option<i64>, _>(7)?.map(Time::from_micros),
        disabled_at: row.try_get::<Option<i64>, _>(8)?.map(Time::from_micros),
        changed_at: Time::from_micros(row.try_get(9)?),
        moved_at: Time::from_micros(row.try_get(10)?),
        made_by: row.try_get(11)?,
    })
}

/// The webhook with this id.
pub async fn find(executor: impl Executor<'_, Database = Any>, id: &str) -> Result<Option<WebhookRow>> {
    if uuid::Uuid::try_parse(id).is_err() {
        return Ok(None);
    }
    let text = format!("SELECT {COLUMNS} FROM webhooks WHERE id = $1 AND removed_at IS NULL");
    let row = sqlx::query(AssertSqlSafe(text)).bind(id.to_owned()).fetch_optional(executor).await?;
    row.as_ref().map(webhook_row).transpose()
}

/// A user's own webhooks, the oldest first.
pub async fn of_user(executor: impl Executor<'_, Database = Any>, user: &str) -> Result<Vec<WebhookRow>> {
    let text = format!(
        "SELECT {COLUMNS} FROM webhooks WHERE user_id = $1 AND namespace IS NULL AND removed_at IS NULL ORDER BY created_at, id"
    );
    let rows = sqlx::query(AssertSqlSafe(text)).bind(user.to_owned()).fetch_all(executor).await?;
    rows.iter().map(webhook_row).collect()
}

/// The own webhooks of these users that are on.
pub async fn of_users(db: &Db, users: &[String]) -> Result<Vec<WebhookRow>> {
    let mut found = Vec::new();
    for piece in pieces(users) {
        let text = format!(
            "SELECT {COLUMNS} FROM webhooks WHERE user_id IN ({}) AND namespace IS NULL AND removed_at IS NULL \
             AND disabled_at IS NULL",
            placeholders(1, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        for row in &query.fetch_all(db.reader()).await? {
            found.push(webhook_row(row)?);
        }
    }
    Ok(found)
}

/// The webhooks of the namespaces with these keys, the oldest first.
pub async fn of_namespaces(
    executor: impl Executor<'_, Database = Any>,
    places: &[String],
) -> Result<Vec<WebhookRow>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT {COLUMNS} FROM webhooks WHERE namespace IN ({}) AND removed_at IS NULL ORDER BY created_at, id",
        placeholders(1, places.len())
    );
    let query = sqlx::query(AssertSqlSafe(text)).bind_all(places.iter().cloned());
    query.fetch_all(executor).await?.iter().map(webhook_row).collect()
}

/// Which of the namespaces with these keys have webhooks.
pub async fn namespaces_with_some(db: &Db, places: &[String]) -> Result<HashSet<String>> {
    let mut found = HashSet::new();
    for piece in pieces(places) {
        let text = format!(
            "SELECT DISTINCT namespace FROM webhooks WHERE namespace IN ({}) AND removed_at IS NULL",
            placeholders(1, piece.len())
        );
        let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        found.extend(query.fetch_all(db.reader()).await?);
    }
    Ok(found)
}

/// How many webhooks an org and the namespaces below it have.
pub async fn count_of_org(tx: &mut Tx, org: &str) -> Result<i64> {
    let text = format!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM webhooks WHERE removed_at IS NULL AND {}",
        is_within("namespace", "$1")
    );
    Ok(sqlx::query_scalar(AssertSqlSafe(text)).bind(org.to_owned()).fetch_one(tx.connection()).await?)
}

/// Notes that this user tries a webhook, or sends something again. Where that is one too many since then, nothing is noted, and it is
/// told when the first of the others was.
pub async fn note_try(tx: &mut Tx, user: &str, since: Time, most: i64) -> Result<Option<Time>> {
    sqlx::query("DELETE FROM webhook_tries WHERE user_id = $1 AND at <= $2")
        .bind(user.to_owned())
        .bind(since.micros())
        .execute(tx.connection())
        .await?;
    let (number, first): (i64, Option<i64>) =
        sqlx::query_as("SELECT CAST(COUNT(*) AS BIGINT), MIN(at) FROM webhook_tries WHERE user_id = $1")
            .bind(user.to_owned())
            .fetch_one(tx.connection())
            .await?;
    if number >= most {
        return Ok(first.map(Time::from_micros));
    }
    let now = tx.now.micros();
    sqlx::query("INSERT INTO webhook_tries (user_id, at) VALUES ($1, $2)")
        .bind(user.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(None)
}

fn kinds_json(kinds: &[NotificationKind]) -> Result<String> {
    serde_json::to_string(kinds).map_err(Failure::internal)
}

/// Adds a webhook.
pub async fn insert(tx: &mut Tx, row: &WebhookRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO webhooks (id, user_id, namespace, url, secret, kinds, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.id.clone())
    .bind(row.user.clone())
    .bind(row.namespace.clone())
    .bind(row.url.clone())
    .bind(row.secret.clone())
    .bind(kinds_json(&row.kinds)?)
    .bind(row.created_at.micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Keeps what may change of a webhook.
pub async fn update(tx: &mut Tx, row: &WebhookRow) -> Result<()> {
    sqlx::query(
        "UPDATE webhooks SET url = $2, kinds = $3, failing_since = $4, disabled_at = $5, changed_at = $6, moved_at = $7 WHERE id = $1",
    )
    .bind(row.id.clone())
    .bind(row.url.clone())
    .bind(kinds_json(&row.kinds)?)
    .bind(row.failing_since.map(Time::micros))
    .bind(row.disabled_at.map(Time::micros))
    .bind(row.changed_at.micros())
    .bind(row.moved_at.micros())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Removes a webhook. Its row stays without its secret, as deliveries name it.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<()> {
    let now = tx.now.micros();
    sqlx::query("UPDATE webhooks SET removed_at = $2, secret = '', url = '' WHERE id = $1")
        .bind(id.to_owned())
        .bind(now)
        .execute(tx.connection())
        .await?;
    Ok(())
}
