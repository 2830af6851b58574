//! Signatures that the tools of Sigstore check: a DSSE envelope in a Sigstore bundle, with a plain key.
//!
//! The envelope (<https://github.com/secure-systems-lab/dsse>, v1.0) holds the signed bytes, here the statement of a
//! version, and the signature. The bundle (`sigstore_bundle.proto`, v0.3, in JSON) holds the envelope and says with
//! which key to check it. What a bundle may say about Sigstore's public log is not looked at: keys are known from
//! elsewhere, and times come from our own log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};

use crate::limits::{MAX_CERTIFICATES, MAX_SIGSTORE_BUNDLE_LENGTH};
use crate::sign::pem::{PemError, PemPrivateKey, PemPublicKey};

/// The type of an in-toto statement in an envelope.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The type of the challenge of an enrolment in an envelope: another than that of statements, so that whoever is asked to
/// prove that a key is theirs signs no version with it.
pub const ENROLL_PAYLOAD_TYPE: &str = "application/vnd.skillery.enroll.v1+json";
/// The type of a bundle.
pub const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Why bytes are no bundle, or not one that is signed as it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Over [`MAX_SIGSTORE_BUNDLE_LENGTH`].
    #[error("the bundle is longer than {MAX_SIGSTORE_BUNDLE_LENGTH} bytes")]
    TooLong,
    /// No JSON of this shape.
    #[error("this is not a Sigstore bundle: {0}")]
    Form(String),
    /// A field is no base64.
    #[error("this is not a Sigstore bundle: `{0}` is not base64")]
    Base64(&'static str),
    /// Another version of the bundle, or another thing in its envelope.
    #[error("the bundle's `{field}` is `{found}`, and `{expected}` is expected")]
    Type {
        /// `mediaType` or `payloadType`.
        field: &'static str,
        /// What it says, escaped.
        found: String,
        /// What is expected.
        expected: &'static str,
    },
    /// Another number than one.
    #[error("the bundle has {0} signatures, and one is expected")]
    Signatures(usize),
    /// The signature does not fit.
    #[error("the signature does not fit: it was made with another key, or what was signed has changed")]
    Mismatch,
    /// The private key could not sign.
    #[error("{0}")]
    Key(PemError),
}

/// With what a bundle's signature is to be checked, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Material {
    /// A key that is known from elsewhere, with what its owner calls it.
    PublicKey {
        /// Ours is the key's fingerprint.
        hint: Option<String>,
    },
    /// X.509 certificates in DER, that of the signer first.
    Certificates(Vec<Vec<u8>>),
}

/// A bundle as it was read. It says nothing before it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    payload_type: &'static str,
    payload: Vec<u8>,
    signature: Vec<u8>,
    material: Material,
}

impl Bundle {
    /// Signs a statement. The hint is the key's fingerprint.
    pub fn sign(payload: &[u8], key: &PemPrivateKey, random: &dyn SecureRandom) -> Result<Self, BundleError> {
        let hint = key.public_key().fingerprint().to_string();
        Self::sign_payload(PAYLOAD_TYPE, payload, key, hint, random)
    }

    /// Signs the challenge of an enrolment.
    pub fn sign_enrolment(
        payload: &[u8],
        key: &PemPrivateKey,
        random: &dyn SecureRandom,
    ) -> Result<Self, BundleError> {
        let hint = key.public_key().fingerprint().to_string();
        Self::sign_payload(ENROLL_PAYLOAD_TYPE, payload, key, hint, random)
    }

    /// Signs with another hint than the fingerprint.
    pub(super) fn sign_with_hint(
        payload: &[u8],
        key: &PemPrivateKey,
        hint: String,
        random: &dyn SecureRandom,
    ) -> Result<Self, BundleError> {
        Self::sign_payload(PAYLOAD_TYPE, payload, key, hint, random)
    }

    fn sign_payload(
        payload_type: &'static str,
        payload: &[u8],
        key: &PemPrivateKey,
        hint: String,
        random: &dyn SecureRandom,
    ) -> Result<Self, BundleError> {
        let signature = key.sign(&pae(payload_type, payload), random).map_err(BundleError::Key)?;
        let material = Material::PublicKey { hint: Some(hint) };
        Ok(Self { payload_type, payload: payload.to_vec(), signature, material })
    }

    /// Reads a bundle with a statement. Fields that are not known are passed over, as the format wants it: nothing of what
    /// surrounds the envelope is signed.
    pub fn parse(json: &[u8]) -> Result<Self, BundleError> {
        Self::parse_payload(json, PAYLOAD_TYPE)
    }

    /// Reads a bundle with the challenge of an enrolment.
    pub fn parse_enrolment(json: &[u8]) -> Result<Self, BundleError> {
        Self::parse_payload(json, ENROLL_PAYLOAD_TYPE)
    }

