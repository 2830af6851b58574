//! The audit: a private row for each entry of the log, and for what was refused.
//!
//! Rows of changes are written in the transaction of the change. Positions are given under the lock of the log's head, so
//! that they are in the order of commits, and a stream that follows them misses nothing.

use skillery_core::api::{AuditEntry, AuditOutcome};
use skillery_core::event::{Audience, Event};
use skillery_core::time::Time;
use skillery_core::{Namespace, SkillId};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor, Row};

use super::{Backend, Committed, Db, Tx, from_json, log, parsed, pieces, tuples, writer};
use crate::failure::Result;
use crate::origin::Origin;

/// Entries of an older log that get their rows at once.
const CAUGHT_UP: i64 = 1_000;

const INSERTED: &str = "INSERT INTO audit (id, position, at, last_at, times, outcome, action, log_index, user_id, token, via, \
    address, agent, request, org, namespace, skill, version, affected, subject, code) VALUES ";
const VALUES: usize = 21;

/// What is to be written of something that was done or refused.
#[derive(Debug, Clone, Default)]
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
            token: origin.who().map(|who| who.token.clone()),
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

    /// About a namespace.
    pub fn namespace(namespace: &Namespace) -> Self {
        Self {
            org: Some(namespace.org_key()),
            namespace: Some(namespace.key()),
            subject: Some(namespace.to_string()),
            ..Self::default()
        }
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
    }
}

/// Takes so many positions, and returns the first of them.
async fn positions(connection: &mut AnyConnection, count: usize) -> sqlx::Result<i64> {
    let text = "UPDATE audit_head SET position = position + $1 WHERE id = 1 RETURNING position";
    let last: i64 = sqlx::query_scalar(text).bind(count as i64).fetch_one(connection).await?;
    Ok(last - count as i64 + 1)
}

async fn insert(connection: &mut AnyConnection, first: i64, records: Vec<Record>) -> sqlx::Result<()> {
    let mut ids = first..;
    for piece in pieces(&records) {
        let text = format!("{INSERTED}{}", tuples(1, piece.len(), VALUES, ""));
        let mut query = sqlx::query(AssertSqlSafe(text));
        for (record, id) in piece.iter().zip(&mut ids) {
            query = record.clone().bind(query, id);
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
    let records: Vec<Record> = entries
        .iter()
        .map(|entry| {
            let (actor, origin) = (entry.actor.as_deref(), entry.origin.as_deref());
            Record::change(now, entry.index, actor, &entry.event, origin)
        })
        .collect();
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
                };
                insert(tx.connection(), position, vec![record]).await?;
                ids.push(position);
            }
        }
        position += 1;
    }
    Ok(ids)
}

/// Forgets what was refused before that time, and the oldest of it beyond so many rows. Returns how many went.
pub async fn forget_denied(tx: &mut Tx, before: Time, kept: i64) -> Result<u64> {
    let old = sqlx::query("DELETE FROM audit WHERE outcome = 'denied' AND last_at < $1")
        .bind(before.micros())
        .execute(tx.connection())
        .await?
        .rows_affected();
    let text = "SELECT last_at FROM audit WHERE outcome = 'denied' ORDER BY last_at DESC LIMIT 1 OFFSET $1";
    let beyond: Option<i64> = sqlx::query_scalar(text).bind(kept).fetch_optional(tx.connection()).await?;
    let Some(beyond) = beyond else { return Ok(old) };
    let many = sqlx::query("DELETE FROM audit WHERE outcome = 'denied' AND last_at <= $1")
        .bind(beyond)
        .execute(tx.connection())
        .await?
        .rows_affected();
    Ok(old + many)
}

/// Forgets from where changes before that time came; who made them stays.
pub async fn forget_addresses(tx: &mut Tx, before: Time) -> Result<u64> {
    let text = "UPDATE audit SET address = NULL, agent = NULL WHERE at < $1 AND address IS NOT NULL";
    Ok(sqlx::query(text).bind(before.micros()).execute(tx.connection()).await?.rows_affected())
}

