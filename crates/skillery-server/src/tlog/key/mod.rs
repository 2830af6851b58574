//! The keys that sign the log's checkpoints: the present one, and former ones as long as their file is there.

mod files;

use std::path::Path;
use std::sync::Arc;

use skillery_core::Digest;
use skillery_core::tlog::{
    Checkpoint, CheckpointError, KeyKind, Note, NoteError, Rotation, RotationError, SigningKey, VerifierKey,
};

use self::files::Files;
use super::LogError;
use crate::db::{Db, log};
use crate::environment::Environment;
use crate::failure::Result as Outcome;
use crate::key_file::{self, KeyFileError};
use crate::settings::Settings;
use skillery_core::event::Event;

/// The registry's log key.
pub struct LogKey {
    key: SigningKey,
    /// Keys from before, that sign too.
    former: Vec<SigningKey>,
    /// How the log came to its key, the oldest first.
    rotations: Vec<String>,
    /// All keys that the log has ever had, as far as these files tell.
    known: Vec<VerifierKey>,
}

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogKeyError {
    /// A file of a key.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The file of rotations cannot be read or written.
    #[error("cannot read or write the rotations of the log key")]
    File(#[from] std::io::Error),
    /// What is in it does not lead to the key.
    #[error("`{file}` does not lead to the log key: {reason}")]
    Rotations {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The rotation cannot be signed.
    #[error("the log cannot be handed over to another key")]
    Sign(#[from] RotationError),
}

/// What a rotation has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The key before.
    pub from: VerifierKey,
    /// The key from now on.
    pub to: VerifierKey,
}

impl LogKey {
    /// Reads the key from its file, or makes one there that only this user can read. `origin` names the log of a new
    /// key; the name of one that is there never changes. A rotation that was interrupted is completed.
    pub fn open(file: &Path, origin: Option<&str>, environment: &Environment) -> Result<Self, LogKeyError> {
        let files = Files::of(file);
        files.complete()?;
        let name = || origin.map_or_else(|| format!("skillery/{}", environment.new_id()), str::to_owned);
        let key = key_file::open(file, KeyKind::Ed25519, name, environment)?;
        let (rotations, former) = (files.rotations()?, files.former()?);
        let wrong = |reason: &str| LogKeyError::Rotations {
            file: files.rotations.display().to_string(),
            reason: reason.to_owned(),
        };
        let mut known = vec![key.verifier().clone()];
        // From the newest back to the oldest, each must lead to the one before.
        for note in rotations.iter().rev() {
            let Rotation { from, to } = Rotation::open(note).map_err(|error| wrong(&error.to_string()))?;
            if known.last() != Some(&to) {
                return Err(wrong("a rotation leads to another key"));
            }
            known.push(from);
        }
        for former in &former {
            if former.verifier().name() != key.verifier().name() {
                return Err(KeyFileError::Form(files.former.display().to_string()).into());
            }
            if !known.contains(former.verifier()) {
                known.push(former.verifier().clone());
            }
        }
        let former = former.into_iter().filter(|former| former.verifier() != key.verifier()).collect();
        Ok(Self { key, former, rotations, known })
    }

    /// The key that these settings name.
    pub fn of(settings: &Settings, environment: &Environment) -> Result<Arc<Self>, LogKeyError> {
        let origin = settings.log_origin();
        Ok(Arc::new(Self::open(&settings.log_key_file(), origin.as_deref(), environment)?))
    }

    /// Makes another key and hands the log over to it, in the files of the old one. If that was interrupted before, it is
    /// completed, and nothing more.
    pub fn rotate(file: &Path, environment: &Environment) -> Result<Rotated, LogKeyError> {
        let files = Files::of(file);
        if let Some(note) = files.complete()? {
            let Rotation { from, to } = Rotation::open(&note)?;
            return Ok(Rotated { from, to });
        }
        let present = Self::open(file, None, environment)?;
        let next = files.next(present.verifier().name(), environment)?;
        let note = Rotation::sign(&present.key, &next)?.to_string();
        files.keep_former(std::iter::once(&present.key).chain(&present.former))?;
        let mut rotations = present.rotations;
        rotations.push(note);
        // From here on the log is handed over: what is left is done by whoever opens the key next.
        files.keep_rotations(&rotations)?;
        files.complete()?;
        Ok(Rotated { from: present.key.verifier().clone(), to: next.verifier().clone() })
    }

    /// The files beside that of the key, in their order: former keys, and rotations.
    pub fn beside(file: &Path) -> [std::path::PathBuf; 2] {
        let files = Files::of(file);
        [files.former, files.rotations]
    }

    /// The public key, which names the log.
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// How the log came to its key, the oldest first: signed notes.
    pub fn rotations(&self) -> &[String] {
        &self.rotations
    }

    /// The signed checkpoint of a tree: by the present key, and by former ones that are still there, so that those who have
    /// not heard of the present one see no gap.
    pub fn sign(&self, size: u64, root: Digest) -> Result<String, NoteError> {
        let checkpoint =
            Checkpoint { origin: self.verifier().name().to_owned(), size, root, extensions: Vec::new() };
        let text = checkpoint.to_string();
        let keys = std::iter::once(&self.key).chain(&self.former);
        let signatures = keys.map(|key| key.sign(&text)).collect::<Result<_, _>>()?;
        Ok(Note { text, signatures }.to_string())
    }

    /// Reads a checkpoint that one of the log's keys has signed.
    pub fn opened(&self, note: &str) -> Result<Checkpoint, LogError> {
        let note = Note::parse(note).map_err(CheckpointError::from);
        let of = |note: &Note| self.known.iter().find_map(|key| Checkpoint::of(note, key).ok());
        note.ok().as_ref().and_then(of).ok_or_else(|| LogError::OtherKey(self.verifier().to_string()))
    }

    /// Whether a checkpoint has a signature of the log with a key that these files do not tell of: then the log was handed
    /// over, and a server that goes on without that key would leave out what others look for.
    pub fn is_left_behind(&self, note: &str) -> bool {
        let is_known = |id: [u8; 4]| self.known.iter().any(|key| key.id() == id);
        Note::parse(note).is_ok_and(|note| {
            let mut own = note.signatures.iter().filter(|one| one.name == self.verifier().name());
            own.any(|signature| !is_known(signature.id))
        })
    }

    fn has_signed(&self, note: &str) -> bool {
        Checkpoint::open(note, self.verifier()).is_ok()
    }
}

/// Tells in the log that it was handed over to the present key, if its newest checkpoint is not signed with that yet. The
/// entry is the first under a checkpoint that is.
pub async fn announce(db: &Db, key: &Arc<LogKey>) -> Outcome<()> {
    let Some(from) = key.known.get(1).map(ToString::to_string) else { return Ok(()) };
    let key = Arc::clone(key);
    db.write(move |tx| {
        Box::pin(async move {
            // Another server may be faster.
            if !key.has_signed(&log::note(tx).await?) {
                tx.append(None, Event::LogKeyRotated { from, to: key.verifier().to_string() });
            }
            Ok(())
        })
    })
    .await
}
