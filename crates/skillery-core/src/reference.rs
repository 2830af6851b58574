//! How a skill is named where one builds on another, or a workflow has it as a step.

use std::fmt;
use std::str::FromStr;

use crate::version::VersionError;
use crate::{Segment, SkillId, VersionRequest};

/// A skill as it is named: `name`, `org/name`, with `@version` or `@range` behind it if need be, and behind that
/// `#script` where it is not the script with the skill's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillReference {
    /// Which skill.
    pub name: SkillName,
    /// Which version; the latest that is installed where it is not said.
    pub version: VersionRequest,
    /// Which script of its folder, without `.py`.
    pub script: Option<String>,
}

/// Characters in the name of a script.
const MAX_SCRIPT_LENGTH: usize = 64;

/// A skill's name with or without its namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SkillName {
    /// The last segment alone, for the caller to find.
    Name(Segment),
    /// The whole id.
    Id(SkillId),
}

impl FromStr for SkillReference {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, script) = match text.split_once('#') {
            Some((whole, script)) => (whole, Some(script)),
            None => (text, None),
        };
        let is_script = |script: &&str| {
            (1..=MAX_SCRIPT_LENGTH).contains(&script.len())
                && script.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
        };
        if script.is_some_and(|script| !is_script(&script)) {
            return Err("what stands behind the `#` is no script: its name without `.py`".to_owned());
        }
        let (name, version) = whole.split_once('@').unwrap_or((whole, ""));
        let name = if name.contains('/') {
            name.parse().map(SkillName::Id)
        } else {
            name.parse().map(SkillName::Name)
        };
        if whole.ends_with('@') {
            return Err("nothing stands behind the `@`".to_owned());
        }
        Ok(Self {
            name: name.map_err(|error| error.to_string())?,
            version: version.parse().map_err(|error: VersionError| error.to_string())?,
            script: script.map(str::to_owned),
        })
    }
}

impl fmt::Display for SkillName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Name(name) => name.as_str(),
            Self::Id(id) => id.as_str(),
        })
    }
}

impl fmt::Display for SkillReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name.fmt(formatter)?;
        if let Some(version) = self.version.unless_latest() {
            write!(formatter, "@{version}")?;
        }
        self.script.iter().try_for_each(|script| write!(formatter, "#{script}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for text in [
            "slugify",
            "acme/slugify",
            "acme/text/slugify@1.0.0",
            "slugify@^1.2",
            "acme/pdf#extract",
            "acme/pdf@^1#fill_form",
        ] {
            assert_eq!(text.parse::<SkillReference>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "@1.0.0",
            "slugify@",
            "Slugify",
            "acme//x",
            "a@b@c",
            "slugify@one",
            "a#",
            "a#b.py",
            "a#../b",
            "a#b#c",
        ] {
            assert!(text.parse::<SkillReference>().is_err(), "{text}");
        }
    }
}
