//! Whether a version is signed: by whom, and whether that counted at its place in the log.

use skillery_core::api::{SignatureMark, VersionSignature};
use skillery_core::entry::Entry;
use skillery_core::event::Event;
use skillery_core::sign::author::{AuthorKey, AuthorSignature, SignatureKind, Trusted};
use skillery_core::sign::sshsig::RELEASE_NAMESPACE;
use skillery_core::sign::statement::{Expected, Statement, StatementFile};
use skillery_core::time::Time;
use skillery_core::{Digest, Namespace, Role};

use super::entries::{MOST_OF_A_VERSION, Openings};
use super::kept::{KeptSignature, KeptSignatures, Signed};
use super::version::Offered;
use super::{Log, LogError};
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

/// A signature that the log names, and where.
struct Marked {
    index: u64,
    time: Time,
    statement: Digest,
    mark: SignatureMark,
}

/// The entries that a signature rests on.
pub(super) struct Grounds<'a> {
    /// The entry that enrolled the key.
    pub(super) enrolled: &'a Entry,
    /// The entry that gave the signer the role.
    pub(super) member: &'a Entry,
}

pub(super) fn not_signed(offered: &Offered<'_>, reason: impl ToString) -> Error {
    let (id, version) = (offered.id.clone(), offered.version.clone());
    LogError::NotSigned { id, version, reason: reason.to_string() }.into()
}

/// The signatures of the version that an entry about its skill names.
fn marks(offered: &Offered<'_>, index: u64, entry: &Entry) -> Vec<Marked> {
    let time = entry.time;
    match &entry.event {
        Event::VersionPublished { version, statement: Some(statement), signatures, .. }
            if version == offered.version =>
        {
            let marks = signatures.iter().cloned();
            marks.map(|mark| Marked { index, time, statement: *statement, mark }).collect()
        }
        Event::VersionSigned { version, statement, signature, .. } if version == offered.version => {
            vec![Marked { index, time, statement: *statement, mark: signature.clone() }]
        }
        _ => Vec::new(),
    }
}

/// The signatures of the version that entries about its skill, the newest first, name: the oldest first, and no more than are
/// looked at.
fn oldest_marks(offered: &Offered<'_>, history: &[(u64, Entry)]) -> Vec<Marked> {
    let marked = history.iter().rev().flat_map(|(index, entry)| marks(offered, *index, entry));
    marked.take(MOST_OF_A_VERSION).collect()
}

/// Checks that a text is the statement about the version as it is offered, in the registry of this name.
pub(super) fn check_statement(offered: &Offered<'_>, registry: &str, text: &str) -> Result<()> {
    let statement = Statement::parse(text.as_bytes()).map_err(|error| not_signed(offered, error))?;
    let expected = Expected {
        registry,
        id: offered.id,
        version: offered.version,
        bundle: &offered.digest,
        files: Some(offered.files),
    };
    statement.check(&expected).map_err(|error| not_signed(offered, error))
}

/// Finds what an entry says of a signature with this text.
fn mark_of(offered: &Offered<'_>, index: u64, entry: &Entry, value: &str) -> Result<Marked> {
    let digest = Digest::of(value.as_bytes());
    let found = marks(offered, index, entry).into_iter().find(|marked| marked.mark.sha256 == digest);
    found.ok_or_else(|| not_signed(offered, format!("entry {index} does not name the signature")))
}

/// Judges a signature by the entries alone: that it is over this statement, with the key that one of them enrolled, by
/// somebody whom the other let publish there.
fn judge(
    offered: &Offered<'_>,
    marked: &Marked,
    statement: &str,
    shown: &Shown<'_>,
    grounds: &Grounds<'_>,
) -> Result<SignedView> {
    let Marked { index, time, mark, .. } = marked;
    if marked.statement != Digest::of(statement.as_bytes()) {
        return Err(not_signed(offered, format!("entry {index} is about another statement")));
    }
    let key: AuthorKey = shown.public_key.parse().map_err(|error| not_signed(offered, format!("{error}")))?;
    if key.fingerprint() != mark.key {
        return Err(not_signed(offered, format!("entry {index} names another key")));
    }
    let is_authority = match &grounds.enrolled.event {
        Event::KeyEnrolled { key, user: Some(user), .. } if *key == mark.key && *user == mark.signer => false,
        Event::KeyEnrolled { key, org: Some(org), .. } if *key == mark.key && is_org(org, offered) => true,
        _ => return Err(not_signed(offered, format!("entry {} does not enrol its key", mark.enrolled))),
    };
    let may_publish = match &grounds.member.event {
        Event::MemberSet { namespace, user, role } => {
            *user == mark.signer && *role >= Role::Publisher && offered.lies_in(namespace)
        }
        _ => false,
    };
    if !may_publish {
        let reason = format!("entry {} gives its signer no right to publish there", mark.member);
        return Err(not_signed(offered, reason));
    }
    let signature =
        AuthorSignature::parse(mark.kind, shown.value).map_err(|error| not_signed(offered, error))?;
    let trusted = match is_authority {
        false => Trusted::Key(&key),
        true => Trusted::Authority { key: &key, principal: shown.signer, at: *time },
    };
    signature
        .verify(trusted, RELEASE_NAMESPACE, statement.as_bytes())
        .map_err(|error| not_signed(offered, error))?;
    Ok(SignedView {
        signer: shown.signer.to_owned(),
        key: mark.key.clone(),
        kind: mark.kind,
        log_index: *index,
    })
}

/// A signature as somebody shows it, with what the log does not have: texts are believed as far as the log has their
/// digests.
struct Shown<'a> {
    value: &'a str,
    public_key: &'a str,
    signer: &'a str,
}

