//! Reading the audit: what is asked for, and the rows of it.

use skillery_core::api::{AuditEntry, AuditOutcome};
use skillery_core::time::Time;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::Batch;
use crate::db::{Db, any_of, from_json, is_within, parsed, pieces, placeholders};
use crate::failure::Result;

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
            let is_within = is_within("a.namespace", &key_value);
            let mut condition = format!("a.subject = {plain} OR a.skill = {key_value} OR {is_within}");
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
                let place = all.text(namespace);
                any.push(format!("(a.org = {org} AND {})", is_within("a.namespace", &place)));
            }
            all.and(&any_of(&any));
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
    a.address, a.agent, a.request, a.namespace, a.version, f.name, a.subject, a.code, l.body, a.position, a.by_member";
const TABLES: &str = "audit a LEFT JOIN users u ON u.id = a.user_id LEFT JOIN users f ON f.id = a.affected \
    LEFT JOIN log l ON l.idx = a.log_index";

/// A row, with what decides who sees all of it.
#[derive(Debug)]
pub struct AuditRow {
    /// What it says.
    pub entry: AuditEntry,
    /// Where streams find it.
    pub position: i64,
    /// Whether a member of the org did it as one, as it was known then.
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

/// The rows of a batch, in order.
pub async fn of_batch(db: &Db, batch: Batch) -> Result<Vec<AuditRow>> {
    let text = format!(
        "SELECT {COLUMNS} FROM {TABLES} WHERE a.position > $1 AND a.position <= $2 ORDER BY a.position"
    );
    let rows =
        sqlx::query(AssertSqlSafe(text)).bind(batch.from).bind(batch.to).fetch_all(db.reader()).await?;
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
            placeholders(1, piece.len())
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
