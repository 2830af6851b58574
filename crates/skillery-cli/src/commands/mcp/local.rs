//! The configured registry and the local library, as `skillery mcp` tells of them.
//!
//! What is found and shown is what the registry says. Files are never taken at its word: they are those of the library, or
//! of a download that was checked as for an installation. So what is listed as skills is what is installed; a list of all
//! that a registry has would be one of digests that nobody checked.

use std::path::Path;
use std::sync::Arc;

use skillery_client::library::Peeked;
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::project::ProjectGuard;
use skillery_client::resolve::Want;
use skillery_client::{
    Client, Error, InstallOptions, Installation, Installed, Library, LockedSkill, Lockfile, Manifest, Page,
    SearchQuery,
};
use skillery_core::access::yanked;
use skillery_core::api::{SearchResponse, VersionDetail};
use skillery_core::bundle::{BundleFile, SKILL_FILE};
use skillery_core::{Digest, Namespace, ProblemCode, SkillId, Version, VersionRequest, VersionStatus};
use skillery_mcp::{
    Backend, FileEntry, InstallOrder, InstallResult, Listed, Listing, Refusal, SearchArguments, Shown,
    SkillFile,
};

use crate::failure::Failure;
use crate::locking;
use crate::placing::Target;

/// A version with its files.
struct Whole {
    id: SkillId,
    version: Version,
    warning: Option<String>,
    files: Vec<BundleFile>,
}

/// What the program knows.
pub(super) struct Local {
    pub(super) client: Client,
    pub(super) library: Library,
    pub(super) options: InstallOptions,
    /// Whether the user has said beforehand that nobody needs to be asked.
    pub(super) allow_install: bool,
}

impl Local {
    /// The version that the registry has for the request.
    async fn resolve(&self, id: &SkillId, request: &VersionRequest) -> Result<Version, Error> {
        match request {
            VersionRequest::Exact(version) => Ok(version.clone()),
            VersionRequest::Latest => Ok(self.client.skill(id).await?.version.parse()?),
            VersionRequest::Range(_) => self.client.newest(id, request).await?.ok_or_else(|| {
                let detail = format!("`{id}` has no version that fits `{request}`");
                let problem = skillery_core::Problem::new(ProblemCode::VersionNotFound, detail);
                Error::Problem(Box::new(problem))
            }),
        }
    }

    /// What the registry says of a version, where it may be used.
    async fn offered(&self, id: &SkillId, version: &Version) -> Result<VersionDetail, Refusal> {
        let detail = self.client.version(id, version).await.map_err(refused)?;
        let problem = |code, detail| Err(skillery_core::Problem::new(code, detail).into());
        match detail.summary.status {
            VersionStatus::Published | VersionStatus::Yanked => Ok(detail),
            VersionStatus::Quarantined => {
                let reason = detail.summary.reason.unwrap_or_default();
                problem(ProblemCode::VersionQuarantined, format!("{id} {version} is quarantined: {reason}"))
            }
            VersionStatus::Pending | VersionStatus::Rejected => {
                problem(ProblemCode::VersionNotFound, format!("`{id}` has no version {version}"))
            }
        }
    }

    /// The version in the library, if it is there.
    async fn installed(&self, id: &SkillId, request: &VersionRequest) -> Option<Installed> {
        let VersionRequest::Exact(_) = request else { return None };
        let (library, id, request) = (self.library.clone(), id.to_string(), request.clone());
        blocking(move || Ok(library.get(&id, Some(&request)).ok())).await.ok().flatten()
    }

    /// The files of the library's version, as they were installed.
    async fn own(&self, installed: Installed, warning: Option<String>) -> Result<Whole, Refusal> {
        let library = self.library.clone();
        blocking(move || {
            let files = library.files(&installed)?;
            let Manifest { id, version, .. } = installed.manifest;
            Ok(Whole { id, version, warning, files })
        })
        .await
    }

    async fn shown(&self, id: &SkillId, request: &VersionRequest) -> Result<Shown, Refusal> {
        let version = self.resolve(id, request).await.map_err(refused)?;
        let version = self.offered(id, &version).await?;
        // The highest ones, as many as the registry tells at once.
        let mut versions = self.client.versions(id, Page::default()).await.map_err(refused)?.versions;
        versions.retain(|version| matches!(version.status, VersionStatus::Published | VersionStatus::Yanked));
        let skill = match self.client.skill(id).await {
            Ok(skill) => Some(skill),
            // All its versions are yanked, or prereleases.
            Err(error) if error.code() == ProblemCode::VersionNotFound.as_str() => None,
            Err(error) => return Err(refused(error)),
        };
        Ok(Shown { version, skill, versions, registry: None })
    }

