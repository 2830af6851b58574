//! `skillery login --oidc`: signs in with an account elsewhere. The registry asks the provider; the person goes there
//! with a browser, on this machine or on another.

use serde::Serialize;
use skillery_client::{Client, Secret};
use skillery_core::Scope;
use skillery_core::api::{StartLoginRequest, StartLoginResponse};

use crate::failure::Failure;
use crate::output::Line;
use crate::progress::Progress;
use crate::session::Session;

/// What the person must do, for a program that shows it in its own way.
#[derive(Debug, Serialize)]
struct SignIn<'a> {
    verification_uri: &'a str,
    user_code: &'a str,
    verification_uri_complete: Option<&'a str>,
    expires_in: u64,
}

/// Says where to sign in, waits until it is done, and gives the token.
pub(crate) async fn sign_in(session: &Session, scopes: &[Scope]) -> Result<Secret, Failure> {
    let mut config = session.config()?;
    // One that was kept from before may have expired, and is not needed here.
    config.token = None;
    let client = Client::new(&config)?;
    let started = client.start_login(&StartLoginRequest { scopes: scopes.to_vec() }).await?;
    show(session, &started);
    let progress = Progress::spinner(&session.output, "waiting for the browser");
    let token = client.finish_login(&started).await?;
    drop(progress);
    Ok(Secret::new(token.token))
}

fn show(session: &Session, started: &StartLoginResponse) {
    let complete = started.verification_uri_complete.as_deref();
    let value = SignIn {
        verification_uri: &started.verification_uri,
        user_code: &started.user_code,
        verification_uri_complete: complete,
        expires_in: started.expires_in,
    };
    let mut lines = vec![
        Line::default().plain("open    ").name(&started.verification_uri),
        Line::default().plain("enter   ").name(&started.user_code),
    ];
    if let Some(address) = complete {
        lines.push(Line::default().plain("or open ").name(address));
    }
    session.output.request("sign_in", &value, lines);
}
