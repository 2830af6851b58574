//! Whether others have approved a version: how many, in which role, and whether that counted at its place in the log.

use std::collections::{BTreeMap, BTreeSet};

use skillery_core::approval::Approval;
use skillery_core::entry::Entry;
use skillery_core::event::Event;
use skillery_core::limits::MAX_NAMESPACE_DEPTH;
use skillery_core::{PublishPolicy, Role};

use super::entries::{MOST_OF_A_VERSION, Openings, proven};
use super::rotation::Believed;
use super::version::Offered;
use super::{Log, LogError};
use crate::error::{Error, Result};

/// The approvals that a version was installed by.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ApprovedView {
    /// What its namespace demanded; where it demanded nothing, one approval of a reviewer.
    pub demanded: PublishPolicy,
    /// The numbers of the log entries with approvals that count.
    pub log_indexes: Vec<u64>,
}

/// A version's approvals.
#[derive(Debug, Clone, PartialEq)]
pub struct Approved {
    /// Those that count.
    pub view: ApprovedView,
    /// What they rest on.
    pub kept: KeptApprovals,
    /// The number of the last entry that has a part in it.
    pub last: u64,
}

/// What approves a version, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptApprovals {
    /// Proofs (c2sp.org/tlog-proof) of the entries that published, signed, approved and released it, that set the policies,
    /// and that gave the reviewers their roles.
    pub entries: Vec<String>,
}

/// An approval that the log names, and where.
#[derive(Debug)]
struct Marked<'a> {
    index: u64,
    user: &'a str,
    member: u64,
}

/// What entries about the skill say of the version.
#[derive(Debug, Default)]
struct Story<'a> {
    /// The policies that it waited for, or, once it is released, those that it was released by; each with the entry that
    /// names it.
    policies: Vec<(u64, u64)>,
    /// The last approval of each person who had no part in the version: of the first persons, as many as are looked at.
    approvals: Vec<Marked<'a>>,
    /// The entries that say so, approvals apart; the first published it.
    told_by: Vec<u64>,
}

impl Story<'_> {
    /// The entries that it rests on, each with the one that names it.
    fn grounds(&self) -> impl Iterator<Item = (u64, u64)> {
        let roles = self.approvals.iter().map(|marked| (marked.member, marked.index));
        self.policies.iter().copied().chain(roles)
    }
}

fn not_approved(offered: &Offered<'_>, reason: impl ToString) -> Error {
    let (id, version) = (offered.id.clone(), offered.version.clone());
    LogError::NotApproved { id, version, reason: reason.to_string() }.into()
}

/// Reads what the entries, the newest first, say of the version. Whoever published or signed it before has a part in it, and
/// their approval counts nowhere. What waits, and what was rejected, is not approved.
fn story<'a>(offered: &Offered<'_>, history: &'a [(u64, Entry)]) -> Result<Story<'a>> {
    let mut story = Story::default();
    let mut authors: BTreeSet<&str> = BTreeSet::new();
    let (mut waits, mut signed) = (false, 0);
    for (index, entry) in history.iter().rev() {
        let index = *index;
        match &entry.event {
            Event::VersionPublished { version, signatures, policies, .. } if version == offered.version => {
                authors.extend(entry.actor.as_deref());
                authors.extend(signatures.iter().map(|mark| mark.signer.as_str()));
                waits = !policies.is_empty();
                story.policies.extend(policies.iter().map(|policy| (*policy, index)));
            }
            Event::VersionSigned { version, signature, .. } if version == offered.version => {
                authors.insert(&signature.signer);
                signed += 1;
                // Of those whose approvals count, none was among them.
                if signed > MOST_OF_A_VERSION {
                    continue;
                }
            }
            Event::VersionApproved { version, digest, member, .. }
                if version == offered.version && *digest == offered.digest =>
            {
                let Some(user) = entry.actor.as_deref() else { continue };
                if authors.contains(user) {
                    continue;
                }
                let marked = Marked { index, user, member: *member };
                match story.approvals.iter().position(|earlier| earlier.user == user) {
                    Some(place) => story.approvals[place] = marked,
                    None if story.approvals.len() < MOST_OF_A_VERSION => story.approvals.push(marked),
                    None => {}
                }
                continue;
            }
            // Who asks for changes approves no more, until they approve again.
            Event::VersionChangesRequested { version, .. } if version == offered.version => {
                story.approvals.retain(|earlier| Some(earlier.user) != entry.actor.as_deref());
                continue;
            }
            Event::VersionRejected { version, .. } if version == offered.version => {
                return Err(not_approved(offered, format!("it was rejected by entry {index}")));
            }
            // What was released by approvals was so by the policies of that moment.
            Event::VersionReleased { version, policies, approvals, .. }
                if version == offered.version && waits && !approvals.is_empty() =>
            {
                waits = false;
                story.policies = policies.iter().map(|policy| (*policy, index)).collect();
            }
            _ => continue,
        }
        story.told_by.push(index);
    }
    if waits {
        return Err(not_approved(offered, "it waits for approval"));
    }
    if story.policies.len() > MAX_NAMESPACE_DEPTH {
        let reason =
            format!("it names {} policies, and there is one for each namespace", story.policies.len());
        return Err(not_approved(offered, reason));
    }
    story.approvals.sort_by_key(|marked| marked.index);
    Ok(story)
}

