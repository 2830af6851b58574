//! The library's folders. The only place that knows where a version is kept.
//!
//! `<library>/<namespace…>/<name>/@<version>/` holds `SKILL.md`, `scripts/<name>.py`, `skill.json` and, where the version
//! was proven to be in a log, `skill.tlog-proof`, and where it was found to be signed or approved, `skill.statement.json`,
//! `skill.signature.…` and `skill.approvals.…`. The files of a folder lie one deeper, in a folder called like the skill, so
//! that they may have any name and that an agent can be pointed to it. Beside the versions, `@current` names the one that is
//! used. No segment of a name has an `@`, so that a skill called `1.0.0` is no version of the one above it. Folders are named by [`SkillId::key`], so that two spellings of one id share
//! one. A version appears and disappears by one rename.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use fs_err as fs;
use skillery_core::bundle::{self, BundleFile};
use skillery_core::{Digest, SkillId, Version};

use crate::error::{Error, Result};
use crate::files::{self, FileLock, Readers};
use crate::library::beside::{self, Beside, MANIFEST_FILE, PROOF_FILE, same_log};
use crate::library::disk::{below, collect, files_folder, names_in, read_if_there, write_version};
use crate::library::manifest::{Installed, Manifest};
use crate::log::{Kept, LogError, is_kept_file};
use crate::verify;

const CURRENT_FILE: &str = "@current";
const SCRATCH_FOLDER: &str = ".scratch";
const LOCK_FILE: &str = ".lock";

/// Folders of versions below one root.
#[derive(Debug, Clone)]
pub(super) struct Store {
    root: PathBuf,
}

/// Keeps other writers out until it is dropped. Readers need no lock: they see what renames left.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    store: &'a Store,
    _lock: FileLock,
}

impl Store {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn skill_folder(&self, id: &SkillId) -> PathBuf {
        id.key().split('/').fold(self.root.clone(), |folder, segment| folder.join(segment))
    }

    fn version_folder(&self, id: &SkillId, version: &Version) -> PathBuf {
        self.skill_folder(id).join(format!("@{version}"))
    }

    /// What the library has of this version.
    pub(super) fn read(&self, id: &SkillId, version: &Version) -> Result<Option<Installed>> {
        let Some(manifest) = self.manifest(id, version)? else { return Ok(None) };
        let current = self.current(id)?;
        Ok(Some(self.installed(manifest, current.as_ref())))
    }

    fn manifest(&self, id: &SkillId, version: &Version) -> Result<Option<Manifest>> {
        let path = self.version_folder(id, version).join(MANIFEST_FILE);
        let Some(bytes) = read_if_there(&path)? else { return Ok(None) };
        let manifest: Manifest = serde_json::from_slice(&bytes)
            .map_err(|error| Error::BadFile { path: path.display().to_string(), source: error.into() })?;
        // Two versions that differ only by capitals share a folder on some file systems.
        Ok((manifest.version == *version && manifest.id.key() == id.key()).then_some(manifest))
    }

    fn installed(&self, manifest: Manifest, current: Option<&Version>) -> Installed {
        let beside = self.version_folder(&manifest.id, &manifest.version);
        let path = files_folder(&beside, &manifest);
        let paths = manifest.paths.iter().map(String::as_str);
        let script = bundle::script_of(paths, &manifest.id).map(str::to_owned);
        Installed {
            code_path: below(&path, &script.unwrap_or_else(|| bundle::code_path(&manifest.id))),
            current: current == Some(&manifest.version),
            proof_path: manifest.log_index.is_some().then(|| beside.join(PROOF_FILE)),
            path,
            beside,
            manifest,
        }
    }

