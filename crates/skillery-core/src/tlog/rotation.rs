//! Handing a log over to another key: the old key signs which key comes next and where in the tree, and the new key that
//! it is one.
//!
//! The statement is the text of a signed note, of six lines, that can be no checkpoint:
//!
//! ```text
//! skillery-log-rotation@v1
//! <name of the log>
//! from <old key, as name+id+base64>
//! to <new key, as name+id+base64>
//! size <leaves that the old key answers for>
//! root <their root, in base64>
//! ```
//!
//! The entry with the note is the leaf of the number `size`: the first one that the new key answers for. So the old key has
//! signed nothing larger than `size`, and what says otherwise was not signed by the log.

use std::fmt;

use super::note::{KeyKind, Note, NoteError, SigningKey, VerifierKey};
use super::{MAX_SIZE, hash_line, parse_decimal, parse_hash};
use crate::Digest;

const HEADER: &str = "skillery-log-rotation@v1";

/// That a log has gone from one key to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The key that the log was signed with.
    pub from: VerifierKey,
    /// The key that it is signed with.
    pub to: VerifierKey,
    /// The leaves of the last tree that the old key answers for, and the number of the entry that says so.
    pub size: u64,
    /// The root of that tree.
    pub root: Digest,
}

/// Why notes hand no log over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotationError {
    /// It is no note, or one of the two keys has not signed it.
    #[error("a rotation is not signed by both of its keys")]
    Note(#[from] NoteError),
    /// The text of the note is another one.
    #[error("a note is no rotation of a log's key")]
    Form,
    /// The keys are not two keys of one log.
    #[error("the keys of a rotation are not two keys of one log")]
    Keys,
    /// One rotation does not begin where the one before it has ended.
    #[error("the rotation to {0} does not follow the one before it")]
    Gap(String),
}

impl Rotation {
    /// The signed note by which a log goes from one key to the other, after the tree of this size and root.
    pub fn sign(from: &SigningKey, to: &SigningKey, size: u64, root: Digest) -> Result<Note, RotationError> {
        let rotation = Self { from: from.verifier().clone(), to: to.verifier().clone(), size, root };
        rotation.check()?;
        let text = rotation.to_string();
        let signatures = vec![from.sign(&text)?, to.sign(&text)?];
        Ok(Note { text, signatures })
    }

    /// Reads such a note. Both keys have signed it; whether the old one is to be believed is another question.
    pub fn open(note: &str) -> Result<Self, RotationError> {
        let note = Note::parse(note)?;
        let lines: Vec<&str> = note.text.lines().collect();
        let [HEADER, origin, from, to, size, root] = lines.as_slice() else {
            return Err(RotationError::Form);
        };
        fn after<'a>(line: &'a str, word: &str) -> Result<&'a str, RotationError> {
            line.strip_prefix(word).ok_or(RotationError::Form)
        }
        let key = |text: &str| text.parse::<VerifierKey>().map_err(|_| RotationError::Form);
        let size = parse_decimal(after(size, "size ")?).filter(|size| *size <= MAX_SIZE);
        let rotation = Self {
            from: key(after(from, "from ")?)?,
            to: key(after(to, "to ")?)?,
            size: size.ok_or(RotationError::Form)?,
            root: parse_hash(after(root, "root ")?).ok_or(RotationError::Form)?,
        };
        rotation.check()?;
        if rotation.from.name() != *origin || rotation.to_string() != note.text {
            return Err(RotationError::Form);
        }
        for key in [&rotation.from, &rotation.to] {
            note.verify(std::slice::from_ref(key))?;
        }
        Ok(rotation)
    }

    /// Reads all rotations of a log, the oldest first: each goes on from the key of the one before, later in the log, and no
    /// key comes back.
    pub fn chain<'a>(notes: impl IntoIterator<Item = &'a str>) -> Result<Vec<Self>, RotationError> {
        let mut chain: Vec<Self> = Vec::new();
        for note in notes {
            let next = Self::open(note)?;
            let follows = chain.last().is_none_or(|last| last.to == next.from && last.size < next.size);
            if !follows || chain.iter().any(|earlier| earlier.from == next.to) {
                return Err(RotationError::Gap(next.to.fingerprint()));
            }
            chain.push(next);
        }
        Ok(chain)
    }

    fn check(&self) -> Result<(), RotationError> {
        let are_of_logs = self.from.kind() == KeyKind::Ed25519 && self.to.kind() == KeyKind::Ed25519;
        // Notes tell keys of one name apart by their ids alone.
        if are_of_logs && self.from.name() == self.to.name() && self.from.id() != self.to.id() {
            Ok(())
        } else {
            Err(RotationError::Keys)
        }
    }
}

