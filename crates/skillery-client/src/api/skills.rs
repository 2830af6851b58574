//! Skills: publish, get, download, set who sees them.

use reqwest::Method;
use skillery_core::api::{DownloadResponse, PublishRequest, PublishResponse, Record, VisibilityRequest};
use skillery_core::{SkillId, VersionRequest, Visibility};

use crate::client::{Call, Client};
use crate::error::Result;

/// What a publish was answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishAnswer {
    /// False when the registry had exactly this version already.
    pub created: bool,
    /// The body.
    pub response: PublishResponse,
}

impl Client {
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
