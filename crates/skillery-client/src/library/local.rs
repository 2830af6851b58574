//! Skills that are made here: saved without a registry, and changed by making the next version.

use std::collections::BTreeMap;
use std::fmt::Display;

pub use skillery_core::id::LOCAL_NAMESPACE;
use skillery_core::version::BumpPart;
use skillery_core::{Digest, Namespace, Segment, SkillId, SkillKind, Version, VersionStatus};

use crate::error::{Error, Result};
use crate::library::beside::Beside;
use crate::library::manifest::{Installed, Manifest};
use crate::library::store::Writer;
use crate::library::{Library, now};
use crate::verify::SignatureState;
use crate::{publish, verify};

/// A version to save.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalSkill {
    /// The skill; see [`local_id`] for one with a bare name.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// The Python source.
    pub code: String,
    /// What it is for.
    pub description: String,
    /// Topics.
    pub tags: Vec<String>,
    /// Licence.
    pub license: String,
    /// The author.
    pub author: String,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
}

/// What the next version has that the current one has not. What is left out stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocalChange {
    /// Another source.
    pub code: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Other topics.
    pub tags: Option<Vec<String>>,
    /// Another licence.
    pub license: Option<String>,
}

impl LocalSkill {
    /// A version with nothing but what every skill has.
    pub fn new(id: SkillId, version: Version, code: impl Into<String>) -> Self {
        Self {
            id,
            version,
            code: code.into(),
            description: String::new(),
            tags: Vec::new(),
            license: "MIT".to_owned(),
            author: String::new(),
            homepage: None,
            repository: None,
        }
    }
}

/// The id of a skill with a bare name, or of one with a namespace.
pub fn local_id(name: &str) -> Result<SkillId> {
    if name.contains('/') {
        return Ok(name.parse()?);
    }
    let namespace: Namespace = LOCAL_NAMESPACE.parse()?;
    Ok(SkillId::new(&namespace, &name.parse::<Segment>()?)?)
}

impl Library {
    /// Saves a version and makes it the current one. The same again changes nothing; other content under the same
    /// version is refused.
    pub fn save(&self, skill: LocalSkill) -> Result<Installed> {
        self.save_with(&self.store.writer()?, skill)
    }

    fn save_with(&self, writer: &Writer<'_>, skill: LocalSkill) -> Result<Installed> {
        publish::check_code(&skill.code).map_err(|reason| Error::invalid("the code", reason))?;
        let LocalSkill { id, version, code, description, tags, license, author, homepage, repository } =
            skill;
        let files = skillery_core::bundle::from_code(&id, &version, &description, &license, &code);
        let manifest = Manifest {
            digest: verify::digest_of(files.clone())?,
            kind: SkillKind::Function,
            code_hash: Digest::of(code.as_bytes()),
            paths: Vec::new(),
            signature: None,
            signature_state: SignatureState::Unsigned,
            log_key: None,
            log_index: None,
            signed: None,
            approved: None,
            kept_files: BTreeMap::new(),
            status: VersionStatus::Published,
            registry: None,
            installed_at: now(),
            id,
            version,
            description,
            tags,
            author,
            license,
            homepage,
            repository,
        };
        writer.add(&files, manifest.clone(), Beside::default())?;
        writer.set_current(&manifest.id, &manifest.version)?;
        self.store.read(&manifest.id, &manifest.version)?.ok_or_else(|| missing(&manifest.id))
    }

    /// Makes the next version of an installed skill: the current one with this change, its number raised above all
    /// that are there.
    pub fn change(&self, name: &str, bump: BumpPart, change: LocalChange) -> Result<Installed> {
        let writer = self.store.writer()?;
        let current = self.get(name, None)?;
        let Manifest { id, version, kind, description, tags, license, author, homepage, repository, .. } =
            current.manifest;
        if kind == SkillKind::Folder {
            let reason = "it is a folder; change its files, and publish it under the next version";
            return Err(Error::invalid(format!("`{id}`"), reason));
        }
        let present = self.store.versions(&id)?;
        let mut next = version.bump(bump);
        while present.iter().any(|installed| installed.manifest.version == next) {
            next = next.bump(bump);
        }
        let code = match change.code {
            Some(code) => code,
            None => publish::read_code(&current.code_path)?,
        };
        let next = LocalSkill {
            id,
            version: next,
            code,
            description: change.description.unwrap_or(description),
            tags: change.tags.unwrap_or(tags),
            license: change.license.unwrap_or(license),
            author,
            homepage,
            repository,
        };
        self.save_with(&writer, next)
    }
}

fn missing(id: &impl Display) -> Error {
    Error::NotInstalled { name: id.to_string() }
}
