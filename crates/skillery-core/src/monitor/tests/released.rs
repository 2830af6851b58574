//! What is released, by those who may or by force, and what waits again.

use super::*;
use crate::approval::{
    AutoApproval, AutoReason, Fact, HeldFor, MAX_GROUPS_NAMED, Overdue, ReReview, Stage, StageMark,
};

fn stage(name: &str, group: Option<&str>) -> Stage {
    let group = group.map(|group| group.parse().unwrap());
    Stage { name: name.parse().unwrap(), approvals: 1, role: Role::Reviewer, group, when: Vec::new() }
}

fn approved_in(member: u64, named: &[u64]) -> Event {
    let mut event = approved(member);
    if let Event::VersionApproved { groups, .. } = &mut event {
        *groups = named.to_vec();
    }
    event
}

fn forced(member: u64, policy: u64) -> Event {
    let (skill, version, digest) = (tool(), "1.0.0".parse().unwrap(), Digest::of(b"1.0.0"));
    let reason = Digest::of(b"why");
    Event::VersionForced { skill, version, digest, member, reason, policies: vec![policy] }
}

fn held(why: HeldFor, policy: u64) -> Event {
    Event::VersionHeld { skill: tool(), version: "1.0.0".parse().unwrap(), why, policies: vec![policy] }
}

fn due(policy: u64) -> Event {
    Event::VersionDue { skill: tool(), version: "1.0.0".parse().unwrap(), policies: vec![policy] }
}

/// A policy with a stage for everybody and one for the group of `rob`; its entry, that of the group, and those of the roles.
fn staged() -> (Log, u64, u64, [u64; 2]) {
    let (mut log, _, roles) = governed();
    let members = log.append("ann", group(&["rob"]));
    let stages = vec![stage("review", None), stage("security", Some("security"))];
    let policy = log.append("ann", set(|policy| (policy.approvals, policy.stages) = (0, stages)));
    log.append("pub", version("1.0.0", &NEW, &[policy], &[]));
    assert_eq!(log.violations, []);
    (log, policy, members, roles)
}

#[test]
fn what_waits_is_released_by_those_who_may() {
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    let second = log.append("rob", approved(rob));
    log.append("rob", released(&[policy], &[first, second]));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 0));
    // What is released waits no more; it may be approved still, and is taken back and given again by admins.
    log.append("rita", approved(rita));
    log.append("root", Event::VersionQuarantined { skill: tool(), version: "1.0.0".parse().unwrap() });
    log.append("root", released(&[], &[]));
    assert_eq!(log.violations, []);
    log.append("rob", released(&[policy], &[first, second]));
    log.breaks(Rule::Status);
}

#[test]
fn too_few_approvals_release_nothing() {
    type Release = fn(&mut Log, u64, [u64; 2]) -> Vec<u64>;
    let cases: [(&str, Release); 6] = [
        ("one", |log, _, [rita, _]| vec![log.append("rita", approved(rita))]),
        ("one person twice", |log, _, [rita, _]| {
            vec![log.append("rita", approved(rita)), log.append("rita", approved(rita))]
        }),
        ("the same entry twice", |log, _, [rita, _]| {
            let entry = log.append("rita", approved(rita));
            vec![entry, entry]
        }),
        ("of somebody who has left", |log, _, [rita, rob]| {
            let both = vec![log.append("rita", approved(rita)), log.append("rob", approved(rob))];
            log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "rob".into() });
            both
        }),
        ("of somebody who is switched off", |log, _, [rita, rob]| {
            let both = vec![log.append("rita", approved(rita)), log.append("rob", approved(rob))];
            log.append("root", Event::UserDisabled { user: "rob".into(), disabled: true });
            both
        }),
        ("too few for a policy that came later", |log, policy, [rita, rob]| {
            let both = vec![log.append("rita", approved(rita)), log.append("rob", approved(rob))];
            log.append("ann", Event::PolicyRemoved { namespace: "acme".into() });
            assert_eq!(log.append("ann", demanding(3)), policy + 5);
            both
        }),
    ];
    for (name, prepare) in cases {
        let (mut log, policy, roles) = governed();
        log.append("pub", waiting(policy));
        let approvals = prepare(&mut log, policy, roles);
        let in_force = if name.contains("later") { policy + 5 } else { policy };
        assert_eq!(log.violations, [], "{name}");
        log.append("rita", released(&[in_force], &approvals));
        log.breaks(Rule::Approval);
    }
}

