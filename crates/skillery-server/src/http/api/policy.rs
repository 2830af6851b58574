//! `/api/v1/orgs/{namespace}/policy`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{PolicyHistoryResponse, PolicyInForce, PolicyResponse};
use skillery_core::event::Event;
use skillery_core::{Namespace, Problem, ProblemCode, PublishPolicy, Role, Scope};

use super::orgs::org_not_found;
use super::publishers::still_admin;
use crate::access::Caller;
use crate::app::App;
use crate::approvals::{in_short, key_of};
use crate::db::Tx;
use crate::db::{approvals as table, groups, orgs};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page, json};
use crate::text::invalid;

/// What a namespace demands of versions that are published there, by itself and by those above it. For members.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/policy", tag = "approvals", security(("token" = ["read"])),
    params(("namespace" = String, Path, description = "an org, or what lies below one")),
    responses((status = 200, body = PolicyResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, namespace: &Namespace) -> Result<Response> {
    json(StatusCode::OK, &of_namespace(&call.app, &call.caller, namespace).await?)
}

/// What a namespace demands, for its members.
pub async fn of_namespace(app: &App, caller: &Caller, namespace: &Namespace) -> Result<PolicyResponse> {
    must_be_member(caller, namespace)?;
    policy_of(app, namespace).await
}

fn must_be_member(caller: &Caller, namespace: &Namespace) -> Result<()> {
    let identity = caller.require(Scope::Read)?;
    match identity.acts_as(Role::Reader, &namespace.key()) {
        true => Ok(()),
        false => Err(org_not_found(namespace)),
    }
}

/// Every policy that a namespace had itself, the newest first, from the log. For members.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/policy/history", tag = "approvals", security(("token" = ["read"])),
    params(
        ("namespace" = String, Path, description = "an org, or what lies below one"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = PolicyHistoryResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn history(call: &Call, namespace: &Namespace) -> Result<Response> {
    let page = call.page()?;
    json(StatusCode::OK, &history_of(&call.app, &call.caller, namespace, page).await?)
}

/// One page of the policies that a namespace had itself, for its members.
pub async fn history_of(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    page: Page,
) -> Result<PolicyHistoryResponse> {
    must_be_member(caller, namespace)?;
    let (limit, offset) = (page.limit as i64, page.offset as i64);
    let (total, changes) = table::history(&app.db, namespace, limit, offset).await?;
    Ok(PolicyHistoryResponse { total, changes })
}

/// What is demanded in a namespace, by whom, and the groups that may be named there.
pub async fn policy_of(app: &App, namespace: &Namespace) -> Result<PolicyResponse> {
    let policies = table::policies(app.db.reader(), namespace).await?;
    let demanded = in_short(&policies);
    let groups = groups::around(app.db.reader(), namespace).await?;
    Ok(PolicyResponse { namespace: namespace.to_string(), demanded, policies, groups })
}

/// Demands approvals, signatures, or both of every version that is published in the namespace and below it from now on, in
/// place of what it demanded before. What waits already waits for these approvals.
#[utoipa::path(
    put, path = "/api/v1/orgs/{namespace}/policy", tag = "approvals", security(("token" = ["admin"])),
    request_body = PublishPolicy,
    params(("namespace" = String, Path, description = "an org, or what lies below one")),
    responses((status = 200, body = PolicyResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set(call: Call, namespace: &Namespace) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, policy) = call.json::<PublishPolicy>().await?;
    json(StatusCode::OK, &change(&app, &caller, namespace, policy, Seen::Any).await?)
}

/// What of the namespace itself whoever changes it has looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Whatever there is.
    Any,
    /// What this log entry has set; none where there was nothing.
    Entry(Option<u64>),
}

impl Seen {
    /// Refuses to change what somebody else has changed meanwhile: as things stand in this transaction.
    pub fn check(self, set: Option<u64>, what: &str) -> Result<()> {
        match self {
            Self::Entry(seen) if seen != set => {
                let detail = format!("somebody else has changed {what} meanwhile; look at it again");
                Err(Failure::new(ProblemCode::StatusConflict, detail))
            }
            _ => Ok(()),
        }
    }
}

/// Refuses what cannot be a policy.
pub fn check(policy: &PublishPolicy) -> Result<()> {
    policy.check().map_err(|error| invalid(error.field(), error.to_string()))
}

/// Demands something else in a namespace.
pub async fn change(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    policy: PublishPolicy,
    seen: Seen,
) -> Result<PolicyResponse> {
    let identity = (**caller.require_role(Scope::Admin, Role::Admin, namespace)?).clone();
    check(&policy)?;
    let place = namespace.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                orgs::find(tx.connection(), &place.org_key()).await?.ok_or_else(|| org_not_found(&place))?;
                let actor = still_admin(tx, identity, &place).await?;
                let set = table::policies(tx.connection(), &place).await?;
                let own = own(&set, &place);
                seen.check(own.map(|set| set.log_index), "the policy")?;
                if own.is_some_and(|set| set.policy == policy) {
                    return Ok(());
                }
                check_groups(tx, &place, &policy).await?;
                let event = Event::PolicySet { namespace: place.to_string(), policy: policy.clone() };
                let index = tx.append(Some(&actor), event);
                table::set_policy(tx, &place, &policy, index).await
            })
        })
        .await?;
    policy_of(app, namespace).await
}

/// Demands nothing any more. What waits needs one approval, of another person, as long as nothing above demands more.
#[utoipa::path(
    delete, path = "/api/v1/orgs/{namespace}/policy", tag = "approvals", security(("token" = ["admin"])),
    params(("namespace" = String, Path, description = "an org, or what lies below one")),
    responses(
        (status = 200, description = "what is demanded there now", body = PolicyResponse),
        (status = 404, description = "`policy-not-found`", body = Problem),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn remove(call: &Call, namespace: &Namespace) -> Result<Response> {
    json(StatusCode::OK, &drop_own(&call.app, &call.caller, namespace, Seen::Any).await?)
}

/// Demands nothing any more in a namespace itself.
pub async fn drop_own(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    seen: Seen,
) -> Result<PolicyResponse> {
    let identity = (**caller.require_role(Scope::Admin, Role::Admin, namespace)?).clone();
    let place = namespace.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let actor = still_admin(tx, identity, &place).await?;
                let set = table::policies(tx.connection(), &place).await?;
                let own = own(&set, &place);
                seen.check(own.map(|set| set.log_index), "the policy")?;
                if !table::remove_policy(tx, &place).await? {
                    let detail = format!("`{place}` demands nothing itself");
                    return Err(Failure::new(ProblemCode::PolicyNotFound, detail));
                }
                tx.append(Some(&actor), Event::PolicyRemoved { namespace: place.to_string() });
                Ok(())
            })
        })
        .await?;
    policy_of(app, namespace).await
}

/// A stage that asks for a group that is not there would be complete by nobody.
async fn check_groups(tx: &mut Tx, place: &Namespace, policy: &PublishPolicy) -> Result<()> {
    for group in policy.groups() {
        if groups::members(tx, place, group).await?.is_none() {
            let detail = format!("`{place}` has no group `{group}`; set it first");
            return Err(invalid("group", detail));
        }
    }
    Ok(())
}

/// The policy that the namespace has itself, of those in force there.
pub fn own<'a>(policies: &'a [PolicyInForce], namespace: &Namespace) -> Option<&'a PolicyInForce> {
    policies.iter().find(|set| is_of(&set.namespace, namespace))
}

/// Whether the policy or group of this place is one of the namespace itself.
pub fn is_of(name: &str, namespace: &Namespace) -> bool {
    key_of(name) == namespace.key()
}
