//! Rows of changes that are in no log.

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
