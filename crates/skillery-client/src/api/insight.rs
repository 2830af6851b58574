//! What the registry knows of how skills are used.

use reqwest::Method;
use skillery_core::api::{
    AdoptionResponse, BoardOf, BoardPeriod, DependenciesResponse, DependentsResponse, HealthResponse,
    InstallsResponse, LeaderboardResponse, Listed, NamespaceInsight, NamespaceInsightRequest, Unit,
};
use skillery_core::{Namespace, Program, SkillId, Version, VersionRequest};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `GET /skills/{id}/usage/installs`: how often a skill was installed in the last days, of all versions and with all
    /// programs or of one alone.
    pub async fn installs(
        &self,
        id: &SkillId,
        by: Option<Unit>,
        days: Option<u32>,
        version: Option<&Version>,
        program: Option<Program>,
    ) -> Result<InstallsResponse> {
        let call = Call::of_skill(Method::GET, id, &["usage", "installs"]);
        let call = call.query("by", by).query("days", days);
        self.json(call.query("version", version).query("program", program)).await
    }

    /// `GET /orgs/{namespace}/usage`: how often the skills of a namespace and below it were installed, with all programs or
    /// with one alone.
    pub async fn namespace_installs(
        &self,
        namespace: &Namespace,
        by: Option<Unit>,
        days: Option<u32>,
        program: Option<Program>,
    ) -> Result<InstallsResponse> {
        let call = Call::of_namespace(Method::GET, namespace, &["usage"]);
        self.json(call.query("by", by).query("days", days).query("program", program)).await
    }

    /// `GET /orgs/{namespace}/usage/settings`: what is told of how the skills of a namespace are used.
    pub async fn namespace_insight(&self, namespace: &Namespace) -> Result<NamespaceInsight> {
        self.json(Call::of_namespace(Method::GET, namespace, &["usage", "settings"])).await
    }

    /// `PUT /orgs/{namespace}/usage/settings`, in place of what was set before.
    pub async fn set_namespace_insight(
        &self,
        namespace: &Namespace,
        request: &NamespaceInsightRequest,
    ) -> Result<NamespaceInsight> {
        self.json(Call::of_namespace(Method::PUT, namespace, &["usage", "settings"]).body(request)?).await
    }

    /// `GET /skills/{id}/usage/adoption`: which versions are in use, and who still has one that was taken back.
    pub async fn adoption(&self, id: &SkillId) -> Result<AdoptionResponse> {
        self.json(Call::of_skill(Method::GET, id, &["usage", "adoption"])).await
    }

    /// `GET /leaderboards`: whose skills have most consumers.
    pub async fn leaderboard(
        &self,
        of: BoardOf,
        period: BoardPeriod,
        page: Page,
    ) -> Result<LeaderboardResponse> {
        let call = Call::get(&["leaderboards"]).query("of", Some(of)).query("period", Some(period));
        self.json(page.add_to(call)).await
    }

    /// `GET /leaderboards/me`: whether one may be on them.
    pub async fn listed(&self) -> Result<Listed> {
        self.json(Call::get(&["leaderboards", "me"])).await
    }

    /// `PUT /leaderboards/me`.
    pub async fn set_listed(&self, listed: bool) -> Result<Listed> {
        self.json(Call::put(&["leaderboards", "me"]).body(&Listed { listed })?).await
    }

    /// `GET /skills/{id}/dependencies`: what a version needs, and what that needs.
    pub async fn dependencies(
        &self,
        id: &SkillId,
        version: Option<&VersionRequest>,
        depth: Option<u32>,
        page: Page,
    ) -> Result<DependenciesResponse> {
        let call = Call::of_skill(Method::GET, id, &["dependencies"]);
        self.json(page.add_to(call.query("version", version).query("depth", depth))).await
    }

    /// `GET /skills/{id}/dependents`: what a change of a skill reaches. `version`: the one that it may change to.
    pub async fn dependents(
        &self,
        id: &SkillId,
        version: Option<&Version>,
        depth: Option<u32>,
        page: Page,
    ) -> Result<DependentsResponse> {
        let call = Call::of_skill(Method::GET, id, &["dependents"]);
        self.json(page.add_to(call.query("version", version).query("depth", depth))).await
    }

    /// `GET /skills/{id}/versions/{version}/health`: how sound a version is, by what can be looked at.
    pub async fn health(&self, id: &SkillId, version: &Version) -> Result<HealthResponse> {
        self.json(Call::of_version(Method::GET, id, version, &["health"])).await
    }
}
