//! Installing skills with all that they need: versions that go together are chosen first, then each is fetched and checked,
//! and only when all of them are good does any reach the library.

use std::collections::BTreeMap;

use skillery_core::api::VersionSummary;
use skillery_core::{Dependencies, SkillId, Version, VersionRequest, VersionStatus};
use tokio::runtime::Handle;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::install::Fetched;
use crate::library::offline::rebuilt;
use crate::library::{InstallOptions, Installation, Library, blocking};
use crate::lockfile::Lockfile;
use crate::resolve::{Candidate, Chosen, Source, Want, resolve};

/// What was installed together.
#[derive(Debug, Clone, PartialEq)]
pub struct Together {
    /// Everything that was wanted, and that it needs: by id.
    pub installations: Vec<Installation>,
    /// What each of them needs.
    pub needs: BTreeMap<SkillId, Vec<Want>>,
}

impl Library {
    /// Installs what is wanted with all that it needs, in versions that go together. What `lock` names is chosen before what
    /// is newer, as far as it fits. `step` hears of each version before it is fetched. Where the registry cannot be reached,
    /// what was downloaded earlier stands in.
    pub async fn install_together(
        &self,
        client: &Client,
        wants: &[Want],
        lock: &Lockfile,
        options: InstallOptions,
        step: &(dyn Fn(&Chosen) + Sync),
    ) -> Result<Together> {
        let mut options = options;
        let chosen = match self.choose(client, wants, lock, options).await {
            Err(error) if error.is_unreachable() && !options.offline && !options.require.witnessed => {
                options.offline = true;
                // Why the registry does not answer is of more use than that nothing was downloaded.
                self.choose(client, wants, lock, options).await.map_err(|_| error)?
            }
            chosen => chosen?,
        };
        let mut ready = Vec::with_capacity(chosen.len());
        for one in &chosen {
            step(one);
            let wanted = wants.iter().find(|want| want.id.key() == one.id.key());
            let locked = lock.get(&one.id).filter(|locked| locked.version == one.version);
            // What was yanked is for whoever names it, or had it before.
            let is_named = wanted.is_some_and(|want| matches!(want.request, VersionRequest::Exact(_)))
                || locked.is_some();
            if let Some(locked) = locked
                && let Some(present) = self.use_present(client, locked.clone(), options).await?
            {
                ready.push(Ready::Present(present));
                continue;
            }
            let request = VersionRequest::Exact(one.version.clone());
            let introduced = locked.map(|locked| locked.log_key()).transpose()?.flatten();
            let version =
                self.fetch(client, &one.id, &request, is_named, options, introduced.as_ref()).await?;
            if let Some(locked) = locked {
                super::install::check_locked(locked, version.entry.manifest.digest)?;
            }
            check_needs(one, &version)?;
            ready.push(Ready::Fetched(Box::new(version)));
        }
        let mut installations = Vec::with_capacity(ready.len());
        for version in ready {
            installations.push(match version {
                Ready::Present(installation) => installation,
                Ready::Fetched(version) => self.put(client.registry().to_owned(), *version).await?,
            });
        }
        let needs = chosen.into_iter().map(|one| (one.id, one.needs)).collect();
        Ok(Together { installations, needs })
    }

    /// Versions that go together, of the registry or of what was downloaded earlier.
    pub async fn choose(
        &self,
        client: &Client,
        wants: &[Want],
        lock: &Lockfile,
        options: InstallOptions,
    ) -> Result<Vec<Chosen>> {
        let locked: BTreeMap<SkillId, Version> = lock
            .skills()
            .iter()
            .filter(|skill| skill.registry == client.registry())
            .map(|skill| (skill.id.clone(), skill.version.clone()))
            .collect();
        let (library, client, wants) = (self.clone(), client.clone(), wants.to_vec());
        let runtime = Handle::current();
        blocking(move || match options.offline {
            true => resolve(&Downloaded { library, client, wants: &wants }, &wants, &locked),
            false => resolve(&Registry { client, runtime, wants: &wants }, &wants, &locked),
        })
        .await
    }
}

