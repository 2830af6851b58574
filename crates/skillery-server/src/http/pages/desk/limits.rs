//! `GET /admin/limits`: how the registry runs, and what that means.

use askama::Template;
use axum::response::Response;

use super::super::frame::{Frame, page};
use super::super::show;
use crate::failure::Result;
use crate::http::api::settings as api;
use crate::http::call::Call;

struct Row {
    name: String,
    value: String,
    what: String,
}

#[derive(Template)]
#[template(path = "pages/desk/limits.html")]
struct LimitsPage {
    frame: Frame,
    tab: &'static str,
    settings: Vec<Row>,
    limits: Vec<Row>,
}

/// Settings in force. Files, passwords and keys are not among them; of some it is told whether they are set.
pub fn show(call: &Call, frame: Frame) -> Result<Response> {
    let all = api::all(&call.app, &call.caller)?;
    let settings = all.settings.into_iter();
    let limits = all.limits.into_iter();
    page(&LimitsPage {
        frame: frame.titled("Settings and limits").part("admin"),
        tab: "limits",
        settings: settings
            .map(|setting| Row { value: setting.told(), name: setting.name, what: setting.what })
            .collect(),
        limits: limits
            .map(|limit| Row { name: limit.name, value: show::count(limit.value), what: limit.what })
            .collect(),
    })
}
