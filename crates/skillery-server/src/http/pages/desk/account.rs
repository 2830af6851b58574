//! `GET` and `POST /account`

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::WhoAmI;
use skillery_core::time::Time;

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Fit, Pager, Pages, first};
use super::super::{notice, said, show};
use super::tried::Tried;
use super::{namespace, orgs};
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::{orgs as orgs_api, whoami};
use crate::http::call::{Call, Page};

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
    /// Whether the viewer may make orgs.
    makes_orgs: bool,
    tried: Tried,
    now: Time,
}

/// Who the viewer is, and where to go from here.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    answer(&call.app, &call.caller, frame, call.page()?, (Tried::default(), StatusCode::OK))
}

fn answer(
    app: &App,
    caller: &Caller,
    frame: Frame,
    rows: Page,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let mut me = whoami::of(caller)?;
    // Names of namespaces are short and plain: there is always room.
    let has_roles = !me.memberships.is_empty();
    let room = said::ROOM.saturating_sub(tried.weight());
    let fit = Fit::of(&me.memberships, rows, room, |membership| ROW + 2 * membership.namespace.len());
    fit.cut(&mut me.memberships);
    // A token that is bound makes no other org than one that it is bound to.
    let makes_orgs =
        orgs_api::may_make(app, caller).is_ok_and(|identity| identity.token.namespaces.is_empty());
    let template = AccountPage {
        frame: frame.titled("Your account").part("account"),
        tab: "account",
        me,
        has_roles,
        pager: fit.pager(&Pages::of(app, PATH, &[]), rows.limit),
        is_session: caller.identity().is_some_and(|identity| identity.token.is_session()),
        makes_orgs,
        tried,
        now: app.environment.now(),
    };
    with_status(status, &template)
}

/// Makes an org for the viewer.
pub async fn change(call: Call, frame: Frame) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    orgs_api::may_make(app, caller)?;
    if form.text("action") != "create" {
        return Err(form::unknown());
    }
    let outcome = match orgs::name(&form) {
        Ok(org) => orgs_api::make(app, caller, org, None).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(org) => Ok(see_other(&notice::with(&format!("/orgs/{}", org.name), "org-made"))),
        Err(failure) => answer(app, caller, frame, first(app), Tried::beside(&form, failure, "name")?),
    }
}
