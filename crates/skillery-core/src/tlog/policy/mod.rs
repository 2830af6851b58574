//! Which logs and witnesses somebody trusts, and how many of the latter must have seen a checkpoint (tlog-policy).

mod text;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::note::{Note, NoteError, Verified, VerifierKey};

pub use text::PolicyError;

/// Seconds that the clock of a witness may be ahead of ours.
const AHEAD: u64 = 5 * 60;

/// A policy, read from its text by [`Policy::parse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    /// Nothing if no witness is needed.
    quorum: Option<Member>,
}

/// A log that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key, whose name is the origin of its checkpoints.
    pub key: VerifierKey,
    /// Where it is, if the policy says so.
    pub url: Option<String>,
}

/// A witness that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// What the policy calls it.
    pub name: String,
    /// Its key, for cosignatures.
    pub key: VerifierKey,
    /// Where it is, if the policy says so.
    pub url: Option<String>,
}

/// At least `threshold` of the members, all of which are defined before the group.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    threshold: usize,
    members: Vec<Member>,
}

/// A witness or a group, by its place in the list of those.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// A checkpoint that a policy accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The head of the log.
    pub checkpoint: Checkpoint,
    /// Who signed: the log, and every known witness, also those whose time does not count.
    pub verified: Vec<Verified>,
}

/// Why a policy does not accept a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefusedError {
    /// It is no note, or a known signature is wrong.
    #[error("the checkpoint is not a note that a known key signed")]
    Note(#[from] NoteError),
    /// The text of the note is not that of a checkpoint.
    #[error("the signed note is not a checkpoint")]
    Checkpoint(#[from] CheckpointError),
    /// None of the logs of the policy has signed it as its own.
    #[error("no log of the policy has signed the checkpoint of `{0}`")]
    Log(String),
    /// Too few witnesses have cosigned it.
    #[error("too few witnesses of the policy have cosigned the checkpoint")]
    Quorum,
    /// Enough witnesses have cosigned it, but too few of them within the time that counts.
    #[error("too few witnesses of the policy have cosigned the checkpoint lately")]
    Stale,
}

impl Policy {
    /// The logs, in the order of the text.
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// The witnesses, in the order of the text.
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Whether these signatures, which were verified, make up the quorum.
    pub fn is_satisfied(&self, verified: &[Verified]) -> bool {
        let cosigned = |witness: &PolicyWitness| {
            let of_key = |one: &Verified| one.name == witness.key.name() && one.id == witness.key.id();
            verified.iter().any(|one| of_key(one) && one.time.is_some())
        };
        let witnesses: Vec<bool> = self.witnesses.iter().map(cosigned).collect();
        let mut groups: Vec<bool> = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            // Groups only have members from before, so that their answers are there.
            let count = group.members.iter().filter(|member| member.is_true(&witnesses, &groups)).count();
            groups.push(count >= group.threshold);
        }
        self.quorum.is_none_or(|member| member.is_true(&witnesses, &groups))
    }

    /// Whether a checkpoint is signed by one of the logs as its own and cosigned by the quorum. With `now`, in seconds
    /// since 1970, cosignatures only count that are at most `max_age` seconds old, if that is given, and at most five
    /// minutes ahead.
    pub fn check(
        &self,
        note: &str,
        now: Option<u64>,
        max_age: Option<u64>,
    ) -> Result<Accepted, RefusedError> {
        let note = Note::parse(note)?;
        let checkpoint: Checkpoint = note.text.parse()?;
        let logs = self.logs.iter().map(|log| &log.key);
        let keys: Vec<_> = logs.clone().chain(self.witnesses.iter().map(|one| &one.key)).cloned().collect();
        let verified = note.verify(&keys)?;
        let has_signed =
            |key: &VerifierKey| verified.iter().any(|one| one.name == key.name() && one.id == key.id());
        if !logs.into_iter().any(|key| key.name() == checkpoint.origin && has_signed(key)) {
            return Err(RefusedError::Log(checkpoint.origin));
        }
        if !self.is_satisfied(&verified) {
            return Err(RefusedError::Quorum);
        }
        if let Some(now) = now {
            let oldest = max_age.map_or(0, |seconds| now.saturating_sub(seconds));
            let counts = |time| (oldest..=now.saturating_add(AHEAD)).contains(&time);
            let recent: Vec<_> =
                verified.iter().filter(|one| one.time.is_some_and(counts)).cloned().collect();
            if !self.is_satisfied(&recent) {
                return Err(RefusedError::Stale);
            }
        }
        Ok(Accepted { checkpoint, verified })
    }
}

impl Member {
    fn is_true(self, witnesses: &[bool], groups: &[bool]) -> bool {
        let found = match self {
            Self::Witness(index) => witnesses.get(index),
            Self::Group(index) => groups.get(index),
        };
        found.copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests;
