//! Public keys, as they stand in `id_ed25519.pub` and in `authorized_keys`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::fingerprint::Fingerprint;
use super::wire::{Malformed, Reader};
use crate::limits::{MAX_KEY_COMMENT_LENGTH, MAX_KEY_LENGTH};
use crate::sign::ed25519;

/// The smallest RSA key that counts, in bits.
const MIN_RSA_BITS: usize = 2_048;
/// The largest that ring verifies.
const MAX_RSA_BITS: usize = 8_192;

/// Why a text is no public key that counts here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Over [`MAX_KEY_LENGTH`] bytes.
    #[error("the key is longer than {MAX_KEY_LENGTH} bytes")]
    TooLong,
    /// Not `kind base64 comment`, or the bytes behind the base64 are no key of that kind.
    #[error("this is not an SSH public key such as `ssh-ed25519 AAAA… comment`: {0}")]
    Form(&'static str),
    /// Options of `authorized_keys` stand before the key.
    #[error("options stand before the key; leave out everything before its kind")]
    Options,
    /// A certificate where a key is expected.
    #[error(
        "this is a certificate, not a key; give the key itself, or that of the authority that issues certificates"
    )]
    Certificate,
    /// DSA, a curve that is not supported, or something that nobody has heard of.
    #[error(
        "keys of the kind `{0}` are not accepted; use `ssh-ed25519`, `ecdsa-sha2-nistp256`, `ecdsa-sha2-nistp384`, \
         `ssh-rsa` of at least {MIN_RSA_BITS} bits, or a security key (`sk-…`)"
    )]
    Kind(String),
    /// An RSA key that is too small, or larger than can be verified.
    #[error("the RSA key has {0} bits; it needs {MIN_RSA_BITS} to {MAX_RSA_BITS}")]
    RsaSize(usize),
    /// A comment that is too long, or has control characters.
    #[error(
        "the key's comment is not at most {MAX_KEY_COMMENT_LENGTH} characters without control characters"
    )]
    Comment,
}

impl From<Malformed> for KeyError {
    fn from(_: Malformed) -> Self {
        Self::Form("its bytes are not those of a key")
    }
}

/// What kind of key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// `ssh-ed25519`.
    Ed25519,
    /// `ecdsa-sha2-nistp256`.
    EcdsaP256,
    /// `ecdsa-sha2-nistp384`.
    EcdsaP384,
    /// `ssh-rsa`. Signatures are made with SHA-256 or SHA-512, never with SHA-1.
    Rsa,
    /// `sk-ssh-ed25519@openssh.com`, on a security key.
    SkEd25519,
    /// `sk-ecdsa-sha2-nistp256@openssh.com`, on a security key.
    SkEcdsaP256,
}

impl KeyAlgorithm {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Ed25519, Self::EcdsaP256, Self::EcdsaP384, Self::Rsa, Self::SkEd25519, Self::SkEcdsaP256];

    /// The name that stands in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ssh-ed25519",
            Self::EcdsaP256 => "ecdsa-sha2-nistp256",
            Self::EcdsaP384 => "ecdsa-sha2-nistp384",
            Self::Rsa => "ssh-rsa",
            Self::SkEd25519 => "sk-ssh-ed25519@openssh.com",
            Self::SkEcdsaP256 => "sk-ecdsa-sha2-nistp256@openssh.com",
        }
    }

    /// The name of certificates for such keys.
    pub(super) fn certificate_name(self) -> String {
        let name = self.name();
        format!("{}-cert-v01@openssh.com", name.strip_suffix("@openssh.com").unwrap_or(name))
    }

    /// Whether the key lies on a security key, which wants to be touched.
    pub fn is_hardware(self) -> bool {
        matches!(self, Self::SkEd25519 | Self::SkEcdsaP256)
    }
}

/// What the mathematics of a key needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Material {
    Ed25519([u8; 32]),
    /// The uncompressed point.
    Ecdsa(Vec<u8>),
    /// Both without zeros before them.
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    SkEd25519 {
        key: [u8; 32],
        application: String,
    },
    SkEcdsa {
        point: Vec<u8>,
        application: String,
    },
}

impl Material {
    /// Reads what stands behind the name of the kind, in keys as in certificates.
    pub(super) fn read(algorithm: KeyAlgorithm, reader: &mut Reader<'_>) -> Result<Self, KeyError> {
        match algorithm {
            KeyAlgorithm::Ed25519 => Ok(Self::Ed25519(ed25519_key(reader)?)),
            KeyAlgorithm::EcdsaP256 => Ok(Self::Ecdsa(point(reader, "nistp256", 65)?)),
            KeyAlgorithm::EcdsaP384 => Ok(Self::Ecdsa(point(reader, "nistp384", 97)?)),
            KeyAlgorithm::Rsa => {
                let (exponent, modulus) = (reader.mpint()?.to_vec(), reader.mpint()?.to_vec());
                let bits =
                    modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
                if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
                    return Err(KeyError::RsaSize(bits));
                }
                if exponent == [1] || exponent.len() > 4 || exponent.last().is_none_or(|byte| byte % 2 == 0) {
                    return Err(KeyError::Form("its RSA exponent is not one that is used"));
                }
                Ok(Self::Rsa { modulus, exponent })
            }
            KeyAlgorithm::SkEd25519 => {
                Ok(Self::SkEd25519 { key: ed25519_key(reader)?, application: application(reader)? })
            }
            KeyAlgorithm::SkEcdsaP256 => {
                Ok(Self::SkEcdsa { point: point(reader, "nistp256", 65)?, application: application(reader)? })
            }
        }
    }
}

