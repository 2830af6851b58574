//! OpenSSH certificates (PROTOCOL.certkeys): an authority says that a key is that of a principal for a while.

use std::str::FromStr;

use super::key::{KeyAlgorithm, KeyError, Material, PublicKey, take_apart};
use super::raw::{self, SignatureError};
use super::wire::{Malformed, Reader, put_string};
use crate::limits::MAX_KEY_LENGTH;
use crate::time::Time;

/// The type of certificates for people; the other one is for hosts.
const USER_TYPE: u32 = 1;
/// The one condition that can be checked at a signature: the security key knew its user.
const VERIFY_REQUIRED: &str = "verify-required";

/// Why a certificate does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The bytes are no certificate.
    #[error("the certificate cannot be read")]
    Form,
    /// The key in it, or that of its authority, does not count.
    #[error("a key of the certificate does not count: {0}")]
    Key(KeyError),
    /// It is for hosts.
    #[error("the certificate is for a host, and not for a person")]
    NotUser,
    /// Its authority is none of those that were given.
    #[error("the certificate was issued by the key {0}, which is no authority here")]
    UnknownAuthority(String),
    /// The authority's signature does not fit.
    #[error("the authority's signature on the certificate: {0}")]
    Authority(SignatureError),
    /// It is not valid at that time.
    #[error("the certificate is valid from {from} to {to}, and not at {at}")]
    Time {
        /// The first moment of its validity.
        from: String,
        /// The first moment after it.
        to: String,
        /// The moment that was asked for.
        at: String,
    },
    /// It is for somebody else, or for anybody at all.
    #[error("the certificate is for {listed}, and not for `{wanted}`")]
    Principal {
        /// Whom it is for.
        listed: String,
        /// Who was asked for.
        wanted: String,
    },
    /// It is bound to a condition that cannot be checked.
    #[error("the certificate is bound to the condition `{0}`, which cannot be checked on a signature")]
    Condition(String),
    /// It wants a PIN or a finger, and the signature was made without.
    #[error("the certificate wants the security key to know its user, and it did not")]
    NotVerified,
}

impl From<Malformed> for CertificateError {
    fn from(_: Malformed) -> Self {
        Self::Form
    }
}

impl From<KeyError> for CertificateError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Form(_) => Self::Form,
            other => Self::Key(other),
        }
    }
}

/// A certificate as it was read. Whether it counts is for [`Certificate::check`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    key: PublicKey,
    serial: u64,
    kind: u32,
    key_id: String,
    principals: Vec<String>,
    /// Seconds since the epoch.
    valid_after: u64,
    valid_before: u64,
    conditions: Vec<String>,
    authority: PublicKey,
    signature: Vec<u8>,
    /// What the authority signed: everything before its signature.
    signed: usize,
    blob: Vec<u8>,
}

impl Certificate {
    /// From its bytes in the wire format.
    pub fn from_blob(blob: &[u8]) -> Result<Self, CertificateError> {
        if blob.len() > MAX_KEY_LENGTH {
            return Err(CertificateError::Key(KeyError::TooLong));
        }
        let mut reader = Reader::new(blob);
        let name = reader.text()?;
        let algorithm = *KeyAlgorithm::ALL
            .iter()
            .find(|algorithm| algorithm.certificate_name() == name)
            .ok_or_else(|| CertificateError::Key(KeyError::Kind(escaped(name))))?;
        let _nonce = reader.string()?;
        let before_key = reader;
        Material::read(algorithm, &mut reader)?;
        let key = bare_key(algorithm, before_key, reader)?;
        let (serial, kind) = (reader.u64()?, reader.u32()?);
        let key_id = reader.text()?.to_owned();
        let principals = texts(reader.string()?)?;
        let (valid_after, valid_before) = (reader.u64()?, reader.u64()?);
        let conditions = names(reader.string()?)?;
        let _extensions = names(reader.string()?)?;
        let _reserved = reader.string()?;
        let authority = PublicKey::from_blob(reader.string()?)?;
        let signed = blob.len() - reader.left();
        let signature = reader.string()?.to_vec();
        reader.end()?;
        let blob = blob.to_vec();
        Ok(Self {
            key,
            serial,
            kind,
            key_id,
            principals,
            valid_after,
            valid_before,
            conditions,
            authority,
            signature,
            signed,
            blob,
        })
    }

