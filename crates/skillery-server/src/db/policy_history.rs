//! Every policy that a namespace had, from the log.

use skillery_core::Namespace;
use skillery_core::api::PolicyChange;
use skillery_core::event::Event;
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Db, from_json};
use crate::failure::{Failure, Result};

/// The key of the namespace that an entry about a policy is about: an index of the log has exactly this.
const PLACE: &str = "(REPLACE(REPLACE(SUBSTR(body, 36 + LENGTH(actor) + LENGTH(kind), \
    LENGTH(SUBSTR(body, 36 + LENGTH(actor) + LENGTH(kind))) - LENGTH(LTRIM(SUBSTR(body, 36 + LENGTH(actor) + LENGTH(kind)), \
    'abcdefghijklmnopqrstuvwxyz0123456789-_./'))), '_', '-'), '.', '-'))";

/// Changes of the policy of a namespace, the newest first: so many of them, and how many there are.
pub async fn history(
    db: &Db,
    namespace: &Namespace,
    limit: i64,
    offset: i64,
) -> Result<(u64, Vec<PolicyChange>)> {
    let of_place = format!("FROM log WHERE kind IN ('policy.set', 'policy.removed') AND {PLACE} = $1");
    let total =
        sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!("SELECT CAST(COUNT(*) AS BIGINT) {of_place}")))
            .bind(namespace.key())
            .fetch_one(db.reader())
            .await?;
    let rows = sqlx::query(AssertSqlSafe(format!(
        "SELECT l.idx, l.at, u.name, l.body FROM (SELECT idx, at, actor, body {of_place} ORDER BY idx DESC \
         LIMIT $2 OFFSET $3) l LEFT JOIN users u ON u.id = l.actor ORDER BY l.idx DESC"
    )))
    .bind(namespace.key())
    .bind(limit)
    .bind(offset)
    .fetch_all(db.reader())
    .await?;
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        changes.extend(change(row)?);
    }
    Ok((u64::try_from(total).unwrap_or(0), changes))
}

/// The change that the entry of this number made of the policy of a namespace, if it did.
pub async fn of_entry(db: &Db, namespace: &Namespace, index: u64) -> Result<Option<PolicyChange>> {
    let row = sqlx::query(AssertSqlSafe(format!(
        "SELECT l.idx, l.at, u.name, l.body FROM (SELECT idx, at, actor, body FROM log WHERE idx = $2 \
         AND kind IN ('policy.set', 'policy.removed') AND {PLACE} = $1) l LEFT JOIN users u ON u.id = l.actor"
    )))
    .bind(namespace.key())
    .bind(i64::try_from(index).unwrap_or(i64::MAX))
    .fetch_optional(db.reader())
    .await?;
    Ok(row.as_ref().map(change).transpose()?.flatten())
}

fn change(row: &AnyRow) -> Result<Option<PolicyChange>> {
    let (namespace, policy) = match from_json::<Event>(row.try_get(3)?)? {
        Event::PolicySet { namespace, policy } => (namespace, Some(policy)),
        Event::PolicyRemoved { namespace } => (namespace, None),
        _ => return Ok(None),
    };
    Ok(Some(PolicyChange {
        namespace,
        policy,
        at: Time::from_micros(row.try_get(1)?),
        by: row.try_get(2)?,
        log_index: u64::try_from(row.try_get::<i64, _>(0)?).map_err(Failure::internal)?,
    }))
}
