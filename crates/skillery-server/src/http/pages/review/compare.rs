//! `GET /{id}/versions/{version}/diff`: what changed from one version to another.

use std::collections::HashSet;
use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use quick_cache::Weighter;
use skillery_core::api::VersionSummary;
use skillery_core::time::Time;
use skillery_core::{SkillId, Version, VersionStatus};

use super::super::frame::{Frame, page, see_other};
use super::super::highlight;
use super::super::pager::fitting_rows;
use super::super::place::encoded;
use super::super::skill::Header;
use super::super::{said, show};
use super::asked::Asked;
use super::changes::Changes;
use super::lines::{FileView, Files, Row, Shown, Space, laid_out};
use super::may_review;
use super::talking::Talking;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::{diff as diff_api, versions as versions_api};
use crate::http::call::Call;
use crate::review::{Compared, Ends};
use crate::skill;

/// What changed from one version to another.
pub const DIFF: &str = "/{id}/versions/{version}/diff";

const ROOM: Space = Space { rows: 34_000, colours: 14_000 };

/// Bytes of HTML that what the publisher says has, and what is around it. All of it is on the page of the version.
const TOLD: usize = 1_500;
const AROUND: usize = 200;

/// A diff as it is shown on a page.
pub struct Shows {
    /// What is said of both versions.
    pub changes: Changes,
    /// The files.
    pub files: Files,
    /// The older version; nothing where everything is new.
    pub from: Option<Version>,
    /// How many files are not the same.
    pub changed: usize,
    /// How many are.
    pub unchanged: u64,
    /// Lines that were added.
    pub added: u64,
    /// Lines that were removed.
    pub removed: u64,
    /// Hidden characters in what was added.
    pub hidden: u64,
    /// Whether lines are left out somewhere.
    pub truncated: bool,
    /// The address of the patch: of the one file that is shown, else of all.
    pub patch: String,
}

impl Shows {
    /// Compares, and lays out what a page has room for: once for as long as it is remembered, whoever asks. What only some may see
    /// is refused before that, and what readers see of it that others do not is added later.
    pub async fn of(
        app: &Arc<App>,
        caller: &Caller,
        id: &SkillId,
        version: &Version,
        asked: &Asked,
        room: Space,
    ) -> Result<Arc<Self>> {
        let ends = Ends::of(app, caller, id, version, &asked.against(), asked.file.clone()).await?;
        let key = key(&ends, asked, room);
        if let Some(ready) = app.diffs.get(&key) {
            return Ok(ready);
        }
        let turn = app.reading.turn().await?;
        // Others may have waited for the same.
        if let Some(ready) = app.diffs.get(&key) {
            return Ok(ready);
        }
        let from = ends.older().cloned();
        let named = from.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let mut patch = format!("/{id}/versions/{version}/diff?format=patch&from={}", encoded(&named));
        if let Some(file) = &asked.file {
            patch += &format!("&path={}", encoded(file));
        }
        let (asked, keeper) = (asked.clone(), Arc::clone(app));
        let lay_out = move |compared: Compared| {
            let Compared { mut diff, in_time } = compared;
            let (changed, hidden) = (diff.files.len(), diff.files.iter().map(|file| file.hidden).sum());
            // What is said of both versions stands above the files, which have the room that it leaves.
            let listed = std::mem::take(&mut diff.files);
            let changes = Changes::of(diff.clone(), room.rows + room.colours);
            diff.files = listed;
            let room = room.without(changes.weight());
            let files = laid_out(&mut diff, &asked, room, highlight::deadline());
            let is_whole = in_time && !files.is_late;
            let shows = Arc::new(Self {
                files,
                from,
                changed,
                unchanged: diff.unchanged,
                added: diff.added,
                removed: diff.removed,
                hidden,
                truncated: diff.truncated,
                patch,
                changes,
            });
            // What time was too short for is made again: there may be more of it then. Here, so that it is kept whether somebody
            // still waits for it or not.
            if is_whole {
                keeper.diffs.insert(key, Arc::clone(&shows));
            }
            Ok(shows)
        };
        ends.compare(app, turn, lay_out).await
    }

    /// Which of the skills that it tells are needed have a page for the caller, as they are written here.
    pub async fn seen(&self, app: &App, caller: &Caller) -> Result<HashSet<String>> {
        let needed = self.changes.dependencies.shown.iter();
        let needed: Vec<&str> = needed.map(|need| need.id.as_str()).collect();
        skill::with_page(app, caller, &needed).await
    }

    /// Bytes that it takes in memory, at most nearly.
    fn size(&self) -> usize {
        size_of::<Self>()
            + self.patch.len()
            + self.changes.weight()
            + self.files.files.iter().map(FileView::size).sum::<usize>()
    }

    /// Where a file is as it is in the newer version, or where that has none in the older one.
    pub fn whole(&self, id: &SkillId, version: &Version, file: &FileView) -> Option<String> {
        let (version, file) = match (&file.file.after, &file.file.before, &self.from) {
            (Some(file), ..) => (version, file),
            (None, Some(file), Some(from)) => (from, file),
            _ => return None,
        };
        Some(format!("/{id}/versions/{version}/files/{}", encoded(&file.path)))
    }
}

