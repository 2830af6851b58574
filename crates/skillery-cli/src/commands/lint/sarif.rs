//! SARIF 2.1.0: the form in which services for code scanning take findings.

use serde::Serialize;
use skillery_core::lint::{LintRule, Strictness};

use super::Looked;
use crate::failure::{Exit, Failure};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    short_description: Text,
    help: Text,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Text,
    locations: [Location<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location<'a> {
    physical_location: Physical<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical<'a> {
    artifact_location: Artifact<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
struct Artifact<'a> {
    uri: std::borrow::Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    start_column: u32,
}

/// The findings as one run of one tool.
pub(super) fn document(skills: &[Looked], strictness: Strictness) -> Result<String, Failure> {
    let rules = LintRule::ALL.iter().map(|rule| Rule {
        id: rule.as_str(),
        short_description: Text { text: rule.title().to_owned() },
        help: Text { text: rule.help().to_owned() },
        default_configuration: Configuration { level: rule.level(strictness).as_str() },
    });
    let mut results = Vec::new();
    for skill in skills {
        for finding in &skill.findings {
            let region =
                finding.place.map(|place| Region { start_line: place.line, start_column: place.column });
            let uri = uri(&skill.place(finding)).into();
            let physical_location = Physical { artifact_location: Artifact { uri }, region };
            results.push(Found {
                rule_id: finding.rule.as_str(),
                rule_index: LintRule::ALL.iter().position(|rule| *rule == finding.rule).unwrap_or_default(),
                level: finding.level.as_str(),
                message: Text { text: finding.message.clone() },
                locations: [Location { physical_location }],
            });
        }
    }
    let driver =
        Driver { name: "skillery", semantic_version: env!("CARGO_PKG_VERSION"), rules: rules.collect() };
    let document = Document {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results }],
    };
    serde_json::to_string_pretty(&document).map(|text| text + "\n").map_err(|error| {
        Failure::new(Exit::Failed, "output-error", "cannot write the result as SARIF").cause(&error)
    })
}

/// A path as a reference of RFC 3986. A first part with a colon would be a scheme.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.replace('\\', "/").bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("a b/é:x#?%.md"), "a%20b/%C3%A9%3Ax%23%3F%25.md");
    }
}
