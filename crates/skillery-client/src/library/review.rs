//! What a reviewer decides about: the bytes that were looked at, and that the log has them.

use skillery_core::api::{ApprovalsResponse, DecisionRequest, VersionSummary};
use skillery_core::{Decision, Digest, SkillId, Version, VersionStatus};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::library::{Library, blocking};
use crate::log::{Demands, Log, LogError, Offered};
use crate::sign::sign_review;
use crate::signer::Signer;

/// What a reviewer decides.
#[derive(Debug, Clone, Copy)]
pub struct Verdict<'a> {
    /// What.
    pub decision: Decision,
    /// Why, for members of the namespace.
    pub comment: &'a str,
    /// What the reviewer has looked at elsewhere; else it is [`Library::reviewed_digest`].
    pub digest: Option<Digest>,
    /// Signs what is decided.
    pub signer: Option<&'a Signer>,
}

impl Library {
    /// Decides about exactly the bytes that were looked at. Says how far the version is then.
    pub async fn decide(
        &self,
        client: &Client,
        id: &SkillId,
        version: &Version,
        verdict: Verdict<'_>,
    ) -> Result<ApprovalsResponse> {
        let Verdict { decision, comment, digest, signer } = verdict;
        client.need_token("deciding about a version")?;
        let digest = match digest {
            Some(digest) => digest,
            None => self.reviewed_digest(client, id, version).await?,
        };
        let signature = match signer {
            Some(signer) => {
                // The policies that are in force, which a signature names.
                let standing = client.approvals(id, version).await?;
                must_be_about((id, version), (&standing.id, &standing.version), client)?;
                Some(sign_review(client, self.home(), signer, &standing, digest, decision).await?)
            }
            None => None,
        };
        let request =
            DecisionRequest { decision, digest: Some(digest), comment: comment.to_owned(), signature };
        client.decide(id, version, &request).await
    }

    /// The digest of a version as the caller can see it: that of the installed files, which are checked, else that which the
    /// registry names, which the log must have. Nothing is downloaded, as whoever decides does not install it by that.
    pub async fn reviewed_digest(&self, client: &Client, id: &SkillId, version: &Version) -> Result<Digest> {
        let (library, id_there, version_there) = (self.clone(), id.clone(), version.clone());
        let installed = blocking(move || {
            let installed = library.store.read(&id_there, &version_there)?;
            installed.map(|installed| library.verify(&installed)).transpose()
        });
        if let Some(verified) = installed.await? {
            return Ok(verified.installed.manifest.digest);
        }
        let detail = client.version(id, version).await?;
        must_be_about((id, version), (&detail.id, &detail.summary.version), client)?;
        let VersionSummary { digest, code_hash, status, .. } = detail.summary;
        let offered = Offered { id: &detail.id, version, digest, code_hash, files: &[], said: Some(status) };
        let mut log = Log::open(client, self.home(), None).await?;
        match log.check_version(&offered, Demands::default()).await {
            Ok(_) => Ok(digest),
            // The log has it. That it is too late to decide about it is for the registry to say.
            Err(Error::Log(LogError::Withdrawn { .. }))
                if matches!(status, VersionStatus::Rejected | VersionStatus::Quarantined) =>
            {
                Ok(digest)
            }
            Err(error) => Err(error),
        }
    }
}

/// An answer is about the version that was asked for, or nothing is decided by it.
fn must_be_about(
    (id, version): (&SkillId, &Version),
    (told, number): (&SkillId, &Version),
    client: &Client,
) -> Result<()> {
    match told.key() == id.key() && number == version {
        true => Ok(()),
        false => {
            let reason = format!("it is about {told} {number}, and {id} {version} was asked for");
            Err(client.bad_answer(reason))
        }
    }
}
