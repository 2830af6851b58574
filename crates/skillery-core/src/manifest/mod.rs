//! What a skill says to the registry: its id and version, what it is found by, what it builds on.
//!
//! It stands in `skillery.toml`, or below `metadata` of `SKILL.md`, where only texts may be. Both may be used, as long as
//! they do not say different things: there is no order in which one counts more.

use serde::Serialize;

use crate::lint::{Findings, LintRule, Place, quoted};
use crate::{Dependencies, Limits, Namespace, SkillId, Version, Visibility};

mod metadata;
mod toml_file;

pub(crate) use self::metadata::read as from_metadata;
pub(crate) use self::toml_file::read as from_toml;

/// The file beside `SKILL.md` that is for the registry alone.
pub const MANIFEST_FILE: &str = "skillery.toml";

/// What a skill says to the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SkillManifest {
    /// Its whole id.
    pub id: Option<SkillId>,
    /// Where it belongs, if the id does not say so.
    pub namespace: Option<Namespace>,
    /// The version that the files are.
    pub version: Option<Version>,
    /// What it is found by.
    pub tags: Vec<String>,
    /// Its page.
    pub homepage: Option<String>,
    /// Where its source is.
    pub repository: Option<String>,
    /// Who is to see it.
    pub visibility: Option<Visibility>,
    /// The skills that it builds on.
    pub dependencies: Dependencies,
}

/// What one of the two places says, with where it says so.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    pub(crate) id: Option<(SkillId, Place)>,
    pub(crate) namespace: Option<(Namespace, Place)>,
    pub(crate) version: Option<(Version, Place)>,
    pub(crate) tags: Option<(Vec<String>, Place)>,
    pub(crate) homepage: Option<(String, Place)>,
    pub(crate) repository: Option<(String, Place)>,
    pub(crate) visibility: Option<(Visibility, Place)>,
    pub(crate) dependencies: Vec<(SkillId, crate::VersionRequest, Place)>,
}

/// Makes one of both. `path` is the file of the second, at whose places contradictions are told.
pub(crate) fn merge(first: Partial, second: Partial, path: &str, findings: &mut Findings) -> SkillManifest {
    let mut manifest = SkillManifest {
        id: one("id", first.id, second.id, path, findings),
        namespace: one("namespace", first.namespace, second.namespace, path, findings),
        version: one("version", first.version, second.version, path, findings),
        tags: one("tags", first.tags, second.tags, path, findings).unwrap_or_default(),
        homepage: one("homepage", first.homepage, second.homepage, path, findings),
        repository: one("repository", first.repository, second.repository, path, findings),
        visibility: one("visibility", first.visibility, second.visibility, path, findings),
        dependencies: Dependencies::default(),
    };
    for (id, wanted, _) in first.dependencies {
        // Each list was checked for itself.
        let _ = manifest.dependencies.add(id, wanted);
    }
    for (id, wanted, place) in second.dependencies {
        match manifest.dependencies.find(&id) {
            Some((_, other)) if *other == wanted => {}
            Some((_, other)) => {
                let message = format!("`{id}` is wanted as `{wanted}` here, and as `{other}` in `{MANIFEST_FILE}`");
                findings.push(LintRule::ManifestConflict, path, place, message);
            }
            None => {
                if let Err(error) = manifest.dependencies.add(id, wanted) {
                    findings.push(LintRule::DependencyInvalid, path, place, error.to_string());
                }
            }
        }
    }
    manifest
}

fn one<T: PartialEq>(
    field: &str,
    first: Option<(T, Place)>,
    second: Option<(T, Place)>,
    path: &str,
    findings: &mut Findings,
) -> Option<T> {
    match (first, second) {
        (Some((first, _)), Some((second, place))) => {
            if first != second {
                let message = format!("`{field}` is another one in `{MANIFEST_FILE}`");
                findings.push(LintRule::ManifestConflict, path, place, message);
            }
            Some(first)
        }
        (first, second) => first.or(second).map(|(value, _)| value),
    }
}

/// Why tags are none, if they are none.
fn check_tags(tags: &[String], limits: &Limits) -> Result<(), String> {
    if tags.len() > limits.tags {
        return Err(format!("there are {} tags; at most {} are allowed", tags.len(), limits.tags));
    }
    for tag in tags {
        let bad = tag.trim() != tag || tag.is_empty() || tag.contains(',');
        if bad || tag.chars().any(char::is_control) || crate::hidden::first_hidden(tag).is_some() {
            return Err(format!("the tag {} is empty, or has a comma, outer blanks or hidden characters", quoted(tag)));
        }
        if tag.chars().count() > limits.tag_length {
            return Err(format!("the tag {} is longer than {} characters", quoted(tag), limits.tag_length));
        }
    }
    Ok(())
}

/// Why a text is no URL with one of the schemes, if it is none.
fn check_url(text: &str, schemes: &[&str], limits: &Limits) -> Result<(), String> {
    let good = text.chars().count() <= limits.text_length
        && crate::hidden::first_hidden(text).is_none()
        && !text.contains(char::is_whitespace)
        && url::Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    match good {
        true => Ok(()),
        false => Err(format!("{} is no URL with one of the schemes {}", quoted(text), schemes.join(", "))),
    }
}
