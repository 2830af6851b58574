//! The bodies of requests and answers. Both ends use these types; the OpenAPI document is made from them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Time;
use crate::token::Secret;
use crate::{Digest, Role, Scope, SkillId, Version, VersionStatus, Visibility};

/// A skill as the guide's `RegistrySkill` lists it: these attributes and no other, since existing clients build
/// their object from the keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Record {
    /// `org/name`.
    pub id: String,
    /// The last segment of the id.
    pub name: String,
    /// The namespace: all segments but the last.
    pub org: String,
    /// The latest version.
    pub version: String,
    /// What the skill is for.
    pub description: String,
    /// SHA-256 of the code, 64 hexadecimal digits.
    pub code_hash: String,
    /// The publisher's HMAC-SHA256 over `id:code_hash`, if there is one.
    pub signature: Option<String>,
    /// Topics.
    pub tags: Vec<String>,
    /// Mean of all ratings, 1 to 5; 0 when there are none.
    pub rating: f64,
    /// Ratings.
    pub rating_count: i64,
    /// Downloads that were answered with content.
    pub install_count: i64,
    /// When the first version was published (RFC 3339).
    pub created_at: String,
    /// When the latest version was published (RFC 3339).
    pub updated_at: String,
    /// The author; the publisher's name when none was given.
    pub author: String,
    /// Licence, for example `MIT`.
    pub license: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
}

/// `POST /api/v1/skills`: a version to publish. A field that is not listed here is refused by name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishRequest {
    /// `org/name`.
    pub id: String,
    /// Must be the id's last segment when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Must be the id's namespace when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// A semantic version.
    pub version: String,
    /// What the skill is for.
    #[serde(default)]
    pub description: String,
    /// Checked against `code` when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_hash: Option<String>,
    /// HMAC-SHA256 of `id:code_hash`; checked where the org registered its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Topics.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Licence; `MIT` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The project's page, `http` or `https`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Where the source is kept, a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The author; the caller's name when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// Who sees the skill. Only the first version of a skill sets it; later it has its own route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// The Python source.
    pub code: String,
}

/// What a publish is answered with: 201, or 200 for the identical version again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishResponse {
    /// The id, as the skill was first spelled.
    pub id: String,
    /// The version.
    pub version: String,
    /// `published`, or `pending` where it needs approval.
    pub status: VersionStatus,
    /// When the skill was first published.
    pub created_at: String,
    /// When this version was published.
    pub updated_at: String,
}

/// `GET /api/v1/skills`: one page of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SearchResponse {
    /// How many skills fit, on all pages.
    pub total: u64,
    /// Those of this page.
    pub skills: Vec<Record>,
}

/// `GET /api/v1/skills/{id}/download`: the code and what is needed to check it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DownloadResponse {
    /// `org/name`.
    pub id: String,
    /// The version that the request chose.
    pub version: String,
    /// The Python source.
    pub code: String,
    /// SHA-256 of `code`.
    pub code_hash: String,
    /// The publisher's signature, as it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// The org's signing secret; only members of the org get it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// SHA-256 of the version's bundle.
    pub digest: String,
    /// Why the version should not be used, where it was yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Shows everything but the secret.
impl fmt::Debug for DownloadResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, version, code, code_hash, signature, secret, digest, warning } = self;
        formatter
            .debug_struct("DownloadResponse")
            .field("id", id)
            .field("version", version)
            .field("code", code)
            .field("code_hash", code_hash)
            .field("signature", signature)
            .field("secret", &secret.as_deref().map(Secret::new))
            .field("digest", digest)
            .field("warning", warning)
            .finish()
    }
}

/// `POST /api/v1/skills/{id}/rate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateRequest {
    /// From 1 to 5, kept to one decimal.
    pub rating: f64,
    /// What the user thinks of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
}

/// What a rating is answered with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RateResponse {
    /// Always true; a failure is a problem.
    pub success: bool,
    /// The mean with this rating.
    pub average_rating: f64,
    /// Ratings with this one.
    pub rating_count: i64,
}

