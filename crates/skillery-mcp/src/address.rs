//! Where a skill's files are: `skill://acme/email_validator/@1.2.0/email-validator/SKILL.md`.
//!
//! First the id, then the version or `@latest`, then the name of the Agent Skills format, which must stand right before the
//! file. A namespace has no segment that begins with `@`, so that it is always clear where the id ends. Skills are listed
//! with their versions: what is listed never changes under its address, and digests go on fitting.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use skillery_core::bundle::{SKILL_FILE, skill_name};
use skillery_core::{SkillId, Version, VersionRequest};

const SCHEME: &str = "skill://";
const LATEST: &str = "latest";
/// Characters in an address: of an id, a version, a name and the longest path, each of them escaped.
const MAX_LENGTH: usize = 2_048;
/// What an address cannot have as it is in the name of a file.
const ESCAPED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The address of a skill's folder, or of something in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkillAddress {
    /// The skill.
    pub id: SkillId,
    /// The version; none: the latest.
    pub version: Option<Version>,
    /// What is meant in the skill's folder; empty: the folder.
    pub path: String,
}

impl SkillAddress {
    /// The folder of a version.
    pub fn of(id: &SkillId, version: &Version) -> Self {
        Self { id: id.clone(), version: Some(version.clone()), path: String::new() }
    }

    /// Something else in the same folder.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self.clone() }
    }

    /// The description of the same skill.
    #[must_use]
    pub fn skill_file(&self) -> Self {
        self.at(SKILL_FILE)
    }

    /// The version as something to ask for.
    pub fn request(&self) -> VersionRequest {
        self.version.clone().map_or(VersionRequest::Latest, VersionRequest::Exact)
    }
}

impl fmt::Display for SkillAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{SCHEME}{}/@", self.id)?;
        match &self.version {
            Some(version) => write!(formatter, "{version}")?,
            None => formatter.write_str(LATEST)?,
        }
        write!(formatter, "/{}", skill_name(&self.id))?;
        if self.path.is_empty() {
            return Ok(());
        }
        write!(formatter, "/{}", utf8_percent_encode(&self.path, ESCAPED))
    }
}

impl FromStr for SkillAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_LENGTH {
            return Err("it is too long");
        }
        let rest = text.strip_prefix(SCHEME).ok_or("it does not begin with `skill://`")?;
        if rest.contains(['?', '#']) {
            return Err("it has a query or a fragment");
        }
        // A slash at the end says that a folder is meant, which is clear without.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let segments = rest.split('/').map(segment).collect::<Result<Vec<_>, _>>()?;
        let place = segments.iter().position(|segment| segment.starts_with('@'));
        let place = place.ok_or("it names no version, as in `skill://acme/tool/@1.0.0/tool/SKILL.md`")?;
        let id: SkillId =
            segments[..place].join("/").parse().map_err(|_| "what stands before `@` is no id")?;
        let version = match &segments[place][1..] {
            LATEST => None,
            version => Some(version.parse().map_err(|_| "what stands behind `@` is no version")?),
        };
        let name = segments.get(place + 1).ok_or("the name of the skill is missing behind the version")?;
        if *name != skill_name(&id) {
            return Err("the name behind the version is not that of the skill");
        }
        Ok(Self { id, version, path: segments[place + 2..].join("/") })
    }
}

fn segment(text: &str) -> Result<String, &'static str> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| "it is not UTF-8")?;
    if matches!(&*decoded, "" | "." | "..") || decoded.contains('/') || decoded.contains(char::is_control) {
        return Err("it has a segment that no address of a skill has");
    }
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SkillAddress {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn there_and_back() {
        let folder =
            SkillAddress::of(&"acme/mail/e_mail.v".parse().unwrap(), &"1.0.0-rc.1+b".parse().unwrap());
        let texts = [
            (folder.clone(), "skill://acme/mail/e_mail.v/@1.0.0-rc.1+b/e-mail-v"),
            (folder.skill_file(), "skill://acme/mail/e_mail.v/@1.0.0-rc.1+b/e-mail-v/SKILL.md"),
            (
                folder.at("a b/ü#1%.txt"),
                "skill://acme/mail/e_mail.v/@1.0.0-rc.1+b/e-mail-v/a%20b/%C3%BC%231%25.txt",
            ),
            (
                SkillAddress { version: None, ..folder.skill_file() },
                "skill://acme/mail/e_mail.v/@latest/e-mail-v/SKILL.md",
            ),
        ];
        for (address, text) in texts {
            assert_eq!(address.to_string(), text);
            assert_eq!(parse(text), address);
        }
        assert_eq!(parse("skill://acme/mail/e_mail.v/%401.0.0-rc.1%2Bb/e-mail-v/"), folder);
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            "https://acme/tool/@1.0.0/tool/SKILL.md",
            "skill://acme/tool/tool/SKILL.md",
            "skill://acme/tool/@1.0.0",
            "skill://acme/tool/@1.0.0/other/SKILL.md",
            "skill://acme/tool/@1/tool/SKILL.md",
            "skill://acme/tool/@/tool/SKILL.md",
            "skill://tool/@1.0.0/tool/SKILL.md",
            "skill:///acme/tool/@1.0.0/tool/SKILL.md",
            "skill://acme/tool/@1.0.0/tool/../../x",
            "skill://acme/tool/@1.0.0/tool/%2e%2e/x",
            "skill://acme/tool/@1.0.0/tool/a%2Fb",
            "skill://acme/tool/@1.0.0/tool//x",
            "skill://acme/tool/@1.0.0/tool/%ff",
            "skill://acme/tool/@1.0.0/tool/SKILL.md?x",
            "skill://acme/tool/@1.0.0/tool/SKILL.md#x",
            &format!("skill://acme/tool/@1.0.0/tool/{}", "x".repeat(3_000)),
        ] {
            assert!(text.parse::<SkillAddress>().is_err(), "{text}");
        }
    }
}
