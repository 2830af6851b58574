//! What versions are, and what may become of them.

use super::*;

#[test]
fn a_version_has_one_digest_for_ever() {
    let mut log = Log::begun();
    log.append("pub", published("1.0.0", Vec::new()));
    log.append("pub", published("1.0.0", Vec::new()));
    log.breaks(Rule::Digest);
}

#[test]
fn what_was_never_published_is_not_yanked() {
    let mut log = Log::begun();
    log.append("pub", yanked("1.0.0"));
    log.breaks(Rule::Status);
}

#[test]
fn what_waits_or_was_rejected_becomes_nothing_by_detours() {
    let quarantined = || Event::VersionQuarantined { skill: tool(), version: "1.0.0".parse().unwrap() };
    let unyanked = || Event::VersionUnyanked { skill: tool(), version: "1.0.0".parse().unwrap() };
    for detour in [yanked("1.0.0"), unyanked(), quarantined(), released(&[], &[])] {
        let (mut log, policy, _) = governed();
        log.append("ann", member("acme", "root", Role::Admin));
        log.append("pub", waiting(policy));
        log.append("root", detour.clone());
        log.breaks(Rule::Status);
        let (mut log, policy, [rita, _]) = governed();
        log.append("ann", member("acme", "root", Role::Admin));
        log.append("pub", waiting(policy));
        log.append("rita", rejected(rita));
        log.append("root", detour);
        log.breaks(Rule::Status);
    }
    // Nor of what is handed out already is something approved that is one's own.
    let mut log = Log::begun();
    let owner = log.append("ann", member("acme", "ann", Role::Owner));
    log.append("ann", published("1.0.0", Vec::new()));
    log.append("ann", approved(owner));
    log.breaks(Rule::Approval);
}
