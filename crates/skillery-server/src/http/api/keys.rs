//! `/api/v1/keys`: keys that people sign with.

use axum::http::StatusCode;
use axum::response::Response;
use skillery_core::api::{ChallengeRequest, ChallengeResponse, EnrolRequest, KeySummary, KeysResponse};
use skillery_core::event::Event;
use skillery_core::sign::allowed_signers::{AllowedSigner, Form, render};
use skillery_core::sign::author::{AuthorKey, AuthorSignature, Trusted};
use skillery_core::sign::enrolment::{CHALLENGE_SECONDS, Challenge};
use skillery_core::sign::ssh::Fingerprint;
use skillery_core::sign::sshsig::{ENROLL_NAMESPACE, RELEASE_NAMESPACE, REVIEW_NAMESPACE};
use skillery_core::time::Time;
use skillery_core::{Namespace, Problem, ProblemCode, Role, Scope, Segment};

use crate::access::{Caller, Identity, check_bounds};
use crate::app::App;
use crate::db::accounts::UserRow;
use crate::db::keys::{self as table, KeyRow};
use crate::db::orgs;
use crate::failure::{Failure, Result};
use crate::http::api::orgs::{knows_namespace, knows_org, org_not_found};
use crate::http::call::{Call, created, done, invalid_parameter, json, text};
use crate::text::check_text;

/// Times of keys that a file of allowed signers has at most.
const MAX_SIGNERS: i64 = 10_000;

fn invalid_key(detail: impl ToString) -> Failure {
    Failure::new(ProblemCode::InvalidKey, detail.to_string())
}

/// What a seal is bound to: it opens for no other user, key or time.
fn bound_to(user: &str, key: &str, expires_at: Time) -> String {
    format!("enrol {user} {key} {expires_at}")
}

