use skillery_core::api::SignatureMark;
use skillery_core::sign::author::SignatureKind;
use skillery_core::time::Time;
use skillery_core::{Digest, SkillId, Version};

use super::judge::{Grounds, judge};
use super::story::story;
use super::*;
use crate::log::entries::MOST_OF_A_VERSION;
use skillery_core::entry::Entry;
use skillery_core::event::Event;
use skillery_core::{PublishPolicy, Role};

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
        facts: None,
        passed: Vec::new(),
    }
}

fn mark(signer: &str) -> SignatureMark {
    let (key, kind, sha256) = ("SHA256:k".to_owned(), SignatureKind::SshSig, Digest::of(b"signature"));
    SignatureMark { kind, key, sha256, signer: signer.into(), enrolled: 1, member: 2 }
}

fn approved(version: &str, bundle: &[u8]) -> Event {
    let (skill, version) = (TOOL.parse().unwrap(), version.parse().unwrap());
    Event::VersionApproved {
        skill,
        version,
        digest: Digest::of(bundle),
        member: 3,
        groups: Vec::new(),
        stages: Vec::new(),
        signature: None,
    }
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
fn who_asks_for_changes_approves_no_more() {
    let changes = || {
        let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        let digest = Digest::of(b"bundle");
        Event::VersionChangesRequested { skill, version, digest, member: 3, signature: None }
    };
    let rita = || ("rita", approved("1.0.0", b"bundle"));
    let rob = || ("rob", approved("1.0.0", b"bundle"));
    let begun = || ("anna", published(vec![5], "anna"));
    let users = |events| told(events).map(|(users, _)| users);
    let withdrawn = vec![begun(), rita(), ("rita", changes()), rob(), ("rob", released(&[5]))];
    assert_eq!(users(withdrawn), Ok(vec![(13, "rob".to_owned())]));
    let again = vec![begun(), rita(), ("rita", changes()), rob(), rita(), ("rita", released(&[5]))];
    assert_eq!(users(again), Ok(vec![(13, "rob".to_owned()), (14, "rita".to_owned())]));
    // That the release names it changes nothing: entry 11 is the approval that was taken back.
    let history = history(vec![begun(), rita(), ("rita", changes()), rob(), ("rob", released(&[5]))]);
    let named = with_offered(|offered| {
        let story = story(offered, &history).map_err(|error| error.to_string())?;
        Ok::<_, String>(story.named.iter().map(|marked| marked.index).collect::<Vec<_>>())
    });
    assert_eq!(named, Ok(Vec::new()));
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
    let digest = Digest::of(b"bundle");
    let rejection = Event::VersionRejected { skill, version, digest, member: 3, signature: None };
    let rejected = told(vec![("anna", published(vec![5], "anna")), ("rita", rejection)]);
    assert!(rejected.unwrap_err().ends_with("it was rejected by entry 11"));
}

fn member(namespace: &str, user: &str, role: Role) -> Event {
    Event::MemberSet { namespace: namespace.into(), user: user.into(), role }
}

fn policy(namespace: &str, approvals: u32, role: Role) -> Event {
    Event::PolicySet {
        namespace: namespace.into(),
        policy: PublishPolicy { approvals, role, ..PublishPolicy::LEAST },
    }
}

/// Judges `rita`'s and `rob`'s approvals, 11 and 12, of a version that waited for entry 5 and was released by it;
/// `rita`'s role is by entry 3 and `rob`'s by entry 4.
fn judged(grounds: [(u64, Event); 3]) -> std::result::Result<Vec<u64>, String> {
    let by = |member| {
        let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        Event::VersionApproved {
            skill,
            version,
            digest: Digest::of(b"bundle"),
            member,
            groups: Vec::new(),
            stages: Vec::new(),
            signature: None,
        }
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
        judge(offered, &story, &grounds, false)
            .map(|view| view.log_indexes)
            .map_err(|error| error.to_string())
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

mod gates;
