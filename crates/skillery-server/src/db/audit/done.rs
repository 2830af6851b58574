//! Rows of changes that are not in the log, as nobody else is to know of them.

use super::{About, Origins, Record, insert, positions};
use crate::db::Tx;
use crate::failure::Result;
use crate::origin;

/// Writes that the user did this.
pub async fn write_done(tx: &mut Tx, action: &str, user: &str, about: About) -> Result<()> {
    let record = Record {
        at: tx.now,
        last_at: tx.now,
        times: 1,
        is_denied: false,
        action: action.to_owned(),
        log_index: None,
        user: Some(user.to_owned()),
        origin: origin::current().map(|origin| Origins::of(&origin)).unwrap_or_default(),
        about,
        code: None,
    };
    let position = positions(tx.connection(), 1).await?;
    insert(tx.connection(), position, vec![record]).await?;
    Ok(())
}
