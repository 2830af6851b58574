//! Signatures of keys over bytes, as in agents, certificates and SSHSIG (RFC 4253, 5656, 8332, 8709; PROTOCOL.u2f).

use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, EcdsaVerificationAlgorithm, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};

use super::key::{KeyAlgorithm, Material, PublicKey};
use super::wire::{Malformed, Reader};
use crate::Digest;
use crate::sign::ed25519;

/// A security key was touched.
const USER_PRESENT: u8 = 0x01;
/// A security key knew its user, by a PIN or a finger.
const USER_VERIFIED: u8 = 0x04;

/// Why a signature is none of this key over these bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The bytes are no signature.
    #[error("the bytes of the signature cannot be read")]
    Form,
    /// SHA-1, or an algorithm that is not one of the key's.
    #[error("a signature by the algorithm `{found}` is not accepted from a key of the kind `{key}`")]
    Algorithm {
        /// What the signature says, escaped.
        found: String,
        /// The kind of the key.
        key: &'static str,
    },
    /// A security key signed without being touched.
    #[error("the security key was not touched for this signature")]
    NotPresent,
    /// It was made by another key or over other bytes.
    #[error("the signature does not fit: it was made with another key, or what was signed has changed")]
    Mismatch,
}

impl From<Malformed> for SignatureError {
    fn from(_: Malformed) -> Self {
        Self::Form
    }
}

/// What a signature that fits says beyond that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sign) struct Fits {
    /// A security key knew its user.
    pub(in crate::sign) user_verified: bool,
}

/// Checks that `signature`, in the wire format, was made with `key` over `data`.
pub(in crate::sign) fn verify(
    key: &PublicKey,
    data: &[u8],
    signature: &[u8],
) -> Result<Fits, SignatureError> {
    let mut reader = Reader::new(signature);
    let algorithm = reader.text()?;
    let bytes = reader.string()?;
    let wrong_algorithm = || SignatureError::Algorithm {
        found: algorithm.chars().take(60).flat_map(char::escape_debug).collect(),
        key: key.algorithm().name(),
    };
    if key.algorithm() != KeyAlgorithm::Rsa && algorithm != key.algorithm().name() {
        return Err(wrong_algorithm());
    }
    let flags = if key.algorithm().is_hardware() { Some((reader.byte()?, reader.u32()?)) } else { None };
    reader.end()?;
    let fits = match key.material() {
        Material::Ed25519(key) => ed25519::verify(key, data, bytes),
        Material::Ecdsa(point) => ecdsa(point, data, bytes)?,
        Material::Rsa { modulus, exponent } => {
            let parameters = match algorithm {
                "rsa-sha2-256" => &RSA_PKCS1_2048_8192_SHA256,
                "rsa-sha2-512" => &RSA_PKCS1_2048_8192_SHA512,
                _ => return Err(wrong_algorithm()),
            };
            // Some agents leave zeros out that stand before the number, and OpenSSH lets them.
            let zeros = modulus.len().checked_sub(bytes.len()).ok_or(SignatureError::Form)?;
            let padded = [&vec![0; zeros], bytes].concat();
            let key = RsaPublicKeyComponents { n: modulus, e: exponent };
            key.verify(parameters, data, &padded).is_ok()
        }
        Material::SkEd25519 { key, application } => {
            let (flags, counter) = flags.ok_or(SignatureError::Form)?;
            ed25519::verify(key, &hardware_data(application, flags, counter, data), bytes)
        }
        Material::SkEcdsa { point, application } => {
            let (flags, counter) = flags.ok_or(SignatureError::Form)?;
            ecdsa(point, &hardware_data(application, flags, counter, data), bytes)?
        }
    };
    match (fits, flags) {
        (false, _) => Err(SignatureError::Mismatch),
        (true, Some((flags, _))) if flags & USER_PRESENT == 0 => Err(SignatureError::NotPresent),
        (true, flags) => {
            Ok(Fits { user_verified: flags.is_some_and(|(flags, _)| flags & USER_VERIFIED != 0) })
        }
    }
}

/// What a security key signs in place of `data`.
fn hardware_data(application: &str, flags: u8, counter: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = Digest::of(application.as_bytes()).bytes().to_vec();
    bytes.push(flags);
    bytes.extend_from_slice(&counter.to_be_bytes());
    bytes.extend_from_slice(Digest::of(data).bytes());
    bytes
}

fn ecdsa(point: &[u8], data: &[u8], signature: &[u8]) -> Result<bool, SignatureError> {
    // An uncompressed point is a byte and two coordinates, and says with its length which curve it is on.
    let size = (point.len() - 1) / 2;
    let algorithm: &EcdsaVerificationAlgorithm =
        if size == 32 { &ECDSA_P256_SHA256_FIXED } else { &ECDSA_P384_SHA384_FIXED };
    let mut reader = Reader::new(signature);
    let mut fixed = Vec::with_capacity(2 * size);
    for number in [reader.mpint()?, reader.mpint()?] {
        let zeros = size.checked_sub(number.len()).ok_or(SignatureError::Form)?;
        fixed.resize(fixed.len() + zeros, 0);
        fixed.extend_from_slice(number);
    }
    reader.end()?;
    Ok(UnparsedPublicKey::new(algorithm, point).verify(data, &fixed).is_ok())
}
