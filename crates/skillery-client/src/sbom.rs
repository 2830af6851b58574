//! A bill of materials: skills and their versions as CycloneDX 1.6 (ECMA-424), for the tools that watch what is used.
//!
//! The same skills give the same bytes: there is no time in it, and the serial number comes from the content.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use skillery_core::{Digest, SkillId, Version};

/// What a package URL keeps as it is in the value of a qualifier.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_').remove(b'~').remove(b':');

/// A version that is used.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// The skill.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// Where it came from; nothing for what was made here.
    pub registry: Option<String>,
    /// The number of the log entry that published it.
    pub log_index: Option<u64>,
    /// What is said about it, where that is known.
    pub about: Option<About>,
    /// The skills that it needs; nothing where that is not known.
    pub needs: Option<Vec<SkillId>>,
}

/// What is said about a version.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// What it is for.
    pub description: String,
    /// The author.
    pub author: String,
    /// Licence.
    pub license: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
}

impl Component {
    /// A package URL. There is no type for skills, so it is `generic`, with where it comes from and its digest.
    pub fn purl(&self) -> String {
        let encode = |text: &str| utf8_percent_encode(text, KEPT).to_string();
        let version = encode(&self.version.to_string());
        let mut purl = format!("pkg:generic/{}@{version}?checksum=sha256:{}", self.id.key(), self.digest);
        if let Some(url) = self.download() {
            purl.push_str("&download_url=");
            purl.push_str(&encode(&url));
        }
        purl
    }

    fn download(&self) -> Option<String> {
        let registry = self.registry.as_deref()?.trim_end_matches('/');
        let version = utf8_percent_encode(&self.version.to_string(), KEPT).to_string();
        Some(format!("{registry}/api/v1/skills/{}/download?version={version}", self.id))
    }

    fn to_json(&self) -> Value {
        let namespace = self.id.namespace();
        let purl = self.purl();
        let hashes = json!([{ "alg": "SHA-256", "content": self.digest.to_string() }]);
        let mut component = json!({
            "type": "library",
            "bom-ref": purl,
            "group": namespace.as_str(),
            "name": self.id.name(),
            "version": self.version.to_string(),
            "hashes": hashes,
            "purl": purl,
        });
        let mut supplier = json!({ "name": self.id.org() });
        let mut references = Vec::new();
        let mut properties = vec![json!({ "name": "skillery:id", "value": self.id.as_str() })];
        if let Some(registry) = &self.registry {
            supplier["url"] = json!([registry]);
            properties.push(json!({ "name": "skillery:registry", "value": registry }));
        }
        references.extend(self.download().map(|url| json!({ "type": "distribution", "url": url })));
        if let Some(index) = self.log_index {
            properties.push(json!({ "name": "skillery:log-index", "value": index.to_string() }));
        }
        if let Some(about) = &self.about {
            if !about.description.is_empty() {
                component["description"] = json!(about.description);
            }
            if let Some(license) = license(&about.license) {
                component["licenses"] = json!([license]);
            }
            if !about.author.is_empty() {
                component["authors"] = json!([{ "name": about.author }]);
            }
            references.extend(about.homepage.iter().map(|url| json!({ "type": "website", "url": url })));
            references.extend(about.repository.iter().map(|url| json!({ "type": "vcs", "url": url })));
        }
        component["supplier"] = supplier;
        component["properties"] = json!(properties);
        if !references.is_empty() {
            component["externalReferences"] = json!(references);
        }
        component
    }
}

/// The document, in the order of the ids.
pub fn cyclonedx(mut components: Vec<Component>, program: &str) -> Value {
    components.sort_by(|left, right| (&left.id, &left.version).cmp(&(&right.id, &right.version)));
    let dependencies = dependencies(&components);
    let components: Vec<Value> = components.iter().map(Component::to_json).collect();
    let content = Digest::of(json!([components, dependencies]).to_string().as_bytes()).to_string();
    let serial = u128::from_str_radix(&content[..32], 16).unwrap_or_default();
    let serial = uuid::Builder::from_custom_bytes(serial.to_be_bytes()).into_uuid();
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{serial}"),
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "skillery", "version": program }] },
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// What needs what. A component that is not in it is one of which that is not known, as the form has it.
fn dependencies(components: &[Component]) -> Vec<Value> {
    let purls: BTreeMap<String, String> =
        components.iter().map(|component| (component.id.key(), component.purl())).collect();
    let known = components.iter().filter_map(|component| Some((component, component.needs.as_ref()?)));
    known
        .map(|(component, needs)| {
            // Each once, and itself not.
            let needs: BTreeSet<&String> = needs
                .iter()
                .filter(|need| need.key() != component.id.key())
                .filter_map(|need| purls.get(&need.key()))
                .collect();
            match needs.is_empty() {
                true => json!({ "ref": component.purl() }),
                false => json!({ "ref": component.purl(), "dependsOn": needs }),
            }
        })
        .collect()
}

/// A licence by its SPDX identifier, as an expression, or by whatever it is called.
fn license(text: &str) -> Option<Value> {
    let is_known = spdx::license_id(text).is_some_and(|id| id.name == text);
    match text {
        "" => None,
        id if is_known => Some(json!({ "license": { "id": id } })),
        expression if spdx::Expression::parse(expression).is_ok() => {
            Some(json!({ "expression": expression }))
        }
        name => Some(json!({ "license": { "name": name } })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_and_package_urls() {
        assert_eq!(license("MIT"), Some(json!({ "license": { "id": "MIT" } })));
        assert_eq!(license("MIT OR Apache-2.0"), Some(json!({ "expression": "MIT OR Apache-2.0" })));
        assert_eq!(license("ask me"), Some(json!({ "license": { "name": "ask me" } })));
        assert_eq!(license(""), None);
        let component = Component {
            id: "acme/team/email_validator".parse().unwrap(),
            version: "1.0.0+build".parse().unwrap(),
            digest: Digest::of(b""),
            registry: Some("http://127.0.0.1:8700".to_owned()),
            log_index: None,
            about: None,
            needs: None,
        };
        assert_eq!(
            component.purl(),
            "pkg:generic/acme/team/email-validator@1.0.0%2Bbuild?checksum=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b\
             934ca495991b7852b855&download_url=http:%2F%2F127.0.0.1:8700%2Fapi%2Fv1%2Fskills%2Facme%2Fteam%2F\
             email_validator%2Fdownload%3Fversion%3D1.0.0%252Bbuild"
        );
    }
}
