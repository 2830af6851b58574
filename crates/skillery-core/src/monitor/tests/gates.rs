//! Stages, conditions, what passes, what is released by force, and what waits again.

use super::*;
use crate::approval::{AutoApproval, AutoMark, AutoReason, Fact, HeldFor, Overdue, ReReview, Stage};

const NEW: [Fact; 2] = [Fact::FirstVersion, Fact::Public];

fn set(change: impl FnOnce(&mut PublishPolicy)) -> Event {
    let mut policy = PublishPolicy::LEAST;
    change(&mut policy);
    Event::PolicySet { namespace: "acme".into(), policy }
}

fn group(users: &[&str]) -> Event {
    let users = users.iter().map(|user| (*user).to_owned()).collect();
    Event::GroupSet { namespace: "acme".into(), group: "security".parse().unwrap(), users }
}

fn stage(name: &str, group: Option<&str>) -> Stage {
    let group = group.map(|group| group.parse().unwrap());
    Stage { name: name.parse().unwrap(), approvals: 1, role: Role::Reviewer, group, when: Vec::new() }
}

/// A version with these facts, which waits for these policies and is let pass by those.
fn version(version: &str, told: &[Fact], waits_for: &[u64], lets_pass: &[AutoMark]) -> Event {
    let mut event = published(version, Vec::new());
    if let Event::VersionPublished { policies, facts, passed, .. } = &mut event {
        (*policies, *passed) = (waits_for.to_vec(), lets_pass.to_vec());
        *facts = Some(told.to_vec());
    }
    event
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
fn groups_are_set_by_admins() {
    for (actor, event, rule) in [
        ("pub", group(&["pub"]), Rule::Right),
        (
            "ann",
            Event::GroupRemoved { namespace: "acme".into(), group: "security".parse().unwrap() },
            Rule::Approval,
        ),
    ] {
        let (mut log, ..) = governed();
        log.append(actor, event);
        log.breaks(rule);
    }
}

#[test]
fn facts_are_what_the_versions_before_tell() {
    // Not the first one, and said to be; the first one, and said not to be.
    let conditional = || set(|policy| policy.when = vec![Fact::FirstVersion]);
    let (mut log, ..) = governed();
    log.append("ann", conditional());
    log.append("pub", version("1.0.0", &[Fact::Public], &[], &[]));
    log.breaks(Rule::Approval);
    let (mut log, _, [rita, _]) = governed();
    let policy = log.append("ann", conditional());
    log.append("pub", version("1.0.0", &NEW, &[policy], &[]));
    let approval = log.append("rita", approved(rita));
    log.append("rita", released(&[policy], &[approval]));
    log.append("pub", version("1.1.0", &[Fact::Public], &[], &[]));
    assert_eq!(log.violations, []);
    log.append("pub", version("1.2.0", &NEW, &[policy], &[]));
    log.breaks(Rule::Approval);
}

#[test]
fn nothing_passes_by_a_policy_that_does_not_let_it() {
    let mark = |policy, reason, group| AutoMark { policy, reason, group };
    // A patch of nothing; what no build has published; a group that the policy does not trust; and no such policy.
    for (reason, with_group) in
        [(AutoReason::Patch, false), (AutoReason::TrustedBuild, false), (AutoReason::Group, true)]
    {
        let (mut log, ..) = governed();
        let members = log.append("ann", group(&["pub"]));
        let policy = log.append("ann", demanding(1));
        let passed = mark(policy, reason, with_group.then_some(members));
        log.append("pub", version("1.0.0", &NEW, &[], &[passed]));
        log.breaks(Rule::Approval);
    }
    let trusting = || {
        set(|policy| {
            policy.auto =
                AutoApproval { groups: vec!["security".parse().unwrap()], ..AutoApproval::default() }
        })
    };
    let (mut log, ..) = governed();
    let members = log.append("ann", group(&["pub"]));
    let policy = log.append("ann", trusting());
    log.append("pub", version("1.0.0", &NEW, &[], &[mark(policy, AutoReason::Group, Some(members))]));
    log.leaves_unjudged(0);
    let (mut log, ..) = governed();
    let members = log.append("ann", group(&["rita"]));
    let policy = log.append("ann", trusting());
    log.append("pub", version("1.0.0", &NEW, &[], &[mark(policy, AutoReason::Group, Some(members))]));
    log.breaks(Rule::Approval);
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
    let reviewed = |policy, approvals: &[u64]| Event::VersionReviewed {
        skill: tool(),
        version: "1.0.0".parse().unwrap(),
        policies: vec![policy],
        approvals: approvals.to_vec(),
    };
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
    let seen = |visibility| Event::VisibilityChanged { skill: tool(), visibility };
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
