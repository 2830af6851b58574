//! Every limit on input, in one place.
//!
//! What a name may be is fixed for all registries, so that every client accepts what any registry holds. The rest
//! is a setting.

use serde::{Deserialize, Serialize};

/// Characters in one segment of a name.
pub const MAX_SEGMENT_LENGTH: usize = 64;
/// Segments in a namespace.
pub const MAX_NAMESPACE_DEPTH: usize = 8;
/// Characters in a whole skill id.
pub const MAX_ID_LENGTH: usize = 255;
/// Characters in a token that is sent.
pub const MAX_TOKEN_LENGTH: usize = 512;
/// Characters in an identity token of others.
pub const MAX_ID_TOKEN_LENGTH: usize = 16 * 1024;
/// Characters in a version.
pub const MAX_VERSION_LENGTH: usize = 128;

/// Bytes of one entry of the log.
pub const MAX_ENTRY_BYTES: usize = 16 * 1024;
/// Bytes in the statement of a version: room for some 2,700 files with the longest paths, and many more with usual ones.
pub const MAX_STATEMENT_LENGTH: usize = 1024 * 1024;
/// Characters in the name by which a registry calls itself in what it signs.
pub const MAX_ORIGIN_LENGTH: usize = 255;
/// Characters in the name of what built a version.
pub const MAX_BUILDER_LENGTH: usize = 1_024;
/// Bytes in the line of an SSH key or certificate.
pub const MAX_KEY_LENGTH: usize = 16 * 1024;
/// Characters in the comment of an SSH key.
pub const MAX_KEY_COMMENT_LENGTH: usize = 255;
/// Bytes in an SSH signature in its armour, with the certificate that may be in it.
pub const MAX_SSH_SIGNATURE_LENGTH: usize = 32 * 1024;
/// Bytes in a Sigstore bundle: a statement in base64, and what surrounds it.
pub const MAX_SIGSTORE_BUNDLE_LENGTH: usize = 2 * 1024 * 1024;
/// X.509 certificates in a Sigstore bundle.
pub const MAX_CERTIFICATES: usize = 10;
/// Bytes in the certificates of authorities that are trusted.
pub const MAX_ROOTS_LENGTH: usize = 1024 * 1024;
/// Bytes in a request of git, unpacked: room for what a folder knows that has many commits of its own.
pub const MAX_GIT_REQUEST: usize = 4 * 1024 * 1024;
/// Objects that a request of git wants: a skill has so many versions, and each of them is a tag.
pub const MAX_GIT_WANTS: usize = 16 * 1024;
/// Objects that a request of git says it has.
pub const MAX_GIT_HAVES: usize = 64 * 1024;
/// Names of refs that a request of git asks for.
pub const MAX_GIT_PREFIXES: usize = 1_024;
/// Objects in one answer to git.
pub const MAX_GIT_OBJECTS: usize = 1_000_000;

/// Bytes of a `SKILL.md`, all of which an agent reads.
pub const MAX_SKILL_FILE_BYTES: usize = 1024 * 1024;
/// Bytes of the front matter in it, which clients load for every skill.
pub const MAX_FRONT_MATTER_BYTES: usize = 64 * 1024;
/// Characters of a description in it, counted as UTF-16 units.
pub const MAX_SKILL_DESCRIPTION_LENGTH: usize = 1_024;
/// Characters of what it says about compatibility.
pub const MAX_COMPATIBILITY_LENGTH: usize = 500;
/// Lines of instructions above which they are called long.
pub const MANY_BODY_LINES: usize = 500;
/// Bytes of a `skillery.toml`.
pub const MAX_MANIFEST_BYTES: usize = 64 * 1024;
/// Skills that one version builds on.
pub const MAX_DEPENDENCIES: usize = 100;

