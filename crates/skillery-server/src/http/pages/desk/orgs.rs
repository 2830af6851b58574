//! `GET` and `POST /admin/orgs`

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::OrgSummary;
use skillery_core::{Namespace, ProblemCode};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Pager, Pages, first};
use super::super::{notice, show};
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::orgs as api;
use crate::http::call::{Call, Page};
use crate::text::invalid;

const PATH: &str = "/admin/orgs";
/// Orgs on a page at most, however many a list has elsewhere.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "pages/desk/orgs.html")]
struct OrgsPage {
    frame: Frame,
    tab: &'static str,
    total: u64,
    orgs: Vec<OrgSummary>,
    pager: Pager,
    tried: Tried,
}

/// All orgs, by name.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    call.caller.require_site_admin()?;
    list(&call.app, &call.caller, frame, call.page()?, (Tried::default(), StatusCode::OK)).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    rows: Page,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let rows = Page { limit: rows.limit.min(ROWS), ..rows };
    let known = api::known(app, caller, rows).await?;
    let template = OrgsPage {
        frame: frame.titled("Orgs").part("admin"),
        tab: "orgs",
        total: known.total,
        pager: Pages::of(app, PATH, &[]).at_most(ROWS).by_offset(rows, known.total),
        orgs: known.orgs,
        tried,
    };
    with_status(status, &template)
}

/// Makes an org.
pub async fn change(call: Call, frame: Frame) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    caller.require_site_admin()?;
    if form.text("action") != "create" {
        return Err(form::unknown());
    }
    let outcome = match name(&form) {
        Ok(org) => api::make(app, caller, org, form.filled("owner").as_deref()).await.map(drop),
        Err(failure) => Err(failure),
    };
    match outcome {
        Ok(()) => Ok(see_other(&notice::with(PATH, "org-made"))),
        Err(failure) => {
            let field = if failure.code() == ProblemCode::UserNotFound { "owner" } else { "name" };
            let shown = Tried::beside(&form, failure, field)?;
            list(app, caller, frame, first(app), shown).await
        }
    }
}

/// The org that a form names.
pub fn name(form: &Form) -> Result<Namespace> {
    let name = form.text("name");
    let org: Namespace = name.trim().parse()?;
    match org.depth() {
        1 => Ok(org),
        _ => Err(invalid("name", "an org is one segment; what lies below needs no making")),
    }
}
