//! `GET /account`

use askama::Template;
use axum::response::Response;
use skillery_core::api::WhoAmI;
use skillery_core::time::Time;

use super::super::frame::{Frame, page};
use super::super::pager::Pager;
use super::super::show;
use super::namespace;
use crate::failure::Result;
use crate::http::api::whoami;
use crate::http::call::Call;

const PATH: &str = "/account";

#[derive(Template)]
#[template(path = "pages/desk/account.html")]
struct AccountPage {
    frame: Frame,
    tab: &'static str,
    /// The viewer, with the roles of this page.
    me: WhoAmI,
    pager: Pager,
    is_session: bool,
    now: Time,
}

/// Who the viewer is, and where to go from here.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let (app, rows) = (&call.app, call.page()?);
    let mut me = whoami::of(&call.caller)?;
    let total = me.memberships.len();
    me.memberships = me.memberships.into_iter().skip(rows.offset).take(rows.limit).collect();
    let is_session = call.caller.identity().is_some_and(|identity| identity.token.is_session());
    page(&AccountPage {
        frame: frame.titled("Your account").part("account"),
        tab: "account",
        me,
        pager: Pager::of(app, PATH, &[], rows, total as u64),
        is_session,
        now: app.environment.now(),
    })
}
