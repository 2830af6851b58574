//! Problem details (RFC 9457) and the closed list of their codes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

// Codes are `tt` for the same reason as in `words.rs`.
macro_rules! problem_codes {
    ($($variant:ident, $code:tt, $status:literal, $title:literal, $hint:literal;)*) => {
        /// What went wrong, for programs. The list is closed: a client may match on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        pub enum ProblemCode {
            $(#[doc = $title] #[serde(rename = $code)] $variant),*
        }

        impl ProblemCode {
            /// All codes, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The code as it stands in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// The HTTP status that it is answered with.
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status),* }
            }

            /// One line for people, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }

            /// What to try. It stands below the detail, in JSON as in a terminal, and does not speak of it.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$variant => $hint),* }
            }
        }
    };
}

problem_codes! {
    InvalidJson, "invalid-json", 400, "the body is not the JSON that this route takes",
        "send UTF-8 JSON with `Content-Type: application/json`";
    InvalidParameter, "invalid-parameter", 400, "a parameter of the URL is not valid",
        "correct the parameter, or leave it out; `/docs` of the registry says what each may be";
    InvalidId, "invalid-id", 400, "the id of a skill or namespace is not valid",
        "an id is `org/name`: segments of a-z, 0-9, `.`, `_`, `-`, at most 64 characters, beginning with a letter or digit";
    InvalidVersion, "invalid-version", 400, "the version is not a semantic version",
        "use `MAJOR.MINOR.PATCH`, for example 1.0.0";
    UnknownField, "unknown-field", 422, "the body has a field that this route does not know",
        "remove the field, or correct its spelling";
    InvalidField, "invalid-field", 422, "a field of the body has a value that it may not have",
        "correct the field; `/docs` of the registry says what each may be";
    InvalidCode, "invalid-code", 422, "the code is not text that can be a skill",
        "send non-empty UTF-8 without NUL characters";
    InvalidMultipart, "invalid-multipart", 400, "the body is not the form that this route takes",
        "send `multipart/form-data` with the parts that `/docs` of the registry names, in their order";
    InvalidBundle, "invalid-bundle", 422, "the folder is not one that can be a skill",
        "correct what `findings` lists; `skillery lint` finds the same before anything is sent";
    CodeHashMismatch, "code-hash-mismatch", 422, "`code_hash` is not the SHA-256 of `code`",
        "hash exactly the bytes that are sent, as UTF-8; or leave `code_hash` out";
    SignatureMismatch, "signature-mismatch", 422, "the signature was not made with the org's signing secret",
        "sign `skill_id:code_hash` with HMAC-SHA256 and the secret that the org registered";
    InvalidKey, "invalid-key", 422, "the key cannot be enrolled",
        "enrol an Ed25519, ECDSA or RSA key of OpenSSH, or one of a security key, with a signature over the challenge";
    InvalidStatement, "invalid-statement", 422, "the statement does not say what is published",
        "let `skillery publish --sign` make the statement, for exactly this registry, skill, version and files";
    SignatureRequired, "signature-required", 422, "what is published there must be signed",
        "enrol a key with `skillery key enrol`; `skillery publish` signs with it then, `skillery approve` with `--sign`";
    InvalidSignature, "invalid-signature", 422, "the signature is not one that counts",
        "sign the statement with a key that you have enrolled; `skillery key list` shows them";
    InvalidRating, "invalid-rating", 422, "the rating is not a number from 1 to 5",
        "send a finite number from 1 to 5, for example 4.5";
    AddressNotAllowed, "address-not-allowed", 422, "the registry sends nothing to this address",
        "use `https://` and a host of the public network; the operator lists others in `outbound_allow`";
    BodyTooLarge, "body-too-large", 413, "the body of the request is over the limit",
        "send less, or ask the operator to raise `limits.body_bytes`";
    CodeTooLarge, "code-too-large", 413, "the code is over the limit",
        "split the skill, or ask the operator to raise `limits.code_bytes`";
    BundleTooLarge, "bundle-too-large", 413, "the bundle is over the limit",
        "leave files out, or ask the operator to raise `limits.bundle_bytes`";
    UnsupportedMediaType, "unsupported-media-type", 415, "the body is not announced as what this route takes",
        "send `Content-Type: application/json`, or where a bundle is published `multipart/form-data`";
    Unauthenticated, "unauthenticated", 401, "this needs a token, and none was sent",
        "send `Authorization: Bearer <token>`; make one with `skillery token create`";
    InvalidToken, "invalid-token", 401, "the token is not known to this registry",
        "check that it was copied whole and belongs to this registry";
    TokenExpired, "token-expired", 401, "the token has expired",
        "make a new one with `skillery token create`";
    TokenRevoked, "token-revoked", 401, "the token was revoked",
        "make a new one with `skillery token create`";
    InvalidIdToken, "invalid-id-token", 401, "the identity token is not one that this registry takes",
        "let the build ask for a new one, with the audience that `GET /api/v1/oidc` names";
    IdTokenUsed, "id-token-used", 401, "the identity token was used before",
        "let the build ask for a new one: each is good for one exchange";
    IssuerNotAllowed, "issuer-not-allowed", 403, "this registry takes no identity tokens of this issuer",
        "`GET /api/v1/oidc` names the issuers; the operator sets them as `oidc_issuers`";
    PublisherNotTrusted, "publisher-not-trusted", 403, "no namespace trusts this build to publish",
        "an admin of the namespace trusts it with `skillery org publisher add`";
    LoginRefused, "login-refused", 403, "the sign-in was not completed",
        "begin again with `skillery login --oidc`; where the account is the trouble, ask an admin of the registry";
    Forbidden, "forbidden", 403, "the caller's role does not allow this",
        "look at your roles with `skillery whoami`; an admin of the namespace, or of the registry, gives others";
    InsufficientScope, "insufficient-scope", 403, "the token's scopes do not allow this",
        "use a token with that scope; `skillery token create --scope` makes one";
    SelfApproval, "self-approval", 403, "nobody approves what they published or signed themselves",
        "ask another reviewer of the namespace; `skillery org members` lists them";
    TokenOutOfBounds, "token-out-of-bounds", 403, "the token is bound to other namespaces",
        "use a token that is bound to this namespace, or to none";
    NamespaceManaged, "namespace-managed", 403, "nobody owns this org, and only admins make orgs here",
        "ask an admin of the registry to make the org";
    VersionQuarantined, "version-quarantined", 403, "the version is quarantined and is not handed out",
        "install another version";
    SkillNotFound, "skill-not-found", 404, "there is no such skill, or the caller may not see it",
        "check the id (`org/name`) and the token";
    VersionNotFound, "version-not-found", 404, "the skill has no such version",
        "list the versions with `skillery info`";
    FileNotFound, "file-not-found", 404, "the version has no such file",
        "the version's own page lists its files";
    OrgNotFound, "org-not-found", 404, "there is no such org, or the caller may not see it",
        "check the name and the token";
    UserNotFound, "user-not-found", 404, "there is no such user",
        "check the name; an admin of the registry makes users";
    MemberNotFound, "member-not-found", 404, "the user has no role of its own in this namespace",
        "the role may come from a namespace above";
    CommentNotFound, "comment-not-found", 404, "there is no such comment, or the caller may not see it",
        "list those of the skill or of the version first";
    ReviewNotFound, "review-not-found", 404, "there is no such review, or no answer to it",
        "list them with `skillery reviews`";
    ReportNotFound, "report-not-found", 404, "there is no such report, or the caller may not see it",
        "list those that are open: `GET /reports`";
    TokenNotFound, "token-not-found", 404, "there is no such token",
        "list yours with `skillery token list`";
    PolicyNotFound, "policy-not-found", 404, "the namespace has no policy of its own",
        "one of a namespace above may demand something; `skillery org policy show` lists them";
    PublisherNotFound, "publisher-not-found", 404, "the namespace trusts no such publisher",
        "list them with `skillery org publisher list`";
    LoginNotOffered, "login-not-offered", 404, "nobody signs in to this registry with another account",
        "sign in with a token: `skillery login`; the operator sets `oidc_login`";
    WebhookNotFound, "webhook-not-found", 404, "there is no such webhook or delivery, or the caller may not see it",
        "list them with `skillery notifications webhook list`";
    MailNotOffered, "mail-not-offered", 404, "this registry sends no mail",
        "the operator sets `smtp_host` and `mail_from`";
    LinkNotValid, "link-not-valid", 404, "the link is none of this registry, or good no more",
        "use the link of a newer mail, or `skillery notifications preferences`";
    NotInLog, "not-in-log", 404, "the log does not have this",
        "look at `/log/v1/checkpoint` for how far the log is";
    KeyNotFound, "key-not-found", 404, "there is no such key",
        "list the keys with `skillery key list`";
    NotSigned, "not-signed", 404, "the version is not signed",
        "its publisher, or another member, signs it with `skillery sign`";
    NotWitnessed, "not-witnessed", 404, "no checkpoint of the log is cosigned by enough witnesses",
        "try again in a moment, or ask the operator which witnesses this registry has";
    RouteNotFound, "route-not-found", 404, "there is nothing at this address",
        "see /docs for every route";
    MethodNotAllowed, "method-not-allowed", 405, "this address does not take this method",
        "see /docs for every route";
    RequestTimedOut, "request-timed-out", 408, "the request took too long",
        "try again, with less in one request";
    VersionExists, "version-exists", 409, "this version was published with other content, and versions never change",
        "raise the version";
    NameTaken, "name-taken", 409, "a name that differs only by `-`, `_` or `.` exists",
        "use the existing spelling, or another name";
    OrgExists, "org-exists", 409, "the org exists",
        "choose another name";
    UserExists, "user-exists", 409, "the user exists",
        "choose another name";
    PublisherExists, "publisher-exists", 409, "the namespace trusts this publisher already",
        "list them with `skillery org publisher list`";
    AccountLinked, "account-linked", 409, "the account belongs to another user",
        "ask an admin of the registry";
    LastOwner, "last-owner", 409, "an org must keep an owner",
        "make somebody else the owner first";
    TooManyVersions, "too-many-versions", 409, "the skill has as many versions as one may have",
        "publish under another name, or ask the operator to raise `limits.versions_per_skill`";
    TooManyComments, "too-many-comments", 409, "there are as many comments, or changes of one, as there may be",
        "answer in fewer words, or ask the operator to raise `limits.review_comments`, `limits.review_edits`, `limits.comment_edits` or `limits.comment_answers`";
    StatusConflict, "status-conflict", 409, "the version's status does not allow this",
        "look at the versions and their status with `skillery info`";
    KeyExists, "key-exists", 409, "the key is enrolled already, or was",
        "use another key: one that was revoked does not come back";
    StatementExists, "statement-exists", 409, "the version has another statement",
        "sign the statement that the version has; `skillery sign` does";
    ReportExists, "report-exists", 409, "this was reported, or resolved, already",
        "moderators list what is open with `GET /reports`";
    SecretExists, "secret-exists", 409, "the org has a signing secret already",
        "replace it without `only_if_none`";
    TooManySkills, "too-many-skills", 422, "the namespace has more skills than one list may have",
        "ask for one skill, or for a namespace below; the operator can raise `limits.namespace_skills` and `limits.namespace_bytes`";
    RateLimited, "rate-limited", 429, "too many requests",
        "wait as long as `Retry-After` says";
    ContentDamaged, "content-damaged", 500, "the stored content does not have its digest, and is not handed out",
        "tell the operator: `skillery admin doctor` finds damaged content, a backup has it whole";
    ContentMissing, "content-missing", 500, "the stored content is missing",
        "tell the operator: `skillery admin doctor` finds missing content, a backup has it";
    Internal, "internal", 500, "the registry made a mistake",
        "tell the operator the request id; the log has the cause";
    IssuerUnavailable, "issuer-unavailable", 503, "the issuer of identity tokens does not answer as it should",
        "try again in a moment; the log of the registry has the cause";
    DatabaseUnavailable, "database-unavailable", 503, "the database does not answer",
        "try again in a moment";
    StorageUnavailable, "storage-unavailable", 503, "the store of contents does not answer",
        "try again in a moment";
    Busy, "busy", 503, "the registry cannot do this right now",
        "try again in a moment";
    StorageFull, "storage-full", 507, "the disk of the registry is full",
        "nothing was changed; tell the operator";
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The body of every answer that is no success, as `application/problem+json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// Where the code is explained: `/docs/errors#<code>`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code's one line.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The code.
    pub code: ProblemCode,
    /// What was wrong this time.
    pub detail: String,
    /// What to try.
    pub hint: String,
    /// The `X-Request-Id` of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Facts for programs: the field at fault, the limit, the known words.
    #[serde(default, flatten)]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub facts: BTreeMap<String, serde_json::Value>,
}

