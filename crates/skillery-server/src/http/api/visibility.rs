//! `PUT /api/v1/skills/{id}/visibility`

use axum::response::Response;
use skillery_core::api::VisibilityRequest;
use skillery_core::event::Event;
use skillery_core::{Problem, Role, Scope, SkillId, Visibility};

use crate::access::Caller;
use crate::app::App;
use crate::approvals::hold_for_public;
use crate::db::skills;
use crate::failure::Result;
use crate::http::call::{Call, done};
use crate::skill;

/// Sets who sees a skill. For admins of its namespace. Where a policy asks for more of what everybody sees, the versions that are
/// handed out wait for it.
#[utoipa::path(
    put, path = "/api/v1/skills/{id}/visibility", tag = "skills", request_body = VisibilityRequest,
    params(("id" = String, Path, description = "`org/name`")), security(("token" = ["admin"])),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set(call: Call, id: &SkillId) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<VisibilityRequest>().await?;
    change(&app, &caller, id, request).await?;
    Ok(done())
}

/// Sets who sees a skill.
pub async fn change(app: &App, caller: &Caller, id: &SkillId, request: VisibilityRequest) -> Result<()> {
    let skill = skill::find(app, caller, id).await?;
    let identity = caller.require_role(Scope::Admin, Role::Admin, &skill.id.namespace())?;
    let identity = (**identity).clone();
    if skill.visibility != request.visibility {
        app.db
            .write(move |tx| {
                Box::pin(async move {
                    let user = identity.still(tx, Role::Admin, &skill.id.namespace()).await?.user.id;
                    skills::set_visibility(tx, &skill.id.key(), request.visibility).await?;
                    let id = skill.id.clone();
                    let event = Event::VisibilityChanged { skill: skill.id, visibility: request.visibility };
                    tx.append(Some(&user), event);
                    match request.visibility {
                        Visibility::Public => hold_for_public(tx, &user, &id).await,
                        _ => Ok(()),
                    }
                })
            })
            .await?;
    }
    Ok(())
}
