//! What the two places know in different ways.

use std::future::Future;
use std::sync::Arc;

use skillery_core::api::{Record, SearchResponse, VersionDetail, VersionSummary};
use skillery_core::bundle::BundleFile;
use skillery_core::{Digest, SkillId, Version, VersionRequest};

use crate::{InstallResult, Manifest, Refusal, SearchArguments};

/// A registry as one caller sees it. What the caller may not see does not exist for it, and what is quarantined, waits for a
/// decision or was refused is never given; what was yanked only to who names the version.
///
/// All of it may be called many times at once, and is harmless to repeat, but for [`Backend::install`].
pub trait Backend: Send + Sync + 'static {
    /// Whether it can install skills, and so offers to.
    const INSTALLS: bool;

    /// Finds skills. The arguments are within their limits.
    fn search(&self, query: &SearchArguments)
    -> impl Future<Output = Result<SearchResponse, Refusal>> + Send;

    /// Everything about a version.
    fn show(
        &self,
        id: &SkillId,
        request: &VersionRequest,
    ) -> impl Future<Output = Result<Shown, Refusal>> + Send;

    /// One file of a version. Only that one is unpacked where it can be.
    fn file(
        &self,
        id: &SkillId,
        request: &VersionRequest,
        path: &str,
    ) -> impl Future<Output = Result<SkillFile, Refusal>> + Send;

    /// What the files of a version are, which never changes, so that it may be remembered.
    fn manifest(
        &self,
        id: &SkillId,
        request: &VersionRequest,
    ) -> impl Future<Output = Result<Arc<Manifest>, Refusal>> + Send;

    /// The latest versions of skills by their keys, at most `limit` from behind `after`.
    fn list(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Listing, Refusal>> + Send;

    /// A skill's description was handed out: the skill is in use.
    fn note_use(&self, id: &SkillId, version: &Version);

    /// Whether the user has said beforehand that nobody needs to be asked before something is installed.
    fn installs_unasked(&self) -> bool {
        false
    }

    /// Which agents are meant, before the user is asked about them.
    fn agents(&self, _named: &str) -> Result<Vec<String>, Refusal> {
        Err(Refusal::new("not-offered", "nothing can be placed for agents here"))
    }

    /// Installs a version, to which the user has agreed as it was shown, with all that it needs.
    fn install(&self, _order: &InstallOrder) -> impl Future<Output = Result<InstallResult, Refusal>> + Send {
        async { Err(Refusal::new("not-offered", "nothing can be installed here")) }
    }
}

/// What to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstallOrder {
    /// The skill, as it was first spelled.
    pub id: SkillId,
    /// The version that the user has agreed to.
    pub version: Version,
    /// Its digest, as it was shown: another one is refused.
    pub digest: Digest,
    /// The digest of its code, as it was shown.
    pub code_hash: Digest,
    /// What was asked for.
    pub request: VersionRequest,
    /// The agents that it is to be placed for, of [`Backend::agents`].
    pub agents: Vec<String>,
}

/// A version with one of its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillFile {
    /// The skill, as it was first spelled.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// Why the version should not be used.
    pub warning: Option<String>,
    /// The file that was asked for; none where there is no such file.
    pub file: Option<BundleFile>,
    /// The paths of all its files.
    pub paths: Vec<String>,
}

/// Everything about a version, and what there is besides it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The version that was asked for.
    pub version: VersionDetail,
    /// The skill by its latest version; none where it has no latest.
    pub skill: Option<Record>,
    /// The highest versions.
    pub versions: Vec<VersionSummary>,
    /// The registry's address, for the lines that install it.
    pub registry: Option<String>,
}

/// A part of a list of skills.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// Skills, in order.
    pub skills: Vec<Listed>,
    /// Behind what the next part begins; none: this was the last.
    pub next: Option<String>,
}

/// A skill in a list.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// What it is for.
    pub description: String,
}
