//! Identity tokens of others: builds that may publish, and people who sign in with another account.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Scope;
use crate::api::CreateTokenResponse;
use crate::time::Time;
use crate::token::Secret;
use crate::words::word_enum;

word_enum! {
    /// Whose tokens they are, and so which claims say which build it is.
    PublisherKind {
        /// GitHub Actions.
        Github = "github",
        /// GitLab CI.
        Gitlab = "gitlab",
        /// Anybody who says it in claims of their own.
        Generic = "generic",
    }
}

/// `GET /api/v1/oidc`: whose identity tokens the registry takes, and what for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OidcResponse {
    /// Issuers whose builds may be trusted to publish.
    pub issuers: Vec<OidcIssuer>,
    /// Where people sign in; none where they sign in with tokens only.
    pub login: Option<OidcLogin>,
}

/// An issuer of identity tokens for builds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OidcIssuer {
    /// As its tokens name it.
    pub issuer: String,
    /// Whose tokens they are.
    pub kind: PublisherKind,
    /// Whom a token must be for.
    pub audience: String,
}

/// A provider that people sign in at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OidcLogin {
    /// The provider.
    pub issuer: String,
}

/// `POST /api/v1/orgs/{namespace}/publishers`: lets builds publish. What is left out may be anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatePublisherRequest {
    /// Whose builds.
    pub kind: PublisherKind,
    /// Who issues their tokens; may be left out where the registry takes tokens of one issuer of this kind only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The repository, `owner/name`, spelled exactly as its builds say it. Needed but for `generic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The number of the repository's owner: `repository_owner_id` of GitHub, `namespace_id` of GitLab. Names change
    /// hands, numbers do not. Needed but for `generic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// The workflow: a file of `.github/workflows`, or the path of GitLab's configuration. Needed but for `generic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The environment that the build must run in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The branch or tag, `refs/heads/main`; or `protected` for any that is.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// For `generic` alone: claims and the texts that they must be, `sub` among them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub claims: BTreeMap<String, String>,
}

/// Builds that a namespace trusts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Publisher {
    /// To remove it by.
    pub id: String,
    /// Where they may publish, and below.
    pub namespace: String,
    /// The user that they publish as.
    pub user: String,
    /// Whose builds.
    pub kind: PublisherKind,
    /// Who issues their tokens.
    pub issuer: String,
    /// The repository.
    pub repository: Option<String>,
    /// The number of its owner.
    pub owner_id: Option<String>,
    /// The workflow.
    pub workflow: Option<String>,
    /// The environment; any when null.
    pub environment: Option<String>,
    /// The branch or tag, or `protected`; any when null.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// For `generic`: claims and what they must be.
    pub claims: BTreeMap<String, String>,
    /// Since when.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
}

/// `GET /api/v1/orgs/{namespace}/publishers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishersResponse {
    /// Publishers on all pages.
    pub total: u64,
    /// Those of this page: trusted in this namespace and in those above it.
    pub publishers: Vec<Publisher>,
}

/// `POST /api/v1/oidc/exchange`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExchangeRequest {
    /// The build's identity token.
    pub token: String,
    /// Where it is to publish; may be left out where one namespace trusts the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Shows everything but the token.
impl fmt::Debug for ExchangeRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, namespace } = self;
        let token = Secret::new(token);
        formatter
            .debug_struct("ExchangeRequest")
            .field("token", &token)
            .field("namespace", namespace)
            .finish()
    }
}

/// What an identity token was exchanged for.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExchangeResponse {
    /// A token that publishes and does nothing else. It is shown this once.
    pub token: String,
    /// When it expires.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Time,
    /// What it is bound to.
    pub namespaces: Vec<String>,
    /// The publisher that trusts the build.
    pub publisher: String,
    /// How the log will name the build.
    pub via: String,
}

/// Shows everything but the token.
impl fmt::Debug for ExchangeResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ExchangeResponse")
            .field("token", &Secret::new(&self.token))
            .field("expires_at", &self.expires_at)
            .field("namespaces", &self.namespaces)
            .field("publisher", &self.publisher)
            .field("via", &self.via)
            .finish()
    }
}

/// `POST /api/v1/oidc/login`: begins to sign a person in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StartLoginRequest {
    /// What the token is to do, as far as the registry gives that to people who sign in; `read`, `publish` and `rate`
    /// when empty.
    #[serde(default)]
    pub scopes: Vec<Scope>,
}

/// How a person goes on with signing in.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StartLoginResponse {
    /// What to ask by whether it is done. A secret: whoever has it gets the token.
    pub login: String,
    /// What the person enters there.
    pub user_code: String,
    /// Where the person goes.
    pub verification_uri: String,
    /// The same with the code in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    /// Seconds until it is too late.
    pub expires_in: u64,
    /// Seconds between two questions.
    pub interval: u64,
}

/// Shows everything but what to ask by.
impl fmt::Debug for StartLoginResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StartLoginResponse")
            .field("login", &Secret::new(&self.login))
            .field("user_code", &self.user_code)
            .field("verification_uri", &self.verification_uri)
            .field("verification_uri_complete", &self.verification_uri_complete)
            .field("expires_in", &self.expires_in)
            .field("interval", &self.interval)
            .finish()
    }
}

// Without `Debug`, so that nothing can show the secret.
/// `POST /api/v1/oidc/login/poll`: asks whether the person is done.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PollLoginRequest {
    /// As the beginning answered it.
    pub login: String,
}

/// Whether the person is done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PollLoginResponse {
    /// Seconds until the next question; null when there is nothing more to ask.
    pub interval: Option<u64>,
    /// The token of the person who has signed in. It is shown this once.
    pub token: Option<CreateTokenResponse>,
}

/// `PUT /api/v1/users/{user}/subject`: links a user with an account at the provider that people sign in at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LinkUserRequest {
    /// What the provider calls the account: the claim `sub`.
    pub subject: String,
}
