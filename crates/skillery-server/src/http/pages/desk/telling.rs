//! `GET` and `POST /account/notifications/settings`: how one is told of what, and where mail goes.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{EmailResponse, PreferencesRequest, PreferencesResponse};
use skillery_core::time::Time;
use skillery_core::{MailMode, NotificationKind, Preference, Scope};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::{notice, show};
use super::ask;
use super::notifications::words;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::Result;
use crate::http::call::Call;
use crate::notify;
use crate::text::invalid;

const PATH: &str = "/account/notifications/settings";

struct Row {
    preference: Preference,
    title: &'static str,
    about: &'static str,
}

#[derive(Template)]
#[template(path = "pages/desk/telling.html")]
struct TellingPage {
    frame: Frame,
    tab: &'static str,
    rows: Vec<Row>,
    modes: &'static [MailMode],
    /// Where mail goes, for who may say so.
    email: Option<EmailResponse>,
    now: Time,
    tried: Tried,
}

impl TellingPage {
    fn was(&self, preference: &Preference) -> String {
        written(*preference)
    }

    fn mode(&self, mode: &MailMode) -> &'static str {
        match mode {
            MailMode::Off => "none",
            MailMode::Immediate => "at once",
            MailMode::Daily => "once a day",
            MailMode::Weekly => "once a week",
        }
    }
}

/// How the viewer is told.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    render(&call.app, &call.caller, frame, (Tried::default(), StatusCode::OK)).await
}

async fn render(
    app: &App,
    caller: &Caller,
    frame: Frame,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let PreferencesResponse { preferences, .. } = notify::preferences(app, caller).await?;
    let row = |preference: Preference| {
        let (title, about) = words(preference.kind);
        Row { preference, title, about }
    };
    let template = TellingPage {
        frame: frame.titled("How you are told").part("account"),
        tab: "telling",
        rows: preferences.into_iter().map(row).collect(),
        modes: MailMode::ALL,
        // Whether the token of the session may say where private things go.
        email: match caller.require_unbound(Scope::Admin).is_ok() {
            true => Some(notify::address(app, caller).await?),
            false => None,
        },
        now: app.environment.now(),
        tried,
    };
    with_status(status, &template)
}

/// Keeps preferences, or sets, confirms or removes the address.
pub async fn change(call: Call, frame: Frame) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let (outcome, field, done) = match &*form.text("action") {
        "preferences" => (keep(&form).await, "preferences", "saved"),
        "confirm" => (notify::confirm(app, caller, &form.text("code")).await.map(drop), "code", "confirmed"),
        "remove" => {
            if !ask::is_answered(&form) {
                caller.require(Scope::Admin)?;
                let text = "Nothing is mailed to you any more. It is told there that it was removed.";
                return ask::ask(frame, &form, "Remove your address?".to_owned(), text, "Remove it", PATH);
            }
            (notify::remove_address(app, caller).await, "address", "removed")
        }
        "address" => {
            let set = notify::set_address(app, caller, form.text("address").trim()).await;
            // Nothing is mailed to whoever names the one that there is.
            let is_there = set.as_ref().is_ok_and(|set| set.pending.is_none() && set.confirmed_at.is_some());
            (set.map(drop), "address", if is_there { "address-kept" } else { "code-mailed" })
        }
        _ => return Err(form::unknown()),
    };
    match outcome {
        Ok(()) => Ok(see_other(&notice::with(PATH, done))),
        Err(failure) => {
            let shown = Tried::new(&form, failure, field)?;
            render(app, caller, frame, shown).await
        }
    }
}

/// A preference as a form says how it was when it was shown.
fn written(preference: Preference) -> String {
    format!("{} {} {}", preference.page, preference.mail, preference.webhook)
}

/// Keeps how the viewer is told of the kinds that the form had, where that has changed.
async fn keep(form: &Form) -> Result<()> {
    let before = notify::preferences(&form.app, &form.caller).await?.preferences;
    let mut preferences = Vec::new();
    for name in form.all("kinds") {
        let kind: NotificationKind = name.parse().map_err(|error: String| invalid("preferences", error))?;
        let mail = form.text(&format!("mail-{name}"));
        let mail: MailMode = mail.parse().map_err(|error: String| invalid("preferences", error))?;
        let is_ticked = |what: &str| form.is_ticked(&format!("{what}-{name}"));
        let preference = Preference { kind, page: is_ticked("page"), mail, webhook: is_ticked("webhook") };
        // An older page does not undo what was changed since it was shown.
        let shown = form.filled(&format!("was-{name}"));
        let is_changed = shown.is_none_or(|shown| shown != written(preference));
        if is_changed && !before.contains(&preference) {
            preferences.push(preference);
        }
    }
    notify::set_preferences(&form.app, &form.caller, PreferencesRequest { preferences }).await.map(drop)
}
