//! `GET /{id}/versions`, `/{id}/versions/{version}/files/{path}` and `…/raw/{path}`

use std::sync::Arc;

use askama::Template;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use skillery_core::api::{FileSummary, VersionSummary};
use skillery_core::time::Time;
use skillery_core::{ProblemCode, SkillId, Version, VersionStatus};

use super::frame::{Frame, page};
use super::markdown::Rendered;
use super::pager::{Fit, Pager, Pages, fitting_rows};
use super::skill::Header;
use super::{highlight, place, review, said, show};
use crate::db::versions::VersionRow;
use crate::failure::{Failure, Result};
use crate::http::api::bundle;
use crate::http::api::versions as api;
use crate::http::call::Call;
use crate::skill;

/// All versions of a skill.
pub const VERSIONS: &str = "/{id}/versions";
/// One of them.
pub const VERSION: &str = "/{id}/versions/{version}";
/// The files of one.
pub const FILES: &str = "/{id}/versions/{version}/files";
/// One file of one, with numbers of lines.
pub const FILE: &str = "/{id}/versions/{version}/files/{path}";
/// The same as it is.
pub const RAW: &str = "/{id}/versions/{version}/raw/{path}";

/// Bytes of HTML that a row of the list of versions has without texts, and each link to a page of a version.
const ROW: usize = 360;
const LINK: usize = 65;
/// Bytes of HTML that a row of a list of files has without names.
const FILE_ROW: usize = 100;
/// Characters of a reason in the list of versions, and of what changed, with what is around that.
const REASON: usize = 160;
const CHANGED: usize = 160;
const AROUND: usize = 45;
/// Lines of a file on one page, and bytes of HTML that they are at most with their numbers, each of which takes so many.
const LINES: usize = 500;
const HTML: usize = 48_000;
const NUMBER: usize = 46;
/// The highest line that an address may ask for.
const LAST: usize = 10_000_000;
/// Lines before one that is asked for, where there is room.
const BEFORE: usize = 20;

#[derive(Template)]
#[template(path = "pages/versions.html")]
struct VersionsPage {
    frame: Frame,
    header: Header,
    versions: Vec<VersionSummary>,
    now: Time,
    pager: Pager,
    /// Those of them that wait, and that the viewer may review.
    reviews: Vec<Version>,
}

impl VersionsPage {
    fn may_review(&self, version: &Version) -> bool {
        self.reviews.contains(version)
    }
}

/// The versions that the viewer may know of, the highest first.
pub async fn list(call: &Call, frame: Frame, id: &SkillId) -> Result<Response> {
    let rows = call.page()?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let mut versions = api::seen(&call.app, &call.caller, &skill).await?;
    let mut header = Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "versions");
    header.versions = versions.len();
    let path = format!("/{}/versions", skill.id);
    let waits = versions.iter().filter(|version| version.status == VersionStatus::Pending);
    let reviews = waits.filter(|version| review::may_review(&call.caller, &skill.id, &version.publisher));
    let reviews: Vec<Version> = reviews.map(|version| version.version.clone()).collect();
    let fit = Fit::of(&versions, rows, said::ROOM, |version| version_weight(version, path.len()));
    fit.cut(&mut versions);
    page(&VersionsPage {
        reviews,
        frame: frame.titled(format!("Versions of {}", skill.id)).part("skill"),
        pager: fit.pager(&Pages::of(&call.app, &path, &[]), rows.limit),
        versions,
        now: call.app.environment.now(),
        header,
    })
}

/// Bytes of HTML that a row of the list of versions takes, at most nearly, where the path of the list has so many.
fn version_weight(version: &VersionSummary, path: usize) -> usize {
    let links =
        1 + usize::from(version.status.has_files()) + usize::from(version.status == VersionStatus::Pending);
    let reason = version.reason.as_deref().map(|reason| show::weight(&show::clipped(reason, REASON)));
    let changed =
        version.changelog.as_deref().map(|text| AROUND + show::weight(&show::clipped(text, CHANGED)));
    ROW + links * (LINK + path + 2 * version.version.to_string().len())
        + version.publisher.len()
        + reason.unwrap_or(0)
        + changed.unwrap_or(0)
}

#[derive(Template)]
#[template(path = "pages/files.html")]
struct FilesPage {
    frame: Frame,
    header: Header,
    version: Version,
    total: usize,
    files: Vec<FileSummary>,
    pager: Pager,
}

/// The files of a version, by path.
pub async fn files(call: &Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let rows = call.page()?;
    let (skill, row) = skill::with_files(&call.app, &call.caller, id, version).await?;
    let path = format!("/{}/versions/{version}/files", skill.id);
    let total = row.files.len();
    let mut files = row.files;
    let fit = Fit::of(&files, rows, said::ROOM, |file| file_weight(file, path.len()));
    fit.cut(&mut files);
    page(&FilesPage {
        frame: frame.titled(format!("Files of {} {version}", skill.id)).part("skill"),
        header: Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "version").of(version),
        version: version.clone(),
        total,
        pager: fit.pager(&Pages::of(&call.app, &path, &[]), rows.limit),
        files,
    })
}

/// Bytes of HTML that a row of a list of files takes, at most nearly, where the path of the list has so many.
pub fn file_weight(file: &FileSummary, path: usize) -> usize {
    FILE_ROW + path + place::encoded(&file.path).len() + show::weight(&file.path)
}

#[derive(Template)]
#[template(path = "pages/file.html")]
struct FilePage {
    frame: Frame,
    header: Header,
    version: Version,
    path: String,
    size: u64,
    mode: String,
    digest: String,
    raw: String,
    /// Lines with the kinds of their words; none: it is no text.
    lines: Option<String>,
    /// The numbers of these lines.
    numbers: std::ops::RangeInclusive<usize>,
    pager: Pager,
}

