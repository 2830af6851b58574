//! `GET` and `POST /orgs/{namespace}/members`

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{MembersResponse, SetMemberRequest};
use skillery_core::{Namespace, Role, Scope};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Fit, Pager, Pages, first, with_before};
use super::super::{notice, said, show};
use super::ask;
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::db::accounts::name_key;
use crate::failure::Result;
use crate::http::api::members as api;
use crate::http::call::{Call, Page};
use crate::text::invalid;

/// Members on a page at most: each has two forms, and names are long.
const ROWS: usize = 30;
/// Bytes of HTML that a row has without names.
const ROW: usize = 1_100;

#[derive(Template)]
#[template(path = "pages/desk/members.html")]
struct MembersPage {
    frame: Frame,
    head: Head,
    members: MembersResponse,
    pager: Pager,
    roles: &'static [Role],
    tried: Tried,
    /// Whether the viewer's token may give a role back.
    may_leave: bool,
}

impl MembersPage {
    /// Whether the role is held here, and not above.
    fn is_own(&self, namespace: &str) -> bool {
        self.head.namespace.key() == namespace
    }

    /// Whether the viewer may leave by this row.
    fn is_self(&self, user: &str) -> bool {
        self.may_leave && self.frame.viewer.as_ref().is_some_and(|viewer| viewer.name == user)
    }
}

/// Who has which role.
pub async fn show(call: &Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let shown = (Tried::default(), StatusCode::OK);
    list(&call.app, &call.caller, frame, namespace, call.page()?, shown).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: &Namespace,
    rows: Page,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = Head::of(app, caller, namespace, "members").await?;
    let rows = Page { limit: rows.limit.min(ROWS), ..rows };
    let known = with_before(rows);
    let mut members = api::of_namespace(app, caller, namespace, known).await?;
    let list = format!("{}/members", head.path());
    // The path stands in what is around the list, too, and so does what was typed.
    let room = said::ROOM.saturating_sub(tried.weight() + 8 * list.len());
    let fit = Fit::of_part((&members.members, known, members.total), rows, room, |member| {
        ROW + 2 * list.len() + 6 * member.user.len() + 2 * member.namespace.len()
    });
    fit.cut(&mut members.members);
    let template = MembersPage {
        frame: frame.titled(format!("Members of {namespace}")).part("orgs"),
        pager: fit.pager(&Pages::of(app, &list, &[]).at_most(ROWS), rows.limit),
        head,
        members,
        roles: Role::ALL,
        tried,
        may_leave: caller.require(Scope::Admin).is_ok(),
    };
    with_status(status, &template)
}

/// Gives a role, or takes one away.
pub async fn change(call: Call, frame: Frame, namespace: &Namespace) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let path = format!("/orgs/{namespace}/members");
    let user = form.text("user").trim().to_owned();
    if form.text("action") == "remove" {
        if !ask::is_answered(&form) {
            // Who may not know of the namespace is not asked about it.
            Head::of(app, caller, namespace, "members").await?;
            let question = format!("Take the role of {user} in {namespace} away?");
            return ask::ask(
                frame,
                &form,
                question,
                "A role in a namespace above it stays.",
                "Take it away",
                &path,
            );
        }
        api::take(app, caller, namespace, &user).await?;
        // Who has left may not look at the list any more.
        let is_left =
            caller.identity().is_some_and(|identity| name_key(&identity.user.name) == name_key(&user));
        return Ok(see_other(&notice::with(if is_left { "/account" } else { &path }, "removed")));
    }
    if !matches!(&*form.text("action"), "add" | "change") {
        return Err(form::unknown());
    }
    let role = form.text("role").parse::<Role>().map_err(|error| invalid("role", error));
    let outcome = match role {
        Ok(role) => api::give(app, caller, namespace, &user, SetMemberRequest { role }).await,
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(_) => Ok(see_other(&notice::with(&path, "saved"))),
        Err(failure) => {
            let shown = Tried::beside(&form, failure, "user")?;
            list(app, caller, frame, namespace, first(app), shown).await
        }
    }
}
