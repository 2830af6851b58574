//! Orgs, their members and their signing secrets.

use skillery_core::api::Member;
use skillery_core::time::Time;
use skillery_core::{Namespace, Role, Visibility};
use sqlx::any::AnyRow;
use sqlx::{Any, AssertSqlSafe, Executor, Row};

use super::{BindAll, Db, Tx, has_row, parsed, placeholders, places_of};
use crate::failure::{Failure, Result};

/// An org.
#[derive(Debug, Clone)]
pub struct OrgRow {
    /// As it was first spelled.
    pub name: String,
    /// When it was made.
    pub created_at: Time,
    /// The encrypted signing secret.
    pub signing_secret: Option<String>,
}

fn org_row(row: &AnyRow) -> Result<OrgRow> {
    Ok(OrgRow {
        name: row.try_get(0)?,
        created_at: Time::from_micros(row.try_get(1)?),
        signing_secret: row.try_get(2)?,
    })
}

/// The org with this key.
pub async fn find(executor: impl Executor<'_, Database = Any>, key: &str) -> Result<Option<OrgRow>> {
    let row = sqlx::query("SELECT name, created_at, signing_secret FROM orgs WHERE key = $1")
        .bind(key.to_owned())
        .fetch_optional(executor)
        .await?;
    row.as_ref().map(org_row).transpose()
}

/// Orgs that somebody may know of, who does not know of all.
#[derive(Debug)]
pub struct Known {
    /// Whether internal skills are seen everywhere, and not public ones alone.
    pub is_internal: bool,
    /// Keys of orgs that are known whatever is in them.
    pub keys: Vec<String>,
}

/// One page of the orgs that have a skill to be seen, or are known for another reason, by name; of all where `known` is none. And how
/// many there are.
pub async fn page(db: &Db, known: Option<&Known>, limit: i64, offset: i64) -> Result<(u64, Vec<OrgRow>)> {
    let (condition, keys): (String, &[String]) = match known {
        None => ("1 = 1".to_owned(), &[]),
        Some(known) => (known_condition(known), &known.keys),
    };
    let text = format!("SELECT CAST(COUNT(*) AS BIGINT) FROM orgs o WHERE {condition}");
    let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(text)).bind_all(keys.iter().cloned());
    let total = count.fetch_one(db.reader()).await?;
    let text = format!(
        "SELECT o.name, o.created_at, o.signing_secret FROM orgs o WHERE {condition} ORDER BY o.key LIMIT ${} OFFSET ${}",
        keys.len() + 1,
        keys.len() + 2
    );
    let page = sqlx::query(AssertSqlSafe(text)).bind_all(keys.iter().cloned()).bind(limit).bind(offset);
    let rows = page.fetch_all(db.reader()).await?;
    Ok((u64::try_from(total).unwrap_or(0), rows.iter().map(org_row).collect::<Result<_>>()?))
}

/// The keys are the first values. One skill of an org is enough, so that no other is looked at.
fn known_condition(known: &Known) -> String {
    let seen = if known.is_internal { "'public', 'internal'" } else { "'public'" };
    let has = |which: &str| {
        has_row(&format!("FROM skills s WHERE s.org = o.key AND s.visibility IN ({seen}) AND {which}"))
    };
    let has_skill = format!("({} OR {})", has("s.latest IS NOT NULL"), has(&shown_by_others()));
    match known.keys.len() {
        0 => has_skill,
        count => format!("({has_skill} OR o.key IN ({}))", placeholders(1, count)),
    }
}

/// Adds an org.
pub async fn insert(tx: &mut Tx, key: &str, name: &str) -> Result<OrgRow> {
    let now = tx.now;
    sqlx::query("INSERT INTO orgs (key, name, created_at) VALUES ($1, $2, $3)")
        .bind(key.to_owned())
        .bind(name.to_owned())
        .bind(now.micros())
        .execute(tx.connection())
        .await?;
    Ok(OrgRow { name: name.to_owned(), created_at: now, signing_secret: None })
}