    /// All versions of a skill that are there, the highest first.
    pub(super) fn versions(&self, id: &SkillId) -> Result<Vec<Installed>> {
        let current = self.current(id)?;
        let mut found = Vec::new();
        for version in self.version_numbers(id)? {
            match self.manifest(id, &version) {
                Ok(Some(manifest)) => found.push(self.installed(manifest, current.as_ref())),
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "passing over a version of the library"),
            }
        }
        Ok(found)
    }

    fn version_numbers(&self, id: &SkillId) -> Result<Vec<Version>> {
        let mut versions: Vec<Version> = names_in(&self.skill_folder(id))?
            .iter()
            .filter_map(|name| name.strip_prefix('@')?.parse().ok())
            .collect();
        versions.sort_by(|left, right| right.cmp(left));
        Ok(versions)
    }

    /// The version that a request without one gets: the one that was chosen, else the highest.
    pub(super) fn current(&self, id: &SkillId) -> Result<Option<Version>> {
        let versions = self.version_numbers(id)?;
        let chosen = read_if_there(&self.skill_folder(id).join(CURRENT_FILE))?
            .and_then(|bytes| String::from_utf8(bytes).ok()?.trim().parse::<Version>().ok())
            .filter(|chosen| versions.contains(chosen));
        let highest = || versions.iter().find(|version| !version.is_prerelease()).or(versions.first());
        Ok(chosen.or_else(|| highest().cloned()))
    }

    /// All skills that have a version, by key.
    pub(super) fn skills(&self) -> Result<Vec<SkillId>> {
        let mut found = Vec::new();
        self.walk(&self.root, &mut Vec::new(), &mut found)?;
        found.sort();
        Ok(found)
    }

    fn walk(&self, folder: &Path, segments: &mut Vec<String>, found: &mut Vec<SkillId>) -> Result<()> {
        let mut is_skill = false;
        for name in names_in(folder)? {
            if name.starts_with('@') {
                is_skill |= name != CURRENT_FILE;
            } else if !name.starts_with('.') && segments.len() <= skillery_core::limits::MAX_NAMESPACE_DEPTH {
                segments.push(name);
                self.walk(&folder.join(&segments[segments.len() - 1]), segments, found)?;
                segments.pop();
            }
        }
        if is_skill && let Ok(key) = segments.join("/").parse::<SkillId>() {
            // The folder has the key; the manifest has the spelling.
            if let Some(installed) = self.versions(&key)?.into_iter().next() {
                found.push(installed.manifest.id);
            }
        }
        Ok(())
    }

    /// The files of a version, as they are on disk now, without what this library or Python added.
    pub(super) fn files(&self, installed: &Installed) -> Result<Vec<BundleFile>> {
        collect(installed)
    }

    /// The proof that the version is in the log, if it has one.
    pub(super) fn proof(&self, installed: &Installed) -> Result<Option<String>> {
        let Some(bytes) = read_if_there(&installed.beside.join(PROOF_FILE))? else { return Ok(None) };
        Ok(String::from_utf8(bytes).ok())
    }

    /// The signatures and approvals of the version and what they rest on, if it has them: other bytes than were kept are an
    /// error. Where another process has written newer ones meanwhile, it is those.
    pub(super) fn kept(&self, installed: &Installed) -> Result<Kept> {
        let Manifest { id, version, .. } = &installed.manifest;
        let mut installed = installed.clone();
        loop {
            let error = match self.kept_now(&installed) {
                Ok(kept) => return Ok(kept),
                Err(error) => error,
            };
            match self.manifest(id, version)? {
                Some(newer) if newer.kept_files != installed.manifest.kept_files => {
                    installed.manifest = newer
                }
                _ => return Err(error),
            }
        }
    }

    fn kept_now(&self, installed: &Installed) -> Result<Kept> {
        let altered =
            |name: &str, reason: String| LogError::Altered { path: installed.beside.join(name), reason };
        let mut files = BTreeMap::new();
        for (name, digest) in &installed.manifest.kept_files {
            if !is_kept_file(name) {
                return Err(altered(name, "nothing is kept under this name".to_owned()).into());
            }
            let bytes = read_if_there(&installed.beside.join(name))?;
            let bytes = bytes.ok_or_else(|| altered(name, "it is missing".to_owned()))?;
            if Digest::of(&bytes) != *digest {
                return Err(altered(name, format!("its SHA-256 was {digest}")).into());
            }
            let text = String::from_utf8(bytes).map_err(|error| altered(name, error.to_string()))?;
            files.insert(name.clone(), text);
        }
        Kept::from_files(files).map_err(|(name, reason)| altered(&name, reason).into())
    }

    /// The digest of the files that are on disk now.
    pub(super) fn digest(&self, installed: &Installed) -> Result<Digest> {
        verify::digest_of(self.files(installed)?)
    }

    /// Waits for other writers, and clears away what an interrupted one left.
    pub(super) fn writer(&self) -> Result<Writer<'_>> {
        files::create_private_folder(&self.root)
            .map_err(Error::disk(format!("make {}", self.root.display())))?;
        let path = self.root.join(LOCK_FILE);
        let lock = files::lock(&path).map_err(Error::disk(format!("lock {}", path.display())))?;
        let scratch = self.root.join(SCRATCH_FOLDER);
        if scratch.exists() {
            fs::remove_dir_all(&scratch).map_err(Error::disk("clear away an interrupted installation"))?;
        }
        Ok(Writer { store: self, _lock: lock })
    }
}

