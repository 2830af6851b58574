//! Skills: publish, get, download, set who sees them.

use bytes::Bytes;
use reqwest::Method;
use skillery_core::api::{
    BundleRequest, DownloadResponse, PublishRequest, PublishResponse, Record, VisibilityRequest,
};
use skillery_core::{SkillId, SkillKind, Version, VersionRequest, Visibility};

use crate::client::{Call, Client, Progress};
use crate::error::Result;
use crate::most;

/// What a publish was answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishAnswer {
    /// False when the registry had exactly this version already.
    pub created: bool,
    /// The body.
    pub response: PublishResponse,
}

/// A version as it was downloaded. Nothing of it is verified yet: see [`crate::verify`].
#[derive(Debug, Clone, PartialEq)]
pub struct Downloaded {
    /// What the registry said.
    pub answer: DownloadResponse,
    /// The ZIP, where the version is a folder.
    pub bundle: Option<Bytes>,
}

impl Client {
    /// `POST /skills`, with a folder as its canonical ZIP. Safe to repeat.
    pub async fn publish_bundle(
        &self,
        request: &BundleRequest,
        zip: Bytes,
        progress: Progress,
    ) -> Result<PublishAnswer> {
        self.need_token("publishing")?;
        let answer = self.send(Call::post(&["skills"]).form(request, zip, progress)?.repeatable()).await?;
        Ok(PublishAnswer { created: answer.status != 200, response: self.parse(&answer)? })
    }

    /// `GET /skills/{id}/versions/{version}/bundle`: the ZIP, as it comes.
    pub async fn bundle(&self, id: &SkillId, version: &Version) -> Result<Bytes> {
        let call = Call::of_version(Method::GET, id, version, &["bundle"]);
        self.bytes(call.large(most::zip_bytes())).await
    }

    /// [`Client::download`], and where that is a folder its ZIP.
    pub async fn download_whole(&self, id: &SkillId, version: &VersionRequest) -> Result<Downloaded> {
        let answer = self.download(id, version).await?;
        let bundle = match answer.kind {
            SkillKind::Function => None,
            SkillKind::Folder => {
                let version = answer
                    .version
                    .parse()
                    .map_err(|error| self.bad_answer(format!("the version does not parse: {error}")))?;
                Some(self.bundle(id, &version).await?)
            }
        };
        Ok(Downloaded { answer, bundle })
    }

    /// `POST /skills`. Safe to repeat: the same version again answers as the first time did.
    pub async fn publish(&self, request: &PublishRequest) -> Result<PublishAnswer> {
        self.need_token("publishing")?;
        let answer = self.send(Call::post(&["skills"]).body(request)?.repeatable()).await?;
        Ok(PublishAnswer { created: answer.status != 200, response: self.parse(&answer)? })
    }

    /// `GET /skills/{id}`: the record of the latest version.
    pub async fn skill(&self, id: &SkillId) -> Result<Record> {
        self.json(Call::of_skill(Method::GET, id, &[])).await
    }

    /// `GET /skills/{id}/download`. The answer is not verified here: see [`crate::verify`].
    pub async fn download(&self, id: &SkillId, version: &VersionRequest) -> Result<DownloadResponse> {
        let version = version.unless_latest();
        self.json(Call::of_skill(Method::GET, id, &["download"]).query("version", version)).await
    }

    /// `PUT /skills/{id}/visibility`.
    pub async fn set_visibility(&self, id: &SkillId, visibility: Visibility) -> Result<()> {
        let body = VisibilityRequest { visibility };
        self.empty(Call::of_skill(Method::PUT, id, &["visibility"]).body(&body)?).await
    }
}
