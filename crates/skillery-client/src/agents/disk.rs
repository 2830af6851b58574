//! Folders that appear, are exchanged and disappear as a whole.
//!
//! New content is written beside the folder of the agent, where no agent looks, and takes its place by one rename. Where
//! the file system can, old and new are exchanged by one; where it cannot, the old one waits beside it until the new one
//! is there, and [`recover`] brings it back.

use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use skillery_core::bundle::BundleFile;

use crate::error::{Error, Result};
use crate::files;

/// What is to stand in a place.
pub(super) enum Fresh<'a> {
    /// These files.
    Files(&'a [BundleFile]),
    /// A link.
    Link(&'a str),
}

/// Where one skill of one folder is made ready.
pub(super) struct Scratch {
    folder: PathBuf,
    target: PathBuf,
}

impl Scratch {
    /// Of this place, cleared of what an interruption left: the old state comes back where nothing had taken its place.
    pub(super) fn of(target: &Path) -> Result<Self> {
        let (Some(home), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(Error::invalid(format!("`{}`", target.display()), "it is no folder of a skill"));
        };
        let beside = home.parent().filter(|beside| is_one_disk(beside, home)).unwrap_or(home);
        let folder = beside.join(format!(".skillery-{}", name.to_string_lossy()));
        let scratch = Self { folder, target: target.to_owned() };
        scratch.recover().map_err(Error::disk(format!("clear {}", scratch.folder.display())))?;
        Ok(scratch)
    }

    fn recover(&self) -> io::Result<()> {
        let metadata = match fs::symlink_metadata(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            metadata => metadata?,
        };
        // Not made here: whatever it leads to stays.
        if !metadata.is_dir() {
            return fs::remove_file(&self.folder);
        }
        let old = self.folder.join("old");
        if is_there(&old) && !is_there(&self.target) {
            fs::rename(&old, &self.target)?;
        }
        fs::remove_dir_all(&self.folder)
    }

    /// Puts something where nothing is, or in place of what is there.
    pub(super) fn put(&self, fresh: &Fresh<'_>) -> Result<()> {
        let write = || {
            fs::create_dir(&self.folder)?;
            let new = self.folder.join("new");
            match fresh {
                Fresh::Files(files) => write_folder(&new, files)?,
                Fresh::Link(to) => link(to, &new)?,
            }
            if is_there(&self.target) {
                self.exchange(&new)?
            } else {
                fs::rename(&new, &self.target)?
            }
            files::sync_folder(self.target.parent().unwrap_or(&self.target))?;
            fs::remove_dir_all(&self.folder)
        };
        write().map_err(Error::disk(format!("place {}", self.target.display())))
    }

    fn exchange(&self, new: &Path) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{CWD, RenameFlags, renameat_with};
            if renameat_with(CWD, new, CWD, &self.target, RenameFlags::EXCHANGE).is_ok() {
                return Ok(());
            }
        }
        // This file system cannot exchange: between the two, the old one is what `recover` brings back.
        let old = self.folder.join("old");
        fs::rename(&self.target, &old)?;
        fs::rename(new, &self.target).inspect_err(|_| drop(fs::rename(&old, &self.target)))
    }

    /// Takes away what is there.
    pub(super) fn take(&self) -> Result<()> {
        match self.take_away() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome.map_err(Error::disk(format!("remove {}", self.target.display()))),
        }
    }

    fn take_away(&self) -> io::Result<()> {
        if fs::symlink_metadata(&self.target)?.is_symlink() {
            return fs::remove_file(&self.target);
        }
        fs::create_dir(&self.folder)?;
        fs::rename(&self.target, self.folder.join("gone"))?;
        files::sync_folder(self.target.parent().unwrap_or(&self.target))?;
        fs::remove_dir_all(&self.folder)
    }

    /// Brings back what was moved to where it is kept.
    pub(super) fn bring_back(&self, kept: &Path) -> Result<()> {
        let bring = || match fs::rename(kept, &self.target) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                fs::create_dir(&self.folder)?;
                let new = self.folder.join("new");
                copy(kept, &new)?;
                fs::rename(&new, &self.target)?;
                fs::remove_dir_all(&self.folder)?;
                if fs::symlink_metadata(kept)?.is_dir() {
                    fs::remove_dir_all(kept)
                } else {
                    fs::remove_file(kept)
                }
            }
            moved => moved,
        };
        bring().map_err(Error::disk(format!("bring back {} from {}", self.target.display(), kept.display())))
    }

    /// Moves what is there to where it is kept, be it on another disk. Where.
    pub(super) fn keep(&self, backups: &Path) -> Result<PathBuf> {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy();
        let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let keep = || {
            fs::create_dir_all(backups)?;
            let mut free = (0_u32..).map(|number| match number {
                0 => backups.join(format!("{name}-{time}")),
                number => backups.join(format!("{name}-{time}-{number}")),
            });
            let to = free.find(|path| !is_there(path)).unwrap_or_default();
            match fs::rename(&self.target, &to) {
                // Whole under its name, or not there: what is here goes only then.
                Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
                    let half = tempfile::Builder::new().prefix(files::HALF_WRITTEN).tempdir_in(backups)?;
                    copy(&self.target, &half.path().join(&*name))?;
                    fs::rename(half.path().join(&*name), &to)?;
                    files::sync_folder(backups)?;
                    self.take_away()?;
                }
                moved => {
                    moved?;
                    // Whoever hears of an error is told of no backup, so there is none.
                    files::sync_folder(backups).inspect_err(|_| drop(fs::rename(&to, &self.target)))?;
                }
            }
            Ok(to)
        };
        keep().map_err(Error::disk(format!("move {} to {}", self.target.display(), backups.display())))
    }
}

/// Whether there is something, be it a link that leads nowhere.
pub(super) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Whether one rename reaches from one folder to the other.
fn is_one_disk(one: &Path, other: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let disk = |path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
        disk(one).is_some() && disk(one) == disk(other)
    }
    #[cfg(not(unix))]
    {
        let _ = (one, other);
        true
    }
}

fn write_folder(folder: &Path, files: &[BundleFile]) -> io::Result<()> {
    fs::create_dir(folder)?;
    let mut folders = vec![folder.to_owned()];
    for file in files {
        let path = super::machine::join(folder, &file.path);
        let parent = path.parent().unwrap_or(folder).to_owned();
        fs::create_dir_all(&parent)?;
        files::write_synced(&path, &file.bytes, file.executable)?;
        folders.push(parent);
    }
    folders.sort();
    folders.dedup();
    folders.iter().try_for_each(|folder| files::sync_folder(folder))
}

/// Copies what is there, links as links, and waits until it is durable.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        let leads_to = fs::read_link(from)?;
        #[cfg(unix)]
        return fs_err::os::unix::fs::symlink(leads_to, to);
        #[cfg(windows)]
        return std::os::windows::fs::symlink_dir(leads_to, to);
    }
    if metadata.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        // Last, as nothing could be written into a folder that may not be.
        fs::set_permissions(to, metadata.permissions())?;
        return files::sync_folder(to);
    }
    if !metadata.is_file() {
        let what = format!("{} is no file, and lies on another disk than the copy would", from.display());
        return Err(io::Error::new(io::ErrorKind::Unsupported, what));
    }
    fs::copy(from, to)?;
    fs::File::open(to)?.sync_all()
}

fn link(to: &str, path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return fs_err::os::unix::fs::symlink(to, path);
    #[cfg(windows)]
    return std::os::windows::fs::symlink_dir(to.replace('/', "\\"), path);
}
