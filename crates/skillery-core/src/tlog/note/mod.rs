//! Signed notes: a text, and who signed it (signed-note). A checkpoint is one.

mod key;

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use key::{KeyError, KeyKind, SigningKey, VerifierKey};

/// Bytes of a note, with its signatures, at most.
const MAX_BYTES: usize = 1 << 20;
/// Signatures of a note at most.
const MAX_SIGNATURES: usize = 100;
/// The dash and the space that a line of a signature begins with.
const MARK: &str = "\u{2014} ";

/// A text that others may have signed. What [`Note::verify`] has not accepted says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What is signed, with the newline at its end.
    pub text: String,
    /// At least one, whether or not anybody knows its key.
    pub signatures: Vec<NoteSignature>,
}

/// One signature, which may be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The id of the key. Name and id together tell which key, and which kind of signature, it is.
    pub id: [u8; 4],
    /// What the key made, in the form of its kind. Never empty.
    pub signature: Vec<u8>,
}

/// A signature that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The name of the key.
    pub name: String,
    /// The id of the key.
    pub id: [u8; 4],
    /// When a cosigner signed, in seconds since 1970; other signatures have no time.
    pub time: Option<u64>,
}

/// Why a note is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The note, or the text to sign, is not of the form of signed-note; or it is longer than 1 MiB or has more than
    /// 100 signatures.
    #[error("this is not a signed note: {0}")]
    Malformed(&'static str),
    /// The signature of a known key is wrong.
    #[error("the signature of `{0}` is wrong")]
    WrongSignature(String),
    /// Two known keys have the same name and id.
    #[error("two known keys have the name `{0}` and the same id")]
    Ambiguous(String),
    /// No known key has signed it.
    #[error("no known key has signed the note")]
    NoKnownSignature,
    /// The key is for signatures of the other kind.
    #[error("the key `{0}` is not for signatures of this kind")]
    Kind(String),
}

impl Note {
    /// Reads a note: at most 1 MiB of UTF-8 without control characters, a text, an empty line, and 1 to 100 signatures.
    pub fn parse(note: impl AsRef<[u8]>) -> Result<Self, NoteError> {
        Self::read(note.as_ref())
    }

    fn read(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_BYTES {
            return Err(NoteError::Malformed("it is too long"));
        }
        let note = str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        check_characters(note)?;
        // The text may have empty lines of its own, and signatures may not.
        let at = note.rfind("\n\n").ok_or(NoteError::Malformed("no empty line is before the signatures"))?;
        let (text, rest) = note.split_at(at + 1);
        Ok(Self { text: text.to_owned(), signatures: parse_signatures(&rest[1..])? })
    }

    /// Who has signed. Signatures of keys other than these are ignored. If that of one of these is wrong, the whole note
    /// is; and so it is if none of them has signed. A key that signed several times is returned once, with the latest
    /// time.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<Verified>, NoteError> {
        let mut verified: Vec<Verified> = Vec::new();
        for signature in &self.signatures {
            let mut known =
                keys.iter().filter(|key| key.name() == signature.name && key.id() == signature.id);
            let Some(key) = known.next() else { continue };
            if known.any(|other| other != key) {
                return Err(NoteError::Ambiguous(signature.name.clone()));
            }
            let time = key
                .verify(&self.text, &signature.signature)
                .ok_or_else(|| NoteError::WrongSignature(signature.name.clone()))?;
            match verified.iter_mut().find(|one| one.name == signature.name && one.id == signature.id) {
                Some(before) => before.time = before.time.max(time),
                None => verified.push(Verified { name: signature.name.clone(), id: signature.id, time }),
            }
        }
        if verified.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(verified) }
    }
}

impl FromStr for Note {
    type Err = NoteError;

    fn from_str(note: &str) -> Result<Self, NoteError> {
        Self::parse(note)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(formatter, "{signature}"))
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    /// Reads the line of a signature, without the newline.
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a signature is not of the form `— name base64`");
        let Some((name, encoded)) = line.strip_prefix(MARK).and_then(|rest| rest.split_once(' ')) else {
            return Err(malformed);
        };
        let Ok(bytes) = STANDARD.decode(encoded) else { return Err(malformed) };
        match bytes.split_first_chunk() {
            Some((id, signature)) if key::is_name(name) && !signature.is_empty() => {
                Ok(Self { name: name.to_owned(), id: *id, signature: signature.to_vec() })
            }
            _ => Err(malformed),
        }
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.id[..], &self.signature].concat();
        write!(formatter, "{MARK}{} {}", self.name, STANDARD.encode(bytes))
    }
}

/// Reads lines of signatures, each with its newline: the end of a note, or the answer of a witness. At least one and at
/// most 100.
pub fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    let lines = lines.strip_suffix('\n').ok_or(NoteError::Malformed("its last line does not end"))?;
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        if signatures.len() == MAX_SIGNATURES {
            return Err(NoteError::Malformed("it has too many signatures"));
        }
        signatures.push(line.parse()?);
    }
    Ok(signatures)
}

/// Whether this may be the text of a note.
fn check_text(text: &str) -> Result<(), NoteError> {
    if !text.ends_with('\n') {
        return Err(NoteError::Malformed("its text does not end with a newline"));
    }
    check_characters(text)
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::Malformed("it has a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
