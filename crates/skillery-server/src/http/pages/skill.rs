//! `GET /{id}`: what a skill is, and how to get it.

use std::sync::Arc;

use askama::Template;
use axum::response::Response;
use skillery_core::api::{FileSummary, InstallLine, RatingsResponse, Record, VersionDetail};
use skillery_core::approval::Notice;
use skillery_core::health::Health;
use skillery_core::skill_md::SkillMd;
use skillery_core::time::Time;
use skillery_core::{ProblemCode, SkillId, Version, VersionRequest, VersionStatus, Visibility};

use super::desk::Manage;
use super::frame::{Frame, page};
use super::markdown::{self, Rendered};
use super::pager::fitting_rows;
use super::versions::file_weight;
use super::{insight as usage, installs, place, review, said, show};
use crate::failure::{Failure, Result};
use crate::http::api::{ratings as ratings_api, versions as versions_api};
use crate::http::call::{Call, Page};
use crate::install_lines::install_lines;
use crate::skill;
use crate::{catalog, insight};

/// A skill.
pub const SKILL: &str = "/{id}";

const SKILL_FILE: &str = "SKILL.md";

/// Bytes of HTML for all that is not the same on the pages of all skills: so many that each stays light.
const ROOM: usize = 55_000;
/// Bytes of HTML that the instructions leave to the list of files, and those that tags have.
const FILES: usize = 3_000;
const TAGS: usize = 3_000;
/// Files in the list.
const MANY: usize = 50;
/// Characters that are shown of the description, of it to those who show links, of a short text, and of the name of a file.
const DESCRIPTION: usize = 1_500;
const SUMMARY: usize = 300;
const SHORT: usize = 200;
const NAME: usize = 100;
/// Bytes of HTML that an address has as a link; a heavier one is shown as text.
const ADDRESS: usize = 1_500;
/// Bytes of HTML that what changed has, and where all of it is asked for; and those around it, or of the form that says it.
const TOLD: usize = 6_000;
const ALL_TOLD: usize = 28_000;
const TELLING: usize = 900;
/// How often the id and the version stand on the page at most, but for lines, files and instructions.
const IDS: usize = 51;
const VERSIONS: usize = 39;
/// Bytes of HTML around what to type for a program, around a signature, and around a tag.
const LINE: usize = 160;
const SIGNATURE: usize = 80;
/// What the room for instructions is a multiple of, so that what is kept of them is that of most looks at the page.
const STEP: usize = 2_000;

/// What stands above every page of a skill.
pub struct Header {
    /// The id, as it was first spelled.
    pub id: SkillId,
    /// Who sees it.
    pub visibility: Visibility,
    /// The version that is the latest.
    pub latest: Option<Version>,
    /// Which tab is shown.
    pub tab: &'static str,
    /// The names of its namespaces, each with the whole of it.
    pub crumbs: Vec<(String, String)>,
    /// Versions that the viewer may know of.
    pub versions: usize,
    /// Ratings.
    pub ratings: i64,
    /// Threads of comments, where they were counted.
    pub comments: u64,
    /// The version that the page is of, where it is of one.
    pub shown: Option<Version>,
}

impl Header {
    /// Of a skill with these numbers.
    pub fn new(id: SkillId, visibility: Visibility, latest: Option<Version>, tab: &'static str) -> Self {
        let mut place = String::new();
        let crumbs = id
            .namespace()
            .as_str()
            .split('/')
            .map(|segment| {
                place = if place.is_empty() { segment.to_owned() } else { format!("{place}/{segment}") };
                (segment.to_owned(), place.clone())
            })
            .collect();
        Self { id, visibility, latest, tab, crumbs, versions: 0, ratings: 0, comments: 0, shown: None }
    }

    /// The same above a page of this version.
    pub fn of(mut self, version: &Version) -> Self {
        self.shown = Some(version.clone());
        self
    }

    /// The version that the page is of, where that is not the latest.
    pub fn older(&self) -> Option<&Version> {
        self.shown.as_ref().filter(|shown| self.latest.as_ref() != Some(shown))
    }
}