#[test]
fn stages_have_their_own_people_in_order() {
    let (mut log, policy, members, [rita, rob]) = staged();
    let both = [log.append("rita", approved(rita)), log.append("rob", approved_in(rob, &[members]))];
    log.append("rob", released(&[policy], &both));
    log.leaves_unjudged(0);
    // The one of the group came first, and counts for the first stage; nobody is there for the second.
    let (mut log, policy, members, [rita, rob]) = staged();
    let both = [log.append("rob", approved_in(rob, &[members])), log.append("rita", approved(rita))];
    log.append("rob", released(&[policy], &both));
    log.breaks(Rule::Approval);
    // Without the group, with one that the reviewer is not in, and with one that they have left since.
    let (mut log, policy, _, [rita, rob]) = staged();
    let both = [log.append("rita", approved(rita)), log.append("rob", approved(rob))];
    log.append("rob", released(&[policy], &both));
    log.breaks(Rule::Approval);
    let (mut log, _, members, [rita, _]) = staged();
    log.append("rita", approved_in(rita, &[members]));
    log.breaks(Rule::Right);
    let (mut log, policy, members, [rita, rob]) = staged();
    let both = [log.append("rita", approved(rita)), log.append("rob", approved_in(rob, &[members]))];
    log.append("ann", group(&[]));
    log.append("rob", released(&[policy], &both));
    log.breaks(Rule::Approval);
    // Who asks for changes counts for no stage.
    let (mut log, policy, members, [rita, rob]) = staged();
    let both = [log.append("rita", approved(rita)), log.append("rob", approved_in(rob, &[members]))];
    log.append("rita", changes_requested(rita));
    assert_eq!(log.violations, []);
    log.append("rob", released(&[policy], &both));
    assert!(!log.violations.is_empty() && log.violations.iter().all(|found| found.rule == Rule::Approval));
}

#[test]
fn owners_alone_break_the_glass() {
    const OWNER: u64 = 6;
    let (mut log, policy, _) = governed();
    log.append("pub", waiting(policy));
    log.append("ann", forced(OWNER, policy));
    log.leaves_unjudged(0);
    // A reviewer, somebody with the role of another, and nobody.
    for (actor, by) in [("rita", None), ("eve", Some(OWNER)), ("", Some(OWNER))] {
        let (mut log, policy, [rita, _]) = governed();
        log.append("pub", waiting(policy));
        log.append(actor, forced(by.unwrap_or(rita), policy));
        log.breaks(Rule::Right);
    }
    // What does not wait, and past a policy that it does not name.
    let mut log = Log::begun();
    log.append("pub", published("1.0.0", Vec::new()));
    log.append("ann", forced(OWNER, 1));
    assert!(log.violations.iter().any(|found| found.rule == Rule::Status), "{:?}", log.violations);
    let (mut log, policy, _) = governed();
    log.append("pub", waiting(policy));
    log.append("ann", forced(OWNER, 1));
    assert!(log.violations.iter().any(|found| found.rule == Rule::Approval), "{:?}", log.violations);
}

#[test]
fn what_is_handed_out_is_reviewed_again_only_where_somebody_wants_that() {
    let released_once = |overdue| {
        let (mut log, _, [rita, _]) = governed();
        let review = Some(ReReview { days: 30, overdue });
        let policy = log.append("ann", set(|policy| policy.review = review));
        log.append("pub", waiting(policy));
        let approval = log.append("rita", approved(rita));
        log.append("rita", released(&[policy], &[approval]));
        assert_eq!(log.violations, []);
        (log, policy, rita, approval)
    };
    let (mut log, policy, rita, before) = released_once(Overdue::List);
    log.append("", due(policy));
    let again = log.append("rita", approved(rita));
    log.append("rita", reviewed(policy, &[again]));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 0));
    // Nobody has to look at it any more.
    log.append("rita", reviewed(policy, &[again]));
    log.breaks(Rule::Status);
    // An approval from before it was due does not count; nobody but the registry says that it is due; nothing is held by a
    // policy that lists.
    let (mut log, policy, ..) = released_once(Overdue::List);
    log.append("", due(policy));
    log.append("rita", reviewed(policy, &[before]));
    assert!(!log.violations.is_empty() && log.violations.iter().all(|found| found.rule == Rule::Approval));
    let (mut log, policy, ..) = released_once(Overdue::List);
    log.append("ann", due(policy));
    log.breaks(Rule::Right);
    let (mut log, policy, ..) = released_once(Overdue::List);
    log.append("", held(HeldFor::Review, policy));
    log.breaks(Rule::Approval);
    let (mut log, policy, ..) = released_once(Overdue::Hold);
    log.append("", held(HeldFor::Review, policy));
    log.leaves_unjudged(0);
}

