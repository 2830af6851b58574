//! What namespaces demand, what waits for approval, and deciding about it.

use reqwest::Method;
use skillery_core::api::{
    ApprovalState, ApprovalsResponse, DecisionRequest, GroupRequest, GroupSummary, PendingResponse,
    PolicyHistoryResponse, PolicyResponse, ReasonRequest, SignedReviewsResponse,
};
use skillery_core::{Namespace, PublishPolicy, Segment, SkillId, Version};

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
    /// Only what an approval of the caller would count for now.
    pub needs_me: bool,
    /// What is handed out, and due to be looked at again or released by force, in place of what waits.
    pub due: bool,
}

impl Client {
    /// `GET /approvals`: versions that wait where the caller may decide, the oldest first, or others as the filter says.
    pub async fn pending(&self, filter: &ApprovalFilter, page: Page) -> Result<PendingResponse> {
        let call = Call::get(&["approvals"])
            .query("namespace", filter.namespace.as_ref())
            .query("state", filter.state)
            .query("mine", filter.mine.then_some(true))
            .query("needs_me", filter.needs_me.then_some(true))
            .query("due", filter.due.then_some(true));
        self.json(page.add_to(call)).await
    }

    /// `GET /skills/{id}/versions/{version}/reviews`: its signed reviews.
    pub async fn signed_reviews(&self, id: &SkillId, version: &Version) -> Result<SignedReviewsResponse> {
        self.json(Call::of_version(Method::GET, id, version, &["reviews"])).await
    }

    /// `POST /skills/{id}/versions/{version}/break-glass`: releases what waits without the approvals that it waits for.
    pub async fn break_glass(
        &self,
        id: &SkillId,
        version: &Version,
        reason: &str,
    ) -> Result<ApprovalsResponse> {
        let call = Call::of_version(Method::POST, id, version, &["break-glass"]);
        self.json(call.body(&ReasonRequest { reason: reason.to_owned() })?).await
    }

    /// `GET /skills/{id}/versions/{version}/approvals`: how far a version is.
    pub async fn approvals(&self, id: &SkillId, version: &Version) -> Result<ApprovalsResponse> {
        self.json(Call::of_version(Method::GET, id, version, &["approvals"])).await
    }

    /// `POST /skills/{id}/versions/{version}/approvals`. Deciding the same again changes nothing.
    pub async fn decide(
        &self,
        id: &SkillId,
        version: &Version,
        request: &DecisionRequest,
    ) -> Result<ApprovalsResponse> {
        let call = Call::of_version(Method::POST, id, version, &["approvals"]);
        self.json(call.body(request)?.repeatable()).await
    }

    /// `GET /orgs/{namespace}/policy`: what is demanded of versions that are published there.
    pub async fn approval_policy(&self, namespace: &Namespace) -> Result<PolicyResponse> {
        self.json(policy(Method::GET, namespace, &[])).await
    }

    /// `PUT /orgs/{namespace}/policy`. For admins of the namespace.
    pub async fn set_approval_policy(
        &self,
        namespace: &Namespace,
        wanted: &PublishPolicy,
    ) -> Result<PolicyResponse> {
        self.json(policy(Method::PUT, namespace, &[]).body(wanted)?).await
    }

    /// `DELETE /orgs/{namespace}/policy`: what it demanded itself is demanded no more. For admins of the namespace.
    pub async fn remove_approval_policy(&self, namespace: &Namespace) -> Result<PolicyResponse> {
        self.json(policy(Method::DELETE, namespace, &[])).await
    }

    /// `GET /orgs/{namespace}/policy/history`: every policy that it had itself, the newest first.
    pub async fn approval_policy_history(
        &self,
        namespace: &Namespace,
        page: Page,
    ) -> Result<PolicyHistoryResponse> {
        self.json(page.add_to(policy(Method::GET, namespace, &["history"]))).await
    }

    /// `PUT /orgs/{namespace}/policy/groups/{group}`: who is in a group from now on. For admins of the namespace.
    pub async fn set_group(
        &self,
        namespace: &Namespace,
        group: &Segment,
        users: &[Segment],
    ) -> Result<GroupSummary> {
        let users = users.iter().map(ToString::to_string).collect();
        let call = policy(Method::PUT, namespace, &["groups", group.as_str()]);
        self.json(call.body(&GroupRequest { users })?).await
    }

    /// `DELETE /orgs/{namespace}/policy/groups/{group}`. For admins of the namespace.
    pub async fn remove_group(&self, namespace: &Namespace, group: &Segment) -> Result<()> {
        self.empty(policy(Method::DELETE, namespace, &["groups", group.as_str()])).await
    }
}

fn policy(method: Method, namespace: &Namespace, rest: &[&str]) -> Call {
    Call::of_namespace(method, namespace, &[&["policy"], rest].concat())
}