/// A version that is good.
enum Ready {
    /// The library has it.
    Present(Installation),
    /// It is to be put there.
    Fetched(Box<Fetched>),
}

/// Nobody checked what the listing of the registry says of a version; what its files say was.
fn check_needs(chosen: &Chosen, fetched: &Fetched) -> Result<()> {
    let manifest = &fetched.entry.manifest;
    let files = rebuilt(&fetched.entry)?.files;
    let declared = wants_of(&Dependencies::declared(manifest.kind, &manifest.id, &files));
    match declared == chosen.needs {
        true => Ok(()),
        false => Err(Error::NeedsDiffer { id: manifest.id.clone(), version: manifest.version.clone() }),
    }
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
        VersionRequest::Latest => candidate.withdrawn.is_none() && !candidate.version.is_prerelease(),
        VersionRequest::Range(_) => candidate.withdrawn.is_none() && want.will_do(&candidate.version),
    })
}

/// What a registry has.
struct Registry<'a> {
    client: Client,
    runtime: Handle,
    wants: &'a [Want],
}

impl Source for Registry<'_> {
    fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
        let wanted = wanted(self.wants, id);
        let versions = match self.runtime.block_on(self.client.all_versions(id)) {
            Err(error) if error.is_not_found() && wanted.is_none() => return Ok(Vec::new()),
            versions => versions?,
        };
        let candidates = self.read(versions)?;
        // Why there is none of what was asked for, the registry says best: it was quarantined, for example.
        if let Some(want) = wanted.filter(|want| !is_there(want, &candidates)) {
            self.runtime.block_on(self.client.download(id, &want.request))?;
        }
        Ok(candidates)
    }
}

impl Registry<'_> {
    fn read(&self, versions: Vec<VersionSummary>) -> Result<Vec<Candidate>> {
        versions
            .into_iter()
            .filter(|version| !matches!(version.status, VersionStatus::Rejected | VersionStatus::Quarantined))
            .map(|version| {
                let withdrawn = match version.status {
                    VersionStatus::Published => None,
                    VersionStatus::Pending => Some("it waits for approval".to_owned()),
                    _ => Some(version.reason.unwrap_or_default()),
                };
                let mut needs = Dependencies::default();
                for (id, range) in &version.dependencies {
                    let added = Dependencies::one(id, range).and_then(|(id, wanted)| needs.add(id, wanted));
                    added.map_err(|error| self.client.bad_answer(error.to_string()))?;
                }
                Ok(Candidate { version: version.version, withdrawn, needs: wants_of(&needs) })
            })
            .collect()
    }
}

/// What was downloaded earlier.
struct Downloaded<'a> {
    library: Library,
    client: Client,
    wants: &'a [Want],
}

impl Source for Downloaded<'_> {
    fn candidates(&self, id: &SkillId) -> Result<Vec<Candidate>> {
        let registry = self.client.registry();
        let candidates: Vec<Candidate> = self
            .library
            .downloaded(registry, id)?
            .into_iter()
            .filter_map(|entry| {
                let manifest = &entry.manifest;
                // What is damaged is as good as not there.
                let files = rebuilt(&entry).ok()?.files;
                let needs = wants_of(&Dependencies::declared(manifest.kind, &manifest.id, &files));
                let withdrawn = (manifest.status != VersionStatus::Published)
                    .then(|| format!("it was {} when it was downloaded", manifest.status));
                Some(Candidate { version: manifest.version.clone(), withdrawn, needs })
            })
            .collect();
        if let Some(want) = wanted(self.wants, id).filter(|want| !is_there(want, &candidates)) {
            let (id, registry) = (id.clone(), registry.to_owned());
            return Err(Error::NotCached { id, request: want.request.to_string(), registry });
        }
        Ok(candidates)
    }
}
