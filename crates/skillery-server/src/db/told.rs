//! Who may be told of something, who sees it, and how each wants to be told.

use std::collections::{BTreeSet, HashMap, HashSet};

use skillery_core::lint::Level;
use skillery_core::time::Time;
use skillery_core::{NotificationKind, Preference, VersionStatus, Visibility};
use sqlx::{AssertSqlSafe, Row};

use super::{BindAll, Db, Tx, parsed, pieces, placeholders, tuples};
use crate::failure::Result;

/// Some of those who may be told of something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Group {
    /// Who installed the skill, or this version of it, by then. Entries are gone through again by whoever was stopped.
    Installed(Option<String>, Time),
    /// Who starred it by then.
    Starred(Time),
    /// Who published versions of it, or this one.
    Published(Option<String>),
    /// Who holds one of these roles in the namespace or above it.
    Roles(&'static [&'static str]),
    /// This one.
    User(String),
}

/// The next users of these groups behind `after`, by id, at most `limit`. `places` are the keys of the namespace and of those above
/// it.
pub async fn members_of(
    db: &Db,
    groups: &[Group],
    skill: &str,
    places: &[String],
    after: &str,
    limit: usize,
) -> Result<Vec<String>> {
    let mut users = BTreeSet::new();
    for group in groups {
        users.extend(of_group(db, group, skill, places, after, limit).await?);
    }
    // Each group has given its first: the first of all are among them.
    Ok(users.into_iter().take(limit).collect())
}

async fn of_group(
    db: &Db,
    group: &Group,
    skill: &str,
    places: &[String],
    after: &str,
    limit: usize,
) -> Result<Vec<String>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (table, column, condition, values): (&str, &str, String, Vec<String>) = match group {
        Group::User(user) => {
            return Ok(Some(user.clone()).filter(|user| user.as_str() > after).into_iter().collect());
        }
        Group::Roles(_) if places.is_empty() => return Ok(Vec::new()),
        Group::Installed(None, by) => {
            let condition = format!("skill = $3 AND first_at <= {}", by.micros());
            ("user_installs", "user_id", condition, vec![skill.to_owned()])
        }
        Group::Installed(Some(version), by) => {
            let condition = format!("skill = $3 AND version = $4 AND first_at <= {}", by.micros());
            ("user_installs", "user_id", condition, vec![skill.to_owned(), version.clone()])
        }
        Group::Starred(by) => {
            let condition = format!("skill = $3 AND at <= {}", by.micros());
            ("stars", "user_id", condition, vec![skill.to_owned()])
        }
        Group::Published(None) => ("versions", "publisher", "skill = $3".to_owned(), vec![skill.to_owned()]),
        Group::Published(Some(version)) => {
            let values = vec![skill.to_owned(), version.clone()];
            ("versions", "publisher", "skill = $3 AND version = $4".to_owned(), values)
        }
        Group::Roles(roles) => {
            let condition = format!(
                "namespace IN ({}) AND role IN ({})",
                placeholders(3, places.len()),
                placeholders(3 + places.len(), roles.len())
            );
            let values = places.iter().cloned().chain(roles.iter().map(|role| (*role).to_owned())).collect();
            ("members", "user_id", condition, values)
        }
    };
    let text = format!(
        "SELECT DISTINCT {column} FROM {table} WHERE {column} > $1 AND {condition} ORDER BY {column} LIMIT $2"
    );
    let query = sqlx::query_scalar::<_, String>(AssertSqlSafe(text))
        .bind(after.to_owned())
        .bind(limit)
        .bind_all(values);
    Ok(query.fetch_all(db.reader()).await?)
}

/// Who of these users sees something, as things stand. None of them is switched off.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// Who sees the skill; none: it is about no skill.
    pub visibility: Option<Visibility>,
    /// The keys of the namespace and of those above it.
    pub places: &'a [String],
    /// Whether none but reviewers see it, and this user.
    pub waits_of: Option<&'a str>,
}

/// Those of these users who see it.
pub async fn who_see(db: &Db, users: &[String], seen: &Seen<'_>) -> Result<Vec<String>> {
    let mut found = Vec::with_capacity(users.len());
    for piece in pieces(users) {
        let text = format!(
            "SELECT id, site_admin FROM users WHERE id IN ({}) AND disabled_at IS NULL",
            placeholders(1, piece.len())
        );
        let query = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(text)).bind_all(piece.iter().cloned());
        let good: HashMap<String, i64> = query.fetch_all(db.reader()).await?.into_iter().collect();
        let needs_role = seen.visibility == Some(Visibility::Private) || seen.waits_of.is_some();
        let roles = if needs_role { roles_of(db, piece).await? } else { Vec::new() };
        for user in piece {
            let Some(site_admin) = good.get(user) else { continue };
            let held =
                || roles.iter().filter(|(holder, place, _)| holder == user && seen.places.contains(place));
            let sees = *site_admin != 0
                || (seen.visibility != Some(Visibility::Private) || held().next().is_some())
                    && seen.waits_of.is_none_or(|publisher| {
                        publisher == user || held().any(|(.., role)| REVIEWERS.contains(&role.as_str()))
                    });
            if sees {
                found.push(user.clone());
            }
        }
    }
    Ok(found)
}