/// What is to be signed with a key that is to be enrolled.
#[utoipa::path(
    post, path = "/api/v1/keys/challenge", tag = "keys", security(("token" = ["admin"])), request_body = ChallengeRequest,
    responses((status = 200, body = ChallengeResponse), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn challenge(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<ChallengeRequest>().await?;
    json(StatusCode::OK, &begin(&app, &caller, &request)?)
}

/// What the caller is to sign with this key.
pub fn begin(app: &App, caller: &Caller, request: &ChallengeRequest) -> Result<ChallengeResponse> {
    let identity = caller.require(Scope::Admin)?;
    let key: AuthorKey = request.public_key.parse().map_err(invalid_key)?;
    let expires_at = app.environment.now().plus_seconds(CHALLENGE_SECONDS);
    let key = key.fingerprint();
    let seal = app.secret_key.seal(&app.environment, &bound_to(&identity.user.id, &key, expires_at), "")?;
    let registry = app.log_key.verifier().name().to_owned();
    let challenge = Challenge { expires_at, key, registry, seal, user: identity.user.name.clone() };
    let challenge = challenge.to_text().map_err(Failure::internal)?;
    Ok(ChallengeResponse { challenge, expires_at })
}

fn check_challenge(app: &App, text: &str, user: &UserRow, key: &str) -> Result<()> {
    let challenge = Challenge::parse(text).map_err(|error| invalid_key(format!("the challenge: {error}")))?;
    if challenge.expires_at <= app.environment.now() {
        return Err(invalid_key(format!("the challenge has expired at {}", challenge.expires_at)));
    }
    challenge
        .check(app.log_key.verifier().name(), &user.name, key)
        .map_err(|error| invalid_key(format!("the challenge is another one: {error}")))?;
    app.secret_key
        .open_sealed(&bound_to(&user.id, key, challenge.expires_at), &challenge.seal)
        .map_err(|_| invalid_key("the challenge is none of this registry"))?;
    Ok(())
}

/// Enrols a key: the caller's own, or with `org` one that certifies the keys of an org's members.
#[utoipa::path(
    post, path = "/api/v1/keys", tag = "keys", security(("token" = ["admin"])), request_body = EnrolRequest,
    responses((status = 201, body = KeySummary), (status = 409, description = "`key-exists`", body = Problem),
        (status = 404, description = "`org-not-found`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn enrol(call: Call) -> Result<Response> {
    call.caller.require(Scope::Admin)?;
    let (app, caller, request) = call.json::<EnrolRequest>().await?;
    created("/api/v1/keys", &add(&app, &caller, request).await?)
}

/// Enrols a key that the caller has shown to have.
pub async fn add(app: &App, caller: &Caller, request: EnrolRequest) -> Result<KeySummary> {
    let identity = caller.require(Scope::Admin)?;
    let org = match &request.org {
        None => None,
        Some(org) => {
            let org: Namespace = org.parse()?;
            caller.require_role(Scope::Admin, Role::Admin, &org)?;
            if org.depth() > 1 {
                return Err(invalid_key("an authority is one of a whole org"));
            }
            if request.public_key.contains("-----BEGIN") {
                return Err(invalid_key("an authority is an SSH key"));
            }
            Some(org)
        }
    };
    check_text("label", &request.label, app.settings.limits.text_length, false)?;
    let public_key: AuthorKey = request.public_key.parse().map_err(invalid_key)?;
    let fingerprint = public_key.fingerprint();
    check_challenge(app, &request.challenge, &identity.user, &fingerprint)?;
    let signature = AuthorSignature::parse_enrolment(public_key.signature_kind(), &request.signature)
        .map_err(invalid_key)?;
    signature
        .verify(Trusted::Key(&public_key), ENROLL_NAMESPACE, request.challenge.as_bytes())
        .map_err(invalid_key)?;
    let (identity, most) = ((**identity).clone(), app.settings.limits.keys_per_owner);
    let row = app
        .db
        .write(move |tx| {
            Box::pin(async move {
                let user = match &org {
                    Some(org) => identity.still(tx, Role::Admin, org).await?.user,
                    None => identity.again(tx).await?.user,
                };
                if table::find(tx.connection(), &fingerprint).await?.is_some() {
                    return Err(Failure::new(
                        ProblemCode::KeyExists,
                        format!("{fingerprint} is enrolled, or was"),
                    ));
                }
                let held = match &org {
                    Some(org) => {
                        let exists = orgs::find(tx.connection(), &org.org_key()).await?;
                        exists.ok_or_else(|| org_not_found(org))?;
                        table::of_org(tx.connection(), &org.org_key()).await?
                    }
                    None => table::of_user(tx.connection(), &user.id).await?,
                };
                if held.iter().filter(|key| key.revoked_at.is_none()).count() >= most {
                    return Err(invalid_key(format!("there are {most} keys already")));
                }
                let event = Event::KeyEnrolled {
                    key: fingerprint.clone(),
                    user: org.is_none().then(|| user.id.clone()),
                    org: org.as_ref().map(Namespace::to_string),
                };
                let index = tx.append(Some(&user.id), event);
                let row = KeyRow {
                    fingerprint,
                    user: org.is_none().then_some((user.id, user.name)),
                    is_disabled: false,
                    org: org.map(|org| org.org_key()),
                    public_key,
                    label: request.label,
                    enrolled_at: tx.now,
                    log_index: u64::try_from(index).map_err(Failure::internal)?,
                    revoked_at: None,
                };
                table::insert(tx, &row).await?;
                Ok(row)
            })
        })
        .await?;
    Ok(row.summary())
}

/// The caller's keys, or with `org` the authorities of an org; the newest first.
#[utoipa::path(
    get, path = "/api/v1/keys", tag = "keys", security(("token" = ["read"])),
    params(("org" = Option<String>, Query, description = "an org whose authorities are meant")),
    responses((status = 200, body = KeysResponse), (status = 404, description = "`org-not-found`", body = Problem),
        (status = "default", description = "a problem", body = Problem)),
)]
pub async fn list(call: &Call) -> Result<Response> {
    json(StatusCode::OK, &held(&call.app, &call.caller, call.parsed::<Namespace>("org")?.as_ref()).await?)
}

/// The caller's keys, or the authorities of an org.
pub async fn held(app: &App, caller: &Caller, org: Option<&Namespace>) -> Result<KeysResponse> {
    let identity = caller.require(Scope::Read)?;
    let keys = match org {
        Some(org) if !knows_org(app, caller, org).await? => return Err(org_not_found(org)),
        Some(org) => table::of_org(app.db.reader(), &org.org_key()).await?,
        None => table::of_user(app.db.reader(), &identity.user.id).await?,
    };
    Ok(KeysResponse { keys: keys.iter().map(KeyRow::summary).collect() })
}

/// Revokes a key: what it signs from now on counts no more. Its owner may, admins of the org of an authority, and admins
/// of the registry.
#[utoipa::path(
    delete, path = "/api/v1/keys/{fingerprint}", tag = "keys",
    security(("token" = ["admin"])),
    params(("fingerprint" = String, Path, description = "`SHA256:…`, with `/` and `+` as they are or as `%2F` and `%2B`")),
    responses((status = 204), (status = "default", description = "a problem", body = Problem)),
)]
pub async fn revoke(call: &Call, fingerprint: &str) -> Result<Response> {
    end(&call.app, &call.caller, fingerprint).await?;
    Ok(done())
}

