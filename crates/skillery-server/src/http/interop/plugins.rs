//! Marketplaces of plugins, as Claude Code reads them, and Codex and Copilot too.

use serde::Serialize;
use serde_json::{Value, json};
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
    pub(crate) source: Value,
}

impl Plugin {
    /// A plugin that is this skill.
    pub(crate) fn new(name: &str, description: String, version: String, source: Value) -> Self {
        Self { name: name.to_owned(), description, version, strict: false, skills: ["./"], source }
    }
}

/// The marketplace of a namespace.
pub(crate) fn marketplace(namespace: &Namespace, plugins: impl Iterator<Item = Plugin>) -> Value {
    json!({
        "name": name(namespace),
        "owner": { "name": namespace.as_str() },
        "metadata": { "description": format!("Skills of {namespace}") },
        "plugins": plugins.collect::<Vec<_>>(),
    })
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
