//! Keys that people sign with, and keys of orgs that certify them.

use skillery_core::api::KeySummary;
use skillery_core::time::Time;
use skillery_core::{Namespace, Segment};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, accounts, parsed, placeholders, places_of};
use crate::failure::{Failure, Result};
use skillery_core::sign::author::AuthorKey;

/// A key as it is stored.
#[derive(Debug, Clone)]
pub struct KeyRow {
    /// `SHA256:` and base64.
    pub fingerprint: String,
    /// Whose it is: a user's id and name.
    pub user: Option<(String, String)>,
    /// Whether that user is switched off.
    pub is_disabled: bool,
    /// Whose authority it is: the org's key.
    pub org: Option<String>,
    /// The key.
    pub public_key: AuthorKey,
    /// What its owner calls it.
    pub label: String,
    /// When it was enrolled.
    pub enrolled_at: Time,
    /// The log entry that enrolled it.
    pub log_index: u64,
    /// When it was revoked.
    pub revoked_at: Option<Time>,
}

impl KeyRow {
    /// As the API shows it.
    pub fn summary(&self) -> KeySummary {
        KeySummary {
            fingerprint: self.fingerprint.clone(),
            algorithm: self.public_key.algorithm().to_owned(),
            label: self.label.clone(),
            user: self.user.as_ref().map(|(_, name)| name.clone()),
            org: self.org.clone(),
            public_key: self.public_key.to_string(),
            enrolled_at: self.enrolled_at,
            revoked_at: self.revoked_at,
            log_index: self.log_index,
        }
    }
}

const KEYS: &str = "SELECT k.fingerprint, k.user_id, u.name, u.disabled_at, k.org, k.public_key, k.label, k.enrolled_at, \
    k.log_index, k.revoked_at FROM signing_keys k LEFT JOIN users u ON u.id = k.user_id";

fn key_row(row: &AnyRow) -> Result<KeyRow> {
    let user: Option<String> = row.try_get(1)?;
    let name: Option<String> = row.try_get(2)?;
    Ok(KeyRow {
        fingerprint: row.try_get(0)?,
        user: user.zip(name),
        is_disabled: row.try_get::<Option<i64>, _>(3)?.is_some(),
        org: row.try_get(4)?,
        public_key: parsed(row.try_get(5)?)?,
        label: row.try_get(6)?,
        enrolled_at: Time::from_micros(row.try_get(7)?),
        log_index: u64::try_from(row.try_get::<i64, _>(8)?).map_err(Failure::internal)?,
        revoked_at: row.try_get::<Option<i64>, _>(9)?.map(Time::from_micros),
    })
}

/// The key with this fingerprint.
pub async fn find(executor: impl Executor<'_, Database = Any>, fingerprint: &str) -> Result<Option<KeyRow>> {
    let row = sqlx::query(AssertSqlSafe(format!("{KEYS} WHERE k.fingerprint = $1")))
        .bind(fingerprint.to_owned())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(key_row).transpose()
}

/// The keys of a user, the newest first.
pub async fn of_user(executor: impl Executor<'_, Database = Any>, user: &str) -> Result<Vec<KeyRow>> {
    let rows = sqlx::query(AssertSqlSafe(format!("{KEYS} WHERE k.user_id = $1 ORDER BY k.log_index DESC")))
        .bind(user.to_owned())
        .fetch_all(executor)
        .await?;
    rows.iter().map(key_row).collect()
}

/// The authorities of an org, the newest first.
pub async fn of_org(executor: impl Executor<'_, Database = Any>, org: &str) -> Result<Vec<KeyRow>> {
    let rows = sqlx::query(AssertSqlSafe(format!("{KEYS} WHERE k.org = $1 ORDER BY k.log_index DESC")))
        .bind(org.to_owned())
        .fetch_all(executor)
        .await?;
    rows.iter().map(key_row).collect()
}

/// Enrols a key.
pub async fn insert(tx: &mut Tx, row: &KeyRow) -> Result<()> {
    sqlx::query(
        "INSERT INTO signing_keys (fingerprint, user_id, org, public_key, label, enrolled_at, log_index) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.fingerprint.clone())
    .bind(row.user.as_ref().map(|(id, _)| id.clone()))
    .bind(row.org.clone())
    .bind(row.public_key.to_string())
    .bind(row.label.clone())
    .bind(row.enrolled_at.micros())
    .bind(i64::try_from(row.log_index).map_err(Failure::internal)?)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// A key is good no more.
pub async fn revoke(tx: &mut Tx, fingerprint: &str) -> Result<()> {
    let now = tx.now;
    sqlx::query("UPDATE signing_keys SET revoked_at = $2 WHERE fingerprint = $1")
        .bind(fingerprint.to_owned())
        .bind(now.micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// A key of somebody who may, or might, publish in a namespace, and when that was.
#[derive(Debug, Clone)]
pub struct SignerRow {
    /// The signer's name.
    pub name: String,
    /// The key.
    pub public_key: AuthorKey,
    /// From when on both held: the key was enrolled, and the signer had the role.
    pub from: Time,
    /// Until when both held, and the signer was not switched off.
    pub until: Option<Time>,
}

/// Every key of everybody, or of this user alone, who has had a role in the namespace or above it that lets members
/// publish, for each time of it; nothing where there are more than `limit` of them.
pub async fn signers(
    db: &Db,
    namespace: &Namespace,
    signer: Option<&Segment>,
    limit: i64,
) -> Result<Option<Vec<SignerRow>>> {
    let places = places_of(namespace)?;
    let text = format!(
        "SELECT u.name, k.public_key, k.enrolled_at, k.revoked_at, m.since, m.until, u.disabled_at FROM memberships m \
         JOIN users u ON u.id = m.user_id JOIN signing_keys k ON k.user_id = m.user_id \
         WHERE m.role IN ('publisher', 'reviewer', 'admin', 'owner') AND ($1 = '' OR u.key = $1) \
         AND m.namespace IN ({}) ORDER BY u.key, k.log_index, m.since, m.log_index LIMIT $2",
        placeholders(3, places.len())
    );
    let signer = signer.map(|signer| accounts::name_key(signer.as_str())).unwrap_or_default();
    let query = sqlx::query(AssertSqlSafe(text)).bind(signer).bind(limit.saturating_add(1)).bind_all(places);
    let rows = query.fetch_all(db.reader()).await?;
    if i64::try_from(rows.len()).is_ok_and(|rows| rows > limit) {
        return Ok(None);
    }
    let mut signers: Vec<SignerRow> = Vec::new();
    for row in &rows {
        let time =
            |place: usize| row.try_get::<Option<i64>, _>(place).map(|time| time.map(Time::from_micros));
        let start = time(2)?.unwrap_or_default().max(time(4)?.unwrap_or_default());
        let end = time(3)?.into_iter().chain(time(5)?).chain(time(6)?).min();
        if end.is_some_and(|end| end <= start) {
            continue;
        }
        let (name, public_key): (String, AuthorKey) = (row.try_get(0)?, parsed(row.try_get(1)?)?);
        // One role after another is one time.
        match signers.last_mut() {
            Some(last) if last.name == name && last.public_key == public_key && last.until == Some(start) => {
                last.until = end;
            }
            _ => signers.push(SignerRow { name, public_key, from: start, until: end }),
        }
    }
    Ok(Some(signers))
}
