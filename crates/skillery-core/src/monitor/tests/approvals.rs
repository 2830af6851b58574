//! Who decides about what waits.

use super::*;
use crate::sign::review::ReviewMark;

/// A decision that names a signature by the key of an entry.
fn signed(mut event: Event, enrolled: u64) -> Event {
    if let Event::VersionApproved { signature, .. }
    | Event::VersionRejected { signature, .. }
    | Event::VersionChangesRequested { signature, .. } = &mut event
    {
        let (statement, sha256) = (Digest::of(b"statement"), Digest::of(b"signature"));
        *signature = Some(ReviewMark { key: "SHA256:k".into(), enrolled, statement, sha256 });
    }
    event
}

#[test]
fn whatever_is_decided_is_signed_with_a_key_of_ones_own() {
    for decision in [approved, changes_requested, rejected] {
        let (mut log, policy, [rita, rob]) = governed();
        let key = log.append("rita", enrolled("rita"));
        log.append("pub", waiting(policy));
        let mut other = Log { monitor: log.monitor.clone(), heads: log.heads.clone(), ..Log::default() };
        other.append("rob", signed(decision(rob), key));
        other.breaks(Rule::Signature);
        log.append("rita", signed(decision(rita), key));
        log.leaves_unjudged(0);
    }
}

#[test]
fn a_signed_request_for_changes_is_no_approval_and_takes_one_back() {
    let (mut log, policy, [rita, rob]) = governed();
    let key = log.append("rita", enrolled("rita"));
    log.append("pub", waiting(policy));
    let first = log.append("rita", signed(approved(rita), key));
    let request = log.append("rita", signed(changes_requested(rita), key));
    let second = log.append("rob", approved(rob));
    assert_eq!(log.violations, []);
    for named in [&[first, request, second][..], &[first, second]] {
        let mut other = Log { monitor: log.monitor.clone(), heads: log.heads.clone(), ..Log::default() };
        other.append("rob", released(&[policy], named));
        let found = &other.violations;
        assert!(!found.is_empty() && found.iter().all(|found| found.rule == Rule::Approval), "{named:?}");
    }
}

#[test]
fn who_asks_for_changes_approves_no_more() {
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    log.append("rita", changes_requested(rita));
    let second = log.append("rob", approved(rob));
    assert_eq!(log.violations, []);
    log.append("rob", released(&[policy], &[first, second]));
    assert!(!log.violations.is_empty() && log.violations.iter().all(|found| found.rule == Rule::Approval));
    // Their own later approval takes the place of it.
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    log.append("rita", changes_requested(rita));
    let approvals = [log.append("rita", approved(rita)), log.append("rob", approved(rob))];
    log.append("rob", released(&[policy], &approvals));
    assert_eq!((log.violations.as_slice(), log.monitor.unjudged()), (&[][..], 0));
    // Of what does not wait, and by who is no reviewer, none are asked for.
    log.append("rita", changes_requested(rita));
    log.breaks(Rule::Status);
    let (mut log, policy, [rita, _]) = governed();
    log.append("pub", waiting(policy));
    log.append("pub", changes_requested(rita));
    log.breaks(Rule::Right);
}

#[test]
fn nobody_decides_who_may_not() {
    // What is one's own: published, or signed.
    let (mut log, policy, _) = governed();
    let own = log.append("ann", member("acme", "pub", Role::Admin));
    log.append("pub", waiting(policy));
    log.append("pub", approved(own));
    log.breaks(Rule::Approval);
    // By the role of another, by one that is no reviewer's, by an entry that is not the last one about it.
    let (mut log, policy, [rita, _]) = governed();
    log.append("pub", waiting(policy));
    log.append("rob", approved(rita));
    log.breaks(Rule::Right);
    let (mut log, policy, _) = governed();
    let publisher = log.append("ann", member("acme", "eve", Role::Publisher));
    log.append("pub", waiting(policy));
    log.append("eve", approved(publisher));
    log.breaks(Rule::Right);
    let (mut log, policy, [rita, _]) = governed();
    log.append("ann", member("acme", "rita", Role::Admin));
    log.append("pub", waiting(policy));
    log.append("rita", approved(rita));
    log.breaks(Rule::Right);
    // Another bundle, and none at all.
    let (mut log, policy, [rita, _]) = governed();
    log.append("pub", waiting(policy));
    let other = Event::VersionApproved {
        skill: tool(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(b"other"),
        member: rita,
        groups: Vec::new(),
        stages: Vec::new(),
        signature: None,
    };
    log.append("rita", other);
    log.breaks(Rule::Approval);
    let (mut log, _, [rita, _]) = governed();
    log.append("rita", approved(rita));
    log.breaks(Rule::Status);
}

#[test]
fn what_is_rejected_is_never_released() {
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    let first = log.append("rita", approved(rita));
    log.append("rob", rejected(rob));
    assert_eq!(log.violations, []);
    log.append("rita", released(&[policy], &[first]));
    log.breaks(Rule::Status);
    let (mut log, policy, [rita, rob]) = governed();
    log.append("pub", waiting(policy));
    log.append("rob", rejected(rob));
    log.append("rita", rejected(rita));
    log.breaks(Rule::Status);
}

#[test]
fn a_role_counts_that_was_held_when_approving_and_is_held_still() {
    let (mut log, _, [rita, _]) = governed();
    let policy = log.append(
        "ann",
        Event::PolicySet {
            namespace: "acme".into(),
            policy: PublishPolicy { role: Role::Admin, ..PublishPolicy::LEAST },
        },
    );
    log.append("pub", waiting(policy));
    let early = log.append("rita", approved(rita));
    let admin = log.append("ann", member("acme", "rita", Role::Admin));
    assert_eq!(log.violations, []);
    let before = log.monitor.clone();
    log.append("rita", released(&[policy], &[early]));
    assert_eq!(log.violations.len(), 1, "{:?}", log.violations);
    (log.monitor, log.violations) = (before, Vec::new());
    log.heads.insert(tool().key(), early);
    let again = log.append("rita", approved(admin));
    log.append("rita", released(&[policy], &[again]));
    assert_eq!(log.violations, []);
}
