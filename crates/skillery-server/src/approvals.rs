//! Approvals: what is demanded of a version, who may decide about it, and whether what waits is released.
//!
//! All of it is decided in the transaction that logs it, by the policies, groups and roles of that moment: a policy that was
//! tightened meanwhile holds, and an approval of somebody who is no reviewer any more does not.

mod again;
mod asked;
mod facts;
mod force;
mod signed;

use skillery_core::api::PolicyInForce;
use skillery_core::approval::{Approval, Demand, Group, InForce, Judgement, MAX_GROUPS_NAMED};
use skillery_core::event::Event;
use skillery_core::id::key_contains;
use skillery_core::time::Time;
use skillery_core::{
    Decision, Digest, Namespace, ProblemCode, PublishPolicy, Role, SkillId, Version, VersionRequest,
    VersionStatus,
};

use crate::access::{Identity, forbidden};
use crate::db::approvals::{DecisionRow, NewDecision};
use crate::db::gates::{self, Gate};
use crate::db::groups::{self, Membership};
use crate::db::versions::VersionRow;
use crate::db::{Tx, accounts, approvals, orgs, versions};
use crate::failure::{Failure, Result};
use crate::skill;

pub use again::{hold_for_public, review_overdue};
pub use asked::{Asked, asks};
pub use facts::{At, found, passed};
pub use force::{Wanted as WantedForce, force};
pub use signed::{Checked as CheckedReview, check as check_review};

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
fn key_of(namespace: &str) -> String {
    namespace.parse::<Namespace>().map_or_else(|_| namespace.to_owned(), |namespace| namespace.key())
}

/// The entries of the policies in force that demand approvals: what a signed review names.
pub fn in_force(policies: &[PolicyInForce]) -> Vec<u64> {
    let mut entries: Vec<u64> =
        policies.iter().filter(|set| set.policy.waits()).map(|set| set.log_index).collect();
    entries.sort_unstable();
    entries
}

/// A decision, and whether it counts.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What was decided.
    pub row: DecisionRow,
    /// Whether it is an approval that counts.
    pub counts: bool,
    /// The role by which it was decided, as far as the reviewer still has it there.
    role: Option<Role>,
    /// Whether the reviewer had published or signed the version before.
    is_own: bool,
    /// The groups that it names, as far as the reviewer still is in them.
    groups: Vec<Group>,
}

impl Judged {
    fn approval(&self) -> Approval<'_> {
        Approval {
            user: &self.row.user,
            role: self.role.unwrap_or(Role::Reader),
            is_own: self.is_own,
            groups: self.groups.clone(),
            is_signed: self.row.review.is_some(),
            at: self.row.at,
        }
    }
}

/// How far a version is.
#[derive(Debug, Clone)]
pub struct Standing {
    /// What is demanded of it now: one approval at least.
    pub demand: Demand,
    /// The last decision of each reviewer, the oldest first.
    pub judged: Vec<Judged>,
    /// What the approvals among them come to.
    pub judgement: Judgement,
    /// Of each approval that was judged its place among the decisions.
    pub places: Vec<usize>,
}

impl Standing {
    /// How a version stands by how things stand.
    pub async fn of(
        connection: &mut sqlx::AnyConnection,
        id: &SkillId,
        row: &VersionRow,
        policies: &[PolicyInForce],
        gate: &Gate,
        now: Time,
    ) -> Result<Self> {
        let demand = demand(policies, gate).or_least();
        let mut judged = judge(connection, id, row).await?;
        let places: Vec<usize> = judged
            .iter()
            .enumerate()
            .filter(|(_, judged)| {
                judged.row.decision == Decision::Approved && judged.row.log_index >= gate.counts_from
            })
            .map(|(place, _)| place)
            .collect();
        let approvals: Vec<Approval<'_>> = places.iter().map(|place| judged[*place].approval()).collect();
        let judgement = demand.judge(&approvals, now);
        drop(approvals);
        for place in judgement.counted() {
            judged[places[place]].counts = true;
        }
        Ok(Self { demand, judged, judgement, places })
    }

    /// The entries of the approvals that count.
    pub fn entries(&self) -> Vec<u64> {
        let counted = self.judged.iter().filter(|judged| judged.counts);
        counted.filter_map(|judged| u64::try_from(judged.row.log_index).ok()).collect()
    }

    /// How many times approvals count for some stage.
    fn weight(judgement: &Judgement) -> usize {
        judgement.ladders.iter().flatten().map(|stage| stage.given.len()).sum()
    }

    /// Whether an approval that is given now counts for a stage for which none of the same person counts.
    fn would_count(&self, new: Approval<'_>, now: Time) -> bool {
        let others = self.places.iter().map(|place| &self.judged[*place]);
        let mut approvals: Vec<Approval<'_>> =
            others.filter(|judged| judged.row.user != new.user).map(Judged::approval).collect();
        approvals.push(new);
        Self::weight(&self.demand.judge(&approvals, now)) > Self::weight(&self.judgement)
    }
}

