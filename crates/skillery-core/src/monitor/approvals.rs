//! What waits for approval, and whether it was released by those who may.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::hidden::{Said, places};
use super::{Found, Monitor, Rule, key_of, version_key};
use crate::approval::{Approval, ApprovalPolicy};
use crate::{Digest, Role, SkillId, Version};

/// What was approved of what waits, and what is demanded of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Approvals {
    /// Policies with the entry that set them, by namespace key.
    policies: BTreeMap<String, (ApprovalPolicy, u64)>,
    /// Versions that wait, by `key@version`.
    pending: BTreeMap<String, Pending>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pending {
    /// Who published or signed it, by user id.
    authors: BTreeSet<String>,
    /// Approvals by entry.
    approvals: BTreeMap<u64, Given>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Given {
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
        policy: Option<ApprovalPolicy>,
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
            Some(policy) => drop(self.approvals.policies.insert(place, (policy, index))),
            None => {
                if self.approvals.policies.remove(&place).is_none()
                    && !self.excuse(self.may_be(None, &Said::policy(&place)))
                {
                    found.add(Rule::Approval, format!("`{namespace}` had no policy"));
                }
            }
        }
    }

    /// Compares the policies that an entry names with those in force in the namespace.
    fn check_policies(&mut self, namespace: &str, named: &[u64], found: &mut Found) {
        let in_force: BTreeSet<u64> = places(namespace)
            .filter_map(|place| self.approvals.policies.get(place).map(|(_, index)| *index))
            .collect();
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
                found.add(
                    Rule::Approval,
                    format!("it passes over the policy of `{namespace}` by entry {index}"),
                );
            }
        }
    }

    /// Notes a version that waits, if a policy makes it.
    pub(super) fn wait(
        &mut self,
        skill: &SkillId,
        version: &Version,
        policies: &[u64],
        authors: BTreeSet<String>,
        found: &mut Found,
    ) {
        self.check_policies(&skill.namespace().key(), policies, found);
        if !policies.is_empty() {
            let pending = Pending { authors, approvals: BTreeMap::new() };
            self.approvals.pending.insert(version_key(skill, version), pending);
        }
    }

    /// Whoever signs what waits has a part in it.
    pub(super) fn add_author(&mut self, skill: &SkillId, version: &Version, signer: &str) {
        if let Some(pending) = self.approvals.pending.get_mut(&version_key(skill, version)) {
            pending.authors.insert(signer.to_owned());
        }
    }

    pub(super) fn decide(&mut self, decision: Decided<'_>, found: &mut Found) {
        let Decided { index, actor, skill, version, digest, member, is_approval } = decision;
        self.must_be_published(skill, version, found);
        let key = version_key(skill, version);
        if self.versions.get(&key).is_some_and(|known| *known != digest) {
            found.add(Rule::Approval, format!("`{skill}` {version} has another digest than {digest}"));
        }
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
        match (is_approval, self.approvals.pending.get_mut(&key)) {
            (true, Some(pending)) => {
                let is_own = pending.authors.contains(user);
                if is_own {
                    found
                        .add(Rule::Approval, format!("`{user}` has published or signed it, and approves it"));
                }
                pending.approvals.insert(index, Given { user: user.to_owned(), role, is_own });
            }
            // Others may approve what waits for nothing.
            (true, None) => {}
            (false, Some(_)) => drop(self.approvals.pending.remove(&key)),
            (false, None) => {
                if !self.excuse(self.has_gap(&skill.key())) {
                    found.add(Rule::Status, format!("`{skill}` {version} does not wait"));
                }
            }
        }
    }

    /// A version that waited must have the approvals that are demanded at that moment, of people who still may.
    pub(super) fn release(
        &mut self,
        actor: Option<&str>,
        skill: &SkillId,
        version: &Version,
        (policies, approvals): (&[u64], &[u64]),
        found: &mut Found,
    ) {
        self.must_be_published(skill, version, found);
        let Some(pending) = self.approvals.pending.remove(&version_key(skill, version)) else {
            if policies.is_empty() && approvals.is_empty() {
                self.must_be_admin(actor, found);
            } else if !self.excuse(self.has_gap(&skill.key())) {
                found.add(Rule::Status, format!("`{skill}` {version} does not wait"));
            }
            return;
        };
        let namespace = skill.namespace().key();
        self.check_policies(&namespace, policies, found);
        let known: Vec<ApprovalPolicy> = places(&namespace)
            .filter_map(|place| self.approvals.policies.get(place))
            .filter(|(_, index)| policies.contains(index))
            .map(|(policy, _)| *policy)
            .collect();
        let demanded = ApprovalPolicy::together(known).unwrap_or(ApprovalPolicy::LEAST);
        let mut counted = Vec::new();
        for index in approvals {
            let Some(given) = pending.approvals.get(index) else {
                found.add(Rule::Approval, format!("entry {index} is no approval of it"));
                continue;
            };
            let held = self.roles_in(&namespace, &given.user).into_iter().map(|(role, _)| role).max();
            let role = match held {
                Some(role) if !self.disabled.contains(&given.user) => role,
                // The role may be by an entry that is hidden, as may be that it was taken away.
                None if given.role.is_none() => Role::Owner,
                _ => Role::Reader,
            };
            counted.push(Approval { user: &given.user, role, is_own: given.is_own });
        }
        let count = demanded.count(counted);
        if count < demanded.approvals {
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
    pub(super) is_approval: bool,
}
