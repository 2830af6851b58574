//! `GET /api/v1/orgs/{namespace}/usage`

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::InstallsResponse;
use skillery_core::{Namespace, Problem, Role, Scope};

use crate::db::orgs;
use crate::failure::Result;
use crate::http::api::orgs::org_not_found;
use crate::http::call::{Call, json};
use crate::insight::{Only, Span, of_namespace};

/// How often the skills of a namespace and below it were installed. For those who have a role there, and so see all of them.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/usage", tag = "usage", security(("token" = ["read"])),
    params(
        ("namespace" = String, Path, description = "an org, or what lies below one"),
        ("by" = Option<String>, Query, description = "`day`, `week` or `month`; `day` when left out"),
        ("days" = Option<u32>, Query, description = "the last so many days, from a whole unit on; 28 when left out, at most 366 by `day`, else 3,660"),
        ("program" = Option<String>, Query, description = "this program alone; only where nothing is withheld: where `k` is 1, and from admins of the namespace"),
    ),
    responses((status = 200, body = InstallsResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn show(call: &Call, namespace: &Namespace) -> Result<Response> {
    let identity = call.caller.require(Scope::Read)?;
    let (span, only) = (Span::of(call)?, Only::of(call)?);
    let key = namespace.key();
    if !identity.acts_as(Role::Reader, &key)
        || orgs::find(call.app.db.reader(), &namespace.org_key()).await?.is_none()
    {
        return Err(org_not_found(namespace));
    }
    json(StatusCode::OK, &of_namespace(&call.app, &call.caller, namespace, span, only).await?)
}
