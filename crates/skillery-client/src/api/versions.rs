//! Versions: list, look at one, yank, quarantine.

use reqwest::Method;
use skillery_core::api::{InstallResponse, ReasonRequest, VersionDetail, VersionSummary, VersionsResponse};
use skillery_core::{SkillId, Version};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `GET /skills/{id}/versions`: one page, the highest first.
    pub async fn versions(&self, id: &SkillId, page: Page) -> Result<VersionsResponse> {
        self.json(page.add_to(Call::of_skill(Method::GET, id, &["versions"]))).await
    }

    /// `GET /skills/{id}/versions/{version}`: everything about one version.
    pub async fn version(&self, id: &SkillId, version: &Version) -> Result<VersionDetail> {
        self.json(Call::of_skill(Method::GET, id, &["versions", &version.to_string()])).await
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
        let mut call = Call::of_skill(method, id, &["versions", &version.to_string(), mark]);
        if let Some(reason) = reason {
            call = call.body(&ReasonRequest { reason: reason.to_owned() })?;
        }
        self.json(call).await
    }
}
