//! Executions as they come: lines of JSON in files that only grow until they are folded away.
//!
//! Writers never wait. Each opens the file, takes a lock that all writers share, and appends one line by one write.
//! Whoever folds gives the file another name, and then takes its lock alone: writers that were at it have finished,
//! and those that come later find a new file. Each line begins with its line break, so that one that a crash cut off
//! takes none with it.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use skillery_core::time::Time;

use crate::files;

/// Bytes from which on the file is folded.
pub(super) const FOLD_AT: u64 = 256 * 1024;

/// Bytes from which on nothing is appended: folding has failed for long.
const FULL_AT: u64 = 16 * 1024 * 1024;

/// How often a writer looks for the new file while one is taken away.
const ATTEMPTS: usize = 16;

const OPEN_FILE: &str = "executions.jsonl";
const CLOSED_PREFIX: &str = "executions-";
const SUFFIX: &str = ".jsonl";

/// One execution as it is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    pub(super) at: Time,
    pub(super) skill: Cow<'a, str>,
    pub(super) version: Cow<'a, str>,
    pub(super) status: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) latency_us: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) registry: Option<Cow<'a, str>>,
}

/// Whether to wait for a writer that has not finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    Yes,
    No,
}

/// A file that no writer has any more.
pub(super) struct Closed {
    pub(super) name: String,
    /// Its lock is held, so that a writer who still has it open looks for another.
    file: File,
}

/// Appends a line, and says how many bytes there are now.
pub(super) fn append(folder: &Path, line: &Line<'_>) -> io::Result<u64> {
    let mut bytes = vec![b'\n'];
    serde_json::to_writer(&mut bytes, line)?;
    for _ in 0..ATTEMPTS {
        let mut file = open(folder)?;
        match file.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => continue,
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let metadata = file.metadata()?;
        if was_removed(&metadata) {
            continue;
        }
        if metadata.len() > FULL_AT {
            return Err(io::Error::other("too many executions wait to be summed up"));
        }
        // One write: lines of several writers do not mix.
        let written = file.write(&bytes)?;
        if written < bytes.len() {
            return Err(io::ErrorKind::WriteZero.into());
        }
        return Ok(metadata.len() + written as u64);
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

fn open(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let path = folder.join(OPEN_FILE);
    match options.open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            files::create_private_folder(folder)?;
            options.open(&path)
        }
        other => other,
    }
}

/// Whether the file was folded away between opening and locking it.
fn was_removed(metadata: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        metadata.nlink() == 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// Gives the file that writers append to another name. Whether that was possible: it is not on a disk that is only read.
pub(super) fn close(folder: &Path) -> bool {
    let path = folder.join(OPEN_FILE);
    match std::fs::metadata(&path) {
        Ok(metadata) if metadata.len() > 0 => {
            let name = format!("{CLOSED_PREFIX}{}{SUFFIX}", uuid::Uuid::now_v7());
            std::fs::rename(&path, folder.join(name)).is_ok()
        }
        _ => true,
    }
}

/// The names of the files that were closed, the oldest first.
pub(super) fn closed_names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().unwrap_or_default();
        if name.starts_with(CLOSED_PREFIX) && name.ends_with(SUFFIX) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Takes a closed file for oneself. Nothing where a writer has not finished, and nobody is to wait for it.
pub(super) fn take(folder: &Path, name: String, waiting: Waiting) -> io::Result<Option<Closed>> {
    let file = File::open(folder.join(&name))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) if waiting == Waiting::Yes => file.lock()?,
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(Some(Closed { name, file }))
}

impl Closed {
    /// Calls `each` with every line that is whole.
    pub(super) fn read(&mut self, each: impl FnMut(Line<'_>)) -> io::Result<()> {
        read(&mut self.file, each)
    }
}

/// Reads the file that writers append to where it is.
pub(super) fn read_open(folder: &Path, each: impl FnMut(Line<'_>)) -> io::Result<()> {
    match File::open(folder.join(OPEN_FILE)) {
        Ok(mut file) => read(&mut file, each),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// What is no line of ours was cut off by a crash, or put there by somebody else, and is passed over.
fn read(file: &mut File, mut each: impl FnMut(Line<'_>)) -> io::Result<()> {
    let mut bytes = Vec::new();
    file.take(FULL_AT * 2).read_to_end(&mut bytes)?;
    for text in bytes.split(|byte| *byte == b'\n').filter(|text| !text.is_empty()) {
        match serde_json::from_slice::<Line<'_>>(text) {
            Ok(line) => each(line),
            Err(error) => tracing::debug!(%error, "passing over a line of the executions"),
        }
    }
    Ok(())
}

/// Removes files that were folded.
pub(super) fn remove(folder: &Path, names: &[String]) {
    for name in names {
        if let Err(error) = std::fs::remove_file(folder.join(name)) {
            tracing::debug!(%error, name, "a file of executions stays");
        }
    }
}
