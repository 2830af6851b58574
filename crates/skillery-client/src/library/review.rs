//! What a reviewer decides about: the bytes that were looked at, and that the log has them.

use skillery_core::{Digest, SkillId, Version, VersionRequest};

use crate::client::Client;
use crate::error::Result;
use crate::library::{InstallOptions, Library, blocking};
use crate::require::Require;

impl Library {
    /// The digest of a version as the caller can see it: that of the installed files, which are checked, else that of a
    /// download, which the log must have.
    pub async fn reviewed_digest(&self, client: &Client, id: &SkillId, version: &Version) -> Result<Digest> {
        let (library, id_there, version_there) = (self.clone(), id.clone(), version.clone());
        let installed = blocking(move || {
            let installed = library.store.read(&id_there, &version_there)?;
            installed.map(|installed| library.verify(&installed)).transpose()
        });
        if let Some(verified) = installed.await? {
            return Ok(verified.installed.manifest.digest);
        }
        let options = InstallOptions { require: Require::LOGGED, ..InstallOptions::default() };
        let request = VersionRequest::Exact(version.clone());
        self.look(client, id, &request, options).await
    }
}
