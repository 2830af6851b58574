//! Putting days together, removing old ones, and looking at versions that older programs wrote. It runs beside requests, in
//! small steps, each of which moves its cursor in the same transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::counters::{DAY_MICROS, day_of};
use crate::db::user_installs::{self, UserInstallKey};
use crate::db::{needs, registry, rollups};
use crate::failure::Result;
use crate::jobs::Job;
use skillery_core::time::Time;

/// How often there may be something to do.
const TURN: Duration = Duration::from_secs(600);
/// How long after its end a day is added, so that what other servers have counted of it is written. Their clocks may differ.
const LATE: i64 = DAY_MICROS / 24;
/// How long others get the writer between two steps.
const BREATH: Duration = Duration::from_millis(20);
/// Rows that are looked at together for such as are too old.
const ROWS: i64 = 1_000;

/// Does what there is to do, at the start and every ten minutes.
pub async fn follow(app: Arc<App>) {
    loop {
        let outcome = roll_up(&app).await;
        app.work.turned(Job::Insight, app.environment.now(), &outcome);
        tokio::select! {
            () = app.stopping() => return,
            () = tokio::time::sleep(TURN) => {}
        }
    }
}

/// Does all that there is to do.
pub async fn roll_up(app: &App) -> Result<()> {
    let now = app.environment.now().micros();
    let today = day_of(app.environment.now());
    let until = day_of(Time::from_micros(now - LATE)) - 1;
    // Trends look at seven days, adoption at 28; a retention below a month would make them wrong.
    let horizon = today - i64::from(app.settings.insight.keep_days);
    while !app.is_stopping() && app.db.write(|tx| Box::pin(needs::catch_up(tx))).await? {
        tokio::time::sleep(BREATH).await;
    }
    app.insight.graph_changed();
    while !app.is_stopping() && app.db.write(move |tx| Box::pin(rollups::step(tx, until))).await? {
        tokio::time::sleep(BREATH).await;
    }
    while !app.is_stopping() && app.db.write(move |tx| Box::pin(rollups::prune(tx, horizon))).await? {
        tokio::time::sleep(BREATH).await;
    }
    forget_users(app, today).await
}

/// Forgets once a day which users have installed versions so long ago that the settings do not want it known. All rows are gone
/// through by reading, as no index has them by time, and only where some are old is there something to write.
async fn forget_users(app: &App, today: i64) -> Result<()> {
    let days = i64::from(app.settings.insight.keep_user_days);
    if days == 0 {
        return Ok(());
    }
    let done = registry::read(&app.db, registry::USERS_FORGOTTEN).await?;
    if done.and_then(|day| day.parse::<i64>().ok()).is_some_and(|done| done >= today) {
        return Ok(());
    }
    let before = Time::from_micros((today - days) * DAY_MICROS);
    let mut after = UserInstallKey::default();
    while !app.is_stopping() {
        let Some((last, old)) = user_installs::next(&app.db, &after, before, ROWS).await? else {
            let day = today.to_string();
            let set = app.db.write(move |tx| {
                Box::pin(async move { registry::set(tx, registry::USERS_FORGOTTEN, &day).await })
            });
            return set.await;
        };
        if !old.is_empty() {
            let forget = app
                .db
                .write(move |tx| Box::pin(async move { user_installs::forget(tx, &old, before).await }));
            forget.await?;
        }
        after = last;
        tokio::time::sleep(BREATH).await;
    }
    Ok(())
}
