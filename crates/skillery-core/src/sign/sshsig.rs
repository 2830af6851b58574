//! SSHSIG: signatures over files with SSH keys (OpenSSH's PROTOCOL.sshsig).
//!
//! `ssh-keygen -Y sign` makes them, `ssh-keygen -Y verify` checks them. A namespace is signed with the message, so that a
//! signature for one purpose is none for another.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, SHA512, digest};
use ring::rand::SecureRandom;

use crate::limits::MAX_SSH_SIGNATURE_LENGTH;
use crate::sign::ssh::{
    self, Certificate, CertificateError, KeyError, PrivateKeyError, PublicKey, Reader, SignatureError,
    put_string,
};
use crate::time::Time;

/// The namespace of an author's signature on the statement of a version.
pub const RELEASE_NAMESPACE: &str = "skill-release@v1";
/// The namespace of a reviewer's signature on a review.
pub const REVIEW_NAMESPACE: &str = "skill-review@v1";
/// The namespace of the signature with which somebody shows to have a key.
pub const ENROLL_NAMESPACE: &str = "skill-enroll@v1";

const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Characters in a line of the armour, as `ssh-keygen` writes it.
const LINE: usize = 70;

/// Why a text is no signature, or not the one that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshSigError {
    /// Over [`MAX_SSH_SIGNATURE_LENGTH`].
    #[error("the signature is longer than {MAX_SSH_SIGNATURE_LENGTH} bytes")]
    TooLong,
    /// Not between its two lines, no base64, or no fields of a signature behind it.
    #[error("this is not an SSH signature as `ssh-keygen -Y sign` writes it: {0}")]
    Form(&'static str),
    /// The key in it does not count.
    #[error("the signature's key does not count: {0}")]
    Key(KeyError),
    /// The certificate in it does not count.
    #[error("{0}")]
    Certificate(CertificateError),
    /// It was made for another purpose.
    #[error("the signature is of the namespace `{found}`, and `{expected}` is expected")]
    Namespace {
        /// What it says, escaped.
        found: String,
        /// What is expected.
        expected: String,
    },
    /// The message was hashed with something else than SHA-256 or SHA-512.
    #[error("the signature is over a hash by `{0}`; only sha256 and sha512 count")]
    Hash(String),
    /// It does not fit.
    #[error("{0}")]
    Signature(SignatureError),
    /// It fits, and its key is another one.
    #[error("the signature was made with the key {found}, and {expected} is expected")]
    OtherKey {
        /// The fingerprint of the signature's key.
        found: String,
        /// The fingerprint that is expected.
        expected: String,
    },
    /// A key signed, and a certificate is expected; or the other way round.
    #[error("the signature was made with {found}, and {expected} is expected")]
    OtherSigner {
        /// What signed.
        found: &'static str,
        /// What is expected.
        expected: &'static str,
    },
    /// A namespace that cannot be signed for.
    #[error("a namespace is 1 to 255 visible ASCII characters")]
    BadNamespace,
    /// The private key cannot sign here.
    #[error("{0}")]
    PrivateKey(PrivateKeyError),
}

/// How the message is hashed before it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// `sha256`.
    Sha256,
    /// `sha512`, which `ssh-keygen` takes where nothing else is asked for.
    Sha512,
}

impl HashAlgorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn hash(self, message: &[u8]) -> ring::digest::Digest {
        digest(if self == Self::Sha256 { &SHA256 } else { &SHA512 }, message)
    }
}

/// Who signed, as the signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signer {
    /// A key alone.
    Key(PublicKey),
    /// A key with a certificate for it.
    Certificate(Box<Certificate>),
}

impl Signer {
    /// The key that signs, with a certificate or without.
    pub fn key(&self) -> &PublicKey {
        match self {
            Self::Key(key) => key,
            Self::Certificate(certificate) => certificate.key(),
        }
    }

    fn from_blob(blob: &[u8]) -> Result<Self, SshSigError> {
        match PublicKey::from_blob(blob) {
            Ok(key) => Ok(Self::Key(key)),
            Err(KeyError::Certificate) => Certificate::from_blob(blob)
                .map(|certificate| Self::Certificate(Box::new(certificate)))
                .map_err(SshSigError::Certificate),
            Err(error) => Err(SshSigError::Key(error)),
        }
    }