/// The decisions about a version, judged by how things stand.
async fn judge(connection: &mut sqlx::AnyConnection, id: &SkillId, row: &VersionRow) -> Result<Vec<Judged>> {
    let key = id.key();
    let decisions = approvals::decisions(&mut *connection, &key, &row.version).await?;
    if decisions.is_empty() {
        return Ok(Vec::new());
    }
    let signers = approvals::signers(&mut *connection, &key, &row.version).await?;
    let namespace = id.namespace();
    let mut judged = Vec::with_capacity(decisions.len());
    for decision in decisions {
        let roles = accounts::roles(&mut *connection, &decision.user).await?;
        let held =
            roles.iter().filter(|(place, _)| key_contains(place, &namespace.key())).map(|(_, role)| *role);
        let role = held.max().filter(|_| !decision.is_disabled).map(|held| held.min(decision.role));
        let is_own = is_own(row, &signers, &decision.user, decision.log_index);
        let still = match decision.groups.is_empty() {
            true => Vec::new(),
            false => groups::of_user(&mut *connection, &namespace, &decision.user).await?,
        };
        let is_still = |named: &&Membership| {
            still.iter().any(|held| held.namespace == named.namespace && held.name == named.name)
        };
        let groups = decision.groups.iter().filter(is_still).map(group).collect();
        judged.push(Judged { row: decision, counts: false, role, is_own, groups });
    }
    Ok(judged)
}

fn group(membership: &Membership) -> Group {
    Group { namespace: membership.namespace.clone(), name: membership.name.clone() }
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
    /// The signature, of an approval that has one.
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
        .ok_or_else(|| skill::version_not_found(&id, &VersionRequest::Exact(version.clone())))?;
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
    };
    // What would count for nothing more is not said again; a role that was given anew is, where nobody waits for it.
    // What is to be changed may be said otherwise.
    let is_new = match (decision, mine) {
        (Decision::Rejected, mine) => mine.is_none(),
        (Decision::ChangesRequested, mine) => {
            mine.is_none_or(|mine| mine.row.member != member || mine.row.comment != comment)
        }
        (Decision::Approved, Some(_)) if wants => standing.would_count(new.clone(), now),
        (Decision::Approved, mine) => mine.is_none_or(|mine| mine.row.member != member),
    };
    if is_new {
        check_status(&id, &row, decision)?;
        let signers = approvals::signers(tx.connection(), &key, &version).await?;
        if decision == Decision::Approved {
            if is_own(&row, &signers, user, i64::MAX) {
                let detail = format!("you have published or signed {id} {version}");
                return Err(Failure::new(ProblemCode::SelfApproval, detail));
            }
            if wants && !standing.would_count(new.clone(), now) {
                return Err(not_asked(&standing, &new));
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
                signature: mark.clone(),
            },
            Decision::Rejected => Event::VersionRejected { skill, version: version.clone(), digest, member },
            Decision::ChangesRequested => {
                Event::VersionChangesRequested { skill, version: version.clone(), digest, member }
            }
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
            signed: signed.map(|(review, mark)| (mark.key.as_str(), &review.presented)),
        };
        approvals::decide(tx, &key, &version, decided).await?;
    }
    match decision {
        Decision::Rejected if row.status == VersionStatus::Pending => {
            versions::set_status(tx, &key, &version, VersionStatus::Rejected, Some(&comment)).await
        }
        Decision::Approved if wants => release_if_ready(tx, Some(user), &id, &row, &policies, gate).await,
        _ => Ok(()),
    }
}

/// Releases what waits, or notes that what is handed out was reviewed, if every stage has what it needs.
async fn release_if_ready(
    tx: &mut Tx,
    user: Option<&str>,
    id: &SkillId,
    row: &VersionRow,
    policies: &[PolicyInForce],
    gate: Gate,
) -> Result<()> {
    let (key, version, now) = (id.key(), &row.version, tx.now);
    let standing = Standing::of(tx.connection(), id, row, policies, &gate, now).await?;
    if !standing.judgement.is_complete() {
        return Ok(());
    }
    let (skill, version_named) = (id.clone(), version.clone());
    let (policies, approvals) = (standing.demand.policies(), standing.entries());
    let event = if row.status == VersionStatus::Pending {
        versions::set_status(tx, &key, version, VersionStatus::Published, None).await?;
        Event::VersionReleased { skill, version: version_named, policies, approvals }
    } else {
        Event::VersionReviewed { skill, version: version_named, policies, approvals }
    };
    tx.append(user, event);
    let gate = Gate { reviewed_at: Some(now), due_at: None, held_for: None, forced: None, ..gate };
    gates::keep(tx, &key, version, &gate, None).await
}

/// Why an approval would count for nothing.
fn not_asked(standing: &Standing, new: &Approval<'_>) -> Failure {
    let mut asked = Vec::new();
    for (ladder, counts) in standing.demand.ladders.iter().zip(&standing.judgement.ladders) {
        for (stage, count) in ladder.stages.iter().zip(counts) {
            if !count.is_open {
                continue;
            }
            if ladder.signed_reviews && !new.is_signed {
                let detail = format!("the stage `{}` counts signed approvals only", stage.name);
                return Failure::new(ProblemCode::SignatureRequired, detail);
            }
            let who = match &stage.group {
                Some(group) => format!("each a {} or above in the group `{group}`", stage.role),
                None => format!("each a {} or above", stage.role),
            };
            asked.push(format!("`{}` asks for {} people, {who}", stage.name, stage.approvals));
        }
    }
    let detail = match asked.is_empty() {
        true => "it has all approvals; what is missing is another look".to_owned(),
        false => format!(
            "no stage that is open asks for you, or you counted for an earlier one: {}",
            asked.join("; ")
        ),
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
