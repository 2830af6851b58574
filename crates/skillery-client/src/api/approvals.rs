//! What namespaces demand, what waits for approval, and deciding about it.

use reqwest::Method;
use skillery_core::api::{
    ApprovalState, ApprovalsResponse, DecisionRequest, PendingResponse, PolicyResponse,
};
use skillery_core::{Namespace, PublishPolicy, SkillId, Version};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

/// Which of the versions that wait, or waited, are asked for.
#[derive(Debug, Clone, Default)]
pub struct ApprovalFilter {
    /// Only in this namespace and below it.
    pub namespace: Option<Namespace>,
    /// Those that wait when left out.
    pub state: Option<ApprovalState>,
    /// What the caller published, in place of what the caller reviews.
    pub mine: bool,
    /// Only what the caller may approve, and has decided nothing about.
    pub needs_me: bool,
}

impl Client {
    /// `GET /approvals`: versions that wait where the caller may decide, the oldest first, or others as the filter says.
    pub async fn pending(&self, filter: &ApprovalFilter, page: Page) -> Result<PendingResponse> {
        let call = Call::get(&["approvals"])
            .query("namespace", filter.namespace.as_ref())
            .query("state", filter.state)
            .query("mine", filter.mine.then_some(true))
            .query("needs-me", filter.needs_me.then_some(true));
        self.json(page.add_to(call)).await
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
