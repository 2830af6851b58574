//! Rows of changes that are in no log.

use skillery_core::time::Time;

use super::{About, Origins, Record, insert, note_members, positions};
use crate::db::Tx;
use crate::failure::Result;

/// Writes a change that is in no log, as it is nobody's but the user's or the namespace's, in the transaction that makes it. `actor`
/// is the id of the user who makes it; none: the registry itself.
pub async fn insert_private(
    tx: &mut Tx,
    actor: Option<&str>,
    action: &'static str,
    about: About,
) -> Result<()> {
    let (at, origin) = (tx.now, tx.origin());
    let record = Record {
        at,
        last_at: at,
        times: 1,
        is_denied: false,
        action: action.to_owned(),
        log_index: None,
        user: actor.map(str::to_owned),
        origin: origin.as_deref().map(Origins::of).unwrap_or_default(),
        by_member: about.org.is_some(),
        about,
        code: None,
    };
    let mut records = vec![record];
    note_members(tx.connection(), &mut records).await?;
    let position = positions(tx.connection(), 1).await?;
    Ok(insert(tx.connection(), position, records).await?)
}

/// When the user with this id has done one of these in an org since then, the first time; none where that were fewer than `most`.
pub async fn has_done(
    tx: &mut Tx,
    user: &str,
    org: &str,
    actions: [&'static str; 2],
    since: Time,
    most: i64,
) -> Result<Option<Time>> {
    let [one, other] = actions;
    let (number, first): (i64, Option<i64>) = sqlx::query_as(HAS_DONE)
        .bind(user.to_owned())
        .bind(org.to_owned())
        .bind(since.micros())
        .bind(one)
        .bind(other)
        .fetch_one(tx.connection())
        .await?;
    Ok(first.filter(|_| number >= most).map(Time::from_micros))
}

// Rows are in the order of time, so that only those of the user since then are read, however many came before.
const HAS_DONE: &str = "SELECT CAST(COUNT(*) AS BIGINT), MIN(at) FROM audit WHERE user_id = $1 AND org = $2 AND at > $3 \
    AND outcome = 'allowed' AND action IN ($4, $5) \
    AND id > COALESCE((SELECT id FROM audit WHERE at <= $3 ORDER BY at DESC, id DESC LIMIT 1), 0)";
