//! A project of whoever works in it, maybe in several processes with several homes: only one of them changes `skillery.lock`, or what
//! is placed for agents, at a time.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::error::{Error, Result};
use crate::files::{self, FileLock, Readers};

/// What this program keeps in a project, beside the lock file.
pub(crate) const PROJECT_FOLDER: &str = ".skillery";
const GUARD_FILE: &str = "project.lock";
const IGNORED_FILE: &str = ".gitignore";
const IGNORED: &str =
    "# Made by skillery. Locks between processes are nobody else's.\n/*.lock\n/.gitignore\n";

/// Keeps other processes from changing what a project has locked, until it is dropped. It is taken before the lock file is read that
/// is to be changed.
#[derive(Debug)]
pub struct ProjectGuard {
    _lock: FileLock,
}

impl ProjectGuard {
    /// Waits for other processes that work in this folder.
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

/// Waits for the lock of this name in a project's own folder, which is made.
pub(crate) fn guard(folder: &Path, name: &str) -> Result<FileLock> {
    let path = folder.join(name);
    let take = || {
        // A project may come from anywhere: nothing is made where a link leads.
        for path in [folder, &path] {
            if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink()) {
                return Err(std::io::Error::other(format!("{} is a link", path.display())));
            }
        }
        fs::create_dir_all(folder)?;
        let ignored = folder.join(IGNORED_FILE);
        if !ignored.exists() {
            files::write_atomically(&ignored, IGNORED.as_bytes(), Readers::Mask)?;
        }
        files::lock(&path)
    };
    take().map_err(Error::disk(format!("lock {}", path.display())))
}
