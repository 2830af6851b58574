//! Whether what waits was released by those who may, and what waits again.

use std::collections::BTreeSet;

use super::approvals::Given;
use super::hidden::Said;
use super::versions::version_key;
use super::{Found, Monitor, Rule};
use crate::approval::{Approval, Demand, Fact, Group, HeldFor, InForce, Overdue};
use crate::event::Event;
use crate::standing::is_asked_anew;
use crate::time::Time;
use crate::{Digest, Role, SkillId, Version, VersionStatus};

/// An entry that releases a version by force.
pub(super) struct Forced<'a> {
    pub(super) index: u64,
    pub(super) actor: Option<&'a str>,
    pub(super) skill: &'a SkillId,
    pub(super) version: &'a Version,
    pub(super) digest: Digest,
    pub(super) member: u64,
    pub(super) policies: &'a [u64],
}

/// An entry that has a version wait again.
pub(super) struct Held<'a> {
    pub(super) actor: Option<&'a str>,
    pub(super) skill: &'a SkillId,
    pub(super) version: &'a Version,
    pub(super) why: HeldFor,
    pub(super) policies: &'a [u64],
}

impl Monitor {
    /// A version that waited must have the approvals that are demanded at that moment, of people who still may. `is_again` is
    /// true of one that is handed out already.
    pub(super) fn release(
        &mut self,
        skill: &SkillId,
        version: &Version,
        policies: &[u64],
        approvals: &[u64],
        (time, is_again): (Time, bool),
        found: &mut Found,
    ) {
        let (namespace, key) = (skill.namespace().key(), version_key(skill, version));
        // Whoever has released a version twice, or what does not wait, has broken another rule already.
        let Some(known) = self.versions.get_mut(&key) else { return };
        if is_again && !known.lacks_approvals {
            found.add(Rule::Status, format!("`{skill}` {version} is neither due nor released by force"));
        }
        known.lacks_approvals = false;
        let (facts, passed, given) = (known.facts.clone(), known.passed.clone(), known.approvals.clone());
        self.check_policies(&namespace, policies, facts.as_deref(), &passed, found);
        let named = self.in_force(&namespace).filter(|set| policies.contains(&set.index));
        let demand = Demand::of(named, facts.as_deref(), &passed).or_least();
        let approvals: BTreeSet<u64> = approvals.iter().copied().collect();
        let unseen: Vec<(u64, String)> =
            approvals.iter().map(|index| (*index, format!("somebody by entry {index}"))).collect();
        let (mut counted, mut may_have_more) = (Vec::new(), false);
        for (index, unseen) in &unseen {
            let Some(given) = given.get(index) else {
                match self.hidden.contains(index) {
                    true => counted.push(joker(unseen, &demand, time)),
                    false => found.add(Rule::Approval, format!("entry {index} is no approval of it")),
                }
                continue;
            };
            counted.push(self.still(*index, given, &namespace, &demand));
            may_have_more |= self.may_have_role(&namespace, &given.user)
                || (!given.groups.is_empty() && self.may_be(None, &Said::group(&namespace)));
        }
        let judgement = demand.judge(&counted, time);
        drop(counted);
        for (index, _) in unseen.iter().filter(|(index, _)| !given.contains_key(index)) {
            if self.hidden.contains(index) {
                self.unjudged += 1;
                self.say(*index, Said::Skill(skill.key()), found);
            }
        }
        if !judgement.is_complete() && !self.excuse(may_have_more) {
            let stages = demand.ladders.iter().zip(&judgement.ladders);
            let mut stages = stages.flat_map(|(ladder, counts)| ladder.stages.iter().zip(counts));
            let detail = match stages.find(|(_, count)| !count.is_complete) {
                Some((stage, count)) => format!(
                    "{} of its approvals count for the stage `{}`, and {} of the role `{}` are demanded",
                    count.given.len(),
                    stage.name,
                    stage.approvals,
                    stage.role
                ),
                None => "its approvals do not count".to_owned(),
            };
            found.add(Rule::Approval, detail);
        }
    }

