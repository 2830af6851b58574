//! Writing files so that an interruption leaves the old one or the new one, and never half of either.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::Path;

use fs_err as fs;

/// How the names of files begin that are not written to their end.
pub(crate) const HALF_WRITTEN: &str = ".tmp-";

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// The owner only: mode 0600.
    Owner,
    /// Whoever the process's mask lets: mode 0666 less the mask.
    Mask,
}

/// Writes beside the target, syncs, and renames. The rename is the commit point.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    // A link to a file elsewhere stays a link.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(HALF_WRITTEN);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if readers == Readers::Owner { 0o600 } else { 0o666 };
        builder.permissions(std::fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = readers;
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Writes a file that is not there yet, and waits until it is durable.
pub(crate) fn write_synced(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    write_new(path, bytes, executable)?.sync_all()
}

/// Writes a file that is not there yet.
pub(crate) fn write_new(path: &Path, bytes: &[u8], executable: bool) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        options.mode(if executable { 0o755 } else { 0o644 });
    }
    #[cfg(not(unix))]
    let _ = executable;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Whether its owner may execute the file. Where files have no such mark, none is.
pub(crate) fn is_executable(metadata: &std::fs::Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o100 != 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { fs::File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Makes a folder and those above it; what is new is for its owner only.
pub(crate) fn create_private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

/// Keeps other processes, and other threads, out until it is dropped.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// Whether the file that is locked is still the one with this name.
    pub(crate) fn is_at(&self, path: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let identity = |metadata: &std::fs::Metadata| (metadata.dev(), metadata.ino());
            let (own, there) = (self.0.metadata(), fs::symlink_metadata(path));
            matches!((&own, &there), (Ok(own), Ok(there)) if identity(own) == identity(there))
        }
        #[cfg(not(unix))]
        {
            self.0.metadata().is_ok() && path.exists()
        }
    }
}

/// Waits for the lock.
pub(crate) fn lock(path: &Path) -> io::Result<FileLock> {
    locked(path, std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?)
}

/// As [`lock`], where the file may be one that another user has made.
pub(crate) fn lock_shared_file(path: &Path) -> io::Result<FileLock> {
    let opened = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(path);
    let file = match opened {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            File::open(path).map_err(|_| error)?
        }
        opened => opened?,
    };
    locked(path, file)
}

fn locked(path: &Path, file: File) -> io::Result<FileLock> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            tracing::debug!(path = %path.display(), "waiting for another process");
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(FileLock(file))
}

/// An address as the name of a folder: what is not a letter, a digit, `.` or `-` becomes `%` and its number.
pub(crate) fn name_of(address: &str) -> String {
    address
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' => char::from(byte).to_string(),
            other => format!("%{other:02x}"),
        })
        .collect()
}