#[derive(Template)]
#[template(path = "pages/skill.html")]
struct SkillPage {
    frame: Frame,
    header: Header,
    detail: VersionDetail,
    /// `SKILL.md`, or what of the version can be read.
    readme: Option<Rendered>,
    lines: Vec<InstallLine>,
    needs_token: bool,
    installs: i64,
    ratings: RatingsResponse,
    now: Time,
    warning: Option<String>,
    manage: Manage,
    /// Characters of a reason, at most.
    reason_length: usize,
    /// Whether it is shown by its latest version.
    is_latest: bool,
    /// Whether whoever sees the version gets its files.
    has_files: bool,
    /// Whether the files are there for whoever sees the version, and cannot be read now.
    is_unreadable: bool,
    /// Versions that wait for approval, as far as the viewer may know, but for the one that is shown.
    waiting: Vec<Version>,
    yanked: usize,
    /// A badge as Markdown, where everybody may look at it.
    badge: Option<String>,
    /// What is found in the version, on its own page; none while its files cannot be read.
    findings: Option<review::Counts>,
    /// Whether the viewer may look at the review of it.
    may_review: bool,
    /// What its publisher says has changed, on its own page, and whether that is all of it.
    told: Option<(String, bool)>,
    /// Whether all of that was asked for.
    is_all_told: bool,
    /// Whether the viewer may say it, as nobody has said it.
    may_tell: bool,
    /// Characters of it at most.
    most_changelog: usize,
    /// Whether the viewer may know who has it.
    may_know_who: bool,
    /// How sound the version is that is shown; none where its files are for nobody, or cannot be read now.
    health: Option<Health>,
    /// Installs of the last days as a small picture.
    recent: Option<String>,
    /// The files and tags that there is room for.
    files: Vec<FileSummary>,
    tags: Vec<String>,
}

impl SkillPage {
    /// Whether the address of the proof leads to it: the API knows nobody by the session of a browser, and tells strangers nothing of
    /// what waits or was rejected.
    fn has_proof(&self) -> bool {
        let is_known =
            !matches!(self.detail.summary.status, VersionStatus::Pending | VersionStatus::Rejected);
        self.frame.is_public && is_known
    }

    /// How many files there are besides those that are shown.
    fn more_files(&self) -> usize {
        self.detail.files.len() - self.files.len()
    }

    /// How many tags there are besides those that are shown.
    fn more_tags(&self) -> usize {
        self.detail.tags.len() - self.tags.len()
    }

    /// The name of a file as the list shows it.
    fn name(&self, path: &str) -> String {
        short_name(path)
    }

    /// A text of which the facts show the beginning.
    fn short(&self, text: &str) -> String {
        show::clipped(text, SHORT)
    }

    /// Whether there is room for a link to this address.
    fn has_room_for(&self, address: &str) -> bool {
        show::weight(address) <= ADDRESS
    }
}

