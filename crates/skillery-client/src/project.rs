//! A project of whoever works in it, maybe in several processes with several homes: only one of them changes `skillery.lock`, or what
//! is placed for agents, at a time.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::error::{Error, Result};
use crate::files::{self, FileLock};

/// What this program keeps in a project, beside the lock file.
pub(crate) const PROJECT_FOLDER: &str = ".skillery";
const GUARD_FILE: &str = "project.lock";
/// Keeps other processes from changing what a project has locked, until it is dropped. It is taken before the lock file is read that
/// is to be changed.
#[derive(Debug)]
pub struct ProjectGuard {
    _lock: Option<Guard>,
}

impl ProjectGuard {
    /// Waits for other processes that work in this folder. Where nothing may be written nobody is kept out: whoever has something to
    /// write fails then.
    pub fn take(project: &Path) -> Result<Self> {
        let folder =
            if project.as_os_str().is_empty() { Path::new(".") } else { project }.join(PROJECT_FOLDER);
        Ok(Self { _lock: guard(&folder, GUARD_FILE)? })
    }

    /// As [`ProjectGuard::take`], for who must not wait where others work.
    pub async fn wait(project: &Path) -> Result<Self> {
        let project: PathBuf = project.to_owned();
        crate::library::blocking(move || Self::take(&project)).await
    }
}

/// A lock in a project's own folder, which is gone with it: a project has nothing more in it afterwards than before.
#[derive(Debug)]
pub(crate) struct Guard {
    folder: PathBuf,
    path: PathBuf,
    _lock: FileLock,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Whoever waits for this file finds out that it is another one, and begins again. Elsewhere nobody could.
        if cfg!(unix) {
            let _ = fs::remove_file(&self.path);
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Waits for the lock of this name in a project's own folder, which is made. None where nothing may be written.
pub(crate) fn guard(folder: &Path, name: &str) -> Result<Option<Guard>> {
    let path = folder.join(name);
    let take = || loop {
        // A project may come from anywhere: nothing is made where a link leads.
        for path in [folder, &path] {
            if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
                return Err(io::Error::other(format!("{} is a link", path.display())));
            }
        }
        // Another process may take it away at any moment.
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                folder.parent().map_or(Ok(()), fs::create_dir_all)?;
                continue;
            }
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        match files::lock_shared_file(&path) {
            Ok(lock) if lock.is_at(&path) => return Ok(lock),
            // Who had it has taken it away.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    };
    match take() {
        Ok(lock) => Ok(Some(Guard { folder: folder.to_owned(), path, _lock: lock })),
        Err(error) if is_read_only(&error) => Ok(None),
        Err(error) => Err(Error::disk(format!("lock {}", path.display()))(error)),
    }
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}
