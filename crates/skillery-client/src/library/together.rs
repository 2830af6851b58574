//! Installing skills with all that they need: versions that go together are chosen first, then each is fetched and checked,
//! and only when all of them are good does any reach the library.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use skillery_core::api::VersionSummary;
use skillery_core::bundle::BundleFile;
use skillery_core::{Dependencies, Digest, SkillId, Version, VersionRequest, VersionStatus};
use tokio::runtime::Handle;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::cache::Entry;
use crate::library::install::{Fetched, check_locked, check_locked_statement};
use crate::library::offline::rebuilt;
use crate::library::{InstallOptions, Installation, Installed, Library, Manifest, blocking};
use crate::lockfile::{LockedSkill, Lockfile};
use crate::resolve::{Candidate, Chosen, Source, Want, resolve, untold};

/// Bytes that versions may take in memory together until they are put into the library, where the cache cannot be written.
const MAX_HELD: usize = 64 * 1024 * 1024;
/// Bytes that are downloaded to see what versions need, where the registry does not tell.
const MAX_READ: usize = 2 * 1024 * 1024 * 1024;

/// What was installed together.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// Everything that was to be installed, and that it needs: by id.
    pub installations: Vec<Installation>,
    /// What each of all that goes together needs, installed here or only locked.
    pub needs: BTreeMap<SkillId, Vec<Want>>,
}

impl Library {
    /// Installs what is wanted with all that it needs, in versions that go together. What `lock` names is chosen before what
    /// is newer, as far as it fits, but for skills whose keys are in `renewed`; a version that it names must be what it says.
    /// Where some are renewed, they are installed with what they need, and what the lock has to change for; what else is locked
    /// stays locked, and nobody has asked for it here.
    /// `step` hears of each version before it is fetched. Where the registry cannot be reached, what was downloaded earlier
    /// stands in.
    pub async fn install_together(
        &self,
        client: &Client,
        wants: &[Want],
        lock: &Lockfile,
        renewed: &BTreeSet<String>,
        options: InstallOptions,
        step: &(dyn Fn(&Chosen) + Sync),
    ) -> Result<Together> {
        let mut options = options;
        let held = Arc::new(Budget::of(MAX_HELD));
        let order = Order { client, wants, lock, renewed, held: &held };
        let (chosen, fetched) = match self.choose(&order, options).await {
            Err(error) if error.is_unreachable() && !options.offline && !options.require.witnessed => {
                options.offline = true;
                // Why the registry does not answer is of more use than that nothing was downloaded.
                self.choose(&order, options).await.map_err(|_| error)?
            }
            chosen => chosen?,
        };
        let mut fetched = fetched;
        let mut ready = Vec::with_capacity(chosen.len());
        let meant = order.meant(&chosen);
        for one in chosen.iter().filter(|one| meant.contains(&one.id.key())) {
            step(one);
            let locked = order.locked(&one.id, &one.version);
            // Whoever names a skill wants to hear of it from the registry.
            if let Some(locked) = locked.filter(|locked| !renewed.contains(&locked.id.key()))
                && let Some(present) = self.use_present(client, locked.clone(), options).await?
            {
                let manifest = &present.installed.manifest;
                check_needs(one, manifest, &self.files(&present.installed)?)?;
                ready.push(Ready::Present(Box::new(present)));
                continue;
            }
            let version = match fetched.remove(&(one.id.key(), one.version.clone())) {
                Some(version) => version,
                None => self.set_aside(&order, &one.id, &one.version, options).await?,
            };
            if version.needs != one.needs {
                let (id, version) = (one.id.clone(), one.version.clone());
                return Err(Error::NeedsDiffer { id, version });
            }
            ready.push(Ready::Aside(Box::new(version)));
        }
        let mut installations = Vec::with_capacity(ready.len());
        for version in ready {
            installations.push(match version {
                Ready::Present(installation) => *installation,
                Ready::Aside(aside) => {
                    let registry = client.registry().to_owned();
                    let fetched = self.taken_back(registry.clone(), *aside).await?;
                    self.put(registry, fetched).await?
                }
            });
        }
        let needs = chosen.into_iter().map(|one| (one.id, one.needs)).collect();
        Ok(Together { installations, needs })
    }

    /// What the files of an installed version say that it needs.
    pub fn needs(&self, installed: &Installed) -> Result<Vec<Want>> {
        let Manifest { kind, id, .. } = &installed.manifest;
        Ok(wants_of(&Dependencies::declared(*kind, id, &self.files(installed)?)))
    }

