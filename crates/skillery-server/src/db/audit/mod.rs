//! The audit: a private row for each entry of the log, and for what was refused.
//!
//! Rows of changes are written in the transaction of the change. Positions are given under the lock of the log's head, so
//! that they are in the order of commits, and a stream that follows them misses nothing.

mod forget;
mod private;
mod read;
mod streams;

use skillery_core::api::AuditOutcome;
use skillery_core::event::{Audience, Event};
use skillery_core::id::key_contains;
use skillery_core::time::Time;
use skillery_core::{Namespace, SkillId, Version};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor, Row};

use super::{Backend, Committed, Tx, log, many_tuples, piece_of, pieces, writer};
use crate::failure::Result;
use crate::origin::Origin;
pub use forget::*;
pub use private::*;
pub use read::*;
pub use streams::*;

/// Entries of an older log that get their rows at once.
const CAUGHT_UP: i64 = 1_000;

const INSERTED: &str = "INSERT INTO audit (id, position, at, last_at, times, outcome, action, log_index, user_id, token, via, \
    address, agent, request, org, namespace, skill, version, affected, subject, code, by_member) VALUES ";
const VALUES: usize = 22;

/// What is to be written of something that was done or refused.
#[derive(Debug, Default)]
struct Record {
    at: Time,
    last_at: Time,
    times: i64,
    is_denied: bool,
    action: String,
    log_index: Option<i64>,
    user: Option<String>,
    origin: Origins,
    about: About,
    code: Option<String>,
    by_member: bool,
}

/// From where, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Origins {
    /// The id of the token.
    pub token: Option<String>,
    /// The way.
    pub via: Option<String>,
    /// The address.
    pub address: Option<String>,
    /// What the client calls itself.
    pub agent: Option<String>,
    /// The id of the request.
    pub request: Option<String>,
}

impl Origins {
    /// Of this origin.
    pub fn of(origin: &Origin) -> Self {
        Self {
            token: origin.who().map(|who| who.token),
            via: Some(origin.via.to_owned()),
            address: origin.address.map(|address| address.to_string()),
            agent: origin.agent(),
            request: origin.request.clone(),
        }
    }
}

/// What something is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct About {
    /// The key of the org.
    pub org: Option<String>,
    /// The key of the namespace.
    pub namespace: Option<String>,
    /// The key of the skill.
    pub skill: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The id of the user whose rights are changed.
    pub affected: Option<String>,
    /// For people.
    pub subject: Option<String>,
}

impl About {
    /// About a skill.
    pub fn skill(id: &SkillId) -> Self {
        Self { skill: Some(id.key()), subject: Some(id.to_string()), ..Self::namespace(&id.namespace()) }
    }

    /// About a version.
    pub fn version(id: &SkillId, version: &Version) -> Self {
        Self { version: Some(version.to_string()), ..Self::skill(id) }
    }

    /// About a namespace.
    pub fn namespace(namespace: &Namespace) -> Self {
        Self {
            org: Some(namespace.org_key()),
            namespace: Some(namespace.key()),
            subject: Some(namespace.to_string()),
            ..Self::default()
        }
    }

    /// About what one user has for themselves alone; `subject` is its id.
    pub fn of_user(user: &str, subject: Option<&str>) -> Self {
        Self { affected: Some(user.to_owned()), subject: subject.map(str::to_owned), ..Self::default() }
    }

    /// About what this event changes.
    fn event(event: &Event) -> Self {
        let mut about = match event.audience() {
            Audience::OfSkill(skill) => Self::skill(skill),
            Audience::OfOrg(namespace) => {
                namespace.parse().map_or_else(|_| Self::default(), |namespace| Self::namespace(&namespace))
            }
            Audience::Everybody | Audience::Admins => Self::default(),
        };
        about.version = event.version().map(ToString::to_string);
        about.affected = match event {
            Event::UserCreated { user, .. }
            | Event::UserDisabled { user, .. }
            | Event::UserLinked { user, .. }
            | Event::MemberSet { user, .. }
            | Event::MemberRemoved { user, .. }
            | Event::TokenIssued { user, .. }
            | Event::KeyEnrolled { user: Some(user), .. } => Some(user.clone()),
            _ => None,
        };
        let named = match event {
            Event::TokenIssued { token, .. } | Event::TokenRevoked { token } => Some(token),
            Event::KeyEnrolled { key, .. } | Event::KeyRevoked { key } => Some(key),
            _ => None,
        };
        if let Some(named) = named {
            about.subject = Some(named.clone());
        }
        about
    }
}

