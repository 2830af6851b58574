//! Approvals: what is demanded of a version, who may decide about it, and whether what waits is released.
//!
//! All of it is decided in the transaction that logs it, by the policies and roles of that moment: a policy that was
//! tightened meanwhile holds, and an approval of somebody who is no reviewer any more does not.

use skillery_core::api::PolicyInForce;
use skillery_core::approval::Approval;
use skillery_core::event::Event;
use skillery_core::id::key_contains;
use skillery_core::{
    Decision, Digest, ProblemCode, PublishPolicy, Role, SkillId, Version, VersionRequest, VersionStatus,
};

use crate::access::{Identity, forbidden};
use crate::db::approvals::{DecisionRow, NewDecision};
use crate::db::versions::VersionRow;
use crate::db::{Tx, accounts, approvals, orgs, versions};
use crate::failure::{Failure, Result};
use crate::skill;

/// What these policies demand together.
pub fn demanded(policies: &[PolicyInForce]) -> Option<PublishPolicy> {
    PublishPolicy::together(policies.iter().map(|set| set.policy))
}

/// The numbers of the entries of those policies that versions wait for.
pub fn waited_for(policies: &[PolicyInForce]) -> Vec<u64> {
    policies.iter().filter(|set| set.policy.waits()).map(|set| set.log_index).collect()
}

/// What these policies demand of a version that waits.
pub fn of_waiting(policies: &[PolicyInForce]) -> PublishPolicy {
    PublishPolicy::of_waiting(policies.iter().map(|set| set.policy))
}

/// A decision, and whether it counts.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What was decided.
    pub row: DecisionRow,
    /// The role by which it was decided, as far as the reviewer still has it there.
    role: Option<Role>,
    /// Whether the reviewer had published or signed the version before.
    is_own: bool,
}

impl Judged {
    fn approval(&self) -> Approval<'_> {
        Approval { user: &self.row.user, role: self.role.unwrap_or(Role::Reader), is_own: self.is_own }
    }

    /// Whether it is an approval that counts for this policy.
    pub fn counts(&self, policy: PublishPolicy) -> bool {
        self.row.decision == Decision::Approved && policy.count([self.approval()]) == 1
    }
}

/// How many of these count for this policy.
pub fn given(judged: &[Judged], policy: PublishPolicy) -> u32 {
    policy.count(judged.iter().filter(|judged| judged.counts(policy)).map(Judged::approval))
}

/// The decisions about a version, judged by how things stand.
pub async fn judge(
    connection: &mut sqlx::AnyConnection,
    id: &SkillId,
    row: &VersionRow,
) -> Result<Vec<Judged>> {
    let key = id.key();
    let decisions = approvals::decisions(&mut *connection, &key, &row.version).await?;
    if decisions.is_empty() {
        return Ok(Vec::new());
    }
    let signers = approvals::signers(&mut *connection, &key, &row.version).await?;
    let namespace = id.namespace().key();
    let mut judged = Vec::with_capacity(decisions.len());
    for decision in decisions {
        let roles = accounts::roles(&mut *connection, &decision.user).await?;
        let held = roles.iter().filter(|(place, _)| key_contains(place, &namespace)).map(|(_, role)| *role);
        let role = held.max().filter(|_| !decision.is_disabled).map(|held| held.min(decision.role));
        let is_own = is_own(row, &signers, &decision.user, decision.log_index);
        judged.push(Judged { row: decision, role, is_own });
    }
    Ok(judged)
}

/// Whether a user had published or signed a version before the entry of this number.
fn is_own(row: &VersionRow, signers: &[(String, i64)], user: &str, before: i64) -> bool {
    row.publisher == user || signers.iter().any(|(signer, index)| signer == user && *index < before)
}

/// What somebody decides about a version.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// What.
    pub decision: Decision,
    /// The digest that was looked at, if it was said.
    pub digest: Option<Digest>,
    /// Why.
    pub comment: String,
}

