//! What a reviewer decides about: the bytes that were looked at, and that the log has them.

use skillery_core::api::{ApprovalsResponse, DecisionRequest};
use skillery_core::{Decision, Digest, SkillId, Version, VersionRequest, VersionStatus};

use crate::client::Client;
use crate::error::Result;
use crate::library::{InstallOptions, Library, blocking};
use crate::require::Require;
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
        // Once for the status and for the policies, which a signature names.
        let standing = match (digest, signer) {
            (Some(_), None) => None,
            _ => Some(client.approvals(id, version).await?),
        };
        let digest = match (digest, &standing) {
            (Some(digest), _) => digest,
            // Nobody can look at it any more, and the registry says why it is too late.
            (None, Some(standing)) if standing.status == VersionStatus::Rejected => standing.digest,
            (None, _) => self.reviewed_digest(client, id, version).await?,
        };
        let signature = match (signer, &standing) {
            (Some(signer), Some(standing)) => {
                Some(sign_review(client, self.home(), signer, standing, digest, decision).await?)
            }
            _ => None,
        };
        let request =
            DecisionRequest { decision, digest: Some(digest), comment: comment.to_owned(), signature };
        client.decide(id, version, &request).await
    }

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