impl Problem {
    /// A problem of this code; `detail` says what was wrong this time.
    pub fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("/docs/errors#{code}"),
            title: code.title().to_owned(),
            status: code.status(),
            code,
            detail: detail.into(),
            hint: code.hint().to_owned(),
            request_id: None,
            facts: BTreeMap::new(),
        }
    }

    /// Adds a fact for programs.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.detail.is_empty() {
            formatter.write_str(&self.title)
        } else {
            formatter.write_str(&self.detail)
        }
    }
}

impl std::error::Error for Problem {}

/// `docs/ERRORS.md`, made from the list.
pub fn errors_document() -> String {
    let mut page = String::from(
        "# Problem codes\n\n\
         <!-- Made by `cargo xtask codegen` from crates/skillery-core/src/problem.rs; edit it there. -->\n\n\
         Every answer that is no success is `application/problem+json` (RFC 9457) with one of these codes. Besides\n\
         `type`, `title`, `status`, `code`, `detail`, `hint` and `request_id` a problem may hold facts for programs,\n\
         such as `field` or `limit`.\n\n\
         | code | status | what it means | what to try |\n| --- | --- | --- | --- |\n",
    );
    for code in ProblemCode::ALL {
        page += &format!(
            "| <a id=\"{code}\"></a>`{code}` | {} | {} | {} |\n",
            code.status(),
            code.title(),
            code.hint()
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_unique_and_the_list_is_reviewed() {
        let unique: BTreeSet<_> = ProblemCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(unique.len(), ProblemCode::ALL.len());
        insta::assert_snapshot!(errors_document());
    }

    #[test]
    fn a_problem_in_json() {
        let problem =
            Problem::new(ProblemCode::UnknownField, "`colour` is not known").with("field", "colour");
        insta::assert_json_snapshot!(problem);
    }
}
