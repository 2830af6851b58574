//! Signing people in with an account elsewhere, from a terminal.
//!
//! This server talks to the provider, and the caller gets a handle to ask by. So there is no route that takes a
//! person's identity token: none that was stolen, replayed or made for another program can be put in. The secret of
//! the client stays here, and whoever signs in needs to reach the provider with a browser only.

use serde_json::Value;
use skillery_core::api::{CreateTokenResponse, PollLoginResponse, StartLoginRequest, StartLoginResponse};
use skillery_core::event::Event;
use skillery_core::time::{DAY_SECONDS, Time};
use skillery_core::token::{self, Secret, TokenKind};
use skillery_core::{Digest, ProblemCode, Scope, Segment};

use super::claims::{Claims, Rules};
use super::device::{self, Progress};
use super::issuers::Provider;
use super::jws::Jws;
use super::settings::LoginProvider;
use super::verify::{Verified, verify};
use super::web::WebError;
use super::{LEEWAY_SECONDS, is_service_name, refused};
use crate::app::App;
use crate::db::Tx;
use crate::db::accounts::{self, TokenRow, UserRow};
use crate::db::oidc::{self, PendingLogin};
use crate::failure::{Failure, Result};
use crate::text::named;

/// Seconds that a person's identity token may be good for. It is used the moment that it is issued.
const LIFETIME_SECONDS: i64 = DAY_SECONDS;
/// Characters of what a provider calls an account.
pub const MAX_SUBJECT: usize = 255;
/// What a token is for when nobody says.
const USUAL_SCOPES: [Scope; 3] = [Scope::Read, Scope::Publish, Scope::Rate];

/// The provider that people sign in at, if there is one.
pub fn provider_of(app: &App) -> Result<&LoginProvider> {
    app.settings.oidc_login.as_ref().ok_or_else(|| Failure::new(ProblemCode::LoginNotOffered, ""))
}

/// Begins to sign a person in.
pub async fn start(app: &App, request: StartLoginRequest) -> Result<StartLoginResponse> {
    let login = provider_of(app)?;
    let scopes = scopes(&request, login)?;
    let most = app.settings.limits.pending_logins as i64;
    let too_many = || Failure::new(ProblemCode::Busy, "too many people are signing in");
    if oidc::pending_logins(app.db.reader(), app.environment.now()).await? >= most {
        return Err(too_many());
    }
    let provider = app.oidc.provider(app, &login.issuer).await?;
    let started =
        device::start(&app.oidc.web, &provider, login).await.map_err(|error| unavailable(login, error))?;
    let secret = Secret::new(hex::encode(app.environment.random::<32>()));
    let handle = secret.hash();
    let device_code =
        app.secret_key.seal(&app.environment, &context(&handle), started.device_code.expose())?;
    let (pause, expires_in) = (started.pause, started.expires_in);
    app.db
        .write(move |tx| {
            Box::pin(async move {
                if oidc::forget_logins(tx).await? >= most {
                    return Err(too_many());
                }
                let row = PendingLogin {
                    handle,
                    device_code,
                    scopes,
                    pause,
                    next_poll: tx.now.plus_seconds(pause),
                    expires_at: tx.now.plus_seconds(expires_in),
                };
                oidc::insert_login(tx, &row).await
            })
        })
        .await?;
    Ok(StartLoginResponse {
        login: secret.expose().to_owned(),
        user_code: started.user_code,
        verification_uri: started.verification_uri,
        verification_uri_complete: started.verification_uri_complete,
        expires_in: expires_in.unsigned_abs(),
        interval: pause.unsigned_abs(),
    })
}

/// Asks how far a person is with signing in, and gives the token when it is done.
pub async fn poll(app: &App, login: &str) -> Result<PollLoginResponse> {
    let settings = provider_of(app)?;
    let handle = Digest::of(login.as_bytes());
    let pending = match turn(app, handle).await? {
        Turn::Wait(pause) => return Ok(wait(pause)),
        Turn::Ask(pending) => pending,
    };
    let device_code = app.secret_key.open_sealed(&context(&handle), &pending.device_code)?;
    let provider = app.oidc.provider(app, &settings.issuer).await?;
    let progress = device::ask(&app.oidc.web, &provider, settings, &device_code)
        .await
        .map_err(|error| unavailable(settings, error))?;
    match progress {
        Progress::Pending => Ok(wait(pending.pause)),
        Progress::SlowDown => {
            let pause = device::slower(pending.pause);
            app.db
                .write(move |tx| {
                    Box::pin(async move {
                        let next = tx.now.plus_seconds(pause);
                        oidc::postpone_login(tx, &handle, pause, next).await
                    })
                })
                .await?;
            Ok(wait(pause))
        }
        Progress::Over(why) => {
            app.db.write(move |tx| Box::pin(async move { oidc::end_login(tx, &handle).await })).await?;
            Err(Failure::new(ProblemCode::LoginRefused, why))
        }
        Progress::Done { id_token, access_token } => {
            let person = person(app, settings, &provider, &id_token, access_token.as_ref(), None).await?;
            let token = finish(app, settings, pending, person).await?;
            Ok(PollLoginResponse { interval: None, token: Some(token) })
        }
    }
}

