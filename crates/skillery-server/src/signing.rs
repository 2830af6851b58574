//! Signatures of versions: whether one that is presented counts, and what the log says of it.
//!
//! A signature counts when it is one over the statement of exactly this version, by a key that is enrolled and not
//! revoked, and when its signer may publish there. All of that is decided in the transaction that logs it; only the
//! arithmetic comes before.

use skillery_core::api::{SignatureMark, SignatureUpload};
use skillery_core::event::Event;
use skillery_core::sign::author::{AuthorSignature, SignatureKind, Trusted};
use skillery_core::sign::sshsig::RELEASE_NAMESPACE;
use skillery_core::sign::statement::{Expected, Statement, StatementError, StatementFile};
use skillery_core::time::Time;
use skillery_core::{Digest, ProblemCode, SkillId, Version};

use crate::access::Identity;
use crate::app::App;
use crate::db::versions::VersionRow;
use crate::db::{Tx, accounts, keys, orgs, signatures};
use crate::failure::{Failure, Result};

/// Signatures that a version has at most.
pub const MAX_SIGNATURES: usize = 16;

/// A statement that is presented for a version, and signatures over it, none of them checked.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    /// The statement.
    pub statement: Option<String>,
    /// The signatures.
    pub signatures: Vec<SignatureUpload>,
}

/// A statement and signatures over it, whose arithmetic is right.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// The statement: it says of the version what is published.
    pub statement: Option<String>,
    /// The signatures.
    pub signatures: Vec<CheckedSignature>,
}

/// A signature that the key has made over the statement.
#[derive(Debug, Clone)]
pub struct CheckedSignature {
    kind: SignatureKind,
    signature: AuthorSignature,
    key: String,
    value: String,
    signer: String,
}

fn invalid_statement(detail: impl ToString) -> Failure {
    Failure::new(ProblemCode::InvalidStatement, detail.to_string())
}

fn invalid_signature(detail: impl ToString) -> Failure {
    Failure::new(ProblemCode::InvalidSignature, detail.to_string())
}

/// Checks what is presented for a version, as far as that needs no transaction.
pub async fn check(
    app: &App,
    presented: Presented,
    id: &SkillId,
    row: &VersionRow,
    identity: &Identity,
) -> Result<Checked> {
    let Presented { statement, signatures: uploads } = presented;
    let Some(text) = statement else {
        return match uploads.is_empty() {
            true => Ok(Checked::default()),
            false => Err(invalid_statement("there are signatures, and no statement that they sign")),
        };
    };
    if uploads.is_empty() || uploads.len() > MAX_SIGNATURES {
        return Err(invalid_signature(format!("a statement comes with 1 to {MAX_SIGNATURES} signatures")));
    }
    let statement = Statement::parse(text.as_bytes()).map_err(invalid_statement)?;
    let files = row.files.iter().map(file).collect::<Result<Vec<StatementFile>>>()?;
    let expected = Expected {
        registry: app.log_key.verifier().name(),
        id,
        version: &row.version,
        bundle: &row.digest,
        files: Some(&files),
    };
    statement.check(&expected).map_err(invalid_statement)?;
    // What a statement says is a function of these files, and of the build that publishes them, so that whoever signs first
    // does not decide what others sign. Only those that are kept from earlier may say more.
    let builds = [None, identity.token.via.as_deref()];
    let may_be = |build: Option<&str>| own(&expected, &files, build).is_ok_and(|own| own == text.as_bytes());
    if !builds.into_iter().any(may_be)
        && signatures::statement(app.db.reader(), &id.key(), &row.version).await?.as_ref() != Some(&text)
    {
        return Err(invalid_statement(
            "it says more than registry, version, files, and the build that the token is of",
        ));
    }
    let mut checked: Vec<CheckedSignature> = Vec::with_capacity(uploads.len());
    for upload in uploads {
        let signature = check_signature(app, upload, &text, identity).await?;
        if checked.iter().any(|other| other.key == signature.key && other.signer == signature.signer) {
            return Err(invalid_signature(format!("two of the signatures are by the key {}", signature.key)));
        }
        checked.push(signature);
    }
    Ok(Checked { statement: Some(text), signatures: checked })
}

/// The statement about a version, with the build that publishes it.
fn own(
    expected: &Expected<'_>,
    files: &[StatementFile],
    build: Option<&str>,
) -> std::result::Result<Vec<u8>, StatementError> {
    let Expected { registry, id, version, bundle, .. } = *expected;
    let statement = Statement::new(registry, id.clone(), version.clone(), *bundle, files.to_vec())?;
    match build {
        Some(build) => statement.with_builder(build)?.to_bytes(),
        None => statement.to_bytes(),
    }
}

fn file(summary: &skillery_core::api::FileSummary) -> Result<StatementFile> {
    let mode = u32::from_str_radix(&summary.mode, 8).map_err(Failure::internal)?;
    Ok(StatementFile { path: summary.path.clone(), mode, size: summary.size, sha256: summary.digest })
}

async fn check_signature(
    app: &App,
    upload: SignatureUpload,
    statement: &str,
    identity: &Identity,
) -> Result<CheckedSignature> {
    let SignatureUpload { kind, value } = upload;
    let signature = AuthorSignature::parse(kind, &value).map_err(invalid_signature)?;
    let fingerprint = signature.enrolled_fingerprint();
    let key = keys::find(app.db.reader(), &fingerprint).await?.ok_or_else(|| not_enrolled(&fingerprint))?;
    let (trusted, signer) = match &key.user {
        Some((signer, _)) => (Trusted::Key(&key.public_key), signer.clone()),
        None => {
            let at: Time = app.environment.now();
            let principal = identity.user.name.as_str();
            (Trusted::Authority { key: &key.public_key, principal, at }, identity.user.id.clone())
        }
    };
    signature.verify(trusted, RELEASE_NAMESPACE, statement.as_bytes()).map_err(invalid_signature)?;
    Ok(CheckedSignature { kind, signature, key: fingerprint, value, signer })
}

