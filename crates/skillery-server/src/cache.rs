//! Ready answers in memory.
//!
//! Nothing lives only here. Each entry remembers the epoch of its skill from before it was loaded; a change raises
//! the epoch before anybody is told of it, and an entry of an older epoch is loaded again. So no reader can put an
//! old answer back.

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use foldhash::fast::RandomState;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use skillery_core::{SkillId, Version, Visibility};

const SHARDS: usize = 4_096;

/// Counts the changes of things by name. Names share counters; a shared one only costs a needless look.
pub struct Epochs {
    counters: Box<[AtomicU64]>,
    hasher: RandomState,
}

impl Default for Epochs {
    fn default() -> Self {
        Self { counters: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(), hasher: RandomState::default() }
    }
}

impl Epochs {
    fn counter(&self, name: &str) -> &AtomicU64 {
        &self.counters[self.hasher.hash_one(name) as usize % SHARDS]
    }

    /// How often the thing has changed. Read it before loading.
    pub fn of(&self, name: &str) -> u64 {
        self.counter(name).load(Ordering::Acquire)
    }

    /// The thing has changed.
    pub fn raise(&self, name: &str) {
        self.counter(name).fetch_add(1, Ordering::AcqRel);
    }
}

/// A skill as it is answered.
#[derive(Debug)]
pub struct CachedSkill {
    /// The id as first spelled.
    pub id: SkillId,
    /// Its key.
    pub key: String,
    /// The key of its namespace.
    pub namespace: String,
    /// Who sees it.
    pub visibility: Visibility,
    /// The record as JSON; none while the skill has no latest version.
    pub record: Option<Bytes>,
    /// Epoch of the skill from before it was loaded: of its content, and of its counts.
    pub epoch: (u64, u64),
}

/// A version as it is downloaded, without what only members get.
#[derive(Debug)]
pub struct CachedDownload {
    /// The skill's key.
    pub key: String,
    /// The key of its namespace.
    pub namespace: String,
    /// Who sees it.
    pub visibility: Visibility,
    /// The version that the request chose.
    pub version: Version,
    /// The answer as JSON, but for the closing brace: members' answers go on with the secret.
    pub open_json: Bytes,
    /// Whether the content is in the answer. That of a folder is asked for by itself.
    pub has_content: bool,
    /// Epoch of the skill's content from before it was loaded.
    pub epoch: u64,
}

#[derive(Clone)]
struct ByBytes;

impl<Key> Weighter<Key, Arc<CachedSkill>> for ByBytes {
    fn weight(&self, _: &Key, skill: &Arc<CachedSkill>) -> u64 {
        skill.record.as_ref().map_or(0, Bytes::len) as u64 + 400
    }
}

impl<Key> Weighter<Key, Arc<CachedDownload>> for ByBytes {
    fn weight(&self, _: &Key, download: &Arc<CachedDownload>) -> u64 {
        download.open_json.len() as u64 + 500
    }
}

/// All that is kept ready.
pub struct Ready {
    /// Changes of skills and their versions, by key.
    pub content: Epochs,
    /// Changes of what is handed out of the skills of namespaces, by key of the namespace.
    pub namespaces: Epochs,
    /// The same of orgs, and of who has which role there, by their keys.
    pub orgs: Epochs,
    /// Changes of install counts, by key.
    pub counts: Epochs,
    changes: AtomicU64,
    skills: Cache<String, Arc<CachedSkill>, ByBytes>,
    /// Keys by number; neither ever changes.
    keys: Cache<i64, Arc<str>>,
    downloads: Cache<(String, String), Arc<CachedDownload>, ByBytes>,
}

impl Ready {
    /// A cache of about so many bytes.
    pub fn new(bytes: u64) -> Self {
        let items = (bytes / 1_000).max(100) as usize;
        Self {
            content: Epochs::default(),
            namespaces: Epochs::default(),
            orgs: Epochs::default(),
            counts: Epochs::default(),
            changes: AtomicU64::new(0),
            skills: Cache::with_weighter(items, bytes / 2, ByBytes),
            keys: Cache::new(items),
            downloads: Cache::with_weighter(items, bytes / 2, ByBytes),
        }
    }

    /// What is handed out of the skills of a namespace is another now.
    pub fn place_changed(&self, namespace: &str) {
        self.namespaces.raise(namespace);
        self.org_changed(namespace);
        self.changed();
    }

    /// In the org of a namespace something is another now: a skill, or who has which role.
    pub fn org_changed(&self, namespace: &str) {
        self.orgs.raise(namespace.split('/').next().unwrap_or_default());
    }

    /// A skill has changed, whatever it is.
    pub fn changed(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// How often a skill has changed, but for what is said about it.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The epochs of a skill, for [`CachedSkill::epoch`].
    pub fn epochs(&self, key: &str) -> (u64, u64) {
        (self.content.of(key), self.counts.of(key))
    }

    fn fresh(&self, skill: Option<Arc<CachedSkill>>) -> Option<Arc<CachedSkill>> {
        skill.filter(|skill| skill.epoch == self.epochs(&skill.key))
    }

    /// The skill with this key, if it is ready.
    pub fn skill(&self, key: &str) -> Option<Arc<CachedSkill>> {
        self.fresh(self.skills.get(key))
    }

    /// The key of the skill with this number, if it is known.
    pub fn key_of(&self, number: i64) -> Option<Arc<str>> {
        self.keys.get(&number)
    }

    /// Remembers the key of a number.
    pub fn keep_key(&self, number: i64, key: &str) {
        self.keys.insert(number, Arc::from(key));
    }

    /// Keeps a skill ready.
    pub fn keep_skill(&self, skill: &Arc<CachedSkill>) {
        self.skills.insert(skill.key.clone(), Arc::clone(skill));
    }

    /// The download of what was asked for in these words, if it is ready.
    pub fn download(&self, key: &str, request: &str) -> Option<Arc<CachedDownload>> {
        self.downloads
            .get(&(key.to_owned(), request.to_owned()))
            .filter(|download| download.epoch == self.content.of(key))
    }

    /// Keeps a download ready.
    pub fn keep_download(&self, request: String, download: &Arc<CachedDownload>) {
        self.downloads.insert((download.key.clone(), request), Arc::clone(download));
    }
}
