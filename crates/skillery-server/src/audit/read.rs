//! Reading the audit: who sees what of it, and what is asked.

use std::net::IpAddr;

use skillery_core::api::{AuditEntry, AuditResponse};
use skillery_core::time::Time;
use skillery_core::{Namespace, ProblemCode, Role, Scope};

use crate::access::Caller;
use crate::app::App;
use crate::db::accounts;
use crate::db::audit::{self as table, AuditRow, Filter, Subject};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, invalid_parameter};

/// What somebody may read, and asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which rows.
    pub filter: Filter,
    /// Whether addresses and what else tells of a client are shown of everybody, and not of members alone.
    pub is_all: bool,
}

impl Asked {
    /// What this caller may read: all of it, or what concerns the namespaces that the caller is an admin of.
    pub fn of(caller: &Caller, namespace: Option<&Namespace>) -> Result<Self> {
        let identity = caller.require(Scope::Admin)?;
        if let Some(namespace) = namespace {
            caller.require_role(Scope::Admin, Role::Admin, namespace)?;
            let filter = Filter { within: Some(vec![namespace.key()]), ..Filter::default() };
            return Ok(Self { filter, is_all: identity.is_site_admin() });
        }
        let within = identity.places_as(Role::Admin);
        if within.as_ref().is_some_and(Vec::is_empty) {
            let detail = "only admins of the registry, or of a namespace, read the audit";
            return Err(Failure::new(ProblemCode::Forbidden, detail));
        }
        Ok(Self { is_all: within.is_none(), filter: Filter { within, ..Filter::default() } })
    }

    /// What the parameters of this call ask for.
    pub async fn from(call: &Call) -> Result<Self> {
        Self::within(call, call.parsed::<Namespace>("namespace")?.as_ref()).await
    }

    /// What the parameters of this call ask for of a namespace, or of all that the caller may read.
    pub async fn within(call: &Call, namespace: Option<&Namespace>) -> Result<Self> {
        let mut asked = Self::of(&call.caller, namespace)?;
        let filter = &mut asked.filter;
        if let Some(actor) = call.parameter("actor") {
            let user = accounts::user_by_name(call.app.db.reader(), &actor).await?;
            filter.actor = Some(user.map_or_else(|| without_nul(&actor), |user| user.id));
        }
        if let Some(text) = call.parameter("subject") {
            let user = accounts::user_by_name(call.app.db.reader(), &text).await?;
            let text = without_nul(&text);
            let key = accounts::name_key(&text.to_ascii_lowercase());
            filter.subject = Some(Subject { text, key, user: user.map(|user| user.id) });
        }
        filter.action = call.parameter("action").map(|action| without_nul(&action));
        filter.outcome = call.parsed("outcome")?;
        filter.from = time(call, "from")?;
        filter.to = time(call, "to")?;
        if let Some(address) = call.parsed::<IpAddr>("address")? {
            if !asked.is_all {
                let detail = "only admins of the registry look for addresses";
                return Err(Failure::new(ProblemCode::Forbidden, detail));
            }
            filter.address = Some(address.to_string());
        }
        Ok(asked)
    }

    /// A row as the caller sees it. From where others than members come is nothing for the admins of a namespace.
    pub fn shown(&self, row: AuditRow) -> AuditEntry {
        let AuditRow { mut entry, is_by_member, .. } = row;
        if !self.is_all && !is_by_member {
            (entry.token, entry.address, entry.agent, entry.request) = (None, None, None, None);
        }
        entry
    }
}

/// One page, the newest first.
pub async fn page(app: &App, asked: &Asked, before: Option<i64>, limit: usize) -> Result<AuditResponse> {
    // What is looked for so has no index: all rows may be read for it.
    let is_wide = asked.filter.subject.is_some() || asked.filter.address.is_some();
    let _turn = if is_wide { Some(app.auditing.turn().await?) } else { None };
    let rows = table::page(&app.db, &asked.filter, before, limit).await?;
    let next = rows.last().filter(|_| rows.len() == limit && limit > 0).map(|last| last.entry.id);
    Ok(AuditResponse { entries: rows.into_iter().map(|row| asked.shown(row)).collect(), next })
}

/// A text that no database refuses; there is none with NUL in it to be found.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// A time, or a day that begins in UTC.
fn time(call: &Call, name: &str) -> Result<Option<Time>> {
    let Some(text) = call.parameter(name) else { return Ok(None) };
    let day = || {
        let day = text.parse::<jiff::civil::Date>().ok()?;
        day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    let found = text.parse::<jiff::Timestamp>().ok().or_else(day);
    match found {
        Some(time) => Ok(Some(Time::from_micros(time.as_microsecond()))),
        None => {
            Err(invalid_parameter(name, "use a time like 2026-01-31T12:00:00Z, or a day like 2026-01-31"))
        }
    }
}
