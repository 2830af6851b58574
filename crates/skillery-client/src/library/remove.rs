//! Taking skills out of the library.

use serde::Serialize;
use skillery_core::{SkillId, Version, VersionRequest};

use crate::error::Result;
use crate::library::Library;

/// What was taken away.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Removed {
    /// The skill.
    pub id: SkillId,
    /// Its versions, the highest first.
    pub versions: Vec<Version>,
}

impl Library {
    /// Removes one version, or all of them, with what was kept of them for installing without a registry.
    pub fn remove(&self, name: &str, version: Option<&Version>) -> Result<Removed> {
        let id = self.find(name)?;
        let writer = self.store.writer()?;
        let doomed = match version {
            Some(version) => vec![self.get(id.as_str(), Some(&VersionRequest::Exact(version.clone())))?],
            None => self.store.versions(&id)?,
        };
        for installed in &doomed {
            writer.remove(&id, &installed.manifest.version)?;
            if let Some(registry) = &installed.manifest.registry {
                self.cache.remove(registry, &id, &installed.manifest.version)?;
            }
        }
        Ok(Removed { id, versions: doomed.into_iter().map(|installed| installed.manifest.version).collect() })
    }
}
