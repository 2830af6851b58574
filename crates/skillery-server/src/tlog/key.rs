//! The key that signs the log's checkpoints.

use std::path::Path;
use std::sync::Arc;

use skillery_core::Digest;
use skillery_core::tlog::{Checkpoint, KeyKind, Note, NoteError, SigningKey, VerifierKey};

use crate::environment::Environment;
use crate::secrets::write_private;
use crate::settings::Settings;

/// The registry's log key.
pub struct LogKey {
    key: SigningKey,
}

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogKeyError {
    /// The file cannot be read or made.
    #[error("cannot read or make the log key")]
    File(#[from] std::io::Error),
    /// The file holds something else.
    #[error("the file of the log key does not hold `PRIVATE+KEY+…` of an Ed25519 key")]
    Form,
    /// The name of the log has a character that it cannot have.
    #[error("`{0}` cannot name a log: letters, digits and `.:/_-` can")]
    Origin(String),
}

impl LogKey {
    /// Reads the key from its file, or makes one there that only this user can read. `origin` names the log of a new
    /// key; the name of one that is there never changes.
    pub fn open(file: &Path, origin: Option<&str>, environment: &Environment) -> Result<Self, LogKeyError> {
        if !file.exists() {
            let origin = origin.map_or_else(|| format!("skillery/{}", environment.new_id()), str::to_owned);
            let key = SigningKey::from_seed(&origin, KeyKind::Ed25519, &environment.random())
                .map_err(|_| LogKeyError::Origin(origin))?;
            write_private(file, &key.expose())?;
        }
        let key: SigningKey = fs_err::read_to_string(file)?.trim().parse().map_err(|_| LogKeyError::Form)?;
        let verifier = key.verifier();
        if verifier.kind() != KeyKind::Ed25519 {
            return Err(LogKeyError::Form);
        }
        // The name becomes part of statements and addresses.
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".:/_-".contains(letter);
        if !verifier.name().chars().all(is_plain) {
            return Err(LogKeyError::Origin(verifier.name().to_owned()));
        }
        Ok(Self { key })
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
