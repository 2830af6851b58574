//! `GET /api/v1/skills/{id}/download`

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use skillery_core::api::DownloadResponse;
use skillery_core::{Problem, Scope, SkillId};

use crate::cache::CachedDownload;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, ready_json};
use crate::{signing_secret, skill};

/// The code of a version; of a folder, where its bundle is. A download that is answered with content counts as an install.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/download", tag = "skills",
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = Option<String>, Query, description = "an exact version or a SemVer range; the latest when left out"),
    ),
    responses(
        (status = 200, body = DownloadResponse),
        (status = 403, description = "`version-quarantined`", body = Problem),
        (status = 404, description = "`skill-not-found`, `version-not-found`", body = Problem),
        (status = "default", description = "any other problem", body = Problem),
    ),
)]
pub async fn download(call: &Call, id: &SkillId) -> Result<Response> {
    let request = call.parameter("version").unwrap_or_default();
    let download = skill::download(&call.app, &call.caller, id, &request).await?;
    let body = with_secret(call, id, &download).await?;
    if !call.is_head() && download.has_content {
        let now = call.app.environment.now();
        call.app.counters.count_install(&download.key, &download.version, &call.caller, now);
        call.app.metrics.downloaded();
    }
    let mut response = ready_json(StatusCode::OK, body);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

/// Members get the org's signing secret too, if it registered one. Admins of the registry are no members by that.
async fn with_secret(call: &Call, id: &SkillId, download: &CachedDownload) -> Result<Bytes> {
    let mut body = BytesMut::with_capacity(download.open_json.len() + 1);
    body.put(download.open_json.clone());
    let is_member = call.caller.identity().is_some_and(|identity| {
        identity.has(Scope::Read)
            && identity.is_within_bounds(&download.namespace)
            && identity.own_role_in(&download.namespace).is_some()
    });
    if is_member && let Some(registered) = signing_secret::of(&call.app, id).await? {
        body.put(&b",\"secret\":"[..]);
        body.put(serde_json::to_vec(registered.secret.expose()).map_err(Failure::internal)?.as_slice());
    }
    body.put_u8(b'}');
    Ok(body.freeze())
}