    /// An approval by how things stand: whoever gave it may have been demoted, put out of a group or switched off.
    fn still<'a>(&self, index: u64, given: &'a Given, namespace: &str, demand: &Demand) -> Approval<'a> {
        let held = self.roles_in(namespace, &given.user).into_iter().map(|(role, _)| role).max();
        let role = match (given.role, held) {
            _ if self.disabled.contains(&given.user) => Role::Reader,
            // The role may be by an entry that is hidden, as may be that it was taken away.
            (None, _) => Role::Owner,
            (Some(given), Some(held)) => given.min(held),
            (Some(_), None) => Role::Reader,
        };
        let is_still = |(place, name): &&(String, crate::Segment)| {
            let group = self.groups.get(place).and_then(|groups| groups.get(name));
            group.is_some_and(|state| state.users.contains(&given.user))
        };
        let group = |(namespace, name): &(String, crate::Segment)| Group {
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let mut groups: Vec<Group> = given.groups.iter().filter(is_still).map(group).collect();
        if given.has_hidden_groups {
            groups.extend(all_groups(demand));
        }
        let Given { user, is_own, is_signed, at, stages, .. } = given;
        Approval { user, role, is_own: *is_own, groups, is_signed: *is_signed, at: *at, index, stages }
    }

    /// An owner, or an admin of the registry with a role there, releases by force.
    pub(super) fn force(&mut self, forced: Forced<'_>, found: &mut Found) {
        let Forced { index, actor, skill, version, digest, member, policies } = forced;
        let (namespace, key) = (skill.namespace().key(), version_key(skill, version));
        match actor {
            Some(user) => {
                if self.disabled.contains(user) {
                    found.add(Rule::Right, format!("`{user}` is switched off"));
                }
                let least = if self.admins.contains(user) { Role::Reader } else { Role::Owner };
                self.role_by(member, &namespace, user, least, found);
            }
            None => found.add(Rule::Right, "nobody is said to have done it".to_owned()),
        }
        let Some(known) = self.versions.get_mut(&key) else { return };
        known.lacks_approvals = true;
        if known.digest != digest {
            found.add(Rule::Approval, format!("`{skill}` {version} has another digest than {digest}"));
        }
        let (facts, passed) = (known.facts.clone(), known.passed.clone());
        self.check_policies(&namespace, policies, facts.as_deref(), &passed, found);
        self.forced.insert(index, key);
    }

    /// What is handed out waits again: as everybody sees its skill from now on, or as nobody looked at it in time.
    pub(super) fn hold(&mut self, held: Held<'_>, found: &mut Found) {
        let Held { actor, skill, version, why, policies } = held;
        let (namespace, key) = (skill.namespace().key(), version_key(skill, version));
        match why {
            // An admin makes it public; what was yanked then waits when a publisher takes that back.
            HeldFor::Public => self.must_have(actor, &namespace, Role::Publisher, found),
            HeldFor::Review => {
                self.check_review(&namespace, policies, Some(Overdue::Hold), found);
                if actor.is_some() {
                    found.add(Rule::Right, "somebody is said to have done it".to_owned());
                }
            }
        }
        let Some(known) = self.versions.get_mut(&key) else { return };
        known.lacks_approvals = false;
        if why == HeldFor::Review {
            return;
        }
        let (facts, passed) = (known.facts.clone(), known.passed.clone());
        self.check_policies(&namespace, policies, facts.as_deref(), &passed, found);
    }

    /// What is handed out is to be looked at again.
    pub(super) fn fall_due(
        &mut self,
        actor: Option<&str>,
        skill: &SkillId,
        version: &Version,
        policies: &[u64],
        found: &mut Found,
    ) {
        if actor.is_some() {
            found.add(Rule::Right, "somebody is said to have done it".to_owned());
        }
        self.check_review(&skill.namespace().key(), policies, None, found);
        if let Some(known) = self.versions.get_mut(&version_key(skill, version)) {
            known.lacks_approvals = true;
        }
    }

    /// What was said of a version counts no more, and no policy lets it pass, where it is to be looked at anew.
    pub(super) fn ask_anew(&mut self, skill: &SkillId, version: &Version, event: &Event) {
        if is_asked_anew(event)
            && let Some(known) = self.versions.get_mut(&version_key(skill, version))
        {
            known.approvals.clear();
            known.passed.clear();
        }
    }

    /// Whether these entries are policies in force that want what was released to be looked at again.
    fn check_review(
        &mut self,
        namespace: &str,
        policies: &[u64],
        overdue: Option<Overdue>,
        found: &mut Found,
    ) {
        let wants = |set: &InForce<'_>| {
            set.policy.review.is_some_and(|review| overdue.is_none_or(|overdue| overdue == review.overdue))
        };
        let wanting: BTreeSet<u64> = self.in_force(namespace).filter(wants).map(|set| set.index).collect();
        for index in policies.iter().filter(|index| !wanting.contains(index)) {
            if self.hidden.contains(index) {
                self.unjudged += 1;
                self.say(*index, Said::policy(namespace), found);
            } else {
                let detail = format!("entry {index} is no policy of `{namespace}` that wants it");
                found.add(Rule::Approval, detail);
            }
        }
    }

    /// From now on everybody sees the skill. What policies ask for then is asked of all that is handed out; of what was taken back, when
    /// it would be handed out again.
    pub(super) fn make_public(&mut self, skill: &SkillId) {
        self.public.insert(skill.key());
        let namespace = skill.namespace().key();
        let asks = self.in_force(&namespace).any(|set| set.policy.asks_for_public());
        let keys: Vec<String> = self.versions_of(skill).map(|(key, ..)| key.clone()).collect();
        for key in keys {
            let Some(known) = self.versions.get_mut(&key) else { continue };
            let is_new = known.facts.as_ref().is_none_or(|facts| !facts.contains(&Fact::Public));
            if let Some(facts) = known.facts.as_mut().filter(|_| is_new) {
                facts.push(Fact::Public);
            }
            let (facts, passed, status) = (known.facts.clone(), known.passed.clone(), known.status);
            let demand = Demand::of(self.in_force(&namespace), facts.as_deref(), &passed);
            if !asks || !is_new || demand.is_nothing() {
                continue;
            }
            match status {
                VersionStatus::Published => drop(self.owed.insert(key)),
                VersionStatus::Yanked | VersionStatus::Quarantined => {
                    if let Some(known) = self.versions.get_mut(&key) {
                        known.waits_when_back = true;
                    }
                }
                VersionStatus::Pending | VersionStatus::Rejected => {}
            }
        }
    }

    /// What was taken back is handed out again. If its skill was made public meanwhile, it waits for what is asked of it then.
    pub(super) fn come_back(&mut self, skill: &SkillId, version: &Version, fits: bool) {
        let (namespace, key) = (skill.namespace().key(), version_key(skill, version));
        let Some(known) = self.versions.get_mut(&key).filter(|known| fits && known.waits_when_back) else {
            return;
        };
        known.waits_when_back = false;
        let (facts, passed) = (known.facts.clone(), known.passed.clone());
        if !Demand::of(self.in_force(&namespace), facts.as_deref(), &passed).is_nothing() {
            self.owed.insert(key);
        }
    }

    /// What must wait, as its skill was made public, does so in the entries right behind.
    pub(super) fn check_owed(&mut self, event: &Event, found: &mut Found) {
        if self.owed.is_empty() {
            return;
        }
        if let Event::VersionHeld { skill, version, why: HeldFor::Public, .. } = event {
            self.owed.remove(&version_key(skill, version));
        } else if !matches!(event, Event::VersionReleased { .. }) {
            for key in std::mem::take(&mut self.owed) {
                let detail =
                    format!("`{key}` is seen by everybody, and does not wait for what is demanded then");
                found.add(Rule::Approval, detail);
            }
        }
    }
}

/// Somebody who may be anybody: the entry is hidden.
fn joker<'a>(user: &'a str, demand: &Demand, at: Time) -> Approval<'a> {
    let groups = all_groups(demand);
    let (role, index) = (Role::Owner, u64::MAX);
    Approval { user, role, is_own: false, groups, is_signed: true, at, index, stages: &[] }
}

fn all_groups(demand: &Demand) -> Vec<Group> {
    let groups = |ladder: &crate::approval::Ladder| {
        let namespace = ladder.namespace.clone();
        let names: Vec<_> = ladder.stages.iter().filter_map(|stage| stage.group.clone()).collect();
        names.into_iter().map(move |name| Group { namespace: namespace.clone(), name }).collect::<Vec<_>>()
    };
    demand.ladders.iter().flat_map(groups).collect()
}
