//! Making a folder of whatever was named. From there on all sources are one: what belongs to a skill is decided by
//! [`read_folder`](crate::folder::read_folder) alone, so that the same skill has the same digest from everywhere.

use std::io::Read;
use std::path::{Path, PathBuf};

use fs_err as fs;
use skillery_core::Limits;
use skillery_core::bundle::{self, BundleFile, SKILL_FILE};
use tempfile::TempDir;

use super::error::ImportError;
use super::source::{Source, check_inner};
use super::{MAX_ARCHIVE_BYTES, MAX_ARCHIVE_FILES, git};
use crate::error::{Error, Result};
use crate::files::write_new;
use crate::library::blocking;

/// A source that lies on this machine. What was put there for it is removed when this is dropped.
#[derive(Debug)]
pub struct Opened {
    /// The folder that skills are looked for in.
    pub folder: PathBuf,
    /// What stands before a path within it where it is shown: the folder that was named, and nothing for what is fetched.
    pub prefix: Option<PathBuf>,
    /// The commit that was fetched.
    pub commit: Option<String>,
    _temporary: Option<TempDir>,
}

impl Opened {
    /// A folder as it lies there.
    pub(super) fn folder(folder: &Path) -> Self {
        let folder = folder.to_owned();
        Self { prefix: Some(folder.clone()), folder, commit: None, _temporary: None }
    }

    fn fetched(temporary: TempDir, commit: Option<String>) -> Self {
        Self { folder: temporary.path().to_owned(), prefix: None, commit, _temporary: Some(temporary) }
    }
}

/// Fetches, unpacks, or takes the folder as it is. `inner` is a folder within it.
pub async fn open(source: &Source, inner: Option<&Path>) -> Result<Opened> {
    if let Some(inner) = inner {
        check_inner(inner)?;
    }
    let opened = match source {
        Source::Folder(folder) => Opened::folder(folder),
        Source::Archive(archive) => {
            let (temporary, archive) = (temporary()?, archive.clone());
            let into = temporary.path().to_owned();
            blocking(move || unpack(&archive, &into)).await?;
            Opened::fetched(temporary, None)
        }
        Source::Git(repository) => {
            let temporary = temporary()?;
            let commit = git::fetch(repository, inner, temporary.path()).await?;
            // It is of no use any more, and where the whole is one skill it would lie in its folder.
            fs::remove_dir_all(temporary.path().join(".git")).map_err(Error::disk("clear the repository"))?;
            Opened::fetched(temporary, Some(commit))
        }
    };
    let Some(inner) = inner else { return Ok(opened) };
    let folder = within(&opened.folder, inner)?;
    let prefix = Some(opened.prefix.as_ref().map_or_else(|| inner.to_owned(), |prefix| prefix.join(inner)));
    Ok(Opened { folder, prefix, ..opened })
}

/// The folder within, unless a link leads out.
fn within(folder: &Path, inner: &Path) -> Result<PathBuf> {
    let path = folder.join(inner);
    let found = (fs::canonicalize(folder).ok()).zip(fs::canonicalize(&path).ok());
    let Some((folder, found)) = found else { return Err(ImportError::not_there(inner).into()) };
    if !found.starts_with(folder) {
        let shown = inner.display().to_string();
        return Err(ImportError::bad_source(&shown, "a link leads out of the source").into());
    }
    match found.is_dir() {
        true => Ok(path),
        false => Err(ImportError::bad_source(&inner.display().to_string(), "it is no folder").into()),
    }
}

fn temporary() -> Result<TempDir> {
    tempfile::Builder::new().prefix("skillery-import-").tempdir().map_err(Error::disk("make a folder"))
}

fn unpack(archive: &Path, into: &Path) -> Result<()> {
    let mut files = admit(archive)?;
    // Archives of repositories have everything in one folder, which is named after the moment. One that is a skill stays.
    let is_skill = |file: &BundleFile| {
        file.path.split_once('/').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(SKILL_FILE))
    };
    if !files.iter().any(is_skill) {
        bundle::unwrap_folder(&mut files);
    }
    for file in files {
        let path = into.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::disk("unpack the archive"))?;
        }
        write_new(&path, &file.bytes, file.executable).map_err(Error::disk("unpack the archive"))?;
    }
    Ok(())
}

/// The files of the archive of a stranger, which may be much larger than one skill.
fn admit(archive: &Path) -> Result<Vec<BundleFile>> {
    let shown = super::error::safe(&archive.display().to_string());
    let most = MAX_ARCHIVE_BYTES;
    let too_large = || ImportError::TooMuch {
        shown: shown.clone(),
        reason: format!("the archive has more than {most} bytes"),
    };
    let file = fs::File::open(archive).map_err(Error::disk("read the archive"))?;
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes).map_err(Error::disk("read the archive"))?;
    if bytes.len() > most {
        return Err(too_large().into());
    }
    let limits = Limits { bundle_bytes: most, bundle_files: MAX_ARCHIVE_FILES, ..Limits::default() };
    bundle::admit(&bytes, &limits)
        .map_err(|problems| ImportError::BadArchive { shown: shown.clone(), problems }.into())
}
