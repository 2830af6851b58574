//! The rules that the entries of a log must keep, checked from the entries alone.
//!
//! Whoever follows a log knows by its checkpoints that nothing was altered. That what was appended was right is another
//! question, and this module's. It is given every leaf in order, and what opens hidden ones as far as somebody may open
//! them; it remembers what later entries must fit.

mod approvals;
mod hidden;
mod keys;
mod policies;
mod released;
mod rights;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use self::approvals::{Decided, Named};
use self::hidden::{Bounds, Said};
use self::keys::KeyState;
use self::policies::{GroupState, PolicyState, Published};
use self::released::{Forced, Held};
use self::versions::VersionState;
use crate::entry::{Entry, Leaf};
use crate::event::Event;
use crate::time::Time;
use crate::tlog::Rotation;
use crate::words::word_enum;
use crate::{Decision, Digest, Namespace, Role, Segment, SkillId, Visibility};

word_enum! {
    /// A rule of the log.
    Rule {
        /// Every leaf is an entry, or a commitment to one.
        Form = "form",
        /// Times never go back.
        Time = "time",
        /// The log begins, once.
        Genesis = "genesis",
        /// An entry about a skill names the one before it.
        Chain = "chain",
        /// A version is published once, and so has one digest for ever.
        Digest = "digest",
        /// What is signed was published before, and what changes a version fits what it was.
        Status = "status",
        /// Whoever acts had the right by an entry before.
        Right = "right",
        /// A key is enrolled once, and revoked after that.
        Key = "key",
        /// What waits is released with the approvals that are demanded, and nobody approves what is their own.
        Approval = "approval",
        /// The log is handed over by the key that it has, at the place that is named.
        LogKey = "log-key",
        /// A signature rests on the last entry about its key, and on a role that its signer had then; and there is one
        /// where it is demanded.
        Signature = "signature",
    }
}

/// An entry that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// Its number.
    pub index: u64,
    /// Which rule.
    pub rule: Rule,
    /// How, in a sentence.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "entry {}: {} ({})", self.index, self.detail, self.rule)
    }
}

/// The form of what is kept of a [`Monitor`]: another number where entries were not looked at for all that is known now. Whoever
/// has kept another form begins anew.
pub const FORM: u32 = 4;

/// What is known after some number of entries. It can be kept, and gone on with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Monitor {
    next: u64,
    time: Time,
    /// Hidden leaves that nobody opened.
    hidden: BTreeSet<u64>,
    /// Of each skill, by key, its last entry.
    heads: BTreeMap<String, u64>,
    /// Published versions, by `key@version`.
    versions: BTreeMap<String, VersionState>,
    /// Admins of the registry, by user id.
    admins: BTreeSet<String>,
    /// Roles with the entry that gave them, by namespace key and user id.
    roles: BTreeMap<String, BTreeMap<String, (Role, u64)>>,
    /// Keys to sign with, by fingerprint.
    keys: BTreeMap<String, KeyState>,
    /// Users that are switched off.
    disabled: BTreeSet<String>,
    /// The last time that the log was handed over to another key.
    handover: Option<Handover>,
    /// Users of builds, with the namespace that trusts them and the entry that says so.
    builds: BTreeMap<String, (String, u64)>,
    /// What is demanded of what is published, by namespace key.
    policies: BTreeMap<String, PolicyState>,
    /// Groups, by namespace key and name.
    #[serde(default)]
    groups: BTreeMap<String, BTreeMap<Segment, GroupState>>,
    /// Skills, by key, of which is known that everybody sees them.
    #[serde(default)]
    public: BTreeSet<String>,
    /// Versions that must wait again, as the entry before says so.
    #[serde(default)]
    owed: BTreeSet<String>,
    /// Versions that were released by force, with the entries that did.
    #[serde(default)]
    forced: BTreeMap<u64, String>,
    /// What hidden leaves may be.
    bounds: Bounds,
    /// What could not be judged, as what it rests on may be hidden.
    unjudged: u64,
}

