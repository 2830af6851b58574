//! Names: one segment, a namespace of segments, and a skill id.
//!
//! A name is checked and normalised once, in its constructor. Two names that differ only by `-`, `_` and `.`
//! have the same [`SkillId::key`], so that nobody can register a look-alike of an existing skill.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::hidden::named;
use crate::limits::{MAX_ID_LENGTH, MAX_NAMESPACE_DEPTH, MAX_SEGMENT_LENGTH};

/// The namespace of skills that only one machine knows, and names without it.
pub const LOCAL_NAMESPACE: &str = "local";

/// Words that stand after a skill id in a route, and so can be no segment behind the first.
pub const RESERVED_NAMES: &[&str] = &[
    "all",
    "approvals",
    "badge",
    "comments",
    "dependencies",
    "dependents",
    "diff",
    "download",
    "feed",
    "files",
    "findings",
    "install",
    "log",
    "marketplace.json",
    "members",
    "policy",
    "proof",
    "publishers",
    "quarantine",
    "rate",
    "ratings",
    "signatures",
    "signing-secret",
    "usage",
    "versions",
    "visibility",
    "yank",
];

/// Words that are routes or pages of the registry itself, and so can be no org.
pub const RESERVED_ORGS: &[&str] = &[
    "about",
    "account",
    "admin",
    "api",
    "apm",
    "assets",
    "badges",
    "clawhub",
    "docs",
    "favicon.ico",
    "feeds",
    "git",
    "healthz",
    "help",
    "llms.txt",
    "log",
    "login",
    "logout",
    "mcp",
    "metrics",
    "new",
    "openapi.json",
    "orgs",
    "readyz",
    "registry",
    "robots.txt",
    "search",
    "settings",
    "sitemap.xml",
    "skillery",
    "skills",
    "static",
    "tags",
    "trending",
    "users",
    "well-known",
];

/// Names that some file systems give a meaning of their own; clients make folders from names.
pub(crate) const RESERVED_FILES: &[&str] = &[
    "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9", "con", "lpt1", "lpt2",
    "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9", "nul", "prn",
];

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing between two slashes, or nothing at all.
    #[error("`{0}` has an empty segment")]
    EmptySegment(String),
    /// A segment is over 64 characters.
    #[error("segment `{0}` is longer than {MAX_SEGMENT_LENGTH} characters")]
    SegmentTooLong(String),
    /// A segment has a character outside of `a-z 0-9 . _ -`, or begins with one of `. _ -`.
    #[error(
        "segment `{segment}` has {what}; use a-z, 0-9, `.`, `_` and `-`, beginning with a letter or a digit"
    )]
    BadCharacter {
        /// The segment as it came, escaped.
        segment: String,
        /// What is wrong in words.
        what: String,
    },
    /// Ends in a dot or in `.git`, or has two dots in a row.
    #[error("segment `{0}` ends in `.` or `.git`, or has `..` in it")]
    BadDots(String),
    /// The word is a route of the registry, or a device name of some file system.
    #[error("`{0}` is a reserved word")]
    Reserved(String),
    /// One segment only.
    #[error("`{0}` has no namespace: a skill id is `org/name`")]
    NoNamespace(String),
    /// More than eight namespace segments, or over 255 characters.
    #[error(
        "the id is too long: at most {MAX_NAMESPACE_DEPTH} namespace segments and {MAX_ID_LENGTH} characters"
    )]
    TooLong,
}

/// One part of a name: `[a-z0-9][a-z0-9._-]*`, at most 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Segment(String);

impl Segment {
    /// The text of the segment.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Segment {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        check_segment(text)?;
        Ok(Self(text.to_owned()))
    }
}

fn check_segment(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::EmptySegment(String::new()));
    }
    let bad = |what: String| IdError::BadCharacter { segment: named(text), what };
    for (position, character) in text.chars().enumerate() {
        match character {
            'a'..='z' | '0'..='9' => {}
            '.' | '_' | '-' if position > 0 => {}
            'A'..='Z' => return Err(bad(format!("the capital `{character}`"))),
            '.' | '_' | '-' => return Err(bad(format!("`{character}` at its beginning"))),
            other => return Err(bad(format!("the character `{}`", other.escape_unicode()))),
        }
    }
    if text.len() > MAX_SEGMENT_LENGTH {
        return Err(IdError::SegmentTooLong(named(text)));
    }
    if text.ends_with('.') || text.ends_with(".git") || text.contains("..") {
        return Err(IdError::BadDots(text.to_owned()));
    }
    if RESERVED_FILES.contains(&text.split('.').next().unwrap_or(text)) {
        return Err(IdError::Reserved(text.to_owned()));
    }
    Ok(())
}

/// Whether the word, or one that compares equal, is in the list.
fn is_reserved(word: &str, list: &[&str]) -> bool {
    list.contains(&word) || (word.contains(['_', '.']) && list.contains(&fold(word).as_str()))
}

/// `-`, `_` and `.` compare equal.
fn fold(text: &str) -> String {
    text.chars().map(|character| if matches!(character, '_' | '.') { '-' } else { character }).collect()
}

/// Where skills live: one or more segments, the first of which is the owning org.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(String);

impl Namespace {
    /// The text, for example `acme/email`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first segment: whose it is.
    pub fn org(&self) -> &str {
        self.0.split('/').next().unwrap_or(&self.0)
    }

    /// What two namespaces that may not exist beside each other have in common.
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// The key of the org.
    pub fn org_key(&self) -> String {
        fold(self.org())
    }

    /// This namespace and every one above it, the deepest first: `acme/email`, `acme`.
    pub fn self_and_ancestors(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(self.0.as_str());
        std::iter::from_fn(move || {
            let here = rest?;
            rest = here.rfind('/').map(|end| &here[..end]);
            Some(here)
        })
    }

