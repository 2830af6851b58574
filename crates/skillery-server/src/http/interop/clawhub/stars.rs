//! `POST` and `DELETE /stars/{slug}`

use axum::response::Response;
use skillery_core::Scope;
use skillery_core::event::Event;

use super::names::find;
use super::{Result, json, require};
use crate::access::skill_not_found;
use crate::db::{skills, stars};
use crate::http::call::Call;

/// Stars a skill. Again changes nothing.
pub async fn star(call: &Call, slug: &str) -> Result<Response> {
    let is_new = change(call, slug, true).await?;
    json(&serde_json::json!({ "ok": true, "starred": true, "alreadyStarred": !is_new }))
}

/// Takes a star back. Nothing happens when there is none.
pub async fn unstar(call: &Call, slug: &str) -> Result<Response> {
    let was_there = change(call, slug, false).await?;
    json(&serde_json::json!({ "ok": true, "unstarred": true, "alreadyUnstarred": !was_there }))
}

/// Whether something has changed.
async fn change(call: &Call, slug: &str, is_starred: bool) -> Result<bool> {
    require(call, Scope::Rate)?;
    let owner = call.parameter("ownerHandle");
    let skill = find(&call.app, &call.caller, &call.base()?, slug, owner.as_deref()).await?;
    let identity = (**call.caller.require(Scope::Rate)?).clone();
    let id = skill.id;
    let changed = call
        .app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let user = identity.again(tx).await?.user.id;
                let key = id.key();
                skills::find(tx.connection(), &key).await?.ok_or_else(|| skill_not_found(&id))?;
                let changed = match is_starred {
                    true => stars::set(tx, &key, &user).await?,
                    false => stars::remove(tx, &key, &user).await?,
                };
                if changed {
                    let event = match is_starred {
                        true => Event::SkillStarred { skill: id },
                        false => Event::SkillUnstarred { skill: id },
                    };
                    tx.append(Some(&user), event);
                }
                Ok(changed)
            })
        })
        .await?;
    Ok(changed)
}
