//! Keys in PEM, as `openssl` and the tools of Sigstore have them: Ed25519, and ECDSA on P-256 or P-384.
//!
//! A public key is a SubjectPublicKeyInfo (RFC 5280), a private one PKCS#8 (RFC 5958). Of both there are few forms that
//! anybody writes, and no other is read.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, UnparsedPublicKey,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

use crate::Digest;
use crate::limits::MAX_KEY_LENGTH;
use crate::sign::ed25519;

/// Characters in a line of PEM (RFC 7468).
const LINE: usize = 64;

/// Why a text is no key that counts here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// Over [`MAX_KEY_LENGTH`] bytes.
    #[error("the key is longer than {MAX_KEY_LENGTH} bytes")]
    TooLong,
    /// No public key in PEM, or more than one.
    #[error("this is not one public key in PEM, which begins with `-----BEGIN PUBLIC KEY-----`")]
    NotPublic,
    /// No private key in PEM, one that is encrypted, or one in an older form.
    #[error(
        "this is not one unencrypted private key in PKCS#8, which begins with `-----BEGIN PRIVATE KEY-----`; \
         `openssl pkcs8 -topk8 -nocrypt` makes it from other forms"
    )]
    NotPrivate,
    /// RSA, another curve, or a key that does not keep the rules of its kind.
    #[error("keys of this kind are not accepted: use Ed25519, or ECDSA on P-256 or P-384")]
    Kind,
    /// Randomness, which ECDSA needs, could not be had.
    #[error("no signature could be made with the private key")]
    Failed,
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PemAlgorithm {
    /// Ed25519.
    Ed25519,
    /// ECDSA on P-256 with SHA-256.
    EcdsaP256,
    /// ECDSA on P-384 with SHA-384.
    EcdsaP384,
}

impl PemAlgorithm {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
        }
    }

    const ALL: [Self; 3] = [Self::Ed25519, Self::EcdsaP256, Self::EcdsaP384];

    /// What stands before the bytes of the key: the one encoding of the algorithm, and the length of all.
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
            Self::EcdsaP256 => {
                b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00"
            }
            Self::EcdsaP384 => {
                b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00"
            }
        }
    }

    /// Bytes of a key. Points are uncompressed.
    fn key_length(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::EcdsaP256 => 65,
            Self::EcdsaP384 => 97,
        }
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PemPublicKey {
    algorithm: PemAlgorithm,
    key: Vec<u8>,
}

impl PemPublicKey {
    /// Its kind.
    pub fn algorithm(&self) -> PemAlgorithm {
        self.algorithm
    }

    /// SHA-256 of the key in DER: what `openssl pkey -pubin -outform DER | sha256sum` shows.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(&self.to_der())
    }

    /// The SubjectPublicKeyInfo.
    pub fn to_der(&self) -> Vec<u8> {
        [self.algorithm.prefix(), &self.key].concat()
    }

    fn from_der(der: &[u8]) -> Result<Self, PemError> {
        for algorithm in PemAlgorithm::ALL {
            if let Some(key) = der.strip_prefix(algorithm.prefix()) {
                return Self::new(algorithm, key);
            }
        }
        Err(PemError::Kind)
    }

    fn new(algorithm: PemAlgorithm, key: &[u8]) -> Result<Self, PemError> {
        let good = key.len() == algorithm.key_length()
            && match algorithm {
                PemAlgorithm::Ed25519 => key.try_into().is_ok_and(|key| ed25519::is_good_point(&key)),
                PemAlgorithm::EcdsaP256 | PemAlgorithm::EcdsaP384 => key[0] == 4,
            };
        if good { Ok(Self { algorithm, key: key.to_vec() }) } else { Err(PemError::Kind) }
    }

    /// Whether `signature` is that of this key over `message`; of ECDSA in DER.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            PemAlgorithm::Ed25519 => {
                self.key.as_slice().try_into().is_ok_and(|key| ed25519::verify(&key, message, signature))
            }
            PemAlgorithm::EcdsaP256 => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.key).verify(message, signature).is_ok()
            }
            PemAlgorithm::EcdsaP384 => {
                UnparsedPublicKey::new(&ECDSA_P384_SHA384_ASN1, &self.key).verify(message, signature).is_ok()
            }
        }
    }
}

impl FromStr for PemPublicKey {
    type Err = PemError;

    fn from_str(text: &str) -> Result<Self, PemError> {
        let der: SubjectPublicKeyInfoDer<'_> = only(text, PemError::NotPublic)?;
        Self::from_der(&der)
    }
}

impl fmt::Display for PemPublicKey {
    /// The key in PEM, with a line break at its end, as `openssl` writes it.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = STANDARD.encode(self.to_der());
        formatter.write_str("-----BEGIN PUBLIC KEY-----\n")?;
        let mut rest = encoded.as_str();
        while !rest.is_empty() {
            let (line, after) = rest.split_at(rest.len().min(LINE));
            writeln!(formatter, "{line}")?;
            rest = after;
        }
        formatter.write_str("-----END PUBLIC KEY-----\n")
    }
}

/// A private key. It is never shown.
pub struct PemPrivateKey(Pair);

enum Pair {
    Ed25519(Ed25519KeyPair),
    Ecdsa(PemAlgorithm, EcdsaKeyPair),
}

impl PemPrivateKey {
    /// Reads an unencrypted key in PKCS#8.
    pub fn from_pem(text: &str, random: &dyn SecureRandom) -> Result<Self, PemError> {
        let der: PrivatePkcs8KeyDer<'_> = only(text, PemError::NotPrivate)?;
        let der = der.secret_pkcs8_der();
        // OpenSSL leaves the public key out of these.
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Ok(Self(Pair::Ed25519(pair)));
        }
        for (kind, algorithm) in [
            (PemAlgorithm::EcdsaP256, &ECDSA_P256_SHA256_ASN1_SIGNING),
            (PemAlgorithm::EcdsaP384, &ECDSA_P384_SHA384_ASN1_SIGNING),
        ] {
            if let Ok(pair) = EcdsaKeyPair::from_pkcs8(algorithm, der, random) {
                return Ok(Self(Pair::Ecdsa(kind, pair)));
            }
        }
        Err(PemError::Kind)
    }

    /// The public key that belongs to it.
    pub fn public_key(&self) -> PemPublicKey {
        let (algorithm, key) = match &self.0 {
            Pair::Ed25519(pair) => (PemAlgorithm::Ed25519, pair.public_key().as_ref()),
            Pair::Ecdsa(algorithm, pair) => (*algorithm, pair.public_key().as_ref()),
        };
        PemPublicKey { algorithm, key: key.to_vec() }
    }

    /// Signs a message; with ECDSA in DER.
    pub fn sign(&self, message: &[u8], random: &dyn SecureRandom) -> Result<Vec<u8>, PemError> {
        match &self.0 {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Ecdsa(_, pair) => match pair.sign(random, message) {
                Ok(signature) => Ok(signature.as_ref().to_vec()),
                Err(_) => Err(PemError::Failed),
            },
        }
    }
}

impl fmt::Debug for PemPrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PemPrivateKey(***)")
    }
}

/// The one section of this kind in the text.
fn only<T: PemObject>(text: &str, otherwise: PemError) -> Result<T, PemError> {
    if text.len() > MAX_KEY_LENGTH {
        return Err(PemError::TooLong);
    }
    let mut sections = T::pem_slice_iter(text.as_bytes());
    match (sections.next(), sections.next()) {
        (Some(Ok(section)), None) => Ok(section),
        _ => Err(otherwise),
    }
}
