//! Publishing a version.
//!
//! Contents first, durably; then one transaction with the row and the log entry. That transaction's commit is the
//! moment of publishing: what stops before it leaves at most a content that nobody needs, which is collected.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use skillery_core::api::{FileSummary, PublishRequest, PublishResponse};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::event::Event;
use skillery_core::{
    Digest, Limits, Problem, ProblemCode, Role, Scope, SkillId, Version, VersionStatus, Visibility, signature,
};

use crate::access::{Caller, Identity, check_bounds, forbidden};
use crate::app::App;
use crate::blobs::BlobKey;
use crate::db::versions::VersionRow;
use crate::db::{Tx, contents, orgs, skills, versions};
use crate::failure::{Failure, Result};
use crate::settings::NamespacePolicy;
use crate::signing_secret::{self, SigningSecret};

/// How often a publish waits for the collector to be done with the same bytes.
const COLLECTOR_TRIES: u32 = 20;
const COLLECTOR_WAIT: Duration = Duration::from_millis(50);
/// Characters of words that are kept for the search index.
const WORDS_LENGTH: usize = 2_000;

/// A checked request: everything about the version but its place in the log.
#[derive(Debug, Clone)]
struct Draft {
    id: SkillId,
    visibility: Option<Visibility>,
    has_author: bool,
    row: VersionRow,
}

/// What publishing did.
#[derive(Debug)]
pub enum Published {
    /// There is a new version.
    New(PublishResponse),
    /// The identical version was there already.
    Again(PublishResponse),
}

enum Outcome {
    Done(Published),
    Doomed,
}

