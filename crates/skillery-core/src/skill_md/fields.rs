//! The fields of the front matter: what each may be.

use std::collections::BTreeMap;

use super::SkillMd;
use super::yaml::{Kind, Node, Value, is_ambiguous};
use crate::hidden::first_hidden;
use crate::id::RESERVED_FILES;
use crate::limits::{MAX_COMPATIBILITY_LENGTH, MAX_SEGMENT_LENGTH, MAX_SKILL_DESCRIPTION_LENGTH};
use crate::lint::{Findings, LintRule, Place, quoted};

/// All fields that the specification has.
const KNOWN: &[&str] = &["name", "description", "license", "compatibility", "metadata", "allowed-tools"];

/// Fields of the registry that people put where they do not belong.
const BELOW_METADATA: &[&str] =
    &["version", "author", "authors", "tags", "category", "homepage", "repository"];

/// Reads the fields, and gives `metadata` with its places beside them. There is no `SkillMd` where the name or the
/// description cannot be known.
pub(super) fn read(
    root: &Node,
    path: &str,
    body_line: usize,
    findings: &mut Findings,
) -> (Option<SkillMd>, Option<Node>) {
    let Value::Map(fields) = &root.value else {
        let message = match root.kind() {
            Some(Kind::Null) => "the front matter is empty; it needs `name` and `description`".to_owned(),
            _ => format!("the front matter is {}; it must be `field: value` lines", root.in_words()),
        };
        findings.push(LintRule::FrontMatterNotAMapping, path, root.place, message);
        return (None, None);
    };
    let mut skill = SkillMd {
        name: String::new(),
        description: String::new(),
        license: None,
        compatibility: None,
        metadata: BTreeMap::new(),
        allowed_tools: None,
        other: BTreeMap::new(),
        name_place: root.place,
        body_line: u32::try_from(body_line).unwrap_or(u32::MAX),
    };
    let mut name = None;
    let mut description = None;
    let mut metadata = None;
    for (field, value) in fields {
        match field.name.as_str() {
            "name" => name = Some(value),
            "description" => description = Some(value),
            "license" => skill.license = optional_text("license", value, path, findings),
            "compatibility" => skill.compatibility = compatibility(value, path, findings),
            "allowed-tools" => skill.allowed_tools = allowed_tools(value, path, findings),
            "metadata" => {
                skill.metadata = texts(value, path, findings);
                metadata = Some(value.clone());
            }
            other => {
                findings.push(LintRule::UnknownField, path, field.place, unknown(other));
                skill.other.insert(other.to_owned(), value.to_json());
            }
        }
    }
    let name = required("name", name, root.place, path, findings);
    let description = required("description", description, root.place, path, findings);
    if let Some((text, place)) = &name {
        check_name(text, *place, path, findings);
        skill.name_place = *place;
    }
    if let Some((text, place)) = &description {
        check_description(text, *place, path, findings);
    }
    let skill_md = name.zip(description).map(|(name, description)| {
        (skill.name, skill.description) = (name.0, description.0);
        skill
    });
    (skill_md, metadata)
}

fn unknown(name: &str) -> String {
    let folded = name.trim().to_lowercase().replace('_', "-");
    let shown = quoted(name);
    if KNOWN.contains(&folded.as_str()) {
        format!("the field {shown} is not known; is `{folded}` meant?")
    } else if BELOW_METADATA.contains(&folded.as_str()) {
        format!("the field {shown} is not of the specification; put it below `metadata`")
    } else {
        format!("the field {shown} is not of the specification; at most some clients know it")
    }
}

/// A field that must be there, and a text that is not blank.
fn required(
    field: &str,
    value: Option<&Node>,
    root: Place,
    path: &str,
    findings: &mut Findings,
) -> Option<(String, Place)> {
    let Some(node) = value else {
        findings.push(LintRule::MissingField, path, root, format!("`{field}` is missing"));
        return None;
    };
    let Some(text) = node.as_text() else {
        if node.kind() == Some(Kind::Null) {
            findings.push(LintRule::MissingField, path, node.place, format!("`{field}` is empty"));
            return None;
        }
        let what = node.in_words();
        let hint = match &node.value {
            Value::Scalar { text, .. } => {
                format!("; put it in quotes: `{field}: \"{}\"`", text.escape_debug())
            }
            _ => String::new(),
        };
        let message = format!("`{field}` is {what}, and must be a text{hint}");
        findings.push(LintRule::NotAString, path, node.place, message);
        return None;
    };
    if text.trim().is_empty() {
        findings.push(LintRule::MissingField, path, node.place, format!("`{field}` is blank"));
        return None;
    }
    if matches!(&node.value, Value::Scalar { plain: true, text } if is_ambiguous(text)) {
        let message = format!("{} is no text for older readers of YAML; put it in quotes", quoted(text));
        findings.push(LintRule::AmbiguousString, path, node.place, message);
    }
    Some((text.trim().to_owned(), node.place))
}

fn check_name(name: &str, place: Place, path: &str, findings: &mut Findings) {
    let shown = quoted(name);
    if let Some(why) = why_unsafe(name) {
        findings.push(LintRule::NameUnsafe, path, place, format!("`name` is {shown}: it {why}"));
        return;
    }
    if !is_registry_name(name) {
        let proposal = match proposal(name) {
            Some(proposal) => format!("; `{proposal}` would be right"),
            None => String::new(),
        };
        let message = format!("`name` is {shown}: it {}{proposal}", why_bad(name));
        findings.push(LintRule::NameFormat, path, place, message);
    }
    let length = name.chars().count();
    if length > MAX_SEGMENT_LENGTH {
        let message = format!("`name` has {length} characters; at most {MAX_SEGMENT_LENGTH} are allowed");
        findings.push(LintRule::NameTooLong, path, place, message);
    }
}

