//! `POST /{id}/visibility`, `POST /{id}/versions/{version}/yank` and `…/quarantine`

use askama::Template;
use axum::response::Response;
use skillery_core::api::VisibilityRequest;
use skillery_core::{Role, Scope, SkillId, Version, VersionStatus, Visibility};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::notice;
use super::ask;
use super::namespace::overview;
use super::tried::Tried;
use crate::access::Caller;
use crate::failure::Result;
use crate::http::api::status::Change;
use crate::http::api::visibility;
use crate::http::call::Call;
use crate::text::{invalid, said};

/// What the viewer may do about a skill on its page.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manage {
    /// Set who sees it.
    pub visibility: bool,
    /// Yank the version that is shown.
    pub yank: bool,
    /// Take the yank of it back.
    pub unyank: bool,
    /// Quarantine it.
    pub quarantine: bool,
    /// Release it from quarantine.
    pub release: bool,
}

impl Manage {
    /// Of this viewer, about a version that stands so.
    pub fn of(caller: &Caller, id: &SkillId, status: VersionStatus) -> Self {
        let namespace = id.namespace();
        let is_site_admin = caller.require_site_admin().is_ok();
        let may_publish = caller.require_role(Scope::Publish, Role::Publisher, &namespace).is_ok();
        Self {
            visibility: caller.require_role(Scope::Admin, Role::Admin, &namespace).is_ok(),
            yank: may_publish && status == VersionStatus::Published,
            unyank: may_publish && status == VersionStatus::Yanked,
            quarantine: is_site_admin && matches!(status, VersionStatus::Published | VersionStatus::Yanked),
            release: is_site_admin && status == VersionStatus::Quarantined,
        }
    }

    /// Whether there is anything.
    pub fn is_any(&self) -> bool {
        self.visibility || self.yank || self.unyank || self.quarantine || self.release
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
    let yank = match &*form.text("action") {
        "yank" => Change::Yank { reason: form.text("reason").trim().to_owned() },
        "unyank" => {
            Change::Unyank.make(app, caller, id, version).await?;
            return Ok(see_other(&notice::with(&path, "unyanked")));
        }
        _ => return Err(form::unknown()),
    };
    if !ask::is_answered(&form) {
        yank.check(app, caller, id, version).await?;
        let text = "It is found no more, and installs only where it is named exactly, with a warning.";
        return ask::ask(frame, &form, format!("Yank {id} {version}?"), text, "Yank it", &path);
    }
    yank.make(app, caller, id, version).await?;
    Ok(see_other(&notice::with(&path, "yanked")))
}

/// A quarantine that was refused, to be tried again.
#[derive(Template)]
#[template(path = "pages/desk/quarantine.html")]
struct QuarantinePage {
    frame: Frame,
    tried: Tried,
    /// The page of the version.
    path: String,
    reason_length: usize,
}

/// Quarantines a version, or releases it again.
pub async fn quarantine(call: Call, frame: Frame, id: &SkillId, version: &Version) -> Result<Response> {
    let form = Form::read(call).await?;
    let path = format!("/{id}/versions/{version}");
    let is_release = match &*form.text("action") {
        "quarantine" => false,
        "release" => true,
        _ => return Err(form::unknown()),
    };
    if is_release {
        return release(frame, &form, id, version, &path).await;
    }
    match put_in_quarantine(&form, id, version).await {
        Ok(()) if ask::is_answered(&form) => Ok(see_other(&notice::with(&path, "quarantined"))),
        Ok(()) => {
            let text = "Nobody gets it any more, and everybody who sees the skill is told why.";
            ask::ask(frame, &form, format!("Quarantine {id} {version}?"), text, "Quarantine it", &path)
        }
        Err(failure) => {
            let (tried, status) = Tried::new(&form, failure, "reason")?;
            let reason_length = form.app.settings.limits.reason_length;
            let frame = frame.titled(format!("Quarantine {id} {version}"));
            with_status(status, &QuarantinePage { frame, tried, path, reason_length })
        }
    }
}

/// Quarantines a version where the question was answered; before that it is looked whether it could be.
async fn put_in_quarantine(form: &Form, id: &SkillId, version: &Version) -> Result<()> {
    let (app, caller) = (&form.app, &form.caller);
    caller.require_site_admin()?;
    // A program may say nothing; whoever fills in a form knows why, and all who have the version are told.
    let most = app.settings.limits.reason_length;
    let reason = said("reason", &form.text("reason"), most, "say why it is quarantined")?;
    let quarantine = Change::Quarantine { reason };
    match ask::is_answered(form) {
        true => quarantine.make(app, caller, id, version).await.map(drop),
        false => quarantine.check(app, caller, id, version).await,
    }
}

async fn release(frame: Frame, form: &Form, id: &SkillId, version: &Version, path: &str) -> Result<Response> {
    let (app, caller) = (&form.app, &form.caller);
    if ask::is_answered(form) {
        Change::Release.make(app, caller, id, version).await?;
        return Ok(see_other(&notice::with(path, "released")));
    }
    Change::Release.check(app, caller, id, version).await?;
    let text = "Whoever sees the skill gets it again, also where it had been yanked before, or it waits where it has to be \
                approved first.";
    ask::ask(frame, form, format!("Release {id} {version} from quarantine?"), text, "Release it", path)
}
