//! `GET` and `POST /account/tokens`

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use skillery_core::api::{CreateTokenRequest, CreateTokenResponse, TokenSummary, TokensResponse};
use skillery_core::time::Time;
use skillery_core::{ProblemCode, Scope};

use super::super::form::{self, Form};
use super::super::frame::{Frame, see_other, with_status};
use super::super::pager::{Fit, Pager, Pages, first, with_before};
use super::super::{notice, said, session, show, sign_in};
use super::ask;
use super::tried::Tried;
use crate::access::Caller;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::http::api::tokens as api;
use crate::http::call::{Call, Page};
use crate::text::invalid;

const PATH: &str = "/account/tokens";
/// Characters that are shown of a label, and of the namespaces that a token is bound to.
const LABEL: usize = 120;
const NAMESPACES: usize = 300;
/// Bytes of HTML that a row has without these.
const ROW: usize = 1_000;

#[derive(Template)]
#[template(path = "pages/desk/tokens.html")]
struct TokensPage {
    frame: Frame,
    tab: &'static str,
    /// Whose they are, where they are somebody else's.
    user: Option<String>,
    tokens: TokensResponse,
    pager: Pager,
    /// The id of the token of this session.
    own: String,
    /// What a new token may do at most; nothing where none may be made.
    scopes: Vec<Scope>,
    days: u32,
    most_days: u32,
    now: Time,
    /// The one that was made just now. It is shown this once.
    made: Option<CreateTokenResponse>,
    tried: Tried,
}

impl TokensPage {
    fn label(&self, token: &TokenSummary) -> String {
        label(token)
    }

    fn namespaces(&self, token: &TokenSummary) -> String {
        namespaces(token)
    }
}

/// What is shown besides the list.
#[derive(Default)]
struct Shown {
    made: Option<CreateTokenResponse>,
    tried: Tried,
    status: StatusCode,
}

/// The viewer's tokens; an admin of the registry may look at somebody else's.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let user = call.parameter("user");
    list(&call.app, &call.caller, frame, user, call.page()?, Shown::default()).await
}

/// The label of a token as the list shows it.
fn label(token: &TokenSummary) -> String {
    show::clipped(&token.label, LABEL)
}

/// The same of the namespaces that it is bound to.
fn namespaces(token: &TokenSummary) -> String {
    show::clipped(&token.namespaces.join(", "), NAMESPACES)
}

async fn list(
    app: &App,
    caller: &Caller,
    frame: Frame,
    user: Option<String>,
    rows: Page,
    shown: Shown,
) -> Result<Response> {
    let known = with_before(rows);
    let mut tokens = api::of_user(app, caller, user.clone(), known).await?;
    let room = said::ROOM.saturating_sub(shown.tried.weight());
    let fit = Fit::of_part((&tokens.tokens, known, tokens.total), rows, room, |token| {
        ROW + 2 * show::weight(&label(token)) + show::weight(&namespaces(token))
    });
    fit.cut(&mut tokens.tokens);
    let identity = caller.require(Scope::Read)?;
    let scopes = if identity.has(Scope::Admin) { identity.token.scopes.clone() } else { Vec::new() };
    let query = [("user", user.as_deref().unwrap_or_default())];
    let limits = &app.settings.limits;
    let template = TokensPage {
        frame: frame.titled("Tokens").part("account"),
        tab: "tokens",
        pager: fit.pager(&Pages::of(app, PATH, &query), rows.limit),
        user,
        tokens,
        own: identity.token.id.clone(),
        scopes,
        days: limits.default_token_days,
        most_days: limits.token_days,
        now: app.environment.now(),
        made: shown.made,
        tried: shown.tried,
    };
    let mut response = with_status(shown.status, &template)?;
    if template.made.is_some() {
        response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    Ok(response)
}

/// Makes a token, or revokes one.
pub async fn change(call: Call, frame: Frame) -> Result<Response> {
    let is_secure = session::is_secure(&call.app, &call.head);
    let form = Form::read(call).await?;
    let user = form.filled("user");
    match &*form.text("action") {
        "create" => {}
        "revoke" => return revoke(&form, frame, is_secure, user.as_deref()).await,
        _ => return Err(form::unknown()),
    }
    let outcome = match request(&form) {
        Ok(request) => api::make(&form.app, &form.caller, request).await,
        Err(failure) => {
            form.caller.require(Scope::Admin)?;
            Err(failure)
        }
    };
    let shown = match outcome {
        Ok(made) => Shown { made: Some(made), ..Shown::default() },
        Err(failure) => {
            let otherwise = match failure.code() {
                ProblemCode::InvalidId => "namespaces",
                _ => "label",
            };
            let (tried, status) = Tried::beside(&form, failure, otherwise)?;
            Shown { tried, status, made: None }
        }
    };
    list(&form.app, &form.caller, frame, user, first(&form.app), shown).await
}

fn request(form: &Form) -> Result<CreateTokenRequest> {
    let scopes =
        form.all("scopes").map(|scope| scope.parse().map_err(|error: String| invalid("scopes", error)));
    let days = form.filled("expires_in_days").map(|days| {
        days.parse().map_err(|_| invalid("expires_in_days", "the number of days is no whole number"))
    });
    let namespaces = form.text("namespaces");
    let namespaces = namespaces.split([',', ' ', '\n']).filter(|name| !name.is_empty());
    Ok(CreateTokenRequest {
        label: form.text("label").into_owned(),
        scopes: scopes.collect::<Result<_>>()?,
        namespaces: namespaces.map(str::to_owned).collect(),
        expires_in_days: days.transpose()?,
        user: form.filled("user"),
        service: form.is_ticked("service"),
    })
}

async fn revoke(form: &Form, frame: Frame, is_secure: bool, user: Option<&str>) -> Result<Response> {
    let identity = form.caller.identity().ok_or_else(|| Failure::new(ProblemCode::Unauthenticated, ""))?;
    let id = form.text("token");
    let is_own = identity.token.id == id;
    let back = match user {
        Some(user) => format!("{PATH}?user={}", super::super::place::encoded(user)),
        None => PATH.to_owned(),
    };
    if !ask::is_answered(form) {
        if !is_own {
            form.caller.require(Scope::Admin)?;
        }
        let text = match is_own {
            true => "It is the session of this browser: you are signed out.",
            false => {
                "Whoever uses it is refused from then on, and so are browsers that were signed in with it."
            }
        };
        return ask::ask(frame, form, "Revoke this token?".to_owned(), text, "Revoke", &back);
    }
    api::end(&form.app, &form.caller, &id).await?;
    if is_own {
        return Ok(sign_in::signed_out(&form.app, is_secure));
    }
    Ok(see_other(&notice::with(&back, "token-revoked")))
}
