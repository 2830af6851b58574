//! Policies for the usual cases, by one word.

use super::{AutoApproval, Fact, Overdue, PublishPolicy, ReReview, Stage};
use crate::Role;
use crate::words::word_enum;

word_enum! {
    /// A policy by a word. What it stands for is what is set, and logged, so that a word may stand for another one tomorrow.
    Preset {
        /// Nobody waits; what is published is signed.
        Solo = "solo",
        /// One reviewer; patches that ask for nothing new pass, as does what a trusted build publishes.
        Team = "team",
        /// A reviewer, then two of the group `security` where there is something to look at, then an admin; signed, and looked
        /// at again each year.
        Regulated = "regulated",
        /// One reviewer for what is new, whoever sees it: first versions, new permissions, warnings.
        Open = "open",
    }
}

/// The group that `regulated` asks.
const SECURITY: &str = "security";

impl Preset {
    /// What it stands for.
    pub fn policy(self) -> PublishPolicy {
        match self {
            Self::Solo => PublishPolicy { signed: true, ..PublishPolicy::default() },
            Self::Team => PublishPolicy {
                auto: AutoApproval { builds: true, patches: true, groups: Vec::new() },
                expires_days: Some(30),
                ..PublishPolicy::LEAST
            },
            Self::Regulated => PublishPolicy {
                signed: true,
                stages: regulated_stages(),
                expires_days: Some(30),
                review: Some(ReReview { days: 365, overdue: Overdue::Warn }),
                ..PublishPolicy::default()
            },
            Self::Open => PublishPolicy {
                when: vec![Fact::FirstVersion, Fact::NewPermissions, Fact::FindingsWarning],
                ..PublishPolicy::LEAST
            },
        }
    }
}

fn regulated_stages() -> Vec<Stage> {
    let when = vec![
        Fact::FirstVersion,
        Fact::NewPermissions,
        Fact::FindingsWarning,
        Fact::ExternalDependency,
        Fact::Public,
    ];
    let stage = |name: &str, approvals, role, group: Option<&str>, when| {
        let group = group.and_then(|group| group.parse().ok());
        name.parse().ok().map(|name| Stage { name, approvals, role, group, when })
    };
    [
        stage("review", 1, Role::Reviewer, None, Vec::new()),
        stage(SECURITY, 2, Role::Reviewer, Some(SECURITY), when),
        stage("release", 1, Role::Admin, None, Vec::new()),
    ]
    .into_iter()
    .flatten()
    .collect()
}
