//! Being signed in with a browser.
//!
//! A session is a token as any other, for some days and with no more rights than what it was made by, that lies in a
//! cookie. Cookies count for pages only: nothing below `/api` takes one, so that no other site can make a browser call
//! it. Each sign-in makes a new one.

use axum::http::header::{COOKIE, HeaderValue, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use skillery_core::limits::MAX_TOKEN_LENGTH;
use skillery_core::time::{DAY_SECONDS, Time};
use skillery_core::token::{self, Secret, TokenKind};
use skillery_core::{Digest, ProblemCode};

use crate::access::Identity;
use crate::app::App;
use crate::db::Tx;
use crate::db::accounts::{self, TokenRow};
use crate::failure::{Failure, Result};
use crate::http::call::base;
use crate::oidc::Arrived;

/// What tells tokens of sessions from others in a list.
pub const LABEL: &str = "browser";

const PLAIN: &str = "skillery-session";
/// Browsers take a cookie of this name only over TLS, for the whole site, and from the site itself.
const SECURE: &str = "__Host-skillery-session";
const THEME: &str = "skillery-theme";
/// What is kept of a signing in with an account elsewhere, while the person is there.
const AWAY: &str = "skillery-sign-in";
const SECURE_AWAY: &str = "__Host-skillery-sign-in";

fn cookie<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let pairs =
        headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// The token in the cookie of a browser. One cookie is looked at and no other: over TLS, whoever has a part of the site's
/// name could set one of the plain name. Only sessions lie in cookies.
pub fn token(app: &App, head: &Parts) -> Option<Secret> {
    let headers = &head.headers;
    if !headers.contains_key(COOKIE) {
        return None;
    }
    let is_session = |value: &&str| value.starts_with("sky_web_") && value.len() <= MAX_TOKEN_LENGTH;
    cookie(headers, if is_secure(app, head) { SECURE } else { PLAIN }).filter(is_session).map(Secret::new)
}

/// What the browser keeps of a signing in with an account elsewhere.
pub fn away(app: &App, head: &Parts) -> Option<String> {
    cookie(&head.headers, if is_secure(app, head) { SECURE_AWAY } else { AWAY }).map(str::to_owned)
}

/// Gives the browser that to keep for so many seconds, or with none takes it away.
pub fn keep_away(response: &mut Response, is_secure: bool, kept: Option<(&str, i64)>) {
    let (value, age) = kept.unwrap_or_default();
    let (name, end) = if is_secure { (SECURE_AWAY, "; Secure") } else { (AWAY, "") };
    set(response, format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{end}"));
}

/// Whether browsers reach the registry by TLS.
pub fn is_secure(app: &App, head: &Parts) -> bool {
    base(app, head).is_ok_and(|base| base.starts_with("https://"))
}

/// What a form of the session has in it. Other sites cannot read it, and it tells nobody the token.
pub fn csrf(app: &App, head: &Parts) -> String {
    token(app, head).map_or_else(String::new, |secret| {
        Digest::of(format!("form of a page\n{}", secret.expose()).as_bytes()).to_string()
    })
}

/// The theme that was chosen, if one was.
pub fn theme(headers: &HeaderMap) -> &'static str {
    match cookie(headers, THEME) {
        Some("light") => "light",
        Some("dark") => "dark",
        _ => "",
    }
}

/// Keeps the chosen theme; nothing else than the two words is one.
pub fn keep_theme(response: &mut Response, theme: &str) {
    let (value, age) = match theme {
        "light" | "dark" => (theme, 365 * DAY_SECONDS),
        _ => ("", 0),
    };
    set(response, format!("{THEME}={value}; Path=/; SameSite=Lax; HttpOnly; Max-Age={age}"));
}

/// Refuses tokens that are no good to sign in with: a session would go on for ever by sessions, and nobody sits before a
/// build.
pub fn check_may_begin(token: &TokenRow) -> Result<()> {
    let why = match token {
        token if token.is_session() => "this is the session of a browser; sign in with a token of yours",
        token if token.via.is_some() => "this token is for one build",
        _ => return Ok(()),
    };
    Err(Failure::new(ProblemCode::Forbidden, why))
}

/// Makes a session for whoever has this identity. `old` is the session that the browser had.
pub async fn begin(app: &App, identity: &Identity, old: Option<&Identity>) -> Result<Secret> {
    let secret = token::generate(TokenKind::Session, &app.environment.random());
    let limits = &app.settings.limits;
    let (days, most) = (i64::from(limits.session_days), limits.tokens_per_user as i64);
    let (hash, id) = (secret.hash(), app.environment.new_id());
    let (parent, old) = (identity.clone(), old.filter(|old| old.token.is_session()).cloned());
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = parent.again(tx).await?;
                check_may_begin(&identity.token)?;
                let parent = identity.token.id.clone();
                let token = identity.token;
                // No token outlives the one that made it.
                let expires_at = earlier(token.expires_at, tx.now.plus_seconds(days * DAY_SECONDS));
                let row = TokenRow {
                    namespaces: token.namespaces,
                    expires_at,
                    parent: Some(parent.clone()),
                    ..TokenRow::new(id, LABEL, token.scopes, tx.now)
                };
                keep_row(tx, &identity.user.id, &hash, row, old, &parent, most).await
            })
        })
        .await?;
    Ok(secret)
}

