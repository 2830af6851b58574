//! The audit: who did what, when and from where, of every change and of everything that was refused.
//!
//! Changes have their rows from `Db::write`, with the change itself. What was refused is gathered here and written in batches,
//! as downloads are: the same to the same caller within a minute is one row with a count. Neither one caller nor all of them
//! can fill the disk with it; what is left out is counted.

mod brief;
mod export;
mod read;
mod report;
mod stream;
mod syslog;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use axum::response::Response;
use skillery_core::ProblemCode;
use skillery_core::time::{DAY_SECONDS, Time};

use crate::app::App;
use crate::db::audit::{self as table, About, Denied, Origins};
use crate::failure::Result;
use crate::http::middleware::static_method;
use crate::http::router::Named;
use crate::origin::Origin;

pub use export::{Format, body};
pub use read::{Asked, page};
pub use report::{Reports, report, reports};
#[cfg(test)]
pub use stream::Follower;
#[cfg(test)]
pub use stream::measure;
pub use stream::{check_settings, follow, watch};

/// Microseconds within which the same is counted in one row.
const WINDOW: i64 = 60_000_000;
/// Rows of one caller in a window; what goes beyond is counted in one more.
const MAX_OF_CALLER: usize = 20;
/// Rows of all callers in a window; what goes beyond is counted in one more.
const MAX_ROWS: usize = 500;
/// Rows that wait for a database that does not answer.
const MAX_CLOSED: usize = MAX_ROWS * 20;
/// Characters of a path that are kept.
const MAX_SUBJECT: usize = 200;
/// What one caller was refused beyond the limit of rows.
pub const MORE: &str = "denied.more";
/// A browser has shown a session that is good no more.
pub const SESSION: &str = "session";
/// Somebody has asked too much.
pub const TOO_MANY: &str = "denied.too-many";
/// What all callers were refused beyond the limit of rows.
pub const DROPPED: &str = "denied.dropped";

/// What was refused and is not written, or may still count more.
#[derive(Default)]
pub struct Denials {
    buffer: Mutex<Buffer>,
    /// One batch at a time, so that nothing is written twice.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Buffer {
    window: i64,
    serial: u64,
    open: HashMap<Key, Counted>,
    /// Rows of each caller.
    callers: HashMap<Caller, usize>,
    /// Of windows that are over.
    closed: BTreeMap<u64, Counted>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    User(String),
    Address(Option<IpAddr>),
    All,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    caller: Caller,
    action: String,
    about: About,
    code: String,
}

#[derive(Debug, Clone)]
struct Counted {
    serial: u64,
    /// How often, as its row says.
    written: i64,
    denied: Denied,
}

impl Denials {
    /// Notes the answer, if it refuses something.
    pub fn note(
        &self,
        app: &App,
        origin: &Origin,
        route: &'static str,
        method: &Method,
        path: &str,
        response: &Response,
    ) {
        let status = response.status();
        let noted = origin.noted();
        // What a page needs decides itself whether somebody is signed in; its pictures ask for nothing.
        if let Some((code, who)) = noted.session.clone()
            && !path.starts_with("/assets/")
        {
            let origin = origin.of(who);
            self.count(
                app.environment.now(),
                &origin,
                SESSION.to_owned(),
                About::default(),
                code.as_str().to_owned(),
            );
        }
        let code = response.extensions().get::<ProblemCode>().copied();
        // A form that was refused is a page like others.
        let code = code.or(noted.form.filter(|_| status.is_client_error()));
        // Pages that need somebody who is signed in lead to where that is done.
        let is_sent_away = status.is_redirection() && code.is_some();
        if !status.is_client_error() && !is_sent_away && origin.via != "mcp" {
            return;
        }
        if status == StatusCode::TOO_MANY_REQUESTS || code == Some(ProblemCode::RateLimited) {
            // One row whatever was asked for: it says that there was too much, and each address would make another of it.
            let code = ProblemCode::RateLimited.as_str().to_owned();
            self.count(app.environment.now(), origin, TOO_MANY.to_owned(), About::default(), code);
            return;
        }
        let is_wrong = matches!(
            code,
            Some(
                ProblemCode::SignatureMismatch
                    | ProblemCode::InvalidSignature
                    | ProblemCode::SignatureRequired
            )
        );
        // A page answers in its own way to who cannot sign in.
        let is_stranger = matches!(
            code,
            Some(
                ProblemCode::Unauthenticated
                    | ProblemCode::InvalidToken
                    | ProblemCode::TokenExpired
                    | ProblemCode::TokenRevoked
                    | ProblemCode::LoginRefused
            )
        );
        let is_refused = matches!(status.as_u16(), 401 | 403) || is_wrong || is_stranger;
        let is_hidden = noted.is_hidden
            && origin.who().is_some()
            && (status.as_u16() == 404 || (origin.via == "mcp" && status.is_success()));
        // What a rule forbids to everybody is an attempt as well: to feel for a private network, to leave an org without an owner.
        let is_forbidden = matches!(code, Some(ProblemCode::AddressNotAllowed | ProblemCode::LastOwner));
        if !is_refused && !is_hidden && !is_forbidden {
            return;
        }
        let named = Named::of(path);
        let route = match route {
            "none" => named.route.unwrap_or(origin.via),
            route => route,
        };
        let mut about = match (&named.skill, &named.namespace) {
            (Some(id), _) => About::skill(id),
            (None, Some(namespace)) => About::namespace(namespace),
            (None, None) => About::default(),
        };
        about.version = named.version.as_ref().map(ToString::to_string);
        // No namespace learns who reports, though it be what is hidden of it.
        if about.namespace.is_none()
            && !noted.is_report
            && let Some(Ok(namespace)) = noted.namespace.as_deref().map(str::parse)
        {
            about = About::namespace(&namespace);
            about.skill = noted.skill;
        }
        if about.subject.is_none() || !path.starts_with("/api/v1/") {
            about.subject = Some(named.name.as_deref().map_or_else(|| plain(path), plain));
        }
        if let Some(address) =
            noted.address.as_deref().filter(|_| code == Some(ProblemCode::AddressNotAllowed))
        {
            about.subject = Some(plain(address));
        }
        let code = code.map_or_else(|| status.as_u16().to_string(), |code| code.as_str().to_owned());
        let code = if is_hidden && status.is_success() { hidden_code() } else { code };
        self.count(app.environment.now(), origin, format!("{} {route}", static_method(method)), about, code);
    }

