//! Who decides about what waits.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::hidden::{Said, places};
use super::versions::version_key;
use super::{Found, Monitor, Rule};
use crate::approval::{MAX_GROUPS_NAMED, StageMark};
use crate::sign::review::ReviewMark;
use crate::time::Time;
use crate::{Decision, Digest, Role, Segment, SkillId, Version};

/// An approval that may count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Given {
    pub(super) user: String,
    /// The role by which it was given; none where the entry about that is hidden.
    pub(super) role: Option<Role>,
    pub(super) is_own: bool,
    /// Groups that the user was in: keys of namespaces, and names.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(super) groups: BTreeSet<(String, Segment)>,
    /// Whether it names a group by an entry that is hidden.
    #[serde(default)]
    pub(super) has_hidden_groups: bool,
    #[serde(default)]
    pub(super) is_signed: bool,
    #[serde(default)]
    pub(super) at: Time,
    /// The stages that it was given for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) stages: Vec<StageMark>,
}

/// What an approval names.
pub(super) struct Named<'a> {
    pub(super) groups: &'a [u64],
    pub(super) stages: &'a [StageMark],
}

/// An entry by which a reviewer decides.
pub(super) struct Decided<'a> {
    pub(super) index: u64,
    pub(super) time: Time,
    pub(super) actor: Option<&'a str>,
    pub(super) skill: &'a SkillId,
    pub(super) version: &'a Version,
    pub(super) digest: Digest,
    pub(super) member: u64,
    /// Of whichever decision: whoever signs a rejection does so with a key of their own, too.
    pub(super) signature: Option<&'a ReviewMark>,
    pub(super) decision: Decision,
    /// Of an approval, what it names.
    pub(super) approval: Option<Named<'a>>,
}

impl Monitor {
    pub(super) fn decide(&mut self, decided: Decided<'_>, found: &mut Found) {
        let Decided { index, time, actor, skill, version, digest, member, signature, decision, approval } =
            decided;
        let Some(user) = actor else {
            found.add(Rule::Right, "nobody is said to have decided it".to_owned());
            return;
        };
        if self.disabled.contains(user) {
            found.add(Rule::Right, format!("`{user}` is switched off"));
        }
        let namespace = skill.namespace().key();
        let role = self.role_by(member, &namespace, user, Role::Reviewer, found);
        let groups = approval.as_ref().map(|named| {
            if named.groups.len() > MAX_GROUPS_NAMED {
                found.add(Rule::Form, format!("it names more than {MAX_GROUPS_NAMED} groups"));
            }
            let groups = &named.groups[..named.groups.len().min(MAX_GROUPS_NAMED)];
            self.groups_by(groups, &namespace, user, found)
        });
        if let Some(mark) = signature {
            self.check_review_mark(user, mark, found);
        }
        let Some(known) = self.versions.get_mut(&version_key(skill, version)) else { return };
        if known.digest != digest {
            found.add(Rule::Approval, format!("`{skill}` {version} has another digest than {digest}"));
        }
        let (Some(named), Some((groups, has_hidden_groups))) = (approval, groups) else {
            match decision {
                // Who asks for changes approves no more.
                Decision::ChangesRequested => known.approvals.retain(|_, given| given.user != user),
                Decision::Approved | Decision::Rejected => known.approvals.clear(),
            }
            return;
        };
        let is_own = known.authors.contains(user);
        if is_own {
            found.add(Rule::Approval, format!("`{user}` has published or signed it, and approves it"));
        }
        let (user, is_signed, stages) = (user.to_owned(), signature.is_some(), named.stages.to_vec());
        let given = Given { user, role, is_own, groups, has_hidden_groups, is_signed, at: time, stages };
        known.approvals.insert(index, given);
    }

    /// The role that an entry gives a user, where it is the last one about that; none where it is hidden, or wrong.
    pub(super) fn role_by(
        &mut self,
        member: u64,
        namespace: &str,
        user: &str,
        least: Role,
        found: &mut Found,
    ) -> Option<Role> {
        let held = self.roles_in(namespace, user);
        let role = held.iter().find(|(_, given)| *given == member).map(|(role, _)| *role);
        match role {
            Some(role) if role >= least => {}
            None if self.hidden.contains(&member)
                && self.bound(places(namespace), user).is_none_or(|bound| member > bound) =>
            {
                self.unjudged += 1;
                self.say(member, Said::role(namespace, user), found);
            }
            _ => {
                let detail = format!("entry {member} does not make `{user}` a {least} of `{namespace}`");
                found.add(Rule::Right, detail);
            }
        }
        role
    }

    /// The groups that these entries say that a user is in, and whether one of them is hidden.
    fn groups_by(
        &mut self,
        named: &[u64],
        namespace: &str,
        user: &str,
        found: &mut Found,
    ) -> (BTreeSet<(String, Segment)>, bool) {
        let (mut groups, mut has_hidden) = (BTreeSet::new(), false);
        for index in named {
            let known = places(namespace)
                .filter_map(|place| self.groups.get(place).map(|groups| (place, groups)))
                .flat_map(|(place, groups)| groups.iter().map(move |(name, state)| (place, name, state)))
                .find(|(.., state)| state.index == *index && state.users.contains(user))
                .map(|(place, name, _)| (place.to_owned(), name.clone()));
            match known {
                Some(group) => drop(groups.insert(group)),
                None if self.hidden.contains(index) => {
                    has_hidden = true;
                    self.unjudged += 1;
                    self.say(*index, Said::group(namespace), found);
                }
                None => {
                    let detail = format!("entry {index} does not put `{user}` into a group of `{namespace}`");
                    found.add(Rule::Right, detail);
                }
            }
        }
        (groups, has_hidden)
    }

    fn check_review_mark(&mut self, user: &str, mark: &ReviewMark, found: &mut Found) {
        let ReviewMark { key, enrolled, .. } = mark;
        match self.keys.get(key) {
            None if self.hidden.contains(enrolled) => {
                self.unjudged += 1;
                self.say(*enrolled, Said::Key(key.clone()), found);
            }
            Some(state)
                if !state.is_revoked && state.last == *enrolled && state.user.as_deref() == Some(user) => {}
            _ => {
                let detail = format!("entry {enrolled} does not make {key} a good key of `{user}`");
                found.add(Rule::Signature, detail);
            }
        }
    }
}
