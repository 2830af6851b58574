use super::*;

/// The example of signed-note.
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/// The example of golang.org/x/mod/sumdb/note.
const PETER_PRIVATE: &str = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_PUBLIC: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_SIGNATURE: &str = "\u{2014} PeterNeumann \
    x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";

fn key(name: &str, kind: KeyKind, seed: u8) -> SigningKey {
    SigningKey::from_seed(name, kind, &[seed; 32]).unwrap()
}

fn signed(text: &str, keys: &[&SigningKey]) -> Note {
    let signatures = keys
        .iter()
        .map(|key| match key.verifier().kind() {
            KeyKind::Ed25519 => key.sign(text).unwrap(),
            KeyKind::CosignatureV1 => key.cosign(text, 1_700_000_000).unwrap(),
        })
        .collect();
    Note { text: text.to_owned(), signatures }
}

#[test]
fn the_example_of_the_specification_is_verified() {
    let key: VerifierKey = EXAMPLE_KEY.parse().unwrap();
    assert_eq!(key.to_string(), EXAMPLE_KEY);
    let note = Note::parse(EXAMPLE).unwrap();
    assert_eq!(note.to_string(), EXAMPLE);
    assert_eq!(note.text, "This is an example message.\n");
    let verified = note.verify(std::slice::from_ref(&key)).unwrap();
    assert_eq!(
        verified,
        [Verified { name: "example.com/foo".into(), id: [0x53, 0x0d, 0x90, 0x3a], time: None }]
    );
    let mut altered = note;
    altered.text = "This is an example massage.\n".into();
    assert_eq!(altered.verify(&[key]), Err(NoteError::WrongSignature("example.com/foo".into())));
}

#[test]
fn the_example_of_go_is_signed_to_the_same_bytes() {
    let key: SigningKey = PETER_PRIVATE.parse().unwrap();
    assert_eq!(key.expose(), PETER_PRIVATE);
    assert_eq!(key.verifier().to_string(), PETER_PUBLIC);
    assert_eq!(PETER_PUBLIC.parse::<VerifierKey>().as_ref(), Ok(key.verifier()));
    assert_eq!(key.sign(PETER_TEXT).unwrap().to_string(), PETER_SIGNATURE);
}

#[test]
fn a_secret_does_not_show_itself() {
    let key = key("log.example", KeyKind::Ed25519, 0x5a);
    let shown = format!("{key:?}");
    assert_eq!(shown, format!("SigningKey({}, ***)", key.verifier()));
    assert!(!shown.contains("WlpaWlpa") && !shown.contains("90, 90") && !shown.contains("5a5a"));
}

#[test]
fn a_fingerprint_is_that_of_kind_and_key() {
    let log = key("log.example", KeyKind::Ed25519, 1);
    let renamed = key("other.example", KeyKind::Ed25519, 1);
    let witness = key("log.example", KeyKind::CosignatureV1, 1);
    assert_eq!(log.verifier().fingerprint(), renamed.verifier().fingerprint());
    assert_ne!(log.verifier().fingerprint(), witness.verifier().fingerprint());
    assert_ne!(log.verifier().id(), renamed.verifier().id());
    assert_ne!(log.verifier().id(), witness.verifier().id());
    assert!(log.verifier().fingerprint().starts_with("SHA256:"));
    assert_eq!(log.verifier().fingerprint().len(), "SHA256:".len() + 43);
}

#[test]
fn who_signed_is_told_and_unknown_keys_are_ignored() {
    let log = key("log.example", KeyKind::Ed25519, 1);
    let witness = key("witness.example", KeyKind::CosignatureV1, 2);
    let stranger = key("log.example", KeyKind::Ed25519, 3);
    let note = signed("a\n\nb\n", &[&stranger, &log, &witness]);
    let note = Note::parse(note.to_string()).unwrap();
    assert_eq!(note.text, "a\n\nb\n");
    let verified = note.verify(&[log.verifier().clone(), witness.verifier().clone()]).unwrap();
    let times: Vec<_> = verified.iter().map(|one| (one.name.as_str(), one.time)).collect();
    assert_eq!(times, [("log.example", None), ("witness.example", Some(1_700_000_000))]);
    let absent = key("absent.example", KeyKind::Ed25519, 4);
    assert_eq!(note.verify(&[absent.verifier().clone()]), Err(NoteError::NoKnownSignature));
    assert_eq!(note.verify(&[]), Err(NoteError::NoKnownSignature));
}

#[test]
fn one_wrong_signature_of_a_known_key_is_enough() {
    let log = key("log.example", KeyKind::Ed25519, 1);
    let witness = key("witness.example", KeyKind::CosignatureV1, 2);
    let keys = [log.verifier().clone(), witness.verifier().clone()];
    let mut note = signed("text\n", &[&log, &witness]);
    note.signatures[1].signature[7] ^= 1;
    assert_eq!(note.verify(&keys), Err(NoteError::WrongSignature("witness.example".into())));
    // A second signature of a key is looked at as the first one is.
    let mut twice = signed("text\n", &[&log, &log]);
    assert_eq!(twice.verify(&keys).unwrap().len(), 1);
    twice.signatures[1].signature[0] ^= 1;
    assert_eq!(twice.verify(&keys), Err(NoteError::WrongSignature("log.example".into())));
    for length in [1, 8, 63, 65, 72] {
        let mut note = signed("text\n", &[&log]);
        note.signatures[0].signature.resize(length, 0);
        assert!(note.verify(&keys).is_err());
    }
}