/// Judges a signature that is kept, by the entries that it rests on, which were found to be in the log.
pub(super) fn judge_kept(
    offered: &Offered<'_>,
    statement: &str,
    kept: &KeptSignature,
    (index, entry): (u64, &Entry),
    grounds: [(u64, &Entry); 2],
) -> Result<SignedView> {
    if entry.event.skill().is_none_or(|skill| skill.key() != offered.id.key()) {
        return Err(not_signed(offered, format!("entry {index} is about another skill")));
    }
    let marked = mark_of(offered, index, entry, &kept.value)?;
    let [(enrolled_at, enrolled), (member_at, member)] = grounds;
    for (named, at) in [(marked.mark.enrolled, enrolled_at), (marked.mark.member, member_at)] {
        if named != at || at >= index {
            return Err(not_signed(offered, format!("entry {index} rests on entry {named}, not on {at}")));
        }
    }
    let shown = Shown { value: &kept.value, public_key: &kept.public_key, signer: &kept.signer };
    judge(offered, &marked, statement, &shown, &Grounds { enrolled, member })
}

impl Log {
    /// Finds the signatures of the version that count: made over the statement of exactly these files, with a key that was
    /// enrolled then, by somebody who might publish there then. One is enough; what the others lack is passed over.
    pub(super) async fn check_signed(
        &mut self,
        offered: &Offered<'_>,
        history: &[(u64, Entry)],
    ) -> Result<Signed> {
        let marked = oldest_marks(offered, history);
        if marked.is_empty() {
            return Err(not_signed(offered, "the log has no signature of it"));
        }
        let answer = self.client.signatures(offered.id, offered.version).await?;
        let text = answer.statement.ok_or_else(|| not_signed(offered, "the registry shows no statement"))?;
        check_statement(offered, self.key.name(), &text)?;
        let mut read = Openings::new();
        let mut found: Option<Signed> = None;
        let mut last = None;
        for marked in &marked {
            match self.check_mark(offered, marked, &text, &answer.signatures, &mut read).await {
                Ok((view, kept)) => match &mut found {
                    Some(signed) => signed.kept.signatures.push(kept),
                    None => {
                        let kept = KeptSignatures { statement: text.clone(), signatures: vec![kept] };
                        found = Some(Signed { view, kept });
                    }
                },
                // One that does not count takes nothing from the others; what does not arrive is another matter.
                Err(error @ Error::Log(LogError::NotSigned { .. })) => last = Some(error),
                Err(Error::Log(error)) if found.is_some() => {
                    tracing::debug!(%error, "a signature is passed over")
                }
                Err(error) => return Err(error),
            }
        }
        found.ok_or_else(|| last.unwrap_or_else(|| not_signed(offered, "no signature counts")))
    }

    /// Judges one signature, and proves the entries that it rests on.
    async fn check_mark(
        &mut self,
        offered: &Offered<'_>,
        marked: &Marked,
        statement: &str,
        shown: &[VersionSignature],
        read: &mut Openings,
    ) -> Result<(SignedView, KeptSignature)> {
        let Marked { index, mark, .. } = marked;
        let found = shown.iter().find(|shown| Digest::of(shown.value.as_bytes()) == mark.sha256);
        let shown = found.ok_or_else(|| {
            not_signed(offered, format!("the registry does not show the signature of entry {index}"))
        })?;
        let enrolled = self.entry_before(mark.enrolled, *index, read).await?;
        let member = self.entry_before(mark.member, *index, read).await?;
        let grounds = Grounds { enrolled: &enrolled, member: &member };
        let texts = Shown { value: &shown.value, public_key: &shown.public_key, signer: &shown.signer };
        let view = judge(offered, marked, statement, &texts, &grounds)?;
        let entry = self.receipt_of(*index, read).await?;
        let enrolled = self.receipt_of(mark.enrolled, read).await?;
        let member = self.receipt_of(mark.member, read).await?;
        let VersionSignature { kind, value, public_key, signer, .. } = shown.clone();
        Ok((view, KeptSignature { kind, value, public_key, signer, entry, enrolled, member }))
    }
}

fn is_org(org: &str, offered: &Offered<'_>) -> bool {
    org.parse::<Namespace>().is_ok_and(|org| org.key() == offered.id.org_key())
}

/// What a statement says of these files.
pub fn statement_files(files: &[skillery_core::bundle::BundleFile]) -> Vec<StatementFile> {
    files.iter().map(StatementFile::of).collect()
}

#[cfg(test)]
mod tests {
    use skillery_core::{SkillId, Version};

    use super::*;

    #[test]
    fn the_oldest_signatures_are_looked_at_and_no_more() {
        let (id, version): (SkillId, Version) = ("acme/tool".parse().unwrap(), "1.0.0".parse().unwrap());
        let digest = Digest::of(b"bundle");
        let offered = Offered {
            id: &id,
            version: &version,
            digest,
            code_hash: Digest::of(b"code"),
            files: &[],
            said: None,
        };
        let signed = |index: u64| {
            let signature = SignatureMark {
                kind: SignatureKind::SshSig,
                key: "SHA256:k".to_owned(),
                sha256: Digest::of(&index.to_be_bytes()),
                signer: "anna".to_owned(),
                enrolled: 1,
                member: 2,
            };
            let event = Event::VersionSigned {
                skill: id.clone(),
                version: version.clone(),
                statement: Digest::of(b"statement"),
                signature,
            };
            (index, Entry::new(Time::from_micros(0), None, None, event))
        };
        let history: Vec<_> = (10..2_000).rev().map(signed).collect();
        let looked_at = oldest_marks(&offered, &history);
        let indexes: Vec<u64> = looked_at.iter().map(|marked| marked.index).collect();
        assert_eq!(indexes, (10..74).collect::<Vec<u64>>());
    }
}
