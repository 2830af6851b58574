//! Going over to another key of the log: only by what the key that is believed has signed, and what is in the tree.

use std::fmt;

use skillery_core::entry::Leaf;
use skillery_core::event::Event;
use skillery_core::tlog::{Checkpoint, MissingNode, Note, Rotation, VerifierKey, proof};

use super::state::State;
use super::told::Untold;
use super::{Log, LogError, read};
use crate::error::{Error, Result};
use crate::home::Home;

/// Rotations of a log that are followed at most.
const MOST: usize = 1_000;

/// A key that checkpoints are believed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Believed {
    /// The key.
    pub key: VerifierKey,
    /// The leaves of the largest tree that it answers for, where it has handed the log over since.
    pub until: Option<u64>,
}

impl Believed {
    /// The keys that are believed of this registry on this machine: the pinned one, and those from before. None where none
    /// is pinned.
    fn pinned(state: &State) -> Result<Vec<Self>> {
        let Some(key) = state.key()? else { return Ok(Vec::new()) };
        Ok(std::iter::once(key.into()).chain(state.former()?.unwrap_or_default()).collect())
    }

    /// Whether it answers for a tree of this size. Whoever has an old key may sign on; that counts for nothing.
    pub fn answers_for(&self, size: u64) -> bool {
        self.until.is_none_or(|until| size <= until)
    }
}

impl From<VerifierKey> for Believed {
    fn from(key: VerifierKey) -> Self {
        Self { key, until: None }
    }
}

impl From<&Rotation> for Believed {
    fn from(rotation: &Rotation) -> Self {
        Self { key: rotation.from.clone(), until: Some(rotation.size) }
    }
}

/// That the log of a registry was handed over, and this machine has followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The registry.
    pub registry: String,
    /// The key that was believed before.
    pub from: VerifierKey,
    /// The key that is believed from now on.
    pub to: VerifierKey,
    /// Whether the one before stands in the configuration.
    pub is_configured: bool,
}

impl fmt::Display for Followed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from.fingerprint(), self.to.fingerprint());
        let registry = &self.registry;
        write!(
            formatter,
            "the log of {registry} was handed over from its key {from} to {to}, which is pinned now"
        )?;
        if self.is_configured {
            write!(formatter, "; the configured `log_key` is the old one: set it to `{}`", self.to)?;
        }
        Ok(())
    }
}

static FOLLOWED: Untold<Followed> = Untold::new();

/// What was followed since this was asked last, to be told once.
pub fn take_followed() -> Vec<Followed> {
    FOLLOWED.take()
}

/// How a log came to the key that signs it now, checked.
#[derive(Debug, Default)]
pub(super) struct Lineage {
    rotations: Vec<Rotation>,
    notes: Vec<String>,
}

impl Lineage {
    /// Reads the notes of a log that this key signs now.
    fn of(notes: Vec<String>, key: &VerifierKey) -> std::result::Result<Self, String> {
        if notes.len() > MOST {
            return Err(format!("it has more than {MOST} rotations"));
        }
        let rotations =
            Rotation::chain(notes.iter().map(String::as_str)).map_err(|error| error.to_string())?;
        if rotations.last().is_some_and(|last| last.to != *key) {
            return Err("its last rotation leads to a key that has not signed it".to_owned());
        }
        Ok(Self { rotations, notes })
    }

    /// The key that signs now, if there was another one before.
    pub(super) fn to(&self) -> Option<&VerifierKey> {
        self.rotations.last().map(|last| &last.to)
    }

    /// The signed notes, the oldest first.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether all of these are among its notes. Rotations that were seen once are part of the log for ever, and older proofs
    /// rest on them.
    pub(super) fn has(&self, kept: &[String]) -> bool {
        kept.iter().all(|note| self.notes.contains(note))
    }
}

