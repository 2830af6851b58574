//! Who is asking, and the users, tokens, orgs and members of a registry.

use reqwest::Method;
use skillery_core::api::{
    CreateOrgRequest, CreateTokenRequest, CreateTokenResponse, CreateUserRequest, LoginLinkResponse, Member,
    MembersResponse, NamespacesResponse, OrgSummary, OrgsResponse, SetMemberRequest, SigningSecretRequest,
    TokensResponse, UpdateUserRequest, UserSummary, UsersResponse, WhoAmI,
};
use skillery_core::token::Secret;
use skillery_core::{Namespace, Role, Segment};

use crate::api::Page;
use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `GET /whoami`.
    pub async fn whoami(&self) -> Result<WhoAmI> {
        self.json(Call::get(&["whoami"])).await
    }

    /// `POST /login-links`. Sent once only: each time makes another link.
    pub async fn login_link(&self) -> Result<LoginLinkResponse> {
        self.json(Call::post(&["login-links"])).await
    }

    /// `POST /tokens`. Sent once only: each time makes another token.
    pub async fn create_token(&self, request: &CreateTokenRequest) -> Result<CreateTokenResponse> {
        self.json(Call::post(&["tokens"]).body(request)?).await
    }

    /// `GET /tokens`: the caller's, or a user's for admins of the registry.
    pub async fn tokens(&self, user: Option<&Segment>, page: Page) -> Result<TokensResponse> {
        self.json(page.add_to(Call::get(&["tokens"]).query("user", user))).await
    }

    /// `DELETE /tokens/{id}`.
    pub async fn revoke_token(&self, id: &str) -> Result<()> {
        self.empty(Call::delete(&["tokens", id])).await
    }

    /// `POST /users`. For admins of the registry.
    pub async fn create_user(&self, request: &CreateUserRequest) -> Result<UserSummary> {
        self.json(Call::post(&["users"]).body(request)?).await
    }

    /// `GET /users`. For admins of the registry.
    pub async fn users(&self, page: Page) -> Result<UsersResponse> {
        self.json(page.add_to(Call::get(&["users"]))).await
    }

    /// `PATCH /users/{name}`. For admins of the registry.
    pub async fn update_user(&self, name: &Segment, request: &UpdateUserRequest) -> Result<UserSummary> {
        self.json(Call::patch(&["users", name.as_str()]).body(request)?).await
    }

    /// `POST /orgs`.
    pub async fn create_org(&self, request: &CreateOrgRequest) -> Result<OrgSummary> {
        self.json(Call::post(&["orgs"]).body(request)?).await
    }

    /// `GET /orgs`.
    pub async fn orgs(&self, page: Page) -> Result<OrgsResponse> {
        self.json(page.add_to(Call::get(&["orgs"]))).await
    }

    /// `GET /orgs/{org}`.
    pub async fn org(&self, org: &Segment) -> Result<OrgSummary> {
        self.json(Call::get(&["orgs", org.as_str()])).await
    }

    /// `GET /orgs/{namespace}/namespaces`: the namespaces below it that the caller knows of, by name.
    pub async fn namespaces(&self, namespace: &Namespace, page: Page) -> Result<NamespacesResponse> {
        self.json(page.add_to(Call::of_namespace(Method::GET, namespace, &["namespaces"]))).await
    }

    /// `GET /orgs/{namespace}/members`: roles held there and above.
    pub async fn members(&self, namespace: &Namespace, page: Page) -> Result<MembersResponse> {
        self.json(page.add_to(Call::of_namespace(Method::GET, namespace, &["members"]))).await
    }

    /// `PUT /orgs/{namespace}/members/{user}`.
    pub async fn set_member(&self, namespace: &Namespace, user: &Segment, role: Role) -> Result<Member> {
        let call = Call::of_namespace(Method::PUT, namespace, &["members", user.as_str()]);
        self.json(call.body(&SetMemberRequest { role })?).await
    }

    /// `DELETE /orgs/{namespace}/members/{user}`.
    pub async fn remove_member(&self, namespace: &Namespace, user: &Segment) -> Result<()> {
        self.empty(Call::of_namespace(Method::DELETE, namespace, &["members", user.as_str()])).await
    }

    /// `PUT /orgs/{org}/signing-secret`; with `only_if_none` a registered one is not replaced.
    pub async fn set_signing_secret(&self, org: &Segment, secret: &Secret, only_if_none: bool) -> Result<()> {
        let body = SigningSecretRequest { secret: secret.expose().to_owned(), only_if_none };
        self.empty(Call::put(&["orgs", org.as_str(), "signing-secret"]).body(&body)?).await
    }

    /// `DELETE /orgs/{org}/signing-secret`.
    pub async fn remove_signing_secret(&self, org: &Segment) -> Result<()> {
        self.empty(Call::delete(&["orgs", org.as_str(), "signing-secret"])).await
    }
}