/// Revokes the key with this fingerprint.
pub async fn end(app: &App, caller: &Caller, fingerprint: &str) -> Result<()> {
    let identity = (**caller.require(Scope::Admin)?).clone();
    // What is no fingerprint is no key's; not every database takes it either.
    let fingerprint = fingerprint.parse::<Fingerprint>().map_err(|_| key_not_found())?.to_string();
    // A look first spares the one writer what nobody has enrolled.
    table::find(app.db.reader(), &fingerprint).await?.ok_or_else(key_not_found)?;
    app.db
        .write(move |tx| {
            Box::pin(async move {
                let identity = identity.again(tx).await?;
                let key = table::find(tx.connection(), &fingerprint).await?;
                let key = key.filter(|key| sees_key(&identity, key)).ok_or_else(key_not_found)?;
                if let Some(org) = &key.org {
                    check_bounds(&identity, org)?;
                }
                if key.revoked_at.is_none() {
                    table::revoke(tx, &fingerprint).await?;
                    tx.append(Some(&identity.user.id), Event::KeyRevoked { key: fingerprint });
                }
                Ok(())
            })
        })
        .await
}

fn key_not_found() -> Failure {
    Failure::new(ProblemCode::KeyNotFound, "")
}

/// Whether the caller may revoke the key. Whose it is, others are not told.
fn sees_key(identity: &Identity, key: &KeyRow) -> bool {
    let is_own = key.user.as_ref().is_some_and(|(user, _)| *user == identity.user.id);
    let is_admin = |org: &String| identity.role_in(org) >= Some(Role::Admin);
    is_own || identity.is_site_admin() || key.org.as_ref().is_some_and(is_admin)
}

/// Who may sign in a namespace, as `ssh-keygen -Y verify` reads it: every key of everybody who may publish there or might
/// once, each with the time of that, and the org's authorities. For whoever has a role there, above or below, or sees a
/// skill there or below of which a version neither waits nor was refused.
#[utoipa::path(
    get, path = "/api/v1/orgs/{namespace}/allowed_signers", tag = "keys",
    params(
        ("namespace" = String, Path, description = "an org, or what lies below one: that of the skill"),
        ("undated" = Option<bool>, Query, description = "only keys that count now, without times: for OpenSSH before 9.1"),
        ("signer" = Option<String>, Query, description = "only keys of the user with this name, and the org's authorities"),
    ),
    responses(
        (status = 200, description = "a file of allowed signers", body = String, content_type = "text/plain"),
        (status = "default", description = "a problem", body = Problem),
    ),
)]
pub async fn allowed_signers(call: &Call, namespace: &Namespace) -> Result<Response> {
    let db = &call.app.db;
    if !knows_namespace(call, namespace).await? {
        return Err(org_not_found(namespace));
    }
    let form = if call.parsed::<bool>("undated")?.unwrap_or(false) { Form::Undated } else { Form::Dated };
    let signer = call.parsed::<Segment>("signer")?;
    let too_many = || {
        let detail = format!("there are more than {MAX_SIGNERS} keys; name the one whose keys are wanted");
        invalid_parameter("signer", &detail)
    };
    let own = table::signers(db, namespace, signer.as_ref(), MAX_SIGNERS)
        .await?
        .ok_or_else(too_many)?
        .into_iter()
        .map(|signer| (vec![signer.name], signer.public_key, signer.from, signer.until, false));
    let authorities = table::of_org(db.reader(), &namespace.org_key()).await?;
    let authorities = authorities
        .into_iter()
        .map(|key| (vec!["*".to_owned()], key.public_key, key.enrolled_at, key.revoked_at, true));
    let signers: Vec<AllowedSigner> = own
        .chain(authorities)
        .filter_map(|(principals, key, enrolled_at, revoked_at, is_authority)| match key {
            AuthorKey::Ssh(key) => {
                Some(AllowedSigner { principals, key, enrolled_at, revoked_at, is_authority })
            }
            // OpenSSH knows no such keys.
            AuthorKey::Pem(_) => None,
        })
        .collect();
    let file = render(&signers, &[RELEASE_NAMESPACE, REVIEW_NAMESPACE], form).map_err(Failure::internal)?;
    Ok(text(file, "no-cache"))
}
