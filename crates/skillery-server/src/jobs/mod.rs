//! What runs beside requests, again and again.

mod collect;

use std::sync::Arc;
use std::time::{Duration, Instant};

pub use collect::collect;

use crate::app::App;
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
        if !app.denials.is_empty(app.environment.now())
            && let Err(failure) = audit::flush(&app, false).await
        {
            tracing::warn!(%failure, cause = ?failure.source, "what was refused cannot be written now; trying again");
        }
        if app.counters.is_empty() {
            continue;
        }
        if let Err(failure) = counters::flush(&app).await {
            tracing::warn!(%failure, cause = ?failure.source, "counts cannot be written now; trying again");
        }
    }
}

/// Removes contents that no version needs, at the start and every hour.
pub async fn collect_contents(app: Arc<App>) {
    loop {
        match collect(&app).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "contents without a version are removed"),
            Err(failure) => {
                tracing::warn!(%failure, cause = ?failure.source, "contents cannot be collected now")
            }
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
            match leave_trend(&app).await {
                Ok(()) => today = day,
                Err(failure) => tracing::warn!(%failure, "old days stay in the trend for now"),
            }
        }
        if pruned.is_none_or(|pruned: Instant| pruned.elapsed() >= PRUNE) {
            match audit::prune(&app).await {
                Ok(()) => pruned = Some(Instant::now()),
                Err(failure) => tracing::warn!(%failure, "the audit keeps what is old for now"),
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
