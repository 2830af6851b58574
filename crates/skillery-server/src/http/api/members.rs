//! `/api/v1/orgs/{namespace}/members`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{Member, MembersResponse, SetMemberRequest};
use skillery_core::event::Event;
use skillery_core::{Namespace, Problem, ProblemCode, Role, Scope};

use super::orgs::org_not_found;
use super::users::user_not_found;
use crate::access::{Caller, Identity, check_bounds};
use crate::app::App;
use crate::db::{Tx, accounts, orgs};
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page, done, json};
use crate::origin;

/// Who has a role in a namespace, held there or in one above it. For members.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/members", tag = "orgs", security(("token" = ["read"])),
    params(
        ("namespace" = String, Path, description = "an org, or what lies below one"),
        ("limit" = Option<u32>, Query, description = "rows; 50 when left out, at most 200"),
        ("offset" = Option<u32>, Query, description = "rows to pass over"),
    ),
    responses((status = 200, body = MembersResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call, namespace: &Namespace) -> Result<Response> {
    json(StatusCode::OK, &of_namespace(&call.app, &call.caller, namespace, call.page()?).await?)
}

/// One page of who has a role in a namespace.
pub async fn of_namespace(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    page: Page,
) -> Result<MembersResponse> {
    let identity = caller.require(Scope::Read)?;
    if !identity.acts_as(Role::Reader, &namespace.key()) {
        return Err(org_not_found(namespace));
    }
    let (total, members) = orgs::members(&app.db, namespace, page.limit as i64, page.offset as i64).await?;
    Ok(MembersResponse { total, members })
}

/// Gives a user a role in a namespace. Admins give roles below their own, owners any.
#[utoipa::path(
    put, path = "/api/v1/orgs/{namespace}/members/{user}", tag = "orgs", security(("token" = ["admin"])),
    request_body = SetMemberRequest,
    params(("namespace" = String, Path, description = "an org, or what lies below one"), ("user" = String, Path, description = "the user's name")),
    responses((status = 200, body = Member), (status = 409, description = "`last-owner`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn set(call: Call, namespace: &Namespace, user: &str) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<SetMemberRequest>().await?;
    json(StatusCode::OK, &give(&app, &caller, namespace, user, request).await?)
}

/// Gives a user a role.
pub async fn give(
    app: &App,
    caller: &Caller,
    namespace: &Namespace,
    user: &str,
    request: SetMemberRequest,
) -> Result<Member> {
    let identity = caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    let (identity, namespace, user) = ((**identity).clone(), namespace.clone(), user.to_owned());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let (identity, target, before) = prepare(tx, identity, &namespace, &user).await?;
                check_rank(&identity, &namespace, before.max(Some(request.role)))?;
                keep_an_owner(tx, &namespace, before, Some(request.role)).await?;
                if before != Some(request.role) {
                    let event = Event::MemberSet {
                        namespace: namespace.to_string(),
                        user: target.id.clone(),
                        role: request.role,
                    };
                    let index = tx.append(Some(&identity.user.id), event);
                    orgs::set_member(tx, &namespace, &target.id, request.role, index).await?;
                }
                Ok(Member { user: target.name, namespace: namespace.key(), role: request.role })
            })
        })
        .await
}

/// Takes a user's own role in a namespace away. Members may leave by themselves.
#[utoipa::path(
    delete, path = "/api/v1/orgs/{namespace}/members/{user}", tag = "orgs", security(("token" = ["admin"])),
    params(("namespace" = String, Path, description = "an org, or what lies below one"), ("user" = String, Path, description = "the user's name")),
    responses((status = 204), (status = 409, description = "`last-owner`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn remove(call: &Call, namespace: &Namespace, user: &str) -> Result<Response> {
    take(&call.app, &call.caller, namespace, user).await?;
    Ok(done())
}

/// Takes a user's own role away.
pub async fn take(app: &App, caller: &Caller, namespace: &Namespace, user: &str) -> Result<()> {
    let identity = caller.require(Scope::Admin)?;
    let is_self = accounts::name_key(user) == accounts::name_key(&identity.user.name);
    if is_self {
        check_bounds(identity, &namespace.key())?;
    } else {
        caller.require_role(Scope::Admin, Role::Admin, namespace)?;
    }
    let (identity, namespace, user) = ((**identity).clone(), namespace.clone(), user.to_owned());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let (identity, target, before) = prepare(tx, identity, &namespace, &user).await?;
                if before.is_none() {
                    let detail = format!("`{}` has no role of its own in `{namespace}`", target.name);
                    return Err(Failure::new(ProblemCode::MemberNotFound, detail));
                }
                if target.id != identity.user.id {
                    check_rank(&identity, &namespace, before)?;
                }
                keep_an_owner(tx, &namespace, before, None).await?;
                orgs::remove_member(tx, &namespace, &target.id).await?;
                tx.append(
                    Some(&identity.user.id),
                    Event::MemberRemoved { namespace: namespace.to_string(), user: target.id },
                );
                Ok(())
            })
        })
        .await
}

/// The caller as things stand in this transaction, the user, and the user's own role so far.
async fn prepare(
    tx: &mut Tx,
    identity: Identity,
    namespace: &Namespace,
    user: &str,
) -> Result<(Identity, accounts::UserRow, Option<Role>)> {
    orgs::find(tx.connection(), &namespace.org_key()).await?.ok_or_else(|| org_not_found(namespace))?;
    let identity = identity.again(tx).await?;
    let target = accounts::user_by_name(tx.connection(), user).await?;
    let target = target.ok_or_else(|| user_not_found(user))?;
    let before = orgs::own_role(tx, namespace, &target.id).await?;
    Ok((identity, target, before))
}

/// Owners may change everybody, admins those below them.
fn check_rank(identity: &Identity, namespace: &Namespace, touched: Option<Role>) -> Result<()> {
    let held = identity.role_in(&namespace.key());
    let enough = match held {
        Some(Role::Owner) => true,
        Some(Role::Admin) => touched < Some(Role::Admin),
        _ => false,
    };
    if enough { Ok(()) } else { Err(crate::access::forbidden(Role::Owner, namespace.as_str())) }
}

async fn keep_an_owner(
    tx: &mut Tx,
    namespace: &Namespace,
    before: Option<Role>,
    after: Option<Role>,
) -> Result<()> {
    let loses_owner = before == Some(Role::Owner) && after != Some(Role::Owner);
    if loses_owner && namespace.depth() == 1 && orgs::owners(tx, &namespace.key()).await? <= 1 {
        origin::refused_in(namespace.as_str());
        return Err(Failure::new(ProblemCode::LastOwner, format!("`{namespace}` has one owner only")));
    }
    Ok(())
}