fn wait(pause: i64) -> PollLoginResponse {
    PollLoginResponse { interval: Some(pause.unsigned_abs()), token: None }
}

/// What the encryption of a device code is bound to.
fn context(handle: &Digest) -> String {
    format!("login {handle}")
}

pub(super) fn unavailable(login: &LoginProvider, error: WebError) -> Failure {
    let detail = format!("`{}` does not answer as it should", login.issuer);
    Failure::caused(ProblemCode::IssuerUnavailable, detail, error)
}

fn scopes(request: &StartLoginRequest, login: &LoginProvider) -> Result<Vec<Scope>> {
    let is_given = |scope: &Scope| login.scopes.contains(scope);
    if request.scopes.is_empty() {
        let usual: Vec<Scope> = USUAL_SCOPES.into_iter().filter(is_given).collect();
        return Ok(if usual.is_empty() { login.scopes.clone() } else { usual });
    }
    let mut scopes = request.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    match scopes.iter().find(|scope| !is_given(scope)) {
        None => Ok(scopes),
        Some(scope) => {
            let detail = format!("this registry gives `{scope}` to nobody who signs in");
            Err(crate::text::invalid("scopes", detail))
        }
    }
}

/// Whether it is time to ask the provider.
enum Turn {
    Wait(i64),
    Ask(PendingLogin),
}

/// Takes the turn of asking, so that a provider is not asked more often than it wants, by whichever server. Anybody may send
/// anything here, so a look comes first: what is not known, or too early, costs the one writer nothing.
async fn turn(app: &App, handle: Digest) -> Result<Turn> {
    let unknown = || Failure::new(ProblemCode::LoginRefused, "the sign-in is not known, or took too long");
    let now = app.environment.now();
    let known = oidc::login(app.db.reader(), &handle).await?;
    let known = known.filter(|pending| pending.expires_at > now).ok_or_else(unknown)?;
    if known.next_poll > now {
        return Ok(Turn::Wait(known.pause));
    }
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let pending = oidc::login(tx.connection(), &handle).await?;
                let pending = pending.filter(|pending| pending.expires_at > tx.now).ok_or_else(unknown)?;
                if pending.next_poll > tx.now {
                    return Ok(Turn::Wait(pending.pause));
                }
                let next = tx.now.plus_seconds(pending.pause);
                oidc::postpone_login(tx, &handle, pending.pause, next).await?;
                Ok(Turn::Ask(pending))
            })
        })
        .await
}

/// Who has signed in.
pub(super) struct Person {
    subject: String,
    /// What to call the person, if it is not known here and may be made.
    name: Option<Segment>,
    unique: String,
    ends: Time,
}

/// Who the token says that it is. `nonce` is what was sent along, where a browser was.
pub(super) async fn person(
    app: &App,
    login: &LoginProvider,
    provider: &Provider,
    id_token: &Secret,
    access_token: Option<&Secret>,
    nonce: Option<&str>,
) -> Result<Person> {
    let token = Jws::parse(id_token.expose())?;
    let rules = Rules { issuer: &login.issuer, audience: &login.client_id, lifetime: LIFETIME_SECONDS };
    let Verified { claims, expires, unique } = verify(app, token, login.algorithm, &rules).await?;
    if claims.text("azp").is_some_and(|party| party != login.client_id) {
        return Err(refused("it was issued to another program"));
    }
    if nonce.is_some_and(|nonce| claims.text("nonce") != Some(nonce)) {
        return Err(refused("it is of another sign-in"));
    }
    let subject = claims.needed("sub")?.to_owned();
    crate::text::check_text("sub", &subject, MAX_SUBJECT, false)?;
    let known = oidc::linked_user(app.db.reader(), &login.issuer, &subject).await?;
    let name = match known {
        Some(_) => None,
        None if !login.create_users => {
            let detail = format!(
                "nobody here is linked with `{}`; an admin does it with `skillery user link`",
                named(&subject)
            );
            return Err(Failure::new(ProblemCode::LoginRefused, detail));
        }
        None => Some(name(app, login, provider, &claims, access_token).await?),
    };
    let ends = Time::from_micros((expires + LEEWAY_SECONDS).saturating_mul(1_000_000));
    Ok(Person { subject, name, unique, ends })
}

