//! `GET /admin/jobs`: what runs beside requests.

use askama::Template;
use axum::response::Response;
use skillery_core::time::Time;

use super::super::frame::{Frame, page};
use super::super::show;
use crate::app::App;
use crate::db::{ROTATED, audit, cosignatures, log};
use crate::failure::Result;
use crate::http::call::Call;
use crate::jobs::Standing;

/// What each of them does.
const WORKS: &[(&str, &str)] = &[
    ("caches", "drops from memory what any server has changed"),
    ("checkpoint", "keeps the newest checkpoint of the log"),
    ("contents", "removes contents that no version needs, every hour"),
    ("counters", "writes what was counted"),
    ("search", "brings the search index to the end of the log"),
    ("trend", "lets days leave the trend, every day"),
    ("witnesses", "asks witnesses to cosign the log"),
];

struct Row {
    name: &'static str,
    what: &'static str,
    standing: Standing,
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
    trouble: Vec<&'static str>,
    now: Time,
}

/// Why the registry does not answer as it should, as `/readyz` sees it.
pub async fn trouble(app: &App) -> Result<Vec<&'static str>> {
    let head = log::read_head(&app.db).await?;
    let is_ours = app.log_key.is_named_by(&head.note);
    let found = [
        app.is_draining().then_some("the registry is stopping"),
        app.db.halted().or((!is_ours).then_some(ROTATED)),
        app.search.is_building().then_some("the search index is being built"),
        app.search.is_failing().then_some("the search index does not follow the registry right now"),
    ];
    Ok(found.into_iter().flatten().collect())
}

/// What runs, how it went, and how far who follows the log is.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    call.caller.require_site_admin()?;
    let app = &call.app;
    let size = u64::try_from(app.db.refresh_size().await?).unwrap_or(0);
    let index = u64::try_from(app.search.cursor().log).unwrap_or(0);
    let mut followers = vec![Follower { name: "search index".to_owned(), position: index }];
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
    let what = |name: &str| WORKS.iter().find(|(known, _)| *known == name).map_or("", |(_, what)| *what);
    let rows = app.work.all().into_iter().map(|(name, standing)| Row { name, what: what(name), standing });
    page(&JobsPage {
        frame: frame.titled("Jobs").part("admin"),
        tab: "jobs",
        rows: rows.collect(),
        size,
        followers,
        streams,
        trouble: trouble(app).await?,
        now: app.environment.now(),
    })
}
