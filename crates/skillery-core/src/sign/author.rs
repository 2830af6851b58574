//! The keys and signatures of authors, of whichever form: what both ends do with one without asking which it is.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::dsse::{Bundle, BundleError, ENROLL_PAYLOAD_TYPE, Material, PAYLOAD_TYPE};
use super::pem::{PemError, PemPublicKey};
use super::ssh::{Certificate, KeyError, PublicKey};
use super::sshsig::{ENROLL_NAMESPACE, Signer, SshSigError, SshSignature};
use crate::Digest;
use crate::time::Time;
use crate::words::word_enum;

word_enum! {
    /// The form of a signature.
    SignatureKind {
        /// What `ssh-keygen -Y sign` makes.
        SshSig = "sshsig",
        /// A Sigstore bundle with a DSSE envelope, by a plain key.
        Dsse = "dsse",
    }
}

/// A public key that somebody signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorKey {
    /// An SSH key: a line as in `id_ed25519.pub`.
    Ssh(PublicKey),
    /// A plain key: `-----BEGIN PUBLIC KEY-----`.
    Pem(PemPublicKey),
}

/// The text is no key that can sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorKeyError {
    /// It is no SSH key, or not one that is accepted.
    #[error(transparent)]
    Ssh(#[from] KeyError),
    /// It is no plain key, or not one that is accepted.
    #[error(transparent)]
    Pem(#[from] PemError),
}

impl AuthorKey {
    /// `SHA256:` and 43 characters of base64: what people compare, and what the log calls it by.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Ssh(key) => key.fingerprint().to_string(),
            Self::Pem(key) => pem_fingerprint(key),
        }
    }

    /// The form of what it signs.
    pub fn signature_kind(&self) -> SignatureKind {
        match self {
            Self::Ssh(_) => SignatureKind::SshSig,
            Self::Pem(_) => SignatureKind::Dsse,
        }
    }

    /// Its kind, for example `ssh-ed25519`.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ssh(key) => key.algorithm().name(),
            Self::Pem(key) => key.algorithm().name(),
        }
    }
}

impl FromStr for AuthorKey {
    type Err = AuthorKeyError;

    fn from_str(text: &str) -> Result<Self, AuthorKeyError> {
        if text.trim_start().starts_with("-----BEGIN") {
            return Ok(Self::Pem(text.parse()?));
        }
        Ok(Self::Ssh(text.trim().parse()?))
    }
}

/// The text that [`AuthorKey::from_str`] reads, without a comment.
impl fmt::Display for AuthorKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ssh(key) => match key.clone().with_comment("") {
                Ok(plain) => plain.fmt(formatter),
                Err(_) => key.fmt(formatter),
            },
            Self::Pem(key) => key.fmt(formatter),
        }
    }
}

/// A signature as it was read. It says nothing before it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorSignature {
    /// SSHSIG.
    Ssh(SshSignature),
    /// A Sigstore bundle, with the fingerprint that it names as that of its key.
    Dsse(Bundle, String),
}

/// The signature is not one of the key over the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorSignatureError {
    /// As an SSH signature.
    #[error(transparent)]
    Ssh(#[from] SshSigError),
    /// As a Sigstore bundle.
    #[error(transparent)]
    Dsse(#[from] BundleError),
    /// The bundle names no key that could have been enrolled.
    #[error(
        "the bundle must name its public key by the fingerprint, 64 hexadecimal digits, and have no certificates"
    )]
    Hint,
    /// The bundle is about something else.
    #[error("the bundle is one of another payload")]
    Payload,
    /// The signature is of another form than the key makes.
    #[error("the signature is of another form than those of the key")]
    OtherForm,
}

/// With what a signature is to be checked.
#[derive(Debug, Clone, Copy)]
pub enum Trusted<'a> {
    /// This key, alone.
    Key(&'a AuthorKey),
    /// A certificate that this authority has issued for this name, valid at this time.
    Authority {
        /// The authority's key.
        key: &'a AuthorKey,
        /// The name that the certificate must have.
        principal: &'a str,
        /// When the signature was presented.
        at: Time,
    },
}