    /// Versions that go together, of the registry or of what was downloaded earlier; and what had to be fetched to know that.
    async fn choose(&self, order: &Order<'_>, options: InstallOptions) -> Result<(Vec<Chosen>, Read)> {
        let Order { client, wants, lock, renewed, held } = *order;
        let held = Arc::clone(held);
        let (client, wants, lock, renewed) = (client.clone(), wants.to_vec(), lock.clone(), renewed.clone());
        let (library, runtime) = (self.clone(), Handle::current());
        blocking(move || {
            let order = Order { client: &client, wants: &wants, lock: &lock, renewed: &renewed, held: &held };
            let locked: BTreeMap<SkillId, Version> = lock
                .skills()
                .iter()
                .filter(|skill| skill.registry == client.registry() && !renewed.contains(&skill.id.key()))
                .map(|skill| (skill.id.clone(), skill.version.clone()))
                .collect();
            if options.offline {
                let source = Downloaded { library: &library, client: &client, wants: &wants };
                return Ok((resolve(&source, &wants, &locked)?, Read::new()));
            }
            let source = Registry {
                library: &library,
                order: &order,
                options,
                runtime,
                read: RefCell::default(),
                to_read: Budget::of(MAX_READ),
            };
            let chosen = resolve(&source, &wants, &locked)?;
            Ok((chosen, source.read.into_inner()))
        })
        .await
    }

    /// Fetches a version and checks it, and keeps it in the cache until it may be put into the library: of many versions together
    /// only one is in memory. Where the cache cannot be written they are, as far as [`MAX_HELD`] goes.
    async fn set_aside(
        &self,
        order: &Order<'_>,
        id: &SkillId,
        version: &Version,
        options: InstallOptions,
    ) -> Result<Aside> {
        let (client, request) = (order.client, VersionRequest::Exact(version.clone()));
        let locked = order.locked(id, version);
        let wanted = order.wants.iter().find(|want| want.id.key() == id.key());
        // What was yanked is for whoever names it, or had it before.
        let is_named =
            wanted.is_some_and(|want| matches!(want.request, VersionRequest::Exact(_))) || locked.is_some();
        let introduced = locked.map(|locked| locked.log_key()).transpose()?.flatten();
        let fetched = self.fetch(client, id, &request, is_named, options, introduced.as_ref()).await?;
        if let Some(locked) = locked {
            check_locked(locked, fetched.entry.manifest.digest)?;
            if options.require.signed {
                check_locked_statement(locked, fetched.entry.kept.signatures.as_ref())?;
            }
        }
        let (library, registry) = (self.clone(), client.registry().to_owned());
        let held = Arc::clone(order.held);
        blocking(move || {
            let Fetched { mut entry, from_cache, is_kept, warning, new_log_key } = fetched;
            let files = rebuilt(&entry)?.files;
            let Manifest { id, version, digest, kind, .. } = &entry.manifest;
            let (id, version, digest) = (id.clone(), version.clone(), *digest);
            let needs = wants_of(&Dependencies::declared(*kind, &id, &files));
            let size = size_of(&entry)?;
            let kept = if is_kept { Ok(()) } else { library.keep_download(&registry, &mut entry) };
            let entry = match kept {
                Ok(()) => None,
                Err(error) => {
                    hold(&held, size, error, library.home.cache_folder().as_path())?;
                    Some(Box::new(entry))
                }
            };
            Ok(Aside { id, version, digest, needs, from_cache, warning, new_log_key, size, entry })
        })
        .await
    }

    /// What was set aside, from the disk.
    async fn taken_back(&self, registry: String, aside: Aside) -> Result<Fetched> {
        let library = self.clone();
        blocking(move || {
            let Aside { id, version, digest, from_cache, warning, new_log_key, entry, .. } = aside;
            let is_kept = entry.is_none();
            let kept = match entry {
                Some(entry) => Some(*entry),
                None => {
                    library.entry(&registry, &id, &version)?.filter(|entry| entry.manifest.digest == digest)
                }
            };
            // Somebody has cleared the cache meanwhile.
            let request = version.to_string();
            let entry = kept.ok_or(Error::NotCached { id, request, registry })?;
            Ok(Fetched { entry, from_cache, is_kept, warning, new_log_key })
        })
        .await
    }
}

/// What is wanted of whom, and what was locked.
#[derive(Clone, Copy)]
struct Order<'a> {
    client: &'a Client,
    wants: &'a [Want],
    lock: &'a Lockfile,
    renewed: &'a BTreeSet<String>,
    /// What versions may take in memory that could not be kept on disk.
    held: &'a Arc<Budget>,
}

