use super::*;
use crate::VersionStatus;
use crate::time::Time;

const DAY: i64 = 86_400 * 1_000_000;

fn stage(name: &str, approvals: u32, role: Role, group: Option<&str>, when: &[Fact]) -> Stage {
    let group = group.map(|group| group.parse().unwrap());
    Stage { name: name.parse().unwrap(), approvals, role, group, when: when.to_vec() }
}

fn of(user: &str, role: Role) -> Approval<'_> {
    let (groups, at) = (Vec::new(), Time::from_micros(0));
    // Later than any policy here.
    Approval { user, role, is_own: false, groups, is_signed: false, at, index: 100, stages: &[] }
}

fn in_group<'a>(user: &'a str, namespace: &str, group: &str) -> Approval<'a> {
    let groups = vec![Group { namespace: namespace.to_owned(), name: group.parse().unwrap() }];
    Approval { groups, ..of(user, Role::Reviewer) }
}

fn demand(policies: &[&PublishPolicy], facts: Option<&[Fact]>, passed: &[u64]) -> Demand {
    let mark = |policy: &u64| AutoMark {
        policy: *policy,
        reason: AutoReason::TrustedBuild,
        group: None,
        publisher: Some(1),
    };
    let passed: Vec<AutoMark> = passed.iter().map(mark).collect();
    let sets = (10..).zip(policies).map(|(index, policy)| InForce { index, namespace: "acme", policy });
    Demand::of(sets, facts, &passed)
}

