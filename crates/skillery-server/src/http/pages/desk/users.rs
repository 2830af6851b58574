//! `GET` and `POST /admin/users`

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{CreateUserRequest, LinkUserRequest, UpdateUserRequest, UsersResponse};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Pager, Pages, first};
use super::super::{notice, place, show};
use super::ask;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::{subject, users as api};
use crate::http::call::{Call, Page};

const PATH: &str = "/admin/users";

/// Users on a page at most: each has up to two forms, and names are long.
const ROWS: usize = 30;

#[derive(Template)]
#[template(path = "pages/desk/users.html")]
struct UsersPage {
    frame: Frame,
    tab: &'static str,
    query: String,
    users: UsersResponse,
    pager: Pager,
    /// Whether accounts elsewhere can be linked.
    may_link: bool,
    tried: Tried,
}

impl UsersPage {
    /// Whether linking somebody was refused who does not stand here.
    fn is_astray(&self) -> bool {
        self.tried.is("link") && !self.users.users.iter().any(|user| self.is_tried(&user.name))
    }

    /// Whether linking this user was refused.
    fn is_tried(&self, name: &str) -> bool {
        self.tried.is("link") && self.tried.typed("link", "name") == name
    }
}

/// Everybody, or those whose names begin so.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    call.caller.require_site_admin()?;
    let query = call.parameter("q").unwrap_or_default();
    list(&call.app, &call.caller, frame, query, call.page()?, (Tried::default(), StatusCode::OK)).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    query: String,
    rows: Page,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let rows = Page { limit: rows.limit.min(ROWS), ..rows };
    let users = api::all(app, caller, &query, rows).await?;
    let template = UsersPage {
        frame: frame.titled("Users").part("admin"),
        tab: "users",
        pager: Pages::of(app, PATH, &[("q", &query)]).at_most(ROWS).by_offset(rows, users.total),
        query,
        users,
        may_link: app.settings.oidc_login.is_some(),
        tried,
    };
    with_status(status, &template)
}

/// Makes a user, switches one off or on, or links one with an account elsewhere.
pub async fn change(call: Call, frame: Frame) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    caller.require_site_admin()?;
    let name = form.text("name").trim().to_owned();
    let (outcome, field, done) = match &*form.text("action") {
        "disable" => {
            if !ask::is_answered(&form) {
                let text = "Every token of the user is refused at once. What the user has published stays.";
                return ask::ask(frame, &form, format!("Switch {name} off?"), text, "Switch off", PATH);
            }
            api::switch(app, caller, &name, UpdateUserRequest { disabled: true }).await?;
            return Ok(see_other(&notice::with(&of(&name), "saved")));
        }
        "enable" => {
            api::switch(app, caller, &name, UpdateUserRequest { disabled: false }).await?;
            return Ok(see_other(&notice::with(&of(&name), "saved")));
        }
        "link" => {
            let request = LinkUserRequest { subject: form.text("subject").trim().to_owned() };
            (subject::link_user(app, caller, &name, request).await, "subject", "saved")
        }
        "create" => {
            let request = CreateUserRequest { name: name.clone(), site_admin: form.is_ticked("site_admin") };
            (api::make(app, caller, request).await.map(drop), "name", "user-made")
        }
        _ => return Err(form::unknown()),
    };
    match outcome {
        Ok(()) => Ok(see_other(&notice::with(&of(&name), done))),
        Err(failure) => {
            let shown = Tried::beside(&form, failure, field)?;
            // What was typed for a user is given back beside the user.
            let query = if shown.0.is("link") { name } else { String::new() };
            list(app, caller, frame, query, first(app), shown).await
        }
    }
}

/// Where this user stands first.
fn of(name: &str) -> String {
    place::address(PATH, [("q", name)])
}
