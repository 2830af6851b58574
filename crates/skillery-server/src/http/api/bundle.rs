//! `GET /api/v1/skills/{id}/versions/{version}/bundle` and `…/files/{path}`

use axum::body::Body;
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use skillery_core::{Digest, Problem, SkillId, Version, VersionStatus, Visibility};

use crate::app::App;
use crate::blobs::BlobKey;
use crate::catalog::note_install;
use crate::db::skills::SkillRow;
use crate::db::versions::VersionRow;
use crate::failure::Result;
use crate::http::call::Call;
use crate::http::etag::is_known;
use crate::http::range::{Wanted, wanted};
use crate::skill;

/// The ZIP of a version. An answer with content counts as an install.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/bundle", tag = "skills",
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    responses(
        (status = 200, description = "the ZIP; its `ETag` is its SHA-256", body = Vec<u8>, content_type = "application/zip"),
        (status = 206, description = "the part that `Range` names", body = Vec<u8>, content_type = "application/zip"),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 403, description = "`version-quarantined`", body = Problem),
        (status = 404, description = "`skill-not-found`, `version-not-found`", body = Problem),
        (status = 416, description = "`Range` names nothing of it"),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn bundle(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    let (skill, row) = skill::with_files(&call.app, &call.caller, id, version).await?;
    let mut headers = kept(&call.app, &skill, &row, &row.digest);
    if is_known(&call.head.headers, &etag(&row.digest)) {
        return Ok(answer(StatusCode::NOT_MODIFIED, headers, Bytes::new()));
    }
    let bytes = call.app.blobs.get(BlobKey::Bundle(row.digest)).await?;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/zip"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let name = format!("{}-{}.zip", skill.id.as_str().replace('/', "-"), row.version);
    insert(&mut headers, CONTENT_DISPOSITION, &disposition("attachment", &name));
    let (status, bytes, is_beginning) = match wanted(&call.head.headers, &etag(&row.digest), bytes.len()) {
        Wanted::All => (StatusCode::OK, bytes, true),
        Wanted::Part(part) => {
            let shown = format!("bytes {}-{}/{}", part.start, part.end - 1, bytes.len());
            insert(&mut headers, CONTENT_RANGE, &shown);
            let is_beginning = part.start == 0;
            (StatusCode::PARTIAL_CONTENT, bytes.slice(part), is_beginning)
        }
        Wanted::Nothing => {
            let mut headers = HeaderMap::new();
            insert(&mut headers, CONTENT_RANGE, &format!("bytes */{}", bytes.len()));
            return Ok(answer(StatusCode::RANGE_NOT_SATISFIABLE, headers, Bytes::new()));
        }
    };
    // Who goes on with a download that broke off has been counted.
    if !call.is_head() && is_beginning {
        note_install(&call.app, &call.caller, &skill.id, &row.version);
    }
    Ok(answer(status, headers, bytes))
}

/// One file of a version: as text where it is text, else as bytes to save. Never as a page.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/files/{path}", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
        ("path" = String, Path, description = "the file's path; slashes may stand as they are"),
    ),
    responses(
        (status = 200, description = "the file; its `ETag` is its SHA-256", content((String = "text/plain"), (Vec<u8> = "application/octet-stream"))),
        (status = 304, description = "`If-None-Match` names it"),
        (status = 403, description = "`version-quarantined`", body = Problem),
        (status = 404, description = "`skill-not-found`, `version-not-found`, `file-not-found`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn file(call: &Call, id: &SkillId, version: &Version, path: &str) -> Result<Response> {
    let (skill, row) = skill::with_files(&call.app, &call.caller, id, version).await?;
    let Some(summary) = row.files.iter().find(|file| file.path == path) else {
        return Err(skill::file_not_found(&skill.id, &row.version, path));
    };
    let mut headers = kept(&call.app, &skill, &row, &summary.digest);
    if is_known(&call.head.headers, &etag(&summary.digest)) {
        return Ok(answer(StatusCode::NOT_MODIFIED, headers, Bytes::new()));
    }
    let bytes = Bytes::from(skill::file(&call.app, &row, path).await?.bytes);
    // What is shown is not more than letters: with `nosniff`, a page or a picture with a script stays the text of it.
    let is_text = !bytes.contains(&0) && std::str::from_utf8(&bytes).is_ok();
    let (kind, shown) = match is_text {
        true => ("text/plain; charset=utf-8", "inline"),
        false => ("application/octet-stream", "attachment"),
    };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    let name = path.rsplit('/').next().unwrap_or(path);
    insert(&mut headers, CONTENT_DISPOSITION, &disposition(shown, name));
    Ok(answer(StatusCode::OK, headers, bytes))
}

fn etag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}

/// What is said of an answer that never becomes another one. Only what everybody may see is kept by stores on the way, and
/// that for an hour: what is quarantined is gone from them by then.
fn kept(app: &App, skill: &SkillRow, row: &VersionRow, digest: &Digest) -> HeaderMap {
    let is_public = app.settings.anonymous_reads
        && skill.visibility == Visibility::Public
        && row.status == VersionStatus::Published;
    let cache = match is_public {
        true => "public, max-age=3600, immutable",
        false => "private, no-cache",
    };
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    insert(&mut headers, ETAG, &etag(digest));
    headers
}

/// What a name may have in it as it is, in a header.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

fn disposition(how: &str, name: &str) -> String {
    format!("{how}; filename*=UTF-8''{}", utf8_percent_encode(name, PLAIN))
}

fn insert(headers: &mut HeaderMap, name: axum::http::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

fn answer(status: StatusCode, headers: HeaderMap, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
