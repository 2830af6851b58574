//! Sets of packages that are installed: which there are, and removing those that nobody uses any more.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use skillery_core::time::Time;

use crate::packages::{LOCK, REQUIREMENTS, SCRATCH};

/// A set of packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PackageSet {
    /// Where it lies.
    pub folder: PathBuf,
    /// What is in it: names with versions.
    pub packages: Vec<String>,
    /// When a run last had it.
    pub used_at: Time,
}

/// All sets below this folder, those first that were used last.
pub fn package_sets(home: &Path) -> io::Result<Vec<PackageSet>> {
    let mut sets: Vec<PackageSet> = folders(home)?
        .iter()
        .filter(|folder| !is_scratch(folder))
        .filter_map(|folder| read(folder))
        .collect();
    sets.sort_by(|one, other| (other.used_at, &one.folder).cmp(&(one.used_at, &other.folder)));
    Ok(sets)
}

/// Removes the sets that nobody has used since then, and what an installation left that was killed.
pub fn prune_packages(home: &Path, since: Time) -> io::Result<Vec<PackageSet>> {
    let lock = match std::fs::File::options().write(true).open(home.join(LOCK)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        lock => lock?,
    };
    // Nobody installs meanwhile.
    lock.lock()?;
    let (mut sets, kept): (Vec<_>, Vec<_>) =
        package_sets(home)?.into_iter().partition(|set| set.used_at < since);
    sets.sort_by(|one, other| one.folder.cmp(&other.folder));
    for set in &sets {
        // Out of the way in one step, so that there never is half of one.
        let doomed = tempfile::Builder::new().prefix(SCRATCH).tempdir_in(home)?;
        std::fs::rename(&set.folder, doomed.path().join("set"))?;
        doomed.close()?;
    }
    for folder in folders(home)?.iter().filter(|folder| is_scratch(folder)) {
        std::fs::remove_dir_all(folder)?;
    }
    tracing::debug!(removed = sets.len(), kept = kept.len(), "sets of packages");
    Ok(sets)
}

fn folders(home: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(home) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    Ok(folders)
}

fn is_scratch(folder: &Path) -> bool {
    folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(SCRATCH.as_bytes()))
}

/// What is no set is somebody else's, and left alone.
fn read(folder: &Path) -> Option<PackageSet> {
    let list = folder.join(REQUIREMENTS);
    let text = std::fs::read_to_string(&list).ok()?;
    let used = jiff::Timestamp::try_from(list.metadata().ok()?.modified().ok()?).ok()?;
    let first = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
    Some(PackageSet {
        folder: folder.to_owned(),
        packages: text.lines().map(first).collect(),
        used_at: Time::from_micros(used.as_microsecond()),
    })
}
