//! What runs beside requests, again and again.

mod collect;

use std::sync::Arc;
use std::time::Duration;

pub use collect::collect;

use crate::app::App;
use crate::counters::{self, day_of};
use crate::db::installs;

/// How often what was counted is written.
const FLUSH: Duration = Duration::from_millis(500);
/// How often contents that nobody needs are looked for.
const COLLECT: Duration = Duration::from_secs(3_600);
const TIDY: Duration = Duration::from_secs(60);
/// A day leaves the trend after so many days.
const TREND_DAYS: i64 = 7;

/// Writes counts every half second.
pub async fn flush_counters(app: Arc<App>) {
    while pause(&app, FLUSH).await {
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

/// Forgets quiet callers every minute, and lets days leave the trend.
pub async fn tidy(app: Arc<App>) {
    let mut today = day_of(app.environment.now());
    while pause(&app, TIDY).await {
        app.limiter.tidy();
        let day = day_of(app.environment.now());
        if day > today {
            let outcome = app
                .db
                .write(move |tx| Box::pin(async move { installs::touch_day(tx, day - TREND_DAYS).await }))
                .await;
            match outcome {
                Ok(()) => today = day,
                Err(failure) => tracing::warn!(%failure, "yesterday's trend stays for now"),
            }
        }
    }
}

/// Waits; false when the app is to end.
async fn pause(app: &App, time: Duration) -> bool {
    tokio::select! {
        () = app.stopping() => false,
        () = tokio::time::sleep(time) => true,
    }
}
