//! `GET /account`

use askama::Template;
use axum::response::Response;
use skillery_core::api::WhoAmI;
use skillery_core::time::Time;

use super::super::frame::{Frame, page};
use super::super::show;
use super::namespace;
use crate::failure::Result;
use crate::http::api::whoami;
use crate::http::call::Call;

#[derive(Template)]
#[template(path = "pages/desk/account.html")]
struct AccountPage {
    frame: Frame,
    tab: &'static str,
    me: WhoAmI,
    is_session: bool,
    now: Time,
}

/// Who the viewer is, and where to go from here.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let me = whoami::of(&call.caller)?;
    let is_session = call.caller.identity().is_some_and(|identity| identity.token.is_session());
    let frame = frame.titled("Your account").part("account");
    page(&AccountPage { frame, tab: "account", me, is_session, now: call.app.environment.now() })
}
