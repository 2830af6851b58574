//! Handing a log over to another key: the old key signs which key comes next, and the new key that it is one.
//!
//! The statement is the text of a signed note, of four lines, that can be no checkpoint:
//!
//! ```text
//! skillery-log-rotation@v1
//! <name of the log>
//! from <old key, as name+id+base64>
//! to <new key, as name+id+base64>
//! ```
//!
//! Whoever believes the old key believes the new one, and whoever has followed several of them, the last.

use std::fmt;

use super::note::{KeyKind, Note, NoteError, SigningKey, VerifierKey};

const HEADER: &str = "skillery-log-rotation@v1";

/// That a log has gone from one key to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The key that the log was signed with.
    pub from: VerifierKey,
    /// The key that it is signed with.
    pub to: VerifierKey,
}

/// Why a note hands no log over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// It is no note, or one of the two keys has not signed it.
    #[error("the rotation is not signed by both keys")]
    Note(#[from] NoteError),
    /// The text of the note is another one.
    #[error("the note is no rotation of a log's key")]
    Form,
    /// The keys are not two keys of one log.
    #[error("the keys of the rotation are not two keys of one log")]
    Keys,
}

impl Rotation {
    /// The signed note by which a log goes from one key to the other.
    pub fn sign(from: &SigningKey, to: &SigningKey) -> Result<Note, RotationError> {
        let rotation = Self { from: from.verifier().clone(), to: to.verifier().clone() };
        rotation.check()?;
        let text = rotation.to_string();
        let signatures = vec![from.sign(&text)?, to.sign(&text)?];
        Ok(Note { text, signatures })
    }

    /// Reads such a note. Both keys have signed it; whether the old one is to be believed is another question.
    pub fn open(note: &str) -> Result<Self, RotationError> {
        let note = Note::parse(note)?;
        let lines: Vec<&str> = note.text.lines().collect();
        let [HEADER, origin, from, to] = lines.as_slice() else { return Err(RotationError::Form) };
        let key = |line: &str, word: &str| -> Result<VerifierKey, RotationError> {
            line.strip_prefix(word).and_then(|key| key.parse().ok()).ok_or(RotationError::Form)
        };
        let rotation = Self { from: key(from, "from ")?, to: key(to, "to ")? };
        rotation.check()?;
        if rotation.from.name() != *origin || rotation.to_string() != note.text {
            return Err(RotationError::Form);
        }
        for key in [&rotation.from, &rotation.to] {
            note.verify(std::slice::from_ref(key))?;
        }
        Ok(rotation)
    }

    fn check(&self) -> Result<(), RotationError> {
        let are_of_logs = self.from.kind() == KeyKind::Ed25519 && self.to.kind() == KeyKind::Ed25519;
        if are_of_logs && self.from.name() == self.to.name() && self.from != self.to {
            Ok(())
        } else {
            Err(RotationError::Keys)
        }
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{HEADER}\n{}\nfrom {}\nto {}", self.from.name(), self.from, self.to)
    }
}

