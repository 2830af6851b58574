//! Marketplaces of plugins, as Claude Code reads them, and Codex and Copilot too.

use serde::Serialize;
use skillery_core::{Digest, Namespace};

/// A skill as a plugin that holds it alone.
#[derive(Debug, Serialize)]
pub(crate) struct Plugin {
    /// The name in the Agent Skills format.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// Clients update when it is another one.
    pub(crate) version: String,
    /// There is no manifest of a plugin beside the skill.
    strict: bool,
    /// The skill lies at the root of its archive.
    skills: [&'static str; 1],
    /// Where it comes from.
    pub(crate) source: Source,
}

/// Where a plugin comes from. In git the text of a marketplace is part of a commit: it must not depend on how the program was
/// built, and so the order of fields is theirs and not that of a map.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Source {
    /// A folder beside the marketplace.
    Folder(String),
    /// An archive.
    Archive {
        /// `archive`.
        source: &'static str,
        /// Where it is.
        url: String,
        /// Its digest.
        sha256: String,
    },
    /// A repository.
    Git {
        /// `url`.
        source: &'static str,
        /// Where it is.
        url: String,
        /// The tag.
        #[serde(rename = "ref")]
        reference: String,
    },
}

/// The marketplace of a namespace.
#[derive(Debug, Serialize)]
pub(crate) struct Marketplace {
    name: String,
    owner: Owner,
    metadata: Metadata,
    plugins: Vec<Plugin>,
}

#[derive(Debug, Serialize)]
struct Owner {
    name: String,
}

#[derive(Debug, Serialize)]
struct Metadata {
    description: String,
}

impl Plugin {
    /// A plugin that is this skill.
    pub(crate) fn new(name: &str, description: String, version: String, source: Source) -> Self {
        Self { name: name.to_owned(), description, version, strict: false, skills: ["./"], source }
    }
}

/// The marketplace of a namespace with these plugins.
pub(crate) fn marketplace(namespace: &Namespace, plugins: impl Iterator<Item = Plugin>) -> Marketplace {
    Marketplace {
        name: name(namespace),
        owner: Owner { name: namespace.to_string() },
        metadata: Metadata { description: format!("Skills of {namespace}") },
        plugins: plugins.collect(),
    }
}

/// Names that Claude Code keeps for itself.
const RESERVED: &[&str] = &["agent-skills", "builtin", "inline", "knowledge-work-plugins", "life-sciences"];

/// What the marketplace of a namespace is called: letters, digits and single hyphens, and nothing that Claude Code refuses,
/// which are its own names and what looks like them.
pub(crate) fn name(namespace: &Namespace) -> String {
    let key = namespace.key();
    let parts = key.split(['-', '/']).filter(|part| !part.is_empty());
    let name = parts.collect::<Vec<_>>().join("-");
    let is_like = |word: &str| name.contains(word);
    if !is_like("claude") && !is_like("anthropic") && !RESERVED.contains(&name.as_str()) {
        return name;
    }
    if is_like("official") {
        return format!("org-{}", &Digest::of(key.as_bytes()).to_string()[..12]);
    }
    format!("org-{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_namespace_unless_they_are_kept() {
        for (namespace, wanted) in [
            ("acme", "acme"),
            ("acme/email", "acme-email"),
            ("my_org/a.b", "my-org-a-b"),
            ("a--b", "a-b"),
            ("agent-skills", "org-agent-skills"),
            ("agent_skills", "org-agent-skills"),
            ("anthropic-tools", "org-anthropic-tools"),
            ("claude-code-plugins", "org-claude-code-plugins"),
            ("officials", "officials"),
        ] {
            assert_eq!(name(&namespace.parse().unwrap()), wanted);
        }
        let looks = name(&"official-claude-plugins".parse().unwrap());
        assert!(looks.starts_with("org-") && !looks.contains("claude"), "{looks}");
    }
}
