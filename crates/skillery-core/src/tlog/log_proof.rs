//! Proofs that are complete in themselves: that an entry is in a log, with the checkpoint, in one text (tlog-proof).

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{Note, NoteError, VerifierKey};
use super::proof::{ProofError, verify_inclusion};
use super::{hash_line, parse_decimal, parse_hashes};
use crate::Digest;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Bytes of extra data at most.
const MAX_EXTRA: usize = 64 * 1_024;

/// A proof of inclusion that can be verified without a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogProof {
    /// Whatever the log's users agreed upon; nothing proves it. At most 64 KiB; empty is written as none.
    pub extra: Option<Vec<u8>>,
    /// The index of the leaf.
    pub index: u64,
    /// From the sibling of the leaf up to the child of the root.
    pub hashes: Vec<Digest>,
    /// The checkpoint, with the signatures of the log and of witnesses.
    pub checkpoint: Note,
}

/// Why such a proof is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    /// The text is not of the form of tlog-proof.
    #[error("this is not a proof of a transparency log")]
    Form,
    /// The checkpoint in it is no note.
    #[error("the checkpoint in the proof is not a signed note")]
    Note(#[source] NoteError),
    /// The checkpoint is not one of the log.
    #[error("the checkpoint in the proof is not accepted")]
    Checkpoint(#[from] CheckpointError),
    /// The hashes do not lead from the leaf to the root.
    #[error("the entry is not proven to be in the log")]
    Proof(#[from] ProofError),
}

impl LogProof {
    /// Verifies that the entry with this leaf hash is in the tree of the checkpoint, and that the log of this key has
    /// signed that. Witnesses are not asked for; [`super::Note::verify`] of the checkpoint tells of them.
    pub fn verify(&self, leaf_hash: &Digest, key: &VerifierKey) -> Result<Checkpoint, LogProofError> {
        let checkpoint = Checkpoint::of(&self.checkpoint, key)?;
        verify_inclusion(&self.hashes, self.index, checkpoint.size, leaf_hash, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

impl FromStr for LogProof {
    type Err = LogProofError;

    fn from_str(text: &str) -> Result<Self, LogProofError> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or(LogProofError::Form)?;
        let (extra, index, hashes) = parse_head(head).ok_or(LogProofError::Form)?;
        let checkpoint = Note::parse(checkpoint).map_err(LogProofError::Note)?;
        checkpoint.text.parse::<Checkpoint>()?;
        Ok(Self { extra, index, hashes, checkpoint })
    }
}

type Head = (Option<Vec<u8>>, u64, Vec<Digest>);

fn parse_head(head: &str) -> Option<Head> {
    let mut lines = head.split('\n');
    if lines.next()? != HEADER {
        return None;
    }
    let mut line = lines.next()?;
    let mut extra = None;
    if let Some(encoded) = line.strip_prefix("extra ") {
        // Three bytes become four characters. Without data the line is left out.
        if encoded.is_empty() || encoded.len() > MAX_EXTRA.div_ceil(3) * 4 {
            return None;
        }
        extra = Some(STANDARD.decode(encoded).ok().filter(|extra| extra.len() <= MAX_EXTRA)?);
        line = lines.next()?;
    }
    let index = parse_decimal(line.strip_prefix("index ")?)?;
    Some((extra, index, parse_hashes(lines)?))
}

impl fmt::Display for LogProof {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{HEADER}")?;
        if let Some(extra) = self.extra.as_deref().filter(|extra| !extra.is_empty()) {
            writeln!(formatter, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(formatter, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(formatter, "{}", hash_line(hash)))?;
        write!(formatter, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::note::{KeyKind, SigningKey};
    use super::super::proof::inclusion_proof;
    use super::super::tests::{edge, leaf, node_map};
    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_seed("log.example", KeyKind::Ed25519, &[1; 32]).unwrap()
    }

    fn example(extra: Option<&[u8]>) -> LogProof {
        let nodes = node_map(11);
        let checkpoint = Checkpoint {
            origin: "log.example".into(),
            size: 11,
            root: edge(11).root(),
            extensions: Vec::new(),
        };
        let text = checkpoint.to_string();
        let signatures = vec![key().sign(&text).unwrap()];
        LogProof {
            extra: extra.map(<[u8]>::to_vec),
            index: 6,
            hashes: inclusion_proof(6, 11, |node| Ok::<_, Infallible>(nodes[&node])).unwrap(),
            checkpoint: Note { text, signatures },
        }
    }

    #[test]
    fn a_proof_is_written_read_and_verified() {
        insta::assert_snapshot!(example(Some(b"extra data")));
        for extra in [None, Some(&b"x"[..]), Some(&[0; MAX_EXTRA])] {
            let proof = example(extra);
            let read: LogProof = proof.to_string().parse().unwrap();
            assert_eq!(read, proof);
            assert_eq!(read.verify(&leaf(6), key().verifier()).unwrap().size, 11);
        }
        assert_eq!(example(Some(b"")).to_string(), example(None).to_string());
    }

    #[test]
    fn a_proof_of_something_else_is_refused() {
        let proof = example(None);
        let log = key();
        assert_eq!(proof.verify(&leaf(7), log.verifier()), Err(LogProofError::Proof(ProofError::Root)));
        let moved = LogProof { index: 5, ..proof.clone() };
        assert_eq!(moved.verify(&leaf(6), log.verifier()), Err(LogProofError::Proof(ProofError::Root)));
        let outside = LogProof { index: 11, ..proof.clone() };
        assert_eq!(outside.verify(&leaf(6), log.verifier()), Err(LogProofError::Proof(ProofError::Range)));
        let other = SigningKey::from_seed("log.example", KeyKind::Ed25519, &[2; 32]).unwrap();
        let unsigned = LogProofError::Checkpoint(CheckpointError::Note(NoteError::NoKnownSignature));
        assert_eq!(proof.verify(&leaf(6), other.verifier()), Err(unsigned));
    }

    #[test]
    fn what_is_not_quite_a_proof_is_refused() {
        let good = example(Some(b"extra data")).to_string();
        let hash = hash_line(&leaf(0));
        for text in [
            String::new(),
            good.replace("@v1", "@v2"),
            good.replace("index 6", "index 06"),
            good.replace("index 6", "index"),
            good.replace("index 6\n", ""),
            good.replace("extra ", "extra  "),
            good.replace("extra ZXh0cmEgZGF0YQ==", "extra "),
            good.replace("extra ZXh0cmEgZGF0YQ==", "extra ZXh0cmEgZGF0YQ"),
            good.replace("extra ZXh0cmEgZGF0YQ==\nindex 6", "index 6\nextra ZXh0cmEgZGF0YQ=="),
            good.replace("index 6", &format!("index 6{}", format!("\n{hash}").repeat(64))),
            good.replace("index 6", "index 6\nshort"),
            good.replacen("\n\n", "\n", 1),
            good.replace('\n', "\r\n"),
            example(Some(&[0; MAX_EXTRA + 1])).to_string(),
        ] {
            assert_eq!(text.parse::<LogProof>(), Err(LogProofError::Form), "{text:.200}");
        }
        assert!(matches!(good.trim_end().parse::<LogProof>(), Err(LogProofError::Note(_))));
        assert_eq!(
            good.replacen("\n\n", "\n\n\n", 1).parse::<LogProof>(),
            Err(LogProofError::Checkpoint(CheckpointError::Form))
        );
    }
}