/// Which rows are wanted.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The id of a user; an id that is nobody's finds nothing.
    pub actor: Option<String>,
    /// What it is about.
    pub subject: Option<Subject>,
    /// The beginning of its action.
    pub action: Option<String>,
    /// How it ended.
    pub outcome: Option<AuditOutcome>,
    /// From then on.
    pub from: Option<Time>,
    /// Before then.
    pub to: Option<Time>,
    /// From this address.
    pub address: Option<String>,
    /// Keys of namespaces; those below them count too. None: everything.
    pub within: Option<Vec<String>>,
    /// Kinds of changes, any of them.
    pub kinds: Vec<&'static str>,
}

/// A subject, as somebody names it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// As it is named.
    pub text: String,
    /// As it is compared.
    pub key: String,
    /// The id of the user of that name.
    pub user: Option<String>,
}

/// A value of a statement.
enum Value {
    Text(String),
    Number(i64),
}

/// Conditions of a statement, and their values.
#[derive(Default)]
struct Conditions {
    text: String,
    values: Vec<Value>,
}

impl Conditions {
    fn text(&mut self, value: impl Into<String>) -> String {
        self.values.push(Value::Text(value.into()));
        format!("${}", self.values.len())
    }

    fn number(&mut self, value: i64) -> String {
        self.values.push(Value::Number(value));
        format!("${}", self.values.len())
    }

    fn and(&mut self, condition: &str) {
        self.text += if self.text.is_empty() { " WHERE (" } else { " AND (" };
        self.text += condition;
        self.text.push(')');
    }

    /// Whether a column begins with this text.
    fn begins(&mut self, column: &str, start: &str) -> String {
        let length = self.number(start.chars().count() as i64);
        let start = self.text(start);
        format!("substr({column}, 1, CAST({length} AS INTEGER)) = {start}")
    }

    fn of(filter: &Filter) -> Self {
        let mut all = Self::default();
        if let Some(actor) = &filter.actor {
            let value = all.text(actor);
            all.and(&format!("a.user_id = {value}"));
        }
        if let Some(Subject { text, key, user }) = &filter.subject {
            let (plain, key_value) = (all.text(text), all.text(key));
            let below = all.begins("a.namespace", &format!("{key}/"));
            let mut condition = format!(
                "a.subject = {plain} OR a.skill = {key_value} OR a.namespace = {key_value} OR {below}"
            );
            if let Some(user) = user {
                let user = all.text(user);
                condition += &format!(" OR a.affected = {user}");
            }
            all.and(&condition);
        }
        if let Some(action) = &filter.action {
            let condition = all.begins("a.action", action);
            all.and(&condition);
        }
        if !filter.kinds.is_empty() {
            let kinds: Vec<String> = filter.kinds.iter().map(|kind| all.text(*kind)).collect();
            all.and(&format!("a.action IN ({})", kinds.join(", ")));
        }
        if let Some(outcome) = filter.outcome {
            let value = all.text(outcome.as_str());
            all.and(&format!("a.outcome = {value}"));
        }
        if let Some(from) = filter.from {
            let value = all.number(from.micros());
            all.and(&format!("a.at >= {value}"));
        }
        if let Some(to) = filter.to {
            let value = all.number(to.micros());
            all.and(&format!("a.at < {value}"));
        }
        if let Some(address) = &filter.address {
            let value = all.text(address);
            all.and(&format!("a.address = {value}"));
        }
        if let Some(within) = &filter.within {
            let mut any: Vec<String> = Vec::new();
            for namespace in within {
                let org = all.text(namespace.split('/').next().unwrap_or_default());
                let exact = all.text(namespace);
                let below = all.begins("a.namespace", &format!("{namespace}/"));
                any.push(format!("(a.org = {org} AND (a.namespace = {exact} OR {below}))"));
            }
            all.and(if any.is_empty() { "1 = 0".to_owned() } else { any.join(" OR ") }.as_str());
        }
        all
    }

