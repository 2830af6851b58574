//! Importing skills that lie elsewhere: a folder of them, a ZIP archive, a Git repository.
//!
//! Nothing is kept of an import. What is new is found out by comparing digests with those of the registry's versions, so an
//! import that was interrupted goes on when it is begun again, and one that was done does nothing. What is wrong with one
//! skill is a result, and keeps no other from being imported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use skillery_core::api::VersionSummary;
use skillery_core::bundle::BundleFile;
use skillery_core::lint::{Finding, Level, Lint, Strictness, findings_of, lint};
use skillery_core::sign::oms::SIGNATURE_FILE;
use skillery_core::version::BumpPart;
use skillery_core::{
    Digest, Limits, Namespace, Segment, SkillId, SkillManifest, SkillMd, Version, Visibility,
};

use crate::client::{Client, Progress};
use crate::error::{Error, ExitClass, Result};
use crate::folder::{find_skills, read_folder};
use crate::home::Home;
use crate::library::blocking;
use crate::oms::{self, OmsTrust};
use crate::publish::{FolderDraft, Published, SignWith, publish_folder};
use crate::verify::digest_of;

mod error;
mod git;
mod open;
mod source;

pub use self::error::ImportError;
pub use self::open::{Opened, open};
pub use self::source::{Repository, Source};

/// Files that a repository may hold.
const MAX_FILES: usize = 100_000;
/// Bytes of a repository, as it is sent and as it is written.
const MAX_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Files of an archive.
const MAX_ARCHIVE_FILES: usize = 30_000;
/// Bytes of an archive, as it is and unpacked, which are in memory for a moment.
const MAX_ARCHIVE_BYTES: usize = 512 * 1024 * 1024;
/// How a file begins that stands for one that Git LFS keeps elsewhere.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
/// Bytes of such a file.
const MAX_LFS_POINTER: usize = 1_024;

/// How skills are imported.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// The namespace that was asked for. A skill that says it belongs elsewhere is refused then: what a stranger wrote does
    /// not choose where among mine it goes.
    pub namespace: Option<Namespace>,
    /// The namespace of those that do not say theirs, where none was asked for.
    pub usual_namespace: Option<Namespace>,
    /// How much is demanded of them.
    pub strictness: Strictness,
    /// The version of all that are new.
    pub version: Option<Version>,
    /// Topics, beside those that they name.
    pub tags: Vec<String>,
    /// Who sees those that are published for the first time.
    pub visibility: Option<Visibility>,
    /// Who must have signed each, in a `skill.oms.sig` within it.
    pub oms: Option<OmsTrust>,
}

/// A skill that was found in a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its folder on this machine.
    pub folder: PathBuf,
    /// The folder within the source; `.` for the source itself.
    pub path: String,
    /// What it is published as, where that can be known.
    pub id: Option<SkillId>,
    /// The version that it says it is.
    pub own_version: Option<Version>,
    /// The digest of what would be published.
    pub digest: Option<Digest>,
    /// What was found in it.
    pub findings: Vec<Finding>,
    /// Why it is not published.
    pub refusals: Vec<String>,
}

/// What becomes of a skill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A version has the same content.
    Unchanged(Version),
    /// It is to be this version.
    Publish(Version),
    /// It cannot be a version.
    Refused(String),
}

/// The word for what became of a skill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was published.
    Published,
    /// It waits for approval.
    Pending,
    /// It would be published.
    WouldPublish,
    /// The registry has it.
    Unchanged,
    /// It was not published, and will not be as it is.
    Refused,
}

/// Finds the skills of a source and says what is wrong with each. It asks no registry.
pub async fn look(source: &Source, opened: &Opened, options: &ImportOptions) -> Result<Vec<Found>> {
    let (folder, shown, options) = (opened.folder.clone(), error::safe(&source.shown()), options.clone());
    blocking(move || look_within(&folder, shown, &options)).await
}

fn look_within(whole: &Path, shown: String, options: &ImportOptions) -> Result<Vec<Found>> {
    let folders = find_skills(whole)?;
    if folders.is_empty() {
        return Err(ImportError::NoSkill { shown }.into());
    }
    let mut found = Vec::with_capacity(folders.len());
    for folder in folders {
        found.push(look_at(folder, whole, options)?);
    }
    refuse_doubles(&mut found);
    Ok(found)
}

