//! `GET /{id}/versions/{version}/review?thread=…`: one thread, all of it.

use askama::Template;
use axum::response::Response;
use skillery_core::time::Time;
use skillery_core::{SkillId, Version};

use super::super::desk::Tried;
use super::super::frame::{Frame, with_status};
use super::super::pager::Pager;
use super::super::place::encoded;
use super::super::show;
use super::super::skill::Header;
use super::show::{Refused, found};
use super::talking::{Said, Talk, Viewer};
use crate::access::Caller;
use crate::app::App;
use crate::db::review::ThreadPlace;
use crate::failure::Result;
use crate::http::call::Page;
use crate::review::comments;

/// Bytes of comments on a page.
const SAID: usize = 50_000;

#[derive(Template)]
#[template(path = "pages/review/thread.html")]
struct ThreadPage {
    frame: Frame,
    header: Header,
    version: Version,
    path: String,
    here: String,
    talk: Talk,
    about: String,
    /// Where its line is shown.
    line: Option<String>,
    next: Option<String>,
    may_say: bool,
    /// Characters of what is said, at most.
    most: usize,
    tried: Tried,
    now: Time,
}

impl ThreadPage {
    /// What is typed into the form that changes this comment.
    fn typed<'page>(&'page self, id: &str, text: &'page str) -> &'page str {
        if self.tried.is("edit") && self.tried.sent("comment") == id { self.tried.sent("text") } else { text }
    }

    /// Whether what was refused stands beside no form.
    fn is_homeless(&self) -> bool {
        let is_edited = |said: &Said| said.may_edit && said.id == self.tried.sent("comment");
        let is_shown = (self.tried.is("answer") && self.may_say)
            || (self.tried.is("edit") && self.talk.said.iter().any(is_edited));
        !self.tried.reason().is_empty() && !is_shown
    }

    fn answer(&self) -> &str {
        self.tried.typed("answer", "text")
    }
}

/// Which thread, and from which comment on.
pub struct Which {
    /// Its id.
    pub thread: String,
    /// Comments that come before.
    pub after: usize,
}

/// What a thread is about.
pub fn about(place: &ThreadPlace) -> String {
    let version = place.against.as_ref().map_or_else(String::new, |version| format!(" in {version}"));
    match (&place.path, place.line) {
        (Some(path), Some(line)) => format!("{path}, line {line}{version}"),
        (Some(path), None) => format!("{path}{version}"),
        _ => "the version".to_owned(),
    }
}

/// Where lists of threads go on.
pub fn pager(path: &str, rows: Page, total: usize) -> Pager {
    let address = |offset: usize| format!("{path}?threads={offset}#threads");
    let end = rows.offset.saturating_add(rows.limit);
    Pager {
        previous: (rows.offset > 0).then(|| address(rows.offset.saturating_sub(rows.limit))),
        next: (end < total).then(|| address(end)),
        ..Pager::default()
    }
}

/// One thread.
pub async fn show(
    app: &App,
    caller: &Caller,
    frame: Frame,
    (id, version): (&SkillId, &Version),
    which: Which,
    (tried, status): Refused,
) -> Result<Response> {
    let (header, detail) = found(app, caller, id, version).await?;
    let id = header.id.clone();
    let places = comments::places(app, caller, &id, version).await?;
    let not_found = || comments::comment_not_found(&id, version);
    let place = places.iter().find(|place| place.id == which.thread).ok_or_else(not_found)?;
    let thread = comments::these(app, std::slice::from_ref(&place.id)).await?.pop().ok_or_else(not_found)?;
    let viewer = Viewer::of(caller, &id, &detail.summary.publisher);
    let mut room = SAID.saturating_sub(tried.weight());
    let talk = Talk::of(thread, &viewer, &mut room, which.after, true);
    let path = format!("/{id}/versions/{version}/review");
    let here = format!("{path}?thread={}", place.id);
    let side = if place.against.is_some() { "old" } else { "new" };
    let line = place.path.as_ref().map(|file| {
        let from = place
            .against
            .as_ref()
            .map_or_else(String::new, |from| format!("from={}&", encoded(&from.to_string())));
        format!("{path}?{from}at={side}:{}:{}#form", place.line.unwrap_or(0), encoded(file))
    });
    let template = ThreadPage {
        frame: frame.titled(format!("About {}, {id} {version}", about(place))).part("skill"),
        next: (talk.left > 0).then(|| format!("{here}&after={}", talk.before + talk.said.len())),
        about: about(place),
        version: version.clone(),
        may_say: viewer.may_say,
        most: app.settings.limits.review_comment_length,
        now: app.environment.now(),
        header,
        path,
        here,
        talk,
        line,
        tried,
    };
    with_status(status, &template)
}
