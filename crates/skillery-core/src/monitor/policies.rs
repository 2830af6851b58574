//! What namespaces demand: their policies and groups, and whether what is published waits for them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::hidden::{Said, places};
use super::versions::VersionState;
use super::{Found, Monitor, Rule};
use crate::approval::{
    AutoMark, AutoReason, Demand, Fact, InForce, Passing, PublishPolicy, baseline, of_history,
};
use crate::{Role, Segment, SkillId, Version};

/// A policy in force, and the entry that set it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PolicyState {
    policy: PublishPolicy,
    index: u64,
}

/// The members of a group, and the entry that says so.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct GroupState {
    pub(super) users: BTreeSet<String>,
    pub(super) index: u64,
}

/// What an entry that publishes says of the policies that it passes.
pub(super) struct Published<'a> {
    pub(super) actor: Option<&'a str>,
    pub(super) skill: &'a SkillId,
    pub(super) facts: Option<&'a [Fact]>,
    pub(super) passed: &'a [AutoMark],
    pub(super) via: Option<&'a str>,
}

impl Monitor {
    pub(super) fn set_policy(
        &mut self,
        index: u64,
        actor: Option<&str>,
        namespace: &str,
        policy: Option<&PublishPolicy>,
        found: &mut Found,
    ) {
        let Some(place) = found.place(namespace) else { return };
        self.must_have(actor, &place, Role::Admin, found);
        if let Some(Err(error)) = policy.map(PublishPolicy::check) {
            found.add(Rule::Form, error.to_string());
        }
        match policy {
            Some(policy) => drop(self.policies.insert(place, PolicyState { policy: policy.clone(), index })),
            None => {
                if self.policies.remove(&place).is_none()
                    && !self.excuse(self.may_be(None, &Said::policy(&place)))
                {
                    found.add(Rule::Approval, format!("`{namespace}` had no policy"));
                }
            }
        }
    }

    pub(super) fn set_group(
        &mut self,
        index: u64,
        actor: Option<&str>,
        namespace: &str,
        group: &Segment,
        users: Option<&[String]>,
        found: &mut Found,
    ) {
        let Some(place) = found.place(namespace) else { return };
        self.must_have(actor, &place, Role::Admin, found);
        let groups = self.groups.entry(place.clone()).or_default();
        match users {
            Some(users) => {
                let users = users.iter().cloned().collect();
                groups.insert(group.clone(), GroupState { users, index });
            }
            None => {
                if groups.remove(group).is_none() && !self.excuse(self.may_be(None, &Said::group(&place))) {
                    found.add(Rule::Approval, format!("`{namespace}` had no group `{group}`"));
                }
            }
        }
    }

    /// The policies in force in a namespace.
    pub(super) fn in_force<'a>(&'a self, namespace: &'a str) -> impl Iterator<Item = InForce<'a>> {
        places(namespace).filter_map(|place| {
            let PolicyState { policy, index } = self.policies.get(place)?;
            Some(InForce { index: *index, namespace: place, policy })
        })
    }

    /// Compares the policies that an entry names with those in force in the namespace that demand something of a version with
    /// these facts, but for those that let it pass.
    pub(super) fn check_policies(
        &mut self,
        namespace: &str,
        named: &[u64],
        facts: Option<&[Fact]>,
        passed: &[AutoMark],
        found: &mut Found,
    ) {
        let demanding: BTreeSet<u64> =
            Demand::of(self.in_force(namespace), facts, passed).policies().into_iter().collect();
        for index in named.iter().filter(|index| !demanding.contains(index)) {
            if self.hidden.contains(index) {
                self.unjudged += 1;
                self.say(*index, Said::policy(namespace), found);
            } else {
                found.add(Rule::Approval, format!("entry {index} is no policy in force in `{namespace}`"));
            }
        }
        for index in demanding.iter().filter(|index| !named.contains(index)) {
            // It may have been replaced or removed since.
            if !self.excuse(self.may_be(Some(*index), &Said::policy(namespace))) {
                let detail = format!("it passes over the policy of `{namespace}` by entry {index}");
                found.add(Rule::Approval, detail);
            }
        }
    }

