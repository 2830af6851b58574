//! The keys and signatures of authors, of whichever form: what both ends do with one without asking which it is.

use std::fmt;
use std::str::FromStr;

use super::ssh::{KeyError, PublicKey};
use super::sshsig::{Signer, SshSigError, SshSignature};
use crate::time::Time;
use crate::words::word_enum;

word_enum! {
    /// The form of a signature.
    SignatureKind {
        /// What `ssh-keygen -Y sign` makes.
        SshSig = "sshsig",
    }
}

/// A public key that somebody signs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorKey {
    /// An SSH key: a line as in `id_ed25519.pub`.
    Ssh(PublicKey),
}

/// The text is no key that can sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorKeyError {
    /// It is no SSH key, or not one that is accepted.
    #[error(transparent)]
    Ssh(#[from] KeyError),
}

impl AuthorKey {
    /// `SHA256:` and 43 characters of base64: what people compare, and what the log calls it by.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Ssh(key) => key.fingerprint().to_string(),
        }
    }

    /// Its kind, for example `ssh-ed25519`.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ssh(key) => key.algorithm().name(),
        }
    }
}

impl FromStr for AuthorKey {
    type Err = AuthorKeyError;

    fn from_str(text: &str) -> Result<Self, AuthorKeyError> {
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
        }
    }
}

/// A signature as it was read. It says nothing before it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthorSignature {
    /// SSHSIG.
    Ssh(SshSignature),
}

/// The signature is not one of the key over the message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthorSignatureError {
    /// As an SSH signature.
    #[error(transparent)]
    Ssh(#[from] SshSigError),
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
    /// Reads a signature of this kind.
    pub fn parse(kind: SignatureKind, text: &str) -> Result<Self, AuthorSignatureError> {
        match kind {
            SignatureKind::SshSig => Ok(Self::Ssh(text.parse()?)),
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
        }
    }

    /// Whether a certificate stands for the signer.
    pub fn is_certified(&self) -> bool {
        match self {
            Self::Ssh(signature) => matches!(signature.signer(), Signer::Certificate(_)),
        }
    }

    /// Checks that it is a signature over exactly this message for this purpose, by what is trusted.
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
        }
    }
}
