//! Approvals: what is demanded of a version, who may decide about it, and whether what waits is released.
//!
//! All of it is decided in the transaction that logs it, by the policies, groups and roles of that moment: a policy that was
//! tightened meanwhile holds, and an approval of somebody who is no reviewer any more does not.

mod again;
mod asked;
mod base;
mod facts;
mod force;
mod signed;
mod standing;

use skillery_core::api::PolicyInForce;
use skillery_core::approval::{Approval, Demand, InForce, MAX_GROUPS_NAMED};
use skillery_core::event::Event;
use skillery_core::{
    Decision, Digest, Namespace, ProblemCode, PublishPolicy, SkillId, Version, VersionStatus,
};

use crate::access::{Identity, forbidden};
use crate::db::approvals::NewDecision;
use crate::db::gates::{self, Gate, Gated, Turn};
use crate::db::versions::VersionRow;
use crate::db::{Tx, approvals, groups, orgs, versions};
use crate::failure::{Failure, Result};
use crate::skill;

use standing::{group, is_own};

pub use again::{come_back, hold_for_public, review_overdue};
pub use asked::{Asked, Worth, asks_for};
pub use base::base;
pub use facts::{At, found, passed};
pub use force::{Wanted as WantedForce, force};
pub use signed::{Checked as CheckedReview, check as check_review};
pub use standing::{Decisions, Standing};

/// What these policies demand together, in short.
pub fn in_short(policies: &[PolicyInForce]) -> Option<PublishPolicy> {
    PublishPolicy::together(policies.iter().map(|set| &set.policy))
}

/// What these policies demand of a version of which this is known.
pub fn demand(policies: &[PolicyInForce], gate: &Gate) -> Demand {
    let keys: Vec<String> = policies.iter().map(|set| key_of(&set.namespace)).collect();
    let sets = policies.iter().zip(&keys).map(|(set, namespace)| InForce {
        index: set.log_index,
        namespace,
        policy: &set.policy,
    });
    Demand::of(sets, gate.facts.as_deref(), &gate.passed)
}

/// The key of a namespace that was stored.
pub fn key_of(namespace: &str) -> String {
    namespace.parse::<Namespace>().map_or_else(|_| namespace.to_owned(), |namespace| namespace.key())
}

/// The entries of the policies in force that demand approvals: what a signed review names.
pub fn in_force(policies: &[PolicyInForce]) -> Vec<u64> {
    let mut entries: Vec<u64> =
        policies.iter().filter(|set| set.policy.waits()).map(|set| set.log_index).collect();
    entries.sort_unstable();
    entries
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
    /// The signature, of a decision that has one.
    pub review: Option<CheckedReview>,
}

