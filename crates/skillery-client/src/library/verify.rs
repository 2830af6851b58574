//! Looking again at what is installed: are these still the bytes that were published?

use serde::Serialize;
use skillery_core::bundle::BundleFile;
use skillery_core::{Digest, SkillKind, VersionStatus};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::proof::LogKeys;
use crate::library::{Installed, Library, ProofView};
use crate::log::{ApprovedView, LogError, SignedView};
use crate::require::Require;
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
    /// Whose signatures are kept beside it, the oldest first. All of them were checked.
    pub signatures: Vec<SignedView>,
    /// The approvals that are kept beside it, counted.
    pub approved: Option<ApprovedView>,
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
    /// are held here, and the proof, signatures of authors and approvals that are kept beside them against the key of the log.
    /// Nobody is asked. What does not fit is an error; what is missing is reported.
    pub fn verify(&self, installed: &Installed) -> Result<Verified> {
        self.verify_with(installed, LogKeys::any(None))
    }

    /// As [`Library::verify`], and what is demanded must be there: by the key of the log that the client is configured with,
    /// if it is.
    pub fn verify_required(
        &self,
        client: &Client,
        installed: &Installed,
        require: Require,
    ) -> Result<Verified> {
        let configured = client.configured_log_key();
        let keys = match require.logged {
            true => LogKeys::known(configured),
            false => LogKeys::any(configured),
        };
        let verified = self.verify_with(installed, keys)?;
        let manifest = &installed.manifest;
        let (id, version) = (manifest.id.clone(), manifest.version.clone());
        if require.signed && verified.signatures.is_empty() {
            return Err(LogError::NotKept { id, version }.into());
        }
        let has_approvals = |view: &ApprovedView| view.forced.is_none() || require.or_forced;
        if require.approved && !verified.approved.as_ref().is_some_and(has_approvals) {
            let kept = self.store.kept(installed)?;
            self.check_approved(manifest, kept.approvals.as_ref(), keys, require.or_forced)?;
        }
        if require.logged {
            let witnessing = self.witnessing(client, require)?;
            let proof = self.store.proof(installed)?;
            self.check_proof(manifest, proof.as_deref(), keys, witnessing.as_ref())?;
        }
        Ok(verified)
    }

    fn verify_with(&self, installed: &Installed, keys: LogKeys<'_>) -> Result<Verified> {
        let manifest = &installed.manifest;
        let digest = self.store.digest(installed)?;
        if digest != manifest.digest {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            return Err(verify::digest_mismatch(id, version, manifest.digest, digest));
        }
        if manifest.kind == SkillKind::Function {
            let code = fs_err::read(&installed.code_path).map_err(Error::disk("read the code of a skill"))?;
            if Digest::of(&code) != manifest.code_hash {
                let (id, version) = (manifest.id.clone(), manifest.version.clone());
                return Err(Error::CodeHashMismatch { id, version });
            }
        }
        let signature_state = match &manifest.registry {
            Some(registry) => self.signature_state(registry, manifest)?,
            None => SignatureState::Unsigned,
        };
        if signature_state == SignatureState::Bad {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            return Err(Error::SignatureMismatch { id, version });
        }
        let proof = self.proof_by(installed, keys)?;
        let kept = self.store.kept(installed)?;
        let signatures = match &kept.signatures {
            Some(kept) => self.check_signed(manifest, &self.store.files(installed)?, Some(kept), keys)?,
            None => Vec::new(),
        };
        let approvals = kept.approvals.as_ref();
        let approved =
            approvals.map(|kept| self.check_approved(manifest, Some(kept), keys, true)).transpose()?;
        Ok(Verified { installed: installed.clone(), signature_state, proof, signatures, approved })
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
