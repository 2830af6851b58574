//! Whether others have approved a version: how many, in which role, and whether that counted at its place in the log.

use std::collections::BTreeSet;

use skillery_core::approval::Approval;
use skillery_core::entry::Entry;
use skillery_core::event::Event;
use skillery_core::id::key_contains;
use skillery_core::{ApprovalPolicy, Namespace, Role};

use super::version::Offered;
use super::{Log, LogError};
use crate::error::{Error, Result};

/// The approvals that a version was installed by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApprovedView {
    /// What its namespace demanded; where it demanded nothing, one approval of a reviewer.
    pub demanded: ApprovalPolicy,
    /// The numbers of the log entries with approvals that count.
    pub log_indexes: Vec<u64>,
}

/// An approval that the log names, and where.
struct Marked<'a> {
    index: u64,
    user: &'a str,
    member: u64,
    is_own: bool,
}

/// What entries about the skill say of the version.
#[derive(Default)]
struct Story<'a> {
    /// The policies that it waited for or was released by, each with the entry that names it.
    policies: Vec<(u64, u64)>,
    waits: bool,
    rejected: Option<u64>,
    approvals: Vec<Marked<'a>>,
}

fn not_approved(offered: &Offered<'_>, reason: impl ToString) -> Error {
    let (id, version) = (offered.id.clone(), offered.version.clone());
    LogError::NotApproved { id, version, reason: reason.to_string() }.into()
}

/// Reads what the entries, the newest first, say of the version. Whoever published or signed it before has a part in it.
fn story<'a>(offered: &Offered<'_>, history: &'a [(u64, Entry)]) -> Story<'a> {
    let mut story = Story::default();
    let mut authors: BTreeSet<&str> = BTreeSet::new();
    for (index, entry) in history.iter().rev() {
        let index = *index;
        match &entry.event {
            Event::VersionPublished { version, signatures, policies, .. } if version == offered.version => {
                authors.extend(entry.actor.as_deref());
                authors.extend(signatures.iter().map(|mark| mark.signer.as_str()));
                story.waits = !policies.is_empty();
                story.policies.extend(policies.iter().map(|policy| (*policy, index)));
            }
            Event::VersionSigned { version, signature, .. } if version == offered.version => {
                authors.insert(&signature.signer);
            }
            Event::VersionApproved { version, digest, member, .. }
                if version == offered.version && *digest == offered.digest =>
            {
                let Some(user) = entry.actor.as_deref() else { continue };
                let is_own = authors.contains(user);
                story.approvals.push(Marked { index, user, member: *member, is_own });
            }
            Event::VersionRejected { version, .. } if version == offered.version => {
                story.rejected = Some(index);
            }
            Event::VersionReleased { version, policies, .. } if version == offered.version => {
                story.waits = false;
                story.policies.extend(policies.iter().map(|policy| (*policy, index)));
            }
            _ => {}
        }
    }
    story
}

impl Log {
    /// Counts the approvals of exactly these bytes, given by people who held the role then and had no part in the version,
    /// against what the policies demand together that its entries name.
    pub(super) async fn check_approved(
        &mut self,
        offered: &Offered<'_>,
        history: &[(u64, Entry)],
    ) -> Result<ApprovedView> {
        let Story { policies, waits, rejected, approvals } = story(offered, history);
        if let Some(index) = rejected {
            return Err(not_approved(offered, format!("it was rejected by entry {index}")));
        }
        if waits {
            return Err(not_approved(offered, "it waits for approval"));
        }
        let mut demands = Vec::new();
        for (policy, named_by) in policies {
            match self.entry(policy, named_by).await?.event {
                Event::PolicySet { namespace, policy } if is_above(&namespace, offered) => {
                    demands.push(policy);
                }
                _ => {
                    let reason = format!("entry {policy} sets no policy for it");
                    return Err(not_approved(offered, reason));
                }
            }
        }
        let demanded = ApprovalPolicy::together(demands).unwrap_or(ApprovalPolicy::LEAST);
        let (mut counted, mut count, mut log_indexes) = (Vec::new(), 0, Vec::new());
        for marked in &approvals {
            let role = self.role_by(offered, marked).await?.unwrap_or(Role::Reader);
            counted.push(Approval { user: marked.user, role, is_own: marked.is_own });
            let counts = demanded.count(counted.iter().copied());
            if counts > count {
                log_indexes.push(marked.index);
                count = counts;
            }
            if count >= demanded.approvals {
                return Ok(ApprovedView { demanded, log_indexes });
            }
        }
        let ApprovalPolicy { approvals, role } = demanded;
        let reason = format!(
            "{approvals} by a {role} or above {} demanded, of people who neither published nor signed it, and the log has {count}",
            if approvals == 1 { "is" } else { "are" },
        );
        Err(not_approved(offered, reason))
    }

