//! Keys that sign notes, each in a file that only its user can read.

use std::path::Path;

use skillery_core::tlog::{KeyKind, SigningKey};

use crate::environment::Environment;
use crate::secrets::make_private;

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("cannot read or make the file of the key")]
    File(#[from] std::io::Error),
    /// The file holds something else, or a key that is for something else.
    #[error("`{0}` does not hold `PRIVATE+KEY+…` of a key for this")]
    Form(String),
    /// The name has a character that it cannot have.
    #[error("`{0}` cannot name a key: letters, digits and `.:/_-` can")]
    Name(String),
}

/// Reads a key of this kind from its file, or makes one there. The name is that of a new key; the name of one that is
/// there never changes.
pub fn open(
    file: &Path,
    kind: KeyKind,
    name: impl FnOnce() -> String,
    environment: &Environment,
) -> Result<SigningKey, KeyFileError> {
    ensure(file, kind, name, environment)?;
    read(file, kind)
}

/// Makes a key in its file, unless there is one. Says whether it did: of several who start at once, one does.
pub fn ensure(
    file: &Path,
    kind: KeyKind,
    name: impl FnOnce() -> String,
    environment: &Environment,
) -> Result<bool, KeyFileError> {
    if file.exists() {
        return Ok(false);
    }
    let key = make(kind, name(), environment)?;
    Ok(make_private(file, &key.expose())?)
}

/// A new key, nowhere kept.
pub fn make(kind: KeyKind, name: String, environment: &Environment) -> Result<SigningKey, KeyFileError> {
    let key = SigningKey::from_seed(&name, kind, &environment.random());
    plain(key.map_err(|_| KeyFileError::Name(name))?)
}

/// Reads a key of this kind.
pub fn read(file: &Path, kind: KeyKind) -> Result<SigningKey, KeyFileError> {
    parse(&fs_err::read_to_string(file)?, kind, file)
}

/// Reads a key of this kind that stands in this file.
pub fn parse(text: &str, kind: KeyKind, file: &Path) -> Result<SigningKey, KeyFileError> {
    match text.trim().parse::<SigningKey>() {
        Ok(key) if key.verifier().kind() == kind => plain(key),
        _ => Err(KeyFileError::Form(file.display().to_string())),
    }
}

/// The name becomes part of statements and addresses.
fn plain(key: SigningKey) -> Result<SigningKey, KeyFileError> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || ".:/_-".contains(letter);
    let name = key.verifier().name();
    if name.chars().all(is_plain) { Ok(key) } else { Err(KeyFileError::Name(name.to_owned())) }
}
