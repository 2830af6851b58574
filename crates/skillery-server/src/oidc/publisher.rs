//! Trusting builds, and not trusting them any more.
//!
//! A publisher acts as a user of its own, which is made with it and has the role `publisher` in its namespace. So roles,
//! listings and the log need to know nothing new, and a publisher that is not trusted any more is a user without a
//! role who is switched off.

use std::collections::BTreeMap;

use skillery_core::api::{CreatePublisherRequest, Publisher, PublisherKind};
use skillery_core::canonical::canonical_json;
use skillery_core::event::{Event, PublisherMatch};
use skillery_core::{Digest, Limits, Namespace, ProblemCode, Role, Segment};

use super::matching::PROTECTED;
use super::settings::TrustedIssuer;
use crate::db::{Tx, accounts, oidc, orgs};
use crate::failure::{Failure, Result};
use crate::text::{check_text, invalid, named};

/// What names of such users begin with.
const NAME_PREFIX: &str = "ci-";
/// Claims that a generic publisher may want.
const MAX_CLAIMS: usize = 16;
/// Characters of what a claim must be.
const MAX_TEXT: usize = 255;

/// Whether a name is one that only users of publishers have.
pub fn is_service_name(name: &str) -> bool {
    name.starts_with(NAME_PREFIX)
}

/// Checks a request, and fills in what the settings say. Returns the publisher without its user and namespace.
pub fn checked(
    request: CreatePublisherRequest,
    issuers: &[TrustedIssuer],
    limits: &Limits,
) -> Result<Publisher> {
    let issuer = issuer(&request, issuers)?;
    let is_generic = request.kind == PublisherKind::Generic;
    let publisher = Publisher {
        id: String::new(),
        namespace: String::new(),
        user: String::new(),
        kind: request.kind,
        issuer: issuer.issuer.clone(),
        repository: request.repository,
        owner_id: request.owner_id,
        workflow: request.workflow,
        environment: request.environment,
        reference: request.reference,
        claims: request.claims,
        created_at: Default::default(),
    };
    if is_generic {
        let others = [&publisher.repository, &publisher.owner_id, &publisher.workflow];
        if others.iter().any(|other| other.is_some())
            || publisher.environment.is_some()
            || publisher.reference.is_some()
        {
            return Err(invalid("claims", "a `generic` publisher is described by `claims` alone"));
        }
        check_claims(&publisher.claims)?;
        return Ok(publisher);
    }
    if !publisher.claims.is_empty() {
        return Err(invalid("claims", "`claims` is for `generic` publishers"));
    }
    check_repository(&publisher)?;
    let owner = needed("owner_id", publisher.owner_id.as_deref())?;
    if owner.len() > 20 || !owner.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid("owner_id", "`owner_id` is a number; names of owners change hands"));
    }
    check_workflow(&publisher)?;
    if let Some(environment) = &publisher.environment {
        check_text("environment", environment, limits.text_length.min(MAX_TEXT), false)?;
        if environment.is_empty() {
            return Err(invalid("environment", "`environment` is empty; leave it out for any"));
        }
    }
    check_reference(publisher.reference.as_deref())?;
    Ok(publisher)
}

fn issuer<'a>(request: &CreatePublisherRequest, issuers: &'a [TrustedIssuer]) -> Result<&'a TrustedIssuer> {
    let mut of_kind = issuers.iter().filter(|issuer| issuer.kind == request.kind);
    let not_allowed = |detail: String| Failure::new(ProblemCode::IssuerNotAllowed, detail);
    match &request.issuer {
        Some(wanted) => of_kind.find(|issuer| issuer.issuer == *wanted).ok_or_else(|| {
            not_allowed(format!("`{}` is no `{}` issuer of this registry", named(wanted), request.kind))
        }),
        None => match (of_kind.next(), of_kind.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(not_allowed(format!("this registry has no `{}` issuer", request.kind))),
            (Some(_), Some(_)) => Err(invalid(
                "issuer",
                format!("this registry has several `{}` issuers; name one", request.kind),
            )),
        },
    }
}

