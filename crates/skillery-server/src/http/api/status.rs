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
use crate::db::Tx;
use crate::db::skills::SkillRow;
use crate::db::versions::{self, VersionRow};
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
    let (app, caller, ReasonRequest { reason }) = call.json().await?;
    json(StatusCode::OK, &Change::Yank { reason }.make(&app, &caller, id, version).await?)
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
    json(StatusCode::OK, &Change::Unyank.make(&call.app, &call.caller, id, version).await?)
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
    let (app, caller, ReasonRequest { reason }) = call.json().await?;
    json(StatusCode::OK, &Change::Quarantine { reason }.make(&app, &caller, id, version).await?)
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
    json(StatusCode::OK, &Change::Release.make(&call.app, &call.caller, id, version).await?)
}

/// A change of a version's status, whoever asks for it: the API, a client with a protocol of its own, a page. One that is made
/// already changes nothing.
#[derive(Debug, Clone)]
pub enum Change {
    /// It is not found any more, and downloaded only by its exact version.
    Yank {
        /// Why, which may be empty.
        reason: String,
    },
    /// The yank is taken back.
    Unyank,
    /// Nobody gets it any more.
    Quarantine {
        /// Why, which may be empty.
        reason: String,
    },
    /// The quarantine is taken back. What was yanked before is plain again.
    Release,
}

impl Change {
    /// The status that it leads from, and to.
    fn statuses(&self) -> (VersionStatus, VersionStatus) {
        match self {
            Self::Yank { .. } => (VersionStatus::Published, VersionStatus::Yanked),
            Self::Unyank => (VersionStatus::Yanked, VersionStatus::Published),
            Self::Quarantine { .. } => (VersionStatus::Published, VersionStatus::Quarantined),
            Self::Release => (VersionStatus::Quarantined, VersionStatus::Published),
        }
    }

    fn reason(&self) -> Option<&str> {
        match self {
            Self::Yank { reason } | Self::Quarantine { reason } => Some(reason),
            Self::Unyank | Self::Release => None,
        }
    }

    fn event(&self, skill: SkillId, version: Version) -> Event {
        match self {
            Self::Yank { .. } => Event::VersionYanked { skill, version },
            Self::Unyank => Event::VersionUnyanked { skill, version },
            Self::Quarantine { .. } => Event::VersionQuarantined { skill, version },
            Self::Release => {
                Event::VersionReleased { skill, version, policies: Vec::new(), approvals: Vec::new() }
            }
        }
    }

    /// The skill and the caller, who may make it: for admins of the registry what has to do with quarantine, for publishers the rest.
    async fn allowed(&self, app: &App, caller: &Caller, id: &SkillId) -> Result<(SkillRow, Identity)> {
        let admin = match self {
            Self::Quarantine { .. } | Self::Release => Some(caller.require_site_admin()?),
            Self::Yank { .. } | Self::Unyank => None,
        };
        if let Some(reason) = self.reason() {
            check_text("reason", reason, app.settings.limits.reason_length, true)?;
        }
        let skill = skill::find(app, caller, id).await?;
        let identity = match admin {
            Some(admin) => admin,
            None => caller.require_role(Scope::Publish, Role::Publisher, &skill.id.namespace())?,
        };
        Ok((skill, (**identity).clone()))
    }

    /// The caller, who may make it as things stand in this transaction.
    async fn still(&self, tx: &mut Tx, identity: &Identity, id: &SkillId) -> Result<Identity> {
        match self {
            Self::Quarantine { .. } | Self::Release => identity.still_site_admin(tx).await,
            Self::Yank { .. } | Self::Unyank => identity.still(tx, Role::Publisher, &id.namespace()).await,
        }
    }

    /// Whether it changes anything about this version, as far as the caller sees it.
    fn fits(
        &self,
        caller: &Caller,
        id: &SkillId,
        version: &Version,
        row: Option<VersionRow>,
    ) -> Result<bool> {
        let row = row
            .filter(|row| skill::sees_version(caller, &id.namespace().key(), row))
            .ok_or_else(|| skill::no_such_version(id, version))?;
        let (from, to) = self.statuses();
        if row.status == to {
            return Ok(self.reason().is_some_and(|reason| row.reason.as_deref() != Some(reason)));
        }
        // A yanked version may be quarantined.
        let is_from = row.status == from
            || (matches!(self, Self::Quarantine { .. }) && row.status == VersionStatus::Yanked);
        if !is_from {
            let detail = format!("{id} {version} is {}, so it cannot become {to}", row.status);
            return Err(Failure::new(ProblemCode::StatusConflict, detail));
        }
        Ok(true)
    }

    /// Whether the caller may make it, as things stand: what a page wants to know before it asks whether that is meant.
    pub async fn check(&self, app: &App, caller: &Caller, id: &SkillId, version: &Version) -> Result<()> {
        let (skill, _) = self.allowed(app, caller, id).await?;
        let row = versions::find(app.db.reader(), &skill.id.key(), version).await?;
        self.fits(caller, &skill.id, version, row).map(drop)
    }

    /// Makes it.
    pub async fn make(
        self,
        app: &Arc<App>,
        caller: &Caller,
        id: &SkillId,
        version: &Version,
    ) -> Result<VersionSummary> {
        let (skill, identity) = self.allowed(app, caller, id).await?;
        let key = skill.id.key();
        let (caller, id, wanted, row_key) = (caller.clone(), skill.id, version.clone(), key.clone());
        app.db
            .write(move |tx| {
                Box::pin(async move {
                    let user = self.still(tx, &identity, &id).await?.user.id;
                    let row = versions::find(tx.connection(), &row_key, &wanted).await?;
                    if !self.fits(&caller, &id, &wanted, row)? {
                        return Ok(());
                    }
                    let (_, to) = self.statuses();
                    versions::set_status(tx, &row_key, &wanted, to, self.reason()).await?;
                    let event = self.event(id.clone(), wanted.clone());
                    if to == VersionStatus::Published {
                        return come_back(tx, &user, &id, [(wanted, event)]).await;
                    }
                    tx.append(Some(&user), event);
                    Ok(())
                })
            })
            .await?;
        let request = VersionRequest::Exact(version.clone());
        versions::summary(&app.db, &key, version)
            .await?
            .ok_or_else(|| Failure::new(ProblemCode::VersionNotFound, request.to_string()))
    }
}
