//! Leaves that nobody opened: what they may be, as far as their place and the entries that name them tell.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Found, Monitor, Rule};

/// Hidden leaves, and what bounds the entries that they may be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bounds {
    /// What entries that name a hidden leaf say that it is.
    said: BTreeMap<u64, Said>,
    /// Skills, by key, of which an entry is hidden.
    gaps: BTreeSet<String>,
    /// The entry that made a user. It is hidden from nobody.
    users: BTreeMap<String, u64>,
    /// The entry that made an org, by key, where it was shown.
    orgs: BTreeMap<String, u64>,
    /// The last entry about a role that was shown, by namespace key and user id.
    roles: BTreeMap<String, BTreeMap<String, u64>>,
}

/// What a hidden leaf is, if the entry that names it is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Said {
    /// It is about this skill.
    Skill(String),
    /// It gives this user a role in a namespace of this org.
    Role { user: String, org: String },
    /// It enrols this key.
    Key(String),
    /// It sets a policy in a namespace of this org.
    Policy(String),
    /// It sets a group in a namespace of this org.
    Group(String),
    /// It trusts a build in a namespace of this org.
    Build(String),
}

impl fmt::Display for Said {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Skill(skill) => write!(formatter, "about `{skill}`"),
            Self::Role { user, org } => write!(formatter, "a role of `{user}` in `{org}`"),
            Self::Key(key) => write!(formatter, "about {key}"),
            Self::Policy(org) => write!(formatter, "a policy of `{org}`"),
            Self::Group(org) => write!(formatter, "a group of `{org}`"),
            Self::Build(org) => write!(formatter, "a build that `{org}` trusts"),
        }
    }
}

impl Said {
    /// A role of this user in the org of this namespace.
    pub(super) fn role(namespace: &str, user: &str) -> Self {
        Self::Role { user: user.to_owned(), org: org_of(namespace).to_owned() }
    }

    /// A policy in the org of this namespace.
    pub(super) fn policy(namespace: &str) -> Self {
        Self::Policy(org_of(namespace).to_owned())
    }

    /// A group in the org of this namespace.
    pub(super) fn group(namespace: &str) -> Self {
        Self::Group(org_of(namespace).to_owned())
    }

    /// A build that the org of this namespace trusts.
    pub(super) fn build(namespace: &str) -> Self {
        Self::Build(org_of(namespace).to_owned())
    }
}

impl Bounds {
    pub(super) fn made_user(&mut self, user: &str, index: u64) {
        self.users.insert(user.to_owned(), index);
    }

    pub(super) fn made_org(&mut self, org: String, index: u64) {
        self.orgs.entry(org).or_insert(index);
    }

    pub(super) fn changed_role(&mut self, place: String, user: &str, index: u64) {
        self.roles.entry(place).or_default().insert(user.to_owned(), index);
    }
}

/// The org of the key of a namespace.
fn org_of(namespace: &str) -> &str {
    namespace.split('/').next().unwrap_or(namespace)
}

/// A namespace and those above it.
pub(super) fn places(namespace: &str) -> impl Iterator<Item = &str> {
    std::iter::once(namespace).chain(namespace.rmatch_indices('/').map(|(at, _)| &namespace[..at]))
}

impl Monitor {
    /// Notes what an entry says that a hidden leaf is. A leaf is a commitment to one entry.
    pub(super) fn say(&mut self, index: u64, said: Said, found: &mut Found) {
        if !self.hidden.contains(&index) {
            return;
        }
        if let Said::Skill(skill) = &said {
            self.bounds.gaps.insert(skill.clone());
        }
        match self.bounds.said.get(&index) {
            Some(known) if *known != said => {
                found.add(Rule::Form, format!("entry {index} is said to be {known} by one, and {said} here"));
            }
            Some(_) => {}
            None => drop(self.bounds.said.insert(index, said)),
        }
    }

    /// Whether a leaf after this one is hidden and may be this.
    pub(super) fn may_be(&self, after: Option<u64>, what: &Said) -> bool {
        let from = after.map_or(0, |after| after + 1);
        let mut hidden = self.hidden.range(from..).rev();
        hidden.any(|index| self.bounds.said.get(index).is_none_or(|said| said == what))
    }

    /// The last entry before any that could give the user a role in one of these places. They are of one org.
    pub(super) fn bound<'a>(&self, places: impl Iterator<Item = &'a str>, user: &str) -> Option<u64> {
        let bounds = &self.bounds;
        let mut org = None;
        let shown = places.map(|place| {
            org = Some(org_of(place));
            bounds.roles.get(place).and_then(|users| users.get(user)).copied()
        });
        // Where nothing was shown of a place, it may have been any time.
        let shown = shown.min().flatten();
        let begun = org.and_then(|org| bounds.orgs.get(org)).copied();
        shown.max(begun).max(bounds.users.get(user).copied())
    }

    /// Whether a hidden leaf may give the user a role there, or in a namespace above.
    pub(super) fn may_have_role(&self, namespace: &str, user: &str) -> bool {
        self.may_be(self.bound(places(namespace), user), &Said::role(namespace, user))
    }

    /// Whether a hidden leaf may be about the skill: one that an entry about it names as the one before it, and none else.
    pub(super) fn has_gap(&self, skill: &str) -> bool {
        self.bounds.gaps.contains(skill)
    }

    /// Counts what is unjudged.
    pub(super) fn excuse(&mut self, is_excused: bool) -> bool {
        self.unjudged += u64::from(is_excused);
        is_excused
    }
}