    fn count(&self, now: Time, origin: &Origin, action: String, about: About, code: String) {
        let who = origin.who();
        let caller = match &who {
            Some(who) => Caller::User(who.user.clone()),
            None => Caller::Address(origin.address.map(network)),
        };
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.turn(now);
        let key = Key { caller, action, about, code };
        if buffer.raise(&key, now) {
            return;
        }
        let of_caller = buffer.callers.get(&key.caller).copied().unwrap_or_default();
        let mut origins = Origins::of(origin);
        let mut user = who.map(|who| who.user);
        let key = if buffer.open.len() >= MAX_ROWS {
            (origins, user) = (Origins::default(), None);
            let Denied { action, about, code, .. } = dropped(now, now);
            Key { caller: Caller::All, action, about, code }
        } else if of_caller >= MAX_OF_CALLER {
            let code = "more".to_owned();
            Key { caller: key.caller, action: MORE.to_owned(), about: About::default(), code }
        } else {
            *buffer.callers.entry(key.caller.clone()).or_default() += 1;
            key
        };
        if buffer.raise(&key, now) {
            return;
        }
        buffer.serial += 1;
        let denied = Denied {
            id: None,
            at: now,
            last_at: now,
            times: 1,
            action: key.action.clone(),
            user,
            origin: origins,
            about: key.about.clone(),
            code: key.code.clone(),
        };
        let counted = Counted { serial: buffer.serial, written: 0, denied };
        buffer.open.insert(key, counted);
    }

    /// Whether there is something to write.
    pub fn is_empty(&self, now: Time) -> bool {
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.turn(now);
        buffer.closed.is_empty() && !buffer.open.values().any(|counted| counted.denied.id.is_none())
    }
}

/// The row that counts what has none of its own.
fn dropped(at: Time, last_at: Time) -> Denied {
    Denied {
        id: None,
        at,
        last_at,
        times: 1,
        action: DROPPED.to_owned(),
        user: None,
        origin: Origins::default(),
        about: About::default(),
        code: "dropped".to_owned(),
    }
}

impl Buffer {
    /// Begins another window, when it is time.
    fn turn(&mut self, now: Time) {
        let window = now.micros().div_euclid(WINDOW);
        if window == self.window {
            return;
        }
        self.window = window;
        self.callers.clear();
        let over = self.open.drain().map(|(_, counted)| (counted.serial, counted));
        self.closed.extend(over.filter(|(_, counted)| counted.denied.times > counted.written));
        self.cut();
    }

    /// Only where the database does not answer for minutes do rows become many. Then the newest are one row, with their number.
    fn cut(&mut self) {
        let Some(last) = self.closed.keys().nth(MAX_CLOSED).copied() else { return };
        let cut = self.closed.split_off(&last);
        let times = cut.values().map(|counted| counted.denied.times - counted.written).sum();
        let (Some(first), Some(last)) = (cut.values().next(), cut.values().next_back()) else { return };
        let denied = Denied { times, ..dropped(first.denied.at, last.denied.last_at) };
        self.closed.insert(last.serial, Counted { serial: last.serial, written: 0, denied });
    }

    /// Counts it in a row that there is.
    fn raise(&mut self, key: &Key, now: Time) -> bool {
        let Some(counted) = self.open.get_mut(key) else { return false };
        counted.denied.times += 1;
        counted.denied.last_at = now;
        true
    }