/// Entries that the story rests on: policies and roles, by number.
type Grounds = BTreeMap<u64, Entry>;

/// Counts the approvals of a story against what its policies demand together.
fn judge(offered: &Offered<'_>, story: &Story<'_>, grounds: &Grounds) -> Result<ApprovedView> {
    let mut demands = Vec::new();
    for (policy, named_by) in &story.policies {
        match grounds.get(policy).filter(|_| policy < named_by).map(|entry| &entry.event) {
            Some(Event::PolicySet { namespace, policy }) if offered.lies_in(namespace) => {
                demands.push(*policy);
            }
            _ => return Err(not_approved(offered, format!("entry {policy} sets no policy for it"))),
        }
    }
    let demanded = PublishPolicy::of_waiting(demands);
    let (mut counted, mut count, mut log_indexes) = (Vec::new(), 0, Vec::new());
    for marked in &story.approvals {
        let role = match grounds.get(&marked.member).map(|entry| &entry.event) {
            Some(Event::MemberSet { namespace, user, role })
                if marked.member < marked.index && user == marked.user && offered.lies_in(namespace) =>
            {
                *role
            }
            _ => Role::Reader,
        };
        counted.push(Approval { user: marked.user, role, is_own: false });
        let counts = demanded.count(counted.iter().copied());
        if counts > count {
            log_indexes.push(marked.index);
            count = counts;
        }
        if count >= demanded.approvals {
            return Ok(ApprovedView { demanded, log_indexes });
        }
    }
    let PublishPolicy { approvals, role, .. } = demanded;
    let reason = format!(
        "{approvals} by a {role} or above {} demanded, of people who neither published nor signed it, and the log has {count}",
        if approvals == 1 { "is" } else { "are" },
    );
    Err(not_approved(offered, reason))
}

impl Log {
    /// Counts the approvals of exactly these bytes, given by people who held the role then and had no part in the version,
    /// against what the policies demand together that its entries name.
    pub(super) async fn check_approved(
        &mut self,
        offered: &Offered<'_>,
        history: &[(u64, Entry)],
    ) -> Result<Approved> {
        let story = story(offered, history)?;
        let (mut read, mut grounds) = (Openings::new(), Grounds::new());
        for (index, named_by) in story.grounds() {
            grounds.insert(index, self.entry_before(index, named_by, &mut read).await?);
        }
        let view = judge(offered, &story, &grounds)?;
        // Enough to tell the same story again: whoever has a part in it, what was demanded, and the approvals that count.
        let mut needed: BTreeSet<u64> = story.told_by.iter().copied().collect();
        needed.extend(story.policies.iter().map(|(policy, _)| *policy));
        for marked in story.approvals.iter().filter(|marked| view.log_indexes.contains(&marked.index)) {
            needed.extend([marked.index, marked.member]);
        }
        let last = needed.last().copied().unwrap_or_default();
        let mut entries = Vec::with_capacity(needed.len());
        for index in needed {
            entries.push(self.receipt_of(index, &mut read).await?);
        }
        Ok(Approved { view, kept: KeptApprovals { entries }, last })
    }
}

