//! Being signed in with a browser.
//!
//! A session is a token as any other, for some days and with no more rights than what it was made by, that lies in a
//! cookie. Cookies count for pages only: nothing below `/api` takes one, so that no other site can make a browser call
//! it. Each sign-in makes a new one.

use axum::http::header::{COOKIE, HeaderValue, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use skillery_core::Digest;
use skillery_core::event::Event;
use skillery_core::token::{self, Secret, TokenKind};

use crate::access::Identity;
use crate::app::App;
use crate::db::accounts::{self, TokenRow};
use crate::failure::Result;

/// What tells tokens of sessions from others in a list.
pub const LABEL: &str = "browser";

const PLAIN: &str = "skillery-session";
/// Browsers take a cookie of this name only over TLS, for the whole site, and from the site itself.
const SECURE: &str = "__Host-skillery-session";
const THEME: &str = "skillery-theme";

const DAY_SECONDS: i64 = 86_400;

fn cookie<'headers>(headers: &'headers HeaderMap, name: &str) -> Option<&'headers str> {
    let pairs =
        headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// The token in the cookie of a browser.
pub fn token(headers: &HeaderMap) -> Option<Secret> {
    cookie(headers, SECURE).or_else(|| cookie(headers, PLAIN)).map(Secret::new)
}

/// What a form of the session has in it. Other sites cannot read it, and it tells nobody the token.
pub fn csrf(headers: &HeaderMap) -> String {
    token(headers).map_or_else(String::new, |secret| {
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

/// Makes a session for whoever has this identity.
pub async fn begin(app: &App, identity: &Identity) -> Result<Secret> {
    let secret = token::generate(TokenKind::Session, &app.environment.random());
    let (hash, id, days) =
        (secret.hash(), app.environment.new_id(), i64::from(app.settings.limits.session_days));
    let parent = identity.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = parent.again(tx).await?;
                let ends = tx.now.plus_seconds(days * DAY_SECONDS);
                let row = TokenRow {
                    id,
                    label: LABEL.to_owned(),
                    scopes: identity.token.scopes.clone(),
                    namespaces: identity.token.namespaces.clone(),
                    created_at: tx.now,
                    // No token outlives the one that made it.
                    expires_at: Some(identity.token.expires_at.map_or(ends, |parent| parent.min(ends))),
                    last_used_at: None,
                    revoked_at: None,
                    via: None,
                };
                let user = identity.user.id;
                accounts::insert_token(tx, &user, &hash, &row).await?;
                let TokenRow { id: token, scopes, namespaces, .. } = row;
                let (actor, publisher, build) = (user.clone(), None, None);
                tx.append(
                    Some(&actor),
                    Event::TokenIssued { token, user, scopes, namespaces, publisher, build },
                );
                Ok(())
            })
        })
        .await?;
    Ok(secret)
}

/// Ends the session that this request came with, if it is one.
pub async fn end(app: &App, identity: &Identity) -> Result<()> {
    let identity = identity.clone();
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                accounts::revoke(tx, &identity.token.id).await?;
                tx.append(Some(&identity.user.id), Event::TokenRevoked { token: identity.token.id });
                Ok(())
            })
        })
        .await
}

/// Gives the browser its session, or with none takes it away.
pub fn keep(response: &mut Response, app: &App, is_secure: bool, secret: Option<&Secret>) {
    let age = secret.map_or(0, |_| i64::from(app.settings.limits.session_days) * DAY_SECONDS);
    let value = secret.map_or("", Secret::expose);
    let rest = format!("Path=/; HttpOnly; SameSite=Lax; Max-Age={age}");
    match is_secure {
        true => set(response, format!("{SECURE}={value}; {rest}; Secure")),
        false => set(response, format!("{PLAIN}={value}; {rest}")),
    }
}

fn set(response: &mut Response, cookie: String) {
    debug_assert_ne!(response.status(), StatusCode::NOT_MODIFIED);
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}
