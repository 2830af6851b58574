//! Counting: which stages there are for a version, and which approvals count for which of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AutoMark, Fact, PublishPolicy, Stage, holds, is_trusted_patch};
use crate::time::{DAY_SECONDS, Time};
use crate::{Role, Segment};

/// A policy where it is set.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// The number of its entry.
    pub index: u64,
    /// The key of its namespace.
    pub namespace: &'a str,
    /// What it demands.
    pub policy: &'a PublishPolicy,
}

/// A group that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The key of its namespace.
    pub namespace: String,
    /// Its name.
    pub name: Segment,
}

/// The stage that an approval was given for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StageMark {
    /// The number of the entry with the policy that asks for it.
    pub policy: u64,
    /// Its name.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub stage: Segment,
}

/// An approval that somebody gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval<'a> {
    /// The id of the user.
    pub user: &'a str,
    /// The user's role there.
    pub role: Role,
    /// Whether the user had published or signed the version.
    pub is_own: bool,
    /// The groups that the user was in when it was given, and is in still.
    pub groups: Vec<Group>,
    /// Whether it is signed by the user.
    pub is_signed: bool,
    /// When it was given.
    pub at: Time,
    /// The number of its entry.
    pub index: u64,
    /// The stages that it was given for; none where no ladder had several.
    pub stages: &'a [StageMark],
}

/// Stages that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// The entries of the policies that demand it.
    pub policies: Vec<u64>,
    /// The key of the namespace whose groups its stages name.
    pub namespace: String,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    same_people: bool,
    /// Whether only approvals count that are signed.
    pub signed_reviews: bool,
    expires_days: Option<u32>,
}

/// What is demanded of one version: every ladder to its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// The ladders.
    pub ladders: Vec<Ladder>,
}

/// How far a stage is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageCount {
    /// The approvals that count for it, by their places among those that were judged.
    pub given: Vec<usize>,
    /// Whether it has all that it needs.
    pub is_complete: bool,
    /// Whether all before it have, and it has not.
    pub is_open: bool,
}

/// What approvals come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Of each ladder its stages.
    pub ladders: Vec<Vec<StageCount>>,
}

