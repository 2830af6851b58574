//! `GET /`

use askama::Template;
use axum::response::Response;
use skillery_core::Sort;
use skillery_core::api::Record;

use super::frame::{Frame, page};
use super::listing::is_open;
use super::search::{found, records};
use super::{place, show};
use crate::failure::Result;
use crate::http::call::Call;
use crate::search::SearchQuery;

/// Skills in each list.
const SHOWN: usize = 6;

#[derive(Template)]
#[template(path = "pages/home.html")]
struct HomePage {
    frame: Frame,
    total: usize,
    trending: Vec<Record>,
    newest: Vec<Record>,
}

/// Where one begins: what there is, and what others use now.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let query = |sort| SearchQuery::all(&call.app, &call.caller, sort, SHOWN, 0);
    let trending = found(call, &query(Sort::Trending)).await?;
    let newest = found(call, &query(Sort::Updated)).await?;
    let mut frame = frame.titled("Skills for agents").part("home");
    "Publish, find, review and install what your agents know how to do.".clone_into(&mut frame.description);
    frame.is_public = is_open(call);
    page(&HomePage {
        frame,
        total: trending.total,
        trending: records(call, &trending).await?,
        newest: records(call, &newest).await?,
    })
}
