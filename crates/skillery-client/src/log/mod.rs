//! Following the log of a registry: believing its key, not its answers.
//!
//! The client keeps the newest checkpoint that it has found good. Every later one must continue it, which is computed here
//! from tiles; what a tile says is believed only as far as the checkpoint's root covers it.

mod approved;
mod entries;
mod error;
mod kept;
mod monitor;
mod read;
mod rotation;
mod signed;
mod state;
mod told;
mod version;
mod witnessed;

use std::collections::HashMap;

use skillery_core::tlog::{Checkpoint, MissingNode, Node, Tile, VerifierKey, proof};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::blocking;

pub use self::approved::{Approved, ApprovedView, KeptApprovals, check_kept_approvals};
pub use self::error::LogError;
pub use self::kept::{Kept, KeptSignature, KeptSignatures, Signed, check_kept_signatures};
pub(crate) use self::kept::{STATEMENT_FILE, is_kept_file, not_kept};
pub use self::monitor::{MonitorReport, Watched};
use self::rotation::Lineage;
pub use self::rotation::{Believed, Followed, take_followed};
pub use self::signed::{SignedView, statement_files};
use self::state::State;
pub use self::told::{Met, take_met};
pub use self::version::{Demands, Logged, Offered, check_kept, check_kept_by};
pub(crate) use self::witnessed::Witnessing;

/// How often a checkpoint that is older than the one that is known is asked for again: another process may have seen a
/// newer one between the question and the answer.
const TRIES: u32 = 3;

/// The log of one registry, as far as this machine has followed it.
#[derive(Debug)]
pub struct Log {
    client: Client,
    state: State,
    key: VerifierKey,
    is_new: bool,
    /// Whether nobody but the registry has said that it has this key.
    is_met: bool,
    newest: Option<(Checkpoint, String)>,
    /// Rotations that the registry has shown and that are not kept yet.
    shown: Option<Vec<String>>,
    /// Tiles of the newest checkpoint's tree that were found good.
    tiles: HashMap<Tile, Vec<u8>>,
}

impl Log {
    /// The log of the client's registry. The configured key is believed where there is one; otherwise the one that was pinned
    /// on first contact; otherwise `introduced`, which a lock file may do; otherwise the key that the registry names is
    /// pinned with the first checkpoint that it signs.
    pub async fn open(client: &Client, home: &Home, introduced: Option<&VerifierKey>) -> Result<Self> {
        let state = State::new(home, client.registry());
        if let Some(evidence) = state.evidence() {
            return Err(LogError::Forked { registry: client.registry().to_owned(), evidence }.into());
        }
        let pinned = state.key()?;
        // A configured key that has handed the log over is believed no longer than a pinned one.
        let former = state.former()?.unwrap_or_default();
        let is_former = |key: &VerifierKey| former.iter().any(|believed| believed.key == *key);
        let configured = client.configured_log_key().filter(|key| !is_former(key)).cloned();
        let known = configured.or_else(|| pinned.clone()).or_else(|| introduced.cloned());
        let (key, is_new, is_met) = match known {
            Some(key) => {
                let is_new = pinned.as_ref() != Some(&key);
                (key, is_new, false)
            }
            None => (client.log_key().await?, true, true),
        };
        Ok(Self {
            client: client.clone(),
            state,
            key,
            is_new,
            is_met,
            newest: None,
            shown: None,
            tiles: HashMap::new(),
        })
    }

    /// The key that its checkpoints are believed by.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Whether the key was not pinned on this machine before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The newest checkpoint, once [`Log::update`] has found one.
    pub fn newest(&self) -> Option<&Checkpoint> {
        self.newest.as_ref().map(|(checkpoint, _)| checkpoint)
    }

    /// The newest checkpoint with its signatures.
    pub fn newest_note(&self) -> Option<&str> {
        self.newest.as_ref().map(|(_, note)| note.as_str())
    }

    /// An entry, proven to be in the log; hidden ones as far as the caller may open them.
    pub async fn show(&mut self, index: u64) -> Result<(Vec<u8>, Option<skillery_core::entry::Opening>)> {
        let newest = self.update().await?;
        if index >= newest.size {
            let what = format!("entry {index}");
            return Err(Error::invalid(what, format!("the log has {} entries", newest.size)));
        }
        let leaf = read::leaves(self, index, index + 1).await?.pop().unwrap_or_default();
        let opening = self.opening(index, &leaf).await?;
        Ok((leaf, opening))
    }

    /// What opens this leaf, if it is hidden and the caller may know of it.
    async fn opening(&self, index: u64, leaf: &[u8]) -> Result<Option<skillery_core::entry::Opening>> {
        let page = self.client.openings(index, Some(1)).await?;
        let found = page.entries.into_iter().find(|entry| entry.index == index).map(|entry| entry.opening);
        Ok(found.filter(|opening| opening.leaf().is_ok_and(|made| made == leaf)))
    }

