//! Stages, groups, signed reviews, what passes, what is released by force, and what waits again.

use skillery_core::approval::{AutoApproval, AutoMark, AutoReason, Fact, HeldFor, Stage};

use super::*;

const POLICY: u64 = 5;
const GROUP: u64 = 6;

fn set(change: impl FnOnce(&mut PublishPolicy)) -> Event {
    let mut policy = PublishPolicy::LEAST;
    change(&mut policy);
    Event::PolicySet { namespace: "acme".into(), policy }
}

fn staged() -> Event {
    let stage = |name: &str, group: Option<&str>| Stage {
        name: name.parse().unwrap(),
        approvals: 1,
        role: Role::Reviewer,
        group: group.map(|group| group.parse().unwrap()),
        when: Vec::new(),
    };
    let stages = vec![stage("review", None), stage("security", Some("security"))];
    set(|policy| (policy.approvals, policy.stages) = (0, stages))
}

fn group(namespace: &str, users: &[&str]) -> Event {
    let users = users.iter().map(|user| (*user).to_owned()).collect();
    Event::GroupSet { namespace: namespace.into(), group: "security".parse().unwrap(), users }
}

fn approved_by(member: u64, named: &[u64]) -> Event {
    let mut event = approved("1.0.0", b"bundle");
    if let Event::VersionApproved { member: by, groups, .. } = &mut event {
        (*by, *groups) = (member, named.to_vec());
    }
    event
}

fn released_by(approvals: &[u64]) -> Event {
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    Event::VersionReleased { skill, version, policies: vec![POLICY], approvals: approvals.to_vec() }
}

fn forced() -> Event {
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    let (digest, reason) = (Digest::of(b"bundle"), Digest::of(b"why"));
    Event::VersionForced { skill, version, digest, member: 2, reason, policies: vec![POLICY] }
}

/// Judges what these entries say, from 10 on. `rita` and `rob` are reviewers by the entries 3 and 4; the others are given.
fn counted(
    events: Vec<(&str, Event)>,
    others: Vec<(u64, Event)>,
    signed: &[u64],
    or_forced: bool,
) -> std::result::Result<ApprovedView, String> {
    let history = history(events);
    let mut all =
        vec![(3, member("acme", "rita", Role::Reviewer)), (4, member("acme", "rob", Role::Reviewer))];
    all.extend(others);
    let entry = |event| Entry::new(Time::from_micros(0), None, None, event);
    let grounds: Grounds = all.into_iter().map(|(index, event)| (index, entry(event))).collect();
    with_offered(|offered| {
        let mut story = story(offered, &history).map_err(|error| error.to_string())?;
        story.signed.extend(signed);
        judge(offered, &story, &grounds, or_forced).map_err(|error| error.to_string())
    })
}

fn in_two_stages(named: u64) -> Vec<(&'static str, Event)> {
    vec![
        ("anna", published(vec![POLICY], "anna")),
        ("rita", approved_by(3, &[])),
        ("rob", approved_by(4, &[named])),
        ("rob", released_by(&[11, 12])),
    ]
}

#[test]
fn stages_have_their_own_people_in_order() {
    let good =
        counted(in_two_stages(GROUP), vec![(POLICY, staged()), (GROUP, group("acme", &["rob"]))], &[], false);
    assert_eq!(good.map(|view| view.log_indexes), Ok(vec![11, 12]));
    // Of another namespace, without the reviewer, of later, and nothing of the kind.
    for (place, other) in [
        (GROUP, group("other", &["rob"])),
        (GROUP, group("acme/inner", &["rob"])),
        (GROUP, group("acme", &["rita"])),
        (20, group("acme", &["rob"])),
        (GROUP, member("acme", "rob", Role::Owner)),
    ] {
        let found = counted(in_two_stages(place), vec![(POLICY, staged()), (place, other)], &[], false);
        let error = found.unwrap_err();
        let expected = "the stage `security` asks for 1 by a reviewer or above in the group `security`, and the log has 0";
        assert!(error.ends_with(expected), "{error}");
    }
    // The one of the group came first, and counts for the first stage.
    let mut turned = in_two_stages(GROUP);
    turned.swap(1, 2);
    let found = counted(turned, vec![(POLICY, staged()), (GROUP, group("acme", &["rob"]))], &[], false);
    assert!(found.unwrap_err().contains("the stage `security`"));
    // Who asked for changes counts for no stage, though the release names the approval.
    let mut taken_back = in_two_stages(GROUP);
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    let changes = Event::VersionChangesRequested { skill, version, digest: Digest::of(b"bundle"), member: 3 };
    taken_back.insert(3, ("rita", changes));
    let found = counted(taken_back, vec![(POLICY, staged()), (GROUP, group("acme", &["rob"]))], &[], false);
    assert!(found.unwrap_err().contains("the stage `security`"));
}

