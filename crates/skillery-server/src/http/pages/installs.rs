//! `GET /{id}/versions/{version}/installs`: which signed-in users have downloaded a version, for admins of its namespace.

use askama::Template;
use axum::response::Response;
use skillery_core::api::VersionInstallsResponse;
use skillery_core::time::Time;
use skillery_core::{Role, Scope, SkillId, Version};

use super::frame::{Frame, page};
use super::pager::Pager;
use super::show;
use super::skill::Header;
use crate::access::Caller;
use crate::failure::Result;
use crate::http::api::installs as api;
use crate::http::call::Call;
use crate::skill;

/// Who has downloaded a version.
pub const INSTALLS: &str = "/{id}/versions/{version}/installs";

/// Rows of a page.
const ROWS: usize = 50;

#[derive(Template)]
#[template(path = "pages/installs.html")]
struct InstallsPage {
    frame: Frame,
    header: Header,
    version: Version,
    installs: VersionInstallsResponse,
    now: Time,
    pager: Pager,
}

/// Whether the viewer may know who has which version of it.
pub fn may_know(caller: &Caller, id: &SkillId) -> bool {
    caller.require_role(Scope::Admin, Role::Admin, &id.namespace()).is_ok()
}

/// Those who have downloaded it, the last first.
pub async fn list(call: &Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let (app, caller) = (&call.app, &call.caller);
    let mut rows = call.page()?;
    rows.limit = rows.limit.clamp(1, ROWS);
    let installs = api::of_version(app, caller, id, version, rows).await?;
    let row = skill::find(app, caller, id).await?;
    let path = format!("/{}/versions/{version}/installs", row.id);
    page(&InstallsPage {
        frame: frame.titled(format!("Who downloaded {} {version}", row.id)).part("skill"),
        header: Header::new(row.id.clone(), row.visibility, row.latest.clone(), "version").of(version),
        version: version.clone(),
        pager: Pager::of(app, &path, &[], rows, installs.total),
        installs,
        now: app.environment.now(),
    })
}
