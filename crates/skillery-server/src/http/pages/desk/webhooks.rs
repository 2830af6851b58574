//! `GET` and `POST` of `/account/webhooks` and `/orgs/{namespace}/webhooks`, and of each webhook there.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use skillery_core::api::{
    CreateWebhookRequest, CreateWebhookResponse, DeliveriesResponse, Delivery, DeliveryState,
    RedeliverRequest, UpdateWebhookRequest, Webhook,
};
use skillery_core::time::Time;
use skillery_core::{Namespace, NotificationKind, ProblemCode};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Fit, Pager, Pages, first, with_before};
use super::super::{notice, said, show};
use super::ask;
use super::notifications::words;
use super::room::Room;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::http::call::{Call, Page};
use crate::notify::{self, host};
use crate::text::invalid;

/// Characters that the list shows of an address.
const ADDRESS: usize = 300;
/// The same of what was answered to a delivery.
const ANSWER: usize = 160;
/// Bytes of HTML that a delivery has without its answer, and with the form that sends it again besides, without the path of the page.
const ROW: usize = 500;
const AGAIN: usize = 320;
/// How often the path of the page stands around its list, at most nearly.
const PATHS: usize = 16;

const TAB: &str = "webhooks";
const ELSEWHERE: &str = "account";

fn kinds() -> Vec<(NotificationKind, &'static str)> {
    NotificationKind::ALL.iter().map(|kind| (*kind, words(*kind).0)).collect()
}

