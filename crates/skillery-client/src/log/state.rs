//! What a client remembers of a registry's log: the pinned key, the newest checkpoint, whole tiles. The only place that
//! knows its files.
//!
//! `<home>/logs/<registry>/`: `key`, `rotations.json` (how the log came to it), `checkpoint`, `heads.json`, `tiles/…`, and
//! `fork-….evidence` where two checkpoints did not go together.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use fs_err as fs;
use skillery_core::SkillId;
use skillery_core::tlog::{Rotation, Tile, VerifierKey};

use crate::error::{Error, Result};
use crate::files::{self, FileLock, Readers};
use crate::home::Home;
use crate::log::monitor::Watched;
use crate::log::rotation::Believed;

/// The file of the pinned key.
const KEY: &str = "key";
/// The file of the rotations.
const ROTATIONS: &str = "rotations.json";
/// The file that is locked. It is never removed: who holds it and who comes later would hold two files.
const LOCK: &str = ".lock";

/// The files of one registry's log.
#[derive(Debug, Clone)]
pub(super) struct State {
    folder: PathBuf,
}

impl State {
    /// Those of this registry. Nothing is made yet.
    pub(super) fn new(home: &Home, registry: &str) -> Self {
        Self { folder: home.log_folder(registry) }
    }

    /// Makes the folder, and keeps other processes from changing it.
    pub(super) fn lock(&self) -> Result<FileLock> {
        let lock = || {
            files::create_private_folder(&self.folder)?;
            files::lock(&self.folder.join(LOCK))
        };
        lock().map_err(Error::disk(format!("lock {}", self.folder.display())))
    }

    /// The key that was pinned.
    pub(super) fn key(&self) -> Result<Option<VerifierKey>> {
        let path = self.folder.join(KEY);
        let bad = |error| Error::BadFile { path: path.display().to_string(), source: Box::new(error) };
        self.read(KEY)?.map(|text| text.trim().parse().map_err(bad)).transpose()
    }