/// That the log was handed over to another key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The number of the entry.
    pub index: u64,
    /// The root of the tree before it, as both keys have signed it.
    pub root: Digest,
    /// The key from there on: `name+id+base64`.
    pub to: String,
}

impl Monitor {
    /// How many entries were looked at.
    pub fn size(&self) -> u64 {
        self.next
    }

    /// Skills, versions and keys that are known.
    pub fn counts(&self) -> (usize, usize, usize) {
        (self.heads.len(), self.versions.len(), self.keys.len())
    }

    /// Hidden leaves that nobody opened.
    pub fn hidden(&self) -> usize {
        self.hidden.len()
    }

    /// What could not be judged: what it rests on may be one of the entries that nobody opened, by its place and by what
    /// others say of it.
    pub fn unjudged(&self) -> u64 {
        self.unjudged
    }

    /// Versions that owners have released without the approvals that were demanded, as `skill@version`, by the entries that say
    /// so. It breaks no rule, and somebody should know.
    pub fn forced(&self) -> &BTreeMap<u64, String> {
        &self.forced
    }

    /// The last time that the log was handed over to another key. Whether its root is that of the tree, and its key the one
    /// that signs now, is for whoever has both.
    pub fn handover(&self) -> Option<&Handover> {
        self.handover.as_ref()
    }

    /// Looks at the next leaf. `opened` is the entry of a hidden one, whose commitment was checked.
    pub fn follow(&mut self, leaf: &[u8], opened: Option<Entry>) -> Vec<Violation> {
        let index = self.next;
        self.next += 1;
        let mut found = Found { index, violations: Vec::new() };
        let entry = match Leaf::parse(leaf) {
            Ok(Leaf::Open(entry)) => Some(*entry),
            Ok(Leaf::Hidden { time, .. }) => {
                self.check_time(time, &mut found);
                opened
            }
            Err(error) => {
                found.add(Rule::Form, error.to_string());
                return found.violations;
            }
        };
        match entry {
            Some(entry) => self.check(index, &entry, &mut found),
            None => {
                // It may be what is owed.
                let is_owed = !std::mem::take(&mut self.owed).is_empty();
                self.excuse(is_owed);
                self.hidden.insert(index);
            }
        }
        found.violations
    }

    fn check_time(&mut self, time: Time, found: &mut Found) {
        if time < self.time {
            found.add(Rule::Time, format!("it is of {time}, and the one before it of {}", self.time));
        }
        self.time = time.max(self.time);
    }

