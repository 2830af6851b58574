//! Versions (SemVer 2.0), what a caller may ask for, and which one is the latest.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::MAX_VERSION_LENGTH;

/// Why a text is no version, or no range of versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Over 128 characters.
    #[error("the version is longer than {MAX_VERSION_LENGTH} characters")]
    TooLong,
    /// Not SemVer 2.0.
    #[error("`{text}` is not a semantic version: {reason}")]
    NotSemver {
        /// What came, escaped.
        text: String,
        /// What the parser stumbled over.
        reason: String,
    },
    /// Neither a version nor a range.
    #[error("`{text}` is neither a version nor a range of versions: {reason}")]
    NotARange {
        /// What came, escaped.
        text: String,
        /// What the parser stumbled over.
        reason: String,
    },
}

/// A semantic version. Ordered as SemVer 2.0 orders, with build metadata as the last tie-breaker.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(semver::Version);

impl Version {
    /// A release.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(major, minor, patch))
    }

    /// Whether it is a prerelease (`1.0.0-rc.1`), which is never the latest.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }

    /// The parsed parts.
    pub fn semver(&self) -> &semver::Version {
        &self.0
    }

    /// The next version: `major`, `minor` or `patch` raised by one, prerelease and build metadata dropped.
    pub fn bump(&self, part: BumpPart) -> Self {
        let semver::Version { major, minor, patch, .. } = self.0;
        Self(match part {
            BumpPart::Major => semver::Version::new(major + 1, 0, 0),
            BumpPart::Minor => semver::Version::new(major, minor + 1, 0),
            BumpPart::Patch => semver::Version::new(major, minor, patch + 1),
        })
    }
}

/// Which number of a version rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BumpPart {
    /// Callers break.
    Major,
    /// Something new.
    Minor,
    /// A correction.
    Patch,
}

impl FromStr for BumpPart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "major" => Ok(Self::Major),
            "minor" => Ok(Self::Minor),
            "patch" => Ok(Self::Patch),
            other => Err(format!("`{}` is none of `major`, `minor`, `patch`", other.escape_debug())),
        }
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_VERSION_LENGTH {
            return Err(VersionError::TooLong);
        }
        semver::Version::parse(text).map(Self).map_err(|error| VersionError::NotSemver {
            text: text.escape_debug().to_string(),
            reason: error.to_string(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl TryFrom<String> for Version {
    type Error = VersionError;

    fn try_from(text: String) -> Result<Self, VersionError> {
        text.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

/// Which version a caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionRequest {
    /// The highest that is published, neither yanked nor a prerelease.
    Latest,
    /// This one, and no other.
    Exact(Version),
    /// The highest that fits, for example `^1.2` or `>=1, <3`. Prereleases fit only as SemVer ranges let them.
    Range(semver::VersionReq),
}

impl FromStr for VersionRequest {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > MAX_VERSION_LENGTH {
            return Err(VersionError::TooLong);
        }
        if matches!(text, "" | "latest" | "*") {
            return Ok(Self::Latest);
        }
        if let Ok(version) = text.strip_prefix('=').unwrap_or(text).trim().parse() {
            return Ok(Self::Exact(version));
        }
        semver::VersionReq::parse(text).map(Self::Range).map_err(|error| VersionError::NotARange {
            text: text.escape_debug().to_string(),
            reason: error.to_string(),
        })
    }
}

impl fmt::Display for VersionRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => formatter.write_str("latest"),
            Self::Exact(version) => version.fmt(formatter),
            Self::Range(range) => range.fmt(formatter),
        }
    }
}

impl VersionRequest {
    /// What is asked for; `None` where it is the latest, which is what everybody has who asks for nothing.
    pub fn unless_latest(&self) -> Option<&Self> {
        (*self != Self::Latest).then_some(self)
    }

    /// The version to take of those that are published, and neither yanked nor quarantined. An exact request is
    /// the caller's to look up, as it may name a yanked version.
    pub fn choose<'a>(&self, published: impl Iterator<Item = &'a Version>) -> Option<&'a Version> {
        match self {
            Self::Latest => published.filter(|version| !version.is_prerelease()).max(),
            Self::Exact(wanted) => published.into_iter().find(|version| *version == wanted),
            Self::Range(range) => published.filter(|version| range.matches(&version.0)).max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(texts: &[&str]) -> Vec<Version> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn order_is_that_of_semver() {
        let sorted = versions(&[
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-beta",
            "1.0.0-rc.1",
            "1.0.0",
            "1.9.0",
            "1.10.0",
        ]);
        let mut shuffled = sorted.clone();
        shuffled.reverse();
        shuffled.sort();
        assert_eq!(shuffled, sorted);
    }

    #[test]
    fn requests_choose_the_highest_that_fits() {
        let published = versions(&["1.0.0", "1.2.0", "1.10.0", "2.0.0", "3.0.0-rc.1"]);
        let choose = |text: &str| {
            let request: VersionRequest = text.parse().unwrap();
            request.choose(published.iter()).map(ToString::to_string)
        };
        assert_eq!(choose("latest").as_deref(), Some("2.0.0"));
        assert_eq!(choose("").as_deref(), Some("2.0.0"));
        assert_eq!(choose("^1").as_deref(), Some("1.10.0"));
        assert_eq!(choose("~1.2").as_deref(), Some("1.2.0"));
        assert_eq!(choose(">=1, <2").as_deref(), Some("1.10.0"));
        assert_eq!(choose("1.2.0").as_deref(), Some("1.2.0"));
        assert_eq!(choose("=1.2.0").as_deref(), Some("1.2.0"));
        assert_eq!(choose("3.0.0-rc.1").as_deref(), Some("3.0.0-rc.1"));
        assert_eq!(choose("^4"), None);
    }

    #[test]
    fn what_is_no_version_says_so() {
        for text in ["1", "1.0", "v1.0.0", "01.0.0", "1.0.0.0", "", "1.0.0-", "latest", "１.0.0"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
        assert!("x".repeat(129).parse::<Version>().is_err());
        assert!("not a range".parse::<VersionRequest>().is_err());
    }
}
