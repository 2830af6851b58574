//! `GET` and `POST /account/keys`: keys to sign with, one's own or those that certify the keys of an org's members.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ChallengeRequest, EnrolRequest, KeySummary};
use skillery_core::sign::sshsig::ENROLL_NAMESPACE;
use skillery_core::time::Time;
use skillery_core::{Namespace, Role, Scope};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Fit, Pager, Pages, first};
use super::super::{notice, said, show};
use super::ask;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::api::keys as api;
use crate::http::call::{Call, Page};
use crate::text::invalid;

const PATH: &str = "/account/keys";
/// Characters that are shown of a label.
const LABEL: usize = 120;
/// Bytes of HTML that a row has without it, and without the names of an org and of a kind of key.
const ROW: usize = 1_000;

/// What is to be signed to show that one has a key.
struct Step {
    public_key: String,
    label: String,
    challenge: String,
    /// The line that signs it.
    command: String,
}

#[derive(Template)]
#[template(path = "pages/desk/keys.html")]
struct KeysPage {
    frame: Frame,
    tab: &'static str,
    /// The org whose authorities they are, where they are that.
    org: Option<Namespace>,
    keys: Vec<KeySummary>,
    pager: Pager,
    /// Whether the token may change keys at all, and whether the viewer may change these with it.
    has_scope: bool,
    may_change: bool,
    step: Option<Step>,
    now: Time,
    tried: Tried,
}

/// What is shown besides the list.
#[derive(Default)]
struct Shown {
    step: Option<Step>,
    tried: Tried,
    status: StatusCode,
}

/// The viewer's keys, or an org's.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let org = call.parsed::<Namespace>("org")?;
    list(&call.app, &call.caller, frame, org, call.page()?, Shown::default()).await
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    org: Option<Namespace>,
    rows: Page,
    shown: Shown,
) -> Result<Response> {
    let mut keys = api::held(app, caller, org.as_ref()).await?.keys;
    let room = said::ROOM.saturating_sub(shown.tried.weight());
    let name = org.as_ref().map_or_else(String::new, Namespace::to_string);
    let fit =
        Fit::of(&keys, rows, room, |key| ROW + name.len() + show::weight(&show::clipped(&key.label, LABEL)));
    fit.cut(&mut keys);
    let has_scope = caller.require(Scope::Admin).is_ok();
    let template = KeysPage {
        frame: frame.titled("Keys").part("account"),
        tab: "keys",
        has_scope,
        may_change: match &org {
            // What lies below an org has the authorities of the org.
            Some(org) => org.depth() == 1 && caller.require_role(Scope::Admin, Role::Admin, org).is_ok(),
            None => has_scope,
        },
        pager: fit.pager(&Pages::of(app, PATH, &[("org", &name)]), rows.limit),
        org,
        keys,
        step: shown.step,
        now: app.environment.now(),
        tried: shown.tried,
    };
    with_status(shown.status, &template)
}

/// Begins to enrol a key, enrols it, or revokes one.
pub async fn change(call: Call, frame: Frame) -> Result<Response> {
    let form = Form::read(call).await?;
    form.caller.require(Scope::Admin)?;
    let org = form.filled("org").map(|org| org.parse::<Namespace>()).transpose();
    let org = org.map_err(|error| invalid("org", error.to_string()))?;
    let path = org.as_ref().map_or_else(|| PATH.to_owned(), |org| format!("{PATH}?org={org}"));
    let (app, caller) = (&form.app, &form.caller);
    match &*form.text("action") {
        "revoke" => {
            let key = form.text("key");
            if !ask::is_answered(&form) {
                let text = "What it has signed stays signed. What it signs from then on counts no more, and the key \
                            cannot be enrolled again.";
                return ask::ask(frame, &form, format!("Revoke the key {key}?"), text, "Revoke", &path);
            }
            api::end(app, caller, &key).await?;
            Ok(see_other(&notice::with(&path, "key-revoked")))
        }
        "enrol" => {
            let request = EnrolRequest {
                public_key: form.text("public_key").into_owned(),
                challenge: form.text("challenge").into_owned(),
                signature: form.text("signature").trim().to_owned() + "\n",
                label: form.text("label").trim().to_owned(),
                org: org.as_ref().map(Namespace::to_string),
            };
            match api::add(app, caller, request).await {
                Ok(_) => Ok(see_other(&notice::with(&path, "key-enrolled"))),
                Err(failure) => {
                    let (tried, status) = Tried::beside(&form, failure, "signature")?;
                    let step = Some(step(&form, form.text("challenge").into_owned()));
                    list(app, caller, frame, org, first(app), Shown { step, tried, status }).await
                }
            }
        }
        "challenge" => {
            let shown = match begin(&form) {
                Ok(challenge) => Shown { step: Some(step(&form, challenge)), ..Shown::default() },
                Err(failure) => {
                    let (tried, status) = Tried::beside(&form, failure, "public_key")?;
                    Shown { tried, status, step: None }
                }
            };
            list(app, caller, frame, org, first(app), shown).await
        }
        _ => Err(form::unknown()),
    }
}

fn begin(form: &Form) -> Result<String> {
    let public_key = form.text("public_key").trim().to_owned();
    if public_key.contains("PRIVATE KEY") {
        return Err(invalid(
            "public_key",
            "this is a private key: it stays on your machine. The public one ends in `.pub`",
        ));
    }
    if public_key.contains("-----BEGIN") {
        return Err(invalid(
            "public_key",
            "a key in PEM is enrolled with `skillery key enrol`, as it makes bundles",
        ));
    }
    Ok(api::begin(&form.app, &form.caller, &ChallengeRequest { public_key })?.challenge)
}

fn step(form: &Form, challenge: String) -> Step {
    let quoted = challenge.replace('\'', r"'\''");
    Step {
        command: format!(
            "printf %s '{quoted}' | ssh-keygen -Y sign -n {ENROLL_NAMESPACE} -f ~/.ssh/id_ed25519"
        ),
        public_key: form.text("public_key").trim().to_owned(),
        label: form.text("label").trim().to_owned(),
        challenge,
    }
}
