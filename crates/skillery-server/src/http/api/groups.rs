//! `/api/v1/orgs/{namespace}/policy/groups/{group}`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{GroupRequest, GroupSummary};
use skillery_core::approval::MAX_GROUP_MEMBERS;
use skillery_core::event::Event;
use skillery_core::{Namespace, Problem, ProblemCode, Role, Scope, Segment};

use super::orgs::org_not_found;
use super::policy::{Seen, is_of, own};
use super::publishers::still_admin;
use super::users::user_not_found;
use crate::access::Caller;
use crate::app::App;
use crate::db::{accounts, approvals, groups, orgs};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, done, json};
use crate::text::invalid;

/// Groups of one namespace.
const MOST: i64 = 50;

/// Sets who is in a group of a namespace, which its policy may ask for, in place of those before. For admins of the namespace.
#[utoipa::path(
    put, path = "/api/v1/orgs/{namespace}/policy/groups/{group}", tag = "approvals", security(("token" = ["admin"])),
    request_body = GroupRequest,
    params(("namespace" = String, Path, description = "an org, or what lies below one"), ("group" = String, Path, description = "one word, as names of skills are")),
    responses((status = 200, body = GroupSummary), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set(call: Call, namespace: &Namespace, group: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let group: Segment = group.parse()?;
    let (app, caller, request) = call.json::<GroupRequest>().await?;
    json(StatusCode::OK, &put(&app, &caller, namespace, group, request, Seen::Any).await?)
}

/// Sets who is in a group.
pub async fn put(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    group: Segment,
    request: GroupRequest,
    seen: Seen,
) -> Result<GroupSummary> {
    let identity = (**caller.require_role(Scope::Admin, Role::Admin, namespace)?).clone();
    if request.users.len() > MAX_GROUP_MEMBERS {
        return Err(invalid("users", format!("a group has at most {MAX_GROUP_MEMBERS} members")));
    }
    let (place, name) = (namespace.clone(), group);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                orgs::find(tx.connection(), &place.org_key()).await?.ok_or_else(|| org_not_found(&place))?;
                let actor = still_admin(tx, identity, &place).await?;
                let around = groups::around(tx.connection(), &place).await?;
                let own = around.iter().find(|set| set.group == name && is_of(&set.namespace, &place));
                if own.is_some() && seen == Seen::Entry(None) {
                    let detail = format!("`{place}` has a group `{name}` already");
                    return Err(Failure::new(ProblemCode::StatusConflict, detail));
                }
                seen.check(own.map(|set| set.log_index), "the group")?;
                let mut users = Vec::with_capacity(request.users.len());
                for name in &request.users {
                    let user = accounts::user_by_name(tx.connection(), name).await?;
                    users.push(user.ok_or_else(|| user_not_found(name))?.id);
                }
                users.sort();
                users.dedup();
                let before = groups::members(tx, &place, &name).await?;
                if before.is_none() && groups::count(tx, &place).await? >= MOST {
                    return Err(invalid("group", format!("`{place}` has {MOST} groups already")));
                }
                if before.as_ref() != Some(&users) {
                    let (namespace, group) = (place.to_string(), name.clone());
                    let event = Event::GroupSet { namespace, group, users: users.clone() };
                    let index = tx.append(Some(&actor), event);
                    groups::set(tx, &place, &name, &users, index).await?;
                }
                let around = groups::around(tx.connection(), &place).await?;
                let set = around.into_iter().find(|set| set.group == name && is_of(&set.namespace, &place));
                set.ok_or_else(|| Failure::internal("a group that was set a moment ago is not there"))
            })
        })
        .await
}

/// Removes a group, which no policy of the namespace may ask for any more. For admins of the namespace.
#[utoipa::path(
    delete, path = "/api/v1/orgs/{namespace}/policy/groups/{group}", tag = "approvals", security(("token" = ["admin"])),
    params(("namespace" = String, Path, description = "an org, or what lies below one"), ("group" = String, Path, description = "its name")),
    responses(
        (status = 204),
        (status = 404, description = "`policy-not-found`: there is no such group", body = Problem),
        (status = 422, description = "`invalid-field`: the policy asks for it", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn remove(call: &Call, namespace: &Namespace, group: &str) -> Result<Response> {
    call.caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    drop_own(&call.app, &call.caller, namespace, group.parse()?, Seen::Any).await?;
    Ok(done())
}

/// Removes a group of a namespace.
pub async fn drop_own(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    group: Segment,
    seen: Seen,
) -> Result<()> {
    let identity = (**caller.require_role(Scope::Admin, Role::Admin, namespace)?).clone();
    let (place, name) = (namespace.clone(), group);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let actor = still_admin(tx, identity, &place).await?;
                let policies = approvals::policies(tx.connection(), &place).await?;
                if own(&policies, &place).is_some_and(|set| set.policy.groups().any(|group| *group == name)) {
                    let detail = format!("the policy of `{place}` asks for `{name}`; change it first");
                    return Err(invalid("group", detail));
                }
                let around = groups::around(tx.connection(), &place).await?;
                let set = around.iter().find(|set| set.group == name && is_of(&set.namespace, &place));
                if set.is_some() {
                    seen.check(set.map(|set| set.log_index), "the group")?;
                }
                if !groups::remove(tx, &place, &name).await? {
                    let detail = format!("`{place}` has no group `{name}` itself");
                    return Err(Failure::new(ProblemCode::PolicyNotFound, detail));
                }
                tx.append(Some(&actor), Event::GroupRemoved { namespace: place.to_string(), group: name });
                Ok(())
            })
        })
        .await
}
