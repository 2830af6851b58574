//! The key that signs the log's checkpoints.

use std::path::Path;
use std::sync::Arc;

use skillery_core::Digest;
use skillery_core::tlog::{Checkpoint, KeyKind, Note, NoteError, SigningKey, VerifierKey};

use crate::environment::Environment;
use crate::key_file::{self, KeyFileError};
use crate::settings::Settings;

/// The registry's log key.
pub struct LogKey {
    key: SigningKey,
}

/// The key cannot be used.
pub type LogKeyError = KeyFileError;

impl LogKey {
    /// Reads the key from its file, or makes one there that only this user can read. `origin` names the log of a new
    /// key; the name of one that is there never changes.
    pub fn open(file: &Path, origin: Option<&str>, environment: &Environment) -> Result<Self, LogKeyError> {
        let name = || origin.map_or_else(|| format!("skillery/{}", environment.new_id()), str::to_owned);
        Ok(Self { key: key_file::open(file, KeyKind::Ed25519, name, environment)? })
    }

    /// The key that these settings name.
    pub fn of(settings: &Settings, environment: &Environment) -> Result<Arc<Self>, LogKeyError> {
        let origin = settings.log_origin();
        Ok(Arc::new(Self::open(&settings.log_key_file(), origin.as_deref(), environment)?))
    }

    /// The public key, which names the log.
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// The signed checkpoint of a tree.
    pub fn sign(&self, size: u64, root: Digest) -> Result<String, NoteError> {
        let checkpoint =
            Checkpoint { origin: self.verifier().name().to_owned(), size, root, extensions: Vec::new() };
        let text = checkpoint.to_string();
        let signature = self.key.sign(&text)?;
        Ok(Note { text, signatures: vec![signature] }.to_string())
    }
}