    /// What is to be written: what is new, and what counts more and will not count more again.
    fn unwritten(&mut self, is_last: bool) -> Vec<Counted> {
        let mut all: Vec<Counted> = std::mem::take(&mut self.closed).into_values().collect();
        let open = self.open.values().filter(|counted| {
            counted.denied.id.is_none() || (is_last && counted.denied.times > counted.written)
        });
        all.extend(open.cloned());
        all.sort_by_key(|counted| counted.serial);
        all
    }

    fn is_written(&mut self, serial: u64, id: i64, times: i64) {
        let counted = match self.closed.get_mut(&serial) {
            Some(closed) => Some(closed),
            None => self.open.values_mut().find(|counted| counted.serial == serial),
        };
        if let Some(counted) = counted {
            counted.denied.id = Some(id);
            counted.written = times;
        }
    }

    fn give_back(&mut self, all: Vec<Counted>) {
        // Those that are still open were copied.
        let open: BTreeSet<u64> = self.open.values().map(|counted| counted.serial).collect();
        for counted in all.into_iter().filter(|counted| !open.contains(&counted.serial)) {
            self.closed.entry(counted.serial).or_insert(counted);
        }
    }
}

/// Writes what was refused; at the last time also what could still count more. What cannot be written is kept.
pub async fn flush(app: &App, is_last: bool) -> Result<()> {
    let _writing = app.denials.writing.lock().await;
    let all = {
        let mut buffer = app.denials.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.turn(app.environment.now());
        buffer.unwritten(is_last)
    };
    if all.is_empty() {
        return Ok(());
    }
    let rows: Vec<Denied> = all.iter().map(|counted| counted.denied.clone()).collect();
    let written = app.db.write(move |tx| Box::pin(async move { table::write_denied(tx, rows).await })).await;
    let mut buffer = app.denials.buffer.lock().unwrap_or_else(PoisonError::into_inner);
    match written {
        Ok(ids) => {
            for (counted, id) in all.iter().zip(ids) {
                buffer.is_written(counted.serial, id, counted.denied.times);
            }
            Ok(())
        }
        Err(failure) => {
            buffer.give_back(all);
            Err(failure)
        }
    }
}

/// Rows that are forgotten in one transaction.
const FORGOTTEN: i64 = 1_000;

/// Forgets what the settings do not want kept, some rows in a transaction, so that nobody waits long for theirs.
pub async fn prune(app: &App) -> Result<()> {
    let settings = &app.settings.audit;
    let now = app.environment.now();
    let ago = |days: u32| now.plus_seconds(-i64::from(days) * DAY_SECONDS);
    let old = ago(settings.denied_days);
    let until = table::beyond(&app.db, settings.denied_rows).await?.map_or(old, |many| many.max(old));
    while !app.is_stopping() {
        let forget =
            app.db.write(move |tx| Box::pin(async move { table::forget_denied(tx, until, FORGOTTEN).await }));
        if forget.await? == 0 {
            break;
        }
    }
    if settings.address_days == 0 {
        return Ok(());
    }
    let before = ago(settings.address_days);
    while !app.is_stopping() {
        let forget = app
            .db
            .write(move |tx| Box::pin(async move { table::forget_addresses(tx, before, FORGOTTEN).await }));
        if !forget.await? {
            break;
        }
    }
    Ok(())
}

/// The network that one caller has: whoever has one address of version 6 has very many.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

/// A part of an address as it may be kept. Callers that mistake one thing for another put tokens into addresses.
fn plain(text: &str) -> String {
    if text.contains("sky_") {
        return "…".to_owned();
    }
    text.chars().flat_map(char::escape_debug).take(MAX_SUBJECT).collect()
}

fn hidden_code() -> String {
    ProblemCode::SkillNotFound.as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_too_long_is_counted_all_the_same() {
        let denials = Denials::default();
        let (windows, callers, each) = (25_i64, 40_u8, 20_i64);
        for window in 0..windows {
            let now = Time::from_micros(window * WINDOW);
            for caller in 0..callers {
                let address = Some(IpAddr::from([10, 0, 0, caller]));
                let origin = Origin::request("api", address, String::new(), None);
                for number in 0..each {
                    let action = format!("GET /{number}");
                    denials.count(now, &origin, action, About::default(), "forbidden".to_owned());
                }
            }
        }
        let mut buffer = denials.buffer.lock().unwrap();
        buffer.turn(Time::from_micros(windows * WINDOW));
        let rows = buffer.unwritten(true);
        assert_eq!(rows.len(), MAX_CLOSED + 1);
        let times: i64 = rows.iter().map(|row| row.denied.times).sum();
        assert_eq!(times, windows * i64::from(callers) * each);
        assert_eq!(rows.last().unwrap().denied.action, DROPPED);
    }
}
