//! What the library keeps of a version beside its files: what is said about it, the proof, signatures, approvals.

use std::collections::BTreeMap;

use skillery_core::Digest;

use crate::error::Result;
use crate::log::{Kept, is_kept_file};

/// What is said about the version.
pub(super) const MANIFEST_FILE: &str = "skill.json";
/// The proof that the version is in the log of its registry. The ending is that of the form (c2sp.org/tlog-proof).
pub(super) const PROOF_FILE: &str = "skill.tlog-proof";

/// Whether a file in the folder of a version was put there by this library, and is none of the version.
pub(super) fn is_beside(name: &str) -> bool {
    matches!(name, MANIFEST_FILE | PROOF_FILE) || is_kept_file(name)
}

/// What is kept of a version, apart from what is said about it.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// The proof that it is in the log.
    pub(super) proof: Option<String>,
    /// Its signatures and approvals, and what they rest on.
    pub(super) kept: Kept,
}

impl Beside {
    /// The files, by name.
    pub(super) fn files(&self) -> Result<BTreeMap<String, String>> {
        let mut files = self.kept.to_files()?;
        files.extend(self.proof.clone().map(|proof| (PROOF_FILE.to_owned(), proof)));
        Ok(files)
    }

    /// The files with signatures, approvals and what they rest on, and their digests.
    pub(super) fn kept_files(&self) -> Result<BTreeMap<String, Digest>> {
        let files = self.kept.to_files()?;
        Ok(files.into_iter().map(|(name, text)| (name, Digest::of(text.as_bytes()))).collect())
    }

    /// How many have signed the checkpoint of the proof.
    pub(super) fn cosigners(&self) -> usize {
        cosigners(self.proof.as_deref())
    }
}

/// Whether two keys are of one log, as far as both are known: keys change, the name of a log does not.
pub(super) fn same_log(one: Option<&str>, other: Option<&str>) -> bool {
    let name = |key: &'_ str| key.split('+').next().map(str::to_owned);
    match (one, other) {
        (Some(one), Some(other)) => name(one) == name(other),
        _ => true,
    }
}

/// How many have signed the checkpoint of a proof.
pub(super) fn cosigners(proof: Option<&str>) -> usize {
    proof.map_or(0, |proof| proof.matches("\n\u{2014} ").count())
}
