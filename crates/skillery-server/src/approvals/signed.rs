//! Signed reviews: whether a signature is one over what is decided, about exactly this version, by a key of the reviewer's own.

use skillery_core::api::{PolicyInForce, ReviewSignature};
use skillery_core::sign::author::{AuthorSignature, SignatureKind, Trusted};
use skillery_core::sign::review::{ReviewMark, ReviewStatement};
use skillery_core::sign::sshsig::REVIEW_NAMESPACE;
use skillery_core::{Decision, Digest, ProblemCode, SkillId, Version};

use super::in_force;
use crate::app::App;
use crate::db::{Tx, keys};
use crate::failure::{Failure, Result};

/// A signature whose arithmetic is right.
#[derive(Debug, Clone)]
pub struct Checked {
    /// As it came.
    pub presented: ReviewSignature,
    statement: ReviewStatement,
    key: String,
}

fn wrong(detail: impl ToString) -> Failure {
    Failure::new(ProblemCode::InvalidSignature, detail.to_string())
}

/// Checks what is presented with a decision, as far as that needs no transaction. The statement says what was decided, so that
/// what was signed for one decision stands for no other.
pub async fn check(
    app: &App,
    presented: ReviewSignature,
    (id, version): (&SkillId, &Version),
    decision: Decision,
    digest: Option<Digest>,
) -> Result<Checked> {
    let statement = ReviewStatement::parse(&presented.statement)
        .ok_or_else(|| Failure::new(ProblemCode::InvalidStatement, "it is no statement of a review"))?;
    let is_it = statement.registry == app.log_key.verifier().name()
        && statement.skill.key() == id.key()
        && statement.version == *version
        && statement.verdict == decision
        && digest.is_none_or(|digest| digest == statement.digest);
    if !is_it {
        let what = match decision {
            Decision::Approved => "approval",
            Decision::Rejected => "rejection",
            Decision::ChangesRequested => "request for changes",
        };
        let detail = format!("it is no {what} of {id} {version} in this registry, or of another digest");
        return Err(Failure::new(ProblemCode::InvalidStatement, detail));
    }
    let signature = AuthorSignature::parse(SignatureKind::SshSig, &presented.signature).map_err(wrong)?;
    if signature.is_certified() {
        return Err(wrong(
            "reviews are signed with a key that the reviewer has enrolled, without a certificate",
        ));
    }
    let fingerprint = signature.enrolled_fingerprint();
    let key = keys::find(app.db.reader(), &fingerprint)
        .await?
        .ok_or_else(|| wrong(format!("the key {fingerprint} is not enrolled")))?;
    signature
        .verify(Trusted::Key(&key.public_key), REVIEW_NAMESPACE, presented.statement.as_bytes())
        .map_err(wrong)?;
    Ok(Checked { presented, statement, key: fingerprint })
}

impl Checked {
    /// SHA-256 of the bundle that was signed.
    pub fn digest(&self) -> Digest {
        self.statement.digest
    }

    /// What the log says of it, as things stand in this transaction: the key is a good one of the user, and the policies are
    /// those that were signed.
    pub async fn mark(&self, tx: &mut Tx, policies: &[PolicyInForce], user: &str) -> Result<ReviewMark> {
        let key = keys::find(tx.connection(), &self.key).await?;
        let key = key
            .filter(|key| key.revoked_at.is_none() && key.user.as_ref().is_some_and(|(id, _)| id == user))
            .ok_or_else(|| wrong(format!("the key {} is no good one of yours", self.key)))?;
        let now = in_force(policies);
        if self.statement.policies != now {
            let detail = "the policies have changed since it was signed; look again, and sign again";
            return Err(Failure::new(ProblemCode::StatusConflict, detail));
        }
        Ok(ReviewMark {
            key: self.key.clone(),
            enrolled: key.log_index,
            statement: Digest::of(self.presented.statement.as_bytes()),
            sha256: Digest::of(self.presented.signature.as_bytes()),
        })
    }
}