#[derive(Template)]
#[template(path = "pages/desk/webhooks.html")]
struct WebhooksPage {
    frame: Frame,
    room: Room,
    webhooks: Vec<Webhook>,
    kinds: Vec<(NotificationKind, &'static str)>,
    /// The one that was made just now. Its secret is shown this once.
    made: Option<CreateWebhookResponse>,
    now: Time,
    tried: Tried,
}

/// The viewer's own, or those of a namespace.
pub async fn show(call: &Call, frame: Frame, namespace: Option<Namespace>) -> Result<Response> {
    list(&call.app, &call.caller, frame, namespace.as_ref(), Shown::default()).await
}

#[derive(Default)]
struct Shown {
    made: Option<CreateWebhookResponse>,
    tried: Tried,
    status: StatusCode,
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    namespace: Option<&Namespace>,
    shown: Shown,
) -> Result<Response> {
    let room = Room::of(app, caller, namespace, TAB, ELSEWHERE).await?;
    let webhooks = notify::all(app, caller, namespace).await?.webhooks;
    let template = WebhooksPage {
        frame: frame.titled(room.title("Webhooks", "Your webhooks")).part(room.part()),
        room,
        webhooks,
        kinds: kinds(),
        made: shown.made,
        now: app.environment.now(),
        tried: shown.tried,
    };
    let mut response = with_status(shown.status, &template)?;
    if template.made.is_some() {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Which kinds were ticked; none stands for all.
fn ticked(form: &Form) -> Result<Vec<NotificationKind>> {
    form.all("kinds").map(|kind| kind.parse().map_err(|error: String| invalid("kinds", error))).collect()
}

/// Adds one.
pub async fn add(call: Call, frame: Frame, namespace: Option<Namespace>) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    // Who may not know of the namespace is told nothing of it.
    Room::of(app, caller, namespace.as_ref(), TAB, ELSEWHERE).await?;
    if form.text("action") != "add" {
        return Err(form::unknown());
    }
    let outcome = match ticked(&form) {
        Ok(kinds) => {
            let url = form.text("url").trim().to_owned();
            notify::add(app, caller, CreateWebhookRequest { url, namespace: namespace.clone(), kinds }).await
        }
        Err(failure) => Err(failure),
    };
    let shown = match outcome {
        Ok(made) => Shown { made: Some(made), ..Shown::default() },
        Err(failure) => {
            let (tried, status) = Tried::beside(&form, failure, "url")?;
            Shown { tried, status, made: None }
        }
    };
    list(app, caller, frame, namespace.as_ref(), shown).await
}

#[derive(Template)]
#[template(path = "pages/desk/webhook.html")]
struct WebhookPage {
    frame: Frame,
    room: Room,
    hook: Webhook,
    host: String,
    /// Where the page is.
    path: String,
    kinds: Vec<(NotificationKind, &'static str)>,
    deliveries: DeliveriesResponse,
    pager: Pager,
    /// Which of them are shown: a state, or empty.
    state: String,
    /// How many are dead.
    dead: u64,
    now: Time,
    tried: Tried,
}

impl WebhookPage {
    /// What the deliveries are of, in plain words.
    fn kind(&self, kind: &str) -> String {
        kind.parse::<NotificationKind>().map_or_else(|_| "Test".to_owned(), |kind| words(kind).0.to_owned())
    }

    fn is_state(&self, word: &str) -> bool {
        self.state == word
    }

    /// What is shown of an answer.
    fn answer(&self, error: &str) -> String {
        answer(error)
    }

    /// Whether one may be sent again.
    fn may_go_again(&self, one: &Delivery) -> bool {
        may_go_again(&self.hook, one)
    }

    /// How often one was tried.
    fn attempts(&self, one: &Delivery) -> String {
        show::plural(i64::from(one.attempts), "time", "times")
    }

    /// In how long something is tried again.
    fn until(&self, next: &Time) -> String {
        let seconds = (next.micros() - self.now.micros()).max(0) / 1_000_000;
        match seconds {
            0..=59 => "in a moment".to_owned(),
            60..=3_599 => format!("in {} min", seconds / 60),
            _ => format!("in {} h", seconds / 3_600),
        }
    }

    fn url(&self) -> &str {
        let typed = self.tried.typed("edit", "url");
        if typed.is_empty() { &self.hook.url } else { typed }
    }

    /// As of when the page shows it.
    fn seen(&self) -> i64 {
        self.hook.changed_at.map_or(0, Time::micros)
    }

    fn is_chosen(&self, kind: &NotificationKind) -> bool {
        self.tried.chose("edit", "kinds", kind.as_str(), self.hook.kinds.contains(kind))
    }

    /// The states, each with the word of its link.
    fn states(&self) -> [(&'static str, &'static str); 4] {
        [("", "All"), ("waiting", "Waiting"), ("done", "Delivered"), ("dead", "Dead")]
    }
}

/// What the list shows of what was answered, or of why nothing was.
fn answer(error: &str) -> String {
    show::clipped(error, ANSWER)
}

/// Whether this may be sent to a webhook again: it waits for nothing, and neither does the webhook.
fn may_go_again(hook: &Webhook, one: &Delivery) -> bool {
    one.state != DeliveryState::Waiting && hook.disabled_at.is_none()
}

/// One of them, with what was and is sent to it.
pub async fn one(call: &Call, frame: Frame, namespace: Option<Namespace>, id: &str) -> Result<Response> {
    let state = call.parsed("state")?;
    let at = At { namespace: namespace.as_ref(), id, state, rows: call.page()? };
    render(&call.app, &call.caller, frame, at, (Tried::default(), StatusCode::OK)).await
}

/// Which webhook is shown, and which of its deliveries.
struct At<'a> {
    namespace: Option<&'a Namespace>,
    id: &'a str,
    state: Option<DeliveryState>,
    rows: Page,
}

/// The webhook, where it is one of this room.
async fn found(app: &App, caller: &Caller, namespace: Option<&Namespace>, id: &str) -> Result<Webhook> {
    let hook = notify::one(app, caller, id).await?;
    if hook.namespace != namespace.map(Namespace::key) {
        return Err(Failure::new(ProblemCode::WebhookNotFound, ""));
    }
    Ok(hook)
}

async fn render(
    app: &App,
    caller: &Caller,
    frame: Frame,
    at: At<'_>,
    (tried, status): (Tried, StatusCode),
) -> Result<Response> {
    let room = Room::of(app, caller, at.namespace, TAB, ELSEWHERE).await?;
    let hook = found(app, caller, at.namespace, at.id).await?;
    let known = with_before(at.rows);
    let mut deliveries = notify::deliveries(app, caller, at.id, at.state, known.limit, known.offset).await?;
    let dead = notify::deliveries(app, caller, at.id, Some(DeliveryState::Dead), 0, 0).await?.total;
    let path = format!("{}/{}", room.path, at.id);
    let state = at.state.map(|state| state.to_string()).unwrap_or_default();
    // Where the webhook leads stands above the list, and in the form that changes it.
    let around = tried.weight() + 2 * show::weight(&hook.url) + PATHS * path.len();
    let part = (deliveries.deliveries.as_slice(), known, deliveries.total);
    let fit = Fit::of_part(part, at.rows, said::ROOM.saturating_sub(around), |one| {
        let again = if may_go_again(&hook, one) { AGAIN + path.len() } else { 0 };
        ROW + again + show::weight(&answer(one.error.as_deref().unwrap_or_default()))
    });
    fit.cut(&mut deliveries.deliveries);
    let host = host(&hook.url);
    let template = WebhookPage {
        frame: frame.titled(format!("Webhook to {host}")).part(room.part()),
        pager: fit.pager(&Pages::of(app, &path, &[("state", &state)]), at.rows.limit),
        room,
        hook,
        host,
        path,
        kinds: kinds(),
        deliveries,
        state,
        dead,
        now: app.environment.now(),
        tried,
    };
    with_status(status, &template)
}

/// Changes where one leads, and what it is told of, where it is still as the form has shown it.
async fn edit(form: &Form, id: &str) -> Result<()> {
    let seen = match form.filled("seen") {
        Some(text) => Some(text.parse().map_err(|_| invalid("url", "the form is none of this page"))?),
        None => None,
    };
    let request = UpdateWebhookRequest {
        url: Some(form.text("url").trim().to_owned()),
        kinds: Some(ticked(form)?),
        enabled: None,
    };
    notify::update(&form.app, &form.caller, id, request, seen.map(Time::from_micros)).await.map(drop)
}

/// Tries, changes or removes one, or sends something again.
pub async fn change(call: Call, frame: Frame, namespace: Option<Namespace>, id: &str) -> Result<Response> {
    let form = Form::read(call).await?;
    let (app, caller) = (&form.app, &form.caller);
    let room = Room::of(app, caller, namespace.as_ref(), TAB, ELSEWHERE).await?;
    let hook = found(app, caller, namespace.as_ref(), id).await?;
    let path = format!("{}/{id}", room.path);
    let (outcome, done) = match &*form.text("action") {
        "test" => (notify::test(app, caller, id).await.map(drop), "tested"),
        "again" => {
            let request = RedeliverRequest { delivery: form.filled("delivery") };
            let sent = notify::redeliver(app, caller, id, request).await.map(|sent| sent.redelivered);
            let word = if sent.as_ref().is_ok_and(|sent| *sent == 0) { "nothing-dead" } else { "again" };
            (sent.map(drop), word)
        }
        "on" | "off" => {
            let enabled = Some(form.text("action") == "on");
            let request = UpdateWebhookRequest { enabled, ..UpdateWebhookRequest::default() };
            (notify::update(app, caller, id, request, None).await.map(drop), "saved")
        }
        "remove" => {
            if !ask::is_answered(&form) {
                let question = format!("Remove the webhook to {}?", host(&hook.url));
                let text = "What waits for it is not sent, and its secret is gone.";
                return ask::ask(frame, &form, question, text, "Remove it", &path);
            }
            notify::remove(app, caller, id).await?;
            return Ok(see_other(&notice::with(&room.path, "removed")));
        }
        "edit" => (edit(&form, id).await, "saved"),
        _ => return Err(form::unknown()),
    };
    match outcome {
        Ok(()) => Ok(see_other(&notice::with(&path, done))),
        Err(failure) => {
            let shown = Tried::beside(&form, failure, "url")?;
            let at = At { namespace: namespace.as_ref(), id, state: None, rows: first(app) };
            render(app, caller, frame, at, shown).await
        }
    }
}
