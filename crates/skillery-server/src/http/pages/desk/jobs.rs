//! `GET /admin/jobs`: what runs beside requests.

use askama::Template;
use axum::response::Response;
use skillery_core::api::JobsResponse;

use super::super::frame::{Frame, page};
use super::super::show;
use crate::failure::Result;
use crate::http::api::jobs as api;
use crate::http::call::Call;

#[derive(Template)]
#[template(path = "pages/desk/jobs.html")]
struct JobsPage {
    frame: Frame,
    tab: &'static str,
    all: JobsResponse,
}

/// What runs, how it went, and how far who follows the log is.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let all = api::all(&call.app, &call.caller).await?;
    page(&JobsPage { frame: frame.titled("Jobs").part("admin"), tab: "jobs", all })
}
