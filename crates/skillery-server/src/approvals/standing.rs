//! How far versions are: what is demanded of each, and which of the decisions about it count.

use std::collections::{BTreeSet, HashMap};

use skillery_core::api::PolicyInForce;
use skillery_core::approval::{Approval, Demand, Group, Judgement, StageMark};
use skillery_core::id::key_contains;
use skillery_core::time::Time;
use skillery_core::{Decision, Namespace, Role, SkillId};

use super::demand;
use crate::access::highest_role;
use crate::db::approvals::{DecisionRow, VersionKey};
use crate::db::gates::{Gate, Gated};
use crate::db::groups::{self, Membership};
use crate::db::versions::VersionRow;
use crate::db::{accounts, approvals};
use crate::failure::Result;

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
            is_signed: self.row.is_signed,
            at: self.row.at,
            index: u64::try_from(self.row.log_index).unwrap_or(0),
            stages: &self.row.stages,
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
        let known = Decisions::about(connection, &[(id.key(), row.version.to_string())]).await?;
        let gated = Gated {
            version: row.version.clone(),
            status: row.status,
            publisher: row.publisher.clone(),
            gate: gate.clone(),
        };
        Ok(Self::by(&known, id, &gated, policies, now))
    }

    /// How a version stands by decisions that are known.
    pub fn by(known: &Decisions, id: &SkillId, gated: &Gated, policies: &[PolicyInForce], now: Time) -> Self {
        let demand = demand(policies, &gated.gate).or_least();
        let mut judged = known.judge(id, gated);
        let places: Vec<usize> = judged
            .iter()
            .enumerate()
            .filter(|(_, judged)| {
                judged.row.decision == Decision::Approved && judged.row.log_index >= gated.gate.counts_from
            })
            .map(|(place, _)| place)
            .collect();
        let approvals: Vec<Approval<'_>> = places.iter().map(|place| judged[*place].approval()).collect();
        let judgement = demand.judge(&approvals, now);
        drop(approvals);
        for place in judgement.counted() {
            judged[places[place]].counts = true;
        }
        Self { demand, judged, judgement, places }
    }

    /// The entries of the approvals that count.
    pub fn entries(&self) -> Vec<u64> {
        let counted = self.judged.iter().filter(|judged| judged.counts);
        counted.filter_map(|judged| u64::try_from(judged.row.log_index).ok()).collect()
    }

    /// What an approval would change that is given now, in place of one that the same person gave before.
    pub fn with(&self, new: Approval<'_>, now: Time) -> Change {
        let others = self.places.iter().map(|place| &self.judged[*place]);
        let mut approvals: Vec<Approval<'_>> =
            others.filter(|judged| judged.row.user != new.user).map(Judged::approval).collect();
        approvals.push(new);
        let judgement = self.demand.judge(&approvals, now);
        let (before, after) = (weight(&self.judgement), weight(&judgement));
        let stages = self.demand.marks(&judgement, approvals.len() - 1);
        Change { counts: after > before, keeps: after >= before, stages }
    }
}

/// What an approval would change.
#[derive(Debug, Clone)]
pub struct Change {
    /// Whether it counts for a stage for which none of the same person counts.
    pub counts: bool,
    /// Whether at least no stage lacks one that it has now.
    pub keeps: bool,
    /// The stages that it is given for.
    pub stages: Vec<StageMark>,
}

/// How many times approvals count for some stage.
fn weight(judgement: &Judgement) -> usize {
    judgement.ladders.iter().flatten().map(|stage| stage.given.len()).sum()
}

/// All that was decided about some versions, and what those who did may still do: read in a few statements, however many
/// versions there are.
#[derive(Debug, Default)]
pub struct Decisions {
    decisions: HashMap<VersionKey, Vec<DecisionRow>>,
    signers: HashMap<VersionKey, Vec<(String, i64)>>,
    roles: HashMap<String, Vec<(String, Role)>>,
    groups: HashMap<String, Vec<Membership>>,
}

impl Decisions {
    /// What was decided about these versions.
    pub async fn about(connection: &mut sqlx::AnyConnection, versions: &[VersionKey]) -> Result<Self> {
        let decisions = approvals::decisions_about(&mut *connection, versions).await?;
        if decisions.is_empty() {
            return Ok(Self::default());
        }
        let decided: Vec<VersionKey> = decisions.keys().cloned().collect();
        let signers = approvals::signers_of(&mut *connection, &decided).await?;
        let users: BTreeSet<&str> = decisions.values().flatten().map(|row| row.user.as_str()).collect();
        let users: Vec<String> = users.into_iter().map(str::to_owned).collect();
        let in_groups: BTreeSet<&str> = decisions
            .values()
            .flatten()
            .filter(|row| !row.groups.is_empty())
            .map(|row| row.user.as_str())
            .collect();
        let in_groups: Vec<String> = in_groups.into_iter().map(str::to_owned).collect();
        let roles = accounts::roles_of(&mut *connection, &users).await?;
        let groups = groups::of_users(&mut *connection, &in_groups).await?;
        Ok(Self { decisions, signers, roles, groups })
    }

    /// The decisions about a version, judged by how things stand.
    fn judge(&self, id: &SkillId, gated: &Gated) -> Vec<Judged> {
        let key = (id.key(), gated.version.to_string());
        let namespace: Namespace = id.namespace();
        let place = namespace.key();
        let signers = self.signers.get(&key).map_or(&[][..], Vec::as_slice);
        let judged = |decision: &DecisionRow| {
            let roles = self.roles.get(&decision.user).map_or(&[][..], Vec::as_slice);
            let held = highest_role(roles, &place).filter(|_| !decision.is_disabled);
            let role = held.map(|held| held.min(decision.role));
            let is_own = is_own(&gated.publisher, signers, &decision.user, decision.log_index);
            let still = self.groups.get(&decision.user).map_or(&[][..], Vec::as_slice);
            let is_still = |named: &&Membership| {
                key_contains(&named.namespace, &place)
                    && still.iter().any(|held| held.namespace == named.namespace && held.name == named.name)
            };
            let groups = decision.groups.iter().filter(is_still).map(group).collect();
            Judged { row: decision.clone(), counts: false, role, is_own, groups }
        };
        self.decisions.get(&key).into_iter().flatten().map(judged).collect()
    }
}

/// A group as policies name it.
pub fn group(membership: &Membership) -> Group {
    Group { namespace: membership.namespace.clone(), name: membership.name.clone() }
}

/// Whether a user had published or signed a version before the entry of this number.
pub fn is_own(publisher: &str, signers: &[(String, i64)], user: &str, before: i64) -> bool {
    publisher == user || signers.iter().any(|(signer, index)| signer == user && *index < before)
}
