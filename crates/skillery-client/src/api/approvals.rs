//! What namespaces demand, what waits for approval, and deciding about it.

use reqwest::Method;
use skillery_core::api::{ApprovalsResponse, DecisionRequest, PendingResponse, PolicyResponse};
use skillery_core::{Namespace, PublishPolicy, SkillId, Version};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `GET /approvals`: versions that wait where the caller may decide, the oldest first.
    pub async fn pending(&self, namespace: Option<&Namespace>, page: Page) -> Result<PendingResponse> {
        self.json(page.add_to(Call::get(&["approvals"]).query("namespace", namespace))).await
    }

    /// `GET /skills/{id}/versions/{version}/approvals`: how far a version is.
    pub async fn approvals(&self, id: &SkillId, version: &Version) -> Result<ApprovalsResponse> {
        self.json(Call::of_skill(Method::GET, id, &["versions", &version.to_string(), "approvals"])).await
    }

    /// `POST /skills/{id}/versions/{version}/approvals`. Deciding the same again changes nothing.
    pub async fn decide(
        &self,
        id: &SkillId,
        version: &Version,
        request: &DecisionRequest,
    ) -> Result<ApprovalsResponse> {
        let call = Call::of_skill(Method::POST, id, &["versions", &version.to_string(), "approvals"]);
        self.json(call.body(request)?.repeatable()).await
    }

    /// `GET /orgs/{namespace}/policy`: what is demanded of versions that are published there.
    pub async fn approval_policy(&self, namespace: &Namespace) -> Result<PolicyResponse> {
        self.json(Call::get(&policy(namespace))).await
    }

    /// `PUT /orgs/{namespace}/policy`. For admins of the namespace.
    pub async fn set_approval_policy(
        &self,
        namespace: &Namespace,
        wanted: PublishPolicy,
    ) -> Result<PolicyResponse> {
        self.json(Call::put(&policy(namespace)).body(&wanted)?).await
    }

    /// `DELETE /orgs/{namespace}/policy`: what it demanded itself is demanded no more. For admins of the namespace.
    pub async fn remove_approval_policy(&self, namespace: &Namespace) -> Result<PolicyResponse> {
        self.json(Call::delete(&policy(namespace))).await
    }
}

fn policy(namespace: &Namespace) -> Vec<&str> {
    let mut path = vec!["orgs"];
    path.extend(namespace.as_str().split('/'));
    path.push("policy");
    path
}