/// One file, with numbers of lines where it is text.
pub async fn file(
    call: &Call,
    frame: Frame,
    id: &SkillId,
    version: &Version,
    path: &str,
) -> Result<Response> {
    let (skill, row) = skill::with_files(&call.app, &call.caller, id, version).await?;
    let found = row.files.iter().find(|file| file.path == path);
    let summary = found.ok_or_else(|| Failure::new(ProblemCode::FileNotFound, ""))?.clone();
    let from = call.parsed::<usize>("from")?.unwrap_or(1).clamp(1, LAST);
    let line = call.parsed::<usize>("line")?.map(|line| line.clamp(1, LAST));
    let lines = lines(call, &row, &summary).await?;
    // The name stands in the title and above, too, and for those who show links.
    let room = HTML.saturating_sub(4 * show::weight(path));
    let from = line.zip(lines.as_deref()).map_or(from, |(line, lines)| begin(lines, line, room));
    let here = format!("/{}/versions/{version}/files/{}", skill.id, place::encoded(path));
    let before = lines.as_deref().and_then(|lines| back(lines, from, room));
    let part = lines.as_deref().map(|lines| part(lines, from, room));
    let (shown, has_more) = part.map_or((None, false), |(shown, has_more)| (Some(shown), has_more));
    let count = shown.as_ref().map_or(0, |shown| shown.split('\n').count());
    let behind = has_more.then(|| from + count);
    page(&FilePage {
        frame: frame.titled(format!("{path} · {} {version}", skill.id)).part("skill"),
        header: Header::new(skill.id.clone(), skill.visibility, skill.latest.clone(), "version").of(version),
        raw: format!("/{}/versions/{version}/raw/{}", skill.id, place::encoded(path)),
        version: version.clone(),
        path: path.to_owned(),
        size: summary.size,
        mode: summary.mode,
        digest: summary.digest.to_string(),
        numbers: from..=(from + count).saturating_sub(1),
        pager: Pages::of(&call.app, &here, &[]).usually(LINES).at("from", LINES, before, behind),
        lines: shown,
    })
}

/// All lines of the file as HTML, made once for its content and kind; none where it is no text.
async fn lines(call: &Call, row: &VersionRow, file: &FileSummary) -> Result<Option<Rendered>> {
    let name = file.path.rsplit('/').next().unwrap_or_default().to_owned();
    // What it is taken for depends on the end of its name.
    let key = format!("lines {} {}", file.digest, name.rsplit('.').next().unwrap_or_default());
    if let Some(ready) = call.app.rendered.get(&key) {
        return Ok(Some(ready));
    }
    let bytes = skill::file(&call.app, row, &file.path).await?.bytes;
    let turn = call.app.reading.turn().await?;
    let app = Arc::clone(&call.app);
    let make = move || {
        if let Some(ready) = app.rendered.get(&key) {
            return Ok(Some(ready));
        }
        let Some(text) = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0')) else {
            return Ok(None);
        };
        let ready = highlight::lines(&name, text, highlight::deadline());
        app.rendered.insert(key, Arc::clone(&ready));
        Ok(Some(ready))
    };
    turn.work(make).await
}

/// Where a page begins that has this line on it: some lines before it, where so many bytes of HTML leave them room.
/// A line behind the end is the last one.
fn begin(lines: &str, line: usize, mut room: usize) -> usize {
    let line = line.min(lines.split('\n').count());
    let near: Vec<&str> = lines.split('\n').take(line).skip(line.saturating_sub(BEFORE + 1)).collect();
    let has_room = |near: &&&str| {
        let left = room.checked_sub(near.len() + NUMBER);
        room = left.unwrap_or(0);
        left.is_some()
    };
    line - near.iter().rev().take_while(has_room).count().saturating_sub(1)
}

/// Where the page begins that ends before this line, where there is a line before it.
fn back(lines: &str, from: usize, room: usize) -> Option<usize> {
    let before: Vec<&str> = lines.split('\n').take(from - 1).collect();
    let fits = fitting_rows(before.iter().rev().take(LINES), room, |line| line.len() + NUMBER);
    (from > 1).then(|| before.len() - fits + 1)
}

/// The lines of a page from this one on that so many bytes of HTML have room for, one at least, and whether more come after.
fn part(lines: &str, from: usize, mut room: usize) -> (String, bool) {
    let mut shown = String::new();
    let mut rest = lines.split('\n').skip(from - 1);
    for number in 0..LINES {
        let Some(line) = rest.next() else { return (shown, false) };
        let left = room.checked_sub(line.len() + NUMBER);
        if number > 0 {
            if left.is_none() {
                return (shown, true);
            }
            shown.push('\n');
        }
        room = left.unwrap_or(0);
        shown.push_str(line);
    }
    (shown, rest.next().is_some())
}

/// One file as it is: what the API answers, and pictures as such. Whatever it is, nothing in it runs.
pub async fn raw(call: &Call, id: &SkillId, version: &Version, path: &str) -> Result<Response> {
    let mut response = bundle::file(call, id, version, path).await?;
    let headers = response.headers_mut();
    if let Some(kind) = picture(path)
        && headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream")
    {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("inline"));
    }
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    Ok(response)
}

/// The type of a picture that holds nothing but points, by its name.
fn picture(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    match extension.to_ascii_lowercase().as_str() {
        "png" => Some("image/png"),
        "jpg" | "jpeg" => Some("image/jpeg"),
        "gif" => Some("image/gif"),
        "webp" => Some("image/webp"),
        _ => None,
    }
}
