//! Which users have installed which versions, and when. Like installs these are measurements, and no entries of the log.

use std::collections::HashSet;

use skillery_core::Version;
use skillery_core::api::VersionInstall;
use skillery_core::time::Time;
use sqlx::{AssertSqlSafe, Row};

use super::{BindAll, Db, Tx, pieces, placeholders, tuples};
use crate::failure::Result;

/// A version that a user installed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserInstallKey {
    /// The skill's key.
    pub skill: String,
    /// The version.
    pub version: String,
    /// The id of the user.
    pub user: String,
}

/// How often, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserInstall {
    /// Downloads with content.
    pub downloads: i64,
    /// The first.
    pub first: Time,
    /// The last.
    pub last: Time,
}

impl UserInstall {
    /// One download.
    pub fn once(at: Time) -> Self {
        Self { downloads: 1, first: at, last: at }
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            downloads: self.downloads.saturating_add(other.downloads),
            first: self.first.min(other.first),
            last: self.last.max(other.last),
        }
    }
}

/// Adds a batch, in which each version and user occurs once. What is of a skill that is not there is passed over.
pub async fn add(tx: &mut Tx, batch: &[(UserInstallKey, UserInstall)]) -> Result<()> {
    let keys: Vec<String> = batch.iter().map(|(key, _)| key.skill.clone()).collect();
    let known = known(tx, &keys).await?;
    let rows: Vec<_> = batch.iter().filter(|(key, _)| known.contains(&key.skill)).collect();
    for piece in pieces(&rows) {
        let text = format!(
            "INSERT INTO user_installs (skill, version, user_id, downloads, first_at, last_at) VALUES {} \
             ON CONFLICT (skill, version, user_id) DO UPDATE SET \
             downloads = user_installs.downloads + excluded.downloads, \
             first_at = CASE WHEN user_installs.first_at < excluded.first_at THEN user_installs.first_at ELSE excluded.first_at END, \
             last_at = CASE WHEN user_installs.last_at > excluded.last_at THEN user_installs.last_at ELSE excluded.last_at END",
            tuples(1, piece.len(), 6, "")
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (key, install) in piece {
            query = query.bind(key.skill.clone()).bind(key.version.clone()).bind(key.user.clone());
            query = query.bind(install.downloads).bind(install.first.micros()).bind(install.last.micros());
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

async fn known(tx: &mut Tx, keys: &[String]) -> Result<HashSet<String>> {
    let mut known = HashSet::with_capacity(keys.len());
    for piece in pieces(keys) {
        let text = format!("SELECT key FROM skills WHERE key IN ({})", placeholders(1, piece.len()));
        let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        known.extend(query.fetch_all(tx.connection()).await?);
    }
    Ok(known)
}

/// One page of the users who have installed a version, the last first, and how many there are.
pub async fn of_version(
    db: &Db,
    key: &str,
    version: &Version,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<VersionInstall>)> {
    let text = "SELECT CAST(COUNT(*) AS BIGINT) FROM user_installs WHERE skill = $1 AND version = $2";
    let total: i64 = sqlx::query_scalar(text)
        .bind(key.to_owned())
        .bind(version.to_string())
        .fetch_one(db.reader())
        .await?;
    let rows = sqlx::query(
        "SELECT u.name, i.downloads, i.first_at, i.last_at FROM user_installs i JOIN users u ON u.id = i.user_id \
         WHERE i.skill = $1 AND i.version = $2 ORDER BY i.last_at DESC, i.user_id LIMIT $3 OFFSET $4",
    )
    .bind(key.to_owned())
    .bind(version.to_string())
    .bind(limit)
    .bind(offset)
    .fetch_all(db.reader())
    .await?;
    let install = |row: &sqlx::any::AnyRow| {
        Ok(VersionInstall {
            user: row.try_get(0)?,
            downloads: row.try_get(1)?,
            first_at: Time::from_micros(row.try_get(2)?),
            last_at: Time::from_micros(row.try_get(3)?),
        })
    };
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(install).collect::<Result<_>>()?))
}

/// The last of the next `limit` rows behind this one, and those of them whose last download was before then; none where there are no more
/// rows.
pub async fn next(
    db: &Db,
    after: &UserInstallKey,
    before: Time,
    limit: i64,
) -> Result<Option<(UserInstallKey, Vec<UserInstallKey>)>> {
    let rows: Vec<(String, String, String, i64)> = sqlx::query_as(NEXT)
        .bind(after.skill.clone())
        .bind(after.version.clone())
        .bind(after.user.clone())
        .bind(limit)
        .fetch_all(db.reader())
        .await?;
    let mut last = None;
    let mut old = Vec::new();
    for (skill, version, user, at) in rows {
        let key = UserInstallKey { skill, version, user };
        if at < before.micros() {
            old.push(key.clone());
        }
        last = Some(key);
    }
    Ok(last.map(|last| (last, old)))
}

const NEXT: &str = "SELECT skill, version, user_id, last_at FROM user_installs WHERE (skill, version, user_id) > ($1, $2, $3) \
    ORDER BY skill, version, user_id LIMIT $4";

/// Forgets these, as far as their last download was before then still.
pub async fn forget(tx: &mut Tx, keys: &[UserInstallKey], before: Time) -> Result<()> {
    for piece in pieces(keys) {
        let mut query = sqlx::query(AssertSqlSafe(forget_text(piece.len())));
        for key in piece {
            query = query.bind(key.skill.clone()).bind(key.version.clone()).bind(key.user.clone());
        }
        query.bind(before.micros()).execute(tx.connection()).await?;
    }
    Ok(())
}

fn forget_text(keys: usize) -> String {
    format!(
        "DELETE FROM user_installs WHERE (skill, version, user_id) IN (VALUES {}) AND last_at < ${}",
        tuples(1, keys, 3, ""),
        keys * 3 + 1
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_old_is_looked_for_by_the_key() {
        let app = TestApp::new().await;
        let with = |text: &str, places: usize| {
            // From the last on, as `$1` begins `$10`.
            (1..=places).rev().fold(text.to_owned(), |text, place| text.replace(&format!("${place}"), "'a'"))
        };
        let plan = app.plan_in_order(&with(&NEXT.replace("$4", "9"), 3), &[], &[]).await;
        assert!(plan.contains("autoindex_user_installs") || plan.contains("user_installs_pkey"), "{plan}");
        let plan = app.plan(&with(&forget_text(2).replace("$7", "9"), 6), &[], &[]).await;
        assert!(
            !plan.contains("SCAN user_installs") && !plan.contains("Seq Scan on user_installs"),
            "{plan}"
        );
    }
}
