//! Keys to sign with, and signatures of versions.

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::sign::author::SignatureKind;
use crate::time::Time;

/// `POST /api/v1/keys/challenge`: asks for what is to be signed with a key that is to be enrolled.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeRequest {
    /// The public key: a line as in `id_ed25519.pub`.
    pub public_key: String,
}

/// What is to be signed, with the namespace `skill-enroll@v1`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChallengeResponse {
    /// The text to sign, without a line break at its end.
    pub challenge: String,
    /// When it is too late.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub expires_at: Time,
}

/// `POST /api/v1/keys`: enrols a key, with the proof that the caller has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrolRequest {
    /// The public key: a line as in `id_ed25519.pub`.
    pub public_key: String,
    /// The challenge that was signed.
    pub challenge: String,
    /// The signature over the challenge, in its armour.
    pub signature: String,
    /// What its owner calls it.
    #[serde(default)]
    pub label: String,
    /// The org whose authority it is: the key then issues certificates, and signs nothing itself. Without it the key is
    /// the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
}

/// A key that is, or was, enrolled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeySummary {
    /// `SHA256:` and 43 characters of base64.
    pub fingerprint: String,
    /// For example `ssh-ed25519`.
    pub algorithm: String,
    /// What its owner calls it.
    pub label: String,
    /// The user whose key it is; none for an authority.
    pub user: Option<String>,
    /// The org whose authority it is; none for a user's key.
    pub org: Option<String>,
    /// The public key.
    pub public_key: String,
    /// When it was enrolled.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub enrolled_at: Time,
    /// When it was revoked, if it was.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub revoked_at: Option<Time>,
    /// The number of the log entry that enrolled it.
    pub log_index: u64,
}

/// `GET /api/v1/keys`: the caller's keys, or those of an org's authorities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeysResponse {
    /// The newest first.
    pub keys: Vec<KeySummary>,
}

/// A signature that is presented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignatureUpload {
    /// Its form.
    pub kind: SignatureKind,
    /// The signature: of `sshsig` in its armour.
    pub value: String,
}

/// `POST /api/v1/skills/{id}/versions/{version}/signatures`: signs a version that is published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignRequest {
    /// The statement that was signed, as canonical JSON: the one that the version has, if it has one.
    pub statement: String,
    /// The signature over it.
    pub signature: SignatureUpload,
}

/// A signature of a version, with what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionSignature {
    /// Its form.
    pub kind: SignatureKind,
    /// The fingerprint of the enrolled key: the signer's, or the authority's that has certified it.
    pub key: String,
    /// That key.
    pub public_key: String,
    /// Whether the key is an authority's, and a certificate in the signature stands for the signer.
    pub is_authority: bool,
    /// The name of the user who signed.
    pub signer: String,
    /// When it was presented.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub signed_at: Time,
    /// The number of the log entry that has it.
    pub log_index: u64,
    /// The signature.
    pub value: String,
}

/// `GET /api/v1/skills/{id}/versions/{version}/signatures`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignaturesResponse {
    /// The statement that they sign, as canonical JSON; none where nobody has signed.
    pub statement: Option<String>,
    /// The oldest first.
    pub signatures: Vec<VersionSignature>,
}

/// A signature as the log names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureMark {
    /// Its form.
    pub kind: SignatureKind,
    /// The fingerprint of the enrolled key.
    pub key: String,
    /// SHA-256 of the signature's text.
    pub sha256: Digest,
    /// The id of the user who signed.
    pub signer: String,
    /// The entry that enrolled the key. It is the last one about the key.
    pub enrolled: u64,
    /// The entry by which the signer had the right to publish there.
    pub member: u64,
}
