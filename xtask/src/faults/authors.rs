//! Authors who publish and yank at the same time, and remember what they were told.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::truth::{Truth, Version};
use crate::e2e::http::{Message, exchange, get_body, host};

/// Users, each the owner of an org.
const USERS: [&str; 4] = ["ada", "ben", "cleo", "dan"];
/// How often an author yanks instead of publishing: each so manieth time.
const YANKS: usize = 7;

/// What came of a call.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It was done.
    Done(Value),
    /// It was refused, and nothing has happened.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// Calls the API below `/api/v1`.
pub(crate) fn call(address: SocketAddr, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let asked = || -> Result<(u16, String)> {
        let mut headers = host(address);
        headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
        let body = if body.is_null() { Vec::new() } else { serde_json::to_vec(body)? };
        let request = Message { start: format!("{method} /api/v1{path} HTTP/1.1"), headers, body };
        let answer = exchange(address, &request)?;
        Ok((answer.status()?, answer.text()?))
    };
    match asked() {
        Ok((200..300, text)) => match serde_json::from_str(&text) {
            Ok(value) => Answer::Done(value),
            Err(_) => Answer::Done(Value::Null),
        },
        // The time was up while it was being done.
        Ok((status @ 408, text)) => Answer::Unknown(format!("{status}: {text}")),
        Ok((status @ 400..500, text)) => Answer::Refused(format!("{status}: {text}")),
        Ok((status, text)) => Answer::Unknown(format!("{status}: {text}")),
        Err(error) => Answer::Unknown(format!("{error:#}")),
    }
}

/// Calls for what must succeed.
pub(crate) fn must(
    address: SocketAddr,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> Result<Value> {
    match call(address, token, method, path, body) {
        Answer::Done(value) => Ok(value),
        Answer::Refused(words) | Answer::Unknown(words) => bail!("`{method} {path}`: {words}"),
    }
}

/// Calls for what must be there afterwards. It may be there already: who asked for it before was perhaps not answered.
fn make(address: SocketAddr, token: &str, path: &str, body: &Value) -> Result<()> {
    match call(address, token, "POST", path, body) {
        Answer::Done(_) => Ok(()),
        Answer::Refused(words) if words.starts_with("409") => Ok(()),
        Answer::Refused(words) | Answer::Unknown(words) => bail!("`POST {path}`: {words}"),
    }
}

/// Somebody who publishes.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    pub(crate) address: SocketAddr,
    token: String,
    org: String,
    number: usize,
}

impl Author {
    /// Lets so many in, with users and orgs of their own as far as there are names.
    pub(crate) fn invite(address: SocketAddr, admin: &str, count: usize) -> Result<Vec<Self>> {
        let mut authors = Vec::new();
        for user in USERS {
            make(address, admin, "/users", &json!({"name": user}))?;
            let asked =
                json!({"label": "faults", "user": user, "scopes": ["read", "publish", "rate", "admin"]});
            let made = must(address, admin, "POST", "/tokens", &asked)?;
            let token = made["token"].as_str().context("no token was made")?.to_owned();
            make(address, &token, "/orgs", &json!({"name": format!("{user}-works")}))?;
            authors.push(Self { address, token, org: format!("{user}-works"), number: 0 });
        }
        let all = authors.iter().cycle().take(count).cloned().enumerate();
        Ok(all.map(|(number, author)| Self { number, ..author }).collect())
    }

    /// The same author, elsewhere.
    pub(crate) fn at(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// A version of this author.
    pub(crate) fn version(&self, name: &str, version: &str) -> Version {
        Version { skill: format!("{}/{name}", self.org), version: version.to_owned() }
    }

    /// Publishes, and says whether it is known what came of it.
    pub(crate) fn publish(&self, truth: &Mutex<Truth>, version: &Version) -> Answer {
        lock(truth).asked(version);
        let body = json!({
            "id": version.skill,
            "version": version.version,
            "description": "Says its version",
            "code": version.code(),
        });
        let answer = call(self.address, &self.token, "POST", "/skills", &body);
        match &answer {
            Answer::Done(value) => lock(truth).published(version, value),
            Answer::Refused(words) => lock(truth).refused(version, words),
            Answer::Unknown(_) => {}
        }
        answer
    }

    /// Yanks a version that was published.
    pub(crate) fn yank(&self, truth: &Mutex<Truth>, version: &Version) -> Answer {
        lock(truth).asked_to_yank(version);
        let path = format!("/skills/{}/versions/{}/yank", version.skill, version.version);
        let answer = call(self.address, &self.token, "PUT", &path, &json!({"reason": "it is slow"}));
        match &answer {
            Answer::Done(_) => lock(truth).yanked(version),
            Answer::Refused(words) => lock(truth).refused(version, words),
            Answer::Unknown(_) => {}
        }
        answer
    }

    /// Goes on until it is over; at the first call that is not answered only if `goes_on` says otherwise.
    fn work(&self, truth: &Mutex<Truth>, round: usize, is_over: &AtomicBool, goes_on: bool) {
        let mut last = None;
        for turn in 0_usize.. {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
            let answer = match last.take().filter(|_| turn % YANKS == YANKS - 1) {
                Some(version) => self.yank(truth, &version),
                None => {
                    // New skills and further versions of old ones take different ways.
                    let name = format!("tool-{round}-{}-{}", self.number, turn / 3);
                    let version = self.version(&name, &format!("1.{}.0", turn % 3));
                    let answer = self.publish(truth, &version);
                    last = matches!(answer, Answer::Done(_)).then_some(version);
                    answer
                }
            };
            if matches!(answer, Answer::Unknown(_)) {
                if !goes_on {
                    return;
                }
                // Who is refused a connection at once must not do nothing else.
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

/// Lets all authors work while `during` does something, and somebody asks each registry for checkpoints meanwhile.
pub(crate) fn while_working<T>(
    truth: &Mutex<Truth>,
    authors: &[Author],
    round: usize,
    goes_on: bool,
    during: impl FnOnce() -> T,
) -> T {
    let is_over = AtomicBool::new(false);
    let is_over = &is_over;
    let mut addresses: Vec<SocketAddr> = authors.iter().map(|author| author.address).collect();
    addresses.sort();
    addresses.dedup();
    thread::scope(|scope| {
        for author in authors {
            scope.spawn(move || author.work(truth, round, is_over, goes_on));
        }
        for address in addresses {
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    if let Ok(note) = get_body(address, "/log/v1/checkpoint") {
                        lock(truth).told(&String::from_utf8_lossy(&note));
                    }
                    thread::sleep(Duration::from_millis(7));
                }
            });
        }
        let done = during();
        is_over.store(true, Ordering::Relaxed);
        done
    })
}

/// What clients were told, to look at or to add to.
pub(crate) fn lock(truth: &Mutex<Truth>) -> std::sync::MutexGuard<'_, Truth> {
    truth.lock().unwrap_or_else(PoisonError::into_inner)
}
