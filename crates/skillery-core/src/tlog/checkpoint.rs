//! Checkpoints: what a log signs about its tree (tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use super::note::{KeyKind, Note, NoteError, VerifierKey};
use super::{MAX_SIZE, hash_line, parse_decimal, parse_hash};
use crate::Digest;

/// The head of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is. One line.
    pub origin: String,
    /// The leaves of the tree.
    pub size: u64,
    /// The root of the tree.
    pub root: Digest,
    /// Further lines, usually none. None is empty.
    pub extensions: Vec<String>,
}

/// Why a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is no note, or the signature that counts is missing or wrong.
    #[error("the checkpoint is not a note that a known key signed")]
    Note(#[from] NoteError),
    /// The text of the note is not that of a checkpoint.
    #[error("a checkpoint has lines for origin, size and root, and no empty one")]
    Form,
    /// It is the checkpoint of another log.
    #[error("the checkpoint is of the log `{0}`")]
    Origin(String),
}

impl Checkpoint {
    /// Reads a checkpoint that the log of this key has signed: the origin is the name of the key, and its signature is
    /// there and right. Keys for cosignatures are those of witnesses, and open nothing. The note is returned too, since
    /// it may have further signatures.
    pub fn open(note: &str, key: &VerifierKey) -> Result<(Self, Note), CheckpointError> {
        let note = Note::parse(note)?;
        Ok((Self::of(&note, key)?, note))
    }

    /// Does the same for a note that was read already.
    pub fn of(note: &Note, key: &VerifierKey) -> Result<Self, CheckpointError> {
        if key.kind() != KeyKind::Ed25519 {
            return Err(NoteError::Kind(key.name().to_owned()).into());
        }
        note.verify(std::slice::from_ref(key))?;
        let checkpoint: Self = note.text.parse()?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin(checkpoint.origin));
        }
        Ok(checkpoint)
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    /// Reads the text of a checkpoint's note. Who signed it is not asked.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError::Form)?;
        let mut lines = body.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Form);
        let (origin, size, root) = (line()?, line()?, line()?);
        let extensions: Vec<_> = lines.map(str::to_owned).collect();
        let size = parse_decimal(size).filter(|size| *size <= MAX_SIZE).ok_or(CheckpointError::Form)?;
        let root = parse_hash(root).ok_or(CheckpointError::Form)?;
        if origin.is_empty() || extensions.iter().any(String::is_empty) {
            return Err(CheckpointError::Form);
        }
        Ok(Self { origin: origin.to_owned(), size, root, extensions })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n{}\n{}", self.origin, self.size, hash_line(&self.root))?;
        self.extensions.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::note::SigningKey;
    use super::super::tests::edge;
    use super::*;

    /// The example of tlog-checkpoint.
    const EXAMPLE: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    fn key(name: &str) -> SigningKey {
        SigningKey::from_seed(name, KeyKind::Ed25519, &[1; 32]).unwrap()
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let checkpoint: Checkpoint = EXAMPLE.parse().unwrap();
        assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.extensions, [""; 0]);
        assert_eq!(checkpoint.to_string(), EXAMPLE);
        let extended = format!("{EXAMPLE}one\ntwo\n");
        let checkpoint: Checkpoint = extended.parse().unwrap();
        assert_eq!(checkpoint.extensions, ["one", "two"]);
        assert_eq!(checkpoint.to_string(), extended);
    }

    #[test]
    fn what_is_not_quite_a_checkpoint_is_refused() {
        for text in [
            String::new(),
            "\n".into(),
            EXAMPLE.trim_end().into(),
            format!("{EXAMPLE}\n"),
            format!("{EXAMPLE}\nextension\n"),
            format!("\n{EXAMPLE}"),
            EXAMPLE.replace("example.com/behind-the-sofa", ""),
            EXAMPLE.replace("20852163", "020852163"),
            EXAMPLE.replace("20852163", "+20852163"),
            EXAMPLE.replace("20852163", "20852163 "),
            EXAMPLE.replace("20852163", ""),
            EXAMPLE.replace("20852163", "9223372036854775809"),
            EXAMPLE.replace("20852163", "18446744073709551616"),
            EXAMPLE.replace("q2I=", "q2I"),
            EXAMPLE.replace("q2I=", "q2J="),
            EXAMPLE.replace("CsUY", ""),
            EXAMPLE.replace("CsUY", "CsUYCsUY"),
            EXAMPLE.replace('\n', "\r\n"),
        ] {
            assert_eq!(text.parse::<Checkpoint>(), Err(CheckpointError::Form), "{text:?}");
        }
    }

    #[test]
    fn only_the_key_of_the_origin_opens_a_checkpoint() {
        let log = key("log.example");
        let checkpoint = Checkpoint {
            origin: "log.example".into(),
            size: 3,
            root: edge(3).root(),
            extensions: Vec::new(),
        };
        let text = checkpoint.to_string();
        let other = key("other.example");
        let signatures = vec![other.sign(&text).unwrap(), log.sign(&text).unwrap()];
        let note = Note { text, signatures };
        assert_eq!(Checkpoint::open(&note.to_string(), log.verifier()), Ok((checkpoint, note.clone())));
        assert_eq!(
            Checkpoint::open(&note.to_string(), other.verifier()),
            Err(CheckpointError::Origin("log.example".into()))
        );
        let unsigned = Note { signatures: note.signatures[..1].to_vec(), ..note };
        assert_eq!(
            Checkpoint::open(&unsigned.to_string(), log.verifier()),
            Err(CheckpointError::Note(NoteError::NoKnownSignature))
        );
        let witness = SigningKey::from_seed("log.example", KeyKind::CosignatureV1, &[1; 32]).unwrap();
        let text = unsigned.text;
        let cosigned = Note { signatures: vec![witness.cosign(&text, 1).unwrap()], text };
        assert_eq!(
            Checkpoint::open(&cosigned.to_string(), witness.verifier()),
            Err(CheckpointError::Note(NoteError::Kind("log.example".into())))
        );
        assert!(matches!(
            Checkpoint::open("no note", log.verifier()),
            Err(CheckpointError::Note(NoteError::Malformed(_)))
        ));
    }
}
