//! What each kind of entry must keep, and what is remembered of it.

use super::approvals::{Decided, Named};
use super::hidden::Said;
use super::policies::Published;
use super::released::{Forced, Held};
use super::{Found, Monitor, Rule};
use crate::entry::Entry;
use crate::event::Event;
use crate::{Decision, Role, SkillId, Visibility};

impl Monitor {
    pub(super) fn check_event(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let actor = entry.actor.as_deref();
        match &entry.event {
            Event::LogKeyRotated { note } => self.hand_over(index, note, found),
            Event::UserCreated { .. } | Event::UserDisabled { .. } => self.check_user(index, entry, found),
            Event::OrgCreated { org } => {
                if let Some(org) = found.place(org) {
                    self.bounds.made_org(org, index);
                }
            }
            Event::MemberSet { .. } | Event::MemberRemoved { .. } => self.check_role(index, entry, found),
            Event::PublisherTrusted { namespace, user, .. } => {
                let Some(place) = found.place(namespace) else { return };
                self.must_have(actor, &place, Role::Admin, found);
                self.builds.insert(user.clone(), (place, index));
            }
            Event::PublisherUntrusted { namespace, .. } => {
                let Some(place) = found.place(namespace) else { return };
                self.must_have(actor, &place, Role::Admin, found);
            }
            Event::KeyEnrolled { .. } => self.check_enrolled(index, entry, found),
            Event::KeyRevoked { key } => self.revoke(index, key, found),
            Event::PolicySet { namespace, policy } => {
                self.set_policy(index, actor, namespace, Some(policy), found);
            }
            Event::PolicyRemoved { namespace } => self.set_policy(index, actor, namespace, None, found),
            Event::GroupSet { namespace, group, users } => {
                self.set_group(index, actor, namespace, group, Some(users), found);
            }
            Event::GroupRemoved { namespace, group } => {
                self.set_group(index, actor, namespace, group, None, found);
            }
            Event::VersionPublished { .. } => self.check_published(index, entry, found),
            Event::VersionApproved { .. }
            | Event::VersionRejected { .. }
            | Event::VersionChangesRequested { .. } => self.check_decided(index, entry, found),
            Event::VersionReleased { .. } | Event::VersionReviewed { .. } => {
                self.check_released(entry, found);
            }
            Event::VersionForced { .. } | Event::VersionHeld { .. } | Event::VersionDue { .. } => {
                self.check_past_approvals(index, entry, found);
            }
            Event::VersionSigned { .. }
            | Event::VersionYanked { .. }
            | Event::VersionUnyanked { .. }
            | Event::VersionQuarantined { .. } => self.check_changed(index, entry, found),
            Event::VisibilityChanged { skill, visibility } => {
                self.check_visibility(actor, skill, *visibility, found);
            }
            _ => {}
        }
    }

    /// A user was made, switched off or on.
    fn check_user(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let actor = entry.actor.as_deref();
        match &entry.event {
            Event::UserCreated { user, admin } => {
                self.bounds.made_user(user, index);
                // Others are made by whoever trusts a build, too.
                if *admin {
                    self.must_be_admin(actor, found);
                    self.admins.insert(user.clone());
                }
            }
            Event::UserDisabled { user, disabled } => {
                // Who trusts a build no more switches its user off.
                match self.builds.get(user).cloned() {
                    Some((place, _)) => self.must_have(actor, &place, Role::Admin, found),
                    None => self.must_be_admin(actor, found),
                }
                match disabled {
                    true => self.disabled.insert(user.clone()),
                    false => self.disabled.remove(user),
                };
            }
            _ => {}
        }
    }

    /// A role was given or taken away.
    fn check_role(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let actor = entry.actor.as_deref();
        match &entry.event {
            Event::MemberSet { namespace, user, role } => {
                let Some(place) = found.place(namespace) else { return };
                self.check_member(actor, &place, user, found);
                self.bounds.changed_role(place.clone(), user, index);
                self.roles.entry(place).or_default().insert(user.clone(), (*role, index));
            }
            Event::MemberRemoved { namespace, user } => {
                let Some(place) = found.place(namespace) else { return };
                if actor != Some(user) {
                    self.check_member(actor, &place, user, found);
                }
                let removed = self.roles.get_mut(&place).and_then(|members| members.remove(user));
                if removed.is_none() {
                    let bound = self.bound(std::iter::once(place.as_str()), user);
                    let is_excused = self.may_be(bound, &Said::role(&place, user));
                    if !self.excuse(is_excused) {
                        found.add(Rule::Right, format!("`{user}` had no role in `{namespace}`"));
                    }
                }
                self.bounds.changed_role(place, user, index);
            }
            _ => {}
        }
    }

    /// A key was enrolled.
    fn check_enrolled(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let Event::KeyEnrolled { key, user, org } = &entry.event else { return };
        let actor = entry.actor.as_deref();
        match (user, org) {
            (None, Some(org)) => {
                if let Some(org) = found.place(org) {
                    self.must_have(actor, &org, Role::Admin, found);
                }
            }
            (Some(user), _) if actor != Some(user) => {
                found.add(Rule::Key, format!("{key} of `{user}` was enrolled by somebody else"));
            }
            _ => {}
        }
        self.enrol(index, key, user, org, found);
    }