/// Makes a session for whoever has shown to have this account elsewhere.
pub async fn begin_as(app: &App, person: Arrived, old: Option<&Identity>) -> Result<Secret> {
    let secret = token::generate(TokenKind::Session, &app.environment.random());
    let limits = &app.settings.limits;
    let days = i64::from(limits.session_days.min(person.days()));
    let most = limits.tokens_per_user as i64;
    let (hash, id) = (secret.hash(), app.environment.new_id());
    let old = old.filter(|old| old.token.is_session()).cloned();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let scopes = person.scopes();
                let user = person.settle(tx).await?;
                let row = TokenRow {
                    expires_at: Some(tx.now.plus_seconds(days * DAY_SECONDS)),
                    parent: Some(id.clone()),
                    ..TokenRow::new(id.clone(), LABEL, scopes, tx.now)
                };
                keep_row(tx, &user.id, &hash, row, old, &id, most).await
            })
        })
        .await?;
    Ok(secret)
}

fn earlier(one: Option<Time>, other: Time) -> Option<Time> {
    Some(one.map_or(other, |one| one.min(other)))
}

/// Writes the session in place of the one that the browser had.
async fn keep_row(
    tx: &mut Tx,
    user: &str,
    hash: &Digest,
    row: TokenRow,
    old: Option<Identity>,
    parent: &str,
    most: i64,
) -> Result<()> {
    // One that is signed in over is not left behind.
    if let Some(old) = old {
        let origin = tx.origin();
        tx.comes_from(origin.as_ref().map(|origin| origin.with(&old)));
        accounts::revoke(tx, Some(&old.user.id), &old.token.id).await?;
        tx.comes_from(origin);
    }
    make_room(tx, user, (parent != row.id).then_some(parent), most).await?;
    accounts::issue_token(tx, Some(user), user, hash, &row, None).await
}

/// Sees that the user has fewer tokens than there may be. The oldest session of the same token gives way.
async fn make_room(tx: &mut Tx, user: &str, parent: Option<&str>, most: i64) -> Result<()> {
    if accounts::live_tokens(tx, user).await? < most {
        return Ok(());
    }
    let sessions = match parent {
        Some(parent) => accounts::live_sessions(tx, parent).await?,
        None => accounts::live_own_sessions(tx, user).await?,
    };
    match sessions.first() {
        Some(oldest) => accounts::revoke(tx, Some(user), oldest).await,
        None => {
            let detail = format!("you have {most} live tokens already; revoke one of them");
            Err(Failure::new(ProblemCode::LoginRefused, detail))
        }
    }
}

/// Ends the session that this request came with.
pub async fn end(app: &App, identity: &Identity) -> Result<()> {
    let identity = identity.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                accounts::revoke(tx, Some(&identity.user.id), &identity.token.id).await
            })
        })
        .await
}

/// Gives the browser its session, or with none takes away what it has, however it got it.
pub fn keep(response: &mut Response, app: &App, is_secure: bool, secret: Option<&Secret>) {
    let value = secret.map_or("", Secret::expose);
    let age = secret.map_or(0, |_| i64::from(app.settings.limits.session_days) * DAY_SECONDS);
    let rest = format!("Path=/; HttpOnly; SameSite=Lax; Max-Age={age}");
    if is_secure || secret.is_none() {
        set(response, format!("{SECURE}={value}; {rest}; Secure"));
    }
    if !is_secure || secret.is_none() {
        set(response, format!("{PLAIN}={value}; {rest}"));
    }
}

fn set(response: &mut Response, cookie: String) {
    debug_assert_ne!(response.status(), StatusCode::NOT_MODIFIED);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