fn needed<'a>(field: &str, value: Option<&'a str>) -> Result<&'a str> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| invalid(field, format!("`{field}` is needed")))
}

fn is_plain(text: &str, also: &[u8]) -> bool {
    (1..=MAX_TEXT).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte) || also.contains(&byte))
}

/// ASCII only, so that no letter of another alphabet can stand for one of it.
fn check_repository(publisher: &Publisher) -> Result<()> {
    let repository = needed("repository", publisher.repository.as_deref())?;
    let segments = repository.split('/').count();
    let fits = match publisher.kind {
        PublisherKind::Github => segments == 2,
        _ => (2..=21).contains(&segments),
    };
    let is_name = |segment: &str| is_plain(segment, b"") && !segment.bytes().all(|byte| byte == b'.');
    if fits && repository.len() <= MAX_TEXT && repository.split('/').all(is_name) {
        return Ok(());
    }
    Err(invalid("repository", "`repository` must be `owner/name`, of letters, digits, `.`, `_` and `-`"))
}

fn check_workflow(publisher: &Publisher) -> Result<()> {
    let workflow = needed("workflow", publisher.workflow.as_deref())?;
    let is_yaml = workflow.ends_with(".yml") || workflow.ends_with(".yaml");
    let fits = match publisher.kind {
        PublisherKind::Github => is_plain(workflow, b""),
        _ => is_plain(workflow, b"/") && workflow.split('/').all(|part| !matches!(part, "" | "." | "..")),
    };
    if fits && is_yaml {
        return Ok(());
    }
    Err(invalid("workflow", "`workflow` must be the name of a file of workflows, such as `release.yml`"))
}

fn check_reference(reference: Option<&str>) -> Result<()> {
    let Some(reference) = reference.filter(|reference| *reference != PROTECTED) else { return Ok(()) };
    let name = reference.strip_prefix("refs/heads/").or_else(|| reference.strip_prefix("refs/tags/"));
    if name.is_some_and(|name| is_plain(name, b"/+#@")) {
        return Ok(());
    }
    Err(invalid("ref", "`ref` must be `refs/heads/…`, `refs/tags/…`, or `protected`"))
}

fn check_claims(claims: &BTreeMap<String, String>) -> Result<()> {
    if !claims.contains_key("sub") {
        return Err(invalid("claims", "`claims` must say what `sub` is: it is who the issuer vouches for"));
    }
    if claims.len() > MAX_CLAIMS {
        return Err(invalid("claims", format!("`claims` has more than {MAX_CLAIMS} claims")));
    }
    for (name, value) in claims {
        for text in [name, value] {
            check_text("claims", text, MAX_TEXT, false)?;
            if text.is_empty() {
                return Err(invalid("claims", "`claims` has an empty text"));
            }
        }
    }
    Ok(())
}

