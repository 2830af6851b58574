//! What is true of a version, and why a policy lets it pass.

use serde::{Deserialize, Serialize};

use super::InForce;
use crate::id::key_contains;
use crate::words::word_enum;
use crate::{Segment, Version, VersionStatus};

word_enum! {
    /// What is found of a version when it is published, and what a policy asks for.
    Fact {
        /// No version of the skill was released before, but by force.
        FirstVersion = "first-version",
        /// It asks for permissions that the version before it did not ask for: the last one that reviewers approved.
        NewPermissions = "new-permissions",
        /// `skillery lint` finds something, if only a note.
        FindingsNote = "findings-note",
        /// It finds a warning, or worse.
        FindingsWarning = "findings-warning",
        /// It finds an error, which is published with `--lenient` only.
        FindingsError = "findings-error",
        /// It builds on a skill of another org.
        ExternalDependency = "external-dependency",
        /// Everybody sees the skill.
        Public = "public",
        /// It differs from the highest released version by its last number alone. No policy waits for that; one may let it
        /// pass.
        Patch = "patch",
    }
}

/// Whether one of the conditions holds, or there are none. Where the facts are not known, all of them hold.
pub fn holds(when: &[Fact], facts: Option<&[Fact]>) -> bool {
    let Some(facts) = facts else { return true };
    let is_true = |fact: &Fact| facts.contains(fact);
    when.is_empty()
        || when.iter().any(|condition| match condition {
            Fact::FindingsNote => {
                [Fact::FindingsNote, Fact::FindingsWarning, Fact::FindingsError].iter().any(is_true)
            }
            Fact::FindingsWarning => [Fact::FindingsWarning, Fact::FindingsError].iter().any(is_true),
            other => is_true(other),
        })
}

/// Whether this is a patch of which nothing is true that somebody should look at.
pub fn is_trusted_patch(facts: Option<&[Fact]>) -> bool {
    let worth_a_look =
        [Fact::FirstVersion, Fact::NewPermissions, Fact::FindingsWarning, Fact::ExternalDependency];
    facts.is_some_and(|facts| facts.contains(&Fact::Patch)) && !holds(&worth_a_look, facts)
}

/// What makes a new version a patch: the highest of those before it that were handed out, whether it was yanked since or not, and
/// none that is a prerelease. What was released by force alone is not among those before it.
pub fn baseline<'a>(before: impl IntoIterator<Item = (&'a Version, VersionStatus)>) -> Option<&'a Version> {
    let counts = |(version, status): &(&Version, VersionStatus)| {
        !version.is_prerelease() && matches!(status, VersionStatus::Published | VersionStatus::Yanked)
    };
    before.into_iter().filter(counts).map(|(version, _)| version).max()
}

/// What the versions before it make true of a version: whether one of them was ever released, and what it is measured against.
pub fn of_history(version: &Version, was_released: bool, baseline: Option<&Version>) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !was_released {
        facts.push(Fact::FirstVersion);
    }
    let is_patch_of = |old: &Version| {
        let (old, new) = (old.semver(), version.semver());
        (old.major, old.minor) == (new.major, new.minor) && old.patch < new.patch
    };
    if !version.is_prerelease() && baseline.is_some_and(is_patch_of) {
        facts.push(Fact::Patch);
    }
    facts
}

word_enum! {
    /// Why a policy lets a version pass that it would have wait.
    AutoReason {
        /// A build has published it that a namespace trusts.
        TrustedBuild = "trusted-build",
        /// It is a patch that asks for nothing new.
        Patch = "patch",
        /// A member of a group has published it.
        Group = "group",
    }
}

/// That a policy lets a version pass, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AutoMark {
    /// The number of the policy's entry.
    pub policy: u64,
    /// Why.
    pub reason: AutoReason,
    /// The number of the entry with the group that the publisher is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<u64>,
    /// The number of the entry by which the build is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<u64>,
}

impl AutoMark {
    /// The entry that it rests on beside that of the policy, if its reason has one; nothing where it names what its reason does not.
    pub fn rests_on(&self) -> Option<Option<u64>> {
        match (self.reason, self.group, self.publisher) {
            (AutoReason::TrustedBuild, None, Some(index)) | (AutoReason::Group, Some(index), None) => {
                Some(Some(index))
            }
            (AutoReason::Patch, None, None) => Some(None),
            _ => None,
        }
    }
}

/// What lets a version pass, as far as whoever judges knows it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passing<'a> {
    /// What is true of it.
    pub facts: Option<&'a [Fact]>,
    /// The key of the namespace that trusts the build which published it, if one did.
    pub trusted_in: Option<&'a str>,
    /// A group that whoever published it is in: the key of its namespace, and its name.
    pub group: Option<(&'a str, &'a Segment)>,
}

impl InForce<'_> {
    /// Whether the policy lets a version pass for this reason.
    ///
    /// Builds and groups are those of the policy's own namespace, builds also of one above it: nobody below says what is passed.
    pub fn lets_pass(&self, reason: AutoReason, passing: &Passing<'_>) -> bool {
        let auto = &self.policy.auto;
        match reason {
            AutoReason::TrustedBuild => {
                auto.builds && passing.trusted_in.is_some_and(|place| key_contains(place, self.namespace))
            }
            AutoReason::Patch => self.policy.lets_patch_pass(passing.facts),
            AutoReason::Group => passing
                .group
                .is_some_and(|(place, name)| place == self.namespace && auto.groups.contains(name)),
        }
    }

    /// Whether one of these marks lets a version pass still, of which this is true now: a patch, as long as nothing new is true of it.
    pub fn is_passed(&self, passed: &[AutoMark], facts: Option<&[Fact]>) -> bool {
        let holds = |mark: &AutoMark| mark.reason != AutoReason::Patch || self.policy.lets_patch_pass(facts);
        passed.iter().any(|mark| mark.policy == self.index && holds(mark))
    }
}