/// Sets or removes the encrypted signing secret.
pub async fn set_signing_secret(tx: &mut Tx, key: &str, encrypted: Option<&str>) -> Result<()> {
    sqlx::query("UPDATE orgs SET signing_secret = $2 WHERE key = $1")
        .bind(key.to_owned())
        .bind(encrypted.map(str::to_owned))
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The user's own role in this namespace, not one from above.
pub async fn own_role(tx: &mut Tx, namespace: &Namespace, user: &str) -> Result<Option<Role>> {
    let role =
        sqlx::query_scalar::<_, String>("SELECT role FROM members WHERE namespace = $1 AND user_id = $2")
            .bind(namespace.key())
            .bind(user.to_owned())
            .fetch_optional(tx.connection())
            .await?;
    role.as_deref().map(parsed).transpose()
}

/// Gives a user a role in a namespace, in place of an earlier one. `index` is the number of the log entry that says so.
pub async fn set_member(
    tx: &mut Tx,
    namespace: &Namespace,
    user: &str,
    role: Role,
    index: i64,
) -> Result<()> {
    end_membership(tx, namespace, user).await?;
    let now = tx.now;
    for table in [
        "INSERT INTO members (namespace, user_id, org, role, log_index) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (namespace, user_id) DO UPDATE SET role = $4, log_index = $5",
        "INSERT INTO memberships (namespace, user_id, org, role, log_index, since) VALUES ($1, $2, $3, $4, $5, $6)",
    ] {
        let mut query = sqlx::query(table)
            .bind(namespace.key())
            .bind(user.to_owned())
            .bind(namespace.org_key())
            .bind(role.as_str())
            .bind(index);
        if table.ends_with("$6)") {
            query = query.bind(now.micros());
        }
        query.execute(tx.connection()).await?;
    }
    Ok(())
}

async fn end_membership(tx: &mut Tx, namespace: &Namespace, user: &str) -> Result<()> {
    let now = tx.now;
    sqlx::query("UPDATE memberships SET until = $3 WHERE namespace = $1 AND user_id = $2 AND until IS NULL")
        .bind(namespace.key())
        .bind(user.to_owned())
        .bind(now.micros())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// The highest role that a user holds in this namespace or above, and the number of the log entry that gave it.
pub async fn highest_role(tx: &mut Tx, namespace: &Namespace, user: &str) -> Result<Option<(u64, Role)>> {
    let places = places_of(namespace)?;
    let text = format!(
        "SELECT log_index, role FROM members WHERE user_id = $1 AND namespace IN ({}) ORDER BY LENGTH(namespace) DESC",
        placeholders(2, places.len())
    );
    let query =
        sqlx::query_as::<_, (i64, String)>(AssertSqlSafe(text)).bind(user.to_owned()).bind_all(places);
    let mut highest: Option<(u64, Role)> = None;
    for (index, role) in query.fetch_all(tx.connection()).await? {
        let role = parsed(&role)?;
        if highest.is_none_or(|(_, known)| role > known) {
            highest = Some((u64::try_from(index).map_err(Failure::internal)?, role));
        }
    }
    Ok(highest)
}

/// The number of the log entry by which a user may publish in this namespace: the one of the role that is held nearest.
pub async fn publisher_index(tx: &mut Tx, namespace: &Namespace, user: &str) -> Result<Option<u64>> {
    let places = places_of(namespace)?;
    let text = format!(
        "SELECT log_index FROM members WHERE user_id = $1 AND role IN ('publisher', 'reviewer', 'admin', 'owner') \
         AND namespace IN ({}) ORDER BY LENGTH(namespace) DESC LIMIT 1",
        placeholders(2, places.len())
    );
    let query = sqlx::query_scalar::<_, i64>(AssertSqlSafe(text)).bind(user.to_owned()).bind_all(places);
    let index = query.fetch_optional(tx.connection()).await?;
    Ok(index.and_then(|index| u64::try_from(index).ok()))
}

/// Takes a user's own role in a namespace away.
pub async fn remove_member(tx: &mut Tx, namespace: &Namespace, user: &str) -> Result<()> {
    end_membership(tx, namespace, user).await?;
    sqlx::query("DELETE FROM members WHERE namespace = $1 AND user_id = $2")
        .bind(namespace.key())
        .bind(user.to_owned())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// How many owners an org has.
pub async fn owners(tx: &mut Tx, org: &str) -> Result<i64> {
    Ok(sqlx::query_scalar::<_, i64>(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM members WHERE namespace = $1 AND role = 'owner'",
    )
    .bind(org.to_owned())
    .fetch_one(tx.connection())
    .await?)
}

/// One page of who has a role in a namespace: there, or in one above it. And how many there are.
pub async fn members(db: &Db, namespace: &Namespace, limit: i64, offset: i64) -> Result<(u64, Vec<Member>)> {
    let places = places_of(namespace)?;
    let list = placeholders(1, places.len());
    let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!(
        "SELECT CAST(COUNT(*) AS BIGINT) FROM members WHERE namespace IN ({list})"
    )))
    .bind_all(places.iter().cloned());
    let page = sqlx::query(AssertSqlSafe(format!(
        "SELECT u.name, m.namespace, m.role FROM members m JOIN users u ON u.id = m.user_id \
         WHERE m.namespace IN ({list}) ORDER BY m.namespace, u.key LIMIT ${} OFFSET ${}",
        places.len() + 1,
        places.len() + 2,
    )))
    .bind_all(places);
    let total = count.fetch_one(db.reader()).await?;
    let rows = page.bind(limit).bind(offset).fetch_all(db.reader()).await?;
    let members = rows
        .iter()
        .map(|row| {
            Ok(Member { user: row.try_get(0)?, namespace: row.try_get(1)?, role: parsed(row.try_get(2)?)? })
        })
        .collect::<Result<_>>()?;
    Ok((u64::try_from(total).unwrap_or(0), members))
}

/// Keys of the namespaces of an org in which somebody was given a role, by name.
pub async fn member_places(db: &Db, org: &str) -> Result<Vec<String>> {
    let text = "SELECT DISTINCT namespace FROM members WHERE org = $1 ORDER BY namespace";
    Ok(sqlx::query_scalar(text).bind(org.to_owned()).fetch_all(db.reader()).await?)
}

/// Whether a skill `s` has no latest version, but others that everybody knows of who sees it: prereleases, or such as were yanked or
/// quarantined. What waits for a decision or was refused is none.
fn shown_by_others() -> String {
    let other = "FROM versions v WHERE v.skill = s.key AND v.status NOT IN ('pending', 'rejected')";
    format!("s.latest IS NULL AND {}", has_row(other))
}

/// Where orgs have skills that are shown though they have no latest version, and who sees them: org key, namespace key, visibility.
pub async fn shown_without_latest(db: &Db, orgs: &[String]) -> Result<Vec<(String, String, Visibility)>> {
    if orgs.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query(AssertSqlSafe(without_latest_text(orgs.len()))).bind_all(orgs.iter().cloned());
    let rows = query.fetch_all(db.reader()).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, parsed(row.try_get(2)?)?))).collect()
}