/// Publishes a version for the caller.
pub async fn publish(app: &App, caller: &Caller, request: PublishRequest) -> Result<Published> {
    let identity = Arc::clone(caller.require(Scope::Publish)?);
    let (draft, files) = check(request, &identity, &app.settings.limits)?;
    check_bounds(&identity, &draft.id.namespace().key())?;
    let packed = bundle::pack(files).map_err(Failure::internal)?;
    let draft = with_bundle(draft, &packed);
    let key = BlobKey::Bundle(draft.row.digest);
    // A look before the write spares the disk what the transaction would refuse.
    if let Some(published) = look(app, &identity, &draft).await? {
        return Ok(published);
    }
    let bytes = Bytes::from(packed);
    for _ in 0..COLLECTOR_TRIES {
        app.blobs.put(key, bytes.clone()).await?;
        let (draft, identity) = (draft.clone(), Arc::clone(&identity));
        let policy = app.settings.namespaces;
        let secret = match draft.row.signature {
            Some(_) => signing_secret::of(app, &draft.id).await?,
            None => None,
        };
        let outcome = app
            .db
            .write(move |tx| Box::pin(async move { insert(tx, draft, &identity, policy, secret).await }))
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

fn invalid(field: &str, detail: impl Into<String>) -> Failure {
    Problem::new(ProblemCode::InvalidField, detail).with("field", field).into()
}

fn check(request: PublishRequest, identity: &Identity, limits: &Limits) -> Result<(Draft, Vec<BundleFile>)> {
    let id: SkillId = request.id.parse().map_err(|error: skillery_core::id::IdError| {
        Failure::new(ProblemCode::InvalidId, error.to_string())
    })?;
    if request.name.as_ref().is_some_and(|name| name != id.name()) {
        return Err(invalid("name", format!("`name` must be `{}`, the last segment of `id`", id.name())));
    }
    if request.org.as_ref().is_some_and(|org| *org != id.namespace().as_str()) {
        return Err(invalid("org", format!("`org` must be `{}`, the namespace of `id`", id.namespace())));
    }
    let version: Version =
        request.version.parse().map_err(|error: skillery_core::version::VersionError| {
            Failure::new(ProblemCode::InvalidVersion, error.to_string())
        })?;
    let code_hash = check_code(&request.code, request.code_hash.as_deref(), limits)?;
    let signature = request.signature.filter(|signature| !signature.is_empty());
    if let Some(signature) = &signature {
        let well_formed = signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !well_formed {
            return Err(invalid("signature", "`signature` must be 64 hexadecimal digits: an HMAC-SHA256"));
        }
    }
    check_text("description", &request.description, limits.description_length, true)?;
    let author = request.author.filter(|author| !author.trim().is_empty());
    let license =
        request.license.filter(|license| !license.trim().is_empty()).unwrap_or_else(|| "MIT".to_owned());
    for (field, text) in [("author", author.as_deref()), ("license", Some(license.as_str()))] {
        check_text(field, text.unwrap_or_default(), limits.text_length, false)?;
    }
    let homepage = check_url("homepage", request.homepage, limits, &["http", "https"])?;
    let repository = check_url("repository", request.repository, limits, &["http", "https", "git", "ssh"])?;
    let tags = check_tags(request.tags, limits)?;
    let files = bundle::from_code(&id, &version, &request.description, &license, &request.code);
    let row = VersionRow {
        status: VersionStatus::Published,
        digest: code_hash,
        size: 0,
        code_hash,
        signature,
        description: request.description,
        tags,
        author: author.clone().unwrap_or_else(|| identity.user.name.clone()),
        license,
        homepage,
        repository,
        files: files.iter().map(summary).collect(),
        words: words_of(&request.code),
        publisher: identity.user.id.clone(),
        created_at: Default::default(),
        reason: None,
        log_position: 0,
        version,
    };
    Ok((Draft { id, visibility: request.visibility, has_author: author.is_some(), row }, files))
}

fn summary(file: &BundleFile) -> FileSummary {
    FileSummary {
        path: file.path.clone(),
        size: file.bytes.len() as u64,
        mode: if file.executable { "0755" } else { "0644" }.to_owned(),
        digest: Digest::of(&file.bytes),
    }
}

fn with_bundle(mut draft: Draft, packed: &[u8]) -> Draft {
    draft.row.digest = bundle::digest(packed);
    draft.row.size = packed.len() as i64;
    draft
}

fn check_code(code: &str, code_hash: Option<&str>, limits: &Limits) -> Result<Digest> {
    if code.len() > limits.code_bytes {
        let problem = Problem::new(
            ProblemCode::CodeTooLarge,
            format!("`code` has {} bytes, the limit is {}", code.len(), limits.code_bytes),
        );
        return Err(problem.with("limit", limits.code_bytes).into());
    }
    if code.trim().is_empty() {
        return Err(Failure::new(ProblemCode::InvalidCode, "`code` is empty"));
    }
    if let Some(position) = code.find('\0') {
        return Err(Failure::new(
            ProblemCode::InvalidCode,
            format!("`code` has a NUL character at byte {position}"),
        ));
    }
    let actual = Digest::of(code.as_bytes());
    match code_hash.filter(|hash| !hash.is_empty()) {
        None => Ok(actual),
        Some(claimed) if claimed.parse() == Ok(actual) => Ok(actual),
        Some(claimed) => {
            let shown: String = claimed.chars().take(80).flat_map(char::escape_default).collect();
            let problem = Problem::new(
                ProblemCode::CodeHashMismatch,
                format!("`code_hash` is {shown}, but the SHA-256 of `code` is {actual}"),
            );
            Err(problem.with("field", "code_hash").into())
        }
    }
}

fn check_text(field: &str, text: &str, limit: usize, lines: bool) -> Result<()> {
    if text.chars().count() > limit {
        return Err(invalid(field, format!("`{field}` is longer than {limit} characters")));
    }
    let bad = |character: char| match character {
        '\n' | '\t' | '\r' => !lines,
        // Characters that turn the direction of text around, or are not seen, make a text lie.
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => true,
        other => other.is_control(),
    };
    match text.chars().find(|character| bad(*character)) {
        None => Ok(()),
        Some(found) => Err(invalid(
            field,
            format!("`{field}` has the character {}, which is not allowed", found.escape_unicode()),
        )),
    }
}

fn check_url(field: &str, text: Option<String>, limits: &Limits, schemes: &[&str]) -> Result<Option<String>> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    check_text(field, &text, limits.text_length, false)?;
    let good = url::Url::parse(&text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    if good {
        return Ok(Some(text));
    }
    Err(invalid(field, format!("`{field}` must be a URL with one of the schemes {}", schemes.join(", "))))
}

fn check_tags(tags: Vec<String>, limits: &Limits) -> Result<Vec<String>> {
    if tags.len() > limits.tags {
        return Err(invalid("tags", format!("there are {} tags, the limit is {}", tags.len(), limits.tags)));
    }
    let mut seen = BTreeSet::new();
    let mut kept = Vec::with_capacity(tags.len());
    for tag in tags {
        check_text("tags", &tag, limits.tag_length, false)?;
        if tag.trim() != tag || tag.is_empty() || tag.contains(',') {
            return Err(invalid(
                "tags",
                format!("the tag `{}` is empty, or has a comma or outer blanks", tag.escape_debug()),
            ));
        }
        if seen.insert(tag.to_lowercase()) {
            kept.push(tag);
        }
    }
    Ok(kept)
}

/// The different words of the content, in order, for the search index.
fn words_of(code: &str) -> String {
    let mut seen = BTreeSet::new();
    let mut words = String::new();
    for word in code.split(|character: char| !character.is_alphanumeric()) {
        if !(3..=30).contains(&word.len()) || word.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        if words.len() + word.len() > WORDS_LENGTH {
            break;
        }
        if seen.insert(word) {
            words.push_str(word);
            words.push(' ');
        }
    }
    words
}

/// Answers a publish that repeats an earlier one, or contradicts it, without writing.
async fn look(app: &App, identity: &Identity, draft: &Draft) -> Result<Option<Published>> {
    let key = draft.id.key();
    let Some(skill) = skills::find(app.db.reader(), &key).await? else { return Ok(None) };
    check_role(identity, &draft.id)?;
    match versions::find(app.db.reader(), &key, &draft.row.version).await? {
        Some(existing) => compare(&skill, &existing, draft).map(Some),
        None => Ok(None),
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
    policy: NamespacePolicy,
    secret: Option<Arc<SigningSecret>>,
) -> Result<Outcome> {
    if contents::is_doomed(tx.connection(), &draft.row.digest).await? {
        return Ok(Outcome::Doomed);
    }
    ensure_org(tx, &draft.id, identity, policy, secret.as_deref(), &draft.row).await?;
    let key = draft.id.key();
    let skill = match skills::find(tx.connection(), &key).await? {
        Some(skill) if skill.id != draft.id => {
            return Err(Failure::new(ProblemCode::NameTaken, format!("there is `{}` already", skill.id)));
        }
        Some(skill) => skill,
        None => skills::insert(tx, &draft.id, draft.visibility.unwrap_or(Visibility::Public)).await?,
    };
    if let Some(existing) = versions::find(tx.connection(), &key, &draft.row.version).await? {
        return compare(&skill, &existing, &draft).map(Outcome::Done);
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
    let org_key = key.split('/').next().unwrap_or(&key).to_owned();
    let Some(org) = orgs::find(tx.connection(), &org_key).await? else {
        if policy == NamespacePolicy::Managed && !identity.is_site_admin() {
            return Err(Failure::new(
                ProblemCode::NamespaceManaged,
                format!("there is no org `{}`", id.org()),
            ));
        }
        check_bounds(identity, &org_key)?;
        let org: skillery_core::Namespace =
            id.org().parse().map_err(|error: skillery_core::id::IdError| {
                Failure::new(ProblemCode::InvalidId, error.to_string())
            })?;
        return crate::orgs::create(tx, &org, &identity.user.id, &identity.user.id).await.map(|_| ());
    };
    if org.name != id.org() {
        return Err(Failure::new(ProblemCode::NameTaken, format!("there is an org `{}` already", org.name)));
    }
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
