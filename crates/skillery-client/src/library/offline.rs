//! Installing what was downloaded earlier, where the registry is not, or must not be, asked.

use std::collections::BTreeSet;

use skillery_core::bundle;
use skillery_core::{SkillId, SkillKind, Version, VersionRequest, VersionStatus};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::cache::Entry;
use crate::library::install::Fetched;
use crate::library::manifest::{Installed, Manifest};
use crate::library::proof::LogKeys;
use crate::library::{InstallOptions, Library, blocking};
use crate::verify;

impl Library {
    /// The highest version that fits and was downloaded earlier.
    pub(super) async fn cached(
        &self,
        client: &Client,
        id: &SkillId,
        request: &VersionRequest,
        options: InstallOptions,
    ) -> Result<Fetched> {
        let (library, client, id, request) = (self.clone(), client.clone(), id.clone(), request.clone());
        blocking(move || {
            let registry = client.registry().to_owned();
            let present = library.present(&registry, &id)?;
            let mut versions = library.cache.versions(&registry, &id);
            versions.extend(present.iter().map(|installed| installed.manifest.version.clone()));
            loop {
                let Some(version) = request.choose(versions.iter()).cloned() else {
                    return Err(Error::NotCached { id, request: request.to_string(), registry });
                };
                let entry = library.entry_among(&present, &registry, &id, &version);
                // What was yanked, or waited, is only for who names it.
                let is_for_all = |entry: &Entry| entry.manifest.status == VersionStatus::Published;
                let is_named = matches!(request, VersionRequest::Exact(_));
                if let Some(entry) = entry.filter(|entry| is_named || is_for_all(entry)) {
                    library.check_entry(&client, &entry, options)?;
                    let warning = earlier_warning(&entry.manifest);
                    return Ok(Fetched {
                        entry,
                        from_cache: true,
                        is_kept: true,
                        warning,
                        new_log_key: None,
                    });
                }
                versions.retain(|other| *other != version);
            }
        })
        .await
    }

    /// What is to be known of each version of a skill from this registry that is here, installed or in the cache. One after the
    /// other is read: all of them may be more than the memory holds.
    pub(super) fn each_downloaded<T>(
        &self,
        registry: &str,
        id: &SkillId,
        read: impl Fn(Entry) -> Option<T>,
    ) -> Result<Vec<T>> {
        let present = self.present(registry, id)?;
        let mut versions: BTreeSet<Version> = self.cache.versions(registry, id).into_iter().collect();
        versions.extend(present.iter().map(|installed| installed.manifest.version.clone()));
        let there = versions.iter().filter_map(|version| self.entry_among(&present, registry, id, version));
        Ok(there.filter_map(read).collect())
    }

    /// A version from this registry that is here, installed or in the cache.
    pub(super) fn entry(&self, registry: &str, id: &SkillId, version: &Version) -> Result<Option<Entry>> {
        Ok(self.entry_among(&self.present(registry, id)?, registry, id, version))
    }

    fn entry_among(
        &self,
        present: &[Installed],
        registry: &str,
        id: &SkillId,
        version: &Version,
    ) -> Option<Entry> {
        self.cache.get(registry, id, version).or_else(|| {
            let same = |installed: &&Installed| installed.manifest.version == *version;
            present.iter().find(same).and_then(|installed| self.entry_of(installed))
        })
    }

    /// What the library has of a skill from this registry: as good as a cache, should that have been cleared.
    fn present(&self, registry: &str, id: &SkillId) -> Result<Vec<Installed>> {
        let mut present = self.store.versions(id)?;
        present.retain(|installed| installed.manifest.registry.as_deref() == Some(registry));
        Ok(present)
    }

    fn check_entry(&self, client: &Client, entry: &Entry, options: InstallOptions) -> Result<()> {
        let files = rebuilt(entry)?.files;
        let manifest = &entry.manifest;
        let (configured, kept) = (client.configured_log_key(), entry.kept.signatures.as_ref());
        if options.require.logged {
            let witnessing = self.witnessing(client, options.require)?;
            self.check_proof(
                manifest,
                entry.proof.as_deref(),
                LogKeys::known(configured),
                witnessing.as_ref(),
            )?;
        }
        if options.require.signed {
            self.check_signed(manifest, &files, kept, LogKeys::known(configured))?;
        }
        if options.require.approved {
            let keys = LogKeys::known(configured);
            let or_forced = options.require.or_forced;
            self.check_approved(manifest, entry.kept.approvals.as_ref(), keys, or_forced)?;
        }
        if options.verify_signature {
            self.require_any_signature(client.registry(), manifest, &files, kept, configured)?;
        }
        Ok(())
    }

    fn entry_of(&self, installed: &Installed) -> Option<Entry> {
        let (code, bundle) = match installed.manifest.kind {
            SkillKind::Function => (fs_err::read_to_string(&installed.code_path).ok()?, None),
            SkillKind::Folder => {
                let packed = bundle::pack(self.store.files(installed).ok()?).ok()?;
                (String::new(), Some(packed.into()))
            }
        };
        let proof = self.store.proof(installed).ok()?;
        let kept = self.store.kept(installed).ok()?;
        Some(Entry { manifest: installed.manifest.clone(), code, bundle, proof, kept })
    }
}

/// The files of an entry, as they were published.
pub(super) fn rebuilt(entry: &Entry) -> Result<verify::Checked> {
    let Manifest { id, version, digest, code_hash, description, license, .. } = &entry.manifest;
    let (own_id, own_version) = (id.clone(), version.clone());
    let checked = match &entry.bundle {
        Some(zip) => verify::check_bundle(own_id, own_version, zip, *digest)?,
        None => verify::check_code(own_id, own_version, description, license, &entry.code, *digest)?,
    };
    if checked.code_hash != *code_hash {
        return Err(Error::CodeHashMismatch { id: checked.id, version: checked.version });
    }
    Ok(checked)
}

/// What was to be said of a version when it was downloaded.
fn earlier_warning(manifest: &Manifest) -> Option<String> {
    let Manifest { id, version, status, .. } = manifest;
    match status {
        VersionStatus::Published => None,
        VersionStatus::Pending => Some(format!("{id} {version} waited for approval when it was downloaded")),
        other => Some(format!("{id} {version} was {other} when it was downloaded")),
    }
}