    fn blob(&self) -> &[u8] {
        match self {
            Self::Key(key) => key.blob(),
            Self::Certificate(certificate) => certificate.blob(),
        }
    }
}

/// A signature as it was read. It says nothing before it is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    signer: Signer,
    namespace: String,
    hash: HashAlgorithm,
    /// In the wire format: algorithm and bytes.
    signature: Vec<u8>,
}

impl SshSignature {
    /// Who signed, to look it up. Only what verifies says whether it is true.
    pub fn signer(&self) -> &Signer {
        &self.signer
    }

    /// What it was made for.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Checks that whoever has the signer's key signed this message for this purpose. Whether the key is one to trust is
    /// another question; [`SshSignature::verify_key`] and [`SshSignature::verify_certificate`] answer both.
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<&Signer, SshSigError> {
        self.fits(namespace, message).map(|_| &self.signer)
    }

    /// Checks that this key, alone, signed this message for this purpose.
    pub fn verify_key(&self, key: &PublicKey, namespace: &str, message: &[u8]) -> Result<(), SshSigError> {
        let Signer::Key(found) = &self.signer else {
            let (found, expected) = ("a certificate", "a key alone");
            return Err(SshSigError::OtherSigner { found, expected });
        };
        if found != key {
            let (found, expected) = (found.fingerprint().to_string(), key.fingerprint().to_string());
            return Err(SshSigError::OtherKey { found, expected });
        }
        self.fits(namespace, message).map(|_| ())
    }

    /// Checks that `principal` signed this message for this purpose, with a certificate that one of the authorities
    /// issued and that is valid at that time.
    pub fn verify_certificate(
        &self,
        authorities: &[PublicKey],
        principal: &str,
        at: Time,
        namespace: &str,
        message: &[u8],
    ) -> Result<&Certificate, SshSigError> {
        let Signer::Certificate(certificate) = &self.signer else {
            let (found, expected) = ("a key alone", "a certificate");
            return Err(SshSigError::OtherSigner { found, expected });
        };
        let fits = self.fits(namespace, message)?;
        certificate
            .check(authorities, principal, at, fits.user_verified)
            .map_err(SshSigError::Certificate)?;
        Ok(certificate)
    }

    fn fits(&self, namespace: &str, message: &[u8]) -> Result<ssh::Fits, SshSigError> {
        if self.namespace != namespace {
            let found = self.namespace.chars().take(100).flat_map(char::escape_debug).collect();
            return Err(SshSigError::Namespace { found, expected: namespace.to_owned() });
        }
        let signed = signed_data(namespace, self.hash, message);
        ssh::verify(self.signer.key(), &signed, &self.signature).map_err(SshSigError::Signature)
    }

    fn from_blob(blob: &[u8]) -> Result<Self, SshSigError> {
        let malformed = |_| SshSigError::Form("its fields cannot be read");
        let mut reader = Reader::new(blob);
        if reader.take(MAGIC.len()) != Ok(MAGIC) {
            return Err(SshSigError::Form("it does not begin with SSHSIG"));
        }
        if reader.u32().map_err(malformed)? != VERSION {
            return Err(SshSigError::Form("its version is not 1"));
        }
        let signer = Signer::from_blob(reader.string().map_err(malformed)?)?;
        let namespace = reader.text().map_err(malformed)?.to_owned();
        if namespace.is_empty() {
            return Err(SshSigError::Form("its namespace is empty"));
        }
        // What stands here is not signed, so anybody could change it.
        if !reader.string().map_err(malformed)?.is_empty() {
            return Err(SshSigError::Form("a reserved field is not empty"));
        }
        let hash = match reader.text().map_err(malformed)? {
            "sha256" => HashAlgorithm::Sha256,
            "sha512" => HashAlgorithm::Sha512,
            other => {
                return Err(SshSigError::Hash(other.chars().take(60).flat_map(char::escape_debug).collect()));
            }
        };
        let signature = reader.string().map_err(malformed)?.to_vec();
        reader.end().map_err(malformed)?;
        Ok(Self { signer, namespace, hash, signature })
    }

