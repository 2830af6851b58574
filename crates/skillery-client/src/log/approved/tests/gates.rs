//! Stages, groups, signed reviews, what passes, what is released by force, and what waits again.

use std::path::Path;

use skillery_core::approval::{
    AutoApproval, AutoMark, AutoReason, Fact, HeldFor, MAX_GROUPS_NAMED, Stage, StageMark,
};
use skillery_core::event::PublisherMatch;
use skillery_core::sign::review::{REVIEW_TYPE, ReviewMark, ReviewStatement};
use skillery_core::sign::sshsig::REVIEW_NAMESPACE;
use skillery_core::{Decision, Visibility};

use super::*;
use crate::signer::Signer;

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

/// That the policy lets it pass, by the group or the build of an entry.
fn mark_of(reason: AutoReason) -> AutoMark {
    let group = (reason == AutoReason::Group).then_some(GROUP);
    let publisher = (reason == AutoReason::TrustedBuild).then_some(GROUP);
    AutoMark { policy: POLICY, reason, group, publisher }
}

/// A version with these facts, which waits for these policies and is let pass by the others.
fn passing(reason: AutoReason, told: &[Fact], waits_for: &[u64]) -> Event {
    let mut event = published(waits_for.to_vec(), "anna");
    if let Event::VersionPublished { facts, passed, .. } = &mut event {
        *facts = Some(told.to_vec());
        passed.push(mark_of(reason));
    }
    event
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
    let digest = Digest::of(b"bundle");
    let changes = Event::VersionChangesRequested { skill, version, digest, member: 3, signature: None };
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

/// Whether an approval of `rita`'s counts as signed that names her signature over a statement with this verdict.
fn is_signed_by(verdict: Decision) -> bool {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../skillery-core/tests/fixtures/sign/ssh");
    let signer = Signer::open(&keys.join("ed25519.key")).unwrap();
    let statement = ReviewStatement {
        digest: Digest::of(b"bundle"),
        policies: vec![POLICY],
        registry: "registry.example.com".to_owned(),
        skill: TOOL.parse().unwrap(),
        r#type: REVIEW_TYPE.to_owned(),
        verdict,
        version: "1.0.0".parse().unwrap(),
    };
    let statement = statement.to_text().unwrap();
    let text = signer.sign(REVIEW_NAMESPACE, statement.as_bytes()).unwrap();
    let key = signer.public_key().fingerprint();
    let mark = ReviewMark {
        key: key.clone(),
        enrolled: 6,
        statement: Digest::of(statement.as_bytes()),
        sha256: Digest::of(text.as_bytes()),
    };
    let public_key = signer.public_key().to_string();
    let review = KeptReview { log_index: 11, statement, signature: text, public_key };
    let mut approval = approved_by(3, &[]);
    if let Event::VersionApproved { signature, .. } = &mut approval {
        *signature = Some(mark);
    }
    let events = vec![("anna", published(vec![POLICY], "anna")), ("rita", approval)];
    let history = history([events, vec![("rita", released_by(&[11]))]].concat());
    let enrolled = Event::KeyEnrolled { key, user: Some("rita".to_owned()), org: None };
    let grounds = Grounds::from([(6, Entry::new(Time::from_micros(0), None, None, enrolled))]);
    with_offered(|offered| {
        let story = story(offered, &history).unwrap();
        let marked = story.all().find(|marked| marked.index == 11).unwrap();
        check_review(offered, "registry.example.com", &review, marked, &grounds)
    })
}

#[test]
fn a_signed_rejection_is_no_signature_of_an_approval() {
    assert!(is_signed_by(Decision::Approved));
    assert!(!is_signed_by(Decision::Rejected));
    assert!(!is_signed_by(Decision::ChangesRequested));
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
    let passing = |reason, told: &[Fact]| vec![("anna", passing(reason, told, &[]))];
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

/// Releases it by no policy, and by these approvals.
fn released_by_none(approvals: &[u64]) -> Event {
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    Event::VersionReleased { skill, version, policies: Vec::new(), approvals: approvals.to_vec() }
}

fn reviewed(policies: &[u64], approvals: &[u64]) -> Event {
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    Event::VersionReviewed { skill, version, policies: policies.to_vec(), approvals: approvals.to_vec() }
}

fn held(why: HeldFor) -> Event {
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    Event::VersionHeld { skill, version, why, policies: vec![POLICY] }
}

fn due() -> Event {
    let (skill, version) = (TOOL.parse().unwrap(), "1.0.0".parse().unwrap());
    Event::VersionDue { skill, version, policies: vec![POLICY] }
}

fn made_public() -> Event {
    Event::VisibilityChanged { skill: TOOL.parse().unwrap(), visibility: Visibility::Public }
}

fn patches() -> Event {
    set(|policy| policy.auto = AutoApproval { patches: true, ..AutoApproval::default() })
}

#[test]
fn what_waited_once_is_not_taken_without_anybody() {
    // One policy lets it pass, and it waited for another one: a release by none of both is one by nobody.
    const OTHER: u64 = 7;
    let grounds = || vec![(POLICY, patches()), (OTHER, set(|_| ()))];
    let begun = || ("anna", passing(AutoReason::Patch, &[Fact::Patch], &[OTHER]));
    let lacks = |events: Vec<(&str, Event)>| {
        let error = counted(events, grounds(), &[], false).unwrap_err();
        assert!(
            error.contains("1 by a reviewer or above is demanded") && error.ends_with("has 0"),
            "{error}"
        );
    };
    lacks(vec![begun(), ("rita", released_by_none(&[99]))]);
    lacks(vec![begun(), ("olga", forced()), ("rita", reviewed(&[], &[99]))]);
    let passed = || ("anna", passing(AutoReason::Patch, &[Fact::Patch], &[]));
    lacks(vec![passed(), ("", held(HeldFor::Public)), ("rita", released_by_none(&[99]))]);
    lacks(vec![passed(), ("", held(HeldFor::Review)), ("rita", released_by_none(&[99]))]);
    let good = vec![begun(), ("rita", approved_by(3, &[])), ("rita", released_by_none(&[11]))];
    assert_eq!(counted(good, grounds(), &[], false).map(|view| view.log_indexes), Ok(vec![11]));
}

#[test]
fn what_came_later_is_asked_for_when_it_waits_again() {
    // Released by what was demanded then; later its policy is another one, and everybody sees it.
    let conditional = || {
        let security = Stage { when: vec![Fact::Public], ..stage_of("security") };
        vec![(
            POLICY,
            set(|policy| (policy.approvals, policy.stages) = (0, vec![stage_of("review"), security])),
        )]
    };
    let begun = || {
        let mut event = published(vec![POLICY], "anna");
        if let Event::VersionPublished { facts, .. } = &mut event {
            *facts = Some(Vec::new());
        }
        vec![
            ("anna", event),
            ("rita", approved_by(3, &[])),
            ("rita", released_by(&[11])),
            ("ada", made_public()),
        ]
    };
    let view = counted(begun(), conditional(), &[], false);
    assert_eq!(view.map(|view| view.log_indexes), Ok(vec![11]));
    // It waited for that, and was released without.
    let mut again = begun();
    again.extend([("ada", held(HeldFor::Public)), ("ada", released_by(&[11]))]);
    let error = counted(again, conditional(), &[], false).unwrap_err();
    assert!(error.contains("the stage `security` asks for 1"), "{error}");
    // A patch that passed, and is seen by everybody since: it passes until it waits, and then no more.
    let patch = || vec![("anna", passing(AutoReason::Patch, &[Fact::Patch], &[])), ("ada", made_public())];
    let policy = || {
        let auto = AutoApproval { patches: true, ..AutoApproval::default() };
        vec![(POLICY, set(|policy| (policy.auto, policy.when) = (auto, vec![Fact::Public])))]
    };
    assert!(counted(patch(), policy(), &[], false).is_ok());
    let mut again = patch();
    again.extend([("ada", held(HeldFor::Public)), ("rita", released_by(&[99]))]);
    assert!(counted(again, policy(), &[], false).unwrap_err().contains("is demanded"));
    let mut again = patch();
    again.extend([
        ("ada", held(HeldFor::Public)),
        ("rita", approved_by(3, &[])),
        ("rita", released_by(&[13])),
    ]);
    assert_eq!(counted(again, policy(), &[], false).map(|view| view.log_indexes), Ok(vec![13]));
}

fn stage_of(name: &str) -> Stage {
    let (name, when) = (name.parse().unwrap(), Vec::new());
    Stage { name, approvals: 1, role: Role::Reviewer, group: None, when }
}

#[test]
fn what_passed_is_reviewed_by_the_whole_policy() {
    let two = || {
        let auto = AutoApproval { patches: true, ..AutoApproval::default() };
        vec![(POLICY, set(|policy| (policy.auto, policy.approvals) = (auto, 2)))]
    };
    let begun = || vec![("anna", passing(AutoReason::Patch, &[Fact::Patch], &[])), ("", due())];
    // As long as nobody has looked at it, it is handed out as it was.
    assert!(counted(begun(), two(), &[], false).is_ok());
    let mut one = begun();
    one.extend([("rita", approved_by(3, &[])), ("rita", reviewed(&[POLICY], &[12]))]);
    let error = counted(one, two(), &[], false).unwrap_err();
    assert!(error.contains("2 by a reviewer or above are demanded") && error.ends_with("has 1"), "{error}");
    let mut both = begun();
    both.extend([("rita", approved_by(3, &[])), ("rob", approved_by(4, &[]))]);
    both.push(("rob", reviewed(&[POLICY], &[12, 13])));
    assert_eq!(counted(both, two(), &[], false).map(|view| view.log_indexes), Ok(vec![12, 13]));
    // What was said before it was due is too old.
    let mut old = vec![("anna", published(vec![POLICY], "anna"))];
    old.extend([
        ("rita", approved_by(3, &[])),
        ("rob", approved_by(4, &[])),
        ("rob", released_by(&[11, 12])),
    ]);
    old.push(("", due()));
    assert!(counted(old.clone(), two(), &[], false).is_ok());
    old.push(("rob", reviewed(&[POLICY], &[11, 12])));
    assert!(counted(old, two(), &[], false).unwrap_err().ends_with("has 0"));
}

#[test]
fn a_build_passes_by_who_trusts_it_where_the_policy_is_or_above() {
    let built = || {
        let mut event = passing(AutoReason::TrustedBuild, &[], &[]);
        if let Event::VersionPublished { via, .. } = &mut event {
            *via = Some("oidc:https://issuer.example|publisher p".to_owned());
        }
        vec![("bot", event)]
    };
    let trusted = |namespace: &str, user: &str| Event::PublisherTrusted {
        publisher: "p".into(),
        namespace: namespace.into(),
        user: user.into(),
        issuer: "https://issuer.example".into(),
        matches: PublisherMatch {
            kind: "generic".into(),
            repository: None,
            owner_id: None,
            workflow: None,
            environment: None,
            reference: None,
            claims: None,
        },
    };
    let policy = || set(|policy| policy.auto = AutoApproval { builds: true, ..AutoApproval::default() });
    assert!(counted(built(), vec![(POLICY, policy()), (GROUP, trusted("acme", "bot"))], &[], false).is_ok());
    for ground in [trusted("acme/inner", "bot"), trusted("acme", "other"), group("acme", &["bot"])] {
        let error = counted(built(), vec![(POLICY, policy()), (GROUP, ground)], &[], false).unwrap_err();
        assert!(error.ends_with("entry 5 does not let it pass as `trusted-build`"), "{error}");
    }
}

#[test]
fn an_approval_stands_for_the_stage_that_it_names() {
    let given = |member: u64, named: &[u64], stage: &str| {
        let mut event = approved_by(member, named);
        if let Event::VersionApproved { stages, .. } = &mut event {
            stages.push(StageMark { policy: POLICY, stage: stage.parse().unwrap() });
        }
        event
    };
    let grounds = || vec![(POLICY, staged()), (GROUP, group("acme", &["rob"]))];
    let begun = || ("anna", published(vec![POLICY], "anna"));
    let early = vec![begun(), ("rob", given(4, &[GROUP], "security")), ("rita", given(3, &[], "review"))];
    let mut again = early.clone();
    let mut early = early;
    early.push(("rob", released_by(&[11, 12])));
    let error = counted(early, grounds(), &[], false).unwrap_err();
    assert!(error.contains("the stage `security`") && error.ends_with("has 0"), "{error}");
    again.extend([("rob", given(4, &[GROUP], "security")), ("rob", released_by(&[12, 13]))]);
    assert_eq!(counted(again, grounds(), &[], false).map(|view| view.log_indexes), Ok(vec![12, 13]));
}

#[test]
fn no_more_groups_are_looked_at_than_one_may_name() {
    let named: Vec<u64> = (0..2_000).map(|number| 100_000 + number).collect();
    let history = history(vec![
        ("anna", published(vec![POLICY], "anna")),
        ("rita", approved_by(3, &named)),
        ("rob", approved_by(4, &[&named[..MAX_GROUPS_NAMED], &[GROUP]].concat())),
        ("rob", released_by(&[11, 12])),
    ]);
    with_offered(|offered| {
        let story = story(offered, &history).unwrap();
        assert_eq!(story.grounds(), [(POLICY, 13)]);
        let mut expected = vec![(3, 11), (4, 12)];
        expected.extend(named[..MAX_GROUPS_NAMED].iter().map(|group| (*group, 11)));
        assert_eq!(story.grounds_of_approvals(), expected);
    });
    let many: Vec<String> = (0..20).map(|number| format!("r{number}")).collect();
    let mut events = vec![("anna", published(vec![POLICY], "anna"))];
    for (place, user) in many.iter().enumerate() {
        let named: Vec<u64> = (0..32).map(|number| 1_000 * (place as u64 + 1) + number).collect();
        events.push((user.as_str(), approved_by(3, &named)));
    }
    events.push(("r0", released_by(&[11])));
    let history = super::history(events);
    let groups = with_offered(|offered| {
        let grounds = story(offered, &history).unwrap().grounds_of_approvals();
        grounds.iter().filter(|(index, _)| *index >= 1_000).count()
    });
    assert_eq!(groups, 256);
}
