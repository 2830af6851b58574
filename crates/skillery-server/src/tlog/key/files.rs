//! The files of the log's keys. Beside `log-key`: `log-key.old` has former keys that still sign, one a line;
//! `log-key.rotations` the signed notes by which each key was handed over to the next, as a list in JSON; `log-key.new`
//! the next key, while it is being handed over to.
//!
//! The log is handed over in the moment in which the note is in its file; `log-key` follows, if need be at the next start.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use skillery_core::tlog::{KeyKind, Rotation, SigningKey};

use super::LogKeyError;
use crate::environment::Environment;
use crate::key_file;
use crate::secrets::write_private;

pub(super) struct Files {
    key: PathBuf,
    next: PathBuf,
    pub(super) former: PathBuf,
    pub(super) rotations: PathBuf,
}

impl Files {
    /// Those of the key in this file.
    pub(super) fn of(file: &Path) -> Self {
        let beside = |end: &str| {
            let mut name = file.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        Self {
            key: file.to_owned(),
            next: beside(".new"),
            former: beside(".old"),
            rotations: beside(".rotations"),
        }
    }

    /// Puts the key that the log was handed over to in its place, if that was interrupted. Returns the note, if so.
    pub(super) fn complete(&self) -> Result<Option<String>, LogKeyError> {
        let Some(note) = self.rotations()?.pop() else { return Ok(None) };
        let to = Rotation::open(&note).map_err(|error| self.wrong(&error.to_string()))?.to;
        if self.key.exists() && *key_file::read(&self.key, KeyKind::Ed25519)?.verifier() == to {
            return Ok(None);
        }
        if !self.next.exists() || *key_file::read(&self.next, KeyKind::Ed25519)?.verifier() != to {
            return Err(self.wrong("the key that it leads to is not there"));
        }
        fs_err::rename(&self.next, &self.key)?;
        sync_folder(&self.key)?;
        Ok(Some(note))
    }

    /// The next key: one that was made by a rotation that did not come far, or a new one.
    pub(super) fn next(&self, name: &str, environment: &Environment) -> Result<SigningKey, LogKeyError> {
        Ok(key_file::open(&self.next, KeyKind::Ed25519, || name.to_owned(), environment)?)
    }

    pub(super) fn rotations(&self) -> Result<Vec<String>, LogKeyError> {
        match read(&self.rotations)? {
            Some(text) => serde_json::from_str(&text).map_err(|error| self.wrong(&error.to_string())),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn keep_rotations(&self, notes: &[String]) -> Result<(), LogKeyError> {
        let text = serde_json::to_string_pretty(notes).map_err(std::io::Error::other)?;
        Ok(write_private(&self.rotations, &text)?)
    }

    pub(super) fn former(&self) -> Result<Vec<SigningKey>, LogKeyError> {
        let text = read(&self.former)?.unwrap_or_default();
        let keys = text.lines().filter(|line| !line.trim().is_empty());
        keys.map(|line| Ok(key_file::parse(line, KeyKind::Ed25519, &self.former)?)).collect()
    }

    pub(super) fn keep_former<'a>(
        &self,
        keys: impl Iterator<Item = &'a SigningKey>,
    ) -> Result<(), LogKeyError> {
        let lines: Vec<String> = keys.map(SigningKey::expose).collect();
        Ok(write_private(&self.former, &lines.join("\n"))?)
    }

    fn wrong(&self, reason: &str) -> LogKeyError {
        LogKeyError::Rotations { file: self.rotations.display().to_string(), reason: reason.to_owned() }
    }
}

fn read(file: &Path) -> Result<Option<String>, LogKeyError> {
    match fs_err::read_to_string(file) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(unix)]
fn sync_folder(file: &Path) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs_err::File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}