#[test]
fn what_is_made_public_waits_where_a_policy_asks_for_that() {
    let inside = || {
        let (mut log, ..) = governed();
        let policy = log.append("ann", set(|policy| policy.when = vec![Fact::Public]));
        log.append("pub", version("1.0.0", &[Fact::FirstVersion], &[], &[]));
        log.append("ann", seen(Visibility::Public));
        assert_eq!(log.violations, []);
        (log, policy)
    };
    let (mut log, policy) = inside();
    log.append("ann", held(HeldFor::Public, policy));
    log.append("ann", seen(Visibility::Public));
    log.leaves_unjudged(0);
    // It goes on as if nothing were asked.
    let (mut log, _) = inside();
    log.append("eve", Event::SkillStarred { skill: tool() });
    log.breaks(Rule::Approval);
}

fn seen(visibility: Visibility) -> Event {
    Event::VisibilityChanged { skill: tool(), visibility }
}

fn reviewed(policy: u64, approvals: &[u64]) -> Event {
    let (version, approvals) = ("1.0.0".parse().unwrap(), approvals.to_vec());
    Event::VersionReviewed { skill: tool(), version, policies: vec![policy], approvals }
}

#[test]
fn a_patch_passes_no_stage_that_is_there_for_what_everybody_sees() {
    let (mut log, _, [rita, rob]) = governed();
    let everybody = Stage { when: vec![Fact::Public], ..stage("public", None) };
    let policy = log.append(
        "ann",
        set(|policy| {
            policy.auto = AutoApproval { patches: true, ..AutoApproval::default() };
            (policy.approvals, policy.stages) = (0, vec![stage("review", None), everybody]);
        }),
    );
    log.append("pub", version("1.0.0", &[Fact::FirstVersion], &[policy], &[]));
    let approval = log.append("rita", approved(rita));
    log.append("rita", released(&[policy], &[approval]));
    let mark = AutoMark { policy, reason: AutoReason::Patch, group: None, publisher: None };
    log.append("pub", version("1.0.1", &[Fact::Patch], &[], &[mark]));
    log.append("ann", seen(Visibility::Public));
    let held = |text: &str| Event::VersionHeld {
        skill: tool(),
        version: text.parse().unwrap(),
        why: HeldFor::Public,
        policies: vec![policy],
    };
    log.append("ann", held("1.0.0"));
    assert_eq!(log.violations, []);
    // The patch owes it as well, and is released by the approvals of all stages.
    let mut other = Log { monitor: log.monitor.clone(), heads: log.heads.clone(), ..Log::default() };
    other.append("eve", Event::SkillStarred { skill: tool() });
    other.breaks(Rule::Approval);
    log.append("ann", held("1.0.1"));
    let of_patch = |by: u64, name: &str| {
        let (version, digest) = ("1.0.1".parse().unwrap(), Digest::of(b"1.0.1"));
        let stages = vec![StageMark { policy, stage: name.parse().unwrap() }];
        Event::VersionApproved {
            skill: tool(),
            version,
            digest,
            member: by,
            groups: Vec::new(),
            stages,
            signature: None,
        }
    };
    let first = log.append("rita", of_patch(rita, "review"));
    let second = log.append("rob", of_patch(rob, "public"));
    let done = |approvals: &[u64]| {
        let approvals = approvals.to_vec();
        Event::VersionReleased {
            skill: tool(),
            version: "1.0.1".parse().unwrap(),
            policies: vec![policy],
            approvals,
        }
    };
    let mut other = Log { monitor: log.monitor.clone(), heads: log.heads.clone(), ..Log::default() };
    other.append("rita", done(&[first]));
    other.breaks(Rule::Approval);
    log.append("rob", done(&[first, second]));
    log.leaves_unjudged(0);
}