/// Lets builds publish into a namespace: makes the user that they act as.
pub async fn trust(
    tx: &mut Tx,
    namespace: &Namespace,
    mut publisher: Publisher,
    ids: (String, String),
    actor: &str,
    most: usize,
) -> Result<Publisher> {
    let (id, user) = ids;
    orgs::find(tx.connection(), &namespace.org_key()).await?.ok_or_else(|| {
        Failure::new(ProblemCode::OrgNotFound, format!("there is no org `{}` here", namespace.org()))
    })?;
    let key = namespace.key();
    let present = oidc::publishers_of(tx.connection(), &key).await?;
    if present.len() >= most {
        return Err(invalid("namespace", format!("`{namespace}` trusts {most} publishers already")));
    }
    let description = |publisher: &Publisher| {
        let Publisher {
            kind, issuer, repository, owner_id, workflow, environment, reference, claims, ..
        } = publisher.clone();
        (kind, issuer, repository, owner_id, workflow, environment, reference, claims)
    };
    if let Some(same) = present.iter().find(|other| description(other) == description(&publisher)) {
        let problem = skillery_core::Problem::new(
            ProblemCode::PublisherExists,
            format!("`{namespace}` trusts this already, as {}", same.id),
        );
        return Err(problem.with("publisher", same.id.clone()).into());
    }
    publisher.user = name(&publisher, &id);
    publisher.namespace = key;
    publisher.created_at = tx.now;
    publisher.id = id;
    accounts::insert_user(tx, user.clone(), &publisher.user, false).await?;
    tx.append(Some(actor), Event::UserCreated { user: user.clone(), admin: false });
    let index = tx.append(
        Some(actor),
        Event::PublisherTrusted {
            publisher: publisher.id.clone(),
            namespace: namespace.to_string(),
            user: user.clone(),
            issuer: publisher.issuer.clone(),
            matches: logged(&publisher)?,
        },
    );
    oidc::insert_publisher(tx, &publisher, namespace, &user, index).await?;
    let index = tx.append(
        Some(actor),
        Event::MemberSet { namespace: namespace.to_string(), user: user.clone(), role: Role::Publisher },
    );
    orgs::set_member(tx, namespace, &user, Role::Publisher, index).await?;
    Ok(publisher)
}

/// A name that people can tell and that nobody has: of the repository, and of the id.
fn name(publisher: &Publisher, id: &str) -> String {
    const LENGTH: usize = 40;
    let of = publisher.repository.as_deref().and_then(|repository| repository.rsplit('/').next());
    let plain = of.unwrap_or_default().to_ascii_lowercase();
    let plain: String =
        plain.chars().filter(|character| character.is_ascii_alphanumeric()).take(LENGTH).collect();
    let end: String = id.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect();
    let name = format!("{NAME_PREFIX}{plain}-{end}");
    if plain.is_empty() || name.parse::<Segment>().is_err() {
        format!("{NAME_PREFIX}publisher-{end}")
    } else {
        name
    }
}

fn logged(publisher: &Publisher) -> Result<PublisherMatch> {
    let claims = match publisher.kind {
        PublisherKind::Generic => Some(Digest::of(
            &canonical_json(&publisher.claims).map_err(|error| Failure::internal(error.to_string()))?,
        )),
        _ => None,
    };
    Ok(PublisherMatch {
        kind: publisher.kind.to_string(),
        repository: publisher.repository.clone(),
        owner_id: publisher.owner_id.clone(),
        workflow: publisher.workflow.clone(),
        environment: publisher.environment.clone(),
        reference: publisher.reference.clone(),
        claims,
    })
}

/// Trusts a publisher of a namespace no more: takes the role of its user, and switches the user off.
pub async fn untrust(tx: &mut Tx, namespace: &Namespace, id: &str, actor: &str) -> Result<()> {
    let not_found =
        || Failure::new(ProblemCode::PublisherNotFound, format!("`{namespace}` trusts no such publisher"));
    let (publisher, user) = oidc::publisher(tx.connection(), id)
        .await?
        .filter(|(publisher, _)| publisher.namespace == namespace.key())
        .ok_or_else(not_found)?;
    oidc::remove_publisher(tx, &publisher.id).await?;
    tx.append(
        Some(actor),
        Event::PublisherUntrusted { publisher: publisher.id, namespace: namespace.to_string() },
    );
    if orgs::own_role(tx, namespace, &user).await?.is_some() {
        orgs::remove_member(tx, namespace, &user).await?;
        tx.append(Some(actor), Event::MemberRemoved { namespace: namespace.to_string(), user: user.clone() });
    }
    if let Some(mut row) = accounts::user_by_id(tx.connection(), &user).await?
        && row.disabled_at.is_none()
    {
        accounts::set_disabled(tx, &mut row, true).await?;
        tx.append(Some(actor), Event::UserDisabled { user, disabled: true });
    }
    Ok(())
}
