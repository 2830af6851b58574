//! Looking again at what is installed: are these still the bytes that were published?

use serde::Serialize;
use skillery_core::bundle::BundleFile;
use skillery_core::{Digest, VersionRequest, VersionStatus};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::{Installed, Library, Manifest, ProofView};
use crate::verify::{self, SignatureState};

/// What looking again at the disk found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verified {
    /// The version.
    #[serde(flatten)]
    pub installed: Installed,
    /// What its signature is worth with the secrets that are held here.
    pub signature_state: SignatureState,
    /// What the proof beside it says, where there is one.
    pub proof: Option<ProofView>,
}

/// Code that may be run.
#[derive(Debug, Clone, PartialEq)]
pub struct InstalledCode {
    /// Of which version.
    pub manifest: Manifest,
    /// The Python source.
    pub code: String,
}

/// What the registry says about an installed version now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegistryView {
    /// Where the version stands.
    pub status: VersionStatus,
    /// Why it was yanked or quarantined.
    pub reason: Option<String>,
}

impl Library {
    /// Checks the files on disk against the digest that they were installed with, the signature against the secrets that
    /// are held here, and the proof that is kept beside them against the key of the log. Nobody is asked. A signature that does not fit is an error; one that is missing is reported.
    pub fn verify(&self, installed: &Installed) -> Result<Verified> {
        let manifest = &installed.manifest;
        let digest = self.store.digest(installed)?;
        if digest != manifest.digest {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            return Err(verify::digest_mismatch(id, version, manifest.digest, digest));
        }
        let code = fs_err::read(&installed.code_path).map_err(Error::disk("read the code of a skill"))?;
        if Digest::of(&code) != manifest.code_hash {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            return Err(Error::CodeHashMismatch { id, version });
        }
        let signature_state = match &manifest.registry {
            Some(registry) => self.signature_state(registry, manifest)?,
            None => SignatureState::Unsigned,
        };
        if signature_state == SignatureState::Bad {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            return Err(Error::SignatureMismatch { id, version });
        }
        let proof = self.proof(installed)?;
        Ok(Verified { installed: installed.clone(), signature_state, proof })
    }

    /// The files of an installed version, as they were installed: other bytes on disk are an error.
    pub fn files(&self, installed: &Installed) -> Result<Vec<BundleFile>> {
        let manifest = &installed.manifest;
        let files = self.store.files(installed)?;
        let digest = verify::digest_of(files.clone())?;
        if digest != manifest.digest {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            return Err(verify::digest_mismatch(id, version, manifest.digest, digest));
        }
        Ok(files)
    }

    /// The code of an installed version, to run it: the bytes that were installed, whatever happened to the file
    /// meanwhile is an error. With `verify_signature`, what came from a registry must be signed with a secret that
    /// is, or was then, known; what was made here needs no signature.
    pub fn code(
        &self,
        name: &str,
        version: Option<&VersionRequest>,
        verify_signature: bool,
    ) -> Result<InstalledCode> {
        let installed = self.get(name, version)?;
        let manifest = installed.manifest;
        let bytes = fs_err::read(&installed.code_path).map_err(Error::disk("read the code of a skill"))?;
        let intact = Digest::of(&bytes) == manifest.code_hash;
        let Some(code) = String::from_utf8(bytes).ok().filter(|_| intact) else {
            return Err(Error::CodeHashMismatch { id: manifest.id, version: manifest.version });
        };
        if verify_signature && let Some(registry) = &manifest.registry {
            let state = self.signature_state(registry, &manifest)?;
            verify::require_signature(state, &manifest.id, &manifest.version)?;
        }
        Ok(InstalledCode { manifest, code })
    }

    /// Compares an installed version with what the registry publishes under its id and version.
    pub async fn compare(&self, client: &Client, installed: &Installed) -> Result<RegistryView> {
        let manifest = &installed.manifest;
        let detail = client.version(&manifest.id, &manifest.version).await?;
        if detail.summary.digest != manifest.digest {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            return Err(verify::digest_mismatch(id, version, detail.summary.digest, manifest.digest));
        }
        Ok(RegistryView { status: detail.summary.status, reason: detail.summary.reason })
    }
}
