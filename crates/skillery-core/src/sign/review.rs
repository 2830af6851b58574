//! The statement of a review: what a reviewer signs, and what the log says of the signature.
//!
//! It is canonical JSON (RFC 8785), signed as SSHSIG with the namespace `skill-review@v1`. It names the registry, the bytes and the
//! policies that were looked at, so that it is worth nothing for another version, on another registry, or where more is
//! demanded by then.

use serde::{Deserialize, Serialize};

use crate::approval::Decision;
use crate::canonical::{canonical_json, from_canonical_json};
use crate::{Digest, SkillId, Version};

/// What it says that it is.
pub const REVIEW_TYPE: &str = "https://skillery.dev/review/v1";

/// What a reviewer signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewStatement {
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// The entries of the policies that were in force, in order.
    pub policies: Vec<u64>,
    /// The registry's name in its log.
    pub registry: String,
    /// The skill.
    pub skill: SkillId,
    /// [`REVIEW_TYPE`].
    pub r#type: String,
    /// What was decided.
    pub verdict: Decision,
    /// The version.
    pub version: Version,
}

impl ReviewStatement {
    /// The canonical text: what is signed and kept.
    pub fn to_text(&self) -> Option<String> {
        canonical_json(self).ok().and_then(|bytes| String::from_utf8(bytes).ok())
    }

    /// Reads one. The text must be its canonical form.
    pub fn parse(text: &str) -> Option<Self> {
        let read: Self = from_canonical_json(text.as_bytes()).ok()?;
        (read.r#type == REVIEW_TYPE).then_some(read)
    }
}

/// A reviewer's signature, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReviewMark {
    /// The fingerprint of the key.
    pub key: String,
    /// The entry that enrolled it.
    pub enrolled: u64,
    /// SHA-256 of the statement.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub statement: Digest,
    /// SHA-256 of the signature's text.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: Digest,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_meaning_has_one_text() {
        let statement = ReviewStatement {
            digest: Digest::of(b"bundle"),
            policies: vec![4, 7],
            registry: "registry.example.com".to_owned(),
            skill: "acme/tool".parse().unwrap(),
            r#type: REVIEW_TYPE.to_owned(),
            verdict: Decision::Approved,
            version: "1.0.0".parse().unwrap(),
        };
        let text = statement.to_text().unwrap();
        assert_eq!(ReviewStatement::parse(&text), Some(statement.clone()));
        assert_eq!(ReviewStatement::parse(&format!(" {text}")), None);
        assert_eq!(ReviewStatement::parse(&text.replace("review/v1", "review/v2")), None);
        assert_eq!(ReviewStatement::parse(&text.replace("{", "{\"more\":1,")), None);
    }
}