    /// The files of a version: those of the library, or of a download that was checked as for an installation. Digests are of
    /// all of them, so that there is no way to read one alone.
    async fn files(&self, id: &SkillId, request: &VersionRequest) -> Result<Whole, Refusal> {
        let installed = self.installed(id, request).await;
        if let Some(installed) = &installed
            && installed.manifest.registry.as_deref() != Some(self.client.registry())
        {
            // It was made here, or came from elsewhere: nobody else knows more of it.
            return self.own(installed.clone(), None).await;
        }
        let version = self.resolve(id, request).await.map_err(refused)?;
        // What was quarantined since is not read any more, as far as the registry can be asked.
        let detail = match self.client.version(id, &version).await {
            Err(error) if error.is_unreachable() => None,
            Err(error) => return Err(refused(error)),
            Ok(_) => Some(self.offered(id, &version).await?),
        };
        let taken_back = detail
            .filter(|detail| detail.summary.status == VersionStatus::Yanked)
            .map(|detail| yanked(&detail.id, &version, detail.summary.reason.as_deref()));
        if let Some(installed) = installed {
            return self.own(installed, taken_back).await;
        }
        let peeked = self.library.peek(&self.client, id, &version, self.options).await.map_err(refused)?;
        let Peeked { manifest: Manifest { id, version, .. }, files, warning } = peeked;
        Ok(Whole { id, version, warning: taken_back.or(warning), files })
    }
}

impl Backend for Local {
    const INSTALLS: bool = true;

    async fn search(&self, query: &SearchArguments) -> Result<SearchResponse, Refusal> {
        let org = query.namespace.as_deref().map(str::parse::<Namespace>).transpose();
        let query = SearchQuery {
            q: query.query.clone(),
            tags: query.tags.clone().unwrap_or_default(),
            org: org.map_err(|error| refused(error.into()))?,
            page: Page { limit: query.limit.map(u64::from), offset: None },
            ..SearchQuery::default()
        };
        self.client.search(&query).await.map_err(refused)
    }

    async fn show(&self, id: &SkillId, request: &VersionRequest) -> Result<Shown, Refusal> {
        self.shown(id, request).await
    }

    async fn file(&self, id: &SkillId, request: &VersionRequest, path: &str) -> Result<SkillFile, Refusal> {
        let Whole { id, version, warning, files } = self.files(id, request).await?;
        let paths = files.iter().map(|file| file.path.clone()).collect();
        let file = files.into_iter().find(|file| file.path == path);
        Ok(SkillFile { id, version, warning, file, paths })
    }

    async fn manifest(
        &self,
        id: &SkillId,
        request: &VersionRequest,
    ) -> Result<Arc<skillery_mcp::Manifest>, Refusal> {
        let Whole { id, version, files, .. } = match self.installed(id, request).await {
            // What is installed is listed without asking anybody.
            Some(installed) => self.own(installed, None).await?,
            None => self.files(id, request).await?,
        };
        let entry = |file: &BundleFile| FileEntry {
            path: file.path.clone(),
            digest: Digest::of(&file.bytes),
            size: file.bytes.len() as u64,
        };
        let skill_file = files.iter().find(|file| file.path == SKILL_FILE);
        let skill_file = skill_file.map(|file| file.bytes.as_slice()).unwrap_or_default();
        let entries = files.iter().map(entry).collect();
        Ok(Arc::new(skillery_mcp::Manifest::new(id, version, entries, skill_file)))
    }

    async fn list(&self, after: Option<&str>, limit: usize) -> Result<Listing, Refusal> {
        let (library, after) = (self.library.clone(), after.map(str::to_owned));
        let mut installed = blocking(move || library.list()).await?;
        installed.sort_by_key(|installed| installed.manifest.id.key());
        installed.retain(|installed| after.as_ref().is_none_or(|after| installed.manifest.id.key() > *after));
        let is_last = installed.len() <= limit;
        let listed = |installed: Installed| Listed {
            id: installed.manifest.id,
            version: installed.manifest.version,
            description: installed.manifest.description,
        };
        let skills: Vec<Listed> = installed.into_iter().take(limit).map(listed).collect();
        let next = skills.last().filter(|_| !is_last).map(|skill| skill.id.key());
        Ok(Listing { skills, next })
    }

    fn note_use(&self, _: &SkillId, _: &Version) {
        // The registry counts downloads itself.
    }

    fn installs_unasked(&self) -> bool {
        self.allow_install
    }

    fn agents(&self, named: &str) -> Result<Vec<String>, Refusal> {
        let named: Vec<String> = named.split(',').map(|name| name.trim().to_owned()).collect();
        Ok(Target::here(self.library.home(), &named).map_err(failed)?.names())
    }