impl Order<'_> {
    /// What is locked of this very version.
    fn locked(&self, id: &SkillId, version: &Version) -> Option<&LockedSkill> {
        let is_same =
            |locked: &&LockedSkill| locked.version == *version && locked.registry == self.client.registry();
        self.lock.get(id).filter(is_same)
    }

    /// The keys of what is to be installed of all that goes together.
    fn meant(&self, chosen: &[Chosen]) -> BTreeSet<String> {
        let is_changed = |one: &&Chosen| {
            let needs: Vec<String> = one.needs.iter().map(Want::text).collect();
            self.locked(&one.id, &one.version).is_none_or(|locked| locked.needs != needs)
        };
        let is_asked = |one: &&Chosen| {
            self.renewed.is_empty() || self.renewed.contains(&one.id.key()) || is_changed(one)
        };
        let mut next: Vec<String> = chosen.iter().filter(is_asked).map(|one| one.id.key()).collect();
        let mut meant = BTreeSet::new();
        while let Some(key) = next.pop() {
            let needs = chosen.iter().filter(|one| one.id.key() == key).flat_map(|one| &one.needs);
            let needs: Vec<String> = needs.map(|need| need.id.key()).collect();
            if meant.insert(key) {
                next.extend(needs);
            }
        }
        meant
    }
}

/// What something may take in sum.
struct Budget {
    most: usize,
    taken: AtomicUsize,
}

impl Budget {
    fn of(most: usize) -> Self {
        Self { most, taken: AtomicUsize::new(0) }
    }

    /// Takes so much of it, and whether that much was left.
    fn take(&self, size: usize) -> bool {
        self.taken.fetch_add(size, Ordering::Relaxed).saturating_add(size) <= self.most
    }

    /// `64 MiB`.
    fn text(&self) -> String {
        format!("{} MiB", self.most / (1024 * 1024))
    }
}

/// What a version takes in memory, or in the cache.
fn size_of(entry: &Entry) -> Result<usize> {
    let json = serde_json::to_vec(entry).map_err(Error::internal("measure a download"))?;
    Ok(json.len() + entry.bundle.as_ref().map_or(0, |zip| zip.len()))
}

/// Whether a version may stay in memory that could not be kept on disk for this reason.
fn hold(held: &Budget, size: usize, error: Error, cache: &Path) -> Result<()> {
    match error {
        _ if held.take(size) => Ok(()),
        Error::Disk { source, .. } => {
            let doing = format!(
                "keep downloads in {}, and no more than {} of them are held in memory",
                cache.display(),
                held.text()
            );
            Err(Error::Disk { doing, source })
        }
        other => Err(other),
    }
}

/// A version that is good, and lies on disk, or else in memory.
struct Aside {
    id: SkillId,
    version: Version,
    digest: Digest,
    /// What its files say that it needs.
    needs: Vec<Want>,
    from_cache: bool,
    warning: Option<String>,
    new_log_key: Option<String>,
    /// What it takes.
    size: usize,
    /// The version itself, where it could not be kept on disk.
    entry: Option<Box<Entry>>,
}

/// What was fetched, by the key of its skill and its version.
type Read = BTreeMap<(String, Version), Aside>;

/// A version that is good.
enum Ready {
    /// The library has it.
    Present(Box<Installation>),
    /// It is to be put there.
    Aside(Box<Aside>),
}

/// Nobody checked what the listing of the registry says of a version; what its files say was.
fn check_needs(chosen: &Chosen, manifest: &Manifest, files: &[BundleFile]) -> Result<()> {
    let declared = wants_of(&Dependencies::declared(manifest.kind, &manifest.id, files));
    match declared == chosen.needs {
        true => Ok(()),
        false => Err(Error::NeedsDiffer { id: manifest.id.clone(), version: manifest.version.clone() }),
    }
}

/// What the files of a version say that it needs.
fn declared(entry: &Entry) -> Result<Vec<Want>> {
    let manifest = &entry.manifest;
    Ok(wants_of(&Dependencies::declared(manifest.kind, &manifest.id, &rebuilt(entry)?.files)))
}

fn wants_of(dependencies: &Dependencies) -> Vec<Want> {
    dependencies.iter().map(|(id, request)| Want { id: id.clone(), request: request.clone() }).collect()
}

/// What the caller asked for of this skill.
fn wanted<'a>(wants: &'a [Want], id: &SkillId) -> Option<&'a Want> {
    wants.iter().find(|want| want.id.key() == id.key())
}

/// Whether one of these is there for whoever asks for it so.
fn is_there(want: &Want, candidates: &[Candidate]) -> bool {
    candidates.iter().any(|candidate| match &want.request {
        VersionRequest::Exact(version) => candidate.version == *version,
        VersionRequest::Latest | VersionRequest::Range(_) => {
            candidate.withdrawn.is_none() && want.will_do(&candidate.version)
        }
    })
}

