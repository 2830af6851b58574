//! `GET /skills/{slug}` and what stands below it, and `GET /resolve`.

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use axum::response::Response;
use serde::Serialize;
use skillery_core::{Digest, ProblemCode, SkillId, VersionRequest, VersionStatus};

use super::browse::{listed, tell_changes};
use super::download::bad_version;
use super::forms::{self, Owner, latest_of, millis};
use super::names::{find, slug_of};
use super::{BASE, Result, fingerprint, json, signed_in};
use crate::catalog;
use crate::db::skills::{self, SkillRow};
use crate::db::{review, stars, versions as table};
use crate::failure::Failure;
use crate::http::call::{self, Call, invalid_parameter};
use crate::http::interop::one_segment;
use crate::skill::version_not_found;
use crate::text::{excerpt, named};

/// The skill that a call is about.
async fn asked(call: &Call, slug: &str) -> Result<SkillRow> {
    let owner = call.parameter("ownerHandle");
    find(&call.app, &call.caller, &super::base(call), slug, owner.as_deref()).await
}

/// An exact version, or `latest`: the program knows no ranges.
pub fn request(text: &str) -> Result<VersionRequest> {
    match text.parse() {
        Ok(VersionRequest::Range(_)) | Err(_) => Err(bad_version(text).into()),
        Ok(request) => Ok(request),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    skill: forms::Skill,
    latest_version: Option<forms::Version>,
    owner: Owner,
}

/// One skill with its latest version.
pub async fn skill(call: &Call, slug: &str) -> Result<Response> {
    let row = asked(call, slug).await?;
    let key = row.id.key();
    let keys = [key.clone()];
    let mut found = listed(&call.app, call, &keys).await?;
    tell_changes(&call.app, &mut found).await?;
    let listed = match found.pop() {
        Some(listed) => listed,
        // All its versions are yanked, quarantined, or wait: the program asks `/install` what that means.
        None => {
            let full = skills::full(&call.app.db, &key).await?;
            let full = full.ok_or_else(|| Failure::new(ProblemCode::SkillNotFound, ""))?;
            let stars = stars::counts(&call.app.db, &keys).await?.remove(&key).unwrap_or(0);
            forms::Listed { full, stars, changelog: String::new() }
        }
    };
    json(&Detail {
        skill: forms::Skill::of(&listed),
        latest_version: latest_of(&listed),
        owner: Owner::of(&row.id.namespace()),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Versions {
    items: Vec<forms::Version>,
    next_cursor: Option<String>,
}

/// The published versions of a skill, the highest first.
pub async fn versions(call: &Call, slug: &str) -> Result<Response> {
    let most = call.app.settings.limits.page_rows;
    let limit = call.parsed::<usize>("limit")?.unwrap_or(call.app.settings.limits.default_page_rows);
    let limit = limit.clamp(1, most);
    let offset = match call.parameter("cursor") {
        None => 0,
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| invalid_parameter("cursor", "it is none that this registry has given"))?,
    };
    let row = asked(call, slug).await?;
    let mut rows = table::summaries(&call.app.db, &row.id.key()).await?;
    rows.retain(|row| row.status == VersionStatus::Published);
    rows.sort_by(|left, right| right.version.cmp(&left.version));
    let next = offset.saturating_add(limit);
    let next_cursor = (next < rows.len()).then(|| next.to_string());
    let items = rows.into_iter().skip(offset).take(limit).map(|row| forms::Version {
        version: row.version.to_string(),
        created_at: millis(row.created_at),
        changelog: row.changelog.unwrap_or_default(),
        license: None,
        files: None,
    });
    json(&Versions { items: items.collect(), next_cursor })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    slug: String,
    display_name: String,
}

impl Named {
    fn of(id: &SkillId) -> Self {
        Self { slug: slug_of(id), display_name: id.name().to_owned() }
    }
}

#[derive(Serialize)]
struct Version {
    version: forms::Version,
    skill: Named,
}

/// One version with its files.
pub async fn version(call: &Call, slug: &str, version: &str) -> Result<Response> {
    let request = request(version)?;
    let row = asked(call, slug).await?;
    let offer = catalog::one(&call.app, &call.caller, &row.id, &request).await?;
    let told = review::changelog(call.app.db.reader(), &offer.id.key(), &offer.row.version).await?;
    json(&Version { version: forms::version(&offer.id, &offer.row, told), skill: Named::of(&offer.id) })
}

/// One file. It is text or bytes, and nothing that a browser would show or run.
pub async fn file(call: &Call, slug: &str) -> Result<Response> {
    let path = call.parameter("path").ok_or_else(|| invalid_parameter("path", "it is missing"))?;
    let request = match (call.parameter("version"), call.parameter("tag")) {
        (Some(version), _) => request(&version)?,
        (None, Some(tag)) => tagged(&tag)?,
        (None, None) => VersionRequest::Latest,
    };
    let row = asked(call, slug).await?;
    let offer = catalog::one(&call.app, &call.caller, &row.id, &request).await?;
    let missing = || {
        let shown = excerpt(&path);
        let detail = format!("{} {} has no file `{shown}`", offer.id, offer.row.version);
        Failure::new(ProblemCode::RouteNotFound, detail)
    };
    let bytes = offer.file(&call.app, &path).await?.ok_or_else(missing)?.bytes;
    let kind = match std::str::from_utf8(&bytes) {
        Ok(_) => "text/plain; charset=utf-8",
        Err(_) => "application/octet-stream",
    };
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// The version that a tag stands for.
pub fn tagged(tag: &str) -> Result<VersionRequest> {
    if tag == "latest" {
        return Ok(VersionRequest::Latest);
    }
    let shown = named(tag);
    let detail = format!("there is no tag `{shown}`: this registry has `latest` and no others");
    Err(Failure::new(ProblemCode::VersionNotFound, detail).into())
}

/// `GET /skills/{slug}/install`: what is to be installed, or why nothing is.
pub async fn install(call: &Call, slug: &str) -> Result<Response> {
    let base = super::base(call);
    let row = asked(call, slug).await?;
    let slug = slug_of(&row.id);
    if let Some(latest) = &row.latest {
        let owner = one_segment(&row.id.namespace());
        let url = format!(
            "{base}{BASE}/api/v1/download?slug={slug}&ownerHandle={owner}&version={version}",
            version = percent_encoding::utf8_percent_encode(
                &latest.to_string(),
                percent_encoding::NON_ALPHANUMERIC
            ),
        );
        return json(&serde_json::json!({
            "ok": true, "slug": slug, "installKind": "archive",
            "archive": { "version": latest.to_string(), "downloadUrl": url },
        }));
    }
    let statuses = table::statuses(call.app.db.reader(), &row.id.key()).await?;
    let has = |wanted: VersionStatus| statuses.iter().any(|(_, status)| *status == wanted);
    // What waits, or was refused, is for reviewers alone.
    let (status, why) = if has(VersionStatus::Published) {
        (StatusCode::CONFLICT, "it has prereleases only; name one with `--version`")
    } else if has(VersionStatus::Yanked) {
        (StatusCode::GONE, "all its versions are yanked; an exact one is installed with `--version`")
    } else if has(VersionStatus::Quarantined) {
        (StatusCode::FORBIDDEN, "its versions are quarantined")
    } else {
        (StatusCode::CONFLICT, "it has no version that is handed out")
    };
    let body = serde_json::json!({
        "ok": false, "slug": slug, "reason": "archive_version_missing",
        "message": format!("{} cannot be installed: {why}", row.id), "status": status.as_u16(),
    });
    Ok(call::json(status, &body)?)
}

/// `GET /skills/{slug}/moderation`: nobody moderates here but by quarantine, which shows itself elsewhere.
pub async fn moderation(call: &Call, slug: &str) -> Result<Response> {
    signed_in(call)?;
    asked(call, slug).await?;
    json(&serde_json::json!({ "moderation": null }))
}

#[derive(Serialize)]
struct Only {
    version: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Resolved {
    slug: String,
    #[serde(rename = "match")]
    matching: Option<Only>,
    latest_version: Option<Only>,
}

/// `GET /resolve`: which version a folder is, and which is the latest. Of a skill that there is not, neither: to the program
/// that is one which can be published.
pub async fn resolve(call: &Call) -> Result<Response> {
    let slug = call.parameter("slug").ok_or_else(|| invalid_parameter("slug", "it is missing"))?;
    let wanted = call
        .parameter("hash")
        .map(|hash| hash.to_ascii_lowercase().parse::<Digest>())
        .transpose()
        .map_err(|error| invalid_parameter("hash", &error.to_string()))?;
    let row = match asked(call, &slug).await {
        Err(super::Refused::Failure(failure)) if failure.code() == ProblemCode::SkillNotFound => {
            return json(&Resolved { slug, matching: None, latest_version: None });
        }
        outcome => outcome?,
    };
    let matching = match wanted {
        Some(wanted) => fingerprint::version_of(&call.app, &row.id.key(), wanted).await?,
        None => None,
    };
    let only = |version: skillery_core::Version| Only { version: version.to_string() };
    json(&Resolved {
        slug: slug_of(&row.id),
        matching: matching.map(only),
        latest_version: row.latest.map(only),
    })
}

/// The version of the skill that is exactly this one, whatever became of it, as far as it is handed out.
pub fn exactly(id: &SkillId, text: &str) -> Result<skillery_core::Version> {
    match request(text)? {
        VersionRequest::Exact(version) => Ok(version),
        other => Err(version_not_found(id, &other).into()),
    }
}
