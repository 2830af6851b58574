//! Policies and groups, and what passes.

use super::*;
use crate::approval::{AutoApproval, AutoMark, AutoReason, Fact};
use crate::event::PublisherMatch;

#[test]
fn policies_are_not_passed_over() {
    // A version that should wait, one that waits for another policy, one whose policy is gone.
    let (mut log, ..) = governed();
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Approval);
    let (mut log, policy, _) = governed();
    log.append("ann", demanding(3));
    log.append("pub", waiting(policy));
    assert_eq!(log.violations.len(), 2, "{:?}", log.violations);
    log.violations.clear();
    log.append("pub", published("1.1.0", Vec::new()));
    log.breaks(Rule::Approval);
    let (mut log, policy, _) = governed();
    log.append("ann", Event::PolicyRemoved { namespace: "acme".into() });
    log.append("pub", waiting(policy));
    log.breaks(Rule::Approval);
    // Those of a namespace above hold below.
    let (mut log, ..) = governed();
    let mut below = published("1.0.0", Vec::new());
    if let Event::VersionPublished { skill, .. } = &mut below {
        *skill = "acme/team/tool".parse().unwrap();
    }
    log.append("pub", below);
    log.breaks(Rule::Approval);
    // Who sets them is an admin, and what they demand is possible.
    let (mut log, ..) = governed();
    log.append("pub", demanding(1));
    log.breaks(Rule::Right);
    let (mut log, ..) = governed();
    log.append("ann", demanding(0));
    log.breaks(Rule::Form);
    let mut log = Log::begun();
    log.append("ann", Event::PolicyRemoved { namespace: "acme".into() });
    log.breaks(Rule::Approval);
}

#[test]
fn what_is_not_signed_is_not_published_where_that_is_demanded() {
    let policy = Event::PolicySet {
        namespace: "acme".into(),
        policy: PublishPolicy { signed: true, ..PublishPolicy::default() },
    };
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("pub", published("0.9.0", Vec::new()));
    log.append("ann", policy.clone());
    log.append("pub", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    assert_eq!(log.violations, []);
    log.append("pub", published("1.1.0", Vec::new()));
    log.breaks(Rule::Signature);
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
    let mark = |policy, reason, group| AutoMark { policy, reason, group, publisher: None };
    // A patch of nothing; what no build has published; a group that the policy does not trust; and no such policy.
    for (reason, with_group) in
        [(AutoReason::Patch, false), (AutoReason::TrustedBuild, false), (AutoReason::Group, true)]
    {
        let (mut log, ..) = governed();
        let members = log.append("ann", group(&["pub"]));
        let policy = log.append("ann", demanding(1));
        let passed = mark(policy, reason, with_group.then_some(members));
        log.append("pub", version("1.0.0", &NEW, &[], &[passed]));
        let kinds: Vec<Rule> = log.violations.iter().map(|found| found.rule).collect();
        assert!(!kinds.is_empty() && kinds.iter().all(|rule| *rule == Rule::Approval), "{kinds:?}");
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

/// A build that is trusted in this namespace, as the user `bot`.
pub(super) fn trusted(namespace: &str) -> Event {
    Event::PublisherTrusted {
        publisher: "p".into(),
        namespace: namespace.into(),
        user: "bot".into(),
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
    }
}

#[test]
fn a_build_passes_only_by_the_word_of_those_who_set_the_policy_or_of_those_above() {
    let built = |passed: AutoMark| {
        let mut event = version("1.0.0", &NEW, &[], &[passed]);
        if let Event::VersionPublished { skill, via, .. } = &mut event {
            *skill = "acme/pay/inner/tool".parse().unwrap();
            *via = Some("oidc:https://issuer.example|publisher p".to_owned());
        }
        event
    };
    for (place, is_right) in [("acme", true), ("acme/pay", true), ("acme/pay/inner", false)] {
        let mut log = Log::begun();
        log.append("root", Event::UserCreated { user: "bot".into(), admin: false });
        let publisher = Some(log.append("ann", trusted(place)));
        log.append("ann", member(place, "bot", Role::Publisher));
        let mut policy = set(|policy| policy.auto = AutoApproval { builds: true, ..AutoApproval::default() });
        if let Event::PolicySet { namespace, .. } = &mut policy {
            *namespace = "acme/pay".into();
        }
        let policy = log.append("ann", policy);
        let mark = |publisher| AutoMark { policy, reason: AutoReason::TrustedBuild, group: None, publisher };
        if is_right {
            // By another entry it is not.
            let mut other = log.monitor.clone();
            let event = Entry::new(log.monitor.time, Some("bot".into()), None, built(mark(Some(policy))));
            let violations = other.follow(event.to_text().unwrap().as_bytes(), None);
            assert_eq!(violations.len(), 1, "{violations:?}");
        }
        log.append("bot", built(mark(publisher)));
        match is_right {
            true => log.leaves_unjudged(0),
            false => log.breaks(Rule::Approval),
        }
    }
}

#[test]
fn nothing_is_measured_against_what_was_released_by_force_alone() {
    let forced = |member: u64, policy: u64| Event::VersionForced {
        skill: tool(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(b"1.0.0"),
        member,
        reason: Digest::of(b"why"),
        policies: vec![policy],
    };
    let begin = || {
        let (mut log, policy, [rita, _]) = governed();
        let owner = log.append("ann", member("acme", "olga", Role::Owner));
        log.append("pub", version("1.0.0", &NEW, &[policy], &[]));
        log.append("olga", forced(owner, policy));
        assert_eq!(log.violations, []);
        (log, policy, rita)
    };
    // Logs from before that say otherwise, and break no rule by it.
    for facts in [&NEW[..], &[Fact::Public, Fact::Patch]] {
        let (mut log, policy, _) = begin();
        log.append("pub", version("1.0.1", facts, &[policy], &[]));
        assert_eq!(log.violations, []);
    }
    let (mut log, policy, _) = begin();
    log.append("pub", version("1.1.0", &[Fact::Public, Fact::Patch], &[policy], &[]));
    log.breaks(Rule::Approval);
    // Once it was reviewed it is as any other.
    let (mut log, _, rita) = begin();
    let policy = log.append("ann", demanding(1));
    let approval = log.append("rita", approved(rita));
    log.append(
        "rita",
        Event::VersionReviewed {
            skill: tool(),
            version: "1.0.0".parse().unwrap(),
            policies: vec![policy],
            approvals: vec![approval],
        },
    );
    log.append("pub", version("1.0.1", &[Fact::Public, Fact::Patch], &[policy], &[]));
    assert_eq!(log.violations, []);
    log.append("pub", version("1.0.2", &[Fact::FirstVersion, Fact::Public, Fact::Patch], &[policy], &[]));
    log.breaks(Rule::Approval);
}

#[test]
fn a_version_that_was_yanked_is_measured_against_still() {
    let (mut log, _, [rita, _]) = governed();
    let policy = log.append("ann", set(|policy| policy.when = vec![Fact::FirstVersion]));
    log.append("pub", version("1.0.0", &NEW, &[policy], &[]));
    let approval = log.append("rita", approved(rita));
    log.append("rita", released(&[policy], &[approval]));
    log.append("pub", version("1.1.0", &[Fact::Public], &[], &[]));
    log.append("pub", yanked("1.1.0"));
    log.append("pub", version("1.1.1", &[Fact::Public, Fact::Patch], &[], &[]));
    assert_eq!(log.violations, []);
    log.append("pub", version("1.0.1", &[Fact::Public, Fact::Patch], &[], &[]));
    log.breaks(Rule::Approval);
}