    fn to_blob(&self) -> Vec<u8> {
        let mut blob = MAGIC.to_vec();
        blob.extend_from_slice(&VERSION.to_be_bytes());
        put_string(&mut blob, self.signer.blob());
        put_string(&mut blob, self.namespace.as_bytes());
        put_string(&mut blob, b"");
        put_string(&mut blob, self.hash.name().as_bytes());
        put_string(&mut blob, &self.signature);
        blob
    }

    /// The text as `ssh-keygen` writes it, with a line break at its end.
    pub fn to_armoured(&self) -> String {
        let encoded = STANDARD.encode(self.to_blob());
        let mut text = format!("{BEGIN}\n");
        for line in encoded.as_bytes().chunks(LINE) {
            text.extend(line.iter().map(|byte| char::from(*byte)));
            text.push('\n');
        }
        text + END + "\n"
    }
}

impl FromStr for SshSignature {
    type Err = SshSigError;

    /// Reads the armoured text. Line breaks may be those of Windows; nothing may stand before or behind.
    fn from_str(text: &str) -> Result<Self, SshSigError> {
        if text.len() > MAX_SSH_SIGNATURE_LENGTH {
            return Err(SshSigError::TooLong);
        }
        let mut lines = text
            .strip_suffix('\n')
            .unwrap_or(text)
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line));
        if lines.next() != Some(BEGIN) {
            return Err(SshSigError::Form("it does not begin with its line `-----BEGIN SSH SIGNATURE-----`"));
        }
        let mut encoded = String::with_capacity(text.len());
        loop {
            match lines.next() {
                Some(END) => break,
                Some(line) => encoded.push_str(line),
                None => {
                    return Err(SshSigError::Form(
                        "it does not end with its line `-----END SSH SIGNATURE-----`",
                    ));
                }
            }
        }
        if lines.next().is_some() {
            return Err(SshSigError::Form("something stands behind its end"));
        }
        let blob = STANDARD.decode(&encoded).map_err(|_| SshSigError::Form("it is not base64"))?;
        Self::from_blob(&blob)
    }
}

fn signed_data(namespace: &str, hash: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    let mut data = MAGIC.to_vec();
    put_string(&mut data, namespace.as_bytes());
    put_string(&mut data, b"");
    put_string(&mut data, hash.name().as_bytes());
    put_string(&mut data, hash.hash(message).as_ref());
    data
}

/// What an agent is asked to sign: hand its answer to [`assemble`] with the same namespace and hash. An agent signs with
/// an RSA key in SHA-1 where it is not asked for `rsa-sha2-512` or `rsa-sha2-256`.
pub fn to_be_signed(namespace: &str, hash: HashAlgorithm, message: &[u8]) -> Result<Vec<u8>, SshSigError> {
    if !(1..=255).contains(&namespace.len()) || namespace.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(SshSigError::BadNamespace);
    }
    Ok(signed_data(namespace, hash, message))
}

/// The signature made of its parts. `public_key` is the key or the certificate, and `signature` what the agent answered,
/// both in the wire format.
pub fn assemble(
    public_key: &[u8],
    namespace: &str,
    hash: HashAlgorithm,
    signature: &[u8],
) -> Result<SshSignature, SshSigError> {
    let signer = Signer::from_blob(public_key)?;
    Ok(SshSignature { signer, namespace: namespace.to_owned(), hash, signature: signature.to_vec() })
}

/// Signs a message with a key that was read from a file and decrypted, and checks that the signature fits.
pub fn sign(
    key: &ssh_key::PrivateKey,
    namespace: &str,
    message: &[u8],
    random: &dyn SecureRandom,
) -> Result<SshSignature, SshSigError> {
    let data = to_be_signed(namespace, HashAlgorithm::Sha512, message)?;
    let public_key = key
        .public_key()
        .to_bytes()
        .map_err(|error| SshSigError::PrivateKey(PrivateKeyError::Unusable(error.to_string())))?;
    let signature = ssh::sign_data(key, &data, random).map_err(SshSigError::PrivateKey)?;
    let signed = assemble(&public_key, namespace, HashAlgorithm::Sha512, &signature)?;
    signed.verify(namespace, message)?;
    Ok(signed)
}

#[cfg(test)]
mod tests;
