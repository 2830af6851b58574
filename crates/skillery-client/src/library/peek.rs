//! Looking into a version that is not installed: it is checked as for an installation, and kept for the next look.

use skillery_core::bundle::BundleFile;
use skillery_core::{SkillId, Version, VersionRequest};

use crate::client::Client;
use crate::error::Result;
use crate::library::offline::rebuilt;
use crate::library::{InstallOptions, Library, Manifest, blocking};

/// A version that was checked, and not installed.
#[derive(Debug, Clone, PartialEq)]
pub struct Peeked {
    /// What is said about it.
    pub manifest: Manifest,
    /// Its files.
    pub files: Vec<BundleFile>,
    /// Why the version should not be used.
    pub warning: Option<String>,
}

impl Library {
    /// The files of a version: of what was downloaded earlier, else of a download.
    pub async fn peek(
        &self,
        client: &Client,
        id: &SkillId,
        version: &Version,
        options: InstallOptions,
    ) -> Result<Peeked> {
        let request = VersionRequest::Exact(version.clone());
        let fetched = match self.cached(client, id, &request, options).await {
            Ok(fetched) => fetched,
            // What is kept may lack what is demanded now; what comes may have it.
            Err(_) => self.fetch(client, id, &request, true, options, None).await?,
        };
        let (library, registry) = (self.clone(), client.registry().to_owned());
        blocking(move || {
            let mut entry = fetched.entry;
            let files = rebuilt(&entry)?.files;
            if !fetched.from_cache {
                // It is good all the same.
                drop(library.keep_download(&registry, &mut entry));
            }
            Ok(Peeked { manifest: entry.manifest, files, warning: fetched.warning })
        })
        .await
    }
}
