//! Publishing a version.
//!
//! Contents first, durably; then one transaction with the row and the log entry. That transaction's commit is the
//! moment of publishing: what stops before it leaves at most a content that nobody needs, which is collected.

mod compare;
mod insert;
mod together;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use skillery_core::api::{BundleRequest, PublishRequest};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{Digest, ProblemCode, Role, Scope, SkillId, Version};

use crate::access::{Caller, Identity, check_bounds};
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::publishing::Question;
use crate::db::versions;
use crate::draft::{self, Draft};
use crate::failure::{Failure, Result};
use crate::origin;
use crate::signing::{self, Presented};
use crate::signing_secret;
use crate::turns::Turn;
pub use compare::Published;
pub use insert::Rules;
use insert::{Entry, Outcome, check_situation, question};
pub use together::Publishing;

/// How often a publish waits for the collector to be done with the same bytes.
const COLLECTOR_TRIES: u32 = 20;
const COLLECTOR_WAIT: Duration = Duration::from_millis(50);
/// Bytes that take long enough to be worth another thread.
const LARGE: usize = 64 * 1024;

/// Publishes a version for the caller.
pub async fn publish(app: &App, caller: &Caller, request: PublishRequest) -> Result<Published> {
    let identity = Arc::clone(caller.require(Scope::Publish)?);
    let (draft, files, presented) = draft::check(request, &identity, &app.settings.limits)?;
    check_bounds(&identity, &draft.id.namespace().key())?;
    let (packed, digest) = pack(files).await?;
    let draft = draft::with_bundle(draft, digest, packed.len());
    write(app, identity, draft, presented, packed.into()).await
}

/// Publishes a folder for the caller: every door that takes one comes here. What the folder says is checked, and all that
/// is wrong with it is told at once.
///
/// The files, and the ZIP that is made of them, are in memory: who receives files from outside has had the turn from before
/// they were read.
pub async fn publish_bundle(
    app: &App,
    caller: &Caller,
    request: BundleRequest,
    files: Vec<BundleFile>,
    turn: Turn,
) -> Result<Published> {
    let identity = Arc::clone(caller.require(Scope::Publish)?);
    check_bounds(&identity, &request.id.parse::<SkillId>()?.namespace().key())?;
    let (publisher, limits) = (Arc::clone(&identity), app.settings.limits.clone());
    let check = move || draft::check_folder(request, files, &publisher, &limits);
    let (draft, packed, presented) = turn.work(check).await?;
    write(app, identity, draft, presented, turn.keep(packed)).await
}

/// Whether the caller may publish this at all, as things stand: asked before a bundle is received. It is decided again
/// when the version is written.
pub async fn check_request(app: &App, caller: &Caller, request: &BundleRequest) -> Result<()> {
    let identity = caller.require(Scope::Publish)?;
    let (id, version) = (request.id.parse::<SkillId>()?, request.version.parse::<Version>()?);
    check_bounds(identity, &id.namespace().key())?;
    let asked = Question {
        id: id.clone(),
        version,
        // Of the content nothing is known yet.
        digest: Digest::of(b""),
        user: identity.user.id.clone(),
        token: identity.token.id.clone(),
    };
    let situation = app.publishing.look(asked).await?;
    check_situation(&situation, identity, &id, request.visibility, app.settings.namespaces)
}

/// Stores a checked version and its content: the one way of all that is published.
async fn write(
    app: &App,
    identity: Arc<Identity>,
    mut draft: Draft,
    presented: Presented,
    bytes: Bytes,
) -> Result<Published> {
    draft.signed = signing::check(app, presented, &draft.id, &draft.row, &identity).await?;
    let key = BlobKey::Bundle(draft.row.digest);
    let may_publish =
        identity.role_in(&draft.id.namespace().key()).is_some_and(|role| role >= Role::Publisher);
    for attempt in 0..COLLECTOR_TRIES {
        // A look before the write spares the disk what the transaction would refuse. Whoever may publish there needs
        // none; everybody else is asked the same whether the skill is there or not, so that the time it takes tells
        // nothing of hidden ones.
        let stored_at = match app.publishing.collections().filter(|_| may_publish && attempt == 0) {
            Some(collections) => collections,
            None => {
                let situation = app.publishing.look(question(&draft, &identity)).await?;
                check_situation(&situation, &identity, &draft.id, draft.visibility, app.settings.namespaces)?;
                if let Some(skill) = situation.skill.filter(|_| situation.has_version) {
                    let existing =
                        versions::find(app.db.reader(), &draft.id.key(), &draft.row.version).await?;
                    let published = compare::compare(&skill, existing, &draft)?;
                    // What was signed of it is judged, and logged, where everything is.
                    if draft.signed.signatures.is_empty() {
                        return Ok(published);
                    }
                }
                situation.collections
            }
        };
        app.blobs.put(key, bytes.clone()).await?;
        let secret = match draft.row.signature {
            Some(_) => signing_secret::of(app, &draft.id).await?,
            None => None,
        };
        let origin = origin::current();
        let entry = Entry { draft, identity: Arc::clone(&identity), secret, stored_at, origin };
        match app.publishing.insert(entry).await? {
            Outcome::Done(published) => {
                if matches!(published, Published::New(_)) {
                    app.metrics.published();
                }
                return Ok(published);
            }
            Outcome::Doomed(again) => {
                draft = *again;
                tokio::time::sleep(COLLECTOR_WAIT).await;
            }
        }
    }
    Err(Failure::new(ProblemCode::Busy, "the same content is being collected"))
}

/// Packs files. Large ones are packed on a thread of their own, as it takes a while.
async fn pack(files: Vec<BundleFile>) -> Result<(Vec<u8>, Digest)> {
    let size: usize = files.iter().map(|file| file.bytes.len()).sum();
    let pack = move || {
        let packed = bundle::pack(files).map_err(Failure::internal)?;
        let digest = bundle::digest(&packed);
        Ok((packed, digest))
    };
    match size > LARGE {
        true => tokio::task::spawn_blocking(pack).await.map_err(Failure::internal)?,
        false => pack(),
    }
}
