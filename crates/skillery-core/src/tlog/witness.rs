//! What logs and witnesses say to each other (tlog-witness): a log asks for a cosignature over its checkpoint, and a
//! witness makes sure that it only ever grew.
//!
//! Here is only what is written and decided. Whoever serves must check and store in one step, or two requests at once
//! could lead a witness back.

use std::fmt;
use std::str::FromStr;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{KeyKind, Note, NoteError, NoteSignature, VerifierKey, parse_signatures};
use super::proof::verify_consistency;
use super::{empty_root, hash_line, parse_decimal, parse_hashes};
use crate::Digest;

/// The body of a request `add-checkpoint`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The leaves of the tree that the witness has cosigned last, as far as the log knows; 0 if none.
    pub old_size: u64,
    /// That the older tree is the beginning of the newer one.
    pub proof: Vec<Digest>,
    /// The checkpoint of the newer tree.
    pub checkpoint: Note,
}

/// Why a body is not such a request (400 Bad Request).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddCheckpointError {
    /// The lines before the checkpoint are not an old size and at most 63 hashes.
    #[error("the request does not begin with an old size and a proof")]
    Form,
    /// What follows is no note.
    #[error("the checkpoint in the request is not a signed note")]
    Note(#[source] NoteError),
    /// The note is no checkpoint.
    #[error("the note in the request is not a checkpoint")]
    Checkpoint(#[source] CheckpointError),
}

/// Why a witness does not cosign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The witness does not follow this log (404 Not Found).
    #[error("the log is not known")]
    UnknownLog,
    /// No key of the log has signed, or a known signature is wrong (403 Forbidden).
    #[error("the checkpoint is not signed by a known key of its log")]
    NotSigned,
    /// The old size is above that of the checkpoint (400 Bad Request).
    #[error("the old size is larger than that of the checkpoint")]
    Order,
    /// The witness cosigned another size last: this one (409 Conflict, with the size and a newline as
    /// `text/x.tlog.size`).
    #[error("the checkpoint that was cosigned last is of {0} leaves")]
    Conflict(u64),
    /// The proof does not lead from the one tree to the other (422 Unprocessable Entity).
    #[error("the checkpoint is not proven to follow the one that was cosigned last")]
    Inconsistent,
}

impl AddCheckpoint {
    /// Step one of a witness: the checkpoint, if a key of its log has signed it. The keys of a log are those among
    /// `logs` whose name is the origin, and that are not for cosignatures.
    pub fn open(&self, logs: &[VerifierKey]) -> Result<Checkpoint, Refusal> {
        let checkpoint: Checkpoint = self.checkpoint.text.parse().map_err(|_| Refusal::NotSigned)?;
        let of_log = |key: &&VerifierKey| key.kind() == KeyKind::Ed25519 && key.name() == checkpoint.origin;
        let keys: Vec<_> = logs.iter().filter(of_log).cloned().collect();
        if keys.is_empty() {
            return Err(Refusal::UnknownLog);
        }
        self.checkpoint.verify(&keys).map_err(|_| Refusal::NotSigned)?;
        Ok(checkpoint)
    }

    /// Step two: whether the checkpoint, which step one returned, follows the one that the witness cosigned last for
    /// this log, given by its size and root.
    pub fn check(&self, checkpoint: &Checkpoint, latest: Option<(u64, Digest)>) -> Result<(), Refusal> {
        let (size, root) = latest.unwrap_or_else(|| (0, empty_root()));
        if self.old_size > checkpoint.size {
            return Err(Refusal::Order);
        }
        if self.old_size != size {
            return Err(Refusal::Conflict(size));
        }
        verify_consistency(&self.proof, size, &root, checkpoint.size, &checkpoint.root)
            .map_err(|_| Refusal::Inconsistent)
    }
}

impl FromStr for AddCheckpoint {
    type Err = AddCheckpointError;

    fn from_str(body: &str) -> Result<Self, AddCheckpointError> {
        let (head, checkpoint) = body.split_once("\n\n").ok_or(AddCheckpointError::Form)?;
        let (old_size, proof) = parse_head(head).ok_or(AddCheckpointError::Form)?;
        let checkpoint = Note::parse(checkpoint).map_err(AddCheckpointError::Note)?;
        checkpoint.text.parse::<Checkpoint>().map_err(AddCheckpointError::Checkpoint)?;
        Ok(Self { old_size, proof, checkpoint })
    }
}