/// A skill by this version, else by its latest one, or where it has none by its newest that the viewer may know of.
pub async fn show(call: &Call, frame: Frame, id: &SkillId, version: Option<Version>) -> Result<Response> {
    let app = &call.app;
    let row = skill::find(app, &call.caller, id).await?;
    let versions = versions_api::seen(app, &call.caller, &row).await?;
    let is_pinned = version.is_some();
    let newest = || versions.first().map(|version| version.version.clone());
    let shown = version.or_else(|| row.latest.clone()).or_else(newest);
    let shown = shown
        .ok_or_else(|| Failure::new(ProblemCode::SkillNotFound, format!("there is no skill `{id}` here")))?;
    let detail = versions_api::detail(app, &call.caller, &row.id, &shown).await?;
    let request = if is_pinned { VersionRequest::Exact(shown.clone()) } else { VersionRequest::Latest };
    let (needs_token, lines) = match catalog::one(app, &call.caller, &row.id, &request).await {
        Ok(offer) => install_lines(&app.settings, &call.base()?, &offer, is_pinned),
        Err(failure) if failure.problem.status < 500 => (false, Vec::new()),
        Err(failure) => return Err(failure),
    };
    let ratings = ratings_api::of_skill(app, &call.caller, &row.id, Page { limit: 0, offset: 0 }, 0).await?;
    let install_count = skill::load(app, &call.caller, &row.id)
        .await?
        .record
        .as_ref()
        .and_then(|record| serde_json::from_slice::<Record>(record).ok())
        .map_or(0, |record| record.install_count);
    let has_files = detail.summary.status.has_files();
    let is_public = row.visibility == Visibility::Public && app.settings.anonymous_reads;
    let address = format!("{}/{}", call.base()?, row.id);
    let badge = is_public.then(|| format!("[![skill]({address}/badge/version.svg)]({address})"));
    let warning = warning(&detail, row.latest.is_some());
    let recent = usage::small(call, &row.id).await?;
    let tags = shown_tags(&detail.tags);
    let facts = [warning.as_deref(), badge.as_deref()].into_iter().flatten().map(show::weight).sum::<usize>();
    let above = around(&detail, &lines, &tags) + facts + recent.as_ref().map_or(0, String::len);
    let is_all_told = call.parameter("told").is_some();
    let changelog = detail.summary.changelog.as_deref().filter(|_| is_pinned);
    let most = if is_all_told { ALL_TOLD } else { TOLD };
    let most = most.min(ROOM.saturating_sub(above + TELLING));
    let told = changelog.map(|text| said::fitting(text, most, true));
    let may_tell = is_pinned
        && detail.summary.changelog.is_none()
        && !matches!(detail.summary.status, VersionStatus::Quarantined | VersionStatus::Rejected)
        && review::may_tell(&call.caller, &row.id, &detail.summary.publisher);
    let telling = told.as_ref().map(|(text, _)| TELLING + show::weight(text));
    let telling = telling.unwrap_or(if may_tell { TELLING } else { 0 });
    let left = ROOM.saturating_sub(above + telling);
    let room = (left.saturating_sub(FILES) / STEP * STEP).min(markdown::ROOM);
    // The record needs no files: a page tells it while they cannot be read, and says so.
    let mut readable = has_files;
    let readme = skill::while_readable(&row.id, &shown, readme(call, &row.id, &detail, room).await)?;
    readable &= readme.is_some();
    let left = left.saturating_sub(readme.iter().flatten().map(|html| html.len()).sum());
    let files = shown_files(&detail, left);
    let mut header = Header::new(
        row.id.clone(),
        row.visibility,
        row.latest.clone(),
        if is_pinned { "version" } else { "overview" },
    )
    .of(&shown);
    (header.versions, header.ratings) = (versions.len(), ratings.count);
    let title = if is_pinned { format!("{} {shown}", row.id) } else { row.id.to_string() };
    let mut frame = frame.titled(title).part("skill");
    frame.description = show::clipped(&detail.description, SUMMARY);
    frame.feed = Some(format!("/{}/feed", row.id));
    frame.is_public = is_public;
    let findings = match readable && is_pinned {
        true => {
            let counts = review::counts(app, &call.caller, &row.id, &shown).await;
            skill::while_readable(&row.id, &shown, counts)?
        }
        false => None,
    };
    readable &= findings.is_some() || !is_pinned;
    let may_know_who = installs::may_know(&call.caller, &row.id);
    let may_review = review::may_review(&call.caller, &row.id, &detail.summary.publisher);
    let now = app.environment.now();
    let manage = Manage::of(&call.caller, &row.id, detail.summary.status);
    let of = |status| versions.iter().filter(move |version| version.status == status);
    let waiting = of(VersionStatus::Pending).map(|version| version.version.clone());
    let waiting = waiting.filter(|version| *version != shown).take(5).collect();
    let (yanked, is_latest) = (of(VersionStatus::Yanked).count(), row.latest.as_ref() == Some(&shown));
    let health = match readable {
        true => {
            let health = insight::health(app, &call.caller, &row.id, &shown).await;
            skill::while_readable(&row.id, &shown, health)?.map(|found| found.health)
        }
        false => None,
    };
    readable &= health.is_some();
    page(&SkillPage {
        frame,
        header,
        detail,
        readme: readme.flatten(),
        lines,
        needs_token,
        installs: install_count,
        ratings,
        now,
        warning,
        manage,
        reason_length: app.settings.limits.reason_length,
        is_latest,
        has_files,
        is_unreadable: has_files && !readable,
        waiting,
        yanked,
        badge,
        findings,
        may_review,
        told,
        is_all_told,
        may_tell,
        most_changelog: app.settings.limits.changelog_length,
        may_know_who,
        health,
        recent,
        files,
        tags,
    })
}

/// Bytes of HTML that a version takes on its page without its instructions and files, at most nearly.
fn around(detail: &VersionDetail, lines: &[InstallLine], tags: &[String]) -> usize {
    let clipped = |text: &str, most| show::weight(&show::clipped(text, most));
    let names = IDS * detail.id.as_str().len() + VERSIONS * detail.summary.version.to_string().len();
    // Those who show links find it twice.
    let texts = clipped(&detail.description, DESCRIPTION) + 2 * clipped(&detail.description, SUMMARY);
    let lines = lines.iter().map(|line| {
        let note = line.note.as_deref().map_or(0, show::weight);
        LINE + show::weight(&line.command) + line.client.len() + note
    });
    let facts = clipped(&detail.author, SHORT) + clipped(&detail.license, SHORT);
    let addresses = [&detail.homepage, &detail.repository].into_iter().flatten();
    let addresses = addresses.map(|address| show::weight(address).min(ADDRESS) + clipped(address, SHORT));
    let signatures = detail.signatures.iter().map(|signature| SIGNATURE + signature.level.len());
    let tags = tags.iter().map(|tag| show::tag_weight(tag));
    names
        + texts
        + facts
        + lines.sum::<usize>()
        + addresses.sum::<usize>()
        + signatures.sum::<usize>()
        + tags.sum::<usize>()
}