fn without_latest_text(orgs: usize) -> String {
    format!(
        "SELECT DISTINCT s.org, s.namespace, s.visibility FROM skills s WHERE s.org IN ({}) AND {}",
        placeholders(1, orgs),
        shown_by_others()
    )
}

/// Where orgs have skills, who sees them, and how many of them have a latest version, which may be none: org key, namespace key,
/// visibility, and how many.
pub async fn skills_by_place(db: &Db, orgs: &[String]) -> Result<Vec<(String, String, Visibility, i64)>> {
    if orgs.is_empty() {
        return Ok(Vec::new());
    }
    let query = sqlx::query(AssertSqlSafe(by_place_text(orgs.len()))).bind_all(orgs.iter().cloned());
    let rows = query.fetch_all(db.reader()).await?;
    let row = |row: &AnyRow| -> Result<_> {
        Ok((row.try_get(0)?, row.try_get(1)?, parsed(row.try_get(2)?)?, row.try_get(3)?))
    };
    rows.iter().map(row).collect()
}

fn by_place_text(orgs: usize) -> String {
    format!(
        "SELECT org, namespace, visibility, CAST(COUNT(latest) AS BIGINT) FROM skills WHERE org IN ({}) \
         GROUP BY org, namespace, visibility",
        placeholders(1, orgs)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{TestApp, is_postgres};

    #[tokio::test(flavor = "multi_thread")]
    async fn the_places_of_an_org_are_counted_by_an_index() {
        let app = TestApp::new().await;
        let plan = app.plan(&by_place_text(2), &[], &["acme", "beta"]).await;
        assert!(plan.contains("skills_by_place") && !plan.contains("SCAN skills"), "{plan}");
        let plan = app.plan(&without_latest_text(2), &[], &["acme", "beta"]).await;
        assert!(plan.contains("skills_by_place") && !plan.contains("SCAN"), "{plan}");
        // Of so few rows PostgreSQL may make another plan.
        if !is_postgres() {
            let known = Known { is_internal: true, keys: vec!["acme".to_owned()] };
            let text = format!("SELECT o.key FROM orgs o WHERE {}", known_condition(&known));
            let plan = app.plan(&text, &[], &["acme"]).await;
            assert!(plan.contains("SEARCH s USING COVERING INDEX skills_by_place"), "{plan}");
        }
    }
}