/// All that a diff that is laid out depends on.
fn key(ends: &Ends, asked: &Asked, room: Space) -> String {
    let Asked { from: _, file, row, offset, at, is_told: _ } = asked;
    // Where something is said matters to the page of one file alone, which begins near it.
    let at = at.as_ref().filter(|_| file.is_some());
    let at = at.map_or_else(String::new, |at| format!("{}:{}", at.side, at.line));
    let Space { rows, colours } = room;
    format!("{row} {offset} {at} {rows} {colours} {} {}", file.is_some(), ends.key())
}

/// Counts what diffs that are laid out take in memory.
#[derive(Debug, Clone)]
pub struct ByRoom;

impl Weighter<String, Arc<Shows>> for ByRoom {
    fn weight(&self, key: &String, shows: &Arc<Shows>) -> u64 {
        (key.len() + shows.size()) as u64
    }
}

#[derive(Template)]
#[template(path = "pages/review/diff.html")]
struct DiffPage {
    frame: Frame,
    header: Header,
    version: Version,
    shows: Arc<Shows>,
    /// Which of the skills that are needed have a page for the viewer.
    seen: HashSet<String>,
    asked: Asked,
    path: String,
    /// Versions that may be compared, the highest of them where there is no room for all.
    versions: Vec<VersionSummary>,
    /// How many there are.
    total: usize,
    /// Whether they are typed, as menus have no room for all of them.
    are_typed: bool,
    may_review: bool,
    /// What the publisher of the version says has changed with it, and whether that is all of it.
    told: Option<(String, bool)>,
    /// Nothing is said here: that is done where a version is reviewed.
    talking: Talking,
    now: Time,
}

impl DiffPage {
    fn is_from(&self, version: &Version) -> bool {
        self.shows.from.as_ref() == Some(version)
    }

    /// The older version as it is asked for.
    fn older(&self) -> String {
        self.shows.from.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string)
    }

    fn is_seen(&self, id: &str) -> bool {
        self.seen.contains(id)
    }
}

/// Menus have at most so many versions, and suggestions for what is typed, the highest of them.
const MENU: usize = 200;
/// Bytes of HTML that they take at most, and those for which there is room beside what is shown.
const MOST_MENUS: usize = 30_000;
const MENUS: usize = 8_000;

/// Bytes of HTML that a version takes in both menus, at most nearly: it stands in each, twice.
fn in_menus(known: &VersionSummary) -> usize {
    2 * (40 + 2 * known.version.to_string().len())
}

/// The same where it is suggested for what is typed, for both together.
fn suggested(known: &VersionSummary) -> usize {
    40 + 2 * known.version.to_string().len()
}

/// What changed from one version to another, both chosen from menus, or typed where menus have no room for all: what is shown and
/// stood in no menu would be something else as soon as the form is sent. As a patch it is what the API answers, whose addresses heed
/// no cookies.
pub async fn show(call: &Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    if call.parameter("format").is_some() {
        return diff_api::show(call, id, version).await;
    }
    let asked = Asked::of(call)?;
    if let Some(to) = call.parsed::<Version>("to")?.filter(|to| to != version) {
        return Ok(see_other(&asked.all(&format!("/{id}/versions/{to}/diff"))));
    }
    let row = skill::find(app, caller, id).await?;
    let mut versions = versions_api::seen(app, caller, &row).await?;
    let mut header = Header::new(row.id.clone(), row.visibility, row.latest.clone(), "version").of(version);
    header.versions = versions.len();
    let known = versions.iter().find(|known| known.version == *version);
    let publisher = known.map(|known| known.publisher.clone());
    let changelog = known.and_then(|known| known.changelog.as_deref());
    let told = changelog.map(|text| said::fitting(text, TOLD, true));
    let around = AROUND + row.id.to_string().len() + 2 * version.to_string().len();
    let telling = told.as_ref().map_or(0, |(text, _)| around + show::weight(text));
    // What was rejected or is quarantined is handed out to nobody.
    versions.retain(|known| !matches!(known.status, VersionStatus::Rejected | VersionStatus::Quarantined));
    let total = versions.len();
    let are_typed = total > MENU || versions.iter().map(in_menus).sum::<usize>() > MOST_MENUS;
    let weight: fn(&VersionSummary) -> usize = if are_typed { suggested } else { in_menus };
    versions.truncate(fitting_rows(versions.iter().take(MENU), MOST_MENUS, weight));
    let menus: usize = versions.iter().map(weight).sum();
    let room = ROOM.without(menus.saturating_sub(MENUS) + telling);
    let shows = Shows::of(app, caller, &row.id, version, &asked, room).await?;
    let seen = shows.seen(app, caller).await?;
    let title = match &shows.from {
        Some(from) => format!("{} from {from} to {version}", row.id),
        None => format!("{} {version}, all of it", row.id),
    };
    page(&DiffPage {
        frame: frame.titled(title).part("skill"),
        path: format!("/{}/versions/{version}/diff", row.id),
        may_review: publisher.is_some_and(|publisher| may_review(caller, &row.id, &publisher)),
        version: version.clone(),
        talking: Talking::default(),
        now: app.environment.now(),
        header,
        told,
        seen,
        shows,
        asked,
        versions,
        total,
        are_typed,
    })
}
