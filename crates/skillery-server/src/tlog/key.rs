//! The key that signs the log's checkpoints, and its files: `log-key`; `log-key.new`, the next one, while the log is being
//! handed over to it; `log-key.old`, the one before, which nothing needs any more.
//!
//! The log is handed over by a commit of the database. Which of the files fits is then said by the log itself, so that a
//! rotation may be interrupted anywhere.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use skillery_core::Digest;
use skillery_core::tlog::{Checkpoint, KeyKind, Note, NoteError, SigningKey, VerifierKey};

use super::LogError;
use crate::app::StartError;
use crate::db::{self, Unsigned};
use crate::environment::Environment;
use crate::key_file::{self, KeyFileError};
use crate::secrets::write_private;
use crate::settings::Settings;

/// The registry's log key.
pub struct LogKey {
    key: SigningKey,
    /// How its line begins in a note that it has signed.
    id: [u8; 4],
}

/// The key cannot be used.
pub type LogKeyError = KeyFileError;

impl From<SigningKey> for LogKey {
    fn from(key: SigningKey) -> Self {
        Self { id: key.verifier().id(), key }
    }
}

impl LogKey {
    /// Makes a key that only this user can read, unless its file is there. `origin` names its log. Says whether it did.
    pub fn make(file: &Path, origin: Option<&str>, environment: &Environment) -> Result<bool, LogKeyError> {
        let name = || origin.map_or_else(|| format!("skillery/{}", environment.new_id()), str::to_owned);
        key_file::ensure(file, KeyKind::Ed25519, name, environment)
    }

    /// Reads the key from its file.
    pub fn read(file: &Path) -> Result<Self, LogKeyError> {
        Ok(key_file::read(file, KeyKind::Ed25519)?.into())
    }

    /// The key that comes next: one that an interrupted rotation has made, or a new one, in its file.
    pub fn next(file: &Path, name: &str, environment: &Environment) -> Result<Self, LogKeyError> {
        Ok(key_file::open(&next_file(file)?, KeyKind::Ed25519, || name.to_owned(), environment)?.into())
    }

    /// The public key, which names the log.
    pub fn verifier(&self) -> &VerifierKey {
        self.key.verifier()
    }

    /// The key itself, to sign something else than a checkpoint.
    pub fn signing(&self) -> &SigningKey {
        &self.key
    }

    /// The signed checkpoint of a tree.
    pub fn sign(&self, size: u64, root: Digest) -> Result<String, NoteError> {
        let checkpoint =
            Checkpoint { origin: self.verifier().name().to_owned(), size, root, extensions: Vec::new() };
        let text = checkpoint.to_string();
        let signature = self.key.sign(&text)?;
        Ok(Note { text, signatures: vec![signature] }.to_string())
    }

    /// Whether this key has signed a checkpoint of the database. What is signed on rests on this.
    pub fn has_signed(&self, note: &str) -> bool {
        Checkpoint::open(note, self.verifier()).is_ok()
    }

    /// Whether a checkpoint of the database names this key as the one that has signed it. Whether the signature is right is
    /// not asked.
    pub fn is_named_by(&self, note: &str) -> bool {
        let name = self.verifier().name();
        Note::parse(note).is_ok_and(|note| {
            note.signatures.iter().any(|signature| signature.name == name && signature.id == self.id)
        })
    }

    /// Puts this key, which a rotation has made, in the place of the one that it follows. Doing it again does no harm.
    pub fn put_in_place(&self, file: &Path) -> Result<(), LogKeyError> {
        let file = fs_err::canonicalize(file)?;
        let before = key_file::read(&file, KeyKind::Ed25519)?;
        if before.verifier() == self.verifier() {
            // Somebody has copied it there. Under the other name it would be taken for the one after this.
            let next = next_file(&file)?;
            if next.exists() {
                fs_err::remove_file(next)?;
            }
            return Ok(());
        }
        write_private(&old_file(&file)?, &before.expose())?;
        fs_err::rename(next_file(&file)?, &file)?;
        #[cfg(unix)]
        if let Some(folder) = file.parent() {
            fs_err::File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

/// The key that goes on with the log.
pub struct Fitting {
    /// The key.
    pub key: Arc<LogKey>,
    /// Whether it still lies in the file of the next one, as a rotation was interrupted after the log was handed over.
    pub is_next: bool,
    /// What it signs where there is no checkpoint yet.
    pub unsigned: Unsigned,
}

/// The key of these settings for a start: that of its file, unless the log was handed over to the next one already. A log
/// that nobody has signed yet gets a new one.
pub async fn fitting(settings: &Settings, environment: &Environment) -> Result<Fitting, StartError> {
    let file = settings.log_key_file();
    let mut unsigned = Unsigned::Begun;
    if !file.exists() {
        if !db::newest_note(settings).await?.is_empty() {
            // A new key would only be in the way of the one that is missing; another first start may have made it meanwhile.
            if !file.exists() {
                return Err(LogError::NoKey(file).into());
            }
        } else if LogKey::make(&file, settings.log_origin().as_deref(), environment)? {
            unsigned = Unsigned::Adopted;
        }
    }
    of_file(settings, &file, unsigned).await
}

/// The key of these settings for somebody who only looks: nothing is made and nothing signed.
pub async fn existing(settings: &Settings) -> Result<Fitting, StartError> {
    let file = settings.log_key_file();
    if !file.exists() {
        let is_signed = !db::newest_note(settings).await?.is_empty();
        return Err(if is_signed { LogError::NoKey(file) } else { LogError::Unsigned }.into());
    }
    of_file(settings, &file, Unsigned::Refused).await
}

async fn of_file(settings: &Settings, file: &Path, unsigned: Unsigned) -> Result<Fitting, StartError> {
    let key = LogKey::read(file)?;
    let next = next_file(file).map_err(LogKeyError::from)?;
    if !next.exists() {
        return Ok(Fitting { key: Arc::new(key), is_next: false, unsigned });
    }
    let next = LogKey::read(&next)?;
    let is_next = next.has_signed(&db::newest_note(settings).await?);
    Ok(Fitting { key: Arc::new(if is_next { next } else { key }), is_next, unsigned })
}

/// Where the key before lies after a rotation.
pub fn old_file(file: &Path) -> std::io::Result<PathBuf> {
    beside(file, ".old")
}

/// Where the next key lies while the log is being handed over to it.
pub fn next_file(file: &Path) -> std::io::Result<PathBuf> {
    beside(file, ".new")
}

/// A file beside that of the key, wherever a link to it leads.
fn beside(file: &Path, end: &str) -> std::io::Result<PathBuf> {
    let mut name = fs_err::canonicalize(file)?.into_os_string();
    name.push(end);
    Ok(name.into())
}
