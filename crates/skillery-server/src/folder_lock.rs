//! One process for each data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

/// Takes the lock of a folder; none when another process has it. The system releases it when the process ends, however it
/// ends.
pub fn take(folder: &Path) -> std::io::Result<Option<File>> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
