//! Versions: list, look at one, yank, quarantine.

use reqwest::Method;
use skillery_core::api::{InstallResponse, ReasonRequest, VersionDetail, VersionSummary, VersionsResponse};
use skillery_core::{SkillId, Version, VersionRequest, VersionStatus};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

/// Versions of a skill that are looked through at most.
const MOST_VERSIONS: u64 = 100_000;

impl Client {
    /// All versions of a skill, the highest first. Asking for them counts as no install.
    pub async fn all_versions(&self, id: &SkillId) -> Result<Vec<VersionSummary>> {
        let mut versions = Vec::new();
        loop {
            let offset = versions.len() as u64;
            // How many make a page is the registry's to say.
            let page = self.versions(id, Page { limit: None, offset: Some(offset) }).await?;
            let is_last = page.versions.is_empty();
            versions.extend(page.versions);
            if is_last || versions.len() as u64 >= page.total.min(MOST_VERSIONS) {
                return Ok(versions);
            }
        }
    }

    /// The highest published version that fits. Asking for it counts as no install.
    pub async fn newest(&self, id: &SkillId, request: &VersionRequest) -> Result<Option<Version>> {
        if let VersionRequest::Exact(version) = request {
            return Ok(Some(version.clone()));
        }
        let mut offset = 0;
        loop {
            let page = self.versions(id, Page { limit: None, offset: Some(offset) }).await?;
            offset += page.versions.len() as u64;
            let is_last = page.versions.is_empty() || offset >= page.total.min(MOST_VERSIONS);
            let published = page.versions.iter().filter(|version| version.status == VersionStatus::Published);
            // The highest come first, so that the first page with one that fits has the one to take.
            if let Some(version) = request.choose(published.map(|version| &version.version)) {
                return Ok(Some(version.clone()));
            }
            if is_last {
                return Ok(None);
            }
        }
    }

    /// `GET /skills/{id}/versions`: one page, the highest first.
    pub async fn versions(&self, id: &SkillId, page: Page) -> Result<VersionsResponse> {
        self.json(page.add_to(Call::of_skill(Method::GET, id, &["versions"]))).await
    }

    /// `GET /skills/{id}/versions/{version}`: everything about one version.
    pub async fn version(&self, id: &SkillId, version: &Version) -> Result<VersionDetail> {
        self.json(Call::of_version(Method::GET, id, version, &[])).await
    }

    /// `GET /skills/{id}/install`: what to type to install it, of the latest version or of exactly this one.
    pub async fn install_lines(&self, id: &SkillId, version: Option<&Version>) -> Result<InstallResponse> {
        self.json(Call::of_skill(Method::GET, id, &["install"]).query("version", version)).await
    }

    /// `PUT /skills/{id}/versions/{version}/yank`: found no more, and downloaded by its exact version only.
    pub async fn yank(&self, id: &SkillId, version: &Version, reason: &str) -> Result<VersionSummary> {
        self.mark(Method::PUT, id, version, "yank", Some(reason)).await
    }

    /// `DELETE /skills/{id}/versions/{version}/yank`: takes the yank back.
    pub async fn unyank(&self, id: &SkillId, version: &Version) -> Result<VersionSummary> {
        self.mark(Method::DELETE, id, version, "yank", None).await
    }

    /// `PUT /skills/{id}/versions/{version}/quarantine`: never handed out. For admins of the registry.
    pub async fn quarantine(&self, id: &SkillId, version: &Version, reason: &str) -> Result<VersionSummary> {
        self.mark(Method::PUT, id, version, "quarantine", Some(reason)).await
    }

    /// `DELETE /skills/{id}/versions/{version}/quarantine`: hands it out again. For admins of the registry.
    pub async fn unquarantine(&self, id: &SkillId, version: &Version) -> Result<VersionSummary> {
        self.mark(Method::DELETE, id, version, "quarantine", None).await
    }

    async fn mark(
        &self,
        method: Method,
        id: &SkillId,
        version: &Version,
        mark: &str,
        reason: Option<&str>,
    ) -> Result<VersionSummary> {
        let mut call = Call::of_version(method, id, version, &[mark]);
        if let Some(reason) = reason {
            call = call.body(&ReasonRequest { reason: reason.to_owned() })?;
        }
        self.json(call).await
    }
}
