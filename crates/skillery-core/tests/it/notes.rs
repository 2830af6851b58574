//! Notes and checkpoints, compared with `signed_note` and `tlog_tiles`.

use proptest::prelude::*;
use signed_note::{Signer as _, StandardSigner, StandardVerifier, VerifierList};
use skillery_core::Digest;
use skillery_core::tlog::{Checkpoint, KeyKind, MAX_SIZE, Note, SigningKey, VerifierKey};

use crate::texts::{Change, changes};

pub(crate) fn log_key() -> SigningKey {
    SigningKey::from_seed("log.example/one", KeyKind::Ed25519, &[1; 32]).unwrap()
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: "log.example/one".into(),
        size: 20_852_163,
        root: Digest::of(b"root"),
        extensions: vec!["extension".into()],
    }
}

pub(crate) fn note() -> Note {
    let text = checkpoint().to_string();
    let stranger = SigningKey::from_seed("stranger.example", KeyKind::Ed25519, &[2; 32]).unwrap();
    let signatures = vec![stranger.sign(&text).unwrap(), log_key().sign(&text).unwrap()];
    Note { text, signatures }
}

/// A checkpoint of ours, cosigned by aics-witness 0.1.0, a witness in Python.
#[test]
fn a_cosignature_of_another_program_is_verified() {
    let witness: VerifierKey =
        "witness.example/theirs+0684e43d+BIIur9XmFWD18mhP4ZRZ5/XVQZzjwobyIWdXjbxT/jBN".parse().unwrap();
    let note = Note::parse(
        "log.example/log\n700\nxw5zSZqcGcWQ2YSUvQUOs6ZGvzjJ96OX3OWj/t47JAc=\n\n\
         \u{2014} log.example/log \
         F9eR0lrSbS6cTXNSfcJGU9qyGmd9n6vuptX+dp4H3hpcJUxFLjE1AXfRZOhEE7WXsmk1waUW7mDRXwSWuQ2poccHWgE=\n\
         \u{2014} witness.example/theirs \
         BoTkPQAAAABrB18B3GsL8m4WiEmHTB6z4KEHcnHQGxRiyj16Qj0zPPvsqhnLgZX5UFDxh6hv/9gxrLNXosy4C7GQXNYOw3zzk0FZBA==\n",
    )
    .unwrap();
    let verified = note.verify(std::slice::from_ref(&witness)).unwrap();
    assert_eq!(verified.iter().map(|one| one.time).collect::<Vec<_>>(), [Some(1_795_645_185)]);
    let other = Note { text: note.text.replace("700", "701"), ..note };
    assert!(other.verify(&[witness]).is_err());
}

fn their_verdict(bytes: &[u8], key: &VerifierKey) -> bool {
    let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&key.to_string()).unwrap())]);
    signed_note::Note::from_bytes(bytes).is_ok_and(|note| note.verify(&known).is_ok())
}

proptest! {
    #[test]
    fn keys_and_signatures_are_those_of_signed_note(name in "[^\\s+\\pC]{1,20}", seed: [u8; 32], text in "[^\\pC]{0,80}\n") {
        let key = SigningKey::from_seed(&name, KeyKind::Ed25519, &seed).unwrap();
        let signer = StandardSigner::new(&key.expose()).unwrap();
        prop_assert_eq!(u32::from_be_bytes(key.verifier().id()), signer.key_id());
        let mut expected = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        expected.add_sigs(&[&signer]).unwrap();
        let note = Note { signatures: vec![key.sign(&text).unwrap()], text };
        prop_assert_eq!(note.to_string().into_bytes(), expected.to_bytes());
        prop_assert!(their_verdict(note.to_string().as_bytes(), key.verifier()));
        let again: SigningKey = key.expose().parse().unwrap();
        prop_assert_eq!(again.verifier(), key.verifier());
        prop_assert_eq!(&key.verifier().to_string().parse::<VerifierKey>().unwrap(), key.verifier());
    }

    #[test]
    fn changed_notes_are_refused_where_signed_note_refuses_them(changes in changes()) {
        let bytes = Change::apply(&changes, note().to_string().as_bytes());
        let ours = Note::parse(&bytes);
        prop_assert_eq!(ours.is_ok(), signed_note::Note::from_bytes(&bytes).is_ok());
        let key = log_key().verifier().clone();
        let expected = their_verdict(&bytes, &key);
        let verified = ours.and_then(|note| note.verify(&[key])).is_ok();
        prop_assert_eq!(verified, expected);
    }

    #[test]
    fn changed_checkpoints_are_refused_where_tlog_tiles_refuses_them(changes in changes()) {
        let bytes = Change::apply(&changes, checkpoint().to_string().as_bytes());
        let Ok(text) = str::from_utf8(&bytes) else { return Ok(()) };
        let ours = text.parse::<Checkpoint>();
        let expected = tlog_tiles::Checkpoint::from_bytes(&bytes);
        // Sizes that no tree has are read there, and not here.
        let possible = |expected: &tlog_tiles::Checkpoint| expected.size() <= MAX_SIZE;
        prop_assert_eq!(ours.is_ok(), expected.as_ref().is_ok_and(possible));
        if let (Ok(ours), Ok(expected)) = (ours, expected) {
            prop_assert_eq!(&ours.origin, expected.origin());
            prop_assert_eq!(ours.size, expected.size());
            prop_assert_eq!(ours.root.bytes(), &expected.hash().0);
            prop_assert_eq!(ours.extensions.iter().map(|line| format!("{line}\n")).collect::<String>(), expected.extension());
        }
    }

}

proptest! {
    // Each case is more than a thousand signatures.
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_changed_bit_of_a_note_is_accepted(seed: [u8; 32], text in "[^\\pC]{1,40}\n", seconds in 0..=i64::MAX as u64) {
        for kind in [KeyKind::Ed25519, KeyKind::CosignatureV1] {
            let key = SigningKey::from_seed("key.example", kind, &seed).unwrap();
            let signature = match kind {
                KeyKind::Ed25519 => key.sign(&text).unwrap(),
                KeyKind::CosignatureV1 => key.cosign(&text, seconds).unwrap(),
            };
            let keys = [key.verifier().clone()];
            let note = Note { text: text.clone(), signatures: vec![signature] };
            let time = (kind == KeyKind::CosignatureV1).then_some(seconds);
            prop_assert_eq!(note.verify(&keys).unwrap()[0].time, time);
            for bit in 0..note.signatures[0].signature.len() * 8 {
                let mut wrong = note.clone();
                wrong.signatures[0].signature[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(wrong.verify(&keys).is_err());
            }
            for bit in 0..32 {
                let mut wrong = note.clone();
                wrong.signatures[0].id[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(wrong.verify(&keys).is_err());
            }
        }
    }
}