    /// Whether a version that is not signed may be published there.
    pub(super) fn check_unsigned(&mut self, namespace: &str, found: &mut Found) {
        let set = places(namespace).filter_map(|place| self.policies.get(place));
        let demanding: Vec<u64> = set.filter(|set| set.policy.signed).map(|set| set.index).collect();
        for index in demanding {
            if !self.excuse(self.may_be(Some(index), &Said::policy(namespace))) {
                let detail = format!("it is not signed, as the policy by entry {index} demands");
                found.add(Rule::Signature, detail);
            }
        }
    }

    /// Of what is said to be true of a version, what the log itself tells: whether it is the first one or a patch, and whether
    /// everybody sees the skill since an entry.
    pub(super) fn check_facts(
        &mut self,
        skill: &SkillId,
        version: &Version,
        facts: Option<&[Fact]>,
        found: &mut Found,
    ) {
        let Some(facts) = facts else { return };
        let before: Vec<(Version, &VersionState)> =
            self.versions_of(skill).map(|(_, version, state)| (version, state)).collect();
        let known = |counts: &dyn Fn(&VersionState) -> bool| {
            let before = || before.iter().filter(|(_, state)| counts(state));
            let was_released = before().any(|(_, state)| state.was_released);
            of_history(
                version,
                was_released,
                baseline(before().map(|(version, state)| (version, state.status))),
            )
        };
        // What was released by force alone is none that others are measured against. In logs from before that was so, it is.
        let (now, once) = (known(&|state| !state.is_only_forced), known(&|_| true));
        for fact in [Fact::FirstVersion, Fact::Patch] {
            let is_said = facts.contains(&fact);
            let fits = [&now, &once].into_iter().any(|known| known.contains(&fact) == is_said);
            if !fits && !self.excuse(self.has_gap(&skill.key())) {
                let said = if is_said { "said" } else { "not said" };
                found.add(
                    Rule::Approval,
                    format!("it is {said} to be `{fact}`, and the versions before tell otherwise"),
                );
            }
        }
        if self.public.contains(&skill.key()) && !facts.contains(&Fact::Public) {
            found.add(Rule::Approval, format!("everybody sees `{skill}`, and it is not said to be `public`"));
        }
    }

    /// Whether each policy that is said to let a version pass does.
    pub(super) fn check_passed(&mut self, published: &Published<'_>, found: &mut Found) {
        let Published { actor, skill, facts, passed, via } = *published;
        let namespace = skill.namespace().key();
        for mark in passed {
            let known = self.in_force(&namespace).find(|set| set.index == mark.policy);
            let known = known.map(|set| (set.namespace.to_owned(), set.policy.clone()));
            let Some((place, policy)) = known else {
                if self.hidden.contains(&mark.policy) {
                    self.unjudged += 1;
                    self.say(mark.policy, Said::policy(&namespace), found);
                } else {
                    let detail = format!("entry {} is no policy in force in `{namespace}`", mark.policy);
                    found.add(Rule::Approval, detail);
                }
                continue;
            };
            let ground = mark.rests_on();
            let set = InForce { index: mark.policy, namespace: &place, policy: &policy };
            let trusted = actor.filter(|_| via.is_some()).and_then(|user| self.builds.get(user));
            let trusted = trusted.filter(|(_, index)| ground == Some(Some(*index)));
            let named = self.groups.get(&place).into_iter().flatten();
            let mut named = named.filter(|(_, state)| {
                ground == Some(Some(state.index)) && actor.is_some_and(|user| state.users.contains(user))
            });
            let passing = Passing {
                facts,
                trusted_in: trusted.map(|(place, _)| place.as_str()),
                group: named.next().map(|(name, _)| (place.as_str(), name)),
            };
            let lets_pass = ground.is_some() && set.lets_pass(mark.reason, &passing);
            // What it rests on is hidden, and may be right.
            let said = match mark.reason {
                AutoReason::TrustedBuild if policy.auto.builds && via.is_some() => Some(Said::build(&place)),
                AutoReason::Group if !policy.auto.groups.is_empty() => Some(Said::group(&place)),
                _ => None,
            };
            let hidden = ground.flatten().filter(|index| !lets_pass && self.hidden.contains(index));
            if let Some((index, said)) = hidden.zip(said) {
                self.unjudged += 1;
                self.say(index, said, found);
                continue;
            }
            if !lets_pass {
                let detail =
                    format!("the policy by entry {} does not let it pass as `{}`", mark.policy, mark.reason);
                found.add(Rule::Approval, detail);
            }
        }
    }
}
