//! X.509 certificates, as far as a signature comes with a chain of them.
//!
//! webpki builds the path to an authority that is trusted and checks it. What it does not look at, because browsers do
//! not, is done here: whether the key may make signatures at all, and whose it is.

use std::str::FromStr;
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::ring as algorithms;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::Digest;
use crate::limits::MAX_ROOTS_LENGTH;
use crate::time::Time;

/// Those with which authorities may sign certificates.
const CHAIN_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::ED25519,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
];
/// Those of signatures over files: each curve with the hash of its size.
const MESSAGE_ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[algorithms::ECDSA_P256_SHA256, algorithms::ECDSA_P384_SHA384];
/// 1.3.6.1.5.5.7.3.3, the purpose of signing code.
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// 2.5.29.15, what a key may be used for.
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
/// 2.5.29.37, what a certificate may be used for.
const PURPOSES: &[u8] = &[0x55, 0x1d, 0x25];
/// 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// Why a chain of certificates does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum X509Error {
    /// No certificate in PEM, or one that cannot be read, or too much of it.
    #[error(
        "these are not certificates in PEM, which begin with `-----BEGIN CERTIFICATE-----`, of at most {MAX_ROOTS_LENGTH} bytes"
    )]
    Roots,
    /// A certificate of the chain cannot be read.
    #[error("the signer's certificate cannot be read")]
    Form,
    /// No authority that is trusted issued it, directly or through others.
    #[error("the signer's certificate comes from no authority that is trusted here")]
    UnknownIssuer,
    /// A certificate of the chain was not valid at that time.
    #[error("the signer's certificate, or one that it rests on, is not valid at {0}")]
    Time(String),
    /// The key is for other things than signing.
    #[error("the signer's certificate is not for signing files")]
    Usage,
    /// The path is not good for another reason.
    #[error("the signer's certificate does not count: {0}")]
    Path(String),
    /// The signature is of no algorithm that counts, or does not fit.
    #[error("the signature does not fit: it was made with another key, or what was signed has changed")]
    Mismatch,
}

/// The certificates of authorities that are trusted.
#[derive(Debug, Clone)]
pub struct Roots(Vec<CertificateDer<'static>>);

impl FromStr for Roots {
    type Err = X509Error;

    /// One certificate or more, in PEM.
    fn from_str(text: &str) -> Result<Self, X509Error> {
        if text.len() > MAX_ROOTS_LENGTH {
            return Err(X509Error::Roots);
        }
        let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(text.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| X509Error::Roots)?;
        let good = certificates.iter().all(|certificate| anchor_from_trusted_cert(certificate).is_ok());
        if certificates.is_empty() || !good { Err(X509Error::Roots) } else { Ok(Self(certificates)) }
    }
}

/// Whose signature it is, as an authority says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSigner {
    /// The common name in the certificate; empty where it has none.
    pub name: String,
    /// SHA-256 of the certificate.
    pub certificate: Digest,
}

/// Checks that the key of the first certificate signed the message, and that one of the roots vouches for it at that
/// time through the others.
pub(super) fn verify(
    chain: &[Vec<u8>],
    roots: &Roots,
    at: Time,
    message: &[u8],
    signature: &[u8],
) -> Result<CertificateSigner, X509Error> {
    let (leaf, others) = chain.split_first().ok_or(X509Error::Form)?;
    let leaf_der = CertificateDer::from_slice(leaf);
    let leaf_certificate = EndEntityCert::try_from(&leaf_der).map_err(|_| X509Error::Form)?;
    let anchors: Vec<TrustAnchor<'_>> = roots
        .0
        .iter()
        .map(anchor_from_trusted_cert)
        .collect::<Result<_, _>>()
        .map_err(|_| X509Error::Roots)?;
    let intermediates: Vec<CertificateDer<'_>> =
        others.iter().map(|certificate| CertificateDer::from_slice(certificate)).collect();
    let details = Details::read(leaf).ok_or(X509Error::Form)?;
    // Where there are purposes, webpki wants that of signing code among them.
    if !details.may_sign.unwrap_or(details.has_purposes) {
        return Err(X509Error::Usage);
    }
    let seconds =
        u64::try_from(at.micros().div_euclid(1_000_000)).map_err(|_| X509Error::Time(at.to_string()))?;
    leaf_certificate
        .verify_for_usage(
            CHAIN_ALGORITHMS,
            &anchors,
            &intermediates,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::required_if_present(CODE_SIGNING),
            None,
            None,
        )
        .map_err(|error| in_words(&error, at))?;
    let fits = MESSAGE_ALGORITHMS
        .iter()
        .any(|algorithm| leaf_certificate.verify_signature(*algorithm, message, signature).is_ok());
    if fits {
        Ok(CertificateSigner { name: details.name, certificate: Digest::of(leaf) })
    } else {
        Err(X509Error::Mismatch)
    }
}

