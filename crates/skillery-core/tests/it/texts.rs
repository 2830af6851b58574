//! Every text has one spelling: what is read is written the same, to the last byte. And no text panics.

use proptest::prelude::*;
use skillery_core::tlog::{
    AddCheckpoint, Checkpoint, KeyKind, LogProof, Note, NoteSignature, Policy, SigningKey, VerifierKey, note,
    parse_conflict, parse_path,
};

use crate::LOG;
use crate::notes::{checkpoint, log_key, note};

/// A change of some bytes, made at a place that is a share of the length.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set(u8),
    Insert(Vec<u8>),
    Remove(usize),
    Repeat(usize),
}

impl Change {
    pub(crate) fn apply(changes: &[(prop::sample::Index, Self)], bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for (at, change) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            let end = |length: usize| bytes.len().min(at + length);
            match change {
                Self::Set(byte) => bytes[at] = *byte,
                Self::Insert(more) => drop(bytes.splice(at..at, more.iter().copied())),
                Self::Remove(length) => drop(bytes.drain(at..end(*length))),
                Self::Repeat(length) => {
                    let part = bytes[at..end(*length)].to_vec();
                    drop(bytes.splice(at..at, part));
                }
            }
        }
        bytes
    }
}

/// Some changes, with a liking for the bytes that mean something.
pub(crate) fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, Change)>> {
    let telling = prop::sample::select(b"\n\n\n =+/0123AQz#\t\r\0\x7f\xe2\x80\x94\xff".to_vec());
    let byte = prop_oneof![telling, any::<u8>()].boxed();
    let change = prop_oneof![
        byte.clone().prop_map(Change::Set),
        prop::collection::vec(byte, 1..4).prop_map(Change::Insert),
        (1..60_usize).prop_map(Change::Remove),
        (1..90_usize).prop_map(Change::Repeat),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), change), 0..3)
}

fn log_proof() -> LogProof {
    LogProof {
        extra: Some(b"extra data".to_vec()),
        index: 7,
        hashes: LOG.inclusion(7, 100),
        checkpoint: note(),
    }
}

fn request() -> AddCheckpoint {
    AddCheckpoint { old_size: 7, proof: LOG.consistency(7, 100), checkpoint: note() }
}

fn policy() -> String {
    let witness = SigningKey::from_seed("witness.example", KeyKind::CosignatureV1, &[3; 32]).unwrap();
    format!("log {}\nwitness A {}\ngroup G all A\nquorum G\n", log_key().verifier(), witness.verifier())
}

/// Reads the text as everything that it may be, and writes it again.
fn written(text: &str) -> Vec<String> {
    let line = text.trim_end_matches('\n');
    let mut written: Vec<String> = Vec::new();
    written.extend(text.parse::<Note>().map(|note| note.to_string()));
    written.extend(text.parse::<Checkpoint>().map(|checkpoint| checkpoint.to_string()));
    written.extend(text.parse::<LogProof>().map(|proof| proof.to_string()));
    written.extend(text.parse::<AddCheckpoint>().map(|request| request.to_string()));
    written.extend(line.parse::<NoteSignature>().map(|signature| text.replace(line, &signature.to_string())));
    written.extend(line.parse::<VerifierKey>().map(|key| text.replace(line, &key.to_string())));
    written.extend(line.parse::<SigningKey>().map(|key| text.replace(line, &key.expose())));
    if let Ok(signatures) = note::parse_signatures(text) {
        written.push(signatures.iter().map(|signature| format!("{signature}\n")).collect());
    }
    written.extend(parse_conflict(text).map(|size| format!("{size}\n")));
    let _ = (Policy::parse(text), parse_path(text));
    written
}

#[test]
fn what_is_good_is_written_as_it_was_read() {
    let all = [
        note().to_string(),
        note().signatures[0].to_string(),
        checkpoint().to_string(),
        log_proof().to_string(),
        request().to_string(),
        log_key().expose(),
        log_key().verifier().to_string(),
        "700\n".to_owned(),
    ];
    for text in &all {
        // Some can be read as more than one thing: a proof or a request, up to its last empty line, is also a note.
        let written = written(text);
        assert!(!written.is_empty() && written.iter().all(|written| written == text), "{text}");
    }
    assert!(Policy::parse(policy()).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_read_is_written_the_same(which in 0..8_usize, changes in changes()) {
        let text = match which {
            0 => note().to_string(),
            1 => checkpoint().to_string(),
            2 => log_proof().to_string(),
            3 => request().to_string(),
            4 => log_key().expose(),
            5 => log_key().verifier().to_string(),
            6 => format!("{}\n", note().signatures[0]),
            _ => policy(),
        };
        let bytes = Change::apply(&changes, text.as_bytes());
        let _ = (Policy::parse(&bytes), Note::parse(&bytes));
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        for written in written(&text) {
            prop_assert_eq!(&written, &text);
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>, text in "\\PC*") {
        let _ = (Policy::parse(&bytes), Note::parse(&bytes));
        let _ = (written(&text), written(&String::from_utf8_lossy(&bytes)));
    }
}
