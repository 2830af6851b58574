//! What the folder of a skill is called: the `name` in the front matter of its `SKILL.md`, as agents want it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use skillery_core::SkillId;
use skillery_core::bundle::{BundleFile, SKILL_FILE};

use crate::agents::AgentError;

/// What the format of agent skills allows.
const MAX_LENGTH: usize = 64;
/// Of a front matter; a name stands on one line of it.
const MAX_NODES: usize = 10_000;
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
        let text = std::str::from_utf8(&file.bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
        name_in(text).and_then(|name| name.parse()).map_err(bad)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Deserialize)]
struct FrontMatter {
    name: Option<String>,
}

/// The `name` between the first two lines of three hyphens.
fn name_in(text: &str) -> Result<String, String> {
    let mut lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
    if lines.next().map(str::trim_end) != Some("---") {
        return Err("it does not begin with a front matter".to_owned());
    }
    let mut matter = String::new();
    let mut is_closed = false;
    for line in lines {
        if line.trim_end() == "---" {
            is_closed = true;
            break;
        }
        matter.push_str(line);
        matter.push('\n');
    }
    if !is_closed {
        return Err("its front matter does not end".to_owned());
    }
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_events: MAX_NODES, max_nodes: MAX_NODES },
    };
    let matter: FrontMatter = serde_saphyr::from_str_with_options(&matter, options)
        .map_err(|error| format!("its front matter is not valid: {error}"))?;
    matter.name.ok_or_else(|| "its front matter has no `name`".to_owned())
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