fn in_words(error: &webpki::Error, at: Time) -> X509Error {
    use webpki::Error;
    match error {
        Error::UnknownIssuer | Error::InvalidSignatureForPublicKey => X509Error::UnknownIssuer,
        Error::CertExpired { .. } | Error::CertNotValidYet { .. } => X509Error::Time(at.to_string()),
        Error::RequiredEkuNotFoundContext(_) => X509Error::Usage,
        other => X509Error::Path(format!("{other:?}")),
    }
}

/// What webpki does not say of a certificate.
struct Details {
    /// Whether the certificate lets its key make signatures; `None` where it does not speak of it.
    may_sign: Option<bool>,
    /// Whether it names purposes.
    has_purposes: bool,
    name: String,
}

impl Details {
    /// Walks through a certificate (RFC 5280, section 4.1) that webpki has read already.
    fn read(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = element(certificate, SEQUENCE)?;
        let (mut fields, _) = element(certificate, SEQUENCE)?;
        // Version, serial number, algorithm, issuer, validity.
        for _ in 0..5 {
            (_, _, fields) = any_element(fields)?;
        }
        let (subject, rest) = element(fields, SEQUENCE)?;
        let (_key, mut rest) = element(rest, SEQUENCE)?;
        let mut details = Self { may_sign: None, has_purposes: false, name: common_name(subject)? };
        while let Some((tag, content, after)) = any_element(rest) {
            if tag == EXTENSIONS {
                details.read_extensions(element(content, SEQUENCE)?.0)?;
            }
            rest = after;
        }
        Some(details)
    }

    fn read_extensions(&mut self, mut extensions: &[u8]) -> Option<()> {
        while !extensions.is_empty() {
            let (extension, after) = element(extensions, SEQUENCE)?;
            let (name, mut value) = element(extension, OBJECT)?;
            if let Some((_critical, rest)) = element(value, BOOLEAN) {
                value = rest;
            }
            if name == KEY_USAGE {
                let (bits, _) = element(element(value, OCTETS)?.0, BITS)?;
                // Behind the number of bits that do not count, the first bit is that for signatures.
                self.may_sign = Some(bits.get(1).is_some_and(|byte| byte & 0x80 != 0));
            }
            self.has_purposes |= name == PURPOSES;
            extensions = after;
        }
        Some(())
    }
}

/// The last common name of a subject.
fn common_name(mut subject: &[u8]) -> Option<String> {
    let mut name = String::new();
    while !subject.is_empty() {
        let (mut attributes, after) = element(subject, SET)?;
        while !attributes.is_empty() {
            let (attribute, rest) = element(attributes, SEQUENCE)?;
            let (kind, value) = element(attribute, OBJECT)?;
            if kind == COMMON_NAME {
                let (_, value, _) = any_element(value)?;
                name =
                    String::from_utf8_lossy(value).chars().take(200).flat_map(char::escape_debug).collect();
            }
            attributes = rest;
        }
        subject = after;
    }
    Some(name)
}

const BOOLEAN: u8 = 0x01;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OBJECT: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const EXTENSIONS: u8 = 0xa3;

/// The content of the first element, which has this tag, and what follows.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = any_element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Tag and content of the first element in DER, and what follows.
fn any_element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => {
            rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>(), text in "\\PC{0,60}") {
            let _ = Details::read(&bytes);
            let _ = Details { may_sign: None, has_purposes: false, name: String::new() }.read_extensions(&bytes);
            let _ = common_name(&bytes);
            let _ = text.parse::<Roots>();
        }
    }
}