    /// Whether it is valid at that time, as it says itself.
    pub fn check_time(&self, at: Time) -> Result<(), CertificateError> {
        let seconds = at.micros().div_euclid(1_000_000);
        if u64::try_from(seconds).is_ok_and(|now| self.valid_after <= now && now < self.valid_before) {
            return Ok(());
        }
        let (from, to) = (moment(self.valid_after), moment(self.valid_before));
        Err(CertificateError::Time { from, to, at: at.to_string() })
    }

    /// Whether one of the authorities says with this certificate that its key is `principal`'s at that time.
    ///
    /// `user_verified` is whether the security key knew its user when it made the signature that is looked at; `false`
    /// for other keys. A certificate without principals, which OpenSSH takes as one for everybody, counts for nobody.
    pub fn check(
        &self,
        authorities: &[PublicKey],
        principal: &str,
        at: Time,
        user_verified: bool,
    ) -> Result<(), CertificateError> {
        if !authorities.contains(&self.authority) {
            return Err(CertificateError::UnknownAuthority(self.authority.fingerprint().to_string()));
        }
        raw::verify(&self.authority, &self.blob[..self.signed], &self.signature)
            .map_err(CertificateError::Authority)?;
        if self.kind != USER_TYPE {
            return Err(CertificateError::NotUser);
        }
        self.check_time(at)?;
        if !self.principals.iter().any(|listed| listed == principal) {
            let listed = if self.principals.is_empty() {
                "nobody in particular".to_owned()
            } else {
                format!("`{}`", escaped(&self.principals.join("`, `")))
            };
            return Err(CertificateError::Principal { listed, wanted: escaped(principal) });
        }
        for condition in &self.conditions {
            if condition != VERIFY_REQUIRED {
                return Err(CertificateError::Condition(escaped(condition)));
            }
            if !user_verified {
                return Err(CertificateError::NotVerified);
            }
        }
        Ok(())
    }

    /// The key that signs.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The authority that it names. Only [`Certificate::check`] says whether it is true.
    pub fn authority(&self) -> &PublicKey {
        &self.authority
    }

    /// The authority's number for it; zero where it does not count.
    pub fn serial(&self) -> u64 {
        self.serial
    }

    /// What the authority calls it.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Whom it is for.
    pub fn principals(&self) -> &[String] {
        &self.principals
    }

    /// Its bytes in the wire format.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }
}

/// The key of a certificate as a key of its own: the same fields behind the name of its kind.
fn bare_key(
    algorithm: KeyAlgorithm,
    before: Reader<'_>,
    after: Reader<'_>,
) -> Result<PublicKey, CertificateError> {
    let mut before = before;
    let fields = before.take(before.left() - after.left())?;
    let mut blob = Vec::new();
    put_string(&mut blob, algorithm.name().as_bytes());
    blob.extend_from_slice(fields);
    Ok(PublicKey::from_blob(&blob)?)
}

fn texts(bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut texts = Vec::new();
    while !reader.is_at_end() {
        texts.push(reader.text()?.to_owned());
    }
    Ok(texts)
}

/// The names of options, which come in order and each once, and each with a value behind it.
fn names(bytes: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut reader = Reader::new(bytes);
    let mut names: Vec<String> = Vec::new();
    while !reader.is_at_end() {
        let name = reader.text()?;
        if names.last().is_some_and(|last| last.as_str() >= name) {
            return Err(Malformed);
        }
        reader.string()?;
        names.push(name.to_owned());
    }
    Ok(names)
}

/// Seconds since the epoch as people read them. `ssh-keygen` writes the largest number where there is no end.
fn moment(seconds: u64) -> String {
    if seconds == u64::MAX {
        return "the end of time".to_owned();
    }
    let micros = i64::try_from(seconds).ok().and_then(|seconds| seconds.checked_mul(1_000_000));
    Time::from_micros(micros.unwrap_or(i64::MAX)).to_string()
}

fn escaped(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

impl FromStr for Certificate {
    type Err = CertificateError;

    /// One line, as in a `-cert.pub` file.
    fn from_str(line: &str) -> Result<Self, CertificateError> {
        let (name, blob, _comment) = take_apart(line)?;
        let certificate = Self::from_blob(&blob)?;
        if certificate.key.algorithm().certificate_name() == name {
            Ok(certificate)
        } else {
            Err(CertificateError::Form)
        }
    }
}