    /// Whether `other` is this namespace or lies below it. Compared by key.
    pub fn contains(&self, other: &Namespace) -> bool {
        key_contains(&self.key(), &other.key())
    }

    /// How many segments it has.
    pub fn depth(&self) -> usize {
        self.0.split('/').count()
    }
}

/// Whether the namespace key `inner` is `outer` or lies below it.
pub fn key_contains(outer: &str, inner: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl FromStr for Namespace {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() > MAX_ID_LENGTH * 4 || text.split('/').count() > MAX_NAMESPACE_DEPTH {
            return Err(IdError::TooLong);
        }
        for (position, segment) in text.split('/').enumerate() {
            check_segment(segment).map_err(|error| match error {
                IdError::EmptySegment(_) => IdError::EmptySegment(named(text)),
                other => other,
            })?;
            let reserved = if position == 0 { RESERVED_ORGS } else { RESERVED_NAMES };
            if is_reserved(segment, reserved) {
                return Err(IdError::Reserved(segment.to_owned()));
            }
        }
        if text.len() > MAX_ID_LENGTH {
            return Err(IdError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }
}

/// A skill's name with its namespace: `acme/email_validator`, `acme/email/validator`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SkillId(String);

impl SkillId {
    /// Joins a namespace and a name.
    pub fn new(namespace: &Namespace, name: &Segment) -> Result<Self, IdError> {
        format!("{}/{}", namespace.as_str(), name.as_str()).parse()
    }

    /// The text, for example `acme/email/validator`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// All segments but the last.
    pub fn namespace(&self) -> Namespace {
        let end = self.0.rfind('/').unwrap_or(self.0.len());
        Namespace(self.0[..end].to_owned())
    }

    /// The first segment: whose it is.
    pub fn org(&self) -> &str {
        self.0.split('/').next().unwrap_or(&self.0)
    }

    /// What two ids that may not exist beside each other have in common.
    pub fn key(&self) -> String {
        fold(&self.0)
    }

    /// The key of the org.
    pub fn org_key(&self) -> String {
        fold(self.org())
    }
}

impl FromStr for SkillId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() > MAX_ID_LENGTH * 4 {
            return Err(IdError::TooLong);
        }
        let Some((namespace, name)) = text.rsplit_once('/') else {
            check_segment(text)?;
            return Err(IdError::NoNamespace(named(text)));
        };
        namespace.parse::<Namespace>()?;
        check_segment(name).map_err(|error| match error {
            IdError::EmptySegment(_) => IdError::EmptySegment(named(text)),
            other => other,
        })?;
        if is_reserved(name, RESERVED_NAMES) {
            return Err(IdError::Reserved(name.to_owned()));
        }
        if text.len() > MAX_ID_LENGTH {
            return Err(IdError::TooLong);
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_type {
    ($($name:ident),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    )*};
}
text_type!(Segment, Namespace, SkillId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_the_guide_are_good() {
        for text in ["acme/email_validator", "acme/email/validator", "utils/calculator", "community/helper"] {
            let id: SkillId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
        }
        let id: SkillId = "acme/email/validator".parse().unwrap();
        assert_eq!((id.org(), id.name(), id.namespace().as_str()), ("acme", "validator", "acme/email"));
        assert_eq!(id.namespace().self_and_ancestors().collect::<Vec<_>>(), ["acme/email", "acme"]);
    }

    #[test]
    fn bad_ids_say_why() {
        let long = "a".repeat(65);
        let deep = "a/".repeat(9) + "b";
        let cases = [
            "",
            "acme",
            "acme/",
            "/acme",
            "acme//x",
            "acme/..",
            "../etc/passwd",
            "acme/a..b",
            "acme/X",
            "Acme/x",
            "acme/\u{0430}bc",
            "acme/x\u{202e}",
            "acme/-x",
            "acme/x y",
            "acme/download",
            "acme/versions",
            "api/x",
            "acme/con",
            "acme/nul.py",
            "acme/x.git",
            "acme/x.",
            "acme/%2e%2e",
            "acme/signing_secret",
            "well_known/x",
            &format!("acme/{long}"),
            &deep,
        ];
        let answers: Vec<String> = cases
            .iter()
            .map(|text| format!("{:?}: {}", text, text.parse::<SkillId>().unwrap_err()))
            .collect();
        insta::assert_snapshot!(answers.join("\n"));
    }

    #[test]
    fn dashes_underscores_and_dots_compare_equal() {
        let key = |text: &str| text.parse::<SkillId>().unwrap().key();
        assert_eq!(key("acme/email_validator"), key("acme/email-validator"));
        assert_eq!(key("acme/email.validator"), key("acme/email-validator"));
        let outer: Namespace = "ac-me".parse().unwrap();
        assert!(outer.contains(&"ac_me/email".parse().unwrap()));
        assert!(!outer.contains(&"ac-men".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_good_ids_round_trip(text in "\\PC{0,80}") {
            if let Ok(id) = text.parse::<SkillId>() {
                prop_assert_eq!(id.as_str(), text.as_str());
                prop_assert_eq!(&SkillId::new(&id.namespace(), &id.name().parse().unwrap()).unwrap(), &id);
                prop_assert!(id.key().parse::<SkillId>().is_ok());
            }
        }

        #[test]
        fn generated_ids_are_good(text in "[a-z0-9][a-z0-9_-]{3,20}x/[a-z0-9][a-z0-9_-]{9,30}x") {
            prop_assert!(text.parse::<SkillId>().is_ok(), "{}", text);
        }
    }
}
