//! `GET /{id}/log`: what the log holds about a skill, in plain words.

use askama::Template;
use axum::response::Response;
use skillery_core::event::Event;
use skillery_core::time::Time;
use skillery_core::{SkillId, Version};

use super::frame::{Frame, page};
use super::pager::{Pager, Pages};
use super::show;
use super::skill::Header;
use crate::db::log;
use crate::failure::{Failure, Result};
use crate::http::api::versions as versions_api;
use crate::http::call::{Call, invalid_parameter};
use crate::skill;

/// What became of a skill.
pub const LOG: &str = "/{id}/log";

/// Entries on a page.
const ROWS: usize = 50;

struct Told {
    index: u64,
    time: Time,
    /// The version that it is about.
    version: Option<Version>,
    /// What happened, after the version if there is one.
    what: &'static str,
}

#[derive(Template)]
#[template(path = "pages/log.html")]
struct LogPage {
    frame: Frame,
    header: Header,
    entries: Vec<Told>,
    now: Time,
    pager: Pager,
}

/// Entries of the log about a skill and the versions that the viewer may know of, the newest first.
pub async fn show(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let app = &call.app;
    let before = call.parsed::<u64>("before")?;
    if before.is_some_and(|before| i64::try_from(before).is_err()) {
        return Err(invalid_parameter("before", "it is too large"));
    }
    let skill = skill::find(app, &call.caller, id).await?;
    let known = versions_api::seen(app, &call.caller, &skill).await?;
    let rows = log::of_skill(&app.db, &skill.id.key(), before, ROWS).await?;
    let last = rows.last().filter(|_| rows.len() == ROWS).map(|(index, _)| *index);
    let mut entries = Vec::with_capacity(rows.len());
    for (index, opening) in rows {
        let entry = opening.parse().map_err(Failure::internal)?;
        let (version, what) = (entry.event.version().cloned(), words(&entry.event));
        let is_known = |version: &Version| known.iter().any(|known| known.version == *version);
        if version.as_ref().is_none_or(is_known) {
            entries.push(Told { index, time: entry.time, version, what });
        }
    }
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "log");
    header.versions = known.len();
    page(&LogPage {
        frame: frame.titled(format!("Log of {}", skill.id)).part("skill"),
        pager: Pages::of(app, &format!("/{}/log", skill.id), &[]).at(
            "before",
            app.settings.limits.default_page_rows,
            None,
            last,
        ),
        now: app.environment.now(),
        header,
        entries,
    })
}

/// What has happened, after the version where it is about one.
fn words(event: &Event) -> &'static str {
    match event {
        Event::VersionPublished { policies, signatures, .. } => {
            match (policies.is_empty(), signatures.is_empty()) {
                (true, true) => "was published",
                (true, false) => "was published and signed",
                (false, true) => "was published, and waits for approval",
                (false, false) => "was published and signed, and waits for approval",
            }
        }
        Event::VersionSigned { .. } => "was signed",
        Event::VersionApproved { .. } => "was approved by a reviewer",
        Event::VersionRejected { .. } => "was rejected by a reviewer; nobody gets it",
        Event::VersionChangesRequested { .. } => "is to be changed, as a reviewer asks",
        Event::VersionYanked { .. } => "was yanked: it installs only where it is named exactly",
        Event::VersionUnyanked { .. } => "is not yanked any more",
        Event::VersionQuarantined { .. } => "was quarantined: nobody gets it",
        Event::VersionReleased { .. } => "was released: it is handed out from now on",
        Event::VersionForced { .. } => {
            "was released by an owner, without the approvals that it waited for: it is handed out from now on"
        }
        Event::VersionHeld { .. } => "waits for approval again: nobody gets it until then",
        Event::VersionDue { .. } => "is due to be reviewed again; it is handed out meanwhile",
        Event::VersionReviewed { .. } => "was reviewed again, and has the approvals that are demanded",
        Event::VisibilityChanged { .. } => "It is seen by others than before",
        Event::SkillRated { .. } => "Somebody rated it",
        Event::SkillUnrated { .. } => "Somebody took a rating back",
        Event::SkillStarred { .. } => "Somebody starred it",
        Event::SkillUnstarred { .. } => "Somebody took a star back",
        Event::ReviewAnswered { .. } => "Its authors answered a review",
        Event::ReviewAnswerRemoved(_) => "An answer to a review was taken back",
        Event::ReviewHidden(_) => "A moderator hid the text of a review",
        Event::ReviewUnhidden(_) => "A moderator showed the text of a review again",
        Event::CommentPosted(_) => "Somebody wrote a comment",
        Event::CommentEdited(_) => "Somebody changed a comment of theirs",
        Event::CommentDeleted(_) => "Somebody took a comment back",
        Event::CommentHidden(_) => "A moderator hid a comment",
        Event::CommentUnhidden(_) => "A moderator showed a comment again",
        _ => "Something changed that this page has no words for",
    }
}