#[test]
fn only_signed_reviews_count_where_they_are_demanded() {
    let policy = || set(|policy| (policy.approvals, policy.signed_reviews) = (2, true));
    let events = || {
        let approvals = [("rita", approved_by(3, &[])), ("rob", approved_by(4, &[]))];
        let mut events = vec![("anna", published(vec![POLICY], "anna"))];
        events.extend(approvals);
        events.push(("rob", released_by(&[11, 12])));
        events
    };
    for signed in [&[][..], &[11], &[12]] {
        let error = counted(events(), vec![(POLICY, policy())], signed, false).unwrap_err();
        let expected = format!("asks for 2 signed by a reviewer or above, and the log has {}", signed.len());
        assert!(error.ends_with(&expected), "{error}");
    }
    let good = counted(events(), vec![(POLICY, policy())], &[11, 12], false);
    assert_eq!(good.map(|view| view.log_indexes), Ok(vec![11, 12]));
}

#[test]
fn what_was_released_by_force_is_taken_by_who_says_so() {
    let begun = || vec![("anna", published(vec![POLICY], "anna")), ("olga", forced())];
    let policy = || vec![(POLICY, set(|_| ()))];
    let error = counted(begun(), policy(), &[], false).unwrap_err();
    assert!(error.contains("an owner released it by force, by entry 11"), "{error}");
    let view = counted(begun(), policy(), &[], true).unwrap();
    assert_eq!((view.forced, view.log_indexes, view.demanded.approvals), (Some(11), vec![], 1));
    // Once somebody has approved it, it is as any other.
    let mut reviewed = begun();
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    reviewed.push(("rita", approved_by(3, &[])));
    reviewed.push((
        "rita",
        Event::VersionReviewed { skill, version, policies: vec![POLICY], approvals: vec![12] },
    ));
    let view = counted(reviewed, policy(), &[], false).unwrap();
    assert_eq!((view.forced, view.log_indexes), (None, vec![12]));
}

#[test]
fn what_a_policy_lets_pass_needs_nobody() {
    let passing = |reason, told: &[Fact]| {
        let mut event = published(Vec::new(), "anna");
        if let Event::VersionPublished { facts, passed, .. } = &mut event {
            *facts = Some(told.to_vec());
            passed.push(AutoMark {
                policy: POLICY,
                reason,
                group: (reason == AutoReason::Group).then_some(GROUP),
            });
        }
        vec![("anna", event)]
    };
    let auto = || {
        let groups = vec!["security".parse().unwrap()];
        vec![(
            POLICY,
            set(|policy| policy.auto = AutoApproval { patches: true, groups, ..AutoApproval::default() }),
        )]
    };
    let with = |users: &[&str]| {
        let mut all = auto();
        all.push((GROUP, group("acme", users)));
        all
    };
    let view = counted(passing(AutoReason::Patch, &[Fact::Patch]), auto(), &[], false).unwrap();
    assert_eq!((view.demanded.approvals, view.log_indexes, view.forced), (0, vec![], None));
    assert!(counted(passing(AutoReason::Group, &[]), with(&["anna"]), &[], false).is_ok());
    for (events, grounds, reason) in [
        (passing(AutoReason::Patch, &[Fact::FirstVersion]), auto(), "patch"),
        (passing(AutoReason::Patch, &[Fact::Patch]), vec![(POLICY, set(|_| ()))], "patch"),
        (passing(AutoReason::TrustedBuild, &[Fact::Patch]), auto(), "trusted-build"),
        (passing(AutoReason::Group, &[]), with(&["rita"]), "group"),
    ] {
        let error = counted(events, grounds, &[], false).unwrap_err();
        assert!(error.ends_with(&format!("entry 5 does not let it pass as `{reason}`")), "{error}");
    }
}

#[test]
fn what_waits_again_counts_nothing_of_before() {
    let held = |why| {
        let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
        Event::VersionHeld { skill, version, why, policies: vec![POLICY] }
    };
    let released_once = |why| {
        vec![
            ("anna", published(vec![POLICY], "anna")),
            ("rita", approved_by(3, &[])),
            ("rita", released_by(&[11])),
            ("", held(why)),
        ]
    };
    let policy = || vec![(POLICY, set(|_| ()))];
    for why in [HeldFor::Review, HeldFor::Public] {
        let error = counted(released_once(why), policy(), &[], true).unwrap_err();
        assert!(error.ends_with("it waits for approval"), "{error}");
    }
    let again = |why, approvals: &[u64]| {
        let mut events = released_once(why);
        events.push(("rob", approved_by(4, &[])));
        events.push(("rob", released_by(approvals)));
        counted(events, policy(), &[], false).map(|view| view.log_indexes)
    };
    assert_eq!(again(HeldFor::Review, &[14]), Ok(vec![14]));
    assert_eq!(again(HeldFor::Public, &[11]), Ok(vec![11]));
    // The release names one that is too old; the one that is not counts.
    assert_eq!(again(HeldFor::Review, &[11]), Ok(vec![14]));
}
