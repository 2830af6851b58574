//! Contents: bundles by their SHA-256. The only room that knows where they lie.
//!
//! Bytes are written and synced before any row names them. What is read is checked against its digest; damaged bytes
//! are never handed out.

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
}

impl Blobs {
    /// The store in this folder, which is made if need be.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        fs_err::create_dir_all(folder)?;
        let store = LocalFileSystem::new_with_prefix(folder).map_err(std::io::Error::other)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), folder: folder.to_owned() })
    }

    /// Stores bytes durably.
    pub async fn put(&self, key: BlobKey, bytes: Bytes) -> Result<()> {
        match self.store.put(&key.path(), bytes.into()).await {
            Ok(_) => Ok(()),
            Err(error) if is_full(&error) => Err(Failure::caused(ProblemCode::StorageFull, "", error)),
            Err(error) => Err(Failure::caused(ProblemCode::StorageUnavailable, "", error)),
        }
    }

    /// The bytes, checked against their digest.
    pub async fn get(&self, key: BlobKey) -> Result<Bytes> {
        let bytes = self.read(key).await?;
        if Digest::of(&bytes) == key.digest() {
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