    /// The role by which an approval was given; none where the entry that it names gives its user none.
    async fn role_by(&mut self, offered: &Offered<'_>, marked: &Marked<'_>) -> Result<Option<Role>> {
        Ok(match self.entry(marked.member, marked.index).await?.event {
            Event::MemberSet { namespace, user, role }
                if user == marked.user && is_above(&namespace, offered) =>
            {
                Some(role)
            }
            _ => None,
        })
    }
}

/// Whether the skill lies in the namespace.
fn is_above(namespace: &str, offered: &Offered<'_>) -> bool {
    let place: Option<Namespace> = namespace.parse().ok();
    place.is_some_and(|place| key_contains(&place.key(), &offered.id.namespace().key()))
}

#[cfg(test)]
mod tests {
    use skillery_core::api::SignatureMark;
    use skillery_core::sign::author::SignatureKind;
    use skillery_core::time::Time;
    use skillery_core::{Digest, SkillId, Version};

    use super::*;

    const TOOL: &str = "acme/tool";

    fn published(policies: Vec<u64>, signer: &str) -> Event {
        Event::VersionPublished {
            skill: TOOL.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            digest: Digest::of(b"bundle"),
            size: 1,
            code_hash: Digest::of(b"code"),
            via: None,
            statement: Some(Digest::of(b"statement")),
            signatures: vec![mark(signer)],
            policies,
        }
    }

    fn mark(signer: &str) -> SignatureMark {
        let (key, kind, sha256) = ("SHA256:k".to_owned(), SignatureKind::SshSig, Digest::of(b"signature"));
        SignatureMark { kind, key, sha256, signer: signer.into(), enrolled: 1, member: 2 }
    }

    fn approved(version: &str, bundle: &[u8]) -> Event {
        let (skill, version) = (TOOL.parse().unwrap(), version.parse().unwrap());
        Event::VersionApproved { skill, version, digest: Digest::of(bundle), member: 3 }
    }

    fn released(policies: &[u64]) -> Event {
        let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        Event::VersionReleased { skill, version, policies: policies.to_vec(), approvals: Vec::new() }
    }

    /// The entries as the registry shows them, the newest first, numbered from 10 on.
    fn history(events: Vec<(&str, Event)>) -> Vec<(u64, Entry)> {
        let entry = |(index, (actor, event)): (u64, (&str, Event))| {
            let actor = (!actor.is_empty()).then(|| actor.to_owned());
            (index, Entry { time: Time::from_micros(0), actor, prev: None, event })
        };
        let mut entries: Vec<_> = (10..).zip(events).map(entry).collect();
        entries.reverse();
        entries
    }

    /// The approvals that may count, by number and user; the policies; whether it waits; and what rejected it.
    type Told = (Vec<(u64, String)>, Vec<(u64, u64)>, bool, Option<u64>);

    fn told(events: Vec<(&str, Event)>) -> Told {
        let (id, version): (SkillId, Version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        let offered = Offered {
            id: &id,
            version: &version,
            digest: Digest::of(b"bundle"),
            code_hash: Digest::of(b"code"),
            files: &[],
            is_warned_of: false,
        };
        let history = history(events);
        let story = story(&offered, &history);
        let others = story.approvals.iter().filter(|marked| !marked.is_own);
        let others = others.map(|marked| (marked.index, marked.user.to_owned())).collect();
        (others, story.policies, story.waits, story.rejected)
    }

    #[test]
    fn approvals_of_others_and_of_these_bytes_are_counted() {
        let found = told(vec![
            ("anna", published(vec![5], "sam")),
            ("rita", approved("1.0.0", b"bundle")),
            ("anna", approved("1.0.0", b"bundle")),
            ("sam", approved("1.0.0", b"bundle")),
            ("", approved("1.0.0", b"bundle")),
            ("rob", approved("1.0.0", b"another bundle")),
            ("rob", approved("1.1.0", b"bundle")),
            ("rob", released(&[6])),
        ]);
        assert_eq!(found, (vec![(11, "rita".to_owned())], vec![(5, 10), (6, 17)], false, None));
    }

    #[test]
    fn who_signs_before_approving_has_a_part_in_it() {
        let signed = |signer: &str| Event::VersionSigned {
            skill: TOOL.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            statement: Digest::of(b"statement"),
            signature: mark(signer),
        };
        let found = told(vec![
            ("anna", published(Vec::new(), "anna")),
            ("rita", approved("1.0.0", b"bundle")),
            ("rita", signed("rita")),
            ("rob", signed("rob")),
            ("rob", approved("1.0.0", b"bundle")),
        ]);
        assert_eq!(found, (vec![(11, "rita".to_owned())], Vec::new(), false, None));
    }

    #[test]
    fn what_waits_or_was_rejected_is_told() {
        let (.., waits, rejected) = told(vec![("anna", published(vec![5], "anna"))]);
        assert_eq!((waits, rejected), (true, None));
        let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        let rejection = Event::VersionRejected { skill, version, digest: Digest::of(b"bundle"), member: 3 };
        let (.., rejected) = told(vec![("anna", published(vec![5], "anna")), ("rita", rejection)]);
        assert_eq!(rejected, Some(11));
    }
}
