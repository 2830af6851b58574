//! Keys to sign with, and signatures of versions.

use reqwest::Method;
use skillery_core::api::{
    ChallengeRequest, ChallengeResponse, EnrolRequest, KeySummary, KeysResponse, SignRequest,
    SignaturesResponse,
};
use skillery_core::{Segment, SkillId, Version};

use crate::client::{Call, Client};
use crate::error::Result;

impl Client {
    /// `POST /keys/challenge`: what is to be signed with a key that is to be enrolled.
    pub async fn key_challenge(&self, public_key: &str) -> Result<ChallengeResponse> {
        let request = ChallengeRequest { public_key: public_key.to_owned() };
        self.json(Call::post(&["keys", "challenge"]).body(&request)?.repeatable()).await
    }

    /// `POST /keys`: enrols a key, with the proof that the caller has it.
    pub async fn enrol_key(&self, request: &EnrolRequest) -> Result<KeySummary> {
        self.json(Call::post(&["keys"]).body(request)?).await
    }

    /// `GET /keys`: the caller's keys, or an org's authorities; the newest first.
    pub async fn keys(&self, org: Option<&Segment>) -> Result<KeysResponse> {
        self.json(Call::get(&["keys"]).query("org", org)).await
    }

    /// `DELETE /keys/{fingerprint}`: what the key signs from now on counts no more.
    pub async fn revoke_key(&self, fingerprint: &str) -> Result<()> {
        self.empty(Call::delete(&["keys", fingerprint])).await
    }

    /// `GET /skills/{id}/versions/{version}/signatures`, not checked.
    pub async fn signatures(&self, id: &SkillId, version: &Version) -> Result<SignaturesResponse> {
        self.json(Call::of_version(Method::GET, id, version, &["signatures"])).await
    }

    /// `POST /skills/{id}/versions/{version}/signatures`: signs a version that is published.
    pub async fn sign_version(
        &self,
        id: &SkillId,
        version: &Version,
        request: &SignRequest,
    ) -> Result<SignaturesResponse> {
        let call = Call::of_version(Method::POST, id, version, &["signatures"]);
        self.json(call.body(request)?.repeatable()).await
    }
}
