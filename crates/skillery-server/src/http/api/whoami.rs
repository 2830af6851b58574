//! `GET /api/v1/whoami`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::Problem;
use skillery_core::ProblemCode;
use skillery_core::api::{Membership, WhoAmI};

use crate::access::Caller;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, json};

/// The caller, the token of this request, and the roles that its user has. Any token may ask.
#[utoipa::path(
    get, path = "/api/v1/whoami", tag = "accounts", security(("token" = [])),
    responses((status = 200, body = WhoAmI), (status = "default", description = "a problem", body = Problem)),
)]
pub fn whoami(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &of(&call.caller)?)
}

/// Who this caller is.
pub fn of(caller: &Caller) -> Result<WhoAmI> {
    let identity = caller.identity().ok_or_else(|| Failure::new(ProblemCode::Unauthenticated, ""))?;
    let memberships = identity
        .roles
        .iter()
        .map(|(namespace, role)| Membership { namespace: namespace.clone(), role: *role })
        .collect();
    Ok(WhoAmI {
        user: identity.user.name.clone(),
        site_admin: identity.user.site_admin,
        token: identity.token.summary(&identity.user.name),
        memberships,
    })
}
