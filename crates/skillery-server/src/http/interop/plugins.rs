//! Skills as plugins: what a marketplace of Claude Code's form says of them, wherever it stands.
//!
//! A skill is a folder with `SKILL.md`; `strict: false` and `skills: ["./"]` make a plugin of it without any file more.

use serde::Serialize;
use skillery_core::{Namespace, SkillId, Version};

/// Bytes of a description that a listing shows.
const DESCRIPTION: usize = 1_024;

/// A marketplace.
#[derive(Debug, Serialize)]
pub struct Marketplace {
    name: String,
    owner: Owner,
    metadata: Metadata,
    /// What it offers.
    pub plugins: Vec<Plugin>,
}

#[derive(Debug, Serialize)]
struct Owner {
    name: String,
}

#[derive(Debug, Serialize)]
struct Metadata {
    description: String,
}

/// One skill of it.
#[derive(Debug, Serialize)]
pub struct Plugin {
    name: String,
    description: String,
    version: String,
    strict: bool,
    skills: [&'static str; 1],
    source: serde_json::Value,
}

impl Marketplace {
    /// That of a namespace.
    pub fn of(namespace: &Namespace, plugins: Vec<Plugin>) -> Self {
        Self {
            // One word of letters, digits and hyphens, by which people call it.
            name: namespace.key().replace('/', "-"),
            owner: Owner { name: namespace.org().to_owned() },
            metadata: Metadata {
                description: format!("Skills of {namespace}", namespace = namespace.as_str()),
            },
            plugins,
        }
    }
}

impl Plugin {
    /// A skill that is called `name` there, and where its folder or archive is.
    pub fn new(
        name: &str,
        id: &SkillId,
        version: &Version,
        description: &str,
        source: serde_json::Value,
    ) -> Self {
        Self {
            name: name.to_owned(),
            description: described(id, description),
            version: version.to_string(),
            strict: false,
            skills: ["./"],
            source,
        }
    }
}

/// What the skill is for: never empty, and not too long for a listing.
pub fn described(id: &SkillId, description: &str) -> String {
    if description.trim().is_empty() {
        return format!("The skill {id}.");
    }
    description[..description.floor_char_boundary(DESCRIPTION)].to_owned()
}