impl Writer<'_> {
    /// Puts a version where readers find it, if it is not there already. Whether it was added. Other content under
    /// the same version is refused, unless it is a damaged copy of the same.
    pub(super) fn add(&self, files: &[BundleFile], mut manifest: Manifest, beside: Beside) -> Result<bool> {
        let target = self.store.version_folder(&manifest.id, &manifest.version);
        let present = self.store.read(&manifest.id, &manifest.version).unwrap_or_else(|error| {
            tracing::warn!(%error, "replacing a damaged version of the library");
            None
        });
        if let Some(present) = present {
            if present.manifest.digest != manifest.digest {
                let origin = present.manifest.registry.as_deref().map_or_else(
                    || "in the library, made here,".to_owned(),
                    |registry| format!("in the library, from {registry},"),
                );
                let Manifest { id, version, .. } = manifest;
                return Err(Error::ContentDiffers { id, version, place: origin });
            }
            if self.store.digest(&present).is_ok_and(|digest| digest == manifest.digest) {
                self.learn(&target, present, manifest, beside)?;
                return Ok(false);
            }
        }
        manifest.kept_files = beside.kept_files()?;
        let fresh = self.scratch("new")?;
        write_version(&fresh, files, &manifest, &beside.files()?)
            .map_err(Error::disk("write the files of a skill"))?;
        self.discard(&target)?;
        let folder = self.store.skill_folder(&manifest.id);
        let put = || {
            files::create_private_folder(&folder)?;
            fs::rename(&fresh, &target)?;
            files::sync_folder(&folder)
        };
        put().map_err(Error::disk("put a skill into the library"))?;
        Ok(true)
    }

    /// Writes what has come to be known of a version that is there: it was made here, or not proven, witnessed or signed yet.
    fn learn(
        &self,
        folder: &Path,
        present: Installed,
        mut manifest: Manifest,
        mut beside: Beside,
    ) -> Result<()> {
        let known = present.manifest.clone();
        let is_elsewhere = (manifest.registry.is_some() && known.registry != manifest.registry)
            || !same_log(known.log_key.as_deref(), manifest.log_key.as_deref());
        let mut is_more = is_elsewhere || known.status != manifest.status || !beside.kept.is_empty();
        if !is_elsewhere {
            let proof = self.store.proof(&present)?;
            is_more |= beside.cosigners() > beside::cosigners(proof.as_deref());
            // Demanding less than before takes nothing away.
            if beside.cosigners() < beside::cosigners(proof.as_deref()) {
                beside.proof = proof;
                (manifest.log_key, manifest.log_index) = (known.log_key, known.log_index);
            }
            manifest.signed = manifest.signed.or(known.signed);
            manifest.approved = manifest.approved.or(known.approved);
            // What was checked just now stands in for files that were altered.
            beside.kept = beside.kept.or(self.store.kept(&present).unwrap_or_default());
        }
        manifest.kept_files = beside.kept_files()?;
        if is_more { self.write_known(folder, &manifest, &beside.files()?) } else { Ok(()) }
    }

    /// Writes what is known of a version: first files that nobody reads yet, then the manifest, which names them, by one
    /// rename, then away with what it does not name. So the manifest names what is there, wherever that is interrupted.
    fn write_known(
        &self,
        folder: &Path,
        manifest: &Manifest,
        beside: &BTreeMap<String, String>,
    ) -> Result<()> {
        // Not in the folder of the version, where a file that is half written would be taken for one of the version's.
        let scratch = self.scratch("known")?;
        let write = |name: &str, bytes: &[u8]| {
            let _ = fs::remove_file(&scratch);
            files::write_synced(&scratch, bytes, false)?;
            fs::rename(&scratch, folder.join(name))
        };
        for (name, text) in beside {
            if read_if_there(&folder.join(name))?.as_deref() != Some(text.as_bytes()) {
                write(name, text.as_bytes()).map_err(Error::disk("write the proof of a skill"))?;
            }
        }
        let bytes =
            serde_json::to_vec_pretty(manifest).map_err(Error::internal("write a manifest as JSON"))?;
        files::sync_folder(folder)
            .and_then(|()| write(MANIFEST_FILE, &bytes))
            .and_then(|()| files::sync_folder(folder))
            .map_err(Error::disk("write what is known about a skill"))?;
        for name in names_in(folder)? {
            if is_kept_file(&name)
                && !manifest.kept_files.contains_key(&name)
                && let Err(error) = fs::remove_file(folder.join(&name))
            {
                // Nobody reads it.
                tracing::debug!(%error, "an older proof stays beside a skill");
            }
        }
        Ok(())
    }

    /// Makes a version the one that a request without one gets.
    pub(super) fn set_current(&self, id: &SkillId, version: &Version) -> Result<()> {
        let path = self.store.skill_folder(id).join(CURRENT_FILE);
        files::write_atomically(&path, format!("{version}\n").as_bytes(), Readers::Mask)
            .map_err(Error::disk("choose the current version of a skill"))
    }

    /// Takes a version away.
    pub(super) fn remove(&self, id: &SkillId, version: &Version) -> Result<()> {
        self.discard(&self.store.version_folder(id, version))?;
        if self.store.version_numbers(id)?.is_empty() {
            self.tidy(id);
        }
        Ok(())
    }

    /// Removes the pointer of a skill without versions, and the folders above it that have become empty.
    fn tidy(&self, id: &SkillId) {
        let mut folder = self.store.skill_folder(id);
        let _ = fs::remove_file(folder.join(CURRENT_FILE));
        while folder != self.store.root && fs::remove_dir(&folder).is_ok() {
            folder.pop();
        }
    }

    fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.store.root.join(SCRATCH_FOLDER);
        files::create_private_folder(&folder).map_err(Error::disk(format!("make {}", folder.display())))?;
        Ok(folder.join(name))
    }

    /// Moves a folder out of sight by one rename, then deletes it at leisure.
    fn discard(&self, folder: &Path) -> Result<()> {
        let old = self.scratch("old")?;
        match fs::rename(folder, &old) {
            Ok(()) => fs::remove_dir_all(&old).map_err(Error::disk("delete a version of the library")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::disk("take a version out of the library")(error)),
        }
    }
}
