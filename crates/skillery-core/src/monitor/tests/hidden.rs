//! Leaves that nobody opened: what they excuse.

use super::*;

/// An org that is there before somebody gets something hidden, which might be a role in it.
fn with_secret() -> Log {
    let mut log = Log::begun();
    log.hide("root", Event::OrgCreated { org: "secret".into() });
    log
}

#[test]
fn whoever_opens_everything_has_nothing_unjudged() {
    let mut log = Log::default();
    let open = |log: &mut Log, actor: &str, event: Event| log.hide_from(actor, event, false);
    log.append("", Event::Genesis);
    log.append("", Event::UserCreated { user: "root".into(), admin: true });
    for user in ["ann", "pub", "eve"] {
        log.append("root", Event::UserCreated { user: user.into(), admin: false });
    }
    open(&mut log, "ann", Event::OrgCreated { org: "acme".into() });
    open(&mut log, "ann", member("acme", "ann", Role::Owner));
    open(&mut log, "ann", member("acme", "pub", Role::Publisher));
    open(
        &mut log,
        "ann",
        Event::KeyEnrolled { key: "SHA256:k".into(), user: None, org: Some("acme".into()) },
    );
    open(&mut log, "pub", published("1.0.0", vec![mark("pub", 8, MEMBER)]));
    open(&mut log, "ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged(), log.monitor.hidden()), (&[][..], 0, 0));
    // And excuses nothing.
    open(&mut log, "pub", published("1.1.0", Vec::new()));
    assert_eq!(log.monitor.unjudged(), 0);
    log.breaks(Rule::Right);
}

#[test]
fn what_is_hidden_excuses_what_it_may_explain() {
    // The approval of somebody is an entry that nobody opened.
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    let entry =
        Entry::new(Time::from_micros(1_767_323_046_000_000), Some("rob".into()), Some(first), approved(rob));
    let opening = Opening { entry: entry.to_text().unwrap(), salt: Some(Digest::of(b"salt")) };
    let hidden = log.monitor.size();
    assert_eq!(log.monitor.follow(&opening.leaf().unwrap(), None), []);
    log.append_with("rob", released(&[policy], &[first, hidden]), |entry| {
        entry.prev = Some(hidden);
        entry.time = entry.time.plus_seconds(10);
    });
    assert_eq!(log.violations, []);
    assert!(log.monitor.unjudged() > 0);
}

#[test]
fn a_hidden_entry_excuses_what_it_may_give_and_nothing_else() {
    // It may be her role.
    let mut log = with_secret();
    log.append("eve", published("1.0.0", Vec::new()));
    log.leaves_unjudged(1);
    // It came before her, and before the org.
    let mut log = with_secret();
    log.append("root", Event::UserCreated { user: "late".into(), admin: false });
    log.append("late", published("1.0.0", Vec::new()));
    log.breaks(Rule::Right);
    let mut log = with_secret();
    log.append("ann", Event::OrgCreated { org: "other".into() });
    log.append("ann", member("other", "ann", Role::Owner));
    log.append("eve", member("other", "eve", Role::Owner));
    log.breaks(Rule::Right);
    // It came before her role was taken, or given as less. In a namespace below it may be another role.
    for (place, is_excused) in [("acme", false), ("acme/inner", true)] {
        let mut log = with_secret();
        log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
        let skill: SkillId = format!("{place}/tool").parse().unwrap();
        let mut event = published("1.0.0", Vec::new());
        if let Event::VersionPublished { skill: there, .. } = &mut event {
            *there = skill;
        }
        log.append("pub", event);
        match is_excused {
            true => log.leaves_unjudged(1),
            false => log.breaks(Rule::Right),
        }
    }
    let mut log = with_secret();
    log.append("ann", member("acme", "pub", Role::Reader));
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Right);
    let mut log = with_secret();
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.breaks(Rule::Right);
    // It is about a skill: the next entry about that says so.
    let mut log = Log::begun();
    log.hide("pub", published("1.0.0", Vec::new()));
    log.append("pub", yanked("1.0.0"));
    log.append("eve", yanked("1.0.0"));
    assert_eq!(log.monitor.unjudged(), 2, "both may be of a version that was published where it is hidden");
    log.breaks(Rule::Right);
    // It is the role of somebody else: a signature says so.
    let mut log = Log::begun();
    let key = log.append("eve", enrolled("eve"));
    let role = log.hide("ann", member("acme", "eve", Role::Publisher));
    log.append("ann", published("1.0.0", vec![mark("eve", key, role)]));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 1));
    log.append("eve", published("1.1.0", Vec::new()));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 2));
    log.append("root", Event::UserCreated { user: "joe".into(), admin: false });
    log.append("joe", published("1.2.0", Vec::new()));
    log.breaks(Rule::Right);
}

#[test]
fn a_hidden_entry_is_one_thing() {
    // A role cannot be two people's, nor an entry about a skill.
    let mut log = Log::begun();
    let hers = log.append("eve", enrolled("eve"));
    let role = log.hide("ann", member("acme", "eve", Role::Publisher));
    log.append("ann", published("1.0.0", vec![mark("eve", hers, role)]));
    let SignatureMark { kind, sha256, .. } = mark("pub", 0, 0);
    log.append("root", Event::KeyEnrolled { key: "SHA256:r".into(), user: Some("root".into()), org: None });
    let at = log.monitor.size() - 1;
    let of_root = SignatureMark {
        kind,
        sha256,
        key: "SHA256:r".into(),
        signer: "root".into(),
        enrolled: at,
        member: role,
    };
    log.append("ann", published("1.1.0", vec![of_root]));
    log.breaks(Rule::Form);
    // One that is named as a role and came before the role was taken.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    let role = log.hide("ann", member("acme", "pub", Role::Publisher));
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.append("ann", published("1.0.0", vec![mark("pub", key, role)]));
    log.breaks(Rule::Signature);
}

#[test]
fn a_skill_without_a_gap_has_nothing_hidden() {
    let mut log = with_secret();
    log.append("pub", published("1.0.0", Vec::new()));
    log.append("pub", yanked("2.0.0"));
    log.breaks(Rule::Status);
    let mut log = Log::begun();
    log.hide("pub", published("2.0.0", Vec::new()));
    log.append("pub", yanked("2.0.0"));
    let text = serde_json::to_string(&log.monitor).unwrap();
    assert_eq!(serde_json::from_str::<Monitor>(&text).unwrap(), log.monitor);
    log.leaves_unjudged(1);
}

#[test]
fn a_policy_is_passed_over_only_where_its_end_may_be_hidden() {
    let policy = Event::PolicySet { namespace: "acme".into(), policy: crate::PublishPolicy::LEAST };
    let mut log = with_secret();
    log.append("ann", policy.clone());
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Approval);
    let mut log = Log::begun();
    log.append("ann", policy);
    log.hide("ann", Event::PolicyRemoved { namespace: "acme".into() });
    log.append("pub", published("1.0.0", Vec::new()));
    log.leaves_unjudged(1);
}
