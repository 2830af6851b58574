//! Going back to a version that is installed already.

use skillery_core::{Version, VersionRequest};

use crate::error::{Error, Result};
use crate::library::{Installed, Library};

impl Library {
    /// Makes an installed version the current one; without a version, the highest that is below the current one.
    pub fn rollback(&self, name: &str, version: Option<&Version>) -> Result<Installed> {
        let id = self.find(name)?;
        let writer = self.store.writer()?;
        let target = match version {
            Some(version) => self.get(id.as_str(), Some(&VersionRequest::Exact(version.clone())))?,
            None => {
                let present = self.store.versions(&id)?;
                let current = self.store.current(&id)?;
                let below =
                    present.iter().find(|installed| Some(&installed.manifest.version) < current.as_ref());
                below.cloned().ok_or_else(|| Error::VersionNotInstalled {
                    id: id.clone(),
                    request: current.map_or_else(|| "latest".to_owned(), |current| format!("<{current}")),
                    present: present.into_iter().map(|installed| installed.manifest.version).collect(),
                })?
            }
        };
        writer.set_current(&id, &target.manifest.version)?;
        Ok(Installed { current: true, ..target })
    }
}