    /// A version was published.
    fn check_published(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let Event::VersionPublished {
            skill,
            version,
            digest,
            statement,
            signatures,
            policies,
            facts,
            passed,
            via,
            ..
        } = &entry.event
        else {
            return;
        };
        let actor = entry.actor.as_deref();
        self.must_have(actor, &skill.namespace().key(), Role::Publisher, found);
        let facts = facts.as_deref();
        self.check_facts(skill, version, facts, found);
        self.check_passed(&Published { actor, skill, facts, passed, via: via.as_deref() }, found);
        self.check_policies(&skill.namespace().key(), policies, facts, passed, found);
        let signers = signatures.iter().map(|mark| mark.signer.clone());
        let authors = signers.chain(actor.map(str::to_owned)).collect();
        self.publish(skill, version, *digest, authors, entry, found);
        if statement.is_some() == signatures.is_empty() {
            found.add(Rule::Signature, "a statement and signatures come together".to_owned());
        }
        if signatures.is_empty() {
            self.check_unsigned(&skill.namespace().key(), found);
        }
        for mark in signatures {
            self.check_signature(index, skill, mark, found);
        }
    }

    /// A reviewer decided about a version.
    fn check_decided(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let (skill, version, digest, member, signature) = match &entry.event {
            Event::VersionApproved { skill, version, digest, member, signature, .. }
            | Event::VersionRejected { skill, version, digest, member, signature }
            | Event::VersionChangesRequested { skill, version, digest, member, signature } => {
                (skill, version, *digest, *member, signature.as_ref())
            }
            _ => return,
        };
        self.change(skill, version, &entry.event, found);
        let (decision, approval) = match &entry.event {
            Event::VersionApproved { groups, stages, .. } => {
                (Decision::Approved, Some(Named { groups, stages }))
            }
            Event::VersionRejected { .. } => (Decision::Rejected, None),
            _ => (Decision::ChangesRequested, None),
        };
        let (time, actor) = (entry.time, entry.actor.as_deref());
        let decided =
            Decided { index, time, actor, skill, version, digest, member, signature, decision, approval };
        self.decide(decided, found);
    }

    /// A version is handed out with the approvals that are demanded, or a quarantined one again.
    fn check_released(&mut self, entry: &Entry, found: &mut Found) {
        let (Event::VersionReleased { skill, version, policies, approvals }
        | Event::VersionReviewed { skill, version, policies, approvals }) = &entry.event
        else {
            return;
        };
        let fits = self.change(skill, version, &entry.event, found);
        match approvals.is_empty() {
            true => {
                self.must_be_admin(entry.actor.as_deref(), found);
                self.come_back(skill, version, fits);
            }
            false if fits => {
                let is_again = matches!(entry.event, Event::VersionReviewed { .. });
                self.release(skill, version, policies, approvals, (entry.time, is_again), found);
            }
            false => {}
        }
    }

    /// A version is handed out without the approvals that are demanded, or waits for them again.
    fn check_past_approvals(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let actor = entry.actor.as_deref();
        match &entry.event {
            Event::VersionForced { skill, version, digest, member, policies, .. } => {
                let fits = self.change(skill, version, &entry.event, found);
                if fits {
                    let (digest, member) = (*digest, *member);
                    self.force(Forced { index, actor, skill, version, digest, member, policies }, found);
                }
            }
            Event::VersionHeld { skill, version, why, policies } => {
                let fits = self.change(skill, version, &entry.event, found);
                if fits {
                    self.ask_anew(skill, version, &entry.event);
                    self.hold(Held { actor, skill, version, why: *why, policies }, found);
                }
            }
            Event::VersionDue { skill, version, policies } => {
                let fits = self.change(skill, version, &entry.event, found);
                if fits {
                    self.ask_anew(skill, version, &entry.event);
                    self.fall_due(actor, skill, version, policies, found);
                }
            }
            _ => {}
        }
    }

    /// A version was signed, taken back or kept back, whatever was approved of it.
    fn check_changed(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        let actor = entry.actor.as_deref();
        match &entry.event {
            Event::VersionSigned { skill, version, signature, .. } => {
                self.change(skill, version, &entry.event, found);
                self.check_signature(index, skill, signature, found);
                self.add_author(skill, version, &signature.signer);
            }
            Event::VersionYanked { skill, version } => {
                self.change(skill, version, &entry.event, found);
                self.must_have(actor, &skill.namespace().key(), Role::Publisher, found);
            }
            Event::VersionUnyanked { skill, version } => {
                let fits = self.change(skill, version, &entry.event, found);
                self.must_have(actor, &skill.namespace().key(), Role::Publisher, found);
                self.come_back(skill, version, fits);
            }
            Event::VersionQuarantined { skill, version } => {
                self.change(skill, version, &entry.event, found);
                self.must_be_admin(actor, found);
            }
            _ => {}
        }
    }

    /// A skill is seen by others now.
    fn check_visibility(
        &mut self,
        actor: Option<&str>,
        skill: &SkillId,
        visibility: Visibility,
        found: &mut Found,
    ) {
        self.must_have(actor, &skill.namespace().key(), Role::Admin, found);
        match visibility {
            Visibility::Public => self.make_public(skill),
            _ => drop(self.public.remove(&skill.key())),
        }
    }
}
