//! `GET /api/v1/admin/jobs`

use std::sync::atomic::Ordering;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::Problem;
use skillery_core::api::{JobCourse, JobError, JobsResponse, LogFollower, StreamLag};

use crate::access::Caller;
use crate::app::App;
use crate::db::{audit, cosignatures, deliveries, mail, notifications};
use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::http::ops;
use crate::jobs::Job;

/// Dead mails that are told of, the newest.
const DEAD: i64 = 20;

/// What runs beside requests on this server, how it went, how far who follows the log is, and what waits to be sent. For admins of
/// the registry.
#[utoipa::path(
    get, path = "/api/v1/admin/jobs", tag = "operations", security(("token" = ["admin"])),
    responses((status = 200, body = JobsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &all(&call.app, &call.caller).await?)
}

/// What runs, how it went, and what waits.
pub async fn all(app: &App, caller: &Caller) -> Result<JobsResponse> {
    caller.require_site_admin()?;
    let size = app.db.refresh_size().await?;
    let index = app.search.cursor().log;
    let told = notifications::head(&app.db).await?.log_index.max(app.notify_cursor.load(Ordering::Acquire));
    let mut followers = vec![
        LogFollower { name: "search index".to_owned(), position: count(index) },
        LogFollower { name: "notifications".to_owned(), position: count(told) },
    ];
    for one in cosignatures::all(&app.db).await? {
        // The newest of each comes first.
        let name = format!("witness {}", one.witness);
        if !followers.iter().any(|known| known.name == name) {
            followers.push(LogFollower { name, position: one.size });
        }
    }
    let mut streams = Vec::new();
    for stream in &app.settings.audit.streams {
        let (rows, oldest_at) = audit::behind(&app.db, &stream.name).await?;
        streams.push(StreamLag { name: stream.name.clone(), rows: count(rows), oldest_at });
    }
    Ok(JobsResponse {
        at: app.environment.now(),
        trouble: ops::trouble(app).await?.map(str::to_owned),
        size: count(size),
        followers,
        streams,
        sent: deliveries::counts(&app.db).await?.into(),
        dead_mail: mail::dead(&app.db, DEAD).await?,
        jobs: Job::ALL.iter().map(|job| course(app, *job)).collect(),
    })
}

fn course(app: &App, job: Job) -> JobCourse {
    let course = app.work.of(job);
    JobCourse {
        name: job.name().to_owned(),
        what: job.what().to_owned(),
        turns: course.turns,
        last_at: course.last_at,
        failing: course.is_failing,
        failing_parts: course.failing,
        last_error: course.last_error.map(|(at, why)| JobError { at, why }),
    }
}

/// The database has no numbers without a sign.
fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
