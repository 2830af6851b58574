//! `/trending/authors` and `/trending/teams`: whose skills others use.

use askama::Template;
use axum::response::Response;
use skillery_core::api::{BoardOf, BoardPeriod, BoardPlace, Listed};
use skillery_core::{Scope, Sort};

use super::form::{self, Form};
use super::frame::{Frame, page, see_other};
use super::listing::all;
use super::pager::{Pager, Pages};
use super::search::found;
use super::{notice, show};
use crate::db::accounts;
use crate::failure::Result;
use crate::http::call::{Call, Page};
use crate::insight;
use crate::search::SearchQuery;

/// Users.
pub const AUTHORS: &str = "/trending/authors";
/// Orgs.
pub const TEAMS: &str = "/trending/teams";

/// Places on a page.
const ROWS: usize = 20;

/// A time over which is compared.
struct Choice {
    period: BoardPeriod,
    label: &'static str,
    what: &'static str,
}

const CHOICES: [Choice; 3] = [
    Choice { period: BoardPeriod::Week, label: "Week", what: "in the last seven days" },
    Choice { period: BoardPeriod::Month, label: "Month", what: "in the last 28 days" },
    Choice { period: BoardPeriod::All, label: "All time", what: "at any time" },
];

#[derive(Template)]
#[template(path = "pages/boards.html")]
struct BoardsPage {
    frame: Frame,
    tab: &'static str,
    path: &'static str,
    choice: &'static Choice,
    choices: &'static [Choice],
    total: u64,
    /// Each place, with a page about who has it where the viewer would see something there.
    places: Vec<(BoardPlace, Option<String>)>,
    /// Whether the viewer may be on boards, and may change that.
    listed: Option<bool>,
    pager: Pager,
}

/// The board of a time.
pub async fn show(call: &Call, frame: Frame, of: BoardOf) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    let period = call.parsed::<BoardPeriod>("period")?.unwrap_or(BoardPeriod::Month);
    let choice = CHOICES.iter().find(|choice| choice.period == period).unwrap_or(&CHOICES[1]);
    let rows = call.page()?;
    let rows = Page { limit: rows.limit.min(ROWS), offset: rows.offset };
    let board = insight::leaderboard(app, caller, of, period, rows).await?;
    let mut places = Vec::with_capacity(board.places.len());
    for place in board.places {
        let page = match of {
            BoardOf::Teams => Some(format!("/{}", place.name)),
            BoardOf::Authors if has_page(call, &place.name).await? => Some(format!("/users/{}", place.name)),
            BoardOf::Authors => None,
        };
        places.push((place, page));
    }
    let may_change = caller.require_unbound(Scope::Admin).is_ok();
    let listed = match of == BoardOf::Authors && may_change {
        true => Some(insight::listed(app, caller).await?.listed),
        false => None,
    };
    let (path, title) = match of {
        BoardOf::Authors => (AUTHORS, "Authors whose skills are used most"),
        BoardOf::Teams => (TEAMS, "Teams whose skills are used most"),
    };
    page(&BoardsPage {
        frame: frame.titled(title).part("trending"),
        tab: of.as_str(),
        path,
        choice,
        choices: &CHOICES,
        pager: Pages::of(app, path, &[("period", period.as_str())])
            .at_most(ROWS)
            .by_offset(rows, board.total),
        total: board.total,
        places,
        listed,
    })
}

/// Whether the page of an author has something on it for the viewer.
async fn has_page(call: &Call, name: &str) -> Result<bool> {
    let Some(user) = accounts::user_by_name(call.app.db.reader(), name).await? else { return Ok(false) };
    let query = SearchQuery { publisher: Some(user.id), limit: 1, offset: 0, ..all(call, Sort::Installs)? };
    Ok(found(call, &query).await?.total > 0)
}

/// Takes the viewer off all boards, or lets them be there again.
pub async fn change(call: Call) -> Result<Response> {
    let form = Form::read(call).await?;
    let listed = match (&*form.text("action"), &*form.text("listed")) {
        ("list", "yes") => true,
        ("list", "no") => false,
        _ => return Err(form::unknown()),
    };
    insight::set_listed(&form.app, &form.caller, Listed { listed }).await?;
    Ok(see_other(&notice::with(AUTHORS, "saved")))
}
