//! `PUT` and `DELETE …/versions/{version}/yank` and `…/quarantine`

use std::sync::Arc;

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ReasonRequest, VersionSummary};
use skillery_core::event::Event;
use skillery_core::{Problem, ProblemCode, Role, Scope, SkillId, Version, VersionRequest, VersionStatus};

use crate::access::{Caller, Identity};
use crate::app::App;
use crate::approvals::come_back;
use crate::db::{Tx, versions};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};
use crate::skill;
use crate::text::check_text;

/// Yanks a version: it is not found any more, and downloaded only by its exact version, with a warning.
#[utoipa::path(
    put, path = "/api/v1/skills/{id}/versions/{version}/yank", tag = "skills", request_body = ReasonRequest,
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    security(("token" = ["publish"])),
    responses((status = 200, body = VersionSummary), (status = 409, description = "`status-conflict`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn yank(call: Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Publish)?;
    let (app, caller, request) = call.json::<ReasonRequest>().await?;
    let change =
        Change { from: VersionStatus::Published, to: VersionStatus::Yanked, reason: check(&app, request)? };
    publisher(&app, &caller, id).await?;
    change.make(&app, &caller, id, version).await
}

/// Takes a yank back.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/versions/{version}/yank", tag = "skills",
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    security(("token" = ["publish"])),
    responses((status = 200, body = VersionSummary), (status = 409, description = "`status-conflict`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn unyank(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require(Scope::Publish)?;
    publisher(&call.app, &call.caller, id).await?;
    let change = Change { from: VersionStatus::Yanked, to: VersionStatus::Published, reason: None };
    change.make(&call.app, &call.caller, id, version).await
}

/// Yanks a version for a client that has a protocol of its own.
pub async fn yank_version(
    app: &Arc<App>,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    reason: String,
) -> Result<()> {
    let reason = check(app, ReasonRequest { reason })?;
    publisher(app, caller, id).await?;
    let change = Change { from: VersionStatus::Published, to: VersionStatus::Yanked, reason };
    change.make(app, caller, id, version).await.map(drop)
}

/// Takes a yank back for a client that has a protocol of its own.
pub async fn unyank_version(app: &Arc<App>, caller: &Caller, id: &SkillId, version: &Version) -> Result<()> {
    publisher(app, caller, id).await?;
    let change = Change { from: VersionStatus::Yanked, to: VersionStatus::Published, reason: None };
    change.make(app, caller, id, version).await.map(drop)
}

/// Quarantines a version for a page.
pub async fn quarantine_version(
    app: &Arc<App>,
    caller: &Caller,
    id: &SkillId,
    version: &Version,
    reason: String,
) -> Result<()> {
    caller.require_site_admin()?;
    let reason = check(app, ReasonRequest { reason })?;
    let change = Change { from: VersionStatus::Published, to: VersionStatus::Quarantined, reason };
    change.make(app, caller, id, version).await.map(drop)
}

/// Releases a quarantined version for a page.
pub async fn release_version(app: &Arc<App>, caller: &Caller, id: &SkillId, version: &Version) -> Result<()> {
    caller.require_site_admin()?;
    let change = Change { from: VersionStatus::Quarantined, to: VersionStatus::Published, reason: None };
    change.make(app, caller, id, version).await.map(drop)
}

/// Quarantines a version: it is not handed out any more, to nobody.
#[utoipa::path(
    put, path = "/api/v1/skills/{id}/versions/{version}/quarantine", tag = "skills", request_body = ReasonRequest,
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    security(("token" = ["admin"])),
    responses((status = 200, body = VersionSummary), (status = 409, description = "`status-conflict`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn quarantine(call: Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require_site_admin()?;
    let (app, caller, request) = call.json::<ReasonRequest>().await?;
    let change = Change {
        from: VersionStatus::Published,
        to: VersionStatus::Quarantined,
        reason: check(&app, request)?,
    };
    change.make(&app, &caller, id, version).await
}

/// Releases a quarantined version.
#[utoipa::path(
    delete, path = "/api/v1/skills/{id}/versions/{version}/quarantine", tag = "skills",
    params(("id" = String, Path, description = "`org/name`"), ("version" = String, Path, description = "a semantic version")),
    security(("token" = ["admin"])),
    responses((status = 200, body = VersionSummary), (status = 409, description = "`status-conflict`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn release(call: &Call, id: &SkillId, version: &Version) -> Result<Response> {
    call.caller.require_site_admin()?;
    let change = Change { from: VersionStatus::Quarantined, to: VersionStatus::Published, reason: None };
    change.make(&call.app, &call.caller, id, version).await
}

/// A change of a version's status. One that is made already changes nothing.
struct Change {
    from: VersionStatus,
    to: VersionStatus,
    reason: Option<String>,
}

impl Change {
    /// The caller, who may make it as things stand in this transaction: for admins of the registry what has to do with
    /// quarantine, for publishers the rest.
    async fn still(&self, tx: &mut Tx, identity: &Identity, id: &SkillId) -> Result<Identity> {
        match [self.from, self.to].contains(&VersionStatus::Quarantined) {
            true => identity.still_site_admin(tx).await,
            false => identity.still(tx, Role::Publisher, &id.namespace()).await,
        }
    }

    async fn make(
        self,
        app: &Arc<App>,
        caller: &Caller,
        id: &SkillId,
        version: &Version,
    ) -> Result<Response> {
        let skill = skill::find(app, caller, id).await?;
        let key = skill.id.key();
        let identity = caller
            .identity()
            .map(|identity| (**identity).clone())
            .ok_or_else(|| Failure::new(ProblemCode::Unauthenticated, ""))?;
        let (caller, namespace) = (caller.clone(), skill.id.namespace().key());
        let (id, wanted, row_key) = (skill.id, version.clone(), key.clone());
        app.db
            .write(move |tx| {
                Box::pin(async move {
                    let user = self.still(tx, &identity, &id).await?.user.id;
                    let not_found = || skill::no_such_version(&id, &wanted);
                    let row =
                        versions::find(tx.connection(), &row_key, &wanted).await?.ok_or_else(not_found)?;
                    if !skill::sees_version(&caller, &namespace, &row) {
                        return Err(not_found());
                    }
                    if row.status == self.to && (self.reason.is_none() || self.reason == row.reason) {
                        return Ok(());
                    }
                    // A yanked version may be quarantined; releasing it makes it plain again.
                    let fits = row.status == self.from
                        || row.status == self.to
                        || (self.to == VersionStatus::Quarantined && row.status == VersionStatus::Yanked);
                    if !fits {
                        let detail =
                            format!("{id} {wanted} is {}, so it cannot become {}", row.status, self.to);
                        return Err(Failure::new(ProblemCode::StatusConflict, detail));
                    }
                    versions::set_status(tx, &row_key, &wanted, self.to, self.reason.as_deref()).await?;
                    let event = event(self.from, self.to, id.clone(), wanted.clone());
                    if self.to == VersionStatus::Published {
                        return come_back(tx, &user, &id, [(wanted, event)]).await;
                    }
                    tx.append(Some(&user), event);
                    Ok(())
                })
            })
            .await?;
        let request = VersionRequest::Exact(version.clone());
        let summary: VersionSummary = versions::summary(&app.db, &key, version)
            .await?
            .ok_or_else(|| Failure::new(ProblemCode::VersionNotFound, request.to_string()))?;
        json(StatusCode::OK, &summary)
    }
}

fn event(from: VersionStatus, to: VersionStatus, skill: SkillId, version: Version) -> Event {
    match (from, to) {
        (_, VersionStatus::Yanked) => Event::VersionYanked { skill, version },
        (_, VersionStatus::Quarantined) => Event::VersionQuarantined { skill, version },
        (VersionStatus::Quarantined, _) => {
            Event::VersionReleased { skill, version, policies: Vec::new(), approvals: Vec::new() }
        }
        _ => Event::VersionUnyanked { skill, version },
    }
}

/// Whoever may publish the skill may yank it. Who does not see it learns nothing.
pub async fn publisher(app: &App, caller: &Caller, id: &SkillId) -> Result<()> {
    let skill = skill::find(app, caller, id).await?;
    caller.require_role(Scope::Publish, Role::Publisher, &skill.id.namespace())?;
    Ok(())
}

/// The reason, when it is one that may be given.
pub fn check(app: &App, request: ReasonRequest) -> Result<Option<String>> {
    check_text("reason", &request.reason, app.settings.limits.reason_length, true)?;
    Ok(Some(request.reason))
}