    /// The keys that are pinned for all registries that are known on this machine.
    pub(super) fn all_keys(&self) -> Result<Vec<VerifierKey>> {
        let Some(folder) = self.folder.parent() else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::disk("look for the logs that are known")(error)),
        };
        let mut keys = Vec::new();
        for entry in entries {
            let folder = entry.map_err(Error::disk("look for the logs that are known"))?.path();
            keys.extend(Self { folder }.key()?);
        }
        Ok(keys)
    }

    /// Pins a key.
    pub(super) fn pin(&self, key: &VerifierKey) -> Result<()> {
        self.write(KEY, format!("{key}\n").as_bytes())
    }

    /// How the log came to the key that is pinned: signed notes, the oldest first, that were found good. Nothing where that
    /// was never asked.
    pub(super) fn rotations(&self) -> Result<Option<Vec<String>>> {
        let Some(text) = self.read(ROTATIONS)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).map_err(|error| self.bad_rotations(error))
    }

    /// The keys that have handed the log over, the newest first.
    pub(super) fn former(&self) -> Result<Option<Vec<Believed>>> {
        let Some(notes) = self.rotations()? else { return Ok(None) };
        let chain = Rotation::chain(notes.iter().map(String::as_str));
        let chain = chain.map_err(|error| self.bad_rotations(error))?;
        Ok(Some(chain.iter().rev().map(Believed::from).collect()))
    }

    /// Keeps how the log came to its key.
    pub(super) fn keep_rotations(&self, notes: &[String]) -> Result<()> {
        let text = serde_json::to_vec(notes).map_err(Error::internal("write what was seen of a log"))?;
        self.write(ROTATIONS, &text)
    }

    fn bad_rotations(&self, error: impl std::error::Error + Send + Sync + 'static) -> Error {
        Error::BadFile { path: self.folder.join(ROTATIONS).display().to_string(), source: Box::new(error) }
    }

    /// The newest checkpoint that was found good, with its signatures.
    pub(super) fn checkpoint(&self) -> Result<Option<String>> {
        self.read("checkpoint")
    }

    /// Keeps a checkpoint.
    pub(super) fn keep(&self, note: &str) -> Result<()> {
        self.write("checkpoint", note.as_bytes())
    }

    /// The number of the last entry about each skill that was seen, by key.
    pub(super) fn heads(&self) -> Result<BTreeMap<String, u64>> {
        let Some(text) = self.read("heads.json")? else { return Ok(BTreeMap::new()) };
        serde_json::from_str(&text).map_err(|error| Error::BadFile {
            path: self.folder.join("heads.json").display().to_string(),
            source: error.into(),
        })
    }

    /// Remembers the last entry about a skill, in the log of this key. Nothing where another one was pinned meanwhile.
    pub(super) fn keep_head(&self, id: &SkillId, index: u64, key: &VerifierKey) -> Result<()> {
        let _lock = self.lock()?;
        if !self.is_of(key)? {
            return Ok(());
        }
        let mut heads = self.heads()?;
        let head = heads.entry(id.key()).or_insert(index);
        *head = index.max(*head);
        let text = serde_json::to_vec(&heads).map_err(Error::internal("write what was seen of a log"))?;
        self.write("heads.json", &text)
    }

    /// What was looked at of the whole log.
    pub(super) fn watched(&self) -> Result<Option<Watched>> {
        let Some(text) = self.read("monitor.json")? else { return Ok(None) };
        Watched::parse(&text).map_err(|error| Error::BadFile {
            path: self.folder.join("monitor.json").display().to_string(),
            source: error.into(),
        })
    }

    /// Keeps what was looked at of the whole log of this key. Nothing where another one was pinned meanwhile.
    pub(super) fn keep_watched(&self, watched: &Watched, key: &VerifierKey) -> Result<()> {
        let _lock = self.lock()?;
        if !self.is_of(key)? {
            return Ok(());
        }
        let text = serde_json::to_vec(watched).map_err(Error::internal("write what was seen of a log"))?;
        self.write("monitor.json", &text)
    }

    /// A whole tile; one that cannot be read is as good as none.
    pub(super) fn tile(&self, tile: &Tile) -> Option<Vec<u8>> {
        fs::read(self.folder.join(tile.path())).ok()
    }

    /// Keeps a whole tile. Without it, it is only asked for again.
    pub(super) fn keep_tile(&self, tile: &Tile, bytes: &[u8]) {
        let path = self.folder.join(tile.path());
        let keep = || {
            files::create_private_folder(path.parent().unwrap_or(&self.folder))?;
            files::write_atomically(&path, bytes, Readers::Owner)
        };
        if let Err(error) = keep() {
            tracing::debug!(%error, "a tile of the log is not kept");
        }
    }

    /// Forgets a tile that was found to be damaged.
    pub(super) fn drop_tile(&self, tile: &Tile) {
        let _ = fs::remove_file(self.folder.join(tile.path()));
    }

    /// The evidence that the registry has shown two logs, the oldest if there is more than one.
    pub(super) fn evidence(&self) -> Option<PathBuf> {
        let entries = fs::read_dir(&self.folder).ok()?;
        let mut files: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "evidence"))
            .collect();
        files.sort();
        files.into_iter().next()
    }

    /// Writes two signed checkpoints that do not go together.
    pub(super) fn keep_evidence(&self, text: &str) -> Result<PathBuf> {
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        let name = format!("fork-{now}.evidence");
        self.write(&name, text.as_bytes())?;
        Ok(self.folder.join(name))
    }

    /// Forgets what was seen under a key, and keeps the lock and evidence.
    pub(super) fn forget_seen(&self) -> Result<()> {
        for name in ["checkpoint", "heads.json", "monitor.json", ROTATIONS] {
            match fs::remove_file(self.folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::disk("forget a log")(error));
                }
                _ => {}
            }
        }
        match fs::remove_dir_all(self.folder.join("tile")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::disk("forget a log")(error)),
            _ => Ok(()),
        }
    }

    /// Forgets everything about the log, the evidence too.
    pub(super) fn forget(&self) -> Result<()> {
        // The key last: nothing that was seen under it stays without it.
        self.remove_all_but(&[LOCK, KEY])?;
        self.remove_all_but(&[LOCK])
    }

    /// Forgets what was seen of the log, the evidence too, and keeps its keys.
    pub(super) fn forget_but_keys(&self) -> Result<()> {
        self.remove_all_but(&[LOCK, KEY, ROTATIONS])
    }

    fn remove_all_but(&self, kept: &[&str]) -> Result<()> {
        let remove = || {
            for entry in fs::read_dir(&self.folder)? {
                let entry = entry?;
                if entry.file_name().to_str().is_some_and(|name| kept.contains(&name)) {
                    continue;
                }
                match entry.file_type()?.is_dir() {
                    true => fs::remove_dir_all(entry.path())?,
                    false => fs::remove_file(entry.path())?,
                }
            }
            files::sync_folder(&self.folder)
        };
        remove().map_err(Error::disk("forget a log"))
    }

    /// Whether this key is pinned, or has handed the log over to the one that is.
    fn is_of(&self, key: &VerifierKey) -> Result<bool> {
        let is_pinned = self.key()?.as_ref() == Some(key);
        Ok(is_pinned || self.former()?.unwrap_or_default().iter().any(|former| former.key == *key))
    }

    fn read(&self, name: &str) -> Result<Option<String>> {
        match fs::read_to_string(self.folder.join(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::disk("read what is known of a log")(error)),
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let write = || {
            files::create_private_folder(&self.folder)?;
            files::write_atomically(&self.folder.join(name), bytes, Readers::Owner)
        };
        write().map_err(Error::disk("write what is known of a log"))
    }
}