impl fmt::Display for Rotation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, to, size, root } = self;
        let root = hash_line(root);
        writeln!(formatter, "{HEADER}\n{}\nfrom {from}\nto {to}\nsize {size}\nroot {root}", from.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tlog::Checkpoint;

    fn key(name: &str, seed: u8) -> SigningKey {
        SigningKey::from_seed(name, KeyKind::Ed25519, &[seed; 32]).unwrap()
    }

    fn root() -> Digest {
        Digest::of(b"a tree")
    }

    fn note(from: &SigningKey, to: &SigningKey, size: u64) -> String {
        Rotation::sign(from, to, size, root()).unwrap().to_string()
    }

    #[test]
    fn a_rotation_is_signed_read_and_no_checkpoint() {
        let (one, two) = (key("log.example/log/v1", 1), key("log.example/log/v1", 2));
        let text = note(&one, &two, 4_711);
        let rotation = Rotation::open(&text).unwrap();
        assert_eq!((&rotation.from, &rotation.to), (one.verifier(), two.verifier()));
        assert_eq!((rotation.size, rotation.root), (4_711, root()));
        assert!(rotation.to_string().parse::<Checkpoint>().is_err());
        assert!(Checkpoint::open(&text, one.verifier()).is_err());
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_both_keys_have_not_signed_hands_nothing_over() {
        let (one, two, three) = (key("log.example", 1), key("log.example", 2), key("log.example", 3));
        let good: Note = note(&one, &two, 7).parse().unwrap();
        for place in 0..2 {
            let mut half = good.clone();
            half.signatures.remove(place);
            assert!(matches!(Rotation::open(&half.to_string()), Err(RotationError::Note(_))));
            let mut wrong = good.clone();
            wrong.signatures[place].signature[3] ^= 1;
            assert!(matches!(Rotation::open(&wrong.to_string()), Err(RotationError::Note(_))));
        }
        // Signed by others, or over another text.
        let other = Rotation::sign(&one, &three, 7, root()).unwrap();
        let stolen = Note { signatures: good.signatures.clone(), ..other };
        assert!(matches!(Rotation::open(&stolen.to_string()), Err(RotationError::Note(_))));
        let later = Note { text: good.text.replace("size 7", "size 8"), ..good.clone() };
        assert!(matches!(Rotation::open(&later.to_string()), Err(RotationError::Note(_))));
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
            good.text.replace("size 7", "size 07"),
            good.text.replace("size 7", "size -7"),
            good.text.replace("size 7", "size 99999999999999999999"),
            good.text.replace("root ", "root A"),
            good.text.replace("size 7\n", ""),
            "log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n".to_owned(),
        ] {
            assert_eq!(Rotation::open(&sign(&text)), Err(RotationError::Form), "{text}");
        }
        let refused = |from: &SigningKey, to: &SigningKey| Rotation::sign(from, to, 7, root());
        assert_eq!(refused(&one, &one), Err(RotationError::Keys));
        assert_eq!(refused(&one, &key("other.example", 2)), Err(RotationError::Keys));
        let witness = SigningKey::from_seed("log.example", KeyKind::CosignatureV1, &[2; 32]).unwrap();
        assert_eq!(refused(&one, &witness), Err(RotationError::Keys));
    }

    #[test]
    fn rotations_follow_each_other_without_a_gap() {
        let keys: Vec<SigningKey> = (1..=4).map(|seed| key("log.example", seed)).collect();
        let notes: Vec<String> =
            keys.windows(2).zip(10..).map(|(pair, size)| note(&pair[0], &pair[1], size)).collect();
        let chain = |notes: &[&str]| {
            let chain = Rotation::chain(notes.iter().copied())?;
            Ok(chain.last().map(|last| last.to.clone()))
        };
        let [one, two, three] = [&notes[0], &notes[1], &notes[2]].map(String::as_str);
        assert_eq!(chain(&[]), Ok(None));
        assert_eq!(chain(&[one, two, three]), Ok(Some(keys[3].verifier().clone())));
        assert_eq!(chain(&[two, three]), Ok(Some(keys[3].verifier().clone())));
        let gap = |key: &SigningKey| Err(RotationError::Gap(key.verifier().fingerprint()));
        assert_eq!(chain(&[one, three]), gap(&keys[3]));
        assert_eq!(chain(&[two, one]), gap(&keys[1]));
        assert_eq!(chain(&[one, one]), gap(&keys[1]));
        // Not later in the log, and back to a key from before.
        let early = note(&keys[1], &keys[2], 10);
        assert_eq!(chain(&[one, &early]), gap(&keys[2]));
        let back = note(&keys[1], &keys[0], 12);
        assert_eq!(chain(&[one, &back]), gap(&keys[0]));
        assert_eq!(
            chain(&[one, "nonsense"]).unwrap_err().to_string(),
            "a rotation is not signed by both of its keys"
        );
    }
}
