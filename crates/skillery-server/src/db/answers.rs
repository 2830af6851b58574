//! Answers to reviews, and reviews that are hidden.

use skillery_core::time::Time;
use sqlx::Row;

use super::Tx;
use crate::failure::Result;

/// An answer as it stands.
#[derive(Debug, Clone)]
pub struct AnswerRow {
    /// The id of who answers.
    pub author: String,
    /// What.
    pub text: String,
}

/// The answer to the user's review of a skill.
pub async fn find(
    executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
    key: &str,
    user: &str,
) -> Result<Option<AnswerRow>> {
    let found = sqlx::query("SELECT author, text FROM review_answers WHERE skill = $1 AND user_id = $2")
        .bind(key.to_owned())
        .bind(user.to_owned())
        .fetch_optional(executor)
        .await?;
    found.map(|row| Ok(AnswerRow { author: row.try_get(0)?, text: row.try_get(1)? })).transpose()
}

/// Answers the user's review, in place of an earlier answer.
pub async fn set(tx: &mut Tx, key: &str, user: &str, author: &str, text: &str, salt: &str) -> Result<()> {
    let at = tx.now.micros();
    sqlx::query(
        "INSERT INTO review_answers (skill, user_id, author, text, salt, at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (skill, user_id) DO UPDATE SET author = $3, text = $4, salt = $5, at = $6",
    )
    .bind(key.to_owned())
    .bind(user.to_owned())
    .bind(author.to_owned())
    .bind(text.to_owned())
    .bind(salt.to_owned())
    .bind(at)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Takes the answer back. False where there was none.
pub async fn remove(tx: &mut Tx, key: &str, user: &str) -> Result<bool> {
    let done = sqlx::query("DELETE FROM review_answers WHERE skill = $1 AND user_id = $2")
        .bind(key.to_owned())
        .bind(user.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Whether the user's review of a skill is hidden; by an admin of the registry?
pub async fn hidden(tx: &mut Tx, key: &str, user: &str) -> Result<Option<bool>> {
    let text = "SELECT by_registry FROM hidden_reviews WHERE skill = $1 AND user_id = $2";
    let found: Option<i64> = sqlx::query_scalar(text)
        .bind(key.to_owned())
        .bind(user.to_owned())
        .fetch_optional(tx.connection())
        .await?;
    Ok(found.map(|by_registry| by_registry != 0))
}

/// Who hides a review, and why.
#[derive(Debug, Clone)]
pub struct Hide<'a> {
    /// The id of the moderator.
    pub by: &'a str,
    /// Whether that is an admin of the registry.
    pub by_registry: bool,
    /// Why.
    pub reason: &'a str,
    /// What the review says.
    pub text: &'a str,
}

/// Hides the user's review of a skill. Where one is hidden already, this takes the place of who hid it and of what it said then:
/// what is kept is what was decided about last. Where it has no words any more, those that were hidden first are kept: nothing else
/// has them.
pub async fn hide(tx: &mut Tx, key: &str, user: &str, hide: &Hide<'_>) -> Result<()> {
    let at: Time = tx.now;
    sqlx::query(
        "INSERT INTO hidden_reviews (skill, user_id, at, hidden_by, by_registry, reason, text) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (skill, user_id) DO UPDATE SET at = excluded.at, hidden_by = excluded.hidden_by, \
         by_registry = excluded.by_registry, reason = excluded.reason, \
         text = CASE WHEN excluded.text = '' THEN hidden_reviews.text ELSE excluded.text END",
    )
    .bind(key.to_owned())
    .bind(user.to_owned())
    .bind(at.micros())
    .bind(hide.by.to_owned())
    .bind(i64::from(hide.by_registry))
    .bind(hide.reason.to_owned())
    .bind(hide.text.to_owned())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Shows it again.
pub async fn unhide(tx: &mut Tx, key: &str, user: &str) -> Result<()> {
    sqlx::query("DELETE FROM hidden_reviews WHERE skill = $1 AND user_id = $2")
        .bind(key.to_owned())
        .bind(user.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}