#[test]
fn what_was_yanked_stays_so_and_waits_when_that_is_taken_back() {
    let unyanked = || Event::VersionUnyanked { skill: tool(), version: "1.0.0".parse().unwrap() };
    let quarantined = || Event::VersionQuarantined { skill: tool(), version: "1.0.0".parse().unwrap() };
    for is_quarantined in [false, true] {
        let inside = || {
            let (mut log, ..) = governed();
            let policy = log.append("ann", set(|policy| policy.when = vec![Fact::Public]));
            log.append("pub", version("1.0.0", &[Fact::FirstVersion], &[], &[]));
            match is_quarantined {
                true => log.append("root", quarantined()),
                false => log.append("pub", yanked("1.0.0")),
            };
            log.append("ann", seen(Visibility::Public));
            assert_eq!(log.violations, []);
            (log, policy)
        };
        let back = |log: &mut Log| match is_quarantined {
            true => log.append("root", released(&[], &[])),
            false => log.append("pub", unyanked()),
        };
        let (mut log, policy) = inside();
        log.append("ann", held(HeldFor::Public, policy));
        log.breaks(Rule::Status);
        let (mut log, policy) = inside();
        log.append("eve", Event::SkillStarred { skill: tool() });
        back(&mut log);
        log.append("pub", held(HeldFor::Public, policy));
        log.leaves_unjudged(0);
        let (mut log, _) = inside();
        back(&mut log);
        log.append("eve", Event::SkillStarred { skill: tool() });
        log.breaks(Rule::Approval);
        // Where nothing is asked any more, it waits for nothing.
        let (mut log, _) = inside();
        log.append("ann", Event::PolicyRemoved { namespace: "acme".into() });
        back(&mut log);
        log.append("eve", Event::SkillStarred { skill: tool() });
        log.leaves_unjudged(0);
    }
}

#[test]
fn what_passed_is_reviewed_by_the_whole_policy() {
    for overdue in [Overdue::List, Overdue::Hold] {
        let passed = || {
            let (mut log, _, roles) = governed();
            let members = log.append("ann", group(&["pub"]));
            let policy = log.append(
                "ann",
                set(|policy| {
                    let groups = vec!["security".parse().unwrap()];
                    policy.approvals = 2;
                    policy.auto = AutoApproval { groups, ..AutoApproval::default() };
                    policy.review = Some(ReReview { days: 30, overdue });
                }),
            );
            let (reason, group) = (AutoReason::Group, Some(members));
            let mark = AutoMark { policy, reason, group, publisher: None };
            log.append("pub", version("1.0.0", &NEW, &[], &[mark]));
            let event = if overdue == Overdue::Hold { held(HeldFor::Review, policy) } else { due(policy) };
            log.append("", event);
            assert_eq!(log.violations, []);
            (log, policy, roles)
        };
        let again = |policy, approvals: &[u64]| match overdue {
            Overdue::Hold => released(&[policy], approvals),
            _ => reviewed(policy, approvals),
        };
        let (mut log, policy, [rita, rob]) = passed();
        let both = [log.append("rita", approved(rita)), log.append("rob", approved(rob))];
        log.append("rob", again(policy, &both));
        log.leaves_unjudged(0);
        // One is not enough, and nobody says that nothing is demanded.
        let (mut log, policy, [rita, _]) = passed();
        let one = log.append("rita", approved(rita));
        log.append("rita", again(policy, &[one]));
        log.breaks(Rule::Approval);
    }
}

#[test]
fn an_approval_stands_for_the_stage_that_it_names() {
    let (mut log, policy, members, [rita, rob]) = staged();
    let in_stage = |member: u64, groups: &[u64], name: &str| {
        let mut event = approved_in(member, groups);
        if let Event::VersionApproved { stages, .. } = &mut event {
            stages.push(StageMark { policy, stage: name.parse().unwrap() });
        }
        event
    };
    // Given for the second stage, while the first is open: it counts for neither.
    let early = log.append("rob", in_stage(rob, &[members], "security"));
    let first = log.append("rita", in_stage(rita, &[], "review"));
    let mut other = Log { monitor: log.monitor.clone(), heads: log.heads.clone(), ..Log::default() };
    other.append("rob", released(&[policy], &[early, first]));
    other.breaks(Rule::Approval);
    let again = log.append("rob", in_stage(rob, &[members], "security"));
    log.append("rob", released(&[policy], &[first, again]));
    log.leaves_unjudged(0);
    let (mut log, _, members, [_, rob]) = staged();
    log.append("rob", approved_in(rob, &vec![members; MAX_GROUPS_NAMED + 1]));
    log.breaks(Rule::Form);
}
