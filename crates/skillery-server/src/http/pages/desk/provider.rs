//! `GET /login/oidc` and `GET /login/oidc/callback`: signing in with an account elsewhere.

use axum::response::Response;
use skillery_core::token::Secret;

use super::super::form::local;
use super::super::frame::{Frame, see_other};
use super::super::{notice, session, sign_in};
use crate::failure::Result;
use crate::http::call::Call;
use crate::oidc::{self, Back};
use crate::origin;

/// Where it begins.
pub const BEGIN: &str = "/login/oidc";
/// Where the provider sends people back to.
pub const ARRIVAL: &str = "/login/oidc/callback";

/// Sends the browser to the provider.
pub async fn begin(call: &Call) -> Result<Response> {
    let next = call.parameter("next").filter(|next| local(next).is_some()).unwrap_or_else(|| "/".to_owned());
    let begun = oidc::begin(&call.app, format!("{}{ARRIVAL}", call.base()?), &next).await?;
    let mut response = see_other(&begun.address);
    let is_secure = session::is_secure(&call.app, &call.head);
    session::keep_away(&mut response, is_secure, Some((&begun.kept, begun.seconds)));
    Ok(response)
}

/// Signs in who comes back, in a new session. What went wrong stands above the other ways to sign in.
pub async fn arrive(call: &Call, frame: Frame) -> Result<Response> {
    let is_secure = session::is_secure(&call.app, &call.head);
    let mut response = match signed_in(call).await {
        Ok((secret, next)) => {
            let mut response = see_other(&notice::with(&next, "signed-in"));
            session::keep(&mut response, &call.app, is_secure, Some(&secret));
            response
        }
        Err(failure) if failure.problem.status < 500 => sign_in::refused(&call.app, frame, &failure)?,
        Err(failure) => return Err(failure),
    };
    session::keep_away(&mut response, is_secure, None);
    Ok(response)
}

async fn signed_in(call: &Call) -> Result<(Secret, String)> {
    origin::signs_in();
    let kept = session::away(&call.app, &call.head);
    let back = Back {
        state: call.parameter("state").unwrap_or_default(),
        code: call.parameter("code"),
        error: call.parameter("error"),
        error_description: call.parameter("error_description"),
        issuer: call.parameter("iss"),
    };
    let (person, next) = oidc::arrive(&call.app, kept.as_deref(), back).await?;
    let old = call.caller.identity().map(|old| &**old);
    Ok((session::begin_as(&call.app, person, old).await?, next))
}
