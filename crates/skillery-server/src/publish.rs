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
use skillery_core::id::IdError;
use skillery_core::{Namespace, Problem, ProblemCode, Role, Scope, SkillId, Visibility, signature};

use crate::access::{Caller, Identity, check_bounds, forbidden};
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::orgs::OrgRow;
use crate::db::publishing::{Situation, situation};
use crate::db::versions::VersionRow;
use crate::db::{Tx, skills, versions};
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
    let bytes = Bytes::from(packed);
    for _ in 0..COLLECTOR_TRIES {
        // A look before the write spares the disk what the transaction would refuse. It asks the same whether the skill
        // is there or not, so that the time it takes tells nothing of hidden ones.
        let situation = look(app.db.reader(), &identity, &draft).await?;
        check_situation(&situation, &identity, &draft, app.settings.namespaces)?;
        if let Some(skill) = situation.skill.filter(|_| situation.has_version) {
            return compare_with_stored(app.db.reader(), &skill, &draft).await;
        }
        app.blobs.put(key, bytes.clone()).await?;
        let (draft, identity) = (draft.clone(), Arc::clone(&identity));
        let rules = Rules {
            policy: app.settings.namespaces,
            versions: app.settings.limits.versions_per_skill as i64,
            stored_at: situation.collections,
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

async fn look(
    executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
    identity: &Identity,
    draft: &Draft,
) -> Result<Situation> {
    situation(executor, &draft.id, &draft.row.version, &draft.row.digest, &identity.user.id).await
}

/// Whether the caller may publish this, as things stand.
fn check_situation(
    situation: &Situation,
    identity: &Identity,
    draft: &Draft,
    policy: NamespacePolicy,
) -> Result<()> {
    match &situation.org {
        Some(org) => {
            check_org_name(org, &draft.id)?;
            if !situation.may_publish && !identity.is_site_admin() {
                return Err(forbidden(Role::Publisher, draft.id.namespace().as_str()));
            }
        }
        None => check_policy(identity, &draft.id, policy)?,
    }
    situation.skill.as_ref().map_or(Ok(()), |skill| check_skill(skill, draft))
}

/// Answers a publish that repeats an earlier one, or contradicts it.
async fn compare_with_stored(
    executor: impl sqlx::Executor<'_, Database = sqlx::Any>,
    skill: &skills::SkillRow,
    draft: &Draft,
) -> Result<Published> {
    let version = &draft.row.version;
    match versions::find(executor, &draft.id.key(), version).await? {
        Some(existing) => compare(skill, &existing, draft),
        None => Err(Failure::internal(format!("{} {version} was there a moment ago", draft.id))),
    }
}

fn org_key(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}

fn check_org_name(org: &OrgRow, id: &SkillId) -> Result<()> {
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

async fn insert(
    tx: &mut Tx,
    mut draft: Draft,
    identity: &Identity,
    secret: Option<Arc<SigningSecret>>,
    rules: &Rules,
) -> Result<Outcome> {
    // Things may have changed since the look; how they stand in this transaction counts.
    let situation = look(tx.connection(), identity, &draft).await?;
    if situation.is_doomed || situation.collections != rules.stored_at {
        return Ok(Outcome::Doomed);
    }
    check_situation(&situation, identity, &draft, rules.policy)?;
    match &situation.org {
        Some(org) => check_signature(org, &draft, secret.as_deref())?,
        None => claim_org(tx, &draft.id, identity).await?,
    }
    let key = draft.id.key();
    if let Some(skill) = situation.skill.as_ref().filter(|_| situation.has_version) {
        return compare_with_stored(tx.connection(), skill, &draft).await.map(Outcome::Done);
    }
    if situation.versions >= rules.versions {
        let detail = format!("`{}` has {} versions already", draft.id, rules.versions);
        return Err(Failure::new(ProblemCode::TooManyVersions, detail));
    }
    let version = draft.row.version.clone();
    let is_stable = !version.is_prerelease();
    let (skill, is_new) = match situation.skill {
        Some(skill) => (skill, false),
        None => {
            let visibility = draft.visibility.unwrap_or(Visibility::Public);
            (skills::insert(tx, &draft.id, visibility, Some(&version).filter(|_| is_stable)).await?, true)
        }
    };
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
    if !is_new && is_stable && skill.latest.as_ref().is_none_or(|latest| version > *latest) {
        skills::set_latest(tx, &key, Some(&version)).await?;
    }
    Ok(Outcome::Done(Published::New(response(&skill, &draft.row))))
}

/// Nobody owns the org: its first publisher becomes its owner.
async fn claim_org(tx: &mut Tx, id: &SkillId, identity: &Identity) -> Result<()> {
    let org: Namespace =
        id.org().parse().map_err(|error: IdError| Failure::new(ProblemCode::InvalidId, error.to_string()))?;
    crate::orgs::create(tx, &org, &identity.user.id, &identity.user.id).await?;
    Ok(())
}

/// A signature must fit where the org registered its secret.
fn check_signature(org: &OrgRow, draft: &Draft, secret: Option<&SigningSecret>) -> Result<()> {
    let (Some(sealed), Some(signature)) = (&org.signing_secret, &draft.row.signature) else { return Ok(()) };
    let Some(known) = secret.filter(|secret| secret.sealed == *sealed) else {
        return Err(Failure::new(ProblemCode::Busy, "the org's signing secret has just changed"));
    };
    if signature::verify(&draft.id, &draft.row.code_hash, known.secret.expose(), signature) {
        return Ok(());
    }
    let detail = format!("the signature does not fit `{}`", draft.id);
    Err(Failure::new(ProblemCode::SignatureMismatch, detail))
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
