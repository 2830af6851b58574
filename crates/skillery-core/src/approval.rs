//! Approvals: what a namespace demands before a version is handed out, and which approvals count.
//!
//! The registry, the client and whoever follows the log judge by the same few lines, each from what it knows itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Role;
use crate::words::word_enum;

/// Approvals that a policy may demand.
pub const MAX_APPROVALS: u32 = 16;

word_enum! {
    /// What a reviewer decides about a version.
    Decision {
        /// It may be handed out.
        Approved = "approved",
        /// It is not ready as it is. It waits on.
        ChangesRequested = "changes-requested",
        /// It is never handed out.
        Rejected = "rejected",
    }
}

/// What a namespace demands of every version that is published in it or below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishPolicy {
    /// How many people must approve before it is handed out, at most 16: none of them published or signed it. 0 where
    /// nobody must.
    #[serde(default)]
    pub approvals: u32,
    /// The role that they must hold: `reviewer`, `admin` or `owner`.
    #[serde(default = "reviewer")]
    pub role: Role,
    /// Whether it must be signed when it is published, by a signature that counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed: bool,
}

fn reviewer() -> Role {
    Role::Reviewer
}

/// Why a policy cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishPolicyError {
    /// Too many, or nothing is demanded.
    #[error("`approvals` is 1 to {MAX_APPROVALS}, or 0 where `signed` is demanded")]
    Approvals,
    /// The role lets nobody approve.
    #[error("`role` is `reviewer`, `admin` or `owner`")]
    Role,
}

impl PublishPolicy {
    /// What is demanded where nothing is: one person, who is another.
    pub const LEAST: Self = Self { approvals: 1, role: Role::Reviewer, signed: false };

    /// Whether it can be one.
    pub fn check(&self) -> Result<(), PublishPolicyError> {
        if self.approvals > MAX_APPROVALS || (!self.waits() && !self.signed) {
            return Err(PublishPolicyError::Approvals);
        }
        if self.role < Role::Reviewer {
            return Err(PublishPolicyError::Role);
        }
        Ok(())
    }

    /// Whether versions wait for approvals.
    pub fn waits(&self) -> bool {
        self.approvals > 0
    }

    /// The approvals that these demand together of a version that waits, or waited: one at least.
    pub fn of_waiting(policies: impl IntoIterator<Item = Self>) -> Self {
        Self::together(policies.into_iter().filter(Self::waits)).unwrap_or(Self::LEAST)
    }

    /// What all of these demand together: those of a namespace and of the namespaces above it. None of them takes anything
    /// back of another, so that nobody below is free of what is demanded above. None where there are none.
    pub fn together(policies: impl IntoIterator<Item = Self>) -> Option<Self> {
        policies.into_iter().reduce(|one, other| Self {
            approvals: one.approvals.max(other.approvals),
            // Of one that demands no approvals, the role says nothing.
            role: match (one.waits(), other.waits()) {
                (true, false) => one.role,
                (false, true) => other.role,
                _ => one.role.max(other.role),
            },
            signed: one.signed || other.signed,
        })
    }

    /// How many of these approvals count: of people who hold the role, each once, and of nobody who published or signed the version before.
    pub fn count<'a>(&self, approvals: impl IntoIterator<Item = Approval<'a>>) -> u32 {
        let counted = approvals.into_iter().filter(|approval| approval.role >= self.role && !approval.is_own);
        let people: BTreeSet<&str> = counted.map(|approval| approval.user).collect();
        u32::try_from(people.len()).unwrap_or(u32::MAX)
    }
}

/// An approval that somebody gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval<'a> {
    /// The id of the user.
    pub user: &'a str,
    /// The user's role there.
    pub role: Role,
    /// Whether the user had published or signed the version.
    pub is_own: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_needs_people_who_may() {
        let policy = |approvals, role| PublishPolicy { approvals, role, signed: false };
        assert_eq!(PublishPolicy { signed: true, ..policy(0, Role::Reviewer) }.check(), Ok(()));
        assert_eq!(policy(1, Role::Reviewer).check(), Ok(()));
        assert_eq!(policy(16, Role::Owner).check(), Ok(()));
        assert_eq!(policy(0, Role::Reviewer).check(), Err(PublishPolicyError::Approvals));
        assert_eq!(policy(17, Role::Reviewer).check(), Err(PublishPolicyError::Approvals));
        assert_eq!(policy(1, Role::Publisher).check(), Err(PublishPolicyError::Role));
    }

    #[test]
    fn policies_above_and_below_add_up() {
        let above = PublishPolicy { approvals: 1, role: Role::Admin, signed: false };
        let below = PublishPolicy { approvals: 2, role: Role::Reviewer, signed: false };
        let both = Some(PublishPolicy { approvals: 2, role: Role::Admin, signed: false });
        assert_eq!(PublishPolicy::together([above, below]), both);
        assert_eq!(PublishPolicy::together([below, above]), both);
        assert_eq!(PublishPolicy::together([]), None);
        // One that demands signatures alone demands no role, and nobody waits for it.
        let signed = PublishPolicy { approvals: 0, role: Role::Owner, signed: true };
        let all = Some(PublishPolicy { approvals: 2, role: Role::Reviewer, signed: true });
        assert_eq!(PublishPolicy::together([below, signed]), all);
        assert_eq!(PublishPolicy::together([signed, below]), all);
        assert_eq!(PublishPolicy::of_waiting([signed]), PublishPolicy::LEAST);
        assert_eq!(PublishPolicy::of_waiting([signed, below]), below);
    }

    #[test]
    fn everybody_counts_once_and_not_for_what_is_their_own() {
        let policy = PublishPolicy { approvals: 2, role: Role::Reviewer, signed: false };
        let of = |user, role, is_own| Approval { user, role, is_own };
        let approvals = [
            of("anna", Role::Reviewer, false),
            of("anna", Role::Reviewer, false),
            of("ben", Role::Publisher, false),
            of("carl", Role::Owner, true),
        ];
        assert_eq!(policy.count(approvals), 1);
        assert_eq!(policy.count(approvals.into_iter().chain([of("dora", Role::Admin, false)])), 2);
    }
}
