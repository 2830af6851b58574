//! Keys to sign with, and signatures.

use super::*;

#[test]
fn a_signature_is_judged_where_it_stands() {
    // A key that was never enrolled, one of somebody else, one that was revoked, an entry that is not the last one.
    let mut log = Log::begun();
    log.append("pub", published("1.0.0", vec![mark("pub", 3, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("eve", enrolled("eve"));
    log.append("pub", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    // Of somebody who is switched off.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("root", Event::UserDisabled { user: "pub".into(), disabled: true });
    log.append("ann", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("pub", Event::KeyRevoked { key: "SHA256:k".into() });
    log.append("pub", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("pub", published("1.0.0", vec![mark("pub", key - 1, MEMBER)]));
    log.breaks(Rule::Signature);
    // Somebody who has left, and a role that was another one then.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("ann", Event::MemberRemoved { namespace: "acme".into(), user: "pub".into() });
    log.append("ann", published("1.0.0", vec![mark("pub", key, MEMBER)]));
    log.breaks(Rule::Signature);
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    let reader = log.append("ann", member("acme", "pub", Role::Reader));
    log.append("ann", published("1.0.0", vec![mark("pub", key, reader)]));
    log.breaks(Rule::Signature);
    // Afterwards, and without a statement.
    let mut log = Log::begun();
    let key = log.append("pub", enrolled("pub"));
    log.append("ann", published("1.0.0", Vec::new()));
    let signed = |enrolled| Event::VersionSigned {
        skill: tool(),
        version: "1.0.0".parse().unwrap(),
        statement: Digest::of(b"statement"),
        signature: mark("pub", enrolled, MEMBER),
    };
    log.append("pub", signed(key));
    assert_eq!(log.violations, []);
    log.append("pub", signed(key + 1));
    log.breaks(Rule::Signature);
}

#[test]
fn keys_are_enrolled_once_and_revoked_after_that() {
    let mut log = Log::begun();
    log.append("pub", enrolled("pub"));
    log.append("eve", enrolled("eve"));
    log.breaks(Rule::Key);
    let mut log = Log::begun();
    log.append("pub", Event::KeyRevoked { key: "SHA256:k".into() });
    log.breaks(Rule::Key);
    let mut log = Log::begun();
    log.append("pub", Event::KeyEnrolled { key: "SHA256:k".into(), user: None, org: None });
    log.breaks(Rule::Key);
}