impl Record {
    fn change(at: Time, index: i64, actor: Option<&str>, event: &Event, origin: Option<&Origin>) -> Self {
        Self {
            at,
            last_at: at,
            times: 1,
            is_denied: false,
            action: event.kind().to_owned(),
            log_index: Some(index),
            user: actor.map(str::to_owned),
            origin: origin.map(Origins::of).unwrap_or_default(),
            about: About::event(event),
            code: None,
            by_member: false,
        }
    }

    fn bind<'query>(
        self,
        query: Query<'query, Any, AnyArguments>,
        id: i64,
    ) -> Query<'query, Any, AnyArguments> {
        let outcome = if self.is_denied { AuditOutcome::Denied } else { AuditOutcome::Allowed };
        let Origins { token, via, address, agent, request } = self.origin;
        let About { org, namespace, skill, version, affected, subject } = self.about;
        query
            .bind(id)
            .bind(id)
            .bind(self.at.micros())
            .bind(self.last_at.micros())
            .bind(self.times)
            .bind(outcome.as_str())
            .bind(self.action)
            .bind(self.log_index)
            .bind(self.user)
            .bind(token)
            .bind(via)
            .bind(address)
            .bind(agent)
            .bind(request)
            .bind(org)
            .bind(namespace)
            .bind(skill)
            .bind(version)
            .bind(affected)
            .bind(subject)
            .bind(self.code)
            .bind(i64::from(self.by_member))
    }
}

/// Notes in those of these records that may be of members whether they are: who has a role where it happened, as things stand
/// in this transaction.
async fn note_members(connection: &mut AnyConnection, records: &mut [Record]) -> sqlx::Result<()> {
    let mut wanted: Vec<(String, String)> = records
        .iter()
        .filter(|record| record.by_member)
        .filter_map(|record| Some((record.user.clone()?, record.about.org.clone()?)))
        .collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut held: Vec<(String, String)> = Vec::new();
    for piece in pieces(&wanted) {
        let each: Vec<String> = (0..piece.len())
            .map(|place| format!("(user_id = ${} AND org = ${})", 2 * place + 1, 2 * place + 2))
            .collect();
        let text = format!("SELECT user_id, namespace FROM members WHERE {}", each.join(" OR "));
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for (user, org) in piece {
            query = query.bind(user.clone()).bind(org.clone());
        }
        held.extend(query.fetch_all(&mut *connection).await?);
    }
    for record in records.iter_mut().filter(|record| record.by_member) {
        let place = record.about.namespace.as_deref().unwrap_or_default();
        record.by_member = held.iter().any(|(user, namespace)| {
            record.user.as_deref() == Some(user.as_str()) && key_contains(namespace, place)
        });
    }
    Ok(())
}

/// Takes so many positions, and returns the first of them.
async fn positions(connection: &mut AnyConnection, count: usize) -> sqlx::Result<i64> {
    let text = "UPDATE audit_head SET position = position + $1 WHERE id = 1 RETURNING position";
    let last: i64 = sqlx::query_scalar(text).bind(count as i64).fetch_one(connection).await?;
    Ok(last - count as i64 + 1)
}

