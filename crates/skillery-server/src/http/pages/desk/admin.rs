//! `GET /admin`

use askama::Template;
use axum::response::Response;

use super::super::frame::{Frame, page};
use super::super::show;
use crate::failure::Result;
use crate::http::api::{orgs, users};
use crate::http::call::{Call, Page};
use crate::http::ops;

#[derive(Template)]
#[template(path = "pages/desk/admin.html")]
struct AdminPage {
    frame: Frame,
    tab: &'static str,
    users: u64,
    orgs: u64,
    entries: i64,
    /// Why the registry is not as it should be, if it is not.
    trouble: Option<&'static str>,
}

/// The registry at a glance, for its admins.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let app = &call.app;
    call.caller.require_site_admin()?;
    let none = Page { limit: 0, offset: 0 };
    let users = users::all(app, &call.caller, "", none).await?.total;
    page(&AdminPage {
        frame: frame.titled("Registry").part("admin"),
        tab: "admin",
        users,
        orgs: orgs::known(app, &call.caller, none).await?.total,
        entries: app.db.refresh_size().await?,
        trouble: ops::trouble(app).await?,
    })
}
