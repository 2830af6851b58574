//! `POST /{id}/visibility` and `POST /{id}/versions/{version}/yank`

use axum::response::Response;
use skillery_core::api::VisibilityRequest;
use skillery_core::{Role, Scope, SkillId, Version, VersionStatus, Visibility};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other};
use super::super::notice;
use super::ask;
use super::namespace::overview;
use crate::access::Caller;
use crate::failure::Result;
use crate::http::api::{status, visibility};
use crate::http::call::Call;
use crate::text::invalid;

/// What the viewer may do about a skill on its page.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manage {
    /// Set who sees it.
    pub visibility: bool,
    /// Yank the version that is shown.
    pub yank: bool,
    /// Take the yank of it back.
    pub unyank: bool,
}

impl Manage {
    /// Of this viewer, about a version that stands so.
    pub fn of(caller: &Caller, id: &SkillId, status: VersionStatus) -> Self {
        let namespace = id.namespace();
        let may_publish = caller.require_role(Scope::Publish, Role::Publisher, &namespace).is_ok();
        Self {
            visibility: caller.require_role(Scope::Admin, Role::Admin, &namespace).is_ok(),
            yank: may_publish && status == VersionStatus::Published,
            unyank: may_publish && status == VersionStatus::Yanked,
        }
    }

    /// Whether there is anything.
    pub fn is_any(&self) -> bool {
        self.visibility || self.yank || self.unyank
    }

    /// Where the settings of its namespace are.
    pub fn settings(&self, id: &SkillId) -> String {
        overview(id.namespace().as_str())
    }

    /// Who may see a skill.
    pub fn visibilities(&self) -> &'static [Visibility] {
        Visibility::ALL
    }
}

/// Sets who sees a skill.
pub async fn set_visibility(call: Call, id: &SkillId) -> Result<Response> {
    let form = Form::read(call).await?;
    let visibility = form.text("visibility").parse().map_err(|error: String| invalid("visibility", error))?;
    visibility::change(&form.app, &form.caller, id, VisibilityRequest { visibility }).await?;
    Ok(see_other(&notice::with(&format!("/{id}"), "saved")))
}

/// Yanks a version, or takes that back.
pub async fn yank(call: Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let path = format!("/{id}/versions/{version}");
    match &*form.text("action") {
        "yank" => {}
        "unyank" => {
            status::unyank_version(app, caller, id, version).await?;
            return Ok(see_other(&notice::with(&path, "unyanked")));
        }
        _ => return Err(form::unknown()),
    }
    if !ask::is_answered(&form) {
        status::publisher(app, caller, id).await?;
        let text = "It is found no more, and installs only where it is named exactly, with a warning.";
        return ask::ask(frame, &form, format!("Yank {id} {version}?"), text, "Yank it", &path);
    }
    status::yank_version(app, caller, id, version, form.text("reason").trim().to_owned()).await?;
    Ok(see_other(&notice::with(&path, "yanked")))
}
