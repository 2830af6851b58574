//! What is true of a version, and why a policy lets it pass.

use serde::{Deserialize, Serialize};

use crate::Version;
use crate::words::word_enum;

word_enum! {
    /// What is found of a version when it is published, and what a policy asks for.
    Fact {
        /// No version of the skill was released before.
        FirstVersion = "first-version",
        /// It asks for permissions that the last released version did not ask for.
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

/// What the versions before it make true of a version: whether one of them was ever released, and those that are handed out.
pub fn of_history<'a>(
    version: &Version,
    was_released: bool,
    published: impl IntoIterator<Item = &'a Version>,
) -> Vec<Fact> {
    let mut facts = Vec::new();
    if !was_released {
        facts.push(Fact::FirstVersion);
    }
    let highest = published.into_iter().filter(|other| !other.is_prerelease()).max();
    let is_patch_of = |old: &Version| {
        let (old, new) = (old.semver(), version.semver());
        (old.major, old.minor) == (new.major, new.minor) && old.patch < new.patch
    };
    if !version.is_prerelease() && highest.is_some_and(is_patch_of) {
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
}