    async fn install(&self, order: &InstallOrder) -> Result<InstallResult, Refusal> {
        let (library, agents) = (&self.library, &order.agents);
        let target = (!agents.is_empty()).then(|| Target::here(library.home(), agents));
        let target = target.transpose().map_err(failed)?;
        // Where the host has started this program, a project may have a lock. None is begun: the host may work anywhere.
        let lock_path = Path::new(LOCK_FILE);
        let guard = match lock_path.exists() {
            true => Some(ProjectGuard::wait(Path::new("")).await.map_err(refused)?),
            false => None,
        };
        let lock = guard.as_ref().map(|_| Lockfile::load(lock_path)).transpose().map_err(refused)?.flatten();
        let before = lock.clone().unwrap_or_default();
        // What the user has agreed to is as if it was locked: another digest is refused.
        let agreed = agreed(&before, order, self.client.registry()).map_err(refused)?;
        let want = Want { id: order.id.clone(), request: VersionRequest::Exact(order.version.clone()) };
        let installed =
            locking::together(&self.client, library, vec![want], &agreed, self.options, &|_| ()).await;
        let (skills, mut after) = installed.map_err(failed)?;
        let placed = match &target {
            Some(target) => {
                target.place(library, skills.iter().map(|skill| &skill.installed)).map_err(failed)?
            }
            None => Vec::new(),
        };
        if lock.is_some() {
            if let Some(locked) = after.get(&order.id).cloned() {
                // The version was looked up for what was asked for.
                after.insert(LockedSkill { wanted: Some(order.request.to_string()), ..locked });
            }
            if after != before {
                after.save(lock_path).map_err(refused)?;
            }
        }
        drop(guard);
        let is_asked = |skill: &Installation| skill.installed.manifest.id.key() == order.id.key();
        let (mut asked, needed): (Vec<_>, Vec<_>) = skills.into_iter().partition(is_asked);
        let not_there = || Refusal::new("internal", "what was installed is not there");
        let Installation { installed, added, warning, .. } = asked.pop().ok_or_else(not_there)?;
        let folder = installed.path.display().to_string();
        let Manifest { id, version, digest, .. } = installed.manifest;
        let text = |skill: &Installation| {
            format!("{} {}", skill.installed.manifest.id, skill.installed.manifest.version)
        };
        let warnings: Vec<String> =
            warning.into_iter().chain(needed.iter().filter_map(|skill| skill.warning.clone())).collect();
        Ok(InstallResult {
            id: id.to_string(),
            version: version.to_string(),
            digest: digest.to_string(),
            added,
            folder,
            needed: needed.iter().map(text).collect(),
            placed: placed.iter().map(|placed| placed.path.display().to_string()).collect(),
            warning: (!warnings.is_empty()).then(|| warnings.join("; ")),
        })
    }
}

/// The lock with what the user has agreed to. What the project has locked of this version stays what it has to be, too.
fn agreed(lock: &Lockfile, order: &InstallOrder, registry: &str) -> Result<Lockfile, Error> {
    let mut agreed = lock.clone();
    let is_same = |locked: &&LockedSkill| locked.version == order.version && locked.registry == registry;
    if let Some(locked) = lock.get(&order.id).filter(is_same) {
        return match locked.digest == order.digest {
            true => Ok(agreed),
            false => Err(Error::DigestMismatch {
                id: order.id.clone(),
                version: order.version.clone(),
                expected: locked.digest.to_string(),
                found: order.digest.to_string(),
            }),
        };
    }
    agreed.insert(LockedSkill {
        id: order.id.clone(),
        version: order.version.clone(),
        digest: order.digest,
        code_hash: order.code_hash,
        registry: registry.to_owned(),
        log_key: None,
        log_index: None,
        proof: None,
        statement: None,
        wanted: None,
        needs: Vec::new(),
    });
    Ok(agreed)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> skillery_client::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(refused),
        Err(error) => Err(Refusal::new("internal", format!("work on the library did not end: {error}"))),
    }
}

fn failed(failure: Failure) -> Refusal {
    let refusal = Refusal::new(failure.code(), failure.message());
    failure.hint_text().into_iter().fold(refusal, Refusal::hint)
}

/// What an agent reads of it. What lies behind is for the user's log.
fn refused(error: Error) -> Refusal {
    let refusal = Refusal::new(error.code(), error.to_string());
    match error.code() {
        "token-required" | "unauthenticated" => refusal.hint("the user can sign in with `skillery login`"),
        _ => error.hint().into_iter().fold(refusal, Refusal::hint),
    }
}
