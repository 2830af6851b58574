//! Signing in by another device (RFC 8628), or with a browser: what is said to the provider, and what it answers.

use serde::Deserialize;
use skillery_core::token::Secret;
use url::Url;

use super::issuers::Provider;
use super::settings::{LoginProvider, secure_url};
use super::web::{Web, WebError, host};
use crate::text::named;

/// Seconds between two questions where the provider does not say.
const USUAL_PAUSE: i64 = 5;
/// Seconds that the provider may want between two questions.
const LONGEST_PAUSE: i64 = 60;
/// Seconds that a person may take.
const LONGEST: i64 = 3_600;
/// Characters of an address for people, and of a code.
const MAX_ADDRESS: usize = 2_048;
const MAX_CODE: usize = 64;

/// A signing in that the provider waits for.
pub struct Started {
    /// What the provider knows it by.
    pub device_code: Secret,
    /// What the person enters.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it.
    pub verification_uri_complete: Option<String>,
    /// Seconds until it is too late.
    pub expires_in: i64,
    /// Seconds between two questions.
    pub pause: i64,
}

/// How far the person is.
pub enum Progress {
    /// Not done.
    Pending,
    /// Not done, and asked too often.
    SlowDown,
    /// The person said no, or it is too late.
    Over(&'static str),
    /// Done.
    Done {
        /// Who it is.
        id_token: Secret,
        /// What more can be learnt with.
        access_token: Option<Secret>,
    },
}

#[derive(Deserialize)]
struct StartedForm {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: i64,
    interval: Option<i64>,
}

#[derive(Deserialize)]
struct TokenForm {
    id_token: Option<String>,
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct ErrorForm {
    error: String,
}

/// Begins.
pub async fn start(web: &Web, provider: &Provider, login: &LoginProvider) -> Result<Started, WebError> {
    let url = provider.device_authorization()?;
    let body = send(web, &url, provider, login, &[("scope", &login.request_scopes)]).await?;
    let (200, body) = body else { return Err(error(&url, &body.1)) };
    let form: StartedForm =
        serde_json::from_slice(&body).map_err(|error| unusable(&url, &error.to_string()))?;
    let is_code = form.user_code.chars().all(|character| character.is_ascii_graphic() || character == ' ');
    if form.device_code.is_empty() || form.user_code.is_empty() || form.user_code.len() > MAX_CODE || !is_code
    {
        return Err(unusable(&url, "its codes are none"));
    }
    let address = |text: &str| text.len() <= MAX_ADDRESS && secure_url(text).is_some();
    if !address(&form.verification_uri) {
        return Err(unusable(&url, "it sends people to no `https://` address"));
    }
    Ok(Started {
        device_code: Secret::new(form.device_code),
        user_code: form.user_code,
        verification_uri: form.verification_uri,
        verification_uri_complete: form.verification_uri_complete.filter(|text| address(text)),
        expires_in: form.expires_in.clamp(1, LONGEST),
        pause: form.interval.unwrap_or(USUAL_PAUSE).clamp(1, LONGEST_PAUSE),
    })
}

/// Asks how far the person is.
pub async fn ask(
    web: &Web,
    provider: &Provider,
    login: &LoginProvider,
    device_code: &Secret,
) -> Result<Progress, WebError> {
    let url = provider.token()?;
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device_code.expose()),
    ];
    let (status, body) = send(web, &url, provider, login, &fields).await?;
    if status == 200 {
        let Tokens { id_token, access_token } = tokens(&url, &body)?;
        return Ok(Progress::Done { id_token, access_token });
    }
    let form: Option<ErrorForm> = serde_json::from_slice(&body).ok();
    match form.as_ref().map(|form| form.error.as_str()) {
        Some("authorization_pending") => Ok(Progress::Pending),
        Some("slow_down") => Ok(Progress::SlowDown),
        Some("access_denied") => Ok(Progress::Over("the sign-in was refused at the provider")),
        Some("expired_token" | "invalid_grant") => Ok(Progress::Over("the sign-in took too long")),
        _ => Err(error(&url, &body)),
    }
}

/// What a provider gives for a code.
pub struct Tokens {
    /// Who it is.
    pub id_token: Secret,
    /// What more can be learnt with.
    pub access_token: Option<Secret>,
}

fn tokens(url: &Url, body: &[u8]) -> Result<Tokens, WebError> {
    let form: TokenForm =
        serde_json::from_slice(body).map_err(|_| unusable(url, "it has no tokens in it"))?;
    let id_token = form.id_token.map(Secret::new).ok_or_else(|| unusable(url, "it has no `id_token`"))?;
    Ok(Tokens { id_token, access_token: form.access_token.map(Secret::new) })
}

/// Gets tokens for the code that a browser has brought (RFC 6749). None: the code is not one that is good.
pub async fn redeem(
    web: &Web,
    provider: &Provider,
    login: &LoginProvider,
    fields: &[(&str, &str)],
) -> Result<Option<Tokens>, WebError> {
    let url = provider.token()?;
    let (status, body) = send(web, &url, provider, login, fields).await?;
    if status == 200 {
        return tokens(&url, &body).map(Some);
    }
    let form: Option<ErrorForm> = serde_json::from_slice(&body).ok();
    match form.as_ref().map(|form| form.error.as_str()) {
        Some("invalid_grant") => Ok(None),
        _ => Err(error(&url, &body)),
    }
}

/// Longest pause that questions are slowed down to.
pub fn slower(pause: i64) -> i64 {
    (pause + 5).min(LONGEST_PAUSE)
}

async fn send(
    web: &Web,
    url: &Url,
    provider: &Provider,
    login: &LoginProvider,
    fields: &[(&str, &str)],
) -> Result<(u16, Vec<u8>), WebError> {
    let secret = login.secret();
    let methods = &provider.token_endpoint_auth_methods_supported;
    let has = |method: &str| methods.iter().any(|supported| supported == method);
    let in_form = has("client_secret_post") && !has("client_secret_basic");
    let mut all = vec![("client_id", login.client_id.as_str())];
    all.extend_from_slice(fields);
    let basic = match &secret {
        Some(secret) if in_form => {
            all.push(("client_secret", secret.expose()));
            None
        }
        Some(secret) => Some((login.client_id.as_str(), secret)),
        None => None,
    };
    let reply = web.post(url, &all, basic).await?;
    Ok((reply.status, reply.body))
}

/// What the provider says is wrong, in its own word and no more: the rest may repeat what was sent.
fn error(url: &Url, body: &[u8]) -> WebError {
    let form: Option<ErrorForm> = serde_json::from_slice(body).ok();
    let word =
        form.map_or_else(|| "it says no reason".to_owned(), |form| format!("`{}`", named(&form.error)));
    unusable(url, &word)
}

fn unusable(url: &Url, reason: &str) -> WebError {
    WebError::Form { host: host(url), reason: reason.to_owned() }
}