impl AuthorSignature {
    /// Reads a signature of this kind over a statement.
    pub fn parse(kind: SignatureKind, text: &str) -> Result<Self, AuthorSignatureError> {
        Self::parse_with(kind, text, Bundle::parse)
    }

    /// Reads a signature of this kind over the challenge of an enrolment.
    pub fn parse_enrolment(kind: SignatureKind, text: &str) -> Result<Self, AuthorSignatureError> {
        Self::parse_with(kind, text, Bundle::parse_enrolment)
    }

    fn parse_with(
        kind: SignatureKind,
        text: &str,
        parse_bundle: impl FnOnce(&[u8]) -> Result<Bundle, BundleError>,
    ) -> Result<Self, AuthorSignatureError> {
        match kind {
            SignatureKind::SshSig => Ok(Self::Ssh(text.parse()?)),
            SignatureKind::Dsse => {
                let bundle = parse_bundle(text.as_bytes())?;
                let Material::PublicKey { hint: Some(hint) } = bundle.material() else {
                    return Err(AuthorSignatureError::Hint);
                };
                let digest: Digest = hint.parse().map_err(|_| AuthorSignatureError::Hint)?;
                Ok(Self::Dsse(bundle, shown(&digest)))
            }
        }
    }

    /// The fingerprint of the key that it must have been enrolled: the signer's own, or the one of the authority that has
    /// certified it.
    pub fn enrolled_fingerprint(&self) -> String {
        match self {
            Self::Ssh(signature) => match signature.signer() {
                Signer::Key(key) => key.fingerprint().to_string(),
                Signer::Certificate(certificate) => certificate.authority().fingerprint().to_string(),
            },
            Self::Dsse(_, fingerprint) => fingerprint.clone(),
        }
    }

    /// The certificate that stands for the signer, where one does.
    pub fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Ssh(signature) => match signature.signer() {
                Signer::Certificate(certificate) => Some(certificate),
                Signer::Key(_) => None,
            },
            Self::Dsse(..) => None,
        }
    }

    /// Whether a certificate stands for the signer.
    pub fn is_certified(&self) -> bool {
        self.certificate().is_some()
    }

    /// Checks that it is a signature over exactly this message, by what is trusted, for this purpose: an SSH signature has
    /// it as its namespace, a bundle in the type of its payload.
    pub fn verify(
        &self,
        trusted: Trusted<'_>,
        namespace: &str,
        message: &[u8],
    ) -> Result<(), AuthorSignatureError> {
        match (self, trusted) {
            (Self::Ssh(signature), Trusted::Key(AuthorKey::Ssh(key))) => {
                Ok(signature.verify_key(key, namespace, message)?)
            }
            (Self::Ssh(signature), Trusted::Authority { key: AuthorKey::Ssh(key), principal, at }) => {
                let authorities = std::slice::from_ref(key);
                signature.verify_certificate(authorities, principal, at, namespace, message)?;
                Ok(())
            }
            (Self::Dsse(bundle, _), Trusted::Key(AuthorKey::Pem(key))) => {
                let payload_type =
                    if namespace == ENROLL_NAMESPACE { ENROLL_PAYLOAD_TYPE } else { PAYLOAD_TYPE };
                if bundle.payload_type() == payload_type && bundle.verify(key)? == message {
                    Ok(())
                } else {
                    Err(AuthorSignatureError::Payload)
                }
            }
            _ => Err(AuthorSignatureError::OtherForm),
        }
    }
}

fn pem_fingerprint(key: &PemPublicKey) -> String {
    shown(&key.fingerprint())
}

/// A digest as fingerprints of SSH keys are written.
fn shown(digest: &Digest) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(digest.bytes()))
}
