//! Which versions there are beyond one that is used. Nothing is downloaded and nothing counted.

use serde::Serialize;
use skillery_core::api::VersionSummary;
use skillery_core::{Digest, SkillId, Version, VersionRequest, VersionStatus};

use crate::api::Page;
use crate::client::Client;
use crate::error::{Error, Result};

/// Versions of a skill that are looked through at most.
const MOST_VERSIONS: u64 = 100_000;

/// A version that is used, beside those that could be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outdated {
    /// The skill.
    pub id: SkillId,
    /// The version that is used.
    pub current: Version,
    /// What the registry says of it; nothing where it has no such version for the caller.
    pub status: Option<VersionStatus>,
    /// Why it was taken back.
    pub reason: Option<String>,
    /// Whether the registry has other content under this version.
    pub differs: bool,
    /// The highest version that is compatible with it, by semantic versioning.
    pub wanted: Option<Version>,
    /// The highest version.
    pub latest: Option<Version>,
    /// Whether there is a newer version, or this one should not be used.
    pub outdated: bool,
}

impl Outdated {
    /// Asks the registry about a version of a skill.
    pub async fn of(client: &Client, id: &SkillId, current: &Version, digest: Digest) -> Result<Self> {
        match all(client, id).await {
            Ok(versions) => Self::among(id, current, digest, &versions),
            Err(error) if error.is_not_found() => Self::among(id, current, digest, &[]),
            Err(error) => Err(error),
        }
    }

    fn among(id: &SkillId, current: &Version, digest: Digest, versions: &[VersionSummary]) -> Result<Self> {
        let compatible: VersionRequest = format!("^{current}").parse().map_err(Error::Version)?;
        let published = || {
            let published = versions.iter().filter(|version| version.status == VersionStatus::Published);
            published.map(|version| &version.version)
        };
        let present = versions.iter().find(|version| version.version == *current);
        let latest = VersionRequest::Latest.choose(published()).cloned();
        let status = present.map(|present| present.status);
        let differs = present.is_some_and(|present| present.digest != digest);
        let is_newer = latest.as_ref().is_some_and(|latest| latest > current);
        Ok(Self {
            id: id.clone(),
            current: current.clone(),
            status,
            reason: present.and_then(|present| present.reason.clone()),
            differs,
            wanted: compatible.choose(published()).cloned(),
            outdated: is_newer || differs || status != Some(VersionStatus::Published),
            latest,
        })
    }
}

async fn all(client: &Client, id: &SkillId) -> Result<Vec<VersionSummary>> {
    let mut versions = Vec::new();
    loop {
        let offset = versions.len() as u64;
        let page = client.versions(id, Page { limit: Some(200), offset: Some(offset) }).await?;
        let is_last = page.versions.is_empty();
        versions.extend(page.versions);
        if is_last || versions.len() as u64 >= page.total.min(MOST_VERSIONS) {
            return Ok(versions);
        }
    }
}