    async fn fetch(self, db: &Db, text: String) -> sqlx::Result<Vec<AnyRow>> {
        let mut query = sqlx::query(AssertSqlSafe(text));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        query.fetch_all(db.reader()).await
    }
}

const COLUMNS: &str = "a.id, a.at, a.last_at, a.times, a.outcome, a.action, a.log_index, a.user_id, u.name, a.token, a.via, \
    a.address, a.agent, a.request, a.namespace, a.version, f.name, a.subject, a.code, l.body, a.position, \
    CAST(CASE WHEN EXISTS (SELECT 1 FROM members m WHERE m.user_id = a.user_id AND m.org = a.org) THEN 1 ELSE 0 END AS BIGINT)";
const TABLES: &str = "audit a LEFT JOIN users u ON u.id = a.user_id LEFT JOIN users f ON f.id = a.affected \
    LEFT JOIN log l ON l.idx = a.log_index";

/// A row, with what decides who sees all of it.
#[derive(Debug)]
pub struct AuditRow {
    /// What it says.
    pub entry: AuditEntry,
    /// Where streams find it.
    pub position: i64,
    /// Whether who did it has a role in the org that it concerns.
    pub is_by_member: bool,
}

fn row(row: &AnyRow) -> Result<AuditRow> {
    let event = row.try_get::<Option<&str>, _>(19)?.map(from_json).transpose()?;
    let entry = AuditEntry {
        id: row.try_get(0)?,
        time: Time::from_micros(row.try_get(1)?),
        last_time: Time::from_micros(row.try_get(2)?),
        times: row.try_get(3)?,
        outcome: parsed(row.try_get(4)?)?,
        action: row.try_get(5)?,
        log_index: row.try_get(6)?,
        actor_id: row.try_get(7)?,
        actor: row.try_get(8)?,
        token: row.try_get(9)?,
        via: row.try_get(10)?,
        address: row.try_get(11)?,
        agent: row.try_get(12)?,
        request: row.try_get(13)?,
        namespace: row.try_get(14)?,
        version: row.try_get(15)?,
        affected: row.try_get(16)?,
        subject: row.try_get(17)?,
        code: row.try_get(18)?,
        event,
    };
    Ok(AuditRow { entry, position: row.try_get(20)?, is_by_member: row.try_get::<i64, _>(21)? != 0 })
}

/// The newest rows before this number, at most so many.
pub async fn page(db: &Db, filter: &Filter, before: Option<i64>, limit: usize) -> Result<Vec<AuditRow>> {
    let mut conditions = Conditions::of(filter);
    if let Some(before) = before {
        let value = conditions.number(before);
        conditions.and(&format!("a.id < {value}"));
    }
    let limit = conditions.number(limit as i64);
    let text = format!("SELECT {COLUMNS} FROM {TABLES}{} ORDER BY a.id DESC LIMIT {limit}", conditions.text);
    conditions.fetch(db, text).await?.iter().map(row).collect()
}

/// Rows whose position is after this one, in order, at most so many.
pub async fn after(db: &Db, position: i64, limit: usize) -> Result<Vec<AuditRow>> {
    let text = format!("SELECT {COLUMNS} FROM {TABLES} WHERE a.position > $1 ORDER BY a.position LIMIT $2");
    let rows =
        sqlx::query(AssertSqlSafe(text)).bind(position).bind(limit as i64).fetch_all(db.reader()).await?;
    rows.iter().map(row).collect()
}

/// By what rows are counted.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// What was done.
    Action,
    /// Why it was refused.
    Code,
    /// Who; without a name where nobody is signed in.
    Actor,
    /// The address of who is not signed in.
    Address,
    /// All who are not signed in, as one.
    Stranger,
}

