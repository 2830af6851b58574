//! `GET /admin/jobs`: what runs beside requests.

use std::sync::atomic::Ordering;

use askama::Template;
use axum::response::Response;
use skillery_core::time::Time;

use super::super::frame::{Frame, page};
use super::super::show;
use crate::db::deliveries::{self, Sent};
use crate::db::mail::{self, DeadMail};
use crate::db::{audit, cosignatures, notifications};
use crate::failure::Result;
use crate::http::call::Call;
use crate::http::ops;
use crate::jobs::{Course, Job};

/// Dead mails that are shown, the newest.
const DEAD: i64 = 20;

struct Row {
    job: Job,
    course: Course,
}

/// How far somebody is who follows the log.
struct Follower {
    name: String,
    position: u64,
}

/// How much a stream of the audit has still to send.
struct Stream {
    name: String,
    rows: i64,
    /// Since when the oldest of it waits.
    oldest: Option<Time>,
}

#[derive(Template)]
#[template(path = "pages/desk/jobs.html")]
struct JobsPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<Row>,
    size: u64,
    followers: Vec<Follower>,
    streams: Vec<Stream>,
    sent: Vec<Sent>,
    dead: Vec<DeadMail>,
    trouble: Option<&'static str>,
    now: Time,
}

/// What runs, how it went, and how far who follows the log is.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    call.caller.require_site_admin()?;
    let app = &call.app;
    let size = u64::try_from(app.db.refresh_size().await?).unwrap_or(0);
    let index = u64::try_from(app.search.cursor().log).unwrap_or(0);
    let told = notifications::head(&app.db).await?.log_index.max(app.notify_cursor.load(Ordering::Acquire));
    let told = u64::try_from(told).unwrap_or(0);
    let mut followers = vec![
        Follower { name: "search index".to_owned(), position: index },
        Follower { name: "notifications".to_owned(), position: told },
    ];
    for one in cosignatures::all(&app.db).await? {
        // The newest of each comes first.
        let name = format!("witness {}", one.witness);
        if !followers.iter().any(|known| known.name == name) {
            followers.push(Follower { name, position: one.size });
        }
    }
    let mut streams = Vec::new();
    for stream in &app.settings.audit.streams {
        let (rows, oldest) = audit::behind(&app.db, &stream.name).await?;
        streams.push(Stream { name: stream.name.clone(), rows, oldest });
    }
    let sent = deliveries::counts(&app.db).await?;
    let rows = Job::ALL.iter().map(|job| Row { job: *job, course: app.work.of(*job) });
    page(&JobsPage {
        frame: frame.titled("Jobs").part("admin"),
        tab: "jobs",
        rows: rows.collect(),
        size,
        followers,
        streams,
        sent: sent.into(),
        dead: mail::dead(&app.db, DEAD).await?,
        trouble: ops::trouble(app).await?,
        now: app.environment.now(),
    })
}