    fn check(&mut self, index: u64, entry: &Entry, found: &mut Found) {
        self.check_time(entry.time, found);
        if (index == 0) != (entry.event == Event::Genesis) {
            found.add(Rule::Genesis, format!("it is `{}`", entry.event.kind()));
        }
        match entry.skill().cloned() {
            Some(skill) => self.check_chain(index, entry, &skill, found),
            None if entry.prev.is_some() => {
                found.add(Rule::Chain, "it names one before it, and is about no skill".to_owned());
            }
            None => {}
        }
        let actor = entry.actor.as_deref();
        self.check_owed(&entry.event, found);
        match &entry.event {
            Event::LogKeyRotated { note } => self.hand_over(index, note, found),
            Event::UserCreated { user, admin } => {
                self.bounds.made_user(user, index);
                // Others are made by whoever trusts a build, too.
                if *admin {
                    self.must_be_admin(actor, found);
                    self.admins.insert(user.clone());
                }
            }
            Event::OrgCreated { org } => {
                if let Some(org) = found.place(org) {
                    self.bounds.made_org(org, index);
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
            Event::PublisherTrusted { namespace, user, .. } => {
                let Some(place) = found.place(namespace) else { return };
                self.must_have(actor, &place, Role::Admin, found);
                self.builds.insert(user.clone(), (place, index));
            }
            Event::PublisherUntrusted { namespace, .. } => {
                let Some(place) = found.place(namespace) else { return };
                self.must_have(actor, &place, Role::Admin, found);
            }
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
            Event::KeyEnrolled { key, user, org } => {
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
            Event::VersionPublished {
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
            } => {
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
            Event::VersionSigned { skill, version, signature, .. } => {
                self.change(skill, version, &entry.event, found);
                self.check_signature(index, skill, signature, found);
                self.add_author(skill, version, &signature.signer);
            }
            Event::VersionApproved { skill, version, digest, member, .. }
            | Event::VersionRejected { skill, version, digest, member }
            | Event::VersionChangesRequested { skill, version, digest, member } => {
                self.change(skill, version, &entry.event, found);
                let (time, digest, member) = (entry.time, *digest, *member);
                let (decision, approval) = match &entry.event {
                    Event::VersionApproved { groups, stages, signature, .. } => {
                        (Decision::Approved, Some(Named { groups, stages, signature }))
                    }
                    Event::VersionRejected { .. } => (Decision::Rejected, None),
                    _ => (Decision::ChangesRequested, None),
                };
                let decided =
                    Decided { index, time, actor, skill, version, digest, member, decision, approval };
                self.decide(decided, found);
            }
            Event::VersionReleased { skill, version, policies, approvals }
            | Event::VersionReviewed { skill, version, policies, approvals } => {
                let fits = self.change(skill, version, &entry.event, found);
                match approvals.is_empty() {
                    true => {
                        self.must_be_admin(actor, found);
                        self.come_back(skill, version, fits);
                    }
                    false if fits => {
                        let is_again = matches!(entry.event, Event::VersionReviewed { .. });
                        self.release(skill, version, policies, approvals, (entry.time, is_again), found);
                    }
                    false => {}
                }
            }
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
            Event::VisibilityChanged { skill, visibility } => {
                self.must_have(actor, &skill.namespace().key(), Role::Admin, found);
                match visibility {
                    Visibility::Public => self.make_public(skill),
                    _ => drop(self.public.remove(&skill.key())),
                }
            }
            _ => {}
        }
    }

    fn check_chain(&mut self, index: u64, entry: &Entry, skill: &SkillId, found: &mut Found) {
        let known = self.heads.insert(skill.key(), index);
        let fits = match (entry.prev, known) {
            (prev, known) if prev == known => true,
            // The one before it may be hidden, if it is later than those that are known.
            (Some(prev), known) => self.hidden.contains(&prev) && known.is_none_or(|known| known < prev),
            (None, _) => false,
        };
        if let Some(prev) = entry.prev.filter(|_| fits) {
            self.say(prev, Said::Skill(skill.key()), found);
        }
        if !fits {
            let told =
                |index: Option<u64>| index.map_or_else(|| "none".to_owned(), |index| index.to_string());
            let detail = format!(
                "it names {} as the one before it about `{skill}`, and that is {}",
                told(entry.prev),
                told(known)
            );
            found.add(Rule::Chain, detail);
        }
    }

    fn hand_over(&mut self, index: u64, note: &str, found: &mut Found) {
        let rotation = match Rotation::open(note) {
            Ok(rotation) => rotation,
            Err(error) => return found.add(Rule::LogKey, error.to_string()),
        };
        if rotation.size != index {
            found.add(Rule::LogKey, format!("it hands the log over at entry {}", rotation.size));
        }
        if let Some(before) = self.handover.as_ref().filter(|before| before.to != rotation.from.to_string()) {
            let detail =
                format!("entry {} handed the log over to another key than hands it over", before.index);
            found.add(Rule::LogKey, detail);
        }
        self.handover = Some(Handover { index, root: rotation.root, to: rotation.to.to_string() });
    }
}

/// What an entry was found to do wrong.
struct Found {
    index: u64,
    violations: Vec<Violation>,
}

impl Found {
    fn add(&mut self, rule: Rule, detail: String) {
        self.violations.push(Violation { index: self.index, rule, detail });
    }

    /// The key of a namespace that the entry names. One that is none is against the form.
    fn place(&mut self, namespace: &str) -> Option<String> {
        let place = key_of(namespace);
        if place.is_none() {
            self.add(Rule::Form, format!("`{namespace}` is no namespace"));
        }
        place
    }
}

fn key_of(namespace: &str) -> Option<String> {
    namespace.parse::<Namespace>().ok().map(|namespace| namespace.key())
}

#[cfg(test)]
mod tests;
