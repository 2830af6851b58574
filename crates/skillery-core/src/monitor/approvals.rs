//! What waits for approval, and whether it was released by those who may.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::hidden::{Said, places};
use super::versions::version_key;
use super::{Found, Monitor, Rule, key_of};
use crate::approval::{Approval, Decision, PublishPolicy};
use crate::{Digest, Role, SkillId, Version, VersionStatus};

/// A policy in force, and the entry that set it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct PolicyState {
    policy: PublishPolicy,
    index: u64,
}

/// An approval of what waits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    user: String,
    /// The role by which it was given; none where the entry about that is hidden.
    role: Option<Role>,
    is_own: bool,
}

impl Monitor {
    pub(super) fn set_policy(
        &mut self,
        index: u64,
        actor: Option<&str>,
        namespace: &str,
        policy: Option<PublishPolicy>,
        found: &mut Found,
    ) {
        let Some(place) = key_of(namespace) else {
            found.add(Rule::Form, format!("`{namespace}` is no namespace"));
            return;
        };
        self.must_have(actor, &place, Role::Admin, found);
        if let Some(Err(error)) = policy.map(|policy| policy.check()) {
            found.add(Rule::Form, error.to_string());
        }
        match policy {
            Some(policy) => drop(self.policies.insert(place, PolicyState { policy, index })),
            None => {
                if self.policies.remove(&place).is_none()
                    && !self.excuse(self.may_be(None, &Said::policy(&place)))
                {
                    found.add(Rule::Approval, format!("`{namespace}` had no policy"));
                }
            }
        }
    }

    /// Compares the policies that an entry names with those in force in the namespace.
    pub(super) fn check_policies(&mut self, namespace: &str, named: &[u64], found: &mut Found) {
        let set = places(namespace).filter_map(|place| self.policies.get(place));
        let in_force: BTreeSet<u64> = set.filter(|set| set.policy.waits()).map(|set| set.index).collect();
        for index in named.iter().filter(|index| !in_force.contains(index)) {
            if self.hidden.contains(index) {
                self.unjudged += 1;
                self.say(*index, Said::policy(namespace), found);
            } else {
                found.add(Rule::Approval, format!("entry {index} is no policy in force in `{namespace}`"));
            }
        }
        for index in in_force.iter().filter(|index| !named.contains(index)) {
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

    pub(super) fn decide(&mut self, decided: Decided<'_>, found: &mut Found) {
        let Decided { index, actor, skill, version, digest, member, decision } = decided;
        let Some(user) = actor else {
            found.add(Rule::Right, "nobody is said to have decided it".to_owned());
            return;
        };
        if self.disabled.contains(user) {
            found.add(Rule::Right, format!("`{user}` is switched off"));
        }
        let namespace = skill.namespace().key();
        let held = self.roles_in(&namespace, user);
        let role = held.iter().find(|(_, given)| *given == member).map(|(role, _)| *role);
        match role {
            Some(role) if role >= Role::Reviewer => {}
            None if self.hidden.contains(&member)
                && self.bound(places(&namespace), user).is_none_or(|bound| member > bound) =>
            {
                self.unjudged += 1;
                self.say(member, Said::role(&namespace, user), found);
            }
            _ => {
                let detail = format!("entry {member} does not make `{user}` a reviewer of `{namespace}`");
                found.add(Rule::Right, detail);
            }
        }
        let Some(known) = self.versions.get_mut(&version_key(skill, version)) else { return };
        if known.digest != digest {
            found.add(Rule::Approval, format!("`{skill}` {version} has another digest than {digest}"));
        }
        match decision {
            Decision::Approved => {}
            Decision::Rejected => {
                known.approvals.clear();
                return;
            }
            // Who asks for changes approves no more.
            Decision::ChangesRequested => {
                known.approvals.retain(|_, given| given.user != user);
                return;
            }
        }
        let is_own = known.authors.contains(user);
        if is_own {
            found.add(Rule::Approval, format!("`{user}` has published or signed it, and approves it"));
        }
        if known.status == VersionStatus::Pending {
            known.approvals.insert(index, Given { user: user.to_owned(), role, is_own });
        }
    }

    /// A version that waited must have the approvals that are demanded at that moment, of people who still may.
    pub(super) fn release(
        &mut self,
        skill: &SkillId,
        version: &Version,
        policies: &[u64],
        approvals: &[u64],
        found: &mut Found,
    ) {
        let namespace = skill.namespace().key();
        self.check_policies(&namespace, policies, found);
        // Whoever has released a version twice, or what does not wait, has broken another rule already.
        let Some(known) = self.versions.get_mut(&version_key(skill, version)) else { return };
        let pending = std::mem::take(&mut known.approvals);
        let named = places(&namespace)
            .filter_map(|place| self.policies.get(place))
            .filter(|set| policies.contains(&set.index))
            .map(|set| set.policy);
        let demanded = PublishPolicy::of_waiting(named);
        let (mut counted, mut unseen, mut may_have_more) = (Vec::new(), Vec::new(), false);
        for index in approvals {
            let Some(given) = pending.get(index) else {
                match self.hidden.contains(index) {
                    true => unseen.push(*index),
                    false => found.add(Rule::Approval, format!("entry {index} is no approval of it")),
                }
                continue;
            };
            let held = self.roles_in(&namespace, &given.user).into_iter().map(|(role, _)| role).max();
            let role = match (given.role, held) {
                _ if self.disabled.contains(&given.user) => Role::Reader,
                // The role may be by an entry that is hidden, as may be that it was taken away.
                (None, _) => Role::Owner,
                (Some(given), Some(held)) => given.min(held),
                (Some(_), None) => Role::Reader,
            };
            may_have_more |= self.may_have_role(&namespace, &given.user);
            counted.push(Approval { user: &given.user, role, is_own: given.is_own });
        }
        let hidden = u32::try_from(unseen.len()).unwrap_or(u32::MAX);
        let count = demanded.count(counted).saturating_add(hidden);
        self.unjudged += u64::from(hidden);
        for index in unseen {
            self.say(index, Said::Skill(skill.key()), found);
        }
        if count < demanded.approvals && !self.excuse(may_have_more) {
            let detail = format!(
                "{count} of its approvals count, and {} of the role `{}` are demanded",
                demanded.approvals, demanded.role
            );
            found.add(Rule::Approval, detail);
        }
    }
}

/// An entry by which a reviewer decides.
pub(super) struct Decided<'a> {
    pub(super) index: u64,
    pub(super) actor: Option<&'a str>,
    pub(super) skill: &'a SkillId,
    pub(super) version: &'a Version,
    pub(super) digest: Digest,
    pub(super) member: u64,
    pub(super) decision: Decision,
}
