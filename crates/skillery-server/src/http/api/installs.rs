//! `GET /api/v1/skills/{id}/versions/{version}/installs`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::VersionInstallsResponse;
use skillery_core::{Problem, Role, Scope, SkillId, Version};

use crate::access::Caller;
use crate::app::App;
use crate::db::{user_installs, versions};
use crate::failure::Result;
use crate::http::call::{Call, Page, json};
use crate::skill::{self, no_such_version};

/// Which signed-in users have downloaded a version, the last first. For admins of the namespace.
#[utoipa::path(
    get, path = "/api/v1/skills/{id}/versions/{version}/installs", tag = "audit", security(("token" = ["admin"])),
    params(
        ("id" = String, Path, description = "`org/name`"),
        ("version" = String, Path, description = "for example `1.0.0`"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = VersionInstallsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    json(StatusCode::OK, &of_version(&call.app, &call.caller, id, version, call.page()?).await?)
}

/// One page of the signed-in users who have downloaded a version.
pub async fn of_version(
    app: &App,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    page: Page,
) -> Result<VersionInstallsResponse> {
    caller.require(Scope::Admin)?;
    let skill = skill::find(app, caller, id).await?;
    caller.require_role(Scope::Admin, Role::Admin, &skill.id.namespace())?;
    let key = skill.id.key();
    if versions::find(app.db.reader(), &key, version).await?.is_none() {
        return Err(no_such_version(&skill.id, version));
    }
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let (total, installs) = user_installs::of_version(&app.db, &key, version, limit, offset).await?;
    Ok(VersionInstallsResponse { total, installs })
}
