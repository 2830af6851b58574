//! Downloads and token uses: counted in memory, written in batches.
//!
//! A clean stop writes what is left. After a crash the counts of the last second may be missing; nothing else is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use skillery_core::Version;
use skillery_core::time::{DAY_SECONDS, Time};

use crate::access::Caller;
use crate::app::App;
use crate::db::accounts;
use crate::db::installs::{self, InstallKey};
use crate::db::user_installs::{self, UserInstall, UserInstallKey};
use crate::failure::Result;

/// Microseconds of a day.
pub(crate) const DAY_MICROS: i64 = DAY_SECONDS * 1_000_000;
const HOUR_MICROS: i64 = 3_600_000_000;
/// Skills in one transaction, so that other changes do not wait long.
const CHUNK: usize = 500;

/// What is not written yet.
#[derive(Default)]
pub struct Counters {
    installs: Mutex<HashMap<InstallKey, i64>>,
    user_installs: Mutex<HashMap<UserInstallKey, UserInstall>>,
    token_uses: Mutex<HashMap<String, TokenUse>>,
}

/// The last use of a token, to the hour.
#[derive(Debug, Clone, Copy)]
struct TokenUse {
    hour: Time,
    written: bool,
}

/// The day of a time: days since 1970 UTC.
pub fn day_of(time: Time) -> i64 {
    time.micros().div_euclid(DAY_MICROS)
}

impl Counters {
    /// A download was answered with content, to this caller.
    pub fn count_install(&self, skill: &str, version: &Version, caller: &Caller, now: Time) {
        let version = version.to_string();
        if let Some(user) = caller.user_id() {
            let key =
                UserInstallKey { skill: skill.to_owned(), version: version.clone(), user: user.to_owned() };
            let mut installs = self.user_installs.lock().unwrap_or_else(PoisonError::into_inner);
            note(&mut installs, key, UserInstall::once(now));
        }
        let mut installs = self.installs.lock().unwrap_or_else(PoisonError::into_inner);
        let key = InstallKey { skill: skill.to_owned(), version, program: caller.program() };
        *installs.entry(key).or_default() += 1;
    }

    /// A token was used; kept to the hour, so that a busy token costs one write an hour.
    pub fn note_use(&self, token: &str, now: Time) {
        let hour = Time::from_micros(now.micros() - now.micros().rem_euclid(HOUR_MICROS));
        let mut uses = self.token_uses.lock().unwrap_or_else(PoisonError::into_inner);
        match uses.get_mut(token) {
            Some(known) if known.hour >= hour => {}
            Some(known) => *known = TokenUse { hour, written: false },
            None => {
                uses.insert(token.to_owned(), TokenUse { hour, written: false });
            }
        }
    }

    /// Whether there is something to write.
    pub fn is_empty(&self) -> bool {
        self.installs.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
            && self.user_installs.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
            && !self
                .token_uses
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
                .any(|noted| !noted.written)
    }

    /// Uses that are to be written. Those of earlier hours that were written are forgotten here.
    fn unwritten_uses(&self) -> Vec<(String, Time)> {
        let mut uses = self.token_uses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = uses.values().map(|noted| noted.hour).max() {
            uses.retain(|_, noted| !noted.written || noted.hour == newest);
        }
        uses.iter()
            .filter(|(_, noted)| !noted.written)
            .map(|(token, noted)| (token.clone(), noted.hour))
            .collect()
    }

    fn uses_are_written(&self, written: &[(String, Time)]) {
        let mut uses = self.token_uses.lock().unwrap_or_else(PoisonError::into_inner);
        for (token, hour) in written {
            if let Some(noted) = uses.get_mut(token) {
                noted.written |= noted.hour == *hour;
            }
        }
    }

    fn give_back(&self, batch: Vec<(InstallKey, i64)>) {
        let mut installs = self.installs.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, downloads) in batch {
            *installs.entry(key).or_default() += downloads;
        }
    }

    fn give_back_users(&self, batch: Vec<(UserInstallKey, UserInstall)>) {
        let mut installs = self.user_installs.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, install) in batch {
            note(&mut installs, key, install);
        }
    }
}

fn note(installs: &mut HashMap<UserInstallKey, UserInstall>, key: UserInstallKey, more: UserInstall) {
    installs.entry(key).and_modify(|known| *known = known.and(more)).or_insert(more);
}

/// Writes what was counted. What cannot be written is kept for the next time.
pub async fn flush(app: &App) -> Result<()> {
    let mut installs: Vec<(InstallKey, i64)> = {
        let mut pending = app.counters.installs.lock().unwrap_or_else(PoisonError::into_inner);
        pending.drain().collect()
    };
    // In one order on every server, so that two of them never wait for each other.
    installs.sort_by(|left, right| left.0.cmp(&right.0));
    while !installs.is_empty() {
        let batch: Vec<_> = installs.drain(..installs.len().min(CHUNK)).collect();
        let written = batch.clone();
        let outcome = app
            .db
            .write(move |tx| {
                Box::pin(async move {
                    let day = day_of(tx.now);
                    installs::add(tx, day, &written).await
                })
            })
            .await;
        match outcome {
            Ok(_) => {
                for (key, _) in &batch {
                    app.ready.counts.raise(&key.skill);
                }
                app.search.nudge();
            }
            Err(failure) => {
                app.counters.give_back(batch);
                app.counters.give_back(installs);
                return Err(failure);
            }
        }
    }
    flush_user_installs(app).await?;
    let uses = app.counters.unwritten_uses();
    if !uses.is_empty() {
        let written = uses.clone();
        app.db
            .write(move |tx| {
                Box::pin(async move {
                    for (token, at) in written {
                        accounts::set_last_used(tx, &token, at).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        app.counters.uses_are_written(&uses);
    }
    Ok(())
}

async fn flush_user_installs(app: &App) -> Result<()> {
    let mut installs: Vec<(UserInstallKey, UserInstall)> = {
        let mut pending = app.counters.user_installs.lock().unwrap_or_else(PoisonError::into_inner);
        pending.drain().collect()
    };
    // In one order on every server, as above.
    installs.sort_by(|left, right| left.0.cmp(&right.0));
    while !installs.is_empty() {
        let batch: Vec<_> = installs.drain(..installs.len().min(CHUNK)).collect();
        let written = batch.clone();
        let outcome =
            app.db.write(move |tx| Box::pin(async move { user_installs::add(tx, &written).await })).await;
        if let Err(failure) = outcome {
            app.counters.give_back_users(batch);
            app.counters.give_back_users(installs);
            return Err(failure);
        }
        for (key, _) in &batch {
            app.ready.counts.raise(&key.skill);
        }
    }
    Ok(())
}