/// `GET /api/v1/skills/{id}/ratings`: one page, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RatingsResponse {
    /// Mean of all ratings; 0 when there are none.
    pub average: f64,
    /// Ratings.
    pub count: i64,
    /// How many gave 1 to 5 stars, halves rounded up.
    pub histogram: BTreeMap<String, i64>,
    /// Ratings of this page, with their texts.
    pub reviews: Vec<Review>,
}

/// One user's rating.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Review {
    /// The user's name.
    pub author: String,
    /// 1 to 5.
    pub rating: f64,
    /// What the user wrote; empty when nothing.
    pub text: String,
    /// When it was given or last replaced (RFC 3339).
    pub created_at: String,
}

/// `GET /api/v1/skills/{id}/versions`: one page, the highest version first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionsResponse {
    /// `org/name`.
    pub id: String,
    /// Versions on all pages.
    pub total: u64,
    /// The version that a request without one gets.
    pub latest: Option<String>,
    /// Those of this page.
    pub versions: Vec<VersionSummary>,
}

/// One version in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionSummary {
    /// The version.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub version: Version,
    /// Where it stands.
    pub status: VersionStatus,
    /// SHA-256 of the bundle.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
    /// Bytes of the bundle.
    pub size: u64,
    /// SHA-256 of the code.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub code_hash: Digest,
    /// The publisher's name.
    pub publisher: String,
    /// When it was published.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_at: Time,
    /// Why it was yanked or quarantined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /api/v1/skills/{id}/versions/{version}`: everything about one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionDetail {
    /// `org/name`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub id: SkillId,
    /// What a listing says of it.
    #[serde(flatten)]
    pub summary: VersionSummary,
    /// What the skill is for.
    pub description: String,
    /// Topics.
    pub tags: Vec<String>,
    /// The author.
    pub author: String,
    /// Licence.
    pub license: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
    /// Who sees the skill.
    pub visibility: Visibility,
    /// The files of the bundle.
    pub files: Vec<FileSummary>,
    /// Signatures.
    pub signatures: Vec<SignatureSummary>,
    /// What scanners found.
    pub findings: Vec<Finding>,
    /// The number of the log entry that published it.
    pub log_position: i64,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileSummary {
    /// Relative, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// `0644` or `0755`.
    pub mode: String,
    /// SHA-256.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub digest: Digest,
}

/// One signature of a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignatureSummary {
    /// `hmac-sha256`.
    pub kind: String,
    /// What it is worth: `legacy-integrity-only`.
    pub level: String,
    /// The signature.
    pub value: String,
}

/// Something a scanner found in a version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Finding {
    /// The rule's name.
    pub rule: String,
    /// `info`, `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// What was found, in a sentence.
    pub message: String,
}

/// A reason, for a yank or a quarantine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReasonRequest {
    /// Shown to whoever asks for the version.
    #[serde(default)]
    pub reason: String,
}

/// `PUT /api/v1/skills/{id}/visibility`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VisibilityRequest {
    /// Who sees the skill from now on.
    pub visibility: Visibility,
}

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

/// `GET /api/v1/log`: entries from `after` on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogResponse {
    /// Entries in the whole log.
    pub size: i64,
    /// Those of this page, in order.
    pub entries: Vec<crate::event::LogEntry>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let download = DownloadResponse {
            id: "acme/x".to_owned(),
            version: "1.0.0".to_owned(),
            code: "def x(): ...".to_owned(),
            code_hash: String::new(),
            signature: None,
            secret: Some("hidden".to_owned()),
            digest: String::new(),
            warning: None,
        };
        let shown = format!("{download:?}");
        assert!(shown.contains("secret: Some(***)") && !shown.contains("hidden"), "{shown}");
        let summary = TokenSummary {
            id: "1".to_owned(),
            user: "alice".to_owned(),
            label: String::new(),
            scopes: vec![Scope::Read],
            namespaces: Vec::new(),
            created_at: Time::from_micros(0),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        let shown = format!("{:?}", CreateTokenResponse { token: "hidden".to_owned(), summary });
        assert!(shown.contains("token: ***") && !shown.contains("hidden"), "{shown}");
    }
}