/// The roles that let see what waits.
pub const REVIEWERS: &[&str] = &["reviewer", "admin", "owner"];

async fn roles_of(db: &Db, users: &[String]) -> Result<Vec<(String, String, String)>> {
    let text = format!(
        "SELECT user_id, namespace, role FROM members WHERE user_id IN ({})",
        placeholders(1, users.len())
    );
    let query = sqlx::query_as(AssertSqlSafe(text)).bind_all(users.iter().cloned());
    Ok(query.fetch_all(db.reader()).await?)
}

/// What these users have said about how they are told, by user.
pub async fn preferences(
    db: &Db,
    users: &[String],
    kind: Option<NotificationKind>,
) -> Result<HashMap<String, Vec<Preference>>> {
    let mut found: HashMap<String, Vec<Preference>> = HashMap::new();
    for piece in pieces(users) {
        let text = format!(
            "SELECT user_id, kind, page, mail, webhook FROM notification_preferences WHERE ($1 = '' OR kind = $1) AND user_id IN ({})",
            placeholders(2, piece.len())
        );
        let query = sqlx::query(AssertSqlSafe(text))
            .bind(kind.map(NotificationKind::as_str).unwrap_or_default())
            .bind_all(piece.iter().cloned());
        for row in query.fetch_all(db.reader()).await? {
            let preference = Preference {
                kind: parsed(row.try_get(1)?)?,
                page: row.try_get::<i64, _>(2)? != 0,
                mail: parsed(row.try_get(3)?)?,
                webhook: row.try_get::<i64, _>(4)? != 0,
            };
            found.entry(row.try_get(0)?).or_default().push(preference);
        }
    }
    Ok(found)
}

/// How a user is told of a kind.
pub async fn preference(tx: &mut Tx, user: &str, kind: NotificationKind) -> Result<Preference> {
    let text = "SELECT page, mail, webhook FROM notification_preferences WHERE user_id = $1 AND kind = $2";
    let row =
        sqlx::query(text).bind(user.to_owned()).bind(kind.as_str()).fetch_optional(tx.connection()).await?;
    let Some(row) = row else { return Ok(Preference::usual(kind)) };
    Ok(Preference {
        kind,
        page: row.try_get::<i64, _>(0)? != 0,
        mail: parsed(row.try_get(1)?)?,
        webhook: row.try_get::<i64, _>(2)? != 0,
    })
}

/// Keeps how a user is told of a kind.
pub async fn set_preference(tx: &mut Tx, user: &str, preference: Preference) -> Result<()> {
    sqlx::query(
        "INSERT INTO notification_preferences (user_id, kind, page, mail, webhook) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (user_id, kind) DO UPDATE SET page = $3, mail = $4, webhook = $5",
    )
    .bind(user.to_owned())
    .bind(preference.kind.as_str())
    .bind(i64::from(preference.page))
    .bind(preference.mail.as_str())
    .bind(i64::from(preference.webhook))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// What decides who may be told of a version.
#[derive(Debug, Clone)]
pub struct VersionFacts {
    /// Where it stands.
    pub status: VersionStatus,
    /// The id of who published it.
    pub publisher: String,
}

/// Those of these versions, by the keys of their skills, that anybody may be told of when they are published: somebody has installed
/// or starred the skill, or something at or above this level was found.
pub async fn of_interest(
    db: &Db,
    versions: &[(String, String)],
    from: Level,
) -> Result<HashSet<(String, String)>> {
    let mut found = HashSet::new();
    let levels: Vec<&str> =
        Level::ALL.iter().filter(|level| **level >= from).map(|level| level.as_str()).collect();
    for piece in pieces(versions) {
        let text = format!(
            "WITH asked (skill, version) AS (VALUES {}) SELECT asked.skill, asked.version FROM asked \
             WHERE EXISTS (SELECT 1 FROM user_installs i WHERE i.skill = asked.skill) \
             OR EXISTS (SELECT 1 FROM stars s WHERE s.skill = asked.skill) \
             OR EXISTS (SELECT 1 FROM versions v WHERE v.skill = asked.skill AND v.version = asked.version \
             AND v.findings IN ({}))",
            tuples(1, piece.len(), 2, ""),
            placeholders(1 + piece.len() * 2, levels.len()),
        );
        let values = piece.iter().flat_map(|(skill, version)| [skill.clone(), version.clone()]);
        let query = sqlx::query_as(AssertSqlSafe(text))
            .bind_all(values)
            .bind_all(levels.iter().map(|level| (*level).to_owned()));
        found.extend(query.fetch_all(db.reader()).await?);
    }
    Ok(found)
}

/// What decides who may be told of a version, by the key of its skill.
pub async fn version(db: &Db, skill: &str, version: &str) -> Result<Option<VersionFacts>> {
    let row = sqlx::query("SELECT status, publisher FROM versions WHERE skill = $1 AND version = $2")
        .bind(skill.to_owned())
        .bind(version.to_owned())
        .fetch_optional(db.reader())
        .await?;
    row.map(|row| Ok(VersionFacts { status: parsed(row.try_get(0)?)?, publisher: row.try_get(1)? }))
        .transpose()
}
