//! Whether a version is signed: by whom, and whether that counted at its place in the log.

use skillery_core::api::{SignatureMark, VersionSignature};
use skillery_core::entry::{Entry, Leaf};
use skillery_core::event::Event;
use skillery_core::id::key_contains;
use skillery_core::sign::author::{AuthorKey, AuthorSignature, SignatureKind, Trusted};
use skillery_core::sign::sshsig::RELEASE_NAMESPACE;
use skillery_core::sign::statement::{Expected, Statement, StatementFile};
use skillery_core::{Digest, Namespace, Role};

use super::version::Offered;
use super::{Log, LogError, read};
use crate::error::{Error, Result};

/// A signature of a version that counts.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SignedView {
    /// The name of the signer, as the registry says.
    pub signer: String,
    /// The fingerprint of the enrolled key: the signer's, or the authority's that has certified it.
    pub key: String,
    /// The form of the signature.
    pub kind: SignatureKind,
    /// The number of the log entry that has the signature.
    pub log_index: u64,
}

/// A signature that counts, with what it was made over.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// Who, and with what.
    pub view: SignedView,
    /// The statement.
    pub statement: String,
    /// The signature.
    pub signature: String,
}

/// A signature that the log names, and where.
struct Marked {
    index: u64,
    statement: Digest,
    mark: SignatureMark,
}

fn not_signed(offered: &Offered<'_>, reason: impl ToString) -> Error {
    let (id, version) = (offered.id.clone(), offered.version.clone());
    LogError::NotSigned { id, version, reason: reason.to_string() }.into()
}

/// The signatures of the version that entries about its skill name, the oldest first.
fn marked(offered: &Offered<'_>, history: &[(u64, Entry)]) -> Vec<Marked> {
    let mut found = Vec::new();
    for (index, entry) in history.iter().rev() {
        let index = *index;
        match &entry.event {
            Event::VersionPublished { version, statement: Some(statement), signatures, .. }
                if version == offered.version =>
            {
                let marks = signatures.iter().cloned();
                found.extend(marks.map(|mark| Marked { index, statement: *statement, mark }));
            }
            Event::VersionSigned { version, statement, signature, .. } if version == offered.version => {
                found.push(Marked { index, statement: *statement, mark: signature.clone() });
            }
            _ => {}
        }
    }
    found
}

impl Log {
    /// Finds a signature of the version that counts: made over the statement of exactly these files, with a key that was
    /// enrolled then, by somebody who might publish there then.
    pub(super) async fn check_signed(
        &mut self,
        offered: &Offered<'_>,
        history: &[(u64, Entry)],
    ) -> Result<Signed> {
        let marked = marked(offered, history);
        if marked.is_empty() {
            return Err(not_signed(offered, "the log has no signature of it"));
        }
        let answer = self.client.signatures(offered.id, offered.version).await?;
        let text = answer.statement.ok_or_else(|| not_signed(offered, "the registry shows no statement"))?;
        let statement = Statement::parse(text.as_bytes()).map_err(|error| not_signed(offered, error))?;
        let expected = Expected {
            registry: self.key.name(),
            id: offered.id,
            version: offered.version,
            bundle: &offered.digest,
            files: Some(offered.files),
        };
        statement.check(&expected).map_err(|error| not_signed(offered, error))?;
        let digest = Digest::of(text.as_bytes());
        let mut last = None;
        for marked in marked {
            match self.check_mark(offered, &marked, &text, digest, &answer.signatures).await {
                Ok(signed) => return Ok(signed),
                // What the registry hides, and what does not arrive, is another matter than a signature that does not count.
                Err(error @ Error::Log(LogError::NotSigned { .. })) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| not_signed(offered, "no signature counts")))
    }

    async fn check_mark(
        &mut self,
        offered: &Offered<'_>,
        marked: &Marked,
        statement: &str,
        digest: Digest,
        shown: &[VersionSignature],
    ) -> Result<Signed> {
        let Marked { index, mark, .. } = marked;
        if marked.statement != digest {
            return Err(not_signed(offered, format!("entry {index} is about another statement")));
        }
        let found = shown.iter().find(|shown| Digest::of(shown.value.as_bytes()) == mark.sha256);
        let shown = found.ok_or_else(|| {
            not_signed(offered, format!("the registry does not show the signature of entry {index}"))
        })?;
        let key: AuthorKey =
            shown.public_key.parse().map_err(|error| not_signed(offered, format!("{error}")))?;
        if key.fingerprint() != mark.key {
            return Err(not_signed(offered, format!("entry {index} names another key")));
        }
        let enrolled = self.entry(mark.enrolled, *index).await?;
        let is_authority = match &enrolled.event {
            Event::KeyEnrolled { key, user: Some(user), .. } if *key == mark.key && *user == mark.signer => {
                false
            }
            Event::KeyEnrolled { key, org: Some(org), .. } if *key == mark.key && is_org(org, offered) => {
                true
            }
            _ => return Err(not_signed(offered, format!("entry {} does not enrol its key", mark.enrolled))),
        };
        let member = self.entry(mark.member, *index).await?;
        let may_publish = match &member.event {
            Event::MemberSet { namespace, user, role } => {
                let place: Option<Namespace> = namespace.parse().ok();
                *user == mark.signer
                    && *role >= Role::Publisher
                    && place.is_some_and(|place| key_contains(&place.key(), &offered.id.namespace().key()))
            }
            _ => false,
        };
        if !may_publish {
            let reason = format!("entry {} gives its signer no right to publish there", mark.member);
            return Err(not_signed(offered, reason));
        }
        let signature =
            AuthorSignature::parse(mark.kind, &shown.value).map_err(|error| not_signed(offered, error))?;
        let trusted = match is_authority {
            false => Trusted::Key(&key),
            true => Trusted::Authority {
                key: &key,
                principal: &shown.signer,
                at: self.entry(*index, *index + 1).await?.time,
            },
        };
        signature
            .verify(trusted, RELEASE_NAMESPACE, statement.as_bytes())
            .map_err(|error| not_signed(offered, error))?;
        let view = SignedView {
            signer: shown.signer.clone(),
            key: mark.key.clone(),
            kind: mark.kind,
            log_index: *index,
        };
        Ok(Signed { view, statement: statement.to_owned(), signature: shown.value.clone() })
    }

    /// An entry before this number, opened where it is hidden.
    pub(super) async fn entry(&mut self, index: u64, before: u64) -> Result<Entry> {
        if index >= before {
            return Err(self.broken(format!("an entry rests on entry {index}, which comes later")));
        }
        let leaves = read::leaves(self, index, index + 1).await?;
        match leaves.first().map(|leaf| Leaf::parse(leaf)) {
            Some(Ok(Leaf::Open(entry))) => Ok(*entry),
            Some(Ok(Leaf::Hidden { .. })) => {
                let opening = self.opening(index, &leaves[0]).await?;
                let opening = opening.ok_or_else(|| {
                    self.broken(format!("entry {index} is hidden, and the registry does not open it"))
                })?;
                opening.parse().map_err(|error| self.broken(format!("entry {index}: {error}")))
            }
            Some(Err(error)) => Err(self.broken(format!("entry {index}: {error}"))),
            None => Err(self.broken(format!("entry {index} is missing"))),
        }
    }
}

fn is_org(org: &str, offered: &Offered<'_>) -> bool {
    org.parse::<Namespace>().is_ok_and(|org| org.key() == offered.id.org_key())
}

/// What a statement says of these files.
pub fn statement_files(files: &[skillery_core::bundle::BundleFile]) -> Vec<StatementFile> {
    files.iter().map(StatementFile::of).collect()
}