/// Counts approvals that are kept, without asking anybody, by entries that are in the log of these keys. `published` is the
/// number of the entry that published the version.
pub fn check_kept_approvals(
    kept: &KeptApprovals,
    keys: &[Believed],
    offered: &Offered<'_>,
    published: u64,
) -> Result<ApprovedView> {
    let mut entries = Grounds::new();
    for text in &kept.entries {
        let (index, entry) = proven(text, keys).map_err(|reason| not_approved(offered, reason))?;
        entries.insert(index, entry);
    }
    let is_about = |entry: &Entry| entry.event.skill().is_some_and(|skill| skill.key() == offered.id.key());
    let history: Vec<(u64, Entry)> = entries
        .iter()
        .rev()
        .filter(|(_, entry)| is_about(entry))
        .map(|(index, entry)| (*index, entry.clone()))
        .collect();
    let story = story(offered, &history)?;
    if story.told_by.first() != Some(&published) {
        return Err(not_approved(offered, format!("entry {published}, which published it, is not kept")));
    }
    judge(offered, &story, &entries)
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
        Event::VersionReleased { skill, version, policies: policies.to_vec(), approvals: vec![11] }
    }

    /// The entries as the registry shows them, the newest first, numbered from 10 on.
    fn history(events: Vec<(&str, Event)>) -> Vec<(u64, Entry)> {
        let entry = |(index, (actor, event)): (u64, (&str, Event))| {
            let actor = (!actor.is_empty()).then(|| actor.to_owned());
            (index, Entry::new(Time::from_micros(0), actor, None, event))
        };
        let mut entries: Vec<_> = (10..).zip(events).map(entry).collect();
        entries.reverse();
        entries
    }

    fn with_offered<T>(what: impl FnOnce(&Offered<'_>) -> T) -> T {
        let (id, version): (SkillId, Version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        what(&Offered {
            id: &id,
            version: &version,
            digest: Digest::of(b"bundle"),
            code_hash: Digest::of(b"code"),
            files: &[],
            said: None,
        })
    }

    /// The approvals that may count, by number and user, and the policies.
    type Told = (Vec<(u64, String)>, Vec<(u64, u64)>);

    fn told(events: Vec<(&str, Event)>) -> std::result::Result<Told, String> {
        let history = history(events);
        with_offered(|offered| {
            let story = story(offered, &history).map_err(|error| error.to_string())?;
            let approvals = story.approvals.iter().map(|marked| (marked.index, marked.user.to_owned()));
            Ok((approvals.collect(), story.policies))
        })
    }

    #[test]
    fn approvals_of_others_and_of_these_bytes_are_told() {
        let found = told(vec![
            ("anna", published(vec![5], "sam")),
            ("rita", approved("1.0.0", b"bundle")),
            ("anna", approved("1.0.0", b"bundle")),
            ("sam", approved("1.0.0", b"bundle")),
            ("", approved("1.0.0", b"bundle")),
            ("rob", approved("1.0.0", b"another bundle")),
            ("rob", approved("1.1.0", b"bundle")),
            ("rob", released(&[6])),
            ("rita", approved("1.0.0", b"bundle")),
        ]);
        assert_eq!(found, Ok((vec![(18, "rita".to_owned())], vec![(6, 17)])));
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
        assert_eq!(found, Ok((vec![(11, "rita".to_owned())], Vec::new())));
    }

    #[test]
    fn no_more_is_looked_at_than_there_may_be_and_it_is_of_the_first() {
        let people: Vec<String> = (0..MOST_OF_A_VERSION + 6).map(|number| format!("r{number}")).collect();
        let signed = |signer: &str| Event::VersionSigned {
            skill: TOOL.parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            statement: Digest::of(b"statement"),
            signature: mark(signer),
        };
        let mut events = vec![("anna", published(Vec::new(), "anna"))];
        events.extend(people.iter().map(|person| (person.as_str(), approved("1.0.0", b"bundle"))));
        // Approving again keeps the place; those who come too late stay out, and signing takes nothing back.
        events.push(("r1", approved("1.0.0", b"bundle")));
        events.push(("r69", approved("1.0.0", b"bundle")));
        events.extend(people.iter().map(|person| (person.as_str(), signed(person))));
        let history = history(events);
        with_offered(|offered| {
            let story = story(offered, &history).unwrap();
            let mut users: Vec<&str> = story.approvals.iter().map(|marked| marked.user).collect();
            assert_eq!((users.pop(), story.approvals.last().unwrap().index), (Some("r1"), 81));
            let first: Vec<&str> = people[..MOST_OF_A_VERSION].iter().map(String::as_str).collect();
            users.insert(1, "r1");
            assert_eq!(users, first);
            // The publication, and signatures.
            assert_eq!(story.told_by.len(), 1 + MOST_OF_A_VERSION);
        });
        // Who signed has a part in it, whether the signature is one that is looked at or not.
        let mut events = vec![("anna", published(Vec::new(), "anna"))];
        events.extend(people.iter().map(|person| (person.as_str(), signed(person))));
        events.push(("r69", approved("1.0.0", b"bundle")));
        assert_eq!(told(events), Ok((Vec::new(), Vec::new())));
        let policies: Vec<u64> = (1..=9).collect();
        let refused = told(vec![("anna", published(vec![5], "anna")), ("rob", released(&policies))]);
        assert!(refused.unwrap_err().contains("it names 9 policies"));
        assert!(told(vec![("anna", published(vec![5], "anna")), ("rob", released(&policies[1..]))]).is_ok());
    }

    #[test]
    fn what_waits_or_was_rejected_is_not_approved() {
        let waits = told(vec![("anna", published(vec![5], "anna")), ("rita", approved("1.0.0", b"bundle"))]);
        assert!(waits.unwrap_err().ends_with("it waits for approval"));
        let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        let rejection = Event::VersionRejected { skill, version, digest: Digest::of(b"bundle"), member: 3 };
        let rejected = told(vec![("anna", published(vec![5], "anna")), ("rita", rejection)]);
        assert!(rejected.unwrap_err().ends_with("it was rejected by entry 11"));
    }

    #[test]
    fn who_asks_for_changes_approves_no_more() {
        let changes = || {
            let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
            Event::VersionChangesRequested { skill, version, digest: Digest::of(b"bundle"), member: 3 }
        };
        let rita = || ("rita", approved("1.0.0", b"bundle"));
        let rob = || ("rob", approved("1.0.0", b"bundle"));
        let begun = || ("anna", published(vec![5], "anna"));
        let users = |events| told(events).map(|(users, _)| users);
        let withdrawn = vec![begun(), rita(), ("rita", changes()), rob(), ("rob", released(&[5]))];
        assert_eq!(users(withdrawn), Ok(vec![(13, "rob".to_owned())]));
        let again = vec![begun(), rita(), ("rita", changes()), rob(), rita(), ("rita", released(&[5]))];
        assert_eq!(users(again), Ok(vec![(13, "rob".to_owned()), (14, "rita".to_owned())]));
    }

    fn member(namespace: &str, user: &str, role: Role) -> Event {
        Event::MemberSet { namespace: namespace.into(), user: user.into(), role }
    }

    fn policy(namespace: &str, approvals: u32, role: Role) -> Event {
        Event::PolicySet {
            namespace: namespace.into(),
            policy: PublishPolicy { approvals, role, signed: false },
        }
    }

    /// Judges `rita`'s and `rob`'s approvals, 11 and 12, of a version that waited for entry 5 and was released by it;
    /// `rita`'s role is by entry 3 and `rob`'s by entry 4.
    fn judged(grounds: [(u64, Event); 3]) -> std::result::Result<Vec<u64>, String> {
        let by = |member| {
            let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
            Event::VersionApproved { skill, version, digest: Digest::of(b"bundle"), member }
        };
        let history = history(vec![
            ("anna", published(vec![5], "anna")),
            ("rita", by(3)),
            ("rob", by(4)),
            ("rob", released(&[5])),
        ]);
        let entry = |event| Entry::new(Time::from_micros(0), None, None, event);
        let grounds: Grounds = grounds.into_iter().map(|(index, event)| (index, entry(event))).collect();
        with_offered(|offered| {
            let story = story(offered, &history).unwrap();
            judge(offered, &story, &grounds).map(|view| view.log_indexes).map_err(|error| error.to_string())
        })
    }

    #[test]
    fn roles_and_policies_are_what_their_entries_say() {
        let (rita, rob) = (member("acme", "rita", Role::Reviewer), member("acme", "rob", Role::Admin));
        let two = policy("acme", 2, Role::Reviewer);
        let with = |rita: &Event, rob: &Event, policy: &Event| {
            judged([(3, rita.clone()), (4, rob.clone()), (5, policy.clone())])
        };
        assert_eq!(with(&rita, &rob, &two), Ok(vec![11, 12]));
        assert_eq!(with(&rita, &rob, &policy("acme", 1, Role::Admin)), Ok(vec![12]));
        for (rita, rob) in [
            (&rita, &member("acme", "rita", Role::Owner)),
            (&rita, &member("acme", "rob", Role::Publisher)),
            (&rita, &member("acme/inner", "rob", Role::Owner)),
            (&rita, &member("other", "rob", Role::Owner)),
            (&rita, &policy("acme", 1, Role::Owner)),
        ] {
            let error = with(rita, rob, &two).unwrap_err();
            assert!(
                error.contains("2 by a reviewer or above are demanded") && error.ends_with("has 1"),
                "{error}"
            );
        }
        for other in [&policy("other", 1, Role::Reviewer), &policy("acme/inner", 1, Role::Reviewer), &rita] {
            let error = with(&rita, &rob, other).unwrap_err();
            assert!(error.ends_with("entry 5 sets no policy for it"), "{error}");
        }
        // Nobody is given a role, or a policy, afterwards.
        let error = judged([(3, rita.clone()), (4, rob.clone()), (20, two.clone())]).unwrap_err();
        assert!(error.ends_with("entry 5 sets no policy for it"), "{error}");
    }
}
