//! `GET` and `POST /login`, `POST /logout`, `POST /theme`
//!
//! Two ways: with a token, or with a link that works once and that somebody got who had shown a token (`skillery open`).

use askama::Template;
use axum::response::Response;
use skillery_core::ProblemCode;
use skillery_core::token::Secret;

use super::form::{Form, local};
use super::frame::{Frame, see_other, with_status};
use super::{notice, session};
use crate::access::Identity;
use crate::app::App;
use crate::db::login_links;
use crate::failure::{Failure, Result};
use crate::http::call::Call;
use crate::http::middleware::authenticate;
use crate::oidc::LoginProvider;
use crate::origin;

/// Signing in.
pub const LOGIN: &str = "/login";
/// Signing out.
pub const LOGOUT: &str = "/logout";
/// Light or dark.
pub const THEME: &str = "/theme";
/// What is said of a link that signs nobody in any more.
const USED: &str = "This link was used before, or is too old. Get another one with `skillery open`.";

#[derive(Template)]
#[template(path = "pages/login.html")]
struct LoginPage {
    frame: Frame,
    next: String,
    /// Of a link: the code, and whose it is.
    link: Option<(String, String)>,
    /// Why it did not work.
    refused: Option<String>,
    /// What people call the provider where they can sign in, too.
    provider: Option<String>,
}

fn provider(app: &App) -> Option<String> {
    app.settings.oidc_login.as_ref().map(LoginProvider::title)
}

fn sentence(failure: &Failure) -> String {
    let problem = &failure.problem;
    let why = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
    format!("{}.", why.trim_end_matches('.'))
}

/// The page where one signs in, with why it did not work.
pub fn refused(app: &App, frame: Frame, failure: &Failure) -> Result<Response> {
    let mut frame = frame.titled("Sign in").part("login");
    // What stands in the address is used up.
    frame.here = LOGIN.to_owned();
    render(app, frame, "/".to_owned(), failure)
}

/// The page with why it did not work, for people and for the audit.
fn render(app: &App, frame: Frame, next: String, failure: &Failure) -> Result<Response> {
    let (refused, provider) = (Some(sentence(failure)), provider(app));
    let page = LoginPage { frame, next, link: None, refused, provider };
    let mut response = with_status(axum::http::StatusCode::UNPROCESSABLE_ENTITY, &page)?;
    response.extensions_mut().insert(failure.code());
    Ok(response)
}

/// Where one signs in.
pub async fn show(call: &Call, frame: Frame) -> Result<Response> {
    let frame = frame.titled("Sign in").part("login");
    let next = call.parameter("next").filter(|next| local(next).is_some()).unwrap_or_else(|| "/".to_owned());
    let (mut link, mut refused) = (None, None);
    if let Some(code) = call.parameter("code") {
        match login_links::find(call.app.db.reader(), &Secret::new(code.as_str()).hash()).await? {
            Some(found) if found.expires_at > call.app.environment.now() => link = Some((code, found.user)),
            _ => refused = Some(USED.to_owned()),
        }
    }
    let provider = provider(&call.app);
    with_status(axum::http::StatusCode::OK, &LoginPage { frame, next, link, refused, provider })
}

/// Signs in. What is shown is looked at as a token of the API is, and a session made that can do no more.
pub async fn sign_in(call: Call, frame: Frame) -> Result<Response> {
    let is_secure = session::is_secure(&call.app, &call.head);
    let form = Form::of_anybody(call).await?;
    let next = form.next("/");
    let secret = match begin(&form).await {
        Ok(secret) => secret,
        Err(failure) if failure.problem.status < 500 => {
            return render(&form.app, frame.titled("Sign in").part("login"), next, &failure);
        }
        Err(failure) => return Err(failure),
    };
    let mut response = see_other(&notice::with(&next, "signed-in"));
    session::keep(&mut response, &form.app, is_secure, Some(&secret));
    Ok(response)
}

async fn begin(form: &Form) -> Result<Secret> {
    origin::signs_in();
    let identity = match form.filled("code") {
        Some(code) => used_link(form, &Secret::new(code)).await?,
        None => shown_token(form).await?,
    };
    session::begin(&form.app, &identity, form.caller.identity().map(|old| &**old)).await
}

async fn shown_token(form: &Form) -> Result<Identity> {
    let token = form.filled("token").ok_or_else(|| Failure::new(ProblemCode::InvalidToken, ""))?;
    let caller = authenticate(&form.app, &Secret::new(token)).await?;
    let identity = caller.identity().ok_or_else(|| Failure::new(ProblemCode::InvalidToken, ""))?;
    Ok((**identity).clone())
}

/// Whoever has the link is whom the token is of that it was made with.
async fn used_link(form: &Form, code: &Secret) -> Result<Identity> {
    let hash = code.hash();
    let used =
        form.app.db.write(move |tx| Box::pin(async move { login_links::take(tx, &hash).await })).await?;
    let identity = used.ok_or_else(|| Failure::new(ProblemCode::LoginRefused, USED))?;
    // It is the token's doing that the link was made with.
    origin::shown(&identity);
    Ok(identity)
}

/// Signs out, here and for whoever has the cookie.
pub async fn sign_out(call: Call) -> Result<Response> {
    let is_secure = session::is_secure(&call.app, &call.head);
    let form = Form::of_anybody(call).await?;
    if let Some(identity) = form.caller.identity().filter(|identity| identity.token.is_session()) {
        session::end(&form.app, identity).await?;
    }
    Ok(signed_out(&form.app, is_secure))
}

/// Takes the session from a browser, and leads it to where that is said.
pub fn signed_out(app: &App, is_secure: bool) -> Response {
    // Where only those are answered who are signed in, every other page leads to this one, and the notice would be lost.
    let next = if app.settings.anonymous_reads { "/" } else { LOGIN };
    let mut response = see_other(&notice::with(next, "signed-out"));
    session::keep(&mut response, app, is_secure, None);
    response
}

/// Remembers light or dark in this browser.
pub async fn set_theme(call: Call) -> Result<Response> {
    let form = Form::of_anybody(call).await?;
    let mut response = see_other(&form.next("/"));
    session::keep_theme(&mut response, &form.text("theme"));
    Ok(response)
}
