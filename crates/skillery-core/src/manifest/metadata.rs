//! What stands for the registry below `metadata` of `SKILL.md`. Others use that mapping too, so a `version` or `tags` that
//! the registry cannot take is no error.

use super::{Partial, check_tags};
use crate::lint::{Findings, LintRule, quoted};
use crate::skill_md::{Node, Value};
use crate::{Dependencies, Limits};

/// Reads it.
pub(crate) fn read(metadata: &Node, path: &str, limits: &Limits, findings: &mut Findings) -> Partial {
    let mut partial = Partial::default();
    let Value::Map(fields) = &metadata.value else { return partial };
    for (field, node) in fields {
        let Value::Scalar { text, .. } = &node.value else { continue };
        let text = text.trim();
        let place = node.place;
        match field.name.as_str() {
            "version" => match text.parse() {
                Ok(version) => partial.version = Some((version, place)),
                Err(_) => {
                    let message = format!("{} is no semantic version such as `1.0.0`, and is ignored", quoted(text));
                    findings.push(LintRule::VersionFormat, path, place, message);
                }
            },
            "tags" => {
                let tags: Vec<String> =
                    text.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
                match check_tags(&tags, limits) {
                    Ok(()) => partial.tags = Some((tags, place)),
                    Err(why) => findings.push(LintRule::MetadataValue, path, place, why),
                }
            }
            "skillery-id" => match text.parse() {
                Ok(id) => partial.id = Some((id, place)),
                Err(error) => findings.push(LintRule::ManifestInvalid, path, place, format!("`skillery-id`: {error}")),
            },
            "skillery-dependencies" => match Dependencies::parse_list(text) {
                Ok(dependencies) => {
                    partial.dependencies =
                        dependencies.iter().map(|(id, wanted)| (id.clone(), wanted.clone(), place)).collect();
                }
                Err(error) => findings.push(LintRule::DependencyInvalid, path, place, error.to_string()),
            },
            other if other.starts_with("skillery-") => {
                let message = format!(
                    "the registry knows no {}; it knows `skillery-id` and `skillery-dependencies`",
                    quoted(other)
                );
                findings.push(LintRule::ManifestInvalid, path, field.place, message);
            }
            _ => {}
        }
    }
    partial
}