fn look_at(folder: PathBuf, whole: &Path, options: &ImportOptions) -> Result<Found> {
    let path = match folder.strip_prefix(whole) {
        Ok(inner) if !inner.as_os_str().is_empty() => error::safe(&inner.display().to_string()),
        _ => ".".to_owned(),
    };
    let mut found = Found {
        folder,
        path,
        id: None,
        own_version: None,
        digest: None,
        findings: Vec::new(),
        refusals: Vec::new(),
    };
    let limits = Limits::default();
    let read = match read_folder(&found.folder, &limits) {
        Ok(read) => read,
        Err(error) => {
            found.refusals.push(in_full(&error));
            return Ok(found);
        }
    };
    found.findings = findings_of(&read.problems, options.strictness);
    let Lint { skill_md, manifest, findings } = lint(&read.files, None, options.strictness, &limits);
    match skill_md.as_ref().map(|skill_md| choose_id(skill_md, &manifest, options)) {
        None => found.findings.extend(findings),
        Some(Ok(id)) => {
            // As the registry does it, by the name in the id.
            let named = lint(&read.files, Some(id.name()), options.strictness, &limits);
            found.findings.extend(named.findings);
            found.id = Some(id);
        }
        Some(Err(NoId::NoNamespace)) => return Err(ImportError::NoNamespace { path: found.path }.into()),
        Some(Err(NoId::Elsewhere(reason))) => {
            found.findings.extend(findings);
            found.refusals.push(reason);
        }
        Some(Err(NoId::BadName(reason))) => {
            // Where a rule says it already, once is enough.
            let is_told = findings.iter().any(|finding| finding.level == Level::Error);
            found.refusals.extend((!is_told).then_some(reason));
            found.findings.extend(findings);
        }
    }
    found.own_version = manifest.version;
    let errors = found.findings.iter().filter(|finding| finding.level == Level::Error).count();
    if errors > 0 {
        found.refusals.push(if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") });
    }
    if let Some(pointer) = read.files.iter().find(|file| is_lfs_pointer(file)) {
        found.refusals.push(format!("`{}` stands for a file that Git LFS has", error::safe(&pointer.path)));
    }
    if let Some(trust) = &options.oms {
        found.refusals.extend(check_oms(&found.folder, trust).err());
    }
    if found.refusals.is_empty() {
        match digest_of(read.files) {
            Ok(digest) => found.digest = Some(digest),
            Err(error) => found.refusals.push(in_full(&error)),
        }
    }
    Ok(found)
}

/// Why a skill has no id.
enum NoId {
    NoNamespace,
    Elsewhere(String),
    BadName(String),
}

/// The id: as the folder says, else its own name in the namespace.
fn choose_id(skill_md: &SkillMd, manifest: &SkillManifest, options: &ImportOptions) -> Result<SkillId, NoId> {
    let own = manifest.id.as_ref().map(SkillId::namespace).or_else(|| manifest.namespace.clone());
    if let (Some(own), Some(wanted)) = (&own, &options.namespace)
        && !wanted.contains(own)
    {
        return Err(NoId::Elsewhere(format!("it says that it belongs to `{own}`, and not to `{wanted}`")));
    }
    if let Some(id) = &manifest.id {
        return Ok(id.clone());
    }
    let namespace = own.or_else(|| options.namespace.clone()).or_else(|| options.usual_namespace.clone());
    let namespace = namespace.ok_or(NoId::NoNamespace)?;
    let segment: Result<Segment, _> = skill_md.name.parse();
    let name = match (segment, options.strictness) {
        // What others call `CSV Summary` is `csv-summary` in a registry.
        (Err(_), Strictness::Lenient) => skill_md.name.to_lowercase().replace(['_', '.', ' '], "-").parse(),
        (segment, _) => segment,
    };
    let name = name.map_err(|error| {
        NoId::BadName(format!("`{}` does not make a name: {error}", error::safe(&skill_md.name)))
    })?;
    SkillId::new(&namespace, &name).map_err(|error| NoId::BadName(error.to_string()))
}

/// Which of two skills of one name is meant nobody can tell, so none is.
fn refuse_doubles(found: &mut [Found]) {
    let mut paths: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for skill in &*found {
        if let Some(id) = &skill.id {
            paths.entry(id.key()).or_default().push(skill.path.clone());
        }
    }
    for skill in found {
        let Some(same) = skill.id.as_ref().and_then(|id| paths.get(&id.key())) else { continue };
        if same.len() > 1 {
            let named: Vec<String> = same.iter().map(|path| format!("`{path}`")).collect();
            skill.refusals.push(format!("{} have the same name", named.join(" and ")));
        }
    }
}

/// Whether the skill carries a signature over its files that counts.
fn check_oms(folder: &Path, trust: &OmsTrust) -> Result<(), String> {
    let signature = folder.join(SIGNATURE_FILE);
    if !signature.is_file() {
        return Err(format!("it is not signed: there is no `{SIGNATURE_FILE}`"));
    }
    let files = oms::read_folder(folder).map_err(|error| in_full(&error))?;
    match oms::verify(&signature, &files, trust) {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => {
            Err(format!("`{SIGNATURE_FILE}` does not fit: {}", error::safe(&error.to_string())))
        }
        Err(error) => Err(in_full(&error)),
    }
}

fn is_lfs_pointer(file: &BundleFile) -> bool {
    file.bytes.len() <= MAX_LFS_POINTER && file.bytes.starts_with(LFS_POINTER)
}

/// Which version a skill becomes, beside those that there are.
pub fn choose(found: &Found, versions: &[VersionSummary], options: &ImportOptions) -> Choice {
    if let Some(same) = versions.iter().find(|version| Some(version.digest) == found.digest) {
        return Choice::Unchanged(same.version.clone());
    }
    let is_free = |version: &Version| !versions.iter().any(|other| other.version == *version);
    // The registry holds a folder to what it says, unless it is somebody else's.
    let own = found.own_version.as_ref();
    let bound = own.filter(|_| options.strictness == Strictness::Strict);
    match (&options.version, bound) {
        (Some(wanted), Some(own)) if wanted != own => {
            return Choice::Refused(format!("it says that it is version {own}, and not {wanted}"));
        }
        (Some(wanted), _) if !is_free(wanted) => {
            return Choice::Refused(format!("version {wanted} has other content, and versions never change"));
        }
        (Some(wanted), _) => return Choice::Publish(wanted.clone()),
        (None, Some(own)) if !is_free(own) => {
            return Choice::Refused(format!(
                "it says that it is version {own}, which has other content; raise it, or import with `--lenient`"
            ));
        }
        (None, _) => {}
    }
    if let Some(own) = own.filter(|own| is_free(own)) {
        return Choice::Publish(own.clone());
    }
    match next(versions) {
        Some(next) => Choice::Publish(next),
        None => Choice::Refused("there is no higher version".to_owned()),
    }
}

/// The patch above the highest release; the release of the highest prerelease where there is no other.
fn next(versions: &[VersionSummary]) -> Option<Version> {
    let versions = || versions.iter().map(|summary| &summary.version);
    let release = versions().filter(|version| !version.is_prerelease()).max();
    let Some(highest) = release.or_else(|| versions().max()) else { return Some(Version::new(1, 0, 0)) };
    let numbers = highest.semver();
    match release {
        None => Some(Version::new(numbers.major, numbers.minor, numbers.patch)),
        Some(_) => numbers.patch.checked_add(1).map(|_| highest.bump(BumpPart::Patch)),
    }
}

/// Asks the registry which versions there are; none where it has no such skill.
pub async fn versions_of(client: &Client, id: &SkillId) -> Result<Vec<VersionSummary>> {
    match client.all_versions(id).await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        asked => asked,
    }
}