/// The keys that a log has been handed over to, one after the other, from this key on. Of the notes, the oldest first,
/// those that lead on from the last key count, and no others.
pub fn successors<'a>(key: &VerifierKey, notes: impl IntoIterator<Item = &'a str>) -> Vec<VerifierKey> {
    let mut keys: Vec<VerifierKey> = Vec::new();
    for rotation in notes.into_iter().filter_map(|note| Rotation::open(note).ok()) {
        if rotation.from == *keys.last().unwrap_or(key) {
            keys.push(rotation.to);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::Checkpoint;

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(name, KeyKind::Ed25519, &[seed; 32]).unwrap()
    }

    fn note(from: &SigningKey, to: &SigningKey) -> String {
        Rotation::sign(from, to).unwrap().to_string()
    }

    #[test]
    fn a_rotation_is_signed_read_and_no_checkpoint() {
        let (one, two) = (key("log.example/log/v1", 1), key("log.example/log/v1", 2));
        let text = note(&one, &two);
        let rotation = Rotation::open(&text).unwrap();
        assert_eq!((&rotation.from, &rotation.to), (one.verifier(), two.verifier()));
        assert!(rotation.to_string().parse::<Checkpoint>().is_err());
        assert!(Checkpoint::open(&text, one.verifier()).is_err());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_both_keys_have_not_signed_hands_nothing_over() {
        let (one, two, three) = (key("log.example", 1), key("log.example", 2), key("log.example", 3));
        let good: Note = note(&one, &two).parse().unwrap();
        for place in 0..2 {
            let mut half = good.clone();
            half.signatures.remove(place);
            assert!(matches!(Rotation::open(&half.to_string()), Err(RotationError::Note(_))));
            let mut wrong = good.clone();
            wrong.signatures[place].signature[3] ^= 1;
            assert!(matches!(Rotation::open(&wrong.to_string()), Err(RotationError::Note(_))));
        }
        // Signed by others, or over another text.
        let stolen = Note { signatures: good.signatures.clone(), ..Rotation::sign(&one, &three).unwrap() };
        assert!(Rotation::open(&stolen.to_string()).is_err());
        let sign = |text: &str| {
            let signatures = vec![one.sign(text).unwrap(), two.sign(text).unwrap()];
            Note { text: text.to_owned(), signatures }.to_string()
        };
        for text in [
            good.text.replace("@v1", "@v2"),
            good.text.replace("from ", "by "),
            good.text.replacen("log.example", "other.example", 1),
            format!("{}more\n", good.text),
            good.text.replace("to ", "to  "),
            "log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".to_owned(),
        ] {
            assert_eq!(Rotation::open(&sign(&text)), Err(RotationError::Form), "{text}");
        }
        assert_eq!(Rotation::sign(&one, &one), Err(RotationError::Keys));
        assert_eq!(Rotation::sign(&one, &key("other.example", 2)), Err(RotationError::Keys));
        let witness = SigningKey::from_seed("log.example", KeyKind::CosignatureV1, &[2; 32]).unwrap();
        assert_eq!(Rotation::sign(&one, &witness), Err(RotationError::Keys));
    }

    #[test]
    fn rotations_are_followed_one_after_the_other() {
        let keys: Vec<SigningKey> = (1..=4).map(|seed| key("log.example", seed)).collect();
        let notes: Vec<String> = keys.windows(2).map(|pair| note(&pair[0], &pair[1])).collect();
        let follow = |from: &SigningKey, notes: &[String]| -> Vec<VerifierKey> {
            successors(from.verifier(), notes.iter().map(String::as_str))
        };
        let verifiers = |keys: &[SigningKey]| -> Vec<VerifierKey> {
            keys.iter().map(|key| key.verifier().clone()).collect()
        };
        for from in 0..4 {
            assert_eq!(follow(&keys[from], &notes), verifiers(&keys[from + 1..]));
        }
        // A gap ends it, and what leads elsewhere does not count.
        assert_eq!(follow(&keys[0], &[notes[0].clone(), notes[2].clone()]), verifiers(&keys[1..2]));
        let mut broken = notes.clone();
        broken[1] = broken[1].replace("from", "form");
        assert_eq!(follow(&keys[0], &broken), verifiers(&keys[1..2]));
        let stranger = key("log.example", 9);
        assert!(follow(&stranger, &notes).is_empty());
        let elsewhere = note(&stranger, &keys[3]);
        assert_eq!(follow(&keys[0], &[elsewhere, notes[0].clone()]), verifiers(&keys[1..2]));
        // Back again is a way, too, and ends with the notes.
        let back = note(&keys[1], &keys[0]);
        assert_eq!(follow(&keys[0], &[notes[0].clone(), back]).last(), Some(keys[0].verifier()));
    }
}
