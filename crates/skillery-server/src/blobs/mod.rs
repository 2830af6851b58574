//! Contents: bundles by their SHA-256. The only room that knows where they lie.
//!
//! Bytes are written and synced before any row names them. What is read is checked against its digest; damaged bytes
//! are never handed out.

mod journal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::{ObjectStore, ObjectStoreExt, path::Path as ObjectPath};
use skillery_core::time::Time;
use skillery_core::{Digest, ProblemCode};

use crate::failure::{Failure, Result};
use journal::Journal;

/// Contents of more bytes are written by themselves: their bytes cost more than their syncs.
const SMALL: usize = 256 * 1024;

/// Bytes that take long enough to read through to be worth another thread.
const LARGE: usize = 1024 * 1024;

/// What is stored, and so where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobKey {
    /// A version's bundle.
    Bundle(Digest),
}

impl BlobKey {
    fn path(self) -> ObjectPath {
        match self {
            Self::Bundle(digest) => {
                let hex = digest.to_string();
                ObjectPath::from_iter(["sha256", &hex[..2], &hex])
            }
        }
    }

    fn digest(self) -> Digest {
        match self {
            Self::Bundle(digest) => digest,
        }
    }
}

/// The file of this content in the folder of all.
fn file_of(folder: &Path, key: BlobKey) -> PathBuf {
    folder.join(key.path().as_ref())
}

/// What a file is called until it is whole: as the store calls its own, so that one sweep finds both.
fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("#journal");
    name.into()
}

/// One stored content in a listing.
#[derive(Debug, Clone)]
pub struct Stored {
    /// What it is.
    pub key: BlobKey,
    /// When it was last written.
    pub written_at: Time,
}

/// The store of contents. Every write is durable when it returns; writing the same key again is harmless.
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn ObjectStore>,
    folder: PathBuf,
    journal: Option<Arc<Journal>>,
}

impl Blobs {
    /// The store in this folder, which is made if need be.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        fs_err::create_dir_all(folder)?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(std::io::Error::other)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), folder: folder.to_owned(), journal: None })
    }

    /// The store in this folder, with a journal in `journal` that makes small contents durable together. What a crash
    /// has left in the journal is stored first. Only one process may use a journal.
    pub fn open_with_journal(folder: &Path, journal: &Path) -> std::io::Result<Self> {
        let mut blobs = Self::open(folder)?;
        blobs.journal = Some(Arc::new(Journal::open(journal, folder)?));
        Ok(blobs)
    }

    /// Stores bytes durably.
    pub async fn put(&self, key: BlobKey, bytes: Bytes) -> Result<()> {
        match &self.journal {
            Some(journal) if bytes.len() <= SMALL => journal.put(key, bytes).await.map_err(write_failure),
            _ => self.put_alone(key, bytes).await,
        }
    }

    /// Makes the files of all contents durable, so that a start finds nothing in the journal.
    pub async fn settle(&self) -> Result<()> {
        match &self.journal {
            Some(journal) => journal.settle().await.map_err(write_failure),
            None => Ok(()),
        }
    }

    async fn put_alone(&self, key: BlobKey, bytes: Bytes) -> Result<()> {
        self.store.put(&key.path(), bytes.into()).await.map(drop).map_err(write_failure)
    }

    /// The bytes, checked against their digest.
    pub async fn get(&self, key: BlobKey) -> Result<Bytes> {
        let bytes = self.read(key).await?;
        if digest_of(&bytes).await? == key.digest() {
            return Ok(bytes);
        }
        let cause = format!("content {} has other bytes than its digest says", key.digest());
        Err(Failure::caused(ProblemCode::ContentDamaged, "", cause))
    }

    async fn read(&self, key: BlobKey) -> Result<Bytes> {
        let answer = async { self.store.get(&key.path()).await?.bytes().await };
        answer.await.map_err(|error| {
            let code = match error {
                object_store::Error::NotFound { .. } => ProblemCode::ContentMissing,
                _ => ProblemCode::StorageUnavailable,
            };
            Failure::caused(code, "", error)
        })
    }

    /// Removes bytes. No error when they are gone already.
    pub async fn delete(&self, key: BlobKey) -> Result<()> {
        match self.store.delete(&key.path()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Failure::caused(ProblemCode::StorageUnavailable, "", error)),
        }
    }

    /// Removes files that were begun before this time and never finished: the store gives them a name of its own, and
    /// does not list them.
    pub async fn sweep(&self, before: Time) -> Result<()> {
        let folder = self.folder.join("sha256");
        let sweep = move || -> std::io::Result<()> {
            if !folder.exists() {
                return Ok(());
            }
            for shard in fs_err::read_dir(folder)? {
                for file in fs_err::read_dir(shard?.path())? {
                    let file = file?;
                    let written = jiff::Timestamp::try_from(file.metadata()?.modified()?)
                        .map_err(std::io::Error::other)?;
                    let is_half = file.file_name().to_string_lossy().contains('#');
                    if is_half && Time::from_micros(written.as_microsecond()) < before {
                        fs_err::remove_file(file.path())?;
                    }
                }
            }
            Ok(())
        };
        let outcome = tokio::task::spawn_blocking(sweep).await.map_err(Failure::internal)?;
        outcome.map_err(|error| Failure::caused(ProblemCode::StorageUnavailable, "", error))
    }

    /// Everything that is stored, in no order. What is not one of ours is passed over.
    pub fn list(&self) -> BoxStream<'_, Result<Stored>> {
        self.store
            .list(Some(&ObjectPath::from("sha256")))
            .map_err(|error| Failure::caused(ProblemCode::StorageUnavailable, "", error))
            .try_filter_map(|meta| async move {
                let digest = meta.location.filename().and_then(|name| name.parse::<Digest>().ok());
                Ok(digest.map(|digest| Stored {
                    key: BlobKey::Bundle(digest),
                    written_at: Time::from_micros(meta.last_modified.timestamp_micros()),
                }))
            })
            .boxed()
    }
}

impl Stored {
    /// The digest of the content.
    pub fn digest(&self) -> Digest {
        self.key.digest()
    }
}

/// The digest of these bytes. Others have their turn meanwhile: of the largest it takes a tenth of a second.
async fn digest_of(bytes: &Bytes) -> Result<Digest> {
    if bytes.len() <= LARGE {
        return Ok(Digest::of(bytes));
    }
    let bytes = bytes.clone();
    tokio::task::spawn_blocking(move || Digest::of(&bytes)).await.map_err(Failure::internal)
}

/// Bytes could not be written, for want of room or otherwise.
pub(crate) fn write_failure(error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    let code = if is_full(&error) { ProblemCode::StorageFull } else { ProblemCode::StorageUnavailable };
    Failure::caused(code, "", error)
}

fn is_full(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
