//! What runs beside requests, again and again.

mod collect;
mod work;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use collect::collect;
pub use work::{Job, Work};

use crate::app::App;
use crate::approvals::review_overdue;
use crate::audit;
use crate::counters::{self, day_of};
use crate::db::{installs, registry};
use crate::failure::Result;
use crate::search::TREND_DAYS;

/// How often what was counted is written.
const FLUSH: Duration = Duration::from_millis(500);
/// How often contents that nobody needs are looked for.
const COLLECT: Duration = Duration::from_secs(3_600);
const TIDY: Duration = Duration::from_secs(60);
/// How often the audit forgets.
const PRUNE: Duration = Duration::from_secs(3_600);

/// Writes counts every half second.
pub async fn flush_counters(app: Arc<App>) {
    while pause(&app, FLUSH).await {
        let are_denials = !app.denials.is_empty(app.environment.now());
        if are_denials || !app.counters.is_empty() {
            let outcome = flush(&app, are_denials).await;
            app.work.turned(Job::Counters, app.environment.now(), &outcome);
        }
    }
}

/// What was counted and what was refused do not wait for each other.
async fn flush(app: &App, are_denials: bool) -> Result<()> {
    let denials = if are_denials { audit::flush(app, false).await } else { Ok(()) };
    if !app.counters.is_empty() {
        counters::flush(app).await?;
    }
    denials
}

/// Removes contents that no version needs, at the start and every hour.
pub async fn collect_contents(app: Arc<App>) {
    loop {
        let outcome = collect(&app).await;
        app.work.turned(Job::Contents, app.environment.now(), &outcome);
        if let Ok(count @ 1..) = outcome {
            tracing::info!(count, "contents without a version are removed");
        }
        if !pause(&app, COLLECT).await {
            return;
        }
    }
}

/// Looks for released versions that nobody has looked at again in time, at the start and every hour.
pub async fn review_again(app: Arc<App>) {
    loop {
        let outcome = review_overdue(&app).await;
        app.work.turned(Job::Reviews, app.environment.now(), &outcome);
        if let Ok(count @ 1..) = outcome {
            tracing::info!(count, "versions are due to be reviewed again");
        }
        if !pause(&app, COLLECT).await {
            return;
        }
    }
}

/// Forgets quiet callers, and lets days leave the trend, every minute; what of the audit is old goes every hour.
pub async fn tidy(app: Arc<App>) {
    let mut today = 0;
    let mut pruned = None;
    while pause(&app, TIDY).await {
        app.limiter.tidy();
        let day = day_of(app.environment.now());
        if day > today {
            let outcome = leave_trend(&app).await;
            app.work.part_turned(Job::Tidy, "trend", app.environment.now(), &outcome);
            if outcome.is_ok() {
                today = day;
            }
        }
        if pruned.is_none_or(|pruned: Instant| pruned.elapsed() >= PRUNE) {
            let outcome = audit::prune(&app).await;
            app.work.part_turned(Job::Tidy, "audit", app.environment.now(), &outcome);
            if outcome.is_ok() {
                pruned = Some(Instant::now());
            }
        }
    }
}

/// Makes followers look again at the skills that were downloaded on days that have left the trend. The database
/// remembers up to which day that was done, so that no day is missed and no server does it twice.
pub async fn leave_trend(app: &App) -> Result<()> {
    let until = day_of(app.environment.now()) - TREND_DAYS;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let done = registry::value(tx, registry::TREND_DAY).await?.and_then(|day| day.parse().ok());
                if done.is_some_and(|done: i64| done >= until) {
                    return Ok(());
                }
                installs::touch_days(tx, done.unwrap_or(i64::MIN), until).await?;
                registry::set(tx, registry::TREND_DAY, &until.to_string()).await
            })
        })
        .await
}

/// Waits; false when the app is to end.
async fn pause(app: &App, time: Duration) -> bool {
    tokio::select! {
        () = app.stopping() => false,
        () = tokio::time::sleep(time) => true,
    }
}