    fn parse_payload(json: &[u8], payload_type: &'static str) -> Result<Self, BundleError> {
        if json.len() > MAX_SIGSTORE_BUNDLE_LENGTH {
            return Err(BundleError::TooLong);
        }
        let document: Document =
            serde_json::from_slice(json).map_err(|error| BundleError::Form(error.to_string()))?;
        let envelope = document.dsse_envelope;
        for (field, found, expected) in [
            ("mediaType", document.media_type, BUNDLE_TYPE),
            ("payloadType", envelope.payload_type, payload_type),
        ] {
            if found != expected {
                let found = found.chars().take(100).flat_map(char::escape_debug).collect();
                return Err(BundleError::Type { field, found, expected });
            }
        }
        let [signature] = envelope.signatures.as_slice() else {
            return Err(BundleError::Signatures(envelope.signatures.len()));
        };
        Ok(Self {
            payload_type,
            payload: decode("payload", &envelope.payload)?,
            signature: decode("sig", &signature.sig)?,
            material: document.verification_material.into_material()?,
        })
    }

    /// The bundle in JSON, without a line break at its end.
    pub fn to_json(&self) -> Result<String, BundleError> {
        let mut verification_material =
            VerificationMaterial { tlog_entries: Some(Vec::new()), ..VerificationMaterial::default() };
        match &self.material {
            Material::PublicKey { hint } => {
                verification_material.public_key = Some(PublicKeyIdentifier { hint: hint.clone() });
            }
            Material::Certificates(certificates) => {
                let certificates = certificates
                    .iter()
                    .map(|certificate| CertificateBytes { raw_bytes: STANDARD.encode(certificate) });
                verification_material.x509_certificate_chain =
                    Some(CertificateChain { certificates: certificates.collect() });
            }
        }
        let document = Document {
            media_type: BUNDLE_TYPE.to_owned(),
            verification_material,
            dsse_envelope: Envelope {
                payload: STANDARD.encode(&self.payload),
                payload_type: self.payload_type.to_owned(),
                signatures: vec![EnvelopeSignature {
                    sig: STANDARD.encode(&self.signature),
                    keyid: String::new(),
                }],
            },
        };
        serde_json::to_string(&document).map_err(|error| BundleError::Form(error.to_string()))
    }

    /// Checks that this key signed, and gives what it signed. Whether that is the statement that is expected is for the
    /// caller to see.
    pub fn verify(&self, key: &PemPublicKey) -> Result<&[u8], BundleError> {
        if key.verifies(&self.signed_bytes(), &self.signature) {
            Ok(&self.payload)
        } else {
            Err(BundleError::Mismatch)
        }
    }

    /// With what the signature is to be checked, as the bundle says.
    pub fn material(&self) -> &Material {
        &self.material
    }

    /// What is in the envelope, as its type says, which is signed with it.
    pub fn payload_type(&self) -> &'static str {
        self.payload_type
    }

    /// What would be signed, if the signature fits.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload
    }

    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        pae(self.payload_type, &self.payload)
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// What is signed in place of a payload, so that its type is signed too (DSSE's pre-authentication encoding).
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn decode(field: &'static str, text: &str) -> Result<Vec<u8>, BundleError> {
    STANDARD.decode(text).map_err(|_| BundleError::Base64(field))
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    media_type: String,
    verification_material: VerificationMaterial,
    dsse_envelope: Envelope,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<PublicKeyIdentifier>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<CertificateChain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateBytes>,
    /// Always empty in ours, and there because some readers miss it.
    #[serde(default, skip_deserializing)]
    tlog_entries: Option<Vec<()>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PublicKeyIdentifier {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct CertificateChain {
    certificates: Vec<CertificateBytes>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateBytes {
    raw_bytes: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Serialize, Deserialize)]
struct EnvelopeSignature {
    sig: String,
    /// What the signer calls its key. Nobody needs it beside the hint, and nothing depends on it.
    #[serde(default)]
    keyid: String,
}

impl VerificationMaterial {
    fn into_material(self) -> Result<Material, BundleError> {
        let form = |what: &str| BundleError::Form(what.to_owned());
        let certificates = match (self.public_key, self.x509_certificate_chain, self.certificate) {
            (Some(key), None, None) => return Ok(Material::PublicKey { hint: key.hint }),
            (None, Some(chain), None) => chain.certificates,
            (None, None, Some(certificate)) => vec![certificate],
            _ => {
                return Err(form(
                    "it names not exactly one of a public key, a certificate and a chain of them",
                ));
            }
        };
        if !(1..=MAX_CERTIFICATES).contains(&certificates.len()) {
            return Err(form("its chain has no certificates, or too many"));
        }
        let decoded = certificates.iter().map(|certificate| decode("rawBytes", &certificate.raw_bytes));
        Ok(Material::Certificates(decoded.collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests;