/// Decides about a version, and releases it where nothing is missing any more. The same decision again changes nothing,
/// but releases what has become ready by other ways.
pub async fn decide(tx: &mut Tx, identity: &Identity, wanted: Wanted) -> Result<()> {
    let Wanted { id, version, decision, digest, comment } = wanted;
    let key = id.key();
    // The token was good a moment ago; what is decided is for ever.
    let identity = identity.again(tx).await?;
    let user = identity.user.id.as_str();
    let row = versions::find(tx.connection(), &key, &version)
        .await?
        .ok_or_else(|| skill::version_not_found(&id, &VersionRequest::Exact(version.clone())))?;
    let policies = approvals::policies(tx.connection(), &id.namespace()).await?;
    let policy = of_waiting(&policies);
    let Some((member, role)) = orgs::highest_role(tx, &id.namespace(), user).await? else {
        return Err(no_role_of_its_own(&id));
    };
    if role < policy.role {
        return Err(forbidden(policy.role, id.namespace().as_str()));
    }
    if let Some(digest) = digest.filter(|digest| *digest != row.digest) {
        let detail = format!("{id} {version} has the digest {}, and {digest} was looked at", row.digest);
        return Err(Failure::new(ProblemCode::StatusConflict, detail));
    }
    let signers = approvals::signers(tx.connection(), &key, &version).await?;
    let mine = approvals::decisions(tx.connection(), &key, &version)
        .await?
        .into_iter()
        .find(|row| row.user == user && row.decision == decision);
    // A role that was given anew is said anew: whoever counts goes by the entry that an approval names.
    // What is to be changed may be said otherwise.
    let is_new = |mine: &DecisionRow| match decision {
        Decision::Approved => mine.member != member,
        Decision::ChangesRequested => mine.member != member || mine.comment != comment,
        Decision::Rejected => false,
    };
    if mine.as_ref().is_none_or(is_new) {
        check_status(&id, &row, decision)?;
        if decision == Decision::Approved && is_own(&row, &signers, user, i64::MAX) {
            let detail = format!("you have published or signed {id} {version}");
            return Err(Failure::new(ProblemCode::SelfApproval, detail));
        }
        let (skill, digest) = (id.clone(), row.digest);
        let event = match decision {
            Decision::Approved => Event::VersionApproved { skill, version: version.clone(), digest, member },
            Decision::Rejected => Event::VersionRejected { skill, version: version.clone(), digest, member },
            Decision::ChangesRequested => {
                Event::VersionChangesRequested { skill, version: version.clone(), digest, member }
            }
        };
        let index = tx.append(Some(user), event);
        let comment = match (&comment, mine) {
            (said, Some(mine)) if said.is_empty() => mine.comment,
            _ => comment.clone(),
        };
        let decided = NewDecision { user, decision, comment: &comment, role, member, log_index: index };
        approvals::decide(tx, &key, &version, decided).await?;
    }
    match (row.status, decision) {
        (VersionStatus::Pending, Decision::Rejected) => {
            versions::set_status(tx, &key, &version, VersionStatus::Rejected, Some(&comment)).await
        }
        (VersionStatus::Pending, Decision::Approved) => {
            let judged = judge(tx.connection(), &id, &row).await?;
            if given(&judged, policy) < policy.approvals {
                return Ok(());
            }
            versions::set_status(tx, &key, &version, VersionStatus::Published, None).await?;
            let counted = judged.iter().filter(|judged| judged.counts(policy));
            let approvals = counted.filter_map(|judged| u64::try_from(judged.row.log_index).ok()).collect();
            let policies = waited_for(&policies);
            tx.append(Some(user), Event::VersionReleased { skill: id, version, policies, approvals });
            Ok(())
        }
        _ => Ok(()),
    }
}

fn check_status(id: &SkillId, row: &VersionRow, decision: Decision) -> Result<()> {
    let fits = match decision {
        Decision::Approved => matches!(row.status, VersionStatus::Pending | VersionStatus::Published),
        Decision::Rejected | Decision::ChangesRequested => row.status == VersionStatus::Pending,
    };
    if fits {
        return Ok(());
    }
    let detail = match decision {
        Decision::Approved => format!("{id} {} is {}, so it cannot be approved", row.version, row.status),
        Decision::ChangesRequested => {
            format!("{id} {} is {}, and does not wait for changes", row.version, row.status)
        }
        Decision::Rejected if row.status == VersionStatus::Rejected => {
            format!("{id} {} is rejected already", row.version)
        }
        Decision::Rejected => {
            format!(
                "{id} {} is {}; what is handed out already can be yanked or quarantined",
                row.version, row.status
            )
        }
    };
    Err(Failure::new(ProblemCode::StatusConflict, detail))
}

/// An admin of the registry counts as an owner everywhere, but by no entry that anybody could check.
fn no_role_of_its_own(id: &SkillId) -> Failure {
    let namespace = id.namespace();
    let detail = format!("this needs a role of your own in `{namespace}`, which the log can name");
    Failure::new(ProblemCode::Forbidden, detail)
}