#[test]
fn a_key_that_cosigned_twice_counts_once_with_the_later_time() {
    let witness = key("witness.example", KeyKind::CosignatureV1, 2);
    let signatures = [30, 50, 40].map(|time| witness.cosign("text\n", time).unwrap()).to_vec();
    let note = Note { text: "text\n".into(), signatures };
    let verified = note.verify(&[witness.verifier().clone()]).unwrap();
    assert_eq!(verified.iter().map(|one| one.time).collect::<Vec<_>>(), [Some(50)]);
}

#[test]
fn keys_sign_only_what_they_are_for() {
    let log = key("log.example", KeyKind::Ed25519, 1);
    let witness = key("witness.example", KeyKind::CosignatureV1, 2);
    assert_eq!(witness.sign("text\n"), Err(NoteError::Kind("witness.example".into())));
    assert_eq!(log.cosign("text\n", 1), Err(NoteError::Kind("log.example".into())));
    for text in ["", "text", "a\tb\n", "a\r\n", "\0\n"] {
        assert!(matches!(log.sign(text), Err(NoteError::Malformed(_))), "{text:?}");
    }
    assert!(witness.cosign("text\n", i64::MAX as u64).is_ok());
    assert!(matches!(witness.cosign("text\n", 1 << 63), Err(NoteError::Malformed(_))));
}

#[test]
fn what_is_not_quite_a_note_is_refused() {
    let good = EXAMPLE;
    assert!(Note::parse(good).is_ok());
    let line = good.split_once("\n\n").unwrap().1;
    let name = "\u{2014} example.com/foo ";
    let malformed = [
        String::new(),
        "\n\n".into(),
        "text\n".into(),
        "text\n\n".into(),
        format!("text\n{line}"),
        format!("text\n\n{}", line.trim_end()),
        format!("text\n\n{line}\n"),
        format!("text\n\n{line}more\n"),
        good.replace('\n', "\r\n"),
        good.replace("example message", "example\tmessage"),
        good.replace('\u{2014}', "-"),
        good.replace("foo Uw", "foo  Uw"),
        good.replace("aQM=\n", "aQM= \n"),
        good.replace("aQM=\n", "aQM\n"),
        good.replace("aQM=\n", "aQN=\n"),
        good.replace("example.com/foo", ""),
        good.replace("example.com/foo", "a+b"),
        good.replace("example.com/foo", "a\u{a0}b"),
        good.replace("example.com/foo", "a\u{3000}b"),
        format!("text\n\n{name}\n"),
        format!("text\n\n{name}UwwQOg==\n"),
        format!("text\n\n{}", line.repeat(101)),
        format!("{}\n\n{line}", "x".repeat(1 << 20)),
    ];
    for text in &malformed {
        assert!(matches!(Note::parse(text), Err(NoteError::Malformed(_))), "{:.200}", text);
    }
    assert!(Note::parse(b"a\xff\n\n").is_err());
    let hundred = Note::parse(format!("text\n\n{}", line.repeat(100))).unwrap();
    assert_eq!(hundred.signatures.len(), 100);
}

#[test]
fn what_is_not_quite_a_key_is_refused() {
    let error = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    let (start, encoded) = EXAMPLE_KEY.rsplit_once('+').unwrap();
    assert_eq!(error(""), KeyError::Form);
    assert_eq!(error(start), KeyError::Form);
    assert_eq!(error(&EXAMPLE_KEY.replace("530d903a", "530D903A")), KeyError::Form);
    assert_eq!(error(&EXAMPLE_KEY.replace("530d903a", "530d903")), KeyError::Form);
    assert_eq!(error(&EXAMPLE_KEY.replace("530d903a", "530d903b")), KeyError::Id);
    assert_eq!(error(&EXAMPLE_KEY.replace("example.com/foo", "example.com/fou")), KeyError::Id);
    assert_eq!(error(&EXAMPLE_KEY.replace("example.com/foo", "")), KeyError::Name);
    assert_eq!(error(&EXAMPLE_KEY.replace("example.com/foo", "a b")), KeyError::Name);
    assert_eq!(error(&format!("{start}+{}", &encoded[..43])), KeyError::Form);
    assert_eq!(error(&format!("{start}+{}", &encoded[..40])), KeyError::Kind);
    assert_eq!(error(&format!("{start}+")), KeyError::Kind);
    assert_eq!(error(&format!("{start}+{}", encoded.replacen('A', "B", 1))), KeyError::Kind);
    assert_eq!(PETER_PUBLIC.parse::<SigningKey>().unwrap_err(), KeyError::Form);
    assert_eq!(
        PETER_PRIVATE.replace("c74f20a3", "c74f20a4").parse::<SigningKey>().unwrap_err(),
        KeyError::Id
    );
}