fn ed25519_key(reader: &mut Reader<'_>) -> Result<[u8; 32], KeyError> {
    let key = reader.string()?.try_into().map_err(|_| Malformed)?;
    if ed25519::is_good_point(&key) {
        Ok(key)
    } else {
        Err(KeyError::Form("it is a key that fits any signature"))
    }
}

fn point(reader: &mut Reader<'_>, curve: &str, length: usize) -> Result<Vec<u8>, KeyError> {
    if reader.text()? != curve {
        return Err(KeyError::Form("its curve is not that of its kind"));
    }
    let point = reader.string()?;
    if point.len() != length || point[0] != 4 {
        return Err(KeyError::Form("its point is not an uncompressed one of its curve"));
    }
    Ok(point.to_vec())
}

/// Keys of other applications than `ssh:` belong to browsers, which sign for pages.
fn application(reader: &mut Reader<'_>) -> Result<String, KeyError> {
    let application = reader.text()?;
    if application.starts_with("ssh:") {
        Ok(application.to_owned())
    } else {
        Err(KeyError::Form("its application does not begin with `ssh:`"))
    }
}

/// A public key. Two with the same bytes are equal, whatever their comments say.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    material: Material,
    blob: Vec<u8>,
    comment: String,
}

impl PublicKey {
    /// From the bytes that the base64 in a line stands for; the comment is empty.
    pub fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        if blob.len() > MAX_KEY_LENGTH {
            return Err(KeyError::TooLong);
        }
        let mut reader = Reader::new(blob);
        let algorithm = kind(reader.text()?)?;
        let material = Material::read(algorithm, &mut reader)?;
        reader.end()?;
        Ok(Self { algorithm, material, blob: blob.to_vec(), comment: String::new() })
    }

    /// The same key with another comment.
    pub fn with_comment(mut self, comment: &str) -> Result<Self, KeyError> {
        let comment = comment.trim();
        if comment.chars().count() > MAX_KEY_COMMENT_LENGTH || comment.chars().any(char::is_control) {
            return Err(KeyError::Comment);
        }
        self.comment = comment.to_owned();
        Ok(self)
    }

    /// Its kind.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Its bytes in the wire format, as agents and certificates have them.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// What stands behind the key in its line: often whose it is, and never to be believed.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// What `ssh-keygen -l` shows.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.blob)
    }

    pub(super) fn material(&self) -> &Material {
        &self.material
    }
}

/// The kind of that name, or why it does not count.
fn kind(name: &str) -> Result<KeyAlgorithm, KeyError> {
    match KeyAlgorithm::ALL.iter().find(|algorithm| algorithm.name() == name) {
        Some(algorithm) => Ok(*algorithm),
        None if name.contains("-cert-v0") => Err(KeyError::Certificate),
        None => Err(KeyError::Kind(shown(name))),
    }
}

fn shown(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_debug).collect()
}

/// Takes a line apart into kind, bytes and comment.
pub(super) fn take_apart(line: &str) -> Result<(&str, Vec<u8>, &str), KeyError> {
    if line.len() > MAX_KEY_LENGTH {
        return Err(KeyError::TooLong);
    }
    let line = line.trim_matches([' ', '\t', '\r', '\n']);
    if line.contains(['\r', '\n']) {
        return Err(KeyError::Form("it has more than one line"));
    }
    let (name, rest) = line.split_once([' ', '\t']).ok_or(KeyError::Form("there is no second word"))?;
    if !["ssh-", "ecdsa-", "sk-"].iter().any(|beginning| name.starts_with(beginning)) {
        let later = line.split([' ', '\t']).any(|word| kind(word).is_ok());
        return Err(if later {
            KeyError::Options
        } else {
            KeyError::Form("its first word is no kind of key")
        });
    }
    let (encoded, comment) = rest.trim_start().split_once([' ', '\t']).unwrap_or((rest.trim_start(), ""));
    let blob = STANDARD.decode(encoded).map_err(|_| KeyError::Form("its second word is not base64"))?;
    Ok((name, blob, comment))
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// One line, as in a `.pub` file; a line break at its end does not matter.
    fn from_str(line: &str) -> Result<Self, KeyError> {
        let (name, blob, comment) = take_apart(line)?;
        kind(name)?;
        let key = Self::from_blob(&blob)?;
        if key.algorithm.name() != name {
            return Err(KeyError::Form("its first word is not the kind of the key behind it"));
        }
        key.with_comment(comment)
    }
}

impl fmt::Display for PublicKey {
    /// The line of a `.pub` file, without a line break.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.algorithm.name(), STANDARD.encode(&self.blob))?;
        if self.comment.is_empty() { Ok(()) } else { write!(formatter, " {}", self.comment) }
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.blob == other.blob
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.blob.hash(state);
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(line: String) -> Result<Self, KeyError> {
        line.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_string()
    }
}
