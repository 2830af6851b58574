//! The files of an installed version, for whoever places them elsewhere.

use skillery_core::bundle::BundleFile;

use crate::error::Result;
use crate::library::{Installed, Library};
use crate::verify;

impl Library {
    /// The files of a version, as they were published: what was altered on disk since is an error.
    pub fn bundle(&self, installed: &Installed) -> Result<Vec<BundleFile>> {
        let files = self.store.files(installed)?;
        let found = verify::digest_of(files.clone())?;
        let (id, version, digest) =
            (&installed.manifest.id, &installed.manifest.version, installed.manifest.digest);
        if found == digest {
            return Ok(files);
        }
        Err(verify::digest_mismatch(id.clone(), version.clone(), digest, found))
    }
}