/// Decides about a version, and releases it where nothing is missing any more. The same decision again changes nothing,
/// but releases what has become ready by other ways.
pub async fn decide(tx: &mut Tx, identity: &Identity, wanted: Wanted) -> Result<()> {
    let Wanted { id, version, decision, digest, comment, review } = wanted;
    let key = id.key();
    // The token was good a moment ago; what is decided is for ever.
    let identity = identity.again(tx).await?;
    let user = identity.user.id.as_str();
    let row = versions::find(tx.connection(), &key, &version)
        .await?
        .ok_or_else(|| skill::no_such_version(&id, &version))?;
    let policies = approvals::policies(tx.connection(), &id.namespace()).await?;
    let gate = gates::find(tx.connection(), &key, &version).await?;
    let now = tx.now;
    let standing = Standing::of(tx.connection(), &id, &row, &policies, &gate, now).await?;
    let Some((member, role)) = orgs::highest_role(tx, &id.namespace(), user).await? else {
        return Err(no_role_of_its_own(&id));
    };
    let lowest = standing.demand.lowest_role();
    if role < lowest {
        return Err(forbidden(lowest, id.namespace().as_str()));
    }
    if let Some(digest) = digest.filter(|digest| *digest != row.digest) {
        let detail = format!("{id} {version} has the digest {}, and {digest} was looked at", row.digest);
        return Err(Failure::new(ProblemCode::StatusConflict, detail));
    }
    let mine =
        standing.judged.iter().find(|judged| judged.row.user == user && judged.row.decision == decision);
    let mut named = groups::of_user(tx.connection(), &id.namespace(), user).await?;
    named.truncate(MAX_GROUPS_NAMED);
    let wants = row.status == VersionStatus::Pending
        || (row.status == VersionStatus::Published && gate.wants_review());
    let new = Approval {
        user,
        role,
        is_own: false,
        groups: named.iter().map(group).collect(),
        is_signed: review.is_some(),
        at: now,
        index: u64::MAX,
        stages: &[],
    };
    let change = standing.with(new.clone(), now);
    // Whoever has decided without a signature may give one.
    let signs_now = review.is_some() && mine.is_some_and(|mine| !mine.row.is_signed);
    let counts = change.counts || (signs_now && change.keeps);
    // What would count for nothing more is not said again; a role that was given anew is, where nobody waits for it.
    // What is to be changed may be said otherwise.
    let is_new = match (decision, mine) {
        // A rejection is for ever, and so is that it has no signature: that is said, and not passed over.
        (Decision::Rejected, mine) => signs_now || mine.is_none(),
        (Decision::ChangesRequested, mine) => {
            signs_now || mine.is_none_or(|mine| mine.row.member != member || mine.row.comment != comment)
        }
        (Decision::Approved, Some(_)) if wants => counts,
        (Decision::Approved, mine) => signs_now || mine.is_none_or(|mine| mine.row.member != member),
    };
    // Where signed approvals are demanded, one without stands for nothing, whether the version waits or not.
    let may_lack = decision == Decision::Approved
        && review.is_none()
        && !mine.is_some_and(|mine| mine.row.is_signed && !is_new);
    let unsigned = standing.demand.needs_signature(&new).filter(|_| may_lack);
    if is_new || unsigned.is_some() {
        check_status(&id, &row, decision)?;
        let signers = approvals::signers(tx.connection(), &key, &version).await?;
        if decision == Decision::Approved {
            if is_own(&row.publisher, &signers, user, i64::MAX) {
                let detail = format!("you have published or signed {id} {version}");
                return Err(Failure::new(ProblemCode::SelfApproval, detail));
            }
            if let Some(stage) = unsigned {
                let detail = format!("the stage `{}` counts signed approvals only", stage.name);
                return Err(Failure::new(ProblemCode::SignatureRequired, detail));
            }
            if wants && !counts {
                return Err(not_asked(&standing));
            }
        }
        let mark = match &review {
            Some(review) => Some(review.mark(tx, &policies, user).await?),
            None => None,
        };
        let (skill, digest) = (id.clone(), row.digest);
        let event = match decision {
            Decision::Approved => Event::VersionApproved {
                skill,
                version: version.clone(),
                digest,
                member,
                groups: named.iter().map(|membership| membership.entry).collect(),
                stages: change.stages.clone(),
                signature: mark.clone(),
            },
            Decision::Rejected => Event::VersionRejected {
                skill,
                version: version.clone(),
                digest,
                member,
                signature: mark.clone(),
            },
            Decision::ChangesRequested => Event::VersionChangesRequested {
                skill,
                version: version.clone(),
                digest,
                member,
                signature: mark.clone(),
            },
        };
        let index = tx.append(Some(user), event);
        let comment = match (&comment, mine) {
            (said, Some(mine)) if said.is_empty() => mine.row.comment.clone(),
            _ => comment.clone(),
        };
        let signed = review.as_ref().zip(mark.as_ref());
        let decided = NewDecision {
            user,
            decision,
            comment: &comment,
            role,
            member,
            log_index: index,
            groups: &named,
            stages: &change.stages,
            signed: signed.map(|(review, mark)| (mark.key.as_str(), &review.presented)),
        };
        approvals::decide(tx, &key, &version, decided).await?;
    }
    match decision {
        Decision::Rejected if row.status == VersionStatus::Pending => {
            versions::set_status(tx, &key, &version, VersionStatus::Rejected, Some(&comment)).await
        }
        Decision::Approved if wants => {
            let (status, publisher) = (row.status, row.publisher);
            let gated = vec![Gated { version, status, publisher, gate }];
            release_those_ready(tx, Some(user), &id, gated, &policies).await
        }
        _ => Ok(()),
    }
}

/// Releases what waits of these versions, or notes that what is handed out was reviewed, if every stage has what it needs.
async fn release_those_ready(
    tx: &mut Tx,
    user: Option<&str>,
    id: &SkillId,
    gated: Vec<Gated>,
    policies: &[PolicyInForce],
) -> Result<()> {
    let (key, now) = (id.key(), tx.now);
    let named: Vec<_> = gated.iter().map(|gated| (key.clone(), gated.version.to_string())).collect();
    let known = Decisions::about(tx.connection(), &named).await?;
    let (mut ready, mut released) = (Vec::new(), Vec::new());
    for gated in gated {
        let standing = Standing::by(&known, id, &gated, policies, now);
        if !standing.judgement.is_complete() {
            continue;
        }
        let (skill, version) = (id.clone(), gated.version.clone());
        let (policies, approvals) = (standing.demand.policies(), standing.entries());
        let event = if gated.status == VersionStatus::Pending {
            released.push(gated.version.clone());
            Event::VersionReleased { skill, version, policies, approvals }
        } else {
            Event::VersionReviewed { skill, version, policies, approvals }
        };
        tx.append(user, event);
        ready.push(gated.version);
    }
    if ready.is_empty() {
        return Ok(());
    }
    if !released.is_empty() {
        versions::set_statuses(tx, &key, &released, VersionStatus::Published, None).await?;
    }
    gates::turn(tx, &key, &ready, Turn::Reviewed).await
}

/// Why an approval would count for nothing.
fn not_asked(standing: &Standing) -> Failure {
    let mut asked = Vec::new();
    for (ladder, counts) in standing.demand.ladders.iter().zip(&standing.judgement.ladders) {
        for (stage, count) in ladder.stages.iter().zip(counts).filter(|(_, count)| count.is_open) {
            let lacking = (stage.approvals as usize).saturating_sub(count.given.len());
            let who = match &stage.group {
                Some(group) => format!("each a {} or above in the group `{group}`", stage.role),
                None => format!("each a {} or above", stage.role),
            };
            asked.push(format!(
                "`{}` asks for {} people, {who}, and lacks {lacking}",
                stage.name, stage.approvals
            ));
        }
    }
    let detail = match asked.is_empty() {
        true => "it has all approvals; what is missing is another look".to_owned(),
        false => format!("no stage that is open asks for you: {}", asked.join("; ")),
    };
    Failure::new(ProblemCode::Forbidden, detail)
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
