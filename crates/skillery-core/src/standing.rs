//! What an entry of the log makes of a version, and which entries can follow which.
//!
//! The registry keeps to it, and the client and whoever follows the log go by it: what waits stays so until it has approvals,
//! what was rejected for ever, whatever else is said of it.

use crate::VersionStatus;
use crate::approval::HeldFor;
use crate::event::Event;

/// An entry that cannot follow those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it {}, so that `{kind}` cannot follow", told(.status))]
pub struct OutOfOrder {
    /// What the version is before; nothing where it was never published.
    pub status: Option<VersionStatus>,
    /// The kind of the entry.
    pub kind: &'static str,
}

fn told(status: &Option<VersionStatus>) -> String {
    status.map_or_else(|| "was never published".to_owned(), |status| format!("is {status}"))
}

/// What a version is after an entry about it. `before` is nothing before its first.
pub fn status_after(before: Option<VersionStatus>, event: &Event) -> Result<VersionStatus, OutOfOrder> {
    use VersionStatus::{Pending, Published, Quarantined, Rejected, Yanked};
    let fits = |after: VersionStatus, of: &[VersionStatus]| {
        before.filter(|before| of.contains(before)).map(|_| after)
    };
    let after = match event {
        Event::VersionPublished { policies, .. } => match (before, policies.is_empty()) {
            (Some(_), _) => None,
            (None, true) => Some(Published),
            (None, false) => Some(Pending),
        },
        Event::VersionApproved { .. } => before.filter(|before| matches!(before, Pending | Published)),
        Event::VersionRejected { .. } => fits(Rejected, &[Pending]),
        Event::VersionChangesRequested { .. } => fits(Pending, &[Pending]),
        // What waited is released by approvals, what was quarantined by an admin of the registry.
        Event::VersionReleased { approvals, .. } => {
            fits(Published, if approvals.is_empty() { &[Quarantined] } else { &[Pending] })
        }
        // Without the approvals, by an owner; with them, of what is handed out already.
        Event::VersionForced { .. } => fits(Published, &[Pending]),
        Event::VersionReviewed { approvals, .. } => {
            fits(Published, if approvals.is_empty() { &[] } else { &[Published] })
        }
        Event::VersionDue { .. } => fits(Published, &[Published]),
        Event::VersionHeld { policies, .. } => {
            fits(Pending, if policies.is_empty() { &[] } else { &[Published] })
        }
        Event::VersionYanked { .. } => fits(Yanked, &[Published, Yanked]),
        Event::VersionUnyanked { .. } => fits(Published, &[Yanked]),
        Event::VersionQuarantined { .. } => fits(Quarantined, &[Published, Yanked, Quarantined]),
        _ => before,
    };
    after.ok_or(OutOfOrder { status: before, kind: event.kind() })
}

/// Whether a version is to be looked at anew from this entry on: what was said of it before counts no more, and no policy lets it
/// pass.
pub fn is_asked_anew(event: &Event) -> bool {
    matches!(event, Event::VersionDue { .. } | Event::VersionHeld { why: HeldFor::Review, .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, SkillId, Version};
    use VersionStatus::{Pending, Published, Quarantined, Rejected, Yanked};

    fn events() -> [Event; 14] {
        let (skill, version): (SkillId, Version) = ("acme/tool".parse().unwrap(), "1.0.0".parse().unwrap());
        let published = |policies: Vec<u64>| Event::VersionPublished {
            skill: skill.clone(),
            version: version.clone(),
            digest: Digest::of(b"bundle"),
            size: 1,
            code_hash: Digest::of(b"code"),
            via: None,
            statement: None,
            signatures: Vec::new(),
            policies,
            facts: None,
            passed: Vec::new(),
        };
        let released = |approvals: Vec<u64>| Event::VersionReleased {
            skill: skill.clone(),
            version: version.clone(),
            policies: approvals.clone(),
            approvals,
        };
        let digest = Digest::of(b"bundle");
        [
            published(Vec::new()),
            published(vec![1]),
            Event::VersionApproved {
                skill: skill.clone(),
                version: version.clone(),
                digest,
                member: 1,
                groups: Vec::new(),
                stages: Vec::new(),
                signature: None,
            },
            Event::VersionRejected {
                skill: skill.clone(),
                version: version.clone(),
                digest,
                member: 1,
                signature: None,
            },
            released(vec![2]),
            released(Vec::new()),
            Event::VersionYanked { skill: skill.clone(), version: version.clone() },
            Event::VersionUnyanked { skill: skill.clone(), version: version.clone() },
            Event::VersionQuarantined { skill: skill.clone(), version: version.clone() },
            Event::VersionForced {
                skill: skill.clone(),
                version: version.clone(),
                digest,
                member: 1,
                reason: digest,
                policies: vec![1],
            },
            Event::VersionHeld {
                skill: skill.clone(),
                version: version.clone(),
                why: HeldFor::Review,
                policies: vec![1],
            },
            Event::VersionDue { skill: skill.clone(), version: version.clone(), policies: vec![1] },
            Event::VersionReviewed {
                skill: skill.clone(),
                version: version.clone(),
                policies: vec![1],
                approvals: vec![2],
            },
            Event::VersionChangesRequested {
                skill: skill.clone(),
                version: version.clone(),
                digest,
                member: 1,
                signature: None,
            },
        ]
    }

    #[test]
    fn what_can_follow_what() {
        // In the order of the events above.
        let table = [
            (None, [Some(Published), Some(Pending), None, None, None, None, None, None, None], [None; 5]),
            (
                Some(Pending),
                [None, None, Some(Pending), Some(Rejected), Some(Published), None, None, None, None],
                [Some(Published), None, None, None, Some(Pending)],
            ),
            (
                Some(Published),
                [None, None, Some(Published), None, None, None, Some(Yanked), None, Some(Quarantined)],
                [None, Some(Pending), Some(Published), Some(Published), None],
            ),
            (
                Some(Yanked),
                [None, None, None, None, None, None, Some(Yanked), Some(Published), Some(Quarantined)],
                [None; 5],
            ),
            (
                Some(Quarantined),
                [None, None, None, None, None, Some(Published), None, None, Some(Quarantined)],
                [None; 5],
            ),
            (Some(Rejected), [None; 9], [None; 5]),
        ];
        for (before, row, rest) in table {
            for (event, after) in events().iter().zip(row.into_iter().chain(rest)) {
                assert_eq!(status_after(before, event).ok(), after, "{before:?} {}", event.kind());
            }
        }
        let error = status_after(Some(Pending), &events()[6]).unwrap_err();
        assert_eq!(error.to_string(), "it is pending, so that `version.yanked` cannot follow");
        let error = status_after(None, &events()[6]).unwrap_err();
        assert_eq!(error.to_string(), "it was never published, so that `version.yanked` cannot follow");
    }
}
