//! What was downloaded, by registry, id and version, so that it installs again without the registry.
//!
//! An entry is checked each time it is used, as if it had just come over the network. It never holds a secret.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use fs_err as fs;
use serde::{Deserialize, Serialize};
use skillery_core::{SkillId, SkillKind, Version};

use crate::error::{Error, Result};
use crate::files::{self, Readers};
use crate::library::manifest::Manifest;
use crate::log::Kept;

/// Entries below one root.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    root: PathBuf,
}

/// A download that was verified when it came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) manifest: Manifest,
    pub(super) code: String,
    /// The ZIP of a folder; it lies in a file of its own.
    #[serde(skip)]
    pub(super) bundle: Option<Bytes>,
    /// The proof that it is in the log.
    #[serde(default)]
    pub(super) proof: Option<String>,
    /// Its signatures and approvals, and what they rest on.
    #[serde(default, skip_serializing_if = "Kept::is_empty")]
    pub(super) kept: Kept,
}

impl Cache {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn folder(&self, registry: &str, id: &SkillId) -> PathBuf {
        let root = self.root.join(files::name_of(registry));
        id.key().split('/').fold(root, |folder, segment| folder.join(segment))
    }

    fn path(&self, registry: &str, id: &SkillId, version: &Version) -> PathBuf {
        self.folder(registry, id).join(format!("@{version}.json"))
    }

    fn bundle_path(&self, registry: &str, id: &SkillId, version: &Version) -> PathBuf {
        self.folder(registry, id).join(format!("@{version}.zip"))
    }

    pub(super) fn put(&self, registry: &str, entry: &Entry) -> Result<()> {
        let path = self.path(registry, &entry.manifest.id, &entry.manifest.version);
        let bytes = serde_json::to_vec(entry).map_err(Error::internal("write a cache entry as JSON"))?;
        let bundle_path = self.bundle_path(registry, &entry.manifest.id, &entry.manifest.version);
        let write = || {
            files::create_private_folder(path.parent().unwrap_or(&self.root))?;
            // First, so that nothing names what is not there.
            if let Some(zip) = &entry.bundle {
                files::write_atomically(&bundle_path, zip, Readers::Owner)?;
            }
            files::write_atomically(&path, &bytes, Readers::Owner)
        };
        write().map_err(Error::disk("keep a download in the cache"))
    }

    /// An entry; a damaged one is as good as none.
    pub(super) fn get(&self, registry: &str, id: &SkillId, version: &Version) -> Option<Entry> {
        let bytes = fs::read(self.path(registry, id, version)).ok()?;
        let mut entry: Entry = serde_json::from_slice(&bytes)
            .inspect_err(|error| tracing::warn!(%id, %version, %error, "passing over a damaged cache entry"))
            .ok()?;
        if entry.manifest.kind == SkillKind::Folder {
            entry.bundle = Some(fs::read(self.bundle_path(registry, id, version)).ok()?.into());
        }
        (entry.manifest.id.key() == id.key() && entry.manifest.version == *version).then_some(entry)
    }

    /// The versions that there are entries of.
    pub(super) fn versions(&self, registry: &str, id: &SkillId) -> Vec<Version> {
        let Ok(entries) = fs::read_dir(self.folder(registry, id)) else { return Vec::new() };
        entries
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name();
                Path::new(&name).to_str()?.strip_prefix('@')?.strip_suffix(".json")?.parse().ok()
            })
            .collect()
    }

    pub(super) fn remove(&self, registry: &str, id: &SkillId, version: &Version) -> Result<()> {
        for path in [self.path(registry, id, version), self.bundle_path(registry, id, version)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::disk("remove a cache entry")(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
