//! Files of versions on disk: written so that they last, read back as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use skillery_core::SkillKind;
use skillery_core::bundle::{self, BundleFile};

use crate::error::{Error, Result};
use crate::files;
use crate::library::beside::{MANIFEST_FILE, is_beside};
use crate::library::manifest::{Installed, Manifest};
use crate::most;

/// Python makes it when a skill is imported.
const BYTECODE_FOLDER: &str = "__pycache__";

/// The folder of a version's files in the folder with what is kept of it. Those of a function lie there. A folder has one
/// of its own: it may have files of any name, and clients want it called like the skill.
pub(super) fn files_folder(beside: &Path, manifest: &Manifest) -> PathBuf {
    match manifest.kind {
        SkillKind::Function => beside.to_owned(),
        SkillKind::Folder => beside.join(bundle::skill_name(&manifest.id)),
    }
}

/// A path of a bundle below a folder.
pub(super) fn below(folder: &Path, path: &str) -> PathBuf {
    path.split('/').fold(folder.to_owned(), |folder, part| folder.join(part))
}

/// Writes a version into a folder that is not there yet.
pub(super) fn write_version(
    folder: &Path,
    files: &[BundleFile],
    manifest: &Manifest,
    beside: &BTreeMap<String, String>,
) -> io::Result<()> {
    fs::create_dir(folder)?;
    let own = files_folder(folder, manifest);
    let mut folders = BTreeSet::from([folder.to_owned()]);
    for file in files {
        let path = below(&own, &file.path);
        let parent = path.parent().unwrap_or(folder).to_owned();
        fs::create_dir_all(&parent)?;
        files::write_synced(&path, &file.bytes, file.executable)?;
        folders.extend(parent.ancestors().take_while(|above| *above != folder).map(Path::to_owned));
    }
    for (name, text) in beside {
        files::write_synced(&folder.join(name), text.as_bytes(), false)?;
    }
    files::write_synced(&folder.join(MANIFEST_FILE), &serde_json::to_vec_pretty(manifest)?, false)?;
    folders.iter().try_for_each(|folder| files::sync_folder(folder))
}

/// The files of a version as they are on disk now, without what this library or Python added, up to the limits of a bundle:
/// what is on disk may have been altered to anything.
pub(super) fn collect(installed: &Installed) -> Result<Vec<BundleFile>> {
    let (mut files, mut left) = (Vec::new(), most::limits().bundle_bytes as u64);
    walk(&installed.path, "", &installed.manifest, &mut files, &mut left)?;
    Ok(files)
}

/// `left` is how many bytes more there may be.
fn walk(
    folder: &Path,
    prefix: &str,
    manifest: &Manifest,
    files: &mut Vec<BundleFile>,
    left: &mut u64,
) -> Result<()> {
    let limits = most::limits();
    let too_much = || Error::invalid(format!("`{}`", folder.display()), "it holds more than a skill may");
    let may_be_added = prefix.split('/').any(|part| part == BYTECODE_FOLDER);
    for name in all_names_in(folder)? {
        let no_text = |name: OsString| {
            let what = format!("`{}`", folder.join(name).display());
            Error::invalid(what, "its name is no text, so it is no file of a skill")
        };
        let name = match name.into_string() {
            Ok(name) => name,
            // What Python made is never looked at, whatever it is called.
            Err(_) if may_be_added => continue,
            Err(name) => return Err(no_text(name)),
        };
        let (path, own) = (folder.join(&name), format!("{prefix}{name}"));
        let is_other = manifest.kind == SkillKind::Function && prefix.is_empty() && is_beside(&name);
        let metadata = match fs::symlink_metadata(&path) {
            // Another process has written newer ones meanwhile.
            Err(error) if is_other && error.kind() == io::ErrorKind::NotFound => continue,
            metadata => metadata.map_err(Error::disk("read a skill of the library"))?,
        };
        if is_other && metadata.is_file() {
            continue;
        }
        if metadata.is_dir() {
            walk(&path, &format!("{own}/"), manifest, files, left)?;
            continue;
        }
        // A folder may have been published with what Python had made in it.
        if may_be_added && !manifest.paths.contains(&own) {
            continue;
        }
        if !metadata.is_file() || files.len() >= limits.bundle_files || metadata.len() > *left {
            return Err(too_much());
        }
        *left -= metadata.len();
        let bytes = fs::read(&path).map_err(Error::disk("read a skill of the library"))?;
        files.push(BundleFile { path: own, executable: files::is_executable(&metadata), bytes });
    }
    Ok(())
}

/// The content of a file; nothing where there is none.
pub(super) fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(Error::disk("read the library")(error)),
    }
}

/// The names in a folder; none when there is no such folder. Nothing of ours is called otherwise than with a text, so what is, is
/// passed over.
pub(super) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for name in all_names_in(folder)? {
        match name.into_string() {
            Ok(name) => names.push(name),
            Err(name) => {
                let path = folder.join(name);
                tracing::warn!(path = %path.display(), "passing over what has no text as its name");
            }
        }
    }
    Ok(names)
}

fn all_names_in(folder: &Path) -> Result<Vec<OsString>> {
    let read = match fs::read_dir(folder) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(Error::disk("read the library")(error)),
    };
    let mut names = Vec::new();
    for entry in read {
        let entry = entry.map_err(Error::disk("read the library"))?;
        names.push(entry.file_name());
    }
    Ok(names)
}