impl Demand {
    /// What these policies demand of a version with these facts. `passed` are the marks of those that let it pass.
    ///
    /// Those of the plain form are one stage together, with the most people and the highest role of them; each of the others
    /// is a ladder of its own. None of them takes anything back of another, so that nobody below is free of what is demanded
    /// above.
    pub fn of<'a>(
        policies: impl IntoIterator<Item = InForce<'a>>,
        facts: Option<&[Fact]>,
        passed: &[AutoMark],
    ) -> Self {
        let mut ladders: Vec<Ladder> = Vec::new();
        let mut plain: Vec<InForce<'a>> = Vec::new();
        for set in policies {
            let InForce { index, namespace, policy } = set;
            if !policy.waits() || set.is_passed(passed, facts) || !holds(&policy.when, facts) {
                continue;
            }
            if policy.is_plain() {
                plain.push(set);
                continue;
            }
            let stages: Vec<Stage> = match policy.stages.is_empty() {
                true => only_stage(policy).into_iter().collect(),
                false => policy.stages.iter().filter(|stage| holds(&stage.when, facts)).cloned().collect(),
            };
            if !stages.is_empty() {
                ladders.push(Ladder {
                    policies: vec![index],
                    namespace: namespace.to_owned(),
                    stages,
                    same_people: policy.same_people,
                    signed_reviews: policy.signed_reviews,
                    expires_days: policy.expires_days,
                });
            }
        }
        if let Some(stage) =
            PublishPolicy::together(plain.iter().map(|set| set.policy)).as_ref().and_then(only_stage)
        {
            let policies = plain.iter().map(|set| set.index).collect();
            let namespace = plain.last().map_or("", |set| set.namespace).to_owned();
            ladders.insert(0, Ladder::plain(policies, namespace, vec![stage]));
        }
        Self { ladders }
    }

    /// The same, or one approval of a reviewer where that is nothing: what waits, or waited, is released by nobody alone.
    #[must_use]
    pub fn or_least(self) -> Self {
        if !self.ladders.is_empty() {
            return self;
        }
        let stages = only_stage(&PublishPolicy::LEAST).into_iter().collect();
        let (policies, namespace) = (Vec::new(), String::new());
        Self { ladders: vec![Ladder::plain(policies, namespace, stages)] }
    }

    /// Whether nothing is demanded.
    pub fn is_nothing(&self) -> bool {
        self.ladders.is_empty()
    }

    /// The entries of the policies that demand it, in their order.
    pub fn policies(&self) -> Vec<u64> {
        let entries: BTreeSet<u64> =
            self.ladders.iter().flat_map(|ladder| ladder.policies.iter().copied()).collect();
        entries.into_iter().collect()
    }

    /// The lowest role that some stage of it asks for.
    pub fn lowest_role(&self) -> Role {
        self.stages().map(|stage| stage.role).min().unwrap_or(Role::Reviewer)
    }

    fn stages(&self) -> impl Iterator<Item = &Stage> {
        self.ladders.iter().flat_map(|ladder| &ladder.stages)
    }

    /// In short, as one stage: the most people of a ladder, and the highest of the roles that each asks for at least.
    pub fn in_short(&self) -> PublishPolicy {
        let short = |ladder: &Ladder| {
            let people: u32 = ladder.stages.iter().map(|stage| stage.approvals).sum();
            (people, ladder.stages.iter().map(|stage| stage.role).min().unwrap_or(Role::Reviewer))
        };
        let most =
            self.ladders.iter().map(short).reduce(|one, other| (one.0.max(other.0), one.1.max(other.1)));
        let (approvals, role) = most.unwrap_or((0, Role::Reviewer));
        PublishPolicy { approvals, role, ..PublishPolicy::LEAST }
    }

    /// Judges approvals, in the order in which they were given, at this time.
    pub fn judge(&self, approvals: &[Approval<'_>], now: Time) -> Judgement {
        Judgement { ladders: self.ladders.iter().map(|ladder| ladder.judge(approvals, now)).collect() }
    }

    /// The stages that an approval is given for which counts so: nothing where no ladder has several, as there is nothing to tell
    /// apart then.
    pub fn marks(&self, judgement: &Judgement, place: usize) -> Vec<StageMark> {
        if self.ladders.iter().all(|ladder| ladder.stages.len() < 2) {
            return Vec::new();
        }
        let ladders = self.ladders.iter().zip(&judgement.ladders);
        let stages = ladders.flat_map(|(ladder, counts)| {
            ladder.stages.iter().zip(counts).map(|(stage, count)| (ladder.policies.first(), stage, count))
        });
        let given = stages.filter(|(.., count)| count.given.contains(&place));
        let mark = |(policy, stage, _): (Option<&u64>, &Stage, &StageCount)| {
            Some(StageMark { policy: *policy?, stage: stage.name.clone() })
        };
        given.filter_map(mark).collect()
    }

    /// A stage that asks for somebody of this role and these groups, and counts signed approvals only.
    pub fn needs_signature(&self, approval: &Approval<'_>) -> Option<&Stage> {
        let signed = self.ladders.iter().filter(|ladder| ladder.signed_reviews);
        let mut stages = signed.flat_map(|ladder| ladder.stages.iter().map(move |stage| (ladder, stage)));
        stages.find(|(ladder, stage)| stage.asks_for(&ladder.namespace, approval)).map(|(_, stage)| stage)
    }
}

/// The one stage of a policy without stages.
fn only_stage(policy: &PublishPolicy) -> Option<Stage> {
    let name = "approval".parse().ok()?;
    let PublishPolicy { approvals, role, .. } = *policy;
    (approvals > 0).then_some(Stage { name, approvals, role, group: None, when: Vec::new() })
}

impl Stage {
    /// Whether the approval is of somebody whom it asks for. `namespace` is where its groups are.
    fn asks_for(&self, namespace: &str, approval: &Approval<'_>) -> bool {
        let is_in = |group: &Segment| {
            approval.groups.iter().any(|known| known.name == *group && known.namespace == namespace)
        };
        approval.role >= self.role && self.group.as_ref().is_none_or(is_in)
    }
}

impl Ladder {
    fn plain(policies: Vec<u64>, namespace: String, stages: Vec<Stage>) -> Self {
        Self { policies, namespace, stages, same_people: false, signed_reviews: false, expires_days: None }
    }