/// Whether it is `^[a-z0-9]+(-[a-z0-9]+)*$`.
fn is_registry_name(name: &str) -> bool {
    name.split('-').all(|word| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

/// What is wrong with a name that may be the name of a folder.
fn why_bad(name: &str) -> &'static str {
    let other = |character: char| !character.is_ascii_alphanumeric() && character != '-';
    match () {
        () if name.contains(other) => "may have `a-z`, `0-9` and `-`, and has something else",
        () if name.bytes().any(|byte| byte.is_ascii_uppercase()) => "has capitals",
        () if name.starts_with('-') || name.ends_with('-') => "begins or ends with `-`",
        () => "has two `-` in a row",
    }
}

/// The name that was likely meant, of what is ASCII in it.
fn proposal(name: &str) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let words =
        name.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    (!name.is_empty() && name.len() <= MAX_SEGMENT_LENGTH).then_some(name)
}

/// Why a folder of this name is not made anywhere.
fn why_unsafe(name: &str) -> Option<&'static str> {
    let stem = name.split('.').next().unwrap_or(name).to_ascii_lowercase();
    if name.contains(['/', '\\', ':', '*', '?', '"', '<', '>', '|']) {
        Some("has a sign that paths and patterns are made of")
    } else if first_hidden(name).is_some() || name.chars().any(char::is_control) {
        Some("has characters that people do not see")
    } else if name.starts_with('.') || name.ends_with('.') {
        Some("begins or ends with a dot")
    } else if RESERVED_FILES.contains(&stem.as_str()) {
        Some("is the name of a device of Windows")
    } else {
        None
    }
}

fn check_description(text: &str, place: Place, path: &str, findings: &mut Findings) {
    // Half of the clients count UTF-16 units, which are never fewer than code points.
    let units: usize = text.chars().map(char::len_utf16).sum();
    if units > MAX_SKILL_DESCRIPTION_LENGTH {
        let message = format!(
            "`description` has {units} characters (as UTF-16 has them); at most {MAX_SKILL_DESCRIPTION_LENGTH} are allowed"
        );
        findings.push(LintRule::DescriptionTooLong, path, place, message);
    }
}

/// An optional field that should be a text; what else it is is kept as far as it is a scalar.
fn optional_text(field: &str, value: &Node, path: &str, findings: &mut Findings) -> Option<String> {
    if let Some(text) = value.as_text() {
        return Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    }
    let message = format!("`{field}` is {}, and should be a text", value.in_words());
    findings.push(LintRule::FieldType, path, value.place, message);
    match &value.value {
        Value::Scalar { text, .. } if value.kind() != Some(Kind::Null) => Some(text.clone()),
        _ => None,
    }
}

fn compatibility(value: &Node, path: &str, findings: &mut Findings) -> Option<String> {
    let Some(text) = value.as_text() else {
        let message = format!("`compatibility` is {}, and must be a text", value.in_words());
        findings.push(LintRule::CompatibilityInvalid, path, value.place, message);
        return None;
    };
    let length = text.chars().count();
    if length > MAX_COMPATIBILITY_LENGTH {
        let message = format!(
            "`compatibility` has {length} characters; at most {MAX_COMPATIBILITY_LENGTH} are allowed"
        );
        findings.push(LintRule::CompatibilityInvalid, path, value.place, message);
    }
    if text.trim().is_empty() {
        findings.push(LintRule::FieldType, path, value.place, "`compatibility` is blank; leave it out");
        return None;
    }
    Some(text.trim().to_owned())
}

fn allowed_tools(value: &Node, path: &str, findings: &mut Findings) -> Option<String> {
    let Value::List(items) = &value.value else {
        return optional_text("allowed-tools", value, path, findings);
    };
    let message = "`allowed-tools` is a list, and should be one text with blanks between the tools";
    findings.push(LintRule::FieldType, path, value.place, message);
    let tools: Vec<&str> = items.iter().filter_map(Node::as_text).collect();
    Some(tools.join(" ")).filter(|text| !text.is_empty())
}

/// `metadata`: texts below names. A number or a boolean is taken as it is written, nested values are left out.
fn texts(value: &Node, path: &str, findings: &mut Findings) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    let Value::Map(fields) = &value.value else {
        let message = format!("`metadata` is {}, and should be texts below names", value.in_words());
        findings.push(LintRule::FieldType, path, value.place, message);
        return texts;
    };
    for (field, value) in fields {
        let shown = quoted(&field.name);
        match &value.value {
            Value::Scalar { text, .. } => {
                if value.kind() != Some(Kind::Text) {
                    let message =
                        format!("{shown} below `metadata` is {}; put it in quotes", value.in_words());
                    findings.push(LintRule::MetadataValue, path, value.place, message);
                }
                if value.kind() != Some(Kind::Null) {
                    texts.insert(field.name.clone(), text.clone());
                }
            }
            _ => {
                let message =
                    format!("{shown} below `metadata` is {}, and should be a text", value.in_words());
                findings.push(LintRule::MetadataValue, path, value.place, message);
            }
        }
    }
    texts
}