/// As many of the tags as there is room for.
fn shown_tags(tags: &[String]) -> Vec<String> {
    tags[..fitting_rows(tags.iter(), TAGS, |tag: &String| show::tag_weight(tag))].to_vec()
}

/// As many of the files as so many bytes of HTML have room for.
fn shown_files(detail: &VersionDetail, room: usize) -> Vec<FileSummary> {
    let path = format!("/{}/versions/{}/files", detail.id, detail.summary.version).len();
    let weight = |file: &FileSummary| {
        let left_out = show::weight(&file.path).saturating_sub(show::weight(&short_name(&file.path)));
        file_weight(file, path) - left_out
    };
    detail.files[..fitting_rows(detail.files.iter().take(MANY), room, weight)].to_vec()
}

/// The name of a file; of a long one its beginning and its end, as these say most of where it is and what.
fn short_name(path: &str) -> String {
    let count = path.chars().count();
    if count <= NAME {
        return path.to_owned();
    }
    let start: String = path.chars().take(NAME / 2).collect();
    let end: String = path.chars().skip(count - NAME / 2).collect();
    format!("{start}…{end}")
}

/// What is to be said above a version that is not simply published.
fn warning(detail: &VersionDetail, has_latest: bool) -> Option<String> {
    let version = &detail.summary.version;
    let reason = detail.summary.reason.as_deref().filter(|reason| !reason.is_empty());
    let because = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    match (detail.summary.status, detail.summary.notice) {
        (VersionStatus::Pending, _) => {
            Some(format!("{version} waits for approval. Only reviewers and its publisher see it."))
        }
        (VersionStatus::Rejected, _) => Some(format!("{version} was rejected{because}")),
        (VersionStatus::Yanked, _) => {
            Some(format!("{version} was yanked{because}. It installs only where it is named exactly."))
        }
        (VersionStatus::Quarantined, _) => {
            Some(format!("{version} is quarantined{because}. Nobody gets it."))
        }
        (VersionStatus::Published, Some(Notice::Forced)) => {
            Some(format!("{version} was released by an owner, without the approvals that it waited for."))
        }
        (VersionStatus::Published, Some(Notice::Due)) => {
            Some(format!("{version} should have been reviewed again."))
        }
        (VersionStatus::Published, None) if !has_latest => {
            Some("There is no version yet that is no prerelease. Name the version to install it.".to_owned())
        }
        (VersionStatus::Published, None) => None,
    }
}

/// The instructions, without the front matter, as HTML, as far as so many bytes of it have room; made once for each bundle and room.
async fn readme(call: &Call, id: &SkillId, detail: &VersionDetail, room: usize) -> Result<Option<Rendered>> {
    if !detail.summary.status.has_files() {
        return Ok(None);
    }
    // Its links have the version in them.
    let key = format!("{} {id} {} {room}", detail.summary.digest, detail.summary.version);
    if let Some(ready) = call.app.rendered.get(&key) {
        return Ok(Some(ready));
    }
    let version = &detail.summary.version;
    let (_, row) = skill::with_files(&call.app, &call.caller, id, version).await?;
    if !row.files.iter().any(|file| file.path == SKILL_FILE) {
        return Ok(None);
    }
    let file = skill::file(&call.app, &row, SKILL_FILE).await?.bytes;
    let turn = call.app.reading.turn().await?;
    let (app, place) =
        (Arc::clone(&call.app), markdown::Place::of(&format!("/{id}/versions/{version}"), SKILL_FILE));
    let render = move || {
        // Others may have waited for the same.
        if let Some(ready) = app.rendered.get(&key) {
            return Ok(Some(ready));
        }
        let ready = markdown::render(SkillMd::body(&file).unwrap_or_default(), Some(&place), room);
        // Here, so that it is kept whether somebody still waits for it or not.
        app.rendered.insert(key, Arc::clone(&ready));
        Ok(Some(ready))
    };
    turn.work(render).await
}
