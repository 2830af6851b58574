//! Orgs, their members and their signing secrets.

use serde::{Deserialize, Serialize};

use crate::Role;
use crate::time::Time;

/// `POST /api/v1/orgs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreateOrgRequest {
    /// One segment.
    pub name: String,
    /// Its first owner; the caller when left out. Only admins of the registry name others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

/// An org.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrgSummary {
    /// One segment.
    pub name: String,
    /// When it was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// Whether a signing secret is registered.
    pub signing_secret: bool,
    /// Skills in it that the caller may see.
    pub skills: i64,
}

/// `GET /api/v1/orgs`: one page by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrgsResponse {
    /// Orgs on all pages.
    pub total: u64,
    /// Those of this page.
    pub orgs: Vec<OrgSummary>,
}

/// `GET /api/v1/orgs/{namespace}/namespaces`: one page by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamespacesResponse {
    /// Namespaces on all pages.
    pub total: u64,
    /// Those of this page.
    pub namespaces: Vec<NamespaceSummary>,
}

/// A namespace below another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NamespaceSummary {
    /// The whole of it, from its org on, as its key: in lower case, with `-` for `_` and `.`. It stands for the namespace wherever one is asked for.
    pub namespace: String,
    /// Skills in it and below it that the caller may see.
    pub skills: i64,
}

/// `GET /api/v1/orgs/{namespace}/members`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MembersResponse {
    /// Members on all pages.
    pub total: u64,
    /// Those of this page: roles held in this namespace and in those above it.
    pub members: Vec<Member>,
}

/// A user's role in a namespace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The user's name.
    pub user: String,
    /// Where the role is held: this namespace, or one above it.
    pub namespace: String,
    /// As what.
    pub role: Role,
}

/// `PUT /api/v1/orgs/{namespace}/members/{user}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SetMemberRequest {
    /// As what.
    pub role: Role,
}

// Without `Debug`, so that nothing can show the secret.
/// `PUT /api/v1/orgs/{org}/signing-secret`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SigningSecretRequest {
    /// The shared HMAC secret, 1 to 1,024 characters.
    pub secret: String,
    /// Refuse to replace a secret that is already registered.
    #[serde(default)]
    pub only_if_none: bool,
}
