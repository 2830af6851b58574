//! Users and their tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Time;
use crate::token::Secret;
use crate::{Role, Scope};

/// `GET /api/v1/whoami`: the caller, and what the token may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhoAmI {
    /// The user's name.
    pub user: String,
    /// Whether the user is an admin of the whole registry.
    pub site_admin: bool,
    /// The token of this request.
    pub token: TokenSummary,
    /// Roles by namespace.
    pub memberships: Vec<Membership>,
}

/// A role in a namespace and everything below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Membership {
    /// Where.
    pub namespace: String,
    /// As what.
    pub role: Role,
}

/// A user in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserSummary {
    /// Unique.
    pub name: String,
    /// Whether the user is an admin of the whole registry.
    pub site_admin: bool,
    /// Whether the user was switched off: every token is refused.
    pub disabled: bool,
    /// When the user was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
}

/// `GET /api/v1/users`: one page by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UsersResponse {
    /// Users on all pages.
    pub total: u64,
    /// Those of this page.
    pub users: Vec<UserSummary>,
}

/// `POST /api/v1/users`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateUserRequest {
    /// One segment: `[a-z0-9][a-z0-9._-]*`.
    pub name: String,
    /// Make the user an admin of the whole registry.
    #[serde(default)]
    pub site_admin: bool,
}

/// `PATCH /api/v1/users/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UpdateUserRequest {
    /// Switch the user off, or on again.
    pub disabled: bool,
}

/// `POST /api/v1/tokens`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateTokenRequest {
    /// What it is for, in the user's words.
    #[serde(default)]
    pub label: String,
    /// What it may do; no more than the calling token may. Empty: `read`.
    #[serde(default)]
    pub scopes: Vec<Scope>,
    /// Bound to these namespaces and what is below. Empty: not bound.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Days until it expires; the registry's default when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_days: Option<u32>,
    /// For whom; only admins of the registry make tokens for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// For a machine instead of a person.
    #[serde(default)]
    pub service: bool,
}

/// What a new token is answered with. The token itself is shown this once.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateTokenResponse {
    /// The secret.
    pub token: String,
    /// What a listing says of it.
    #[serde(flatten)]
    pub summary: TokenSummary,
}

/// Shows everything but the token.
impl fmt::Debug for CreateTokenResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, summary } = self;
        formatter
            .debug_struct("CreateTokenResponse")
            .field("token", &Secret::new(token))
            .field("summary", summary)
            .finish()
    }
}

/// A token in a listing, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenSummary {
    /// To revoke it by.
    pub id: String,
    /// Whose.
    pub user: String,
    /// What it is for.
    pub label: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Bound to these namespaces; empty: not bound.
    pub namespaces: Vec<String>,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// When it expires; never when null.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub expires_at: Option<Time>,
    /// When it was last used, to the hour.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub last_used_at: Option<Time>,
    /// When it was revoked.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub revoked_at: Option<Time>,
}

/// `GET /api/v1/tokens`: one page, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokensResponse {
    /// Tokens on all pages.
    pub total: u64,
    /// Those of this page.
    pub tokens: Vec<TokenSummary>,
}

/// `POST /api/v1/login-links`: a link that signs the caller in with a browser, once.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LoginLinkResponse {
    /// The address to open. Whoever opens it first is signed in as the caller.
    pub url: String,
    /// Until when it works.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Time,
}

impl fmt::Debug for LoginLinkResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("LoginLinkResponse")
            .field("url", &"***")
            .field("expires_at", &self.expires_at)
            .finish()
    }
}
