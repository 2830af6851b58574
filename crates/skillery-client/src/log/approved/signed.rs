//! Signed reviews: whether a signature is one over the approval of exactly this version, by a key of whoever approved it.

use skillery_core::event::Event;
use skillery_core::sign::author::{AuthorKey, AuthorSignature, SignatureKind, Trusted};
use skillery_core::sign::review::ReviewStatement;
use skillery_core::sign::sshsig::REVIEW_NAMESPACE;
use skillery_core::{Decision, Digest};

use super::judge::Grounds;
use super::story::Marked;
use crate::log::version::Offered;

/// A signed review, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptReview {
    /// The number of the log entry that has the approval.
    pub log_index: u64,
    /// What was signed.
    pub statement: String,
    /// The signature.
    pub signature: String,
    /// The key.
    pub public_key: String,
}

/// Whether the signature is right, and was when it was given: texts are believed as far as the log has their digests.
pub(super) fn check_review(
    offered: &Offered<'_>,
    registry: &str,
    review: &KeptReview,
    marked: &Marked<'_>,
    grounds: &Grounds,
) -> bool {
    let Some(mark) = marked.signature else { return false };
    let is_known = mark.statement == Digest::of(review.statement.as_bytes())
        && mark.sha256 == Digest::of(review.signature.as_bytes());
    let Some(statement) = ReviewStatement::parse(&review.statement).filter(|_| is_known) else {
        return false;
    };
    let is_about = statement.registry == registry
        && statement.skill.key() == offered.id.key()
        && statement.version == *offered.version
        && statement.digest == offered.digest
        && statement.verdict == Decision::Approved
        && statement.policies.iter().all(|policy| *policy < marked.index);
    let is_enrolled = match grounds.get(&mark.enrolled).map(|entry| &entry.event) {
        Some(Event::KeyEnrolled { key, user: Some(user), .. }) => {
            *key == mark.key && user == marked.user && mark.enrolled < marked.index
        }
        _ => false,
    };
    let Ok(key) = review.public_key.parse::<AuthorKey>() else { return false };
    let Ok(signature) = AuthorSignature::parse(SignatureKind::SshSig, &review.signature) else {
        return false;
    };
    is_about
        && is_enrolled
        && key.fingerprint() == mark.key
        && !signature.is_certified()
        && signature.verify(Trusted::Key(&key), REVIEW_NAMESPACE, review.statement.as_bytes()).is_ok()
}
