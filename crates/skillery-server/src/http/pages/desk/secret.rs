//! `GET` and `POST /orgs/{org}/signing-secret`

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::SigningSecretRequest;
use skillery_core::{Namespace, Role, Scope};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::notice;
use super::ask;
use super::namespace::Head;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::signing_secret as api;
use crate::http::call::Call;

#[derive(Template)]
#[template(path = "pages/desk/secret.html")]
struct SecretPage {
    frame: Frame,
    head: Head,
    tried: Tried,
}

/// Whether there is one. What it is, nobody is shown.
pub async fn show(call: &Call, frame: Frame, org: &Namespace) -> Result<Response> {
    render(&call.app, &call.caller, frame, org, (Tried::default(), StatusCode::OK)).await
}

async fn render(
    app: &App,
    caller: &Caller,
    frame: Frame,
    org: &Namespace,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let head = Head::of(app, caller, org, "secret").await?;
    let frame = frame.titled(format!("Signing secret of {org}")).part("orgs");
    with_status(status, &SecretPage { frame, head, tried })
}

/// Registers it, or removes it.
pub async fn change(call: Call, frame: Frame, org: &Namespace) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let path = format!("/orgs/{org}/signing-secret");
    if form.text("action") == "remove" {
        if !ask::is_answered(&form) {
            caller.require_role(Scope::Admin, Role::Admin, org)?;
            let text =
                "Signatures stay as they were published. Members get no secret to check them with any more.";
            let question = format!("Remove the signing secret of {org}?");
            return ask::ask(frame, &form, question, text, "Remove it", &path);
        }
        api::forget(app, caller, org).await?;
        return Ok(see_other(&notice::with(&path, "removed")));
    }
    if form.text("action") != "set" {
        return Err(form::unknown());
    }
    let request = SigningSecretRequest {
        secret: form.text("secret").into_owned(),
        only_if_none: !form.is_ticked("replace"),
    };
    match api::register(app, caller, org, request).await {
        Ok(()) => Ok(see_other(&notice::with(&path, "saved"))),
        Err(failure) => {
            let shown = Tried::new(&form, failure, "secret")?;
            render(app, caller, frame, org, shown).await
        }
    }
}
