//! Going over to another key of the log: only by what the key that is believed has signed.

use skillery_core::tlog::{Checkpoint, Note, VerifierKey, successors};

use super::state::State;
use super::{Log, LogError};
use crate::error::Result;
use crate::home::Home;
use crate::library::blocking;

impl Log {
    /// The keys that proofs from this registry on this machine may be signed with: the pinned one, and those from before
    /// that have handed the log over to it.
    pub fn known_keys(home: &Home, registry: &str) -> Result<Vec<VerifierKey>> {
        let state = State::new(home, registry);
        let Some(pinned) = state.key()? else { return Ok(Vec::new()) };
        Ok(std::iter::once(pinned).chain(state.former()?).collect())
    }

    /// The key that is believed, and those from before.
    pub(super) fn keys(&self) -> Result<Vec<VerifierKey>> {
        Ok(std::iter::once(self.key.clone()).chain(self.state.former()?).collect())
    }

    /// A checkpoint that the key has signed, of the registry's log as it is now. If it has another signature of the log, or
    /// that one alone, the registry is asked how the log came to it, and a key that ours has handed the log over to is
    /// pinned in its place.
    pub(super) async fn open_newest(&mut self, note: &str) -> Result<Checkpoint> {
        self.catch_up()?;
        let opened = Checkpoint::open(note, &self.key).ok();
        if opened.is_some() && !self.has_unknown_signature(note)? {
            return self.opened(note);
        }
        match self.client.rotations().await {
            Ok(rotations) => {
                let keys = successors(&self.key, rotations.iter().map(String::as_str));
                if let Some(last) = keys.last().filter(|last| Checkpoint::open(note, last).is_ok()) {
                    self.hand_over(last.clone(), &keys).await?;
                }
            }
            // The key that is believed is as good as before.
            Err(error) if opened.is_some() => {
                tracing::debug!(%error, "the rotations of the log are not known")
            }
            Err(error) => return Err(error),
        }
        self.opened(note)
    }

    /// Whether another key has signed a checkpoint in the name of the log.
    fn has_unknown_signature(&self, note: &str) -> Result<bool> {
        let keys = self.keys()?;
        let is_known = |id: [u8; 4]| keys.iter().any(|key| key.id() == id);
        Ok(Note::parse(note).is_ok_and(|note| {
            let mut own = note.signatures.iter().filter(|one| one.name == self.key.name());
            own.any(|signature| !is_known(signature.id))
        }))
    }

    /// Another process may have gone over to another key since this log was opened.
    fn catch_up(&mut self) -> Result<()> {
        if let Some(pinned) = self.state.key()?
            && pinned != self.key
            && self.state.former()?.contains(&self.key)
        {
            self.key = pinned;
        }
        Ok(())
    }

    /// Pins the key that the log was handed over to, by way of `keys`. What was seen under the one before stays.
    async fn hand_over(&mut self, to: VerifierKey, keys: &[VerifierKey]) -> Result<()> {
        let (state, from, next) = (self.state.clone(), self.key.clone(), to.clone());
        // The newest of those from before comes first.
        let between = keys.iter().rev().skip(1).cloned().chain(std::iter::once(from.clone()));
        let between: Vec<VerifierKey> = between.collect();
        let registry = self.registry();
        blocking(move || {
            let _lock = state.lock()?;
            let pinned = state.key()?;
            if pinned.as_ref() == Some(&next) {
                return Ok(());
            }
            if pinned.as_ref().is_some_and(|pinned| *pinned != from) {
                let fingerprint = from.fingerprint();
                return Err(LogError::OtherKey { registry, fingerprint }.into());
            }
            let mut former = between;
            for key in state.former()? {
                if !former.contains(&key) {
                    former.push(key);
                }
            }
            former.retain(|key| *key != next);
            // First what is no longer pinned, so that nothing is lost in between.
            state.keep_former(&former)?;
            state.pin(&next)
        })
        .await?;
        tracing::info!(
            from = self.key.fingerprint(),
            to = to.fingerprint(),
            "the log was handed over to another key"
        );
        self.key = to;
        Ok(())
    }
}
