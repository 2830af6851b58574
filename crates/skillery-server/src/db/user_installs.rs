//! Which users have installed which versions, and when. Like installs these are measurements, and no entries of the log.

use std::collections::HashSet;

use skillery_core::time::Time;
use sqlx::AssertSqlSafe;

use super::{Tx, pieces, placeholders, tuples};
use crate::failure::Result;

/// A version that a user installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text));
        for key in piece {
            query = query.bind(key.clone());
        }
        known.extend(query.fetch_all(tx.connection()).await?);
    }
    Ok(known)
}