impl Log {
    /// The keys that what is kept on this machine may be signed with: the configured one, else the pinned one, and those
    /// that have handed the log over to it. None where none is known.
    pub fn believed(home: &Home, registry: &str, configured: Option<&VerifierKey>) -> Result<Vec<Believed>> {
        let known = Believed::pinned(&State::new(home, registry))?;
        match configured {
            Some(key) if known.iter().all(|believed| believed.key != *key) => Ok(vec![key.clone().into()]),
            _ => Ok(known),
        }
    }

    /// How the log came to its key, the oldest rotation first, each checked as if this machine had followed it. Asks for the
    /// newest checkpoint first.
    pub async fn rotations(&mut self) -> Result<Vec<Rotation>> {
        let newest = self.update().await?;
        let lineage = Lineage::of(self.client.rotations().await?, &self.key);
        let lineage = lineage.map_err(|reason| self.not_followed(reason))?;
        self.check_lineage(&newest, &lineage).await?;
        Ok(lineage.rotations)
    }

    /// The key that is believed, and those from before.
    pub(super) fn keys(&self) -> Result<Vec<Believed>> {
        match self.state.key()? {
            Some(pinned) if pinned == self.key => Believed::pinned(&self.state),
            // What was seen under another key says nothing of this one.
            _ => Ok(vec![self.key.clone().into()]),
        }
    }

    /// A checkpoint that one of these keys has signed, while it answered for the log, and which.
    pub(super) fn opened(&self, note: &str) -> Result<(VerifierKey, Checkpoint)> {
        for believed in self.keys()? {
            match Checkpoint::open(note, &believed.key) {
                Ok((checkpoint, _)) if believed.answers_for(checkpoint.size) => {
                    return Ok((believed.key, checkpoint));
                }
                Ok(_) => tracing::debug!("a key that has handed the log over has signed on"),
                Err(error) => tracing::debug!(%error, "the checkpoint is not believed"),
            }
        }
        Err(self.other_key())
    }

    fn other_key(&self) -> Error {
        let (registry, fingerprint) = (self.registry(), self.key.fingerprint());
        LogError::OtherKey { registry, fingerprint }.into()
    }

    /// The newest checkpoint of the registry. If the key that is believed has not signed it, the registry must show how that
    /// key has handed the log over to the one that has. The keys from before are learned with it, and on first contact:
    /// older proofs rest on them.
    pub(super) async fn opened_newest(&mut self, note: &str) -> Result<(Checkpoint, Option<Lineage>)> {
        self.catch_up()?;
        let (checkpoint, lineage) = match Checkpoint::open(note, &self.key) {
            Ok((checkpoint, _)) => {
                let is_pinned = self.state.key()?.as_ref() == Some(&self.key);
                if is_pinned && self.state.rotations()?.is_some() {
                    return Ok((checkpoint, None));
                }
                let notes = match self.client.rotations().await {
                    Ok(notes) => notes,
                    // The key is as good without them.
                    Err(error) => {
                        tracing::debug!(%error, "the rotations of the log are not known");
                        return Ok((checkpoint, None));
                    }
                };
                let lineage = Lineage::of(notes, &self.key).map_err(|reason| self.not_followed(reason))?;
                (checkpoint, lineage)
            }
            Err(error) => {
                tracing::debug!(%error, "the checkpoint is not signed with the key that is pinned");
                self.other_newest(note).await?
            }
        };
        if self.state.key()?.as_ref() == Some(&self.key)
            && !lineage.has(&self.state.rotations()?.unwrap_or_default())
        {
            return Err(self.rotations_missing());
        }
        self.check_lineage(&checkpoint, &lineage).await?;
        Ok((checkpoint, Some(lineage)))
    }

