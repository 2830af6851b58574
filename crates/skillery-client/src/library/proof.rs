//! Proofs from the log: asked for when a version is installed, kept beside it, and checked again without anybody.

use skillery_core::VersionStatus;
use skillery_core::bundle::BundleFile;
use skillery_core::sign::statement::StatementFile;
use skillery_core::tlog::VerifierKey;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::manifest::Manifest;
use crate::library::{Installed, Library};
use crate::log::{
    Approved, ApprovedView, Believed, Demands, KeptApprovals, KeptSignatures, Log, LogError, Offered, Signed,
    SignedView, Witnessing, check_kept_approvals, check_kept_by, check_kept_signatures, not_kept,
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
    /// The key that the proof is signed with.
    pub(super) key: VerifierKey,
    /// The key of the log, if it was not pinned before.
    pub(super) new_key: Option<VerifierKey>,
    /// The signatures, where one was demanded.
    pub(super) signed: Option<Signed>,
    /// The approvals, where they were demanded.
    pub(super) approved: Option<Approved>,
    /// The entry by which it was released by force, if it was.
    pub(super) forced: Option<u64>,
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

/// By which keys of its log what is kept of a version is believed.
#[derive(Debug, Clone, Copy)]
pub(super) struct LogKeys<'a> {
    /// The configured one.
    configured: Option<&'a VerifierKey>,
    /// Whether the one that stands beside what is kept will do, where no other is known. It says what was found when the
    /// version came; whoever can write there can write another.
    or_kept: bool,
}

impl<'a> LogKeys<'a> {
    /// Where something is demanded: the configured key, else the pinned one.
    pub(super) fn known(configured: Option<&'a VerifierKey>) -> Self {
        Self { configured, or_kept: false }
    }

    /// Where nothing is.
    pub(super) fn any(configured: Option<&'a VerifierKey>) -> Self {
        Self { configured, or_kept: true }
    }
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
        said: Option<VersionStatus>,
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
            said,
        };
        let mut logged = log.check_version(&offered, demands).await?;
        if let Some(witnessing) = witnessing {
            logged = log.check_witnessed(&offered, logged, witnessing).await?;
        }
        Ok(Proven {
            receipt: logged.receipt,
            index: logged.index,
            key: logged.key,
            new_key: log.is_new().then(|| log.key().clone()),
            signed: logged.signed,
            approved: logged.approved,
            forced: logged.forced,
        })
    }

    /// Checks a proof that was kept, without asking anybody. Where that is wanted, witnesses must have cosigned its
    /// checkpoint.
    pub(super) fn check_proof(
        &self,
        manifest: &Manifest,
        proof: Option<&str>,
        keys: LogKeys<'_>,
        witnessing: Option<&Witnessing>,
    ) -> Result<ProofView> {
        let Some(proof) = proof else { return Err(no_proof(manifest)) };
        let keys = self.keys_of(manifest, keys)?;
        let offered = offered(manifest, &[]);
        let (key, index, checkpoint) = check_kept_by(proof, &keys, &offered)?;
        if let Some(witnessing) = witnessing {
            witnessing.check_kept(proof, std::slice::from_ref(key), &offered)?;
        }
        Ok(ProofView {
            index,
            size: checkpoint.size,
            origin: checkpoint.origin,
            fingerprint: key.fingerprint(),
        })
    }

    /// Checks signatures that were kept, without asking anybody: all of them, over the statement about these files, by what
    /// they rest on in the log of the keys that [`Library::check_proof`] goes by.
    pub(super) fn check_signed(
        &self,
        manifest: &Manifest,
        files: &[BundleFile],
        kept: Option<&KeptSignatures>,
        keys: LogKeys<'_>,
    ) -> Result<Vec<SignedView>> {
        let files = statement_files(files);
        let offered = offered(manifest, &files);
        let kept = kept.ok_or_else(|| not_kept(&offered))?;
        check_kept_signatures(kept, &self.keys_of(manifest, keys)?, &offered)
    }

    /// Counts approvals that were kept, without asking anybody, by what they rest on in the log of the keys that
    /// [`Library::check_proof`] goes by.
    pub(super) fn check_approved(
        &self,
        manifest: &Manifest,
        kept: Option<&KeptApprovals>,
        keys: LogKeys<'_>,
        or_forced: bool,
    ) -> Result<ApprovedView> {
        let offered = offered(manifest, &[]);
        let (Some(kept), Some(published)) = (kept, manifest.log_index) else {
            let (id, version) = (manifest.id.clone(), manifest.version.clone());
            let reason = "no approval of it is kept on this machine".to_owned();
            return Err(LogError::NotApproved { id, version, reason }.into());
        };
        check_kept_approvals(kept, &self.keys_of(manifest, keys)?, &offered, published, or_forced)
    }

    /// The keys that what is kept of a version is believed by.
    fn keys_of(&self, manifest: &Manifest, keys: LogKeys<'_>) -> Result<Vec<Believed>> {
        let registry = manifest.registry.as_deref().ok_or_else(|| no_proof(manifest))?;
        if let Some(evidence) = Log::evidence(self.home(), registry) {
            return Err(LogError::Forked { registry: registry.to_owned(), evidence }.into());
        }
        let mut believed = Log::believed(self.home(), registry, keys.configured)?;
        if believed.is_empty() {
            let installed_with = manifest.log_key.as_deref().ok_or_else(|| no_proof(manifest))?;
            if !keys.or_kept {
                return Err(LogError::NoKey { registry: registry.to_owned() }.into());
            }
            let key: VerifierKey =
                installed_with.parse().map_err(Error::internal("read the key of a log"))?;
            believed.push(key.into());
        }
        Ok(believed)
    }

    /// What the proof beside an installed version says, checked; nothing where there is none.
    pub fn proof(&self, installed: &Installed) -> Result<Option<ProofView>> {
        self.proof_by(installed, LogKeys::any(None))
    }

    /// As [`Library::proof`], by these keys.
    pub(super) fn proof_by(&self, installed: &Installed, keys: LogKeys<'_>) -> Result<Option<ProofView>> {
        match self.store.proof(installed)? {
            None if installed.manifest.log_index.is_none() => Ok(None),
            proof => self.check_proof(&installed.manifest, proof.as_deref(), keys, None).map(Some),
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
        said: None,
    }
}