async fn insert(connection: &mut AnyConnection, first: i64, records: Vec<Record>) -> sqlx::Result<()> {
    let mut ids = first..;
    let mut records = records.into_iter();
    while let Some(length) = piece_of(records.len()) {
        let text = format!("{INSERTED}{}", many_tuples(connection, length, VALUES, ""));
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (record, id) in records.by_ref().take(length).zip(&mut ids) {
            query = record.bind(query, id);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Writes where these new entries of the log come from.
pub(super) async fn insert_changes(
    connection: &mut AnyConnection,
    now: Time,
    entries: &[Committed],
) -> sqlx::Result<()> {
    let Some(begin) = entries.first().map(|entry| entry.index) else { return Ok(()) };
    let mut records: Vec<Record> = entries
        .iter()
        .map(|entry| {
            let (actor, origin) = (entry.actor.as_deref(), entry.origin.as_deref());
            let record = Record::change(now, entry.index, actor, &entry.event, origin);
            Record { by_member: entry.event.is_of_members(), ..record }
        })
        .collect();
    note_members(connection, &mut records).await?;
    let (count, end) = (records.len() as i64, begin + records.len() as i64);
    // An older program that writes beside this one leaves a gap, which the next start fills.
    let last: i64 = sqlx::query_scalar(
        "UPDATE audit_head SET position = position + $1, entries = CASE WHEN entries = $2 THEN $3 ELSE entries END \
         WHERE id = 1 RETURNING position",
    )
    .bind(count)
    .bind(begin)
    .bind(end)
    .fetch_one(&mut *connection)
    .await?;
    insert(connection, last - count + 1, records).await
}

/// Gives entries that an older program has written their rows. From where they came is not known.
pub(super) async fn catch_up(pool: &AnyPool, backend: Backend) -> sqlx::Result<()> {
    loop {
        let mut connection = pool.acquire().await?;
        let outcome = catch_up_some(&mut connection, backend).await;
        if outcome.is_err() {
            drop(connection.detach());
        }
        if outcome? {
            return Ok(());
        }
    }
}

async fn catch_up_some(connection: &mut AnyConnection, backend: Backend) -> sqlx::Result<bool> {
    let begin = AssertSqlSafe(format!("{}; {}", writer::begin(backend), log::LOCK_HEAD));
    sqlx::raw_sql(begin).fetch_all(&mut *connection).await?;
    let begin: i64 =
        sqlx::query_scalar("SELECT entries FROM audit_head WHERE id = 1").fetch_one(&mut *connection).await?;
    let rows = sqlx::query(
        "SELECT l.idx, l.at, l.actor, l.body, a.id FROM log l LEFT JOIN audit a ON a.log_index = l.idx \
         WHERE l.idx >= $1 ORDER BY l.idx LIMIT $2",
    )
    .bind(begin)
    .bind(CAUGHT_UP)
    .fetch_all(&mut *connection)
    .await?;
    let mut records = Vec::new();
    for row in &rows {
        if row.try_get::<Option<i64>, _>(4)?.is_some() {
            continue;
        }
        let event: Event =
            serde_json::from_str(row.try_get(3)?).map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        let (at, actor) = (Time::from_micros(row.try_get(1)?), row.try_get::<Option<String>, _>(2)?);
        records.push(Record::change(at, row.try_get(0)?, actor.as_deref(), &event, None));
    }
    if !records.is_empty() {
        let first = positions(connection, records.len()).await?;
        insert(connection, first, records).await?;
    }
    if let Some(last) = rows.last() {
        sqlx::query("UPDATE audit_head SET entries = $1 WHERE id = 1")
            .bind(last.try_get::<i64, _>(0)? + 1)
            .execute(&mut *connection)
            .await?;
    }
    connection.execute("COMMIT").await?;
    Ok((rows.len() as i64) < CAUGHT_UP)
}

/// Something that was refused, to the same caller for the same reason within a minute.
#[derive(Debug, Clone)]
pub struct Denied {
    /// The number of its row, once it has one.
    pub id: Option<i64>,
    /// The first time.
    pub at: Time,
    /// The last time.
    pub last_at: Time,
    /// How often.
    pub times: i64,
    /// Method and route.
    pub action: String,
    /// The user's id, where it is known.
    pub user: Option<String>,
    /// From where, the first time.
    pub origin: Origins,
    /// What it was about.
    pub about: About,
    /// Why.
    pub code: String,
}

/// Writes what was refused: new rows, and higher counts of those that are there. Returns the numbers of the rows.
pub async fn write_denied(tx: &mut Tx, all: Vec<Denied>) -> Result<Vec<i64>> {
    let mut position = positions(tx.connection(), all.len()).await?;
    let mut ids = Vec::with_capacity(all.len());
    for denied in all {
        match denied.id {
            Some(id) => {
                sqlx::query("UPDATE audit SET position = $2, times = $3, last_at = $4 WHERE id = $1")
                    .bind(id)
                    .bind(position)
                    .bind(denied.times)
                    .bind(denied.last_at.micros())
                    .execute(tx.connection())
                    .await?;
                ids.push(id);
            }
            None => {
                let by_member =
                    is_known_member(tx, denied.user.as_deref(), denied.about.org.as_deref()).await?;
                let record = Record {
                    at: denied.at,
                    last_at: denied.last_at,
                    times: denied.times,
                    is_denied: true,
                    action: denied.action,
                    log_index: None,
                    user: denied.user,
                    origin: denied.origin,
                    about: denied.about,
                    code: Some(denied.code),
                    by_member,
                };
                insert(tx.connection(), position, vec![record]).await?;
                ids.push(position);
            }
        }
        position += 1;
    }
    Ok(ids)
}

/// Whether the user has a role in the org and has used one there: nobody becomes a member of a stranger's org by being named.
async fn is_known_member(tx: &mut Tx, user: Option<&str>, org: Option<&str>) -> Result<bool> {
    let (Some(user), Some(org)) = (user, org) else { return Ok(false) };
    let text = "SELECT m.org FROM members m WHERE m.user_id = $1 AND m.org = $2 AND EXISTS \
         (SELECT 1 FROM audit a WHERE a.user_id = $1 AND a.org = $2 AND a.by_member = 1) LIMIT 1";
    let found =
        sqlx::query(text).bind(user.to_owned()).bind(org.to_owned()).fetch_optional(tx.connection()).await?;
    Ok(found.is_some())
}
