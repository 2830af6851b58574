//! `GET /api/v1/skills/{id}/versions` and `…/versions/{version}`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{
    SignatureSummary, VersionDetail, VersionSignature, VersionSummary, VersionsResponse,
};
use skillery_core::{Problem, SkillId, Version, signature};

use crate::access::{Caller, Identity};
use crate::app::App;
use crate::db::skills::SkillRow;
use crate::db::{Db, signatures, versions as table};
use crate::failure::Result;
use crate::http::call::{Call, json};
use crate::review;
use crate::skill;

/// All versions of a skill with where they stand, the highest first.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = VersionsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call, id: &SkillId) -> Result<Response> {
    let page = call.page()?;
    let skill = skill::find(&call.app, &call.caller, id).await?;
    let versions = seen(&call.app, &call.caller, &skill).await?;
    let total = versions.len() as u64;
    let versions = versions.into_iter().skip(page.offset).take(page.limit).collect();
    let latest = skill.latest.as_ref().map(ToString::to_string);
    json(StatusCode::OK, &VersionsResponse { id: skill.id.to_string(), total, latest, versions })
}

/// The versions of a skill that the caller may know of, the highest first.
pub async fn seen(app: &App, caller: &Caller, skill: &SkillRow) -> Result<Vec<VersionSummary>> {
    let namespace = skill.id.namespace().key();
    let mut versions = table::summaries(&app.db, &skill.id.key()).await?;
    versions.retain(|version| {
        let is_publisher = |identity: &Identity| identity.user.name == version.publisher;
        skill::sees_status(caller, &namespace, version.status, is_publisher)
    });
    versions.sort_by(|left, right| right.version.cmp(&left.version));
    Ok(versions)
}

/// Everything about one version.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "a semantic version"),
    ),
    responses((status = 200, body = VersionDetail), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    json(StatusCode::OK, &whole(&call.app, &call.caller, id, version).await?)
}

/// Everything about one version, as far as the caller may know of it; what is found in it, only while its files can be read.
pub async fn whole(app: &App, caller: &Caller, id: &SkillId, version: &Version) -> Result<VersionDetail> {
    let mut detail = detail(app, caller, id, version).await?;
    if detail.summary.status.has_files() {
        // All else is known without the files, and clients check by it what they have already.
        let found = skill::while_readable(id, version, review::findings(app, caller, id, version).await)?;
        detail.findings = found.map(|found| found.findings);
    }
    Ok(detail)
}

/// The same without what is found in it, for which its files have to be looked at.
pub async fn detail(app: &App, caller: &Caller, id: &SkillId, version: &Version) -> Result<VersionDetail> {
    let skill = skill::find(app, caller, id).await?;
    let namespace = skill.id.namespace().key();
    let not_found = || skill::no_such_version(&skill.id, version);
    let key = skill.id.key();
    let row = table::find(app.db.reader(), &key, version)
        .await?
        .filter(|row| skill::sees_version(caller, &namespace, row))
        .ok_or_else(not_found)?;
    let summary = table::summary(&app.db, &key, version).await?.ok_or_else(not_found)?;
    let signatures = row
        .signature
        .map(|value| SignatureSummary {
            kind: "hmac-sha256".to_owned(),
            level: signature::LEGACY_LEVEL.to_owned(),
            value,
        })
        .into_iter()
        .chain(of_authors(&app.db, &key, version).await?)
        .collect();
    Ok(VersionDetail {
        id: skill.id.clone(),
        summary,
        description: row.description,
        tags: row.tags,
        author: row.author,
        license: row.license,
        homepage: row.homepage,
        repository: row.repository,
        visibility: skill.visibility,
        files: row.files,
        signatures,
        findings: None,
        log_position: row.log_position,
    })
}

/// Signatures by authors' own keys.
async fn of_authors(db: &Db, key: &str, version: &Version) -> Result<Vec<SignatureSummary>> {
    let signatures = signatures::of_version(db.reader(), key, version).await?;
    let summary = |signature: VersionSignature| SignatureSummary {
        kind: signature.kind.to_string(),
        level: format!("signed by {}", signature.signer),
        value: signature.value,
    };
    Ok(signatures.into_iter().map(summary).collect())
}