    /// Pins a key for this registry in place of the one that is pinned, and forgets what was seen under that. Evidence
    /// against the registry is an error, as another key says nothing about it: [`Log::forget`] gives it up.
    pub fn pin(home: &Home, registry: &str, key: &VerifierKey) -> Result<()> {
        let state = State::new(home, registry);
        let _lock = state.lock()?;
        if let Some(evidence) = state.evidence() {
            return Err(LogError::Forked { registry: registry.to_owned(), evidence }.into());
        }
        if state.key()?.as_ref() != Some(key) {
            state.forget_seen()?;
        }
        state.pin(key)
    }

    /// Forgets everything that is known of the log of this registry, the pinned key and evidence too.
    pub fn forget(home: &Home, registry: &str) -> Result<()> {
        let state = State::new(home, registry);
        let _lock = state.lock()?;
        state.forget()
    }

    /// Forgets what was seen of the log of this registry, evidence too, and keeps the pinned key and those that have handed
    /// the log over to it: for a log that goes on from a backup. Returns the pinned key.
    pub fn forget_seen(home: &Home, registry: &str) -> Result<Option<VerifierKey>> {
        let state = State::new(home, registry);
        let _lock = state.lock()?;
        let key = state.key()?;
        state.forget_but_keys()?;
        Ok(key)
    }

    /// The file with the evidence that this registry has shown two logs, if it has.
    pub fn evidence(home: &Home, registry: &str) -> Option<std::path::PathBuf> {
        State::new(home, registry).evidence()
    }

    /// The key that is pinned for this registry.
    pub fn pinned(home: &Home, registry: &str) -> Result<Option<VerifierKey>> {
        State::new(home, registry).key()
    }

    /// Checks that no other registry that is known on this machine has a log of this name: what is signed for the one would
    /// count for the other.
    pub(crate) fn check_name(&self) -> Result<()> {
        let ours = self.keys()?;
        for known in self.state.all_keys()? {
            if known.name() == self.key.name() && ours.iter().all(|believed| believed.key != known) {
                let name = known.name().to_owned();
                return Err(LogError::NameTaken { registry: self.registry(), name }.into());
            }
        }
        Ok(())
    }

    /// Asks for the newest checkpoint, checks that it continues the one that is known, and keeps it.
    pub async fn update(&mut self) -> Result<Checkpoint> {
        for attempt in 1.. {
            let note = self.client.checkpoint().await?;
            let (checkpoint, lineage) = match self.opened_newest(&note).await {
                // The log may have been handed over between the two answers.
                Err(Error::Log(LogError::NotHandedOver { .. })) if attempt < TRIES => continue,
                outcome => outcome?,
            };
            let known = self.known()?;
            self.shown = lineage.as_ref().map(|lineage| lineage.notes().to_vec());
            if !self.continues(known.as_deref(), &checkpoint, &note, attempt >= TRIES).await? {
                continue;
            }
            if self.store(known, &checkpoint, &note, lineage).await? {
                return Ok(checkpoint);
            }
        }
        unreachable!("the attempts do not end by themselves")
    }

    /// The newest checkpoint that is known here; none that another key has signed, which says nothing of this one.
    fn known(&self) -> Result<Option<String>> {
        if self.state.key()?.is_some_and(|pinned| pinned != self.key) {
            return Ok(None);
        }
        self.state.checkpoint()
    }

    /// Whether a checkpoint that the key has signed continues the newest that is known. False when one that is older
    /// should be asked for again.
    async fn continues(
        &mut self,
        known_note: Option<&str>,
        checkpoint: &Checkpoint,
        note: &str,
        is_last: bool,
    ) -> Result<bool> {
        let Some(known_note) = known_note else { return Ok(true) };
        let (_, known) = self.opened(known_note)?;
        if checkpoint.size == known.size {
            if checkpoint.root == known.root {
                return Ok(true);
            }
            return Err(self.forked(known_note, note)?);
        }
        if checkpoint.size < known.size {
            if !is_last {
                return Ok(false);
            }
            return Err(self.fell_back(&known, known_note, checkpoint, note).await?);
        }
        let nodes = proof::root_nodes(known.size);
        let hashes = self.nodes(checkpoint, &nodes).await?;
        let root = proof::root(known.size, |node| hashes.get(&node).copied().ok_or(MissingNode(node)))
            .map_err(Error::internal("compute an older tree"))?;
        if root == known.root { Ok(true) } else { Err(self.forked(known_note, note)?) }
    }

    /// What an older checkpoint says: of the same history it is merely old, of another one it is evidence.
    async fn fell_back(
        &mut self,
        known: &Checkpoint,
        known_note: &str,
        older: &Checkpoint,
        note: &str,
    ) -> Result<Error> {
        let hashes = self.nodes(known, &proof::root_nodes(older.size)).await;
        let root = hashes.ok().and_then(|hashes| {
            proof::root(older.size, |node| hashes.get(&node).copied().ok_or(MissingNode(node))).ok()
        });
        if root.is_some_and(|root| root != older.root) {
            return self.forked(known_note, note);
        }
        let (registry, seen, found) = (self.registry(), known.size, older.size);
        Ok(LogError::RolledBack { registry, seen, found }.into())
    }

