//! Keys of notes, and what the two kinds of signatures sign.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::{NoteError, NoteSignature, check_text};
use crate::Digest;

const PRIVATE: &str = "PRIVATE+KEY+";
const SIGNATURE_BYTES: usize = 64;
/// Times of cosignatures are at most 2^63 - 1 (tlog-cosignature).
const MAX_TIME: u64 = i64::MAX as u64;

/// What a key is for. The number is its signature type in signed-note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// Ed25519 over the text of the note: logs sign so.
    Ed25519 = 0x01,
    /// Ed25519 over a time and the text of the note: witnesses sign so (tlog-cosignature).
    CosignatureV1 = 0x04,
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The parts are not there, or not encoded as they should be.
    #[error("a key is written as `name+id+base64`")]
    Form,
    /// The name is empty, or has a space, a plus or a control character.
    #[error("the name of a key has at least one character, and no space, plus or control character")]
    Name,
    /// The kind is neither Ed25519 nor cosignature/v1, or the key has not the 32 bytes that they have.
    #[error("the key is of a kind that is not known")]
    Kind,
    /// The id does not follow from name, kind and key.
    #[error("the id of the key does not fit the key")]
    Id,
}

/// A public key with the name and id that its signatures carry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    kind: KeyKind,
    key: [u8; 32],
}

/// Whether a key may have this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|character: char| character.is_whitespace() || character == '+' || character < ' ')
}

impl KeyKind {
    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ed25519, Self::CosignatureV1].into_iter().find(|kind| *kind as u8 == byte)
    }
}

impl VerifierKey {
    /// The key of a name and 32 bytes of Ed25519 (RFC 8032). Whether the bytes are a point of the curve shows when a
    /// signature is verified.
    pub fn new(name: &str, kind: KeyKind, key: [u8; 32]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let mut hashed = name.as_bytes().to_vec();
        hashed.extend_from_slice(&[b'\n', kind as u8]);
        hashed.extend_from_slice(&key);
        let [first, second, third, fourth, ..] = *Digest::of(&hashed).bytes();
        Ok(Self { name: name.to_owned(), id: [first, second, third, fourth], kind, key })
    }

    /// Its name, usually that of a log or a witness.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id: four bytes that follow from name, kind and key. They tell keys apart and prove nothing.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// What it is for.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 bytes of the key (RFC 8032).
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// What people compare: `SHA256:` and the unpadded base64 of the hash of kind and key. The name is not part of it.
    pub fn fingerprint(&self) -> String {
        format!("SHA256:{}", STANDARD_NO_PAD.encode(Digest::of(&material(self.kind, &self.key)).bytes()))
    }

    /// Whether the signature is one of this key over the text: if so, the time of a cosignature and nothing for other
    /// kinds.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        let key = UnparsedPublicKey::new(&ED25519, &self.key);
        match self.kind {
            KeyKind::Ed25519 => key.verify(text.as_bytes(), signature).ok().map(|()| None),
            KeyKind::CosignatureV1 => {
                let (seconds, signature) = signature.split_first_chunk()?;
                let seconds = u64::from_be_bytes(*seconds);
                let signed = cosigned(text, seconds);
                (seconds <= MAX_TIME && key.verify(signed.as_bytes(), signature).is_ok())
                    .then_some(Some(seconds))
            }
        }
    }
}

fn material(kind: KeyKind, key: &[u8; 32]) -> Vec<u8> {
    [&[kind as u8][..], key].concat()
}

/// What a witness signs.
fn cosigned(text: &str, seconds: u64) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

/// A key that is written as `name+id+base64`, public or private.
struct Parts<'a> {
    name: &'a str,
    id: [u8; 4],
    kind: KeyKind,
    bytes: [u8; 32],
}

impl<'a> Parts<'a> {
    fn parse(text: &'a str) -> Result<Self, KeyError> {
        // The base64 at the end may have a plus of its own.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(digits), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Form);
        };
        let mut id = [0; 4];
        hex::decode_to_slice(digits, &mut id).map_err(|_| KeyError::Form)?;
        if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(KeyError::Form);
        }
        let bytes = STANDARD.decode(encoded).map_err(|_| KeyError::Form)?;
        let (kind, bytes) = bytes.split_first().ok_or(KeyError::Kind)?;
        let kind = KeyKind::from_byte(*kind).ok_or(KeyError::Kind)?;
        Ok(Self { name, id, kind, bytes: bytes.try_into().map_err(|_| KeyError::Kind)? })
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    /// Reads `name+id+base64`, where the id is eight lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parts = Parts::parse(text)?;
        let key = Self::new(parts.name, parts.kind, parts.bytes)?;
        if key.id == parts.id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = STANDARD.encode(material(self.kind, &self.key));
        write!(formatter, "{}+{}+{encoded}", self.name, hex::encode(self.id))
    }
}

/// A private key. It shows itself only through [`SigningKey::expose`].
pub struct SigningKey {
    verifier: VerifierKey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// The key that follows from 32 random bytes (RFC 8032).
    pub fn from_seed(name: &str, kind: KeyKind, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Kind)?;
        let key = pair.public_key().as_ref().try_into().map_err(|_| KeyError::Kind)?;
        Ok(Self { verifier: VerifierKey::new(name, kind, key)?, seed: *seed, pair })
    }

    /// The public key to it.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The secret itself, `PRIVATE+KEY+name+id+base64`, for the one place that stores it.
    pub fn expose(&self) -> String {
        let encoded = STANDARD.encode(material(self.verifier.kind, &self.seed));
        format!("{PRIVATE}{}+{}+{encoded}", self.verifier.name, hex::encode(self.verifier.id))
    }

    /// Signs the text of a note. Fails if it cannot be one, and for a key of cosignatures: it must never sign a text as
    /// it is, since that could be what a cosignature over something else signs.
    pub fn sign(&self, text: &str) -> Result<NoteSignature, NoteError> {
        self.check(KeyKind::Ed25519, text)?;
        Ok(self.signature(self.pair.sign(text.as_bytes()).as_ref().to_vec()))
    }

    /// Cosigns the text of a checkpoint at a time, in seconds since 1970 and at most 2^63 - 1. Fails if it cannot be
    /// such a text, and for a key of another kind.
    pub fn cosign(&self, text: &str, seconds: u64) -> Result<NoteSignature, NoteError> {
        self.check(KeyKind::CosignatureV1, text)?;
        if seconds > MAX_TIME {
            return Err(NoteError::Malformed("its time is too large"));
        }
        let mut signature = Vec::with_capacity(8 + SIGNATURE_BYTES);
        signature.extend_from_slice(&seconds.to_be_bytes());
        signature.extend_from_slice(self.pair.sign(cosigned(text, seconds).as_bytes()).as_ref());
        Ok(self.signature(signature))
    }

    fn check(&self, kind: KeyKind, text: &str) -> Result<(), NoteError> {
        if self.verifier.kind != kind {
            return Err(NoteError::Kind(self.verifier.name.clone()));
        }
        check_text(text)
    }

    fn signature(&self, signature: Vec<u8>) -> NoteSignature {
        NoteSignature { name: self.verifier.name.clone(), id: self.verifier.id, signature }
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    /// Reads what [`SigningKey::expose`] writes.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parts = Parts::parse(text.strip_prefix(PRIVATE).ok_or(KeyError::Form)?)?;
        let key = Self::from_seed(parts.name, parts.kind, &parts.bytes)?;
        if key.verifier.id == parts.id { Ok(key) } else { Err(KeyError::Id) }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({}, ***)", self.verifier)
    }
}
