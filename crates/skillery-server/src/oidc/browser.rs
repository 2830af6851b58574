//! Signing people in with an account elsewhere, in a browser: the authorization code flow of OpenID Connect with PKCE
//! (RFC 7636), `state` and `nonce`.
//!
//! What must be known again when the person comes back is sealed and kept by the browser itself, so that strangers who only
//! begin cost this server nothing. Each `state` is good for one return, in the browser that it was made for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};
use skillery_core::time::Time;
use skillery_core::{Digest, ProblemCode, Scope};

use super::device::{self, Tokens};
use super::login::{Person, completed, person, provider_of, settle, unavailable};
use crate::app::App;
use crate::db::accounts::UserRow;
use crate::db::{Tx, oidc};
use crate::failure::{Failure, Result};
use crate::text::{excerpt, named};

/// Seconds that a person may be away.
const SECONDS: i64 = 600;
/// What the seal is bound to.
const CONTEXT: &str = "sign in with a browser";
/// Characters of an address to go on to that are kept.
const MAX_NEXT: usize = 1_000;

/// What is known again when the person comes back.
#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    nonce: String,
    verifier: String,
    redirect: String,
    next: String,
    expires_at: i64,
}

/// A sign-in that has begun.
pub struct Begun {
    /// Where the browser goes.
    pub address: String,
    /// What it keeps.
    pub kept: String,
    /// For how many seconds.
    pub seconds: i64,
}

/// What a browser brings back.
#[derive(Default)]
pub struct Back {
    /// What was sent along.
    pub state: String,
    /// What tokens are given for.
    pub code: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
    /// The same in words.
    pub error_description: Option<String>,
    /// Who sends the browser back, where it says so (RFC 9207).
    pub issuer: Option<String>,
}

/// Somebody who has shown to have an account elsewhere.
pub struct Arrived {
    person: Person,
    issuer: String,
    new_user: String,
    scopes: Vec<Scope>,
    days: u32,
}

impl Arrived {
    /// What whoever signs in there may do.
    pub fn scopes(&self) -> Vec<Scope> {
        self.scopes.clone()
    }

    /// Days that a token of theirs is good for.
    pub fn days(&self) -> u32 {
        self.days
    }

    /// The user whom the account is linked with, or a new one where that is allowed.
    pub async fn settle(self, tx: &mut Tx) -> Result<UserRow> {
        settle(tx, &self.issuer, &self.person, self.new_user).await
    }
}

/// Begins. `redirect` is where the provider sends the browser back to, and `next` where it goes then.
pub async fn begin(app: &App, redirect: String, next: &str) -> Result<Begun> {
    let login = provider_of(app)?;
    let provider = app.oidc.provider(app, &login.issuer).await?;
    let mut address = provider.authorization().map_err(|error| unavailable(login, error))?;
    let random = || hex::encode(app.environment.random::<32>());
    let next = if next.len() <= MAX_NEXT { next } else { "/" };
    let expires_at = app.environment.now().plus_seconds(SECONDS).micros();
    let kept = Kept {
        state: random(),
        nonce: random(),
        verifier: random(),
        redirect,
        next: next.to_owned(),
        expires_at,
    };
    let challenge = BASE64.encode(Digest::of(kept.verifier.as_bytes()).bytes());
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", &login.client_id)
        .append_pair("redirect_uri", &kept.redirect)
        .append_pair("scope", &login.request_scopes)
        .append_pair("state", &kept.state)
        .append_pair("nonce", &kept.nonce)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    let text = serde_json::to_string(&kept).map_err(Failure::internal)?;
    let kept = app.secret_key.seal(&app.environment, CONTEXT, &text)?;
    Ok(Begun { address: address.into(), kept, seconds: SECONDS })
}

/// Ends: who has come back, and where to go. `kept` is what the browser was given to keep.
pub async fn arrive(app: &App, kept: Option<&str>, back: Back) -> Result<(Arrived, String)> {
    let refused = |why: String| Failure::new(ProblemCode::LoginRefused, why);
    let login = provider_of(app)?;
    let kept = open(app, kept, &back.state)?;
    // A mix-up of providers would bring a code of the wrong one here.
    if back.issuer.is_some_and(|issuer| issuer != login.issuer) {
        return Err(refused("another provider has sent you back".to_owned()));
    }
    let until = Time::from_micros(kept.expires_at).plus_seconds(SECONDS);
    let state = format!("state {}", kept.state);
    let is_first =
        app.db.write(move |tx| Box::pin(async move { oidc::use_id_token(tx, &state, until).await })).await?;
    if !is_first {
        return Err(completed());
    }
    if let Some(error) = back.error {
        let words = back.error_description.map_or_else(String::new, |words| format!(": {}", excerpt(&words)));
        return Err(refused(format!("the provider says `{}`{words}", named(&error))));
    }
    let code = back.code.ok_or_else(|| refused("the provider has sent no code".to_owned()))?;
    let provider = app.oidc.provider(app, &login.issuer).await?;
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", kept.redirect.as_str()),
        ("code_verifier", kept.verifier.as_str()),
    ];
    let tokens = device::redeem(&app.oidc.web, &provider, login, &fields).await;
    let tokens = tokens.map_err(|error| unavailable(login, error))?;
    let Some(Tokens { id_token, access_token }) = tokens else {
        return Err(refused("the provider does not take its code back; begin again".to_owned()));
    };
    let nonce = Some(kept.nonce.as_str());
    let person = person(app, login, &provider, &id_token, access_token.as_ref(), nonce).await?;
    let arrived = Arrived {
        person,
        issuer: login.issuer.clone(),
        new_user: app.environment.new_id(),
        scopes: login.scopes.clone(),
        days: login.token_days,
    };
    Ok((arrived, kept.next))
}

/// What the browser kept, where it is of this sign-in and not too old.
fn open(app: &App, kept: Option<&str>, state: &str) -> Result<Kept> {
    let foreign = || {
        let detail = "this sign-in was not begun in this browser, or was completed before; begin again";
        Failure::new(ProblemCode::LoginRefused, detail)
    };
    let opened = app.secret_key.open_sealed(CONTEXT, kept.ok_or_else(foreign)?).map_err(|_| foreign())?;
    let kept: Kept = serde_json::from_str(opened.expose()).map_err(|_| foreign())?;
    // Digests are compared, so that how long it takes tells nothing.
    if Digest::of(kept.state.as_bytes()) != Digest::of(state.as_bytes()) {
        return Err(foreign());
    }
    if kept.expires_at <= app.environment.now().micros() {
        return Err(Failure::new(ProblemCode::LoginRefused, "the sign-in took too long; begin again"));
    }
    Ok(kept)
}