/// How often, by this; the most frequent first.
pub async fn counts(db: &Db, filter: &Filter, by: By, limit: usize) -> Result<Vec<(Option<String>, i64)>> {
    let mut conditions = Conditions::of(filter);
    let column = match by {
        By::Action => "a.action",
        By::Code => "a.code",
        By::Actor => "u.name",
        By::Address => "a.address",
        By::Stranger => "a.user_id",
    };
    if matches!(by, By::Address | By::Stranger) {
        conditions.and("a.user_id IS NULL");
    }
    if matches!(by, By::Actor) {
        conditions.and("a.user_id IS NOT NULL");
    }
    let limit = conditions.number(limit as i64);
    let text = format!(
        "SELECT {column}, CAST(SUM(a.times) AS BIGINT) AS total FROM audit a LEFT JOIN users u ON u.id = a.user_id{} \
         GROUP BY {column} ORDER BY total DESC, {column} LIMIT {limit}",
        conditions.text
    );
    let rows = conditions.fetch(db, text).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// How often altogether.
pub async fn total(db: &Db, filter: &Filter) -> Result<i64> {
    let conditions = Conditions::of(filter);
    let text = format!("SELECT CAST(COALESCE(SUM(a.times), 0) AS BIGINT) FROM audit a{}", conditions.text);
    let rows = conditions.fetch(db, text).await?;
    Ok(rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?)
}

/// The names of those who made these entries of the log.
pub async fn actors_of(db: &Db, entries: &[u64]) -> Result<Vec<(i64, String)>> {
    let mut found = Vec::new();
    for piece in pieces(entries) {
        let text = format!(
            "SELECT l.idx, u.name FROM log l JOIN users u ON u.id = l.actor WHERE l.idx IN ({})",
            super::placeholders(1, piece.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(text));
        for entry in piece {
            query = query.bind(i64::try_from(*entry).unwrap_or(i64::MAX));
        }
        for row in query.fetch_all(db.reader()).await? {
            found.push((row.try_get(0)?, row.try_get(1)?));
        }
    }
    Ok(found)
}

/// The highest position.
pub async fn position(db: &Db) -> Result<i64> {
    let text = "SELECT position FROM audit_head WHERE id = 1";
    Ok(sqlx::query_scalar(text).fetch_one(db.reader()).await?)
}

/// How far the stream of this name is; none where it is new.
pub async fn stream(db: &Db, name: &str) -> Result<Option<i64>> {
    let text = "SELECT position FROM audit_streams WHERE name = $1";
    Ok(sqlx::query_scalar(text).bind(name.to_owned()).fetch_optional(db.reader()).await?)
}

/// Takes the stream for this server until then, where no other has it. A new stream begins at what comes from now on.
/// Returns how far it is.
pub async fn hold(tx: &mut Tx, name: &str, holder: &str, until: Time) -> Result<Option<i64>> {
    sqlx::query(
        "INSERT INTO audit_streams (name, position, holder, held_until) \
         SELECT CAST($1 AS TEXT), position, '', 0 FROM audit_head WHERE id = 1 ON CONFLICT (name) DO NOTHING",
    )
    .bind(name.to_owned())
    .execute(tx.connection())
    .await?;
    let now = tx.now.micros();
    let held = sqlx::query_scalar(
        "UPDATE audit_streams SET holder = $2, held_until = $3 WHERE name = $1 AND (holder = $2 OR held_until < $4) \
         RETURNING position",
    )
    .bind(name.to_owned())
    .bind(holder.to_owned())
    .bind(until.micros())
    .bind(now)
    .fetch_optional(tx.connection())
    .await?;
    Ok(held)
}

/// The stream has everything up to this position; other servers may go on with it.
pub async fn advance(tx: &mut Tx, name: &str, holder: &str, position: i64) -> Result<()> {
    sqlx::query("UPDATE audit_streams SET position = $3, held_until = 0 WHERE name = $1 AND holder = $2")
        .bind(name.to_owned())
        .bind(holder.to_owned())
        .bind(position)
        .execute(tx.connection())
        .await?;
    Ok(())
}
