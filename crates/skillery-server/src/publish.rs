//! Publishing a version.
//!
//! Contents first, durably; then one transaction with the row and the log entry. That transaction's commit is the
//! moment of publishing: what stops before it leaves at most a content that nobody needs, which is collected.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use skillery_core::api::{PublishRequest, PublishResponse};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::event::Event;
use skillery_core::{Problem, ProblemCode, Role, Scope, SkillId, Visibility, signature};

use crate::access::{Caller, Identity, check_bounds, forbidden};
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::versions::VersionRow;
use crate::db::{Tx, contents, orgs, skills, versions};
use crate::draft::{self, Draft};
use crate::failure::{Failure, Result};
use crate::settings::NamespacePolicy;
use crate::signing_secret::{self, SigningSecret};
use crate::text::invalid;

/// How often a publish waits for the collector to be done with the same bytes.
const COLLECTOR_TRIES: u32 = 20;
const COLLECTOR_WAIT: Duration = Duration::from_millis(50);
/// Bytes that take long enough to be worth another thread.
const LARGE: usize = 64 * 1024;

/// What publishing did.
#[derive(Debug)]
pub enum Published {
    /// There is a new version.
    New(PublishResponse),
    /// The identical version was there already.
    Again(PublishResponse),
}

/// What the transaction goes by besides the request.
struct Rules {
    policy: NamespacePolicy,
    /// Versions that one skill may have.
    versions: i64,
    /// The number of collections when the content was stored.
    stored_at: i64,
}

enum Outcome {
    Done(Published),
    Doomed,
}

/// Publishes a version for the caller.
pub async fn publish(app: &App, caller: &Caller, request: PublishRequest) -> Result<Published> {
    let identity = Arc::clone(caller.require(Scope::Publish)?);
    let (draft, files) = draft::check(request, &identity, &app.settings.limits)?;
    check_bounds(&identity, &draft.id.namespace().key())?;
    let packed = pack(files).await?;
    let draft = draft::with_bundle(draft, &packed);
    let key = BlobKey::Bundle(draft.row.digest);
    // A look before the write spares the disk what the transaction would refuse. It asks the same whether the skill is
    // there or not, so that the time it takes tells nothing of hidden ones.
    if let Some(published) = look(app, &identity, &draft).await? {
        return Ok(published);
    }
    let bytes = Bytes::from(packed);
    for _ in 0..COLLECTOR_TRIES {
        let stored_at = contents::collections(app.db.reader()).await?;
        app.blobs.put(key, bytes.clone()).await?;
        let (draft, identity) = (draft.clone(), Arc::clone(&identity));
        let rules = Rules {
            policy: app.settings.namespaces,
            versions: app.settings.limits.versions_per_skill as i64,
            stored_at,
        };
        let secret = match draft.row.signature {
            Some(_) => signing_secret::of(app, &draft.id).await?,
            None => None,
        };
        let outcome = app
            .db
            .write(move |tx| Box::pin(async move { insert(tx, draft, &identity, secret, &rules).await }))
            .await?;
        match outcome {
            Outcome::Done(published) => {
                if matches!(published, Published::New(_)) {
                    app.metrics.published();
                }
                return Ok(published);
            }
            Outcome::Doomed => tokio::time::sleep(COLLECTOR_WAIT).await,
        }
    }
    Err(Failure::new(ProblemCode::Busy, "the same content is being collected"))
}

/// Packs files. Large ones are packed on a thread of their own, as it takes a while.
async fn pack(files: Vec<BundleFile>) -> Result<Vec<u8>> {
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    let packed = if size > LARGE {
        tokio::task::spawn_blocking(move || bundle::pack(files)).await.map_err(Failure::internal)?
    } else {
        bundle::pack(files)
    };
    packed.map_err(Failure::internal)
}

/// Answers a publish that repeats an earlier one, or contradicts it, without writing.
async fn look(app: &App, identity: &Identity, draft: &Draft) -> Result<Option<Published>> {
    let key = draft.id.key();
    match orgs::find(app.db.reader(), org_key(&key)).await? {
        Some(org) => {
            check_org_name(&org, &draft.id)?;
            check_role(identity, &draft.id)?;
        }
        None => check_policy(identity, &draft.id, app.settings.namespaces)?,
    }
    let Some(skill) = skills::find(app.db.reader(), &key).await? else { return Ok(None) };
    check_skill(&skill, draft)?;
    match versions::find(app.db.reader(), &key, &draft.row.version).await? {
        Some(existing) => compare(&skill, &existing, draft).map(Some),
        None => Ok(None),
    }
}

fn org_key(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}

fn check_org_name(org: &orgs::OrgRow, id: &SkillId) -> Result<()> {
    if org.name == id.org() {
        return Ok(());
    }
    Err(Failure::new(ProblemCode::NameTaken, format!("there is an org `{}` already", org.name)))
}

/// Nobody owns the org yet: may the caller become its owner?
fn check_policy(identity: &Identity, id: &SkillId, policy: NamespacePolicy) -> Result<()> {
    if policy == NamespacePolicy::Managed && !identity.is_site_admin() {
        return Err(Failure::new(ProblemCode::NamespaceManaged, format!("there is no org `{}`", id.org())));
    }
    check_bounds(identity, org_key(&id.key()))
}

/// The skill is there already: is it the one that is meant, seen by whom the request says?
fn check_skill(skill: &skills::SkillRow, draft: &Draft) -> Result<()> {
    if skill.id != draft.id {
        return Err(Failure::new(ProblemCode::NameTaken, format!("there is `{}` already", skill.id)));
    }
    match draft.visibility {
        Some(wanted) if wanted != skill.visibility => {
            let detail =
                format!("`{}` is {}; `visibility` changes by its own route", skill.id, skill.visibility);
            Err(invalid("visibility", detail))
        }
        _ => Ok(()),
    }
}