/// How much a caller may ask for or send. Sizes are bytes, lengths are Unicode code points, times are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Limits {
    /// The whole body of a request.
    pub body_bytes: usize,
    /// The `code` of a published skill.
    pub code_bytes: usize,
    /// One file of a bundle, unpacked.
    pub file_bytes: usize,
    /// All files of a bundle together, unpacked.
    pub bundle_bytes: usize,
    /// Files in a bundle.
    pub bundle_files: usize,
    /// A description.
    pub description_length: usize,
    /// A short text: licence, author, URL, token label, name of a person.
    pub text_length: usize,
    /// Tags of one version.
    pub tags: usize,
    /// One tag.
    pub tag_length: usize,
    /// A review's text.
    pub review_length: usize,
    /// A comment's text.
    pub comment_length: usize,
    /// Comments, changes of them, ratings, answers to reviews and reports of one user in a minute. 0 is no limit.
    pub comments_per_minute: u32,
    /// Times that one comment on a skill may be changed.
    pub comment_edits: usize,
    /// Answers to one comment on a skill, those among them that were taken back.
    pub comment_answers: usize,
    /// A yank's or quarantine's reason.
    pub reason_length: usize,
    /// A search query. Tags that are asked for are twice as long together at most, or as long as one may be.
    pub query_length: usize,
    /// Rows in one page of any listing.
    pub page_rows: usize,
    /// Rows in one page when the caller does not say.
    pub default_page_rows: usize,
    /// Rows that may be skipped before a page.
    pub page_offset: usize,
    /// Versions of one skill.
    pub versions_per_skill: usize,
    /// Skills in one list of a namespace that cannot have pages: an index of discovery, a marketplace.
    pub namespace_skills: usize,
    /// Bytes of such a list.
    pub namespace_bytes: usize,
    /// Words of a search query that count.
    pub query_words: usize,
    /// Namespaces that one token is bound to.
    pub token_namespaces: usize,
    /// Live tokens of one user.
    pub tokens_per_user: usize,
    /// Keys of one user, or of one org, that are not revoked.
    pub keys_per_owner: usize,
    /// Entries of one report of usage.
    pub usage_entries: usize,
    /// Runs that one entry of it may count.
    pub usage_runs: u64,
    /// Days until a token expires when the caller does not say.
    pub default_token_days: u32,
    /// Days until a token expires at most.
    pub token_days: u32,
    /// Days that somebody stays signed in with a browser.
    pub session_days: u32,
    /// Seconds that a client gets for the head of a request.
    pub head_seconds: u64,
    /// Seconds that one request may take.
    pub request_seconds: u64,
    /// Seconds that a request may take that brings a bundle. Where no byte of it comes for `request_seconds`, it ends then.
    pub upload_seconds: u64,
    /// Bundles that are received at the same time.
    pub uploads: usize,
    /// Bundles that are received from one user at the same time.
    pub uploads_per_user: usize,
    /// Requests per second of one token, on average; a second's worth may come at once. 0 is no limit.
    pub requests_per_second_per_token: u32,
    /// Requests per second of one address without a token. 0 is no limit.
    pub requests_per_second_per_address: u32,
    /// Requests per minute of one address below `/api/v1/oidc/`, each of which may make the registry ask an issuer. 0 is
    /// no limit.
    pub oidc_requests_per_minute_per_address: u32,
    /// Publishers that one namespace trusts.
    pub publishers_per_namespace: usize,
    /// Signings in that have begun and not ended.
    pub pending_logins: usize,
    /// Files that one user has uploaded, or may upload, for versions that are not published yet.
    pub staged_files_per_user: usize,
    /// Bytes of these files together.
    pub staged_bytes_per_user: usize,
    /// Seconds until such a file is forgotten.
    pub staged_seconds: u64,
    /// Bytes of a file, on either side, whose lines are compared in a diff.
    pub diff_file_bytes: usize,
    /// Lines of a file, on either side, that are compared.
    pub diff_file_lines: usize,
    /// Files of one diff whose lines are shown.
    pub diff_files: usize,
    /// Lines that one diff shows.
    pub diff_lines: usize,
    /// Bytes of these lines together.
    pub diff_bytes: usize,
    /// A comment on a version that is reviewed.
    pub review_comment_length: usize,
    /// Comments on one version.
    pub review_comments: usize,
    /// Times that one comment may be changed.
    pub review_edits: usize,
    /// What changed with a version, as its publisher or an admin says.
    pub changelog_length: usize,
}

/// `docs/limits.md`, made from the list.
///
/// # Errors
///
/// Where the list cannot be written as JSON, which no list of numbers causes.
#[cfg(feature = "openapi")]
pub fn limits_document() -> serde_json::Result<String> {
    use utoipa::PartialSchema;
    use utoipa::openapi::{RefOr, Schema};

    let values = serde_json::to_value(Limits::default())?;
    let mut page = String::from(
        "# Limits\n\n\
         <!-- Made by `cargo xtask codegen` from crates/skillery-core/src/limits.rs; edit it there. -->\n\n\
         The names in `[limits]` of the file of settings, with their defaults. Sizes are bytes, lengths are Unicode code points,\n\
         times are seconds. `/admin/limits` shows those in force, and [operating](operating.md#settings) says more of some.\n\n\
         | limit | default | of what |\n| --- | --- | --- |\n",
    );
    let RefOr::T(Schema::Object(schema)) = Limits::schema() else { return Ok(page) };
    // In their order, as some speak of the one before.
    for (name, property) in schema.properties {
        let property = serde_json::to_value(property)?;
        let what = property["description"].as_str().unwrap_or_default().replace('\n', " ");
        page += &format!("| `{name}` | {} | {what} |\n", values[&name]);
    }
    Ok(page)
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 2 * 1024 * 1024,
            code_bytes: 1024 * 1024,
            file_bytes: 16 * 1024 * 1024,
            bundle_bytes: 50 * 1024 * 1024,
            bundle_files: 1_000,
            description_length: 4_096,
            text_length: 1_024,
            tags: 32,
            tag_length: 64,
            review_length: 10_000,
            comment_length: 10_000,
            comments_per_minute: 20,
            comment_edits: 20,
            comment_answers: 1_000,
            reason_length: 1_024,
            query_length: 256,
            page_rows: 200,
            default_page_rows: 50,
            page_offset: 10_000,
            versions_per_skill: 5_000,
            namespace_skills: 10_000,
            namespace_bytes: 32 * 1024 * 1024,
            query_words: 16,
            token_namespaces: 100,
            tokens_per_user: 1_000,
            keys_per_owner: 50,
            usage_entries: 500,
            usage_runs: 1_000_000,
            default_token_days: 90,
            token_days: 3_650,
            session_days: 14,
            head_seconds: 15,
            request_seconds: 30,
            upload_seconds: 600,
            uploads: 64,
            uploads_per_user: 8,
            requests_per_second_per_token: 10_000,
            requests_per_second_per_address: 0,
            oidc_requests_per_minute_per_address: 600,
            publishers_per_namespace: 100,
            pending_logins: 1_000,
            staged_files_per_user: 4_000,
            staged_bytes_per_user: 200 * 1024 * 1024,
            staged_seconds: 3_600,
            diff_file_bytes: 1024 * 1024,
            diff_file_lines: 20_000,
            diff_files: 300,
            diff_lines: 50_000,
            diff_bytes: 4 * 1024 * 1024,
            review_comment_length: 4_096,
            review_comments: 500,
            review_edits: 10,
            changelog_length: 4_096,
        }
    }
}