/// Of each stage how many count, and whether all have what they need.
fn counts(demand: &Demand, approvals: &[Approval<'_>], days: i64) -> (Vec<usize>, bool) {
    let judgement = demand.judge(approvals, Time::from_micros(days * DAY));
    (judgement.ladders.iter().flatten().map(|stage| stage.given.len()).collect(), judgement.is_complete())
}

#[test]
fn a_policy_needs_people_who_may() {
    use PublishPolicyError as Wrong;
    let policy = |approvals, role| PublishPolicy { approvals, role, ..PublishPolicy::LEAST };
    assert_eq!(PublishPolicy { signed: true, ..PublishPolicy::default() }.check(), Ok(()));
    assert_eq!(policy(1, Role::Reviewer).check(), Ok(()));
    assert_eq!(policy(16, Role::Owner).check(), Ok(()));
    assert_eq!(policy(0, Role::Reviewer).check(), Err(Wrong::Approvals));
    assert_eq!(policy(17, Role::Reviewer).check(), Err(Wrong::Approvals));
    assert_eq!(policy(1, Role::Publisher).check(), Err(Wrong::Role));
    let staged = |stages: Vec<Stage>| PublishPolicy { stages, ..PublishPolicy::default() };
    let first = || stage("first", 1, Role::Reviewer, None, &[]);
    assert_eq!(staged(vec![first()]).check(), Ok(()));
    assert_eq!(staged(vec![first(), first()]).check(), Err(Wrong::Stages));
    assert_eq!(PublishPolicy { approvals: 1, ..staged(vec![first()]) }.check(), Err(Wrong::Stages));
    assert_eq!(staged(vec![stage("none", 0, Role::Reviewer, None, &[])]).check(), Err(Wrong::Approvals));
    assert_eq!(staged(vec![stage("all", 1, Role::Reader, None, &[])]).check(), Err(Wrong::Role));
    assert_eq!(staged(vec![stage("s", 1, Role::Reviewer, None, &[Fact::Patch])]).check(), Err(Wrong::When));
    let twice = PublishPolicy { when: vec![Fact::Public, Fact::Public], ..PublishPolicy::LEAST };
    assert_eq!(twice.check(), Err(Wrong::When));
    for nobody in [
        PublishPolicy { when: vec![Fact::Public], signed: true, ..PublishPolicy::default() },
        PublishPolicy { expires_days: Some(1), signed: true, ..PublishPolicy::default() },
        PublishPolicy { signed_reviews: true, signed: true, ..PublishPolicy::default() },
        PublishPolicy { expires_days: Some(0), ..PublishPolicy::LEAST },
        PublishPolicy { review: Some(ReReview { days: 0, overdue: Overdue::List }), ..PublishPolicy::LEAST },
    ] {
        assert!(nobody.check().is_err(), "{nobody:?}");
    }
    for preset in Preset::ALL {
        assert_eq!(preset.policy().check(), Ok(()), "{preset}");
    }
    assert!(Preset::Regulated.policy().groups().map(|group| group.as_str()).eq(["security"]));
}

#[test]
fn the_old_form_has_the_bytes_that_it_had() {
    for (text, policy) in [
        (r#"{"approvals":2,"role":"reviewer"}"#, PublishPolicy { approvals: 2, ..PublishPolicy::LEAST }),
        (
            r#"{"approvals":0,"role":"reviewer","signed":true}"#,
            PublishPolicy { signed: true, ..PublishPolicy::default() },
        ),
    ] {
        assert_eq!(serde_json::to_string(&policy).unwrap(), text);
        assert_eq!(serde_json::from_str::<PublishPolicy>(text).unwrap(), policy);
    }
    for preset in Preset::ALL {
        let text = serde_json::to_string(&preset.policy()).unwrap();
        assert_eq!(serde_json::from_str::<PublishPolicy>(&text).unwrap(), preset.policy());
    }
}

#[test]
fn plain_policies_above_and_below_add_up() {
    let above = PublishPolicy { role: Role::Admin, ..PublishPolicy::LEAST };
    let below = PublishPolicy { approvals: 2, ..PublishPolicy::LEAST };
    let both = PublishPolicy { approvals: 2, role: Role::Admin, ..PublishPolicy::LEAST };
    assert_eq!(PublishPolicy::together([&above, &below]), Some(both.clone()));
    assert_eq!(PublishPolicy::together([&below, &above]), Some(both.clone()));
    assert_eq!(PublishPolicy::together([]), None);
    assert_eq!(demand(&[&above, &below], None, &[]).in_short(), both);
    // One that demands signatures alone demands no role, and nobody waits for it.
    let signed = PublishPolicy { role: Role::Owner, signed: true, ..PublishPolicy::default() };
    let all = Some(PublishPolicy { signed: true, ..below.clone() });
    assert_eq!(PublishPolicy::together([&below, &signed]), all);
    assert_eq!(PublishPolicy::together([&signed, &below]), all);
    assert!(demand(&[&signed], None, &[]).is_nothing());
    assert_eq!(demand(&[&signed], None, &[]).or_least().in_short(), PublishPolicy::LEAST);
    assert_eq!(demand(&[&signed, &below], None, &[]).in_short(), below);
}

#[test]
fn everybody_counts_once_and_not_for_what_is_their_own() {
    let two = PublishPolicy { approvals: 2, ..PublishPolicy::LEAST };
    let demand = demand(&[&two], None, &[]);
    let mut approvals = vec![
        of("anna", Role::Reviewer),
        of("anna", Role::Reviewer),
        of("ben", Role::Publisher),
        Approval { is_own: true, ..of("carl", Role::Owner) },
    ];
    assert_eq!(counts(&demand, &approvals, 0), (vec![1], false));
    approvals.push(of("dora", Role::Admin));
    assert_eq!(counts(&demand, &approvals, 0), (vec![2], true));
}

#[test]
fn a_stage_opens_when_the_one_before_is_complete() {
    let policy = PublishPolicy {
        stages: vec![
            stage("review", 2, Role::Reviewer, None, &[]),
            stage("security", 1, Role::Reviewer, Some("security"), &[]),
        ],
        ..PublishPolicy::default()
    };
    let ladder = demand(&[&policy], None, &[]);
    let sam = in_group("sam", "acme", "security");
    let [rita, rob] = ["rita", "rob"].map(|user| of(user, Role::Reviewer));
    // In order.
    let approvals = [rita.clone(), rob.clone(), sam.clone()];
    assert_eq!(counts(&ladder, &approvals, 0), (vec![2, 1], true));
    // Whoever counted for the first stage counts for no other one; who is in another group, or one elsewhere, for none.
    assert_eq!(counts(&ladder, &[rita.clone(), sam.clone()], 0), (vec![2, 0], false));
    assert_eq!(counts(&ladder, &[rita.clone(), sam.clone(), rob.clone()], 0), (vec![2, 0], false));
    for other in [in_group("eve", "acme", "legal"), in_group("eve", "acme/team", "security")] {
        assert_eq!(counts(&ladder, &[rita.clone(), rob.clone(), other], 0), (vec![2, 0], false));
    }
    // Where the policy says so, what somebody said once stands for both.
    let same = PublishPolicy { same_people: true, ..policy };
    let ladder = demand(&[&same], None, &[]);
    assert_eq!(counts(&ladder, &[sam.clone(), rita.clone()], 0), (vec![2, 1], true));
    assert_eq!(counts(&ladder, &[sam], 0), (vec![1, 1], false));
}

#[test]
fn too_early_is_no_approval_of_a_later_stage() {
    let policy = PublishPolicy {
        stages: vec![
            stage("legal", 1, Role::Reviewer, Some("legal"), &[]),
            stage("release", 1, Role::Admin, None, &[]),
        ],
        ..PublishPolicy::default()
    };
    let ladder = demand(&[&policy], None, &[]);
    let (lea, ada) = (in_group("lea", "acme", "legal"), of("ada", Role::Admin));
    assert_eq!(counts(&ladder, &[ada.clone(), lea.clone()], 0), (vec![1, 0], false));
    assert_eq!(counts(&ladder, &[ada.clone(), lea.clone(), ada.clone()], 0), (vec![1, 1], true));
    let judgement = ladder.judge(&[lea], Time::from_micros(0));
    assert_eq!((judgement.ladders[0][0].is_open, judgement.ladders[0][1].is_open), (false, true));
}

#[test]
fn conditions_hold_by_facts_and_where_nothing_is_known() {
    let when = |facts: &[Fact]| facts.to_vec();
    assert!(holds(&[], Some(&[])) && holds(&[], None));
    assert!(!holds(&[Fact::Public], Some(&[Fact::FirstVersion])));
    assert!(holds(&[Fact::Public, Fact::FirstVersion], Some(&[Fact::FirstVersion])));
    assert!(holds(&[Fact::FindingsNote], Some(&[Fact::FindingsError])));
    assert!(holds(&[Fact::FindingsWarning], Some(&[Fact::FindingsError])));
    assert!(!holds(&[Fact::FindingsError], Some(&[Fact::FindingsWarning])));
    assert!(holds(&[Fact::FindingsError], None));
    let policy = PublishPolicy {
        when: when(&[Fact::FirstVersion, Fact::Public]),
        stages: vec![
            stage("review", 1, Role::Reviewer, None, &[]),
            stage("security", 1, Role::Reviewer, None, &[Fact::NewPermissions]),
        ],
        ..PublishPolicy::default()
    };
    let names = |facts: Option<&[Fact]>| -> Vec<String> {
        let ladders = demand(&[&policy], facts, &[]).ladders;
        ladders.iter().flat_map(|ladder| &ladder.stages).map(|stage| stage.name.to_string()).collect()
    };
    assert!(names(Some(&[])).is_empty());
    assert!(names(Some(&[Fact::NewPermissions])).is_empty());
    assert_eq!(names(Some(&[Fact::Public])), ["review"]);
    assert_eq!(names(Some(&[Fact::Public, Fact::NewPermissions])), ["review", "security"]);
    assert_eq!(names(None), ["review", "security"]);
}

#[test]
fn policies_of_stages_are_each_for_themselves_and_may_let_pass() {
    let staged =
        PublishPolicy { stages: vec![stage("lead", 1, Role::Admin, None, &[])], ..PublishPolicy::default() };
    let plain = PublishPolicy { approvals: 2, ..PublishPolicy::LEAST };
    let both = demand(&[&staged, &plain], None, &[]);
    assert_eq!(both.policies(), [10, 11]);
    assert_eq!(both.lowest_role(), Role::Reviewer);
    // One person counts for both, as each of them asks for people of its own.
    let approvals = [of("ada", Role::Admin), of("rob", Role::Reviewer)];
    assert_eq!(counts(&both, &approvals, 0), (vec![2, 1], true));
    assert_eq!(demand(&[&staged, &plain], None, &[11]).policies(), [10]);
    assert!(demand(&[&staged, &plain], None, &[10, 11]).is_nothing());
    // A patch passes, unless there is something to look at.
    let patches = PublishPolicy {
        auto: AutoApproval { patches: true, ..AutoApproval::default() },
        stages: vec![
            stage("review", 1, Role::Reviewer, None, &[]),
            stage("public", 1, Role::Reviewer, None, &[Fact::Public]),
        ],
        ..PublishPolicy::default()
    };
    assert!(patches.lets_patch_pass(Some(&[Fact::Patch])));
    assert!(patches.lets_patch_pass(Some(&[Fact::Patch, Fact::FindingsNote])));
    for facts in [
        &[Fact::Patch, Fact::NewPermissions][..],
        &[Fact::Patch, Fact::FindingsError],
        &[Fact::Patch, Fact::Public],
        &[],
    ] {
        assert!(!patches.lets_patch_pass(Some(facts)), "{facts:?}");
    }
    assert!(!patches.lets_patch_pass(None));
    assert!(!plain.lets_patch_pass(Some(&[Fact::Patch])));
}

#[test]
fn approvals_grow_old_and_may_have_to_be_signed() {
    let policy = PublishPolicy { expires_days: Some(7), signed_reviews: true, ..PublishPolicy::LEAST };
    let ladder = demand(&[&policy], None, &[]);
    let signed = Approval { is_signed: true, ..of("rita", Role::Reviewer) };
    assert_eq!(counts(&ladder, std::slice::from_ref(&signed), 7), (vec![1], true));
    assert_eq!(counts(&ladder, &[signed], 8), (vec![0], false));
    assert_eq!(counts(&ladder, &[of("rita", Role::Reviewer)], 0), (vec![0], false));
}

#[test]
fn what_the_versions_before_make_of_one() {
    let version = |text: &str| text.parse::<crate::Version>().unwrap();
    let facts = |text: &str, published: &[&str]| {
        let published: Vec<_> = published.iter().map(|text| version(text)).collect();
        let before = published.iter().map(|version| (version, VersionStatus::Published));
        of_history(&version(text), !published.is_empty(), baseline(before))
    };
    assert_eq!(facts("1.0.0", &[]), [Fact::FirstVersion]);
    assert_eq!(facts("1.0.1", &["1.0.0"]), [Fact::Patch]);
    assert_eq!(facts("1.0.2", &["1.0.0", "1.0.1-rc.1"]), [Fact::Patch]);
    for (text, published) in [
        ("1.1.0", &["1.0.0"][..]),
        ("1.0.1", &["1.0.0", "1.0.2"]),
        ("1.0.1", &["1.0.0", "2.0.0"]),
        ("1.0.1-rc.1", &["1.0.0"]),
    ] {
        assert_eq!(facts(text, published), [], "{text}");
    }
}

#[test]
fn a_version_is_measured_against_one_other() {
    use VersionStatus::{Pending, Published, Quarantined, Rejected, Yanked};
    let version = |text: &str| text.parse::<crate::Version>().unwrap();
    let base = |before: &[(&str, VersionStatus)]| {
        let before: Vec<_> = before.iter().map(|(text, status)| (version(text), *status)).collect();
        baseline(before.iter().map(|(version, status)| (version, *status))).map(ToString::to_string)
    };
    assert_eq!(base(&[]), None);
    // A prerelease is none, what was yanked is one still, and what was never handed out, or taken away, is none.
    assert_eq!(base(&[("1.0.0", Published), ("1.1.0-rc.1", Published)]).as_deref(), Some("1.0.0"));
    assert_eq!(base(&[("1.0.0", Published), ("1.0.1", Yanked)]).as_deref(), Some("1.0.1"));
    for status in [Pending, Rejected, Quarantined] {
        assert_eq!(base(&[("1.0.0", Published), ("1.0.1", status)]).as_deref(), Some("1.0.0"));
    }
}

/// A stage for any reviewer, and one for two of a group.
fn regulated() -> PublishPolicy {
    let stages = vec![
        stage("review", 1, Role::Reviewer, None, &[]),
        stage("security", 2, Role::Reviewer, Some("security"), &[]),
    ];
    PublishPolicy { stages, expires_days: Some(30), ..PublishPolicy::default() }
}

#[test]
fn an_approval_keeps_to_the_stage_that_it_was_given_for() {
    let policy = regulated();
    let ladder = demand(&[&policy], None, &[]);
    let now = |days: i64| Time::from_micros(days * DAY);
    let mut given: Vec<(&str, Vec<StageMark>, i64)> = Vec::new();
    let approve = |given: &mut Vec<(&'static str, Vec<StageMark>, i64)>, user: &'static str, day: i64| {
        given.retain(|(other, ..)| *other != user);
        let mut all: Vec<Approval<'_>> =
            given.iter().map(|(user, stages, at)| at_stage(user, stages, *at)).collect();
        all.push(at_stage(user, &[], day));
        let stages = ladder.marks(&ladder.judge(&all, now(day)), all.len() - 1);
        given.push((user, stages, day));
    };
    let judged = |given: &[(&'static str, Vec<StageMark>, i64)], day: i64| {
        let all: Vec<_> = given.iter().map(|(user, stages, at)| at_stage(user, stages, *at)).collect();
        counts(&ladder, &all, day)
    };
    approve(&mut given, "rita", 0);
    approve(&mut given, "sam", 5);
    approve(&mut given, "sue", 5);
    assert_eq!(judged(&given, 29), (vec![1, 2], true));
    let names: Vec<&str> = given.iter().map(|(_, stages, _)| stages[0].stage.as_str()).collect();
    assert_eq!(names, ["review", "security", "security"]);
    // The first one grows old. The others stand for nothing else, and were too early.
    assert_eq!(judged(&given, 31), (vec![0, 0], false));
    approve(&mut given, "rita", 31);
    assert_eq!(judged(&given, 31), (vec![1, 0], false));
    approve(&mut given, "sam", 31);
    approve(&mut given, "sue", 31);
    assert_eq!(judged(&given, 31), (vec![1, 2], true));
}

/// Who is in the group is by name here.
fn at_stage<'a>(user: &'a str, stages: &'a [StageMark], day: i64) -> Approval<'a> {
    let at = Time::from_micros(day * DAY);
    let base =
        if user.starts_with('s') { in_group(user, "acme", "security") } else { of(user, Role::Reviewer) };
    Approval { at, stages, ..base }
}

#[test]
fn what_was_said_before_there_were_stages_is_said_again() {
    let policy = regulated();
    let ladder = demand(&[&policy], None, &[]);
    let early = |user| Approval { index: 9, ..at_stage(user, &[], 0) };
    assert_eq!(counts(&ladder, &[early("rita"), early("sam"), early("sue")], 0), (vec![0, 0], false));
    // Of a policy without stages it counts, as does what another policy's stages were named of.
    let plain = demand(&[&PublishPolicy { approvals: 2, ..PublishPolicy::LEAST }], None, &[]);
    assert_eq!(counts(&plain, &[early("rita"), early("sam")], 0), (vec![2], true));
    let other = [StageMark { policy: 3, stage: "review".parse().unwrap() }];
    assert_eq!(counts(&plain, &[at_stage("rita", &other, 0)], 0), (vec![1], false));
    assert_eq!(counts(&ladder, &[at_stage("rita", &other, 0)], 0), (vec![0, 0], false));
    // One stage alone has nothing to tell apart.
    let all = [at_stage("rita", &[], 0)];
    assert_eq!(plain.marks(&plain.judge(&all, Time::from_micros(0)), 0), []);
}

#[test]
fn a_patch_passes_as_long_as_nothing_new_is_true_of_it() {
    let auto = AutoApproval { patches: true, ..AutoApproval::default() };
    let everybody = stage("public", 1, Role::Reviewer, None, &[Fact::Public]);
    let when = PublishPolicy { when: vec![Fact::Public], auto: auto.clone(), ..PublishPolicy::LEAST };
    let stages = PublishPolicy { stages: vec![everybody], auto, ..PublishPolicy::default() };
    for policy in [&when, &stages] {
        let demanded = |reason, facts: &[Fact]| {
            let mark = AutoMark { policy: 10, reason, group: None, publisher: None };
            let set = InForce { index: 10, namespace: "acme", policy };
            !Demand::of([set], Some(facts), &[mark]).is_nothing()
        };
        assert!(!demanded(AutoReason::Patch, &[Fact::Patch]));
        assert!(demanded(AutoReason::Patch, &[Fact::Patch, Fact::Public]));
        // Whoever is trusted is so for everybody.
        assert!(!demanded(AutoReason::Group, &[Fact::Patch, Fact::Public]));
    }
}

#[test]
fn builds_and_groups_are_those_of_the_policy() {
    let groups = vec!["core".parse().unwrap()];
    let auto = AutoApproval { builds: true, groups, ..AutoApproval::default() };
    let policy = PublishPolicy { auto, ..PublishPolicy::LEAST };
    let set = InForce { index: 10, namespace: "acme/pay", policy: &policy };
    let build =
        |place| set.lets_pass(AutoReason::TrustedBuild, &Passing { trusted_in: place, ..Passing::default() });
    assert!(build(Some("acme")) && build(Some("acme/pay")));
    for place in [None, Some("acme/pay/inner"), Some("acme/payments"), Some("other")] {
        assert!(!build(place), "{place:?}");
    }
    let (core, other) = ("core".parse().unwrap(), "other".parse().unwrap());
    let group = |place, name| {
        set.lets_pass(AutoReason::Group, &Passing { group: Some((place, name)), ..Passing::default() })
    };
    assert!(group("acme/pay", &core));
    assert!(!group("acme", &core) && !group("acme/pay", &other));
    for (reason, group, publisher, expected) in [
        (AutoReason::TrustedBuild, None, Some(3), Some(Some(3))),
        (AutoReason::Group, Some(4), None, Some(Some(4))),
        (AutoReason::Patch, None, None, Some(None)),
        (AutoReason::TrustedBuild, None, None, None),
        (AutoReason::TrustedBuild, Some(4), None, None),
        (AutoReason::Patch, None, Some(3), None),
        (AutoReason::Group, None, Some(3), None),
    ] {
        assert_eq!(AutoMark { policy: 10, reason, group, publisher }.rests_on(), expected);
    }
}
