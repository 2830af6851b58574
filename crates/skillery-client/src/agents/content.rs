//! What was placed, file by file, and whether it is still that.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

use fs_err as fs;
use serde::{Deserialize, Serialize};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{Digest, Version};

use crate::agents::machine;
use crate::error::{Error, Result};
use crate::files;

/// What programs leave behind when they only read or run a skill. It is nobody's work, unless a skill was published with it.
const LEFT_BEHIND: &[&str] = &["__pycache__", ".DS_Store"];
/// Entries of a folder that are looked at; what somebody else put there may be anything.
const MOST_ENTRIES: usize = 20_000;

/// The files of one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    /// The version.
    pub(super) version: Version,
    /// SHA-256 of its bundle.
    pub(super) digest: Digest,
    /// Its files.
    pub(super) files: BTreeMap<String, FileState>,
}

/// One file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileState {
    sha256: Digest,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
}

/// What differs from what was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The file, relative and with `/`; `.` for the whole, where it is not of the kind that was placed.
    pub path: String,
    /// How.
    pub kind: DifferenceKind,
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DifferenceKind {
    /// It has other content.
    Changed,
    /// It was not placed.
    Added,
    /// It is gone.
    Missing,
    /// It may be executed, or may not any more.
    Mode,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            DifferenceKind::Changed => "changed",
            DifferenceKind::Added => "added",
            DifferenceKind::Missing => "missing",
            DifferenceKind::Mode => "permission to execute changed",
        };
        if self.path == "." {
            return formatter.write_str("it is another link, or none any more");
        }
        write!(formatter, "`{}` ({what})", self.path.escape_debug())
    }
}

impl Content {
    /// Of these files.
    pub(super) fn of(version: &Version, digest: Digest, files: &[BundleFile]) -> Self {
        let state =
            |file: &BundleFile| FileState { sha256: Digest::of(&file.bytes), executable: file.executable };
        let files = files.iter().map(|file| (file.path.clone(), state(file))).collect();
        Self { version: version.clone(), digest, files }
    }

    /// The digest of the bundle that these files make as they lie in this folder. None where they make no bundle.
    pub(super) fn digest_in(&self, folder: &Path) -> Result<Option<Digest>> {
        let mut files = Vec::with_capacity(self.files.len());
        for (path, state) in &self.files {
            let bytes = fs::read(machine::join(folder, path))
                .map_err(Error::disk(format!("read {}", folder.display())))?;
            files.push(BundleFile { path: path.clone(), executable: state.executable, bytes });
        }
        Ok(bundle::pack(files).ok().map(|packed| bundle::digest(&packed)))
    }

    /// What in this folder is not as it was placed.
    pub(super) fn differences(&self, folder: &Path) -> Result<Vec<Difference>> {
        let mut found = BTreeMap::new();
        collect(folder, "", false, &self.files, &mut found)?;
        let mut differences = Vec::new();
        for (path, expected) in &self.files {
            let kind = match found.get(path) {
                None => DifferenceKind::Missing,
                Some(Some(state)) if state.sha256 != expected.sha256 => DifferenceKind::Changed,
                Some(Some(state)) if cfg!(unix) && state.executable != expected.executable => {
                    DifferenceKind::Mode
                }
                Some(Some(_)) => continue,
                Some(None) => DifferenceKind::Changed,
            };
            differences.push(Difference { path: path.clone(), kind });
        }
        let added = found.into_keys().filter(|path| !self.files.contains_key(path));
        differences.extend(added.map(|path| Difference { path, kind: DifferenceKind::Added }));
        Ok(differences)
    }
}

/// Whether it was placed, or something below it.
fn is_placed(path: &str, expected: &BTreeMap<String, FileState>) -> bool {
    let below = format!("{path}/");
    expected.contains_key(path)
        || expected.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below))
}

/// What lies in a folder. Files that were not placed, and what is no file, have no state: nobody asks for it. In a folder that
/// programs leave behind only what was placed counts.
fn collect(
    folder: &Path,
    prefix: &str,
    is_left_behind: bool,
    expected: &BTreeMap<String, FileState>,
    found: &mut BTreeMap<String, Option<FileState>>,
) -> Result<()> {
    let doing = || format!("read {}", folder.display());
    for entry in fs::read_dir(folder).map_err(Error::disk(doing()))? {
        if found.len() >= MOST_ENTRIES {
            return Ok(());
        }
        let entry = entry.map_err(Error::disk(doing()))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let is_left_behind = is_left_behind || LEFT_BEHIND.contains(&name.as_str());
        if is_left_behind && !is_placed(&path, expected) {
            continue;
        }
        let metadata = match fs::symlink_metadata(entry.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata.map_err(Error::disk(doing()))?,
        };
        if metadata.is_dir() {
            collect(&entry.path(), &format!("{path}/"), is_left_behind, expected, found)?;
        } else if metadata.is_file() && expected.contains_key(&path) {
            let bytes = fs::read(entry.path()).map_err(Error::disk(doing()))?;
            let state = FileState { sha256: Digest::of(&bytes), executable: files::is_executable(&metadata) };
            found.insert(path, Some(state));
        } else {
            found.insert(path, None);
        }
    }
    Ok(())
}