fn check_role(identity: &Identity, id: &SkillId) -> Result<()> {
    let namespace = id.namespace();
    match identity.role_in(&namespace.key()) {
        Some(role) if role >= Role::Publisher => Ok(()),
        _ => Err(forbidden(Role::Publisher, namespace.as_str())),
    }
}

async fn insert(
    tx: &mut Tx,
    mut draft: Draft,
    identity: &Identity,
    secret: Option<Arc<SigningSecret>>,
    rules: &Rules,
) -> Result<Outcome> {
    if !contents::is_safe(tx, &draft.row.digest, rules.stored_at).await? {
        return Ok(Outcome::Doomed);
    }
    ensure_org(tx, &draft.id, identity, rules.policy, secret.as_deref(), &draft.row).await?;
    let key = draft.id.key();
    let skill = match skills::find(tx.connection(), &key).await? {
        Some(skill) => {
            check_skill(&skill, &draft)?;
            skill
        }
        None => skills::insert(tx, &draft.id, draft.visibility.unwrap_or(Visibility::Public)).await?,
    };
    if let Some(existing) = versions::find(tx.connection(), &key, &draft.row.version).await? {
        return compare(&skill, &existing, &draft).map(Outcome::Done);
    }
    if versions::count(tx.connection(), &key).await? >= rules.versions {
        let detail = format!("`{}` has {} versions already", draft.id, rules.versions);
        return Err(Failure::new(ProblemCode::TooManyVersions, detail));
    }
    draft.row.created_at = tx.now;
    draft.row.log_position = tx.append(
        Some(&identity.user.id),
        Event::VersionPublished {
            skill: draft.id.clone(),
            version: draft.row.version.clone(),
            digest: draft.row.digest,
            size: u64::try_from(draft.row.size).unwrap_or(0),
            code_hash: draft.row.code_hash,
        },
    );
    versions::insert(tx, &key, &draft.row).await?;
    let version = &draft.row.version;
    if !version.is_prerelease() && skill.latest.as_ref().is_none_or(|latest| version > latest) {
        skills::set_latest(tx, &key, Some(version)).await?;
    }
    Ok(Outcome::Done(Published::New(response(&skill, &draft.row))))
}

/// The org exists and the caller may publish in it; or nobody owns it, and the caller becomes its owner.
async fn ensure_org(
    tx: &mut Tx,
    id: &SkillId,
    identity: &Identity,
    policy: NamespacePolicy,
    secret: Option<&SigningSecret>,
    row: &VersionRow,
) -> Result<()> {
    let namespace = id.namespace();
    let key = namespace.key();
    let Some(org) = orgs::find(tx.connection(), org_key(&key)).await? else {
        check_policy(identity, id, policy)?;
        let org: skillery_core::Namespace =
            id.org().parse().map_err(|error: skillery_core::id::IdError| {
                Failure::new(ProblemCode::InvalidId, error.to_string())
            })?;
        return crate::orgs::create(tx, &org, &identity.user.id, &identity.user.id).await.map(|_| ());
    };
    check_org_name(&org, id)?;
    // Roles may have changed since the caller was looked up; those in this transaction count.
    let mut identity = identity.clone();
    identity.roles = crate::db::accounts::roles(tx.connection(), &identity.user.id).await?;
    check_role(&identity, id)?;
    match (&org.signing_secret, &row.signature) {
        (Some(sealed), Some(signature)) => {
            let known = secret.filter(|secret| secret.sealed == *sealed);
            let Some(SigningSecret { secret, .. }) = known else {
                return Err(Failure::new(ProblemCode::Busy, "the org's signing secret has just changed"));
            };
            if signature::verify(id, &row.code_hash, secret.expose(), signature) {
                Ok(())
            } else {
                Err(Failure::new(
                    ProblemCode::SignatureMismatch,
                    format!("the signature does not fit `{id}`"),
                ))
            }
        }
        _ => Ok(()),
    }
}

/// A version is there already: the same one answers as the first time, another one is refused.
fn compare(skill: &skills::SkillRow, existing: &VersionRow, draft: &Draft) -> Result<Published> {
    let new = &draft.row;
    let mut different = Vec::new();
    let mut check = |field: &'static str, same: bool| {
        if !same {
            different.push(field);
        }
    };
    check("code", existing.code_hash == new.code_hash);
    check("description", existing.description == new.description);
    check("license", existing.license == new.license);
    check("tags", existing.tags == new.tags);
    check("homepage", existing.homepage == new.homepage);
    check("repository", existing.repository == new.repository);
    check("author", !draft.has_author || existing.author == new.author);
    check("signature", new.signature.is_none() || existing.signature == new.signature);
    if different.is_empty() && existing.digest == new.digest {
        return Ok(Published::Again(response(skill, existing)));
    }
    let problem = Problem::new(
        ProblemCode::VersionExists,
        format!(
            "{} {} is published already, and differs in: {}",
            skill.id,
            new.version,
            different.join(", ")
        ),
    );
    Err(problem.with("different", different).into())
}

fn response(skill: &skills::SkillRow, row: &VersionRow) -> PublishResponse {
    PublishResponse {
        id: skill.id.to_string(),
        version: row.version.to_string(),
        status: row.status,
        created_at: skill.created_at.to_string(),
        updated_at: row.created_at.to_string(),
    }
}