fn parse_head(head: &str) -> Option<(u64, Vec<Digest>)> {
    let mut lines = head.split('\n');
    let old_size = parse_decimal(lines.next()?.strip_prefix("old ")?)?;
    Some((old_size, parse_hashes(lines)?))
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "old {}", self.old_size)?;
        self.proof.iter().try_for_each(|hash| writeln!(formatter, "{}", hash_line(hash)))?;
        write!(formatter, "\n{}", self.checkpoint)
    }
}

/// The size in the answer of a witness that cosigned another one last: a number and a newline.
pub fn parse_conflict(body: &str) -> Option<u64> {
    parse_decimal(body.strip_suffix('\n')?)
}

/// The cosignatures in the answer of a witness that are of known keys. Fails if one of them is wrong or has the time 0,
/// or if there is none.
pub fn parse_cosignatures(
    body: &str,
    checkpoint: &Note,
    witnesses: &[VerifierKey],
) -> Result<Vec<NoteSignature>, NoteError> {
    let answer = Note { text: checkpoint.text.clone(), signatures: parse_signatures(body)? };
    let verified = answer.verify(witnesses)?;
    if verified.iter().any(|one| one.time.is_none_or(|seconds| seconds == 0)) {
        return Err(NoteError::NoKnownSignature);
    }
    let known = |signature: &NoteSignature| {
        verified.iter().any(|one| one.name == signature.name && one.id == signature.id)
    };
    Ok(answer.signatures.into_iter().filter(known).collect())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::super::note::SigningKey;
    use super::super::proof::consistency_proof;
    use super::super::tests::{edge, node_map};
    use super::*;

    /// The example of tlog-witness.
    const EXAMPLE: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u{2014} example.com/behind-the-sofa \
        Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
\u{2014} example.com/behind-the-sofa \
        opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
";

    fn key(name: &str, kind: KeyKind) -> SigningKey {
        SigningKey::from_seed(name, kind, &[1; 32]).unwrap()
    }

    fn request(old: u64, new: u64) -> AddCheckpoint {
        let nodes = node_map(new);
        let checkpoint = Checkpoint {
            origin: "log.example".into(),
            size: new,
            root: edge(new).root(),
            extensions: Vec::new(),
        };
        let text = checkpoint.to_string();
        let signatures = vec![key("log.example", KeyKind::Ed25519).sign(&text).unwrap()];
        AddCheckpoint {
            old_size: old,
            proof: consistency_proof(old, new, |node| Ok::<_, Infallible>(nodes[&node])).unwrap(),
            checkpoint: Note { text, signatures },
        }
    }

    #[test]
    fn the_example_of_the_specification_is_read() {
        let request: AddCheckpoint = EXAMPLE.parse().unwrap();
        assert_eq!(request.old_size, 20_852_014);
        assert_eq!(request.proof.len(), 4);
        assert_eq!(request.checkpoint.signatures.len(), 2);
        assert_eq!(request.to_string(), EXAMPLE);
    }

    #[test]
    fn what_is_not_quite_a_request_is_refused() {
        let hash = hash_line(&empty_root());
        for text in [
            String::new(),
            EXAMPLE.replace("old 2", "old 02"),
            EXAMPLE.replace("old 2", "old  2"),
            EXAMPLE.replace("old 2", "size 2"),
            EXAMPLE.replace("20852014\n", "20852014\n\n"),
            EXAMPLE.replace("20852014\n", "20852014 \n"),
            EXAMPLE.replace("20852014\n", &format!("20852014\n{}", format!("{hash}\n").repeat(60))),
            EXAMPLE.replace("kaw=", "kaw"),
            EXAMPLE.replacen("\n\n", "\n", 1),
            EXAMPLE.replacen("\n\n", "\n\n\n", 1),
            EXAMPLE.replace('\n', "\r\n"),
            EXAMPLE.trim_end().to_owned(),
        ] {
            assert!(text.parse::<AddCheckpoint>().is_err(), "{text:.200}");
        }
        let most = EXAMPLE.replace("20852014\n", &format!("20852014\n{}", format!("{hash}\n").repeat(59)));
        assert_eq!(most.parse::<AddCheckpoint>().unwrap().proof.len(), 63);
    }

    #[test]
    fn a_witness_follows_a_log_that_grows() {
        let logs = [key("log.example", KeyKind::Ed25519).verifier().clone()];
        let latest = |size| (size > 0).then(|| (size, edge(size).root()));
        for (old, new) in [(0, 0), (0, 1), (0, 7), (3, 7), (4, 7), (7, 7)] {
            let request: AddCheckpoint = request(old, new).to_string().parse().unwrap();
            let checkpoint = request.open(&logs).unwrap();
            assert_eq!(request.check(&checkpoint, latest(old)), Ok(()));
            assert_eq!(request.check(&checkpoint, latest(old + 1)), Err(Refusal::Conflict(old + 1)));
        }
    }

    #[test]
    fn a_witness_says_why_it_refuses() {
        let log = key("log.example", KeyKind::Ed25519);
        let logs = [log.verifier().clone()];
        let good = request(3, 7);
        let checkpoint = good.open(&logs).unwrap();
        let latest = Some((3, edge(3).root()));

        assert_eq!(good.open(&[]), Err(Refusal::UnknownLog));
        let cosigner = key("log.example", KeyKind::CosignatureV1);
        assert_eq!(good.open(&[cosigner.verifier().clone()]), Err(Refusal::UnknownLog));
        let other = SigningKey::from_seed("log.example", KeyKind::Ed25519, &[2; 32]).unwrap();
        assert_eq!(good.open(&[other.verifier().clone()]), Err(Refusal::NotSigned));
        let mut wrong = good.clone();
        wrong.checkpoint.signatures[0].signature[0] ^= 1;
        assert_eq!(wrong.open(&logs), Err(Refusal::NotSigned));

        let larger = AddCheckpoint { old_size: 8, ..good.clone() };
        assert_eq!(larger.check(&checkpoint, latest), Err(Refusal::Order));
        assert_eq!(good.check(&checkpoint, None), Err(Refusal::Conflict(0)));
        assert_eq!(good.check(&checkpoint, Some((3, edge(4).root()))), Err(Refusal::Inconsistent));
        let unproven = AddCheckpoint { proof: Vec::new(), ..good.clone() };
        assert_eq!(unproven.check(&checkpoint, latest), Err(Refusal::Inconsistent));
        let first = AddCheckpoint { old_size: 0, ..good };
        assert_eq!(first.check(&checkpoint, None), Err(Refusal::Inconsistent));
        let again = request(7, 7);
        assert_eq!(again.check(&checkpoint, Some((7, edge(6).root()))), Err(Refusal::Inconsistent));
        let empty = Checkpoint { size: 0, ..checkpoint };
        assert_eq!(request(0, 0).check(&empty, None), Err(Refusal::Inconsistent));
    }

    #[test]
    fn cosignatures_of_known_witnesses_are_taken_from_an_answer() {
        let note = request(0, 7).checkpoint;
        let witness = key("witness.example", KeyKind::CosignatureV1);
        let stranger = key("stranger.example", KeyKind::CosignatureV1);
        let keys = [witness.verifier().clone()];
        let (mine, other) = (witness.cosign(&note.text, 5).unwrap(), stranger.cosign(&note.text, 5).unwrap());
        let body = format!("{other}\n{mine}\n");
        assert_eq!(parse_cosignatures(&body, &note, &keys), Ok(vec![mine]));
        let timeless = witness.cosign(&note.text, 0).unwrap();
        for body in ["", "\n", &format!("{other}\n"), &format!("{timeless}\n"), &body[..body.len() - 1]] {
            assert!(parse_cosignatures(body, &note, &keys).is_err());
        }
        assert_eq!(parse_conflict("700\n"), Some(700));
        assert_eq!(parse_conflict("700"), None);
        assert_eq!(parse_conflict("0700\n"), None);
    }
}