/// Publishes a skill that was found as this version. What its folder holds now must be what was looked at.
pub async fn publish(
    client: &Client,
    home: &Home,
    found: &Found,
    version: Version,
    options: &ImportOptions,
    sign_with: SignWith<'_>,
) -> Result<Published> {
    let changed = || Error::invalid(format!("`{}`", found.path), "it has changed since it was looked at");
    let Some(id) = found.id.clone() else { return Err(changed()) };
    let (folder, expected) = (found.folder.clone(), found.digest);
    let files = blocking(move || {
        let files = read_folder(&folder, &Limits::default())?.files;
        Ok((Some(digest_of(files.clone())?) == expected).then_some(files))
    });
    let files = files.await?.ok_or_else(changed)?;
    let draft = FolderDraft {
        id,
        version,
        files,
        tags: options.tags.clone(),
        homepage: None,
        repository: None,
        author: None,
        visibility: options.visibility,
        lenient: options.strictness == Strictness::Lenient,
    };
    publish_folder(client, home, draft, sign_with, Progress::default()).await
}

/// Whether an error in publishing a skill says nothing of the others.
pub fn is_about_one(error: &Error) -> bool {
    let unheard = matches!(
        error.code(),
        "unauthenticated" | "invalid-token" | "token-expired" | "token-revoked" | "insufficient-scope"
    );
    let by_registry = matches!(error, Error::Problem(_) | Error::Refused { .. } | Error::Invalid { .. });
    by_registry
        && !unheard
        && error.code() != "request-timed-out"
        && error.exit_class() != ExitClass::Unreachable
}

/// An error and what stands behind it, on one line.
fn in_full(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    error::safe(&text)
}

#[cfg(test)]
mod tests;
