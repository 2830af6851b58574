//! What the folder of a skill is called: the `name` in the front matter of its `SKILL.md`, as agents want it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use skillery_core::bundle::{BundleFile, SKILL_FILE};
use skillery_core::lint::{Level, Strictness};
use skillery_core::{SkillId, SkillMd};

use crate::agents::AgentError;

/// What the format of agent skills allows.
const MAX_LENGTH: usize = 64;
/// Names that are devices on some machines, whatever folder they stand in.
const DEVICES: &[&str] = &["aux", "con", "nul", "prn"];

/// A name of letters, digits and single hyphens. It leads out of no folder, and is the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FolderName(String);

impl FolderName {
    /// What the files of a skill are to be called.
    pub fn of(id: &SkillId, files: &[BundleFile]) -> Result<Self, AgentError> {
        let bad = |reason: String| AgentError::NoName { id: id.clone(), reason };
        let file = files.iter().find(|file| file.path == SKILL_FILE);
        let file = file.ok_or_else(|| bad(format!("it has no `{SKILL_FILE}`")))?;
        name_in(&file.bytes).and_then(|name| name.parse()).map_err(bad)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The `name` of a `SKILL.md` that every client reads in the same way.
fn name_in(bytes: &[u8]) -> Result<String, String> {
    let (skill, findings) = SkillMd::read(bytes, Strictness::Lenient);
    if let Some(error) = findings.into_iter().find(|finding| finding.level == Level::Error) {
        return Err(format!("its `{SKILL_FILE}` cannot be used: {}", error.message));
    }
    skill.map(|skill| skill.name).ok_or_else(|| format!("its `{SKILL_FILE}` cannot be read"))
}

impl FromStr for FolderName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_device = DEVICES.contains(&text)
            || text
                .strip_prefix("com")
                .or(text.strip_prefix("lpt"))
                .is_some_and(|rest| rest.len() == 1 && rest != "0" && rest.parse::<u8>().is_ok());
        let is_plain = (1..=MAX_LENGTH).contains(&text.len())
            && text.split('-').all(|part| {
                !part.is_empty()
                    && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            });
        if is_plain && !is_device {
            return Ok(Self(text.to_owned()));
        }
        let shown: String = text.chars().take(MAX_LENGTH + 1).flat_map(char::escape_debug).collect();
        Err(format!(
            "its name is `{shown}`, and agents want a-z, 0-9 and single hyphens, {MAX_LENGTH} at most"
        ))
    }
}

impl TryFrom<String> for FolderName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<FolderName> for String {
    fn from(name: FolderName) -> Self {
        name.0
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
