//! Receipts: proofs that an entry is in the log, which need nobody to be checked.
//!
//! A receipt is a text of the form `c2sp.org/tlog-proof@v1`. Its extra data is the entry's [`Opening`] as JSON, so that it
//! says by itself what was logged.

use std::fmt;
use std::str::FromStr;

use crate::Digest;
use crate::entry::{Entry, EntryError, Opening};
use crate::tlog::{Checkpoint, LogProof, LogProofError, Note, VerifierKey};

/// The proof that an entry is in the log, with the entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// The entry, and what its leaf was made from.
    pub opening: Opening,
    proof: LogProof,
}

/// The text is no receipt, or proves nothing.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReceiptError {
    /// The proof.
    #[error(transparent)]
    Proof(#[from] LogProofError),
    /// The entry.
    #[error("the entry of the proof cannot be read: {0}")]
    Entry(#[from] EntryError),
    /// The proof has no entry with it.
    #[error("the proof does not say what it proves")]
    NoEntry,
}

impl Receipt {
    /// Puts an entry, its number and its proof under a signed checkpoint together.
    pub fn new(
        opening: Opening,
        index: u64,
        hashes: Vec<Digest>,
        checkpoint: &str,
    ) -> Result<Self, ReceiptError> {
        let extra = serde_json::to_vec(&opening).map_err(|error| EntryError::Form(error.to_string()))?;
        let checkpoint = Note::parse(checkpoint).map_err(LogProofError::Note)?;
        Ok(Self { opening, proof: LogProof { extra: Some(extra), index, hashes, checkpoint } })
    }

    /// The entry's number.
    pub fn index(&self) -> u64 {
        self.proof.index
    }

    /// The signed checkpoint, not checked.
    pub fn checkpoint(&self) -> String {
        self.proof.checkpoint.to_string()
    }

    /// What was logged, not checked.
    pub fn entry(&self) -> Result<Entry, ReceiptError> {
        Ok(self.opening.parse()?)
    }

    /// Checks that the entry is in the log with this key. Returns it, and the checkpoint that covers it.
    pub fn verify(&self, key: &VerifierKey) -> Result<(Entry, Checkpoint), ReceiptError> {
        let leaf = self.opening.leaf_hash()?;
        let checkpoint = self.proof.verify(&leaf, key)?;
        Ok((self.entry()?, checkpoint))
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.proof.fmt(formatter)
    }
}

impl FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(text: &str) -> Result<Self, ReceiptError> {
        let proof: LogProof = text.parse()?;
        let extra = proof.extra.as_deref().ok_or(ReceiptError::NoEntry)?;
        let opening = serde_json::from_slice(extra).map_err(|error| EntryError::Form(error.to_string()))?;
        Ok(Self { opening, proof })
    }
}
