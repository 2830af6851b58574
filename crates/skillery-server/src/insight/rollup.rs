//! Putting days together, removing old ones, and looking at versions that older programs wrote. It runs beside requests, in
//! small steps, each of which moves its cursor in the same transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::counters::{DAY_MICROS, day_of};
use crate::db::{needs, rollups};
use crate::failure::Result;
use crate::jobs::Job;
use skillery_core::time::Time;

/// How often there may be something to do.
const TURN: Duration = Duration::from_secs(600);
/// How long after its end a day is added, so that what other servers have counted of it is written. Their clocks may differ.
const LATE: i64 = DAY_MICROS / 24;
/// How long others get the writer between two steps.
const BREATH: Duration = Duration::from_millis(20);

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
    Ok(())
}