/// What a registry has.
struct Registry<'a> {
    library: &'a Library,
    order: &'a Order<'a>,
    options: InstallOptions,
    runtime: Handle,
    /// What was fetched, as the registry does not tell what it needs.
    read: RefCell<Read>,
    /// What may be fetched for that.
    to_read: Budget,
}

impl Source for Registry<'_> {
    fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
        let Order { client, wants, .. } = *self.order;
        let wanted = wanted(wants, id);
        let versions = match self.runtime.block_on(client.all_versions(id)) {
            Err(error) if error.is_not_found() && wanted.is_none() => return Ok(Vec::new()),
            versions => versions?,
        };
        let candidates = self.candidates_of(versions)?;
        // Why there is none of what was asked for, the registry says best: it was quarantined, for example.
        if let Some(want) = wanted.filter(|want| !is_there(want, &candidates)) {
            self.runtime.block_on(client.download(id, &want.request))?;
        }
        Ok(candidates)
    }

    fn needs(&self, id: &SkillId, version: &Version) -> Result<Vec<Want>> {
        let aside = self.runtime.block_on(self.library.set_aside(self.order, id, version, self.options))?;
        if !self.to_read.take(aside.size) {
            return Err(untold(&self.to_read.text()));
        }
        let needs = aside.needs.clone();
        self.read.borrow_mut().insert((id.key(), version.clone()), aside);
        Ok(needs)
    }
}

impl Registry<'_> {
    fn candidates_of(&self, versions: Vec<VersionSummary>) -> Result<Vec<Candidate>> {
        versions
            .into_iter()
            .filter(|version| !matches!(version.status, VersionStatus::Rejected | VersionStatus::Quarantined))
            .map(|version| {
                let withdrawn = match version.status {
                    VersionStatus::Published => None,
                    VersionStatus::Pending => Some("it waits for approval".to_owned()),
                    _ => Some(version.reason.unwrap_or_default()),
                };
                let told = version.dependencies.map(|told| {
                    let mut needs = Dependencies::default();
                    for (id, range) in &told {
                        let added =
                            Dependencies::one(id, range).and_then(|(id, wanted)| needs.add(id, wanted));
                        added.map_err(|error| self.order.client.bad_answer(error.to_string()))?;
                    }
                    Ok::<_, Error>(wants_of(&needs))
                });
                Ok(Candidate { version: version.version, withdrawn, needs: told.transpose()? })
            })
            .collect()
    }
}

/// What was downloaded earlier.
struct Downloaded<'a> {
    library: &'a Library,
    client: &'a Client,
    wants: &'a [Want],
}

impl Source for Downloaded<'_> {
    fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
        let registry = self.client.registry();
        let candidates = self.library.each_downloaded(registry, id, |entry| {
            let manifest = &entry.manifest;
            // What is damaged is as good as not there.
            let needs = declared(&entry).ok()?;
            let withdrawn = (manifest.status != VersionStatus::Published)
                .then(|| format!("it was {} when it was downloaded", manifest.status));
            Some(Candidate { version: manifest.version.clone(), withdrawn, needs: Some(needs) })
        })?;
        if let Some(want) = wanted(self.wants, id).filter(|want| !is_there(want, &candidates)) {
            let (id, registry) = (id.clone(), registry.to_owned());
            return Err(Error::NotCached { id, request: want.request.to_string(), registry });
        }
        Ok(candidates)
    }

    fn needs(&self, id: &SkillId, version: &Version) -> Result<Vec<Want>> {
        let registry = self.client.registry();
        let (own, request) = (id.clone(), version.to_string());
        let not_there = || Error::NotCached { id: own, request, registry: registry.to_owned() };
        declared(&self.library.entry(registry, id, version)?.ok_or_else(not_there)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cache_cannot_keep_is_held_in_memory_as_far_as_that_goes() {
        let held = Budget::of(MAX_HELD);
        let full = || Error::disk("keep a download in the cache")(std::io::Error::other("it is full"));
        let hold = |size| hold(&held, size, full(), Path::new("kept/cache"));
        hold(MAX_HELD - 1).unwrap();
        hold(1).unwrap();
        let error = hold(1).unwrap_err();
        assert_eq!(error.code(), "disk");
        assert!(error.to_string().contains("kept/cache") && error.to_string().contains("64 MiB"), "{error}");
        assert!(!Budget::of(MAX_READ).take(MAX_READ + 1) && Budget::of(MAX_READ).take(MAX_READ));
    }
}