    /// Whether some stage asks for somebody of this role and these groups.
    pub fn asks_for(&self, approval: &Approval<'_>) -> bool {
        self.stages.iter().any(|stage| stage.asks_for(&self.namespace, approval))
    }

    fn is_good(&self, approval: &Approval<'_>, now: Time) -> bool {
        let is_late = |days: u32| approval.at.plus_seconds(i64::from(days) * DAY_SECONDS) < now;
        let is_signed = approval.is_signed || !self.signed_reviews;
        !approval.is_own && is_signed && !self.expires_days.is_some_and(is_late)
    }

    /// Whether an approval was given for this stage. It keeps to what it names, so that it stands for nothing else when
    /// an earlier one falls away. One that names nothing was given for whatever is open at its place; if it is older than the policy,
    /// for none of several stages.
    fn is_given_for(&self, stage: &Stage, approval: &Approval<'_>) -> bool {
        if self.stages.len() < 2 {
            return true;
        }
        if approval.stages.is_empty() {
            return self.policies.iter().all(|policy| *policy < approval.index);
        }
        let is_it = |mark: &StageMark| self.policies.contains(&mark.policy) && mark.stage == stage.name;
        approval.stages.iter().any(is_it)
    }

    /// Each approval counts for the stage that it was given for, if that is open at its place and asks for whoever gave it; each
    /// person once. Where the same people may count for several stages, what they said once stands for each of them.
    fn judge(&self, approvals: &[Approval<'_>], now: Time) -> Vec<StageCount> {
        let good: Vec<(usize, &Approval<'_>)> =
            approvals.iter().enumerate().filter(|(_, approval)| self.is_good(approval, now)).collect();
        let mut given: Vec<BTreeMap<&str, usize>> = vec![BTreeMap::new(); self.stages.len()];
        let is_full = |given: &BTreeMap<&str, usize>, stage: &Stage| given.len() >= stage.approvals as usize;
        if self.same_people {
            for (stage, given) in self.stages.iter().zip(&mut given) {
                for (place, approval) in &good {
                    if stage.asks_for(&self.namespace, approval) {
                        given.entry(approval.user).or_insert(*place);
                    }
                }
            }
        } else {
            let mut used: BTreeSet<&str> = BTreeSet::new();
            let mut open = 0;
            for (place, approval) in &good {
                // Of the last stage there may be more than are needed.
                while open + 1 < self.stages.len() && is_full(&given[open], &self.stages[open]) {
                    open += 1;
                }
                let Some(stage) = self.stages.get(open) else { break };
                let is_for = self.is_given_for(stage, approval) && stage.asks_for(&self.namespace, approval);
                if is_for && used.insert(approval.user) {
                    given[open].insert(approval.user, *place);
                }
            }
        }
        let mut is_reached = true;
        let count = |(stage, given): (&Stage, BTreeMap<&str, usize>)| {
            let is_complete = is_reached && is_full(&given, stage);
            let is_open = is_reached && !is_complete;
            is_reached = is_complete;
            let mut given: Vec<usize> = given.into_values().collect();
            given.sort_unstable();
            StageCount { given, is_complete, is_open }
        };
        self.stages.iter().zip(given).map(count).collect()
    }
}

impl Judgement {
    /// Whether every stage has its approvals.
    pub fn is_complete(&self) -> bool {
        self.ladders.iter().flatten().all(|stage| stage.is_complete)
    }

    /// The places of the approvals that count for some stage.
    pub fn counted(&self) -> BTreeSet<usize> {
        self.ladders.iter().flatten().flat_map(|stage| stage.given.iter().copied()).collect()
    }

    /// How many approvals count.
    pub fn count(&self) -> u32 {
        u32::try_from(self.counted().len()).unwrap_or(u32::MAX)
    }
}

impl PublishPolicy {
    /// Whether a patch with these facts passes: it asks for nothing new, and no stage with conditions is there for it.
    pub fn lets_patch_pass(&self, facts: Option<&[Fact]>) -> bool {
        let has_met = |when: &Vec<Fact>| !when.is_empty() && holds(when, facts);
        self.auto.patches
            && is_trusted_patch(facts)
            && !has_met(&self.when)
            && !self.stages.iter().any(|stage| has_met(&stage.when))
    }
}
