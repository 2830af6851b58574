use super::super::note::{KeyKind, SigningKey};
use super::super::tests::edge;
use super::*;

const NAMES: [&str; 6] = ["X1", "X2", "X3", "Y1", "Y2", "Y3"];

fn log() -> SigningKey {
    SigningKey::from_seed("log.example", KeyKind::Ed25519, &[1; 32]).unwrap()
}

fn witness(name: &str) -> SigningKey {
    let seed = *crate::Digest::of(name.as_bytes()).bytes();
    SigningKey::from_seed(&format!("witness.example/{name}"), KeyKind::CosignatureV1, &seed).unwrap()
}

/// The example of tlog-policy, with keys.
fn example() -> String {
    let mut text = format!("# Two organisations\n\n\tlog  {} https://log.example/ \n", log().verifier());
    for name in NAMES {
        text += &format!("witness {name} {}\n", witness(name).verifier());
    }
    text + "group X-witnesses 2 X1 X2 X3\ngroup Y-witnesses any Y1 Y2 Y3\n\
            group X-and-Y all X-witnesses Y-witnesses\n  # the rule\nquorum X-and-Y\n"
}

fn note(signers: &[(&str, u64)]) -> String {
    let checkpoint =
        Checkpoint { origin: "log.example".into(), size: 7, root: edge(7).root(), extensions: Vec::new() };
    let text = checkpoint.to_string();
    let mut signatures = vec![log().sign(&text).unwrap()];
    signatures.extend(signers.iter().map(|(name, time)| witness(name).cosign(&text, *time).unwrap()));
    Note { text, signatures }.to_string()
}

#[test]
fn the_example_of_the_specification_is_evaluated_for_all_subsets() {
    let policy = Policy::parse(example()).unwrap();
    assert_eq!(policy.logs()[0].url.as_deref(), Some("https://log.example/"));
    assert_eq!(policy.witnesses().iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), NAMES);
    for subset in 0..64_u32 {
        let signers: Vec<_> =
            (0..6).filter(|bit| subset >> bit & 1 == 1).map(|bit| (NAMES[bit], 9)).collect();
        let satisfied = (subset & 0b111).count_ones() >= 2 && subset >> 3 > 0;
        let checked = policy.check(&note(&signers), None, None);
        match checked {
            Ok(accepted) => {
                assert!(satisfied, "{signers:?}");
                assert_eq!(accepted.checkpoint.size, 7);
                assert_eq!(accepted.verified.len(), 1 + signers.len());
            }
            Err(error) => assert!(!satisfied && error == RefusedError::Quorum, "{signers:?}"),
        }
    }
}

#[test]
fn a_quorum_may_be_one_witness_or_none() {
    let start = format!("log {}\nwitness X1 {}\n", log().verifier(), witness("X1").verifier());
    let one = Policy::parse(format!("{start}quorum X1\n")).unwrap();
    assert!(one.check(&note(&[("X1", 9)]), None, None).is_ok());
    assert_eq!(one.check(&note(&[("X2", 9)]), None, None), Err(RefusedError::Quorum));
    let none = Policy::parse(format!("quorum none\n{start}")).unwrap();
    assert!(none.check(&note(&[]), Some(1_000), Some(1)).is_ok());
}

#[test]
fn only_a_log_of_the_policy_is_accepted() {
    let without = Policy::parse(format!("witness X1 {}\nquorum X1", witness("X1").verifier())).unwrap();
    let signed = note(&[("X1", 9)]);
    assert_eq!(without.check(&signed, None, None), Err(RefusedError::Log("log.example".into())));
    let other = SigningKey::from_seed("other.example", KeyKind::Ed25519, &[1; 32]).unwrap();
    let policy = Policy::parse(format!("log {}\nquorum none", other.verifier())).unwrap();
    assert_eq!(policy.check(&signed, None, None), Err(RefusedError::Note(NoteError::NoKnownSignature)));
    // A log of the policy signs what another log has said.
    let (text, _) = signed.split_once("\n\n").unwrap();
    let text = format!("{text}\n");
    let taken = Note { signatures: vec![other.sign(&text).unwrap()], text };
    assert_eq!(policy.check(&taken.to_string(), None, None), Err(RefusedError::Log("log.example".into())));
}

#[test]
fn a_wrong_signature_of_a_witness_is_not_passed_over() {
    let policy = Policy::parse(example()).unwrap();
    let mut wrong = Note::parse(note(&[("X1", 9), ("X2", 9), ("X3", 9), ("Y1", 9)])).unwrap();
    wrong.signatures[3].signature[0] ^= 1;
    assert_eq!(
        policy.check(&wrong.to_string(), None, None),
        Err(RefusedError::Note(NoteError::WrongSignature("witness.example/X3".into())))
    );
}

