//! Proofs from the log: asked for when a version is installed, kept beside it, and checked again without anybody.

use skillery_core::VersionRequest;
use skillery_core::bundle::BundleFile;
use skillery_core::sign::statement::StatementFile;
use skillery_core::tlog::VerifierKey;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::manifest::Manifest;
use crate::library::{Installed, Library};
use crate::log::{
    Approved, ApprovedView, Demands, KeptApprovals, KeptSignatures, Log, LogError, Offered, Signed,
    SignedView, Witnessing, check_kept, check_kept_approvals, check_kept_signatures, not_kept,
    statement_files,
};
use crate::require::Require;
use crate::verify::Checked;

/// What an installation has proven.
#[derive(Debug, Clone)]
pub(super) struct Proven {
    /// The proof.
    pub(super) receipt: String,
    /// The number of the entry.
    pub(super) index: u64,
    /// The key of the log.
    pub(super) key: VerifierKey,
    /// Whether the key was not pinned before.
    pub(super) is_new: bool,
    /// The signatures, where one was demanded.
    pub(super) signed: Option<Signed>,
    /// The approvals, where they were demanded.
    pub(super) approved: Option<Approved>,
}

/// What a proof on this machine says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ProofView {
    /// The number of the entry that published the version.
    pub index: u64,
    /// Entries of the checkpoint that covers it.
    pub size: u64,
    /// The name of the log.
    pub origin: String,
    /// The fingerprint of its key.
    pub fingerprint: String,
}

impl Library {
    /// What is wanted of witnesses, if something is.
    pub(super) fn witnessing(&self, client: &Client, require: Require) -> Result<Option<Witnessing>> {
        require.witnessed.then(|| Witnessing::load(self.home(), client)).transpose()
    }

    /// Checks that the log of the registry has a version as it came, and has not taken it back; and, where that is wanted,
    /// that witnesses have seen it.
    pub(super) async fn prove(
        &self,
        client: &Client,
        checked: &Checked,
        is_warned_of: bool,
        demands: Demands,
        introduced: Option<&VerifierKey>,
        witnessing: Option<&Witnessing>,
    ) -> Result<Proven> {
        let mut log = Log::open(client, self.home(), introduced).await?;
        let files = statement_files(&checked.files);
        let offered = Offered {
            id: &checked.id,
            version: &checked.version,
            digest: checked.digest,
            code_hash: checked.code_hash,
            files: &files,
            is_warned_of,
        };
        let mut logged = log.check_version(&offered, demands).await?;
        if let Some(witnessing) = witnessing {
            logged = log.check_witnessed(&offered, logged, witnessing).await?;
        }
        Ok(Proven {
            receipt: logged.receipt,
            index: logged.index,
            key: log.key().clone(),
            is_new: log.is_new(),
            signed: logged.signed,
            approved: logged.approved,
        })
    }

    /// Checks a proof that was kept, without asking anybody: with the key that is configured, else the pinned one, else
    /// the one that the version was installed with. Where that is wanted, witnesses must have cosigned its checkpoint.
    pub(super) fn check_proof(
        &self,
        manifest: &Manifest,
        proof: Option<&str>,
        configured: Option<&VerifierKey>,
        witnessing: Option<&Witnessing>,
    ) -> Result<ProofView> {
        let Some(proof) = proof else { return Err(no_proof(manifest)) };
        let key = self.key_of(manifest, configured)?;
        let offered = offered(manifest, &[]);
        let (index, checkpoint) = check_kept(proof, &key, &offered)?;
        if let Some(witnessing) = witnessing {
            witnessing.check_kept(proof, std::slice::from_ref(&key), &offered)?;
        }
        Ok(ProofView {
            index,
            size: checkpoint.size,
            origin: checkpoint.origin,
            fingerprint: key.fingerprint(),
        })
    }

    /// Checks signatures that were kept, without asking anybody: all of them, over the statement about these files, by what
    /// they rest on in the log of the key that [`Library::check_proof`] goes by.
    pub(super) fn check_signed(
        &self,
        manifest: &Manifest,
        files: &[BundleFile],
        kept: Option<&KeptSignatures>,
        configured: Option<&VerifierKey>,
    ) -> Result<Vec<SignedView>> {
        let files = statement_files(files);
        let offered = offered(manifest, &files);
        let kept = kept.ok_or_else(|| not_kept(&offered))?;
        check_kept_signatures(kept, &self.key_of(manifest, configured)?, &offered)
    }

    /// Counts approvals that were kept, without asking anybody, by what they rest on in the log of the key that
    /// [`Library::check_proof`] goes by.
    pub(super) fn check_approved(
        &self,
        manifest: &Manifest,
        kept: Option<&KeptApprovals>,
        configured: Option<&VerifierKey>,
    ) -> Result<ApprovedView> {
        let offered = offered(manifest, &[]);
        let (Some(kept), Some(published)) = (kept, manifest.log_index) else {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            let reason = "no approval of it is kept on this machine".to_owned();
            return Err(LogError::NotApproved { id, version, reason }.into());
        };
        check_kept_approvals(kept, &self.key_of(manifest, configured)?, &offered, published)
    }

    /// The key that what is kept of a version is believed by.
    fn key_of(&self, manifest: &Manifest, configured: Option<&VerifierKey>) -> Result<VerifierKey> {
        let registry = manifest.registry.as_deref().ok_or_else(|| no_proof(manifest))?;
        if let Some(key) = configured.cloned().or(Log::pinned(self.home(), registry)?) {
            return Ok(key);
        }
        let installed_with = manifest.log_key.as_deref().ok_or_else(|| no_proof(manifest))?;
        installed_with.parse().map_err(Error::internal("read the key of a log"))
    }

    /// What the proof beside an installed version says, checked; nothing where there is none.
    pub fn proof(&self, installed: &Installed) -> Result<Option<ProofView>> {
        match self.store.proof(installed)? {
            None if installed.manifest.log_index.is_none() => Ok(None),
            proof => self.check_proof(&installed.manifest, proof.as_deref(), None, None).map(Some),
        }
    }

    /// The text of the proof beside an installed version.
    pub fn proof_text(&self, installed: &Installed) -> Result<Option<String>> {
        self.store.proof(installed)
    }
}

fn no_proof(manifest: &Manifest) -> Error {
    LogError::NoProof { id: manifest.id.clone(), version: manifest.version.clone() }.into()
}

/// An installed version, as its registry offered it.
fn offered<'a>(manifest: &'a Manifest, files: &'a [StatementFile]) -> Offered<'a> {
    Offered {
        id: &manifest.id,
        version: &manifest.version,
        digest: manifest.digest,
        code_hash: manifest.code_hash,
        files,
        is_warned_of: true,
    }
}

/// Whether a version that was yanked, or waits for approval, will do: it was asked for by its number, and the registry warns
/// of it.
pub(super) fn is_warned_of(request: &VersionRequest, warning: Option<&String>) -> bool {
    matches!(request, VersionRequest::Exact(_)) && warning.is_some()
}
