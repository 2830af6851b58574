//! Builds that are trusted to publish.

use serde::{Deserialize, Serialize};

use crate::Digest;

/// What a build must be, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublisherMatch {
    /// `github`, `gitlab` or `generic`.
    pub kind: String,
    /// The repository, `owner/name`; none for `generic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The number of the repository's owner, which no other owner ever has; none for `generic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// The file of the workflow; none for `generic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// The environment, if it must be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The branch or tag, if it must be one.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// SHA-256 of the canonical JSON of the claims of a `generic` one: their values may name persons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<Digest>,
}
