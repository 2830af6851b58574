//! The rules that the entries of a log must keep, checked from the entries alone.
//!
//! Whoever follows a log knows by its checkpoints that nothing was altered. That what was appended was right is another
//! question, and this module's. It is given every leaf in order, and what opens hidden ones as far as somebody may open
//! them; it remembers what later entries must fit.

mod approvals;
mod events;
mod hidden;
mod keys;
mod policies;
mod released;
mod rights;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use self::hidden::{Bounds, Said};
use self::keys::KeyState;
use self::policies::{GroupState, PolicyState};
use self::versions::VersionState;
use crate::entry::{Entry, Leaf};
use crate::event::Event;
use crate::time::Time;
use crate::tlog::Rotation;
use crate::words::word_enum;
use crate::{Digest, Namespace, Role, Segment, SkillId};

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
        self.check_owed(&entry.event, found);
        self.check_event(index, entry, found);
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
