//! `GET /account`

use askama::Template;
use axum::response::Response;
use skillery_core::api::WhoAmI;
use skillery_core::time::Time;

use super::super::frame::{Frame, page};
use super::super::pager::{Fit, Pager, Pages};
use super::super::{said, show};
use super::namespace;
use crate::failure::Result;
use crate::http::api::whoami;
use crate::http::call::Call;

const PATH: &str = "/account";
/// Bytes of HTML that a row of the list of roles has without the name of a namespace.
const ROW: usize = 100;

#[derive(Template)]
#[template(path = "pages/desk/account.html")]
struct AccountPage {
    frame: Frame,
    tab: &'static str,
    /// The viewer, with the roles of this page.
    me: WhoAmI,
    has_roles: bool,
    pager: Pager,
    is_session: bool,
    now: Time,
}

/// Who the viewer is, and where to go from here.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let (app, rows) = (&call.app, call.page()?);
    let mut me = whoami::of(&call.caller)?;
    // Names of namespaces are short and plain: there is always room.
    let has_roles = !me.memberships.is_empty();
    let fit = Fit::of(&me.memberships, rows, said::ROOM, |membership| ROW + 2 * membership.namespace.len());
    fit.cut(&mut me.memberships);
    let is_session = call.caller.identity().is_some_and(|identity| identity.token.is_session());
    page(&AccountPage {
        frame: frame.titled("Your account").part("account"),
        tab: "account",
        me,
        has_roles,
        pager: fit.pager(&Pages::of(app, PATH, &[]), rows.limit),
        is_session,
        now: app.environment.now(),
    })
}