/// What a new user is to be called, from the token, or else from what the provider tells of its bearer.
async fn name(
    app: &App,
    login: &LoginProvider,
    provider: &Provider,
    claims: &Claims,
    access_token: Option<&Secret>,
) -> Result<Segment> {
    if let Some(text) = claims.text(&login.user_claim) {
        return segment(text);
    }
    let missing = || {
        Failure::new(ProblemCode::LoginRefused, format!("the provider does not say `{}`", login.user_claim))
    };
    let (Some(url), Some(access_token)) = (provider.userinfo(), access_token) else { return Err(missing()) };
    let document =
        app.oidc.web.get(&url, Some(access_token)).await.map_err(|error| unavailable(login, error))?;
    let told: Value = serde_json::from_slice(&document).map_err(|_| missing())?;
    // Another person's answer must not name this one.
    if told["sub"].as_str() != claims.text("sub") {
        return Err(missing());
    }
    segment(told[&login.user_claim].as_str().ok_or_else(missing)?)
}

/// A name of ours: of an address of mail what stands before the `@`, in small letters.
fn segment(text: &str) -> Result<Segment> {
    let name = text.split('@').next().unwrap_or_default().to_ascii_lowercase();
    let refused = |why: String| Failure::new(ProblemCode::LoginRefused, why);
    let segment: Segment =
        name.parse().map_err(|error| refused(format!("`{}` makes no name here: {error}", named(text))))?;
    if is_service_name(segment.as_str()) {
        return Err(refused(format!("`{}` is a name for builds", segment.as_str())));
    }
    Ok(segment)
}

/// Ends the signing in: the person becomes a user where that is allowed, and gets a token.
async fn finish(
    app: &App,
    login: &LoginProvider,
    pending: PendingLogin,
    person: Person,
) -> Result<CreateTokenResponse> {
    let secret = token::generate(TokenKind::Personal, &app.environment.random());
    let (hash, issuer, days) = (secret.hash(), login.issuer.clone(), i64::from(login.token_days));
    let (new_user, token_id) = (app.environment.new_id(), app.environment.new_id());
    let most = app.settings.limits.tokens_per_user as i64;
    let (row, user) = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                if !oidc::end_login(tx, &pending.handle).await? {
                    return Err(completed());
                }
                let user = settle(tx, &issuer, &person, new_user).await?;
                if accounts::live_tokens(tx, &user.id).await? >= most {
                    let detail = format!("the user has {most} live tokens already");
                    return Err(Failure::new(ProblemCode::LoginRefused, detail));
                }
                let row = TokenRow {
                    expires_at: Some(tx.now.plus_seconds(days * DAY_SECONDS)),
                    ..TokenRow::new(token_id, "signed in", pending.scopes, tx.now)
                };
                accounts::issue_token(tx, Some(&user.id), &user.id, &hash, &row, None).await?;
                Ok((row, user))
            })
        })
        .await?;
    Ok(CreateTokenResponse { token: secret.expose().to_owned(), summary: row.summary(&user.name) })
}

/// The sign-in is good for one time.
pub(super) fn completed() -> Failure {
    Failure::new(ProblemCode::LoginRefused, "the sign-in was completed before")
}

/// Uses the person's identity token up, and gives the user who it is.
pub(super) async fn settle(tx: &mut Tx, issuer: &str, person: &Person, id: String) -> Result<UserRow> {
    if !oidc::use_id_token(tx, &person.unique, person.ends.plus_seconds(DAY_SECONDS)).await? {
        return Err(completed());
    }
    user(tx, issuer, person, id).await
}

/// The user who is linked with the account, or a new one. A name that is taken is never given to another person.
async fn user(tx: &mut Tx, issuer: &str, person: &Person, id: String) -> Result<UserRow> {
    let refused = |why: String| Failure::new(ProblemCode::LoginRefused, why);
    if let Some(id) = oidc::linked_user(tx.connection(), issuer, &person.subject).await? {
        let user = accounts::user_by_id(tx.connection(), &id).await?;
        let user = user.ok_or_else(|| Failure::internal("a linked user is not there"))?;
        if user.disabled_at.is_some() {
            return Err(refused("the user is switched off".to_owned()));
        }
        return Ok(user);
    }
    let name = person.name.as_ref().ok_or_else(|| refused("the user is not linked any more".to_owned()))?;
    if accounts::user_by_name(tx.connection(), name.as_str()).await?.is_some() {
        let detail = format!(
            "there is a user `{}` already; an admin links it with `{}` by `skillery user link`",
            name.as_str(),
            named(&person.subject)
        );
        return Err(refused(detail));
    }
    let user = accounts::insert_user(tx, id, name.as_str(), false).await?;
    oidc::link(tx, &user.id, issuer, &person.subject).await?;
    tx.append(None, Event::UserCreated { user: user.id.clone(), admin: false });
    tx.append(None, Event::UserLinked { user: user.id.clone(), issuer: issuer.to_owned() });
    Ok(user)
}