#[test]
fn old_cosignatures_do_not_count() {
    let policy = Policy::parse(example()).unwrap();
    let signed = note(&[("X1", 1_000), ("X2", 2_000), ("Y1", 3_000)]);
    let check = |now, max_age| policy.check(&signed, now, max_age).map(|accepted| accepted.verified.len());
    assert_eq!(check(None, Some(0)), Ok(4));
    assert_eq!(check(Some(3_000), None), Ok(4));
    assert_eq!(check(Some(3_000), Some(2_000)), Ok(4));
    assert_eq!(check(Some(3_000), Some(1_999)), Err(RefusedError::Stale));
    assert_eq!(check(Some(2_700), None), Ok(4));
    assert_eq!(check(Some(2_699), None), Err(RefusedError::Stale));
    assert_eq!(check(Some(u64::MAX), Some(u64::MAX)), Ok(4));
    assert_eq!(check(Some(u64::MAX), Some(0)), Err(RefusedError::Stale));
}

#[test]
fn a_signature_without_a_time_is_no_cosignature() {
    let policy = Policy::parse(example()).unwrap();
    let verified = |time| {
        let key = |name| witness(name).verifier().clone();
        let keys = ["X1", "X2", "Y1"].map(key);
        keys.map(|key| Verified { name: key.name().into(), id: key.id(), time })
    };
    assert!(policy.is_satisfied(&verified(Some(0))));
    assert!(!policy.is_satisfied(&verified(None)));
}

#[test]
fn what_is_not_quite_a_policy_is_refused() {
    let log = log().verifier().to_string();
    let (x1, x2) = (witness("X1").verifier().to_string(), witness("X2").verifier().to_string());
    let start = format!("log {log}\nwitness X1 {x1}\nwitness X2 {x2}\n");
    // Another name for the same key.
    let same =
        SigningKey::from_seed("other.example", KeyKind::CosignatureV1, crate::Digest::of(b"X1").bytes())
            .unwrap();
    let lines = [
        "logs x".to_owned(),
        "quorum".to_owned(),
        "quorum X1 X2".to_owned(),
        "quorum unknown".to_owned(),
        "quorum later\ngroup later any X1".to_owned(),
        "quorum X1\nquorum X1".to_owned(),
        "quorum none\nquorum none".to_owned(),
        format!("log {log}"),
        format!("log {x1}"),
        format!("log {log} a b"),
        "log key".to_owned(),
        format!("witness X3 {log}"),
        format!("witness X3 {x1}"),
        format!("witness X3 {}", same.verifier()),
        format!("witness X1 {}", witness("X3").verifier()),
        format!("witness none {}", witness("X3").verifier()),
        "group A any".to_owned(),
        "group A any X3".to_owned(),
        "group A any A".to_owned(),
        "group A any none".to_owned(),
        "group A any X1 X1".to_owned(),
        "group A any X1\ngroup B any X1".to_owned(),
        "group A any X1\ngroup A any X2".to_owned(),
        "group X1 any X2".to_owned(),
        "group none any X2".to_owned(),
        "group A 0 X1 X2".to_owned(),
        "group A 3 X1 X2".to_owned(),
        "group A +1 X1 X2".to_owned(),
        "group A ALL X1 X2".to_owned(),
        "quorum X1\r".to_owned(),
        "# \u{7f}".to_owned(),
    ];
    for line in &lines {
        let error = Policy::parse(format!("{start}{line}\n")).unwrap_err();
        assert!(matches!(error, PolicyError::Line { number: 4 | 5, .. }), "{line}: {error}");
    }
    assert_eq!(Policy::parse(&start), Err(PolicyError::NoQuorum));
    assert_eq!(Policy::parse(""), Err(PolicyError::NoQuorum));
    assert_eq!(Policy::parse("#".repeat((1 << 20) + 1)), Err(PolicyError::TooLong));
    assert_eq!(
        Policy::parse("quorum all").unwrap_err().to_string(),
        "line 1 of the policy is wrong: the quorum is not defined before"
    );
}

#[test]
fn names_are_bytes() {
    let (first, second) = (witness("X1"), witness("X2"));
    let mut text = format!("log {}\nwitness K {}\n", log().verifier(), first.verifier()).into_bytes();
    // A Kelvin sign is no K, and this is Latin-1.
    text.extend_from_slice(format!("witness \u{212a} {} https://a/\n# ", second.verifier()).as_bytes());
    text.extend_from_slice(b"\xe9t\xe9\nquorum K");
    let policy = Policy::parse(&text).unwrap();
    assert!(policy.check(&note(&[("X1", 9)]), None, None).is_ok());
    assert!(policy.check(&note(&[("X2", 9)]), None, None).is_err());
    text.extend_from_slice(b"\xe9");
    assert!(Policy::parse(&text).is_err());
}