fn not_enrolled(fingerprint: &str) -> Failure {
    invalid_signature(format!("the key {fingerprint} is not enrolled"))
}

impl CheckedSignature {
    /// The signature's text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// SHA-256 of the signature's text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.value.as_bytes())
    }

    /// Whether it counts as things stand in this transaction: the key is good, and its signer may publish there. Where
    /// nobody owns the org yet, that is whoever claims it.
    pub async fn check_standing(&self, tx: &mut Tx, id: &SkillId, claimed_by: Option<&str>) -> Result<()> {
        let fingerprint = &self.key;
        let key = keys::find(tx.connection(), fingerprint).await?.ok_or_else(|| not_enrolled(fingerprint))?;
        if let Some(revoked) = key.revoked_at {
            return Err(invalid_signature(format!("the key {fingerprint} was revoked at {revoked}")));
        }
        if key.is_disabled {
            return Err(invalid_signature(format!("the user of the key {fingerprint} is switched off")));
        }
        self.check_certificate(tx).await?;
        if key.org.as_ref().is_some_and(|org| *org != id.org_key()) {
            return Err(invalid_signature(format!("the key {fingerprint} is the authority of another org")));
        }
        let may_publish = match claimed_by {
            Some(user) => self.signer == user,
            None => orgs::publisher_index(tx, &id.namespace(), &self.signer).await?.is_some(),
        };
        if may_publish {
            return Ok(());
        }
        Err(invalid_signature(format!("its signer has no role in `{}` that may publish", id.namespace())))
    }

    /// Of a certificate: it is valid at the time that the entry will have, by which clients judge it; the key that it is for was
    /// not revoked as somebody's own; and whoever it names is not switched off.
    async fn check_certificate(&self, tx: &mut Tx) -> Result<()> {
        let Some(certificate) = self.signature.certificate() else { return Ok(()) };
        certificate.check_time(tx.now).map_err(invalid_signature)?;
        let subject = certificate.key().fingerprint().to_string();
        let revoked = keys::find(tx.connection(), &subject).await?.and_then(|key| key.revoked_at);
        if let Some(revoked) = revoked {
            return Err(invalid_signature(format!("the certified key {subject} was revoked at {revoked}")));
        }
        let signer = accounts::user_by_id(tx.connection(), &self.signer).await?;
        match signer.is_some_and(|signer| signer.disabled_at.is_none()) {
            true => Ok(()),
            false => Err(invalid_signature("the user of the certificate is switched off")),
        }
    }

    /// What the log says of it, once [`CheckedSignature::check_standing`] has found nothing.
    pub async fn mark(&self, tx: &mut Tx, id: &SkillId) -> Result<SignatureMark> {
        let missing = || Failure::internal("a signature was not checked");
        let key = keys::find(tx.connection(), &self.key).await?.ok_or_else(missing)?;
        let member = orgs::publisher_index(tx, &id.namespace(), &self.signer).await?.ok_or_else(missing)?;
        Ok(SignatureMark {
            kind: self.kind,
            key: self.key.clone(),
            sha256: self.digest(),
            signer: self.signer.clone(),
            enrolled: key.log_index,
            member,
        })
    }
}

/// Logs signatures of a version that is there already. All are judged before anything is written: others may be at work in
/// this transaction, which must not have a part of what is refused. Those whose key and signer it has are passed over: a
/// signature can be written in any number of ways, and made any number of times.
pub async fn add(tx: &mut Tx, id: &SkillId, version: &Version, actor: &str, checked: Checked) -> Result<()> {
    let Some(statement) = checked.statement else { return Ok(()) };
    let key = id.key();
    let stored = signatures::statement(tx.connection(), &key, version).await?;
    same_version(stored.as_deref(), &statement, id, version)?;
    let mut marks = Vec::with_capacity(checked.signatures.len());
    for signature in &checked.signatures {
        let (count, is_known) =
            signatures::count(tx, &key, version, &signature.key, &signature.signer).await?;
        if is_known {
            continue;
        }
        if count + marks.len() as i64 >= MAX_SIGNATURES as i64 {
            let detail = format!("{id} {version} has {MAX_SIGNATURES} signatures at most");
            return Err(invalid_signature(detail));
        }
        signature.check_standing(tx, id, None).await?;
        marks.push((signature.mark(tx, id).await?, signature.value()));
    }
    if stored.is_none() && !marks.is_empty() {
        signatures::insert_statement(tx, &key, version, &statement).await?;
    }
    for (mark, value) in marks {
        let event = Event::VersionSigned {
            skill: id.clone(),
            version: version.clone(),
            statement: Digest::of(statement.as_bytes()),
            signature: mark.clone(),
        };
        let index = tx.append(Some(actor), event);
        signatures::insert(tx, &key, version, &mark, value, index).await?;
    }
    Ok(())
}

/// That this version, of all, is the one of the statement.
fn same_version(stored: Option<&str>, presented: &str, id: &SkillId, version: &Version) -> Result<()> {
    match stored {
        Some(stored) if stored != presented => {
            let detail = format!("{id} {version} has a statement already, and this is another one");
            Err(Failure::new(ProblemCode::StatementExists, detail))
        }
        _ => Ok(()),
    }
}
