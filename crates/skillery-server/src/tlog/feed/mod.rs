//! Feeding witnesses: whenever the log has grown, and every few minutes for freshness, each witness is shown the newest
//! checkpoint and asked for its cosignature.
//!
//! Nothing waits for a witness. All witnesses are asked about the same checkpoint at once, so that their cosignatures come
//! together; one that does not answer is left alone for a while. Several servers on one database may all ask: what one has
//! got, the others see and do not ask for.

mod ask;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use skillery_core::time::Time;
use skillery_core::tlog::Note;
use tokio::time::Instant;

use self::ask::{AskError, Asked, Outcome};
use super::witnessed::{self, name_of};
use crate::app::App;
use crate::db::cosignatures::{self, Cosignature};
use crate::db::log;
use crate::failure::{Failure, Result};
use crate::jobs::Job;

/// From one round to the next at least, so that a busy log asks for one cosignature over many entries.
const TURN: Duration = Duration::from_secs(1);
/// When to look again after the database could not be read.
const AGAIN: Duration = Duration::from_secs(5);
/// A witness that does not answer is left alone for at most so many seconds.
const LONGEST_PAUSE: i64 = 300;

/// Asks witnesses until the app stops.
pub async fn feed(app: Arc<App>) {
    let mut feeder = match Feeder::new(&app) {
        Ok(Some(feeder)) => feeder,
        Ok(None) => return,
        Err(failure) => {
            tracing::error!(%failure, cause = ?failure.source, "witnesses cannot be asked");
            return;
        }
    };
    let mut changes = app.db.changes();
    loop {
        let began = Instant::now();
        // What happens from here on is a reason for another round.
        changes.mark_unchanged();
        let pause = tokio::select! {
            () = app.stopping() => return,
            outcome = feeder.round(&app) => {
                app.work.turned(Job::Witnesses, app.environment.now(), &outcome);
                outcome.unwrap_or(AGAIN)
            }
        };
        tokio::select! {
            () = app.stopping() => return,
            changed = changes.changed() => if changed.is_err() { return },
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            () = app.stopping() => return,
            () = tokio::time::sleep_until(began + TURN) => {}
        }
    }
}

/// All witnesses of the registry, and how each has done so far.
pub struct Feeder {
    witnesses: Vec<Asked>,
    names: HashSet<String>,
    quorum: usize,
    freshness: i64,
}

/// What all witnesses are shown in a round.
struct Shown<'a> {
    app: &'a App,
    size: u64,
    note: Note,
    text: String,
}

impl Feeder {
    /// The witnesses of the settings; nothing where there are none.
    pub fn new(app: &App) -> Result<Option<Self>> {
        let keys = app.settings.witness_keys().map_err(Failure::internal)?;
        if keys.is_empty() {
            return Ok(None);
        }
        let urls = app.settings.witnesses.iter().map(|witness| &witness.url);
        let witnesses =
            keys.into_iter().zip(urls).map(|(key, url)| Asked::new(key, url)).collect::<Result<Vec<_>>>()?;
        let names = witnesses.iter().map(|witness| name_of(&witness.key)).collect();
        let freshness = i64::from(app.settings.witness_minutes) * 60;
        Ok(Some(Self { witnesses, names, quorum: app.settings.quorum(), freshness }))
    }

    /// Asks every witness that should be asked now. Returns how long to wait if nothing happens meanwhile.
    pub async fn round(&mut self, app: &App) -> Result<Duration> {
        let head = log::read_head(&app.db).await?;
        let (size, text) = (head.edge.size(), head.note);
        let note = Note::parse(&text).map_err(Failure::internal)?;
        let shown = Shown { app, size, note, text };
        let known = cosignatures::all(&app.db).await?;
        let now = app.environment.now();
        let (names, quorum, freshness) = (&self.names, self.quorum, self.freshness);
        let asking = self.witnesses.iter_mut().filter_map(|witness| {
            let name = name_of(&witness.key);
            let is_fresh = known.iter().any(|one| {
                one.size == size && one.witness == name && witness.is_fresh(one.seconds, now, freshness)
            });
            if is_fresh || witness.is_left_alone(now, LONGEST_PAUSE) {
                return None;
            }
            let stored = known.iter().find(|one| one.witness == name).map(|one| one.size);
            Some(ask_one(witness, &shown, stored, names, quorum))
        });
        join_all(asking).await;
        let known = cosignatures::all(&app.db).await?;
        let cosigned = known.iter().map(|one| (one.size, one.witness.as_str()));
        let witnessed = witnessed::newest_with_quorum(cosigned, &self.names, self.quorum);
        app.metrics.witnessed(witnessed.unwrap_or(0));
        let now = app.environment.now();
        let pauses = self.witnesses.iter().map(|witness| witness.pause(now, freshness, LONGEST_PAUSE));
        Ok(pauses.min().unwrap_or(AGAIN))
    }
}

/// Asks a witness, keeps what it answers, and notes how it went.
async fn ask_one(
    witness: &mut Asked,
    shown: &Shown<'_>,
    stored: Option<u64>,
    names: &HashSet<String>,
    quorum: usize,
) {
    let (app, name) = (shown.app, name_of(&witness.key));
    let outcome = match witness.ask(shown, stored).await {
        Ok(Outcome::Cosigned { line, seconds }) => {
            let (size, note) = (shown.size, shown.text.clone());
            let new = Cosignature { size, witness: name.clone(), seconds, note, line };
            let kept = witnessed::keep(&app.db, new, names.clone(), quorum).await;
            kept.map(|()| "cosigned").map_err(AskError::from)
        }
        // Another server has shown it a newer checkpoint, and has its cosignature.
        Ok(Outcome::Ahead) => Ok("ahead"),
        Err(error) => Err(error),
    };
    let now: Time = app.environment.now();
    match outcome {
        Ok(word) => {
            witness.went_well(now);
            app.metrics.witness_answered(witness.key.name(), word);
        }
        Err(error) => {
            let seconds = witness.went_wrong(now, LONGEST_PAUSE);
            app.metrics.witness_answered(witness.key.name(), "failed");
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(
                witness = name, %error, cause, again_in_seconds = seconds,
                "a witness has not cosigned the log"
            );
        }
    }
}
