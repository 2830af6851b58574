//! `SKILL.md` as the Agent Skills specification has it: front matter in YAML, and instructions in Markdown.
//!
//! Everything that is wrong is told at once, with its place. What is read is the same for every client: where readers of
//! YAML differ, the file is refused.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::bundle::SKILL_FILE;
use crate::lint::{Finding, Findings, Level, Place, Strictness};

mod fields;
mod split;
mod yaml;

pub(crate) use self::split::{Parts, text_of};
pub(crate) use self::yaml::{Node, Value};

/// What the front matter of a `SKILL.md` says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SkillMd {
    /// How the skill is called. Where there is no error it is `^[a-z0-9]+(-[a-z0-9]+)*$`, with at most 64 characters; read
    /// leniently it may be anything that can be the name of a folder.
    pub name: String,
    /// What it does, and when an agent should use it.
    pub description: String,
    /// Its licence.
    pub license: Option<String>,
    /// What it needs.
    pub compatibility: Option<String>,
    /// What else is said of it. Nested values are left out.
    pub metadata: BTreeMap<String, String>,
    /// Tools that an agent may use for it without asking, as they are written.
    pub allowed_tools: Option<String>,
    /// Fields that the specification does not have; only some clients know them.
    pub other: BTreeMap<String, serde_json::Value>,
    /// Where the name stands.
    #[serde(skip)]
    pub name_place: Place,
    /// The line in which the instructions begin, counted from 1. It may be one behind the last.
    #[serde(skip)]
    pub body_line: u32,
}

impl SkillMd {
    /// Reads a `SKILL.md` alone. `None` where not even the name and the description can be known; otherwise the findings
    /// say whether it may be published.
    pub fn read(bytes: &[u8], strictness: Strictness) -> (Option<Self>, Vec<Finding>) {
        let mut findings = Findings::new(strictness);
        let read = read(bytes, SKILL_FILE, &mut findings);
        (read.and_then(|read| read.skill_md), findings.finish())
    }

    /// All fields of the front matter as they are written, whatever they may be. None where two clients could read them in
    /// different ways, or there is nothing to read.
    pub fn fields(bytes: &[u8]) -> Option<serde_json::Map<String, serde_json::Value>> {
        let mut findings = Findings::new(Strictness::Lenient);
        let parts = split::split(bytes, SKILL_FILE, &mut findings)?;
        let root = yaml::read(parts.front_matter, SKILL_FILE, 2, &mut findings)?;
        let is_clear = findings.finish().iter().all(|finding| finding.level != Level::Error);
        match root.to_json() {
            serde_json::Value::Object(fields) if is_clear => Some(fields),
            _ => None,
        }
    }

    /// The instructions behind the front matter, if the bytes are a `SKILL.md`.
    pub fn body(bytes: &[u8]) -> Option<&str> {
        let mut findings = Findings::new(Strictness::Lenient);
        split::split(bytes, SKILL_FILE, &mut findings).map(|parts| parts.body)
    }
}

/// What was read of a `SKILL.md`.
pub(crate) struct Read<'a> {
    pub(crate) parts: Parts<'a>,
    pub(crate) skill_md: Option<SkillMd>,
    /// `metadata` with its places.
    pub(crate) metadata: Option<Node>,
}

pub(crate) fn read<'a>(bytes: &'a [u8], path: &str, findings: &mut Findings) -> Option<Read<'a>> {
    let parts = split::split(bytes, path, findings)?;
    let (skill_md, metadata) = match yaml::read(parts.front_matter, path, 2, findings) {
        Some(root) => fields::read(&root, path, parts.body_line, findings),
        None => (None, None),
    };
    Some(Read { parts, skill_md, metadata })
}