    /// A checkpoint that another key has signed, and how the registry says that the log was handed over to it.
    async fn other_newest(&self, note: &str) -> Result<(Checkpoint, Lineage)> {
        // What is no checkpoint of this log needs no explanation.
        let is_ours = Note::parse(note)
            .is_ok_and(|note| note.text.parse::<Checkpoint>().is_ok_and(|one| one.origin == self.key.name()));
        if !is_ours {
            return Err(self.other_key());
        }
        let notes = self.client.rotations().await?;
        let Some(last) = notes.last() else { return Err(self.other_key()) };
        let to = Rotation::open(last).map_err(|error| self.not_followed(error))?.to;
        if to == self.key {
            // The log has this key, and this checkpoint has not.
            return Err(self.other_key());
        }
        let lineage = Lineage::of(notes, &to).map_err(|reason| self.not_followed(reason))?;
        let Ok((checkpoint, _)) = Checkpoint::open(note, &to) else {
            return Err(self.not_followed("its last rotation leads to a key that has not signed it"));
        };
        let Some(ours) = lineage.rotations.iter().find(|rotation| rotation.from == self.key) else {
            // Keys follow each other, and none of them is ours.
            return Err(self.other_key());
        };
        if let Some(known) = self.known()? {
            let seen = self.opened(&known)?.1.size;
            if seen > ours.size {
                let size = ours.size;
                let reason =
                    format!("it was handed over after {size} entries, and its key has signed {seen} before");
                return Err(self.not_followed(reason));
            }
        }
        Ok((checkpoint, lineage))
    }

    /// Whether each rotation is in the tree, at the place and over the tree that it names.
    async fn check_lineage(&mut self, checkpoint: &Checkpoint, lineage: &Lineage) -> Result<()> {
        for (rotation, note) in lineage.rotations.iter().zip(&lineage.notes) {
            self.check_rotation(checkpoint, rotation, note).await?;
        }
        Ok(())
    }

    async fn check_rotation(
        &mut self,
        checkpoint: &Checkpoint,
        rotation: &Rotation,
        note: &str,
    ) -> Result<()> {
        let size = rotation.size;
        if size >= checkpoint.size {
            return Err(self.not_followed(format!("entry {size}, which hands it over, is behind its end")));
        }
        let nodes = self.nodes(checkpoint, &proof::root_nodes(size)).await?;
        let root = proof::root(size, |node| nodes.get(&node).copied().ok_or(MissingNode(node)))
            .map_err(Error::internal("compute an older tree"))?;
        if root != rotation.root {
            return Err(
                self.not_followed(format!("its first {size} entries are not those that were handed over"))
            );
        }
        let leaf = read::leaves_of(self, checkpoint, size, size + 1).await?.pop().unwrap_or_default();
        match Leaf::parse(&leaf) {
            Ok(Leaf::Open(entry)) if matches!(&entry.event, Event::LogKeyRotated { note: logged } if logged == note) => {
                Ok(())
            }
            _ => Err(self.not_followed(format!("entry {size} is not the rotation that is shown"))),
        }
    }

    pub(super) fn rotations_missing(&self) -> Error {
        self.not_followed("rotations that it has shown before are missing")
    }

    fn not_followed(&self, reason: impl ToString) -> Error {
        LogError::NotHandedOver {
            registry: self.registry(),
            fingerprint: self.key.fingerprint(),
            reason: reason.to_string(),
        }
        .into()
    }

    /// Another process may have gone over to another key since this log was opened.
    fn catch_up(&mut self) -> Result<()> {
        if let Some(pinned) = self.state.key()?
            && pinned != self.key
            && Believed::pinned(&self.state)?.iter().any(|believed| believed.key == self.key)
        {
            self.key = pinned;
        }
        Ok(())
    }

    /// From now on the log is believed by this key; what was pinned says so already.
    pub(super) fn followed(&mut self, to: VerifierKey) {
        let is_configured = self.client.configured_log_key() == Some(&self.key);
        let from = std::mem::replace(&mut self.key, to.clone());
        let followed = Followed { registry: self.registry(), from, to, is_configured };
        FOLLOWED.add(followed);
    }
}