    /// Checks another checkpoint that the key has signed, or one from before, and that is not newer than the newest.
    pub async fn check_older(&mut self, note: &str) -> Result<Checkpoint> {
        let (_, older) = self.opened(note)?;
        let (newest, newest_note) = self.newest_or_error()?;
        if older.size > newest.size {
            return Err(self.broken("a proof is newer than the checkpoint"));
        }
        let hashes = self.nodes(&newest, &proof::root_nodes(older.size)).await?;
        let root = proof::root(older.size, |node| hashes.get(&node).copied().ok_or(MissingNode(node)))
            .map_err(Error::internal("compute an older tree"))?;
        if root == older.root { Ok(older) } else { Err(self.forked(note, &newest_note)?) }
    }

    /// Keeps a checkpoint that was found to continue `known`, and the key that the log was handed over to. False when
    /// another process has kept a different one meanwhile, against which it must be checked first.
    async fn store(
        &mut self,
        known: Option<String>,
        checkpoint: &Checkpoint,
        note: &str,
        lineage: Option<Lineage>,
    ) -> Result<bool> {
        let (state, key) = (self.state.clone(), self.key.clone());
        let to = lineage.as_ref().and_then(Lineage::to).unwrap_or(&self.key).clone();
        let next = to.clone();
        let (registry, is_configured) =
            (self.registry(), self.client.configured_log_key() == Some(&self.key));
        let missing = self.rotations_missing();
        let new = note.to_owned();
        let stored = blocking(move || {
            let _lock = state.lock()?;
            let pinned = state.key()?;
            if pinned.as_ref() == Some(&key) {
                if state.checkpoint()? != known {
                    return Ok(false);
                }
            } else if pinned.as_ref() == Some(&next) {
                // Somebody was faster, and has followed to the same key; or it was pinned by hand, and the configuration
                // has one from before. What was seen under it must be continued, too.
                let kept = state.rotations()?.unwrap_or_default();
                let lineage = lineage.filter(|lineage| lineage.has(&kept)).ok_or(missing)?;
                state.keep_rotations(lineage.notes())?;
                return Ok(false);
            } else if let Some(pinned) = pinned {
                if !is_configured {
                    // Somebody was faster, and was told of another key.
                    return Err(LogError::OtherKey { registry, fingerprint: pinned.fingerprint() }.into());
                }
                // What was seen under another key says nothing of this one, which has signed a checkpoint now.
                state.forget_seen()?;
            }
            // Last what is believed, so that nothing is believed of which the reason is not kept.
            if let Some(lineage) = &lineage {
                state.keep_rotations(lineage.notes())?;
            }
            if state.key()?.as_ref() != Some(&next) {
                state.pin(&next)?;
            }
            // What is there already is not written again: most checks find the log as it was.
            if known.as_deref() != Some(new.as_str()) {
                state.keep(&new)?;
            }
            Ok(true)
        })
        .await?;
        if stored {
            if self.newest.as_ref().is_some_and(|(newest, _)| newest.size != checkpoint.size) {
                self.tiles.retain(|tile, _| tile.is_full());
            }
            self.newest = Some((checkpoint.clone(), note.to_owned()));
            if std::mem::take(&mut self.is_met) {
                told::MET.add(Met { registry: self.registry(), key: to.clone() });
            }
            if to != self.key {
                self.followed(to);
            }
        }
        Ok(stored)
    }

    fn newest_or_error(&self) -> Result<(Checkpoint, String)> {
        self.newest.clone().ok_or_else(|| self.broken("no checkpoint was asked for yet"))
    }

    fn registry(&self) -> String {
        self.client.registry().to_owned()
    }

    fn broken(&self, reason: impl Into<String>) -> Error {
        LogError::Broken { registry: self.registry(), reason: reason.into() }.into()
    }

    fn forked(&self, one: &str, other: &str) -> Result<Error> {
        let evidence = self.evidence_of(one, other)?;
        Ok(LogError::Forked { registry: self.registry(), evidence }.into())
    }

    fn evidence_of(&self, one: &str, other: &str) -> Result<std::path::PathBuf> {
        let kept = self.state.rotations()?.unwrap_or_default();
        let notes = self.shown.as_ref().unwrap_or(&kept);
        let mut text = format!(
            "Two checkpoints of one log that do not go together.\n\
             registry: {}\n\
             key: {}\n\n\
             ---- first ----\n{one}\n---- second ----\n{other}",
            self.registry(),
            self.key,
        );
        // Where they are signed with two keys, these say that both are the log's.
        for rotation in notes {
            text += &format!("\n---- rotation ----\n{rotation}");
        }
        self.state.keep_evidence(&text)
    }

    /// The roots of these complete subtrees, proven by the root of this checkpoint.
    async fn nodes(
        &mut self,
        checkpoint: &Checkpoint,
        nodes: &[Node],
    ) -> Result<HashMap<Node, skillery_core::Digest>> {
        read::nodes(self, checkpoint, nodes).await
    }
}
