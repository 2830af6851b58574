//! Following the log: what changes goes from the caches at once, and into the index in batches.
//!
//! The follower never fails for good: what it cannot do now it does at the next turn, from its cursor.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Cursor, Document};
use crate::app::App;
use crate::counters::day_of;
use crate::db::{installs, log, skills};
use crate::failure::{Failure, Result};
use crate::jobs::Job;

/// How often the log is looked at when nothing is heard: other servers may have written it.
const TURN: Duration = Duration::from_millis(250);
/// How long changes are gathered before the index is written, while no search waits for them. Each commit syncs a
/// dozen files, in the way of publishes that sync theirs.
const GATHER: Duration = Duration::from_secs(2);
/// How long nothing has to change for the index to be tidied.
const QUIET: Duration = Duration::from_secs(5);
/// Entries read at once.
const ENTRIES: i64 = 1_000;
/// Skills read at once.
const SKILLS: usize = 200;
/// The trend is of so many days.
pub const TREND_DAYS: i64 = 7;

/// Listens for what any server has changed, and drops it from this one's caches. It runs beside [`run`], so that what
/// callers may do here never waits for the index.
pub async fn listen(app: Arc<App>) {
    let mut heard = app.db.size();
    loop {
        tokio::select! {
            () = app.stopping() => return,
            () = tokio::time::sleep(TURN) => {}
        }
        let outcome = hear(&app, &mut heard).await;
        app.work.turned(Job::Caches, app.environment.now(), &outcome);
    }
}

async fn hear(app: &App, heard: &mut i64) -> Result<()> {
    let size = app.db.refresh_size().await?;
    while *heard < size {
        let changes = log::changes(&app.db, *heard, ENTRIES).await?;
        let Some(last) = changes.last() else { break };
        let next = last.index + 1;
        for change in &changes {
            app.forget(change.skill.as_deref(), &change.event);
        }
        *heard = next;
    }
    Ok(())
}

/// Follows with the index until the app stops.
pub async fn run(app: Arc<App>) {
    let mut changes = app.db.changes();
    let mut quiet_since = Some(Instant::now());
    let mut joining = None;
    loop {
        let is_joining =
            joining.as_ref().is_some_and(|task: &tokio::task::JoinHandle<()>| !task.is_finished());
        if !is_joining && quiet_since.is_some_and(|since| since.elapsed() > QUIET) {
            quiet_since = None;
            // Beside the following: nobody's search waits for it.
            let app = Arc::clone(&app);
            joining = Some(tokio::spawn(async move {
                if let Err(failure) = tidy(&app).await {
                    tracing::warn!(%failure, cause = ?failure.source, "the index cannot be tidied");
                }
            }));
        }
        let before = app.search.cursor();
        tokio::select! {
            () = app.stopping() => return,
            _ = changes.changed() => {
                tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    () = app.search.urgent.notified() => {}
                }
            }
            () = app.search.urgent.notified() => {}
            () = app.search.work.notified() => {}
            () = tokio::time::sleep(TURN) => {}
        }
        let outcome = catch_up(&app).await;
        app.search.failing.store(outcome.is_err(), Ordering::Release);
        app.work.turned(Job::Search, app.environment.now(), &outcome);
        if app.search.cursor() != before {
            quiet_since = Some(Instant::now());
        }
        if outcome.is_err() {
            tokio::time::sleep(TURN).await;
        }
    }
}

/// Brings the index to the end of the log and of the install counts.
pub async fn catch_up(app: &App) -> Result<()> {
    if app.search.is_building() {
        return build(app).await;
    }
    let cursor = app.search.cursor();
    let size = app.db.size();
    if size == cursor.log && installs::position(&app.db).await? == cursor.installs {
        return Ok(());
    }
    let target = target(app, size).await?;
    let mut keys = BTreeSet::new();
    let mut position = cursor.log;
    while position < target.log {
        let changes = log::changes(&app.db, position, ENTRIES.min(target.log - position)).await?;
        let Some(last) = changes.last() else { break };
        position = last.index + 1;
        keys.extend(changes.into_iter().filter_map(|change| change.skill));
    }
    if target.installs > cursor.installs {
        for key in installs::changed_after(&app.db, cursor.installs, target.installs).await? {
            app.ready.counts.raise(&key);
            keys.insert(key);
        }
    }
    let keys: Vec<String> = keys.into_iter().collect();
    for chunk in keys.chunks(SKILLS) {
        if app.is_stopping() {
            return Ok(());
        }
        let documents = with_trend(app, skills::full_many(&app.db, chunk).await?).await?;
        put(app, documents).await?;
    }
    finish(app, target).await
}

async fn target(app: &App, size: i64) -> Result<Cursor> {
    let time = log::time_before(&app.db, size).await?;
    Ok(Cursor { log: size, time, installs: installs::position(&app.db).await? })
}

/// Builds the index from nothing.
async fn build(app: &App) -> Result<()> {
    // What is written while this runs is followed afterwards, from here.
    let target = target(app, app.db.refresh_size().await?).await?;
    let index = Arc::clone(&app.search.index);
    blocking(move || index.clear()).await?;
    let mut number = 0;
    loop {
        if app.is_stopping() {
            return Ok(());
        }
        let page = skills::full_after(&app.db, number, SKILLS as i64).await?;
        let Some(last) = page.last() else { break };
        number = last.skill.number;
        put(app, with_trend(app, page).await?).await?;
    }
    finish(app, target).await?;
    tracing::info!(entries = target.log, "the search index is built");
    Ok(())
}

async fn with_trend(app: &App, skills: Vec<skills::FullSkill>) -> Result<Vec<Document>> {
    let keys: Vec<String> = skills
        .iter()
        .filter(|skill| skill.record.as_ref().is_some_and(|record| record.install_count > 0))
        .map(|skill| skill.skill.id.key())
        .collect();
    let first_day = day_of(app.environment.now()) - TREND_DAYS + 1;
    let recent: std::collections::HashMap<String, i64> =
        installs::since(&app.db, first_day, &keys).await?.into_iter().collect();
    Ok(skills
        .into_iter()
        .map(|skill| Document { recent: recent.get(&skill.skill.id.key()).copied().unwrap_or(0), skill })
        .collect())
}

async fn put(app: &App, documents: Vec<Document>) -> Result<()> {
    let index = Arc::clone(&app.search.index);
    blocking(move || index.put(&documents)).await
}

/// Joins what many small changes have left in the index.
pub async fn tidy(app: &App) -> Result<bool> {
    let index = Arc::clone(&app.search.index);
    blocking(move || index.tidy()).await
}

async fn finish(app: &App, target: Cursor) -> Result<()> {
    let index = Arc::clone(&app.search.index);
    blocking(move || index.commit(target)).await?;
    app.search.building.store(false, Ordering::Release);
    app.search.applied.send_replace(target);
    Ok(())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Failure::internal)?
}
