//! Entries of the log as they are hashed.
//!
//! An *entry* is the canonical JSON of one change. A *leaf* is what the tree holds for it: the entry itself, or, where
//! not everybody may see what was changed, a commitment to it. Whoever may see the entry is given its *opening*: the
//! entry and the salt, from which the leaf is made again.

use serde::{Deserialize, Serialize};

use crate::canonical::{canonical_json, canonical_value};
use crate::event::Event;
use crate::limits::MAX_ENTRY_BYTES;
use crate::time::Time;
use crate::{Digest, SkillId, tlog};

/// The form of entries and leaves.
const FORM: u32 = 1;

/// One change, with when, by whom, and what came before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub time: Time,
    /// The id of the user who did it; none for the registry itself.
    pub actor: Option<String>,
    /// The number of the entry before this one about the same skill.
    pub prev: Option<u64>,
    /// What was done.
    pub event: Event,
    /// The skill that it is about; which entries of kinds say, too, that this program does not know.
    about: Option<SkillId>,
}

#[derive(Serialize, Deserialize)]
struct EntryForm {
    v: u32,
    time: Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prev: Option<u64>,
    #[serde(flatten)]
    event: Event,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitmentForm {
    v: u32,
    time: Time,
    commitment: Digest,
}

/// The bytes are no entry, or no leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// They are no JSON of the form.
    #[error("it is no entry: {0}")]
    Form(String),
    /// The form is newer than this program.
    #[error("its form is {0}, and this program reads {FORM}")]
    Newer(u32),
    /// The same value has another text.
    #[error("it is not written as canonical JSON")]
    NotCanonical,
    /// It is too large.
    #[error("it has more than {MAX_ENTRY_BYTES} bytes")]
    TooLarge,
}

fn form_error(error: serde_json::Error) -> EntryError {
    EntryError::Form(error.to_string())
}

/// The skill that an entry of any kind is about.
#[derive(Deserialize)]
struct About {
    skill: Option<SkillId>,
}

impl Entry {
    /// An entry of a kind that this program knows.
    pub fn new(time: Time, actor: Option<String>, prev: Option<u64>, event: Event) -> Self {
        let about = event.skill().cloned();
        Self { time, actor, prev, event, about }
    }

    /// The skill that it is about, if it is about one.
    pub fn skill(&self) -> Option<&SkillId> {
        self.about.as_ref()
    }

    /// The canonical JSON (RFC 8785): the same entry has the same bytes everywhere.
    pub fn to_text(&self) -> Result<String, EntryError> {
        let form = EntryForm {
            v: FORM,
            time: self.time,
            actor: self.actor.clone(),
            prev: self.prev,
            event: self.event.clone(),
        };
        let text = canonical(&form)?;
        if text.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLarge);
        }
        Ok(text)
    }

    /// Reads an entry. A kind that this program does not know becomes [`Event::Unknown`].
    pub fn parse(text: &str) -> Result<Self, EntryError> {
        if text.len() > MAX_ENTRY_BYTES {
            return Err(EntryError::TooLarge);
        }
        let value: serde_json::Value = serde_json::from_str(text).map_err(form_error)?;
        let canonical = canonical_value(&value).map_err(|error| EntryError::Form(error.to_string()))?;
        if canonical != text.as_bytes() {
            return Err(EntryError::NotCanonical);
        }
        let about = About::deserialize(&value).ok().and_then(|about| about.skill);
        let EntryForm { v, time, actor, prev, event } = serde_json::from_value(value).map_err(form_error)?;
        if v != FORM {
            return Err(EntryError::Newer(v));
        }
        Ok(Self { time, actor, prev, event, about })
    }
}

fn canonical(value: &impl Serialize) -> Result<String, EntryError> {
    let bytes = canonical_json(value).map_err(|error| EntryError::Form(error.to_string()))?;
    String::from_utf8(bytes).map_err(|error| EntryError::Form(error.to_string()))
}

/// What hides an entry: 32 random bytes, as 64 hexadecimal digits in texts.
pub type Salt = Digest;

/// An entry, with what its leaf was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Opening {
    /// The canonical JSON of the entry.
    pub entry: String,
    /// The salt of its commitment, 64 hexadecimal digits, where the leaf is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub salt: Option<Salt>,
}

impl Opening {
    /// The leaf: the entry itself; with a salt, `{"commitment":…,"time":…,"v":1}`.
    pub fn leaf(&self) -> Result<Vec<u8>, EntryError> {
        let Some(salt) = &self.salt else { return Ok(self.entry.as_bytes().to_vec()) };
        let time = self.parse()?.time;
        let form = CommitmentForm { v: FORM, time, commitment: commitment(salt, &self.entry) };
        Ok(canonical(&form)?.into_bytes())
    }

    /// The hash that the tree holds for it.
    pub fn leaf_hash(&self) -> Result<Digest, EntryError> {
        Ok(tlog::leaf_hash(&self.leaf()?))
    }

    /// The entry as a value.
    pub fn parse(&self) -> Result<Entry, EntryError> {
        Entry::parse(&self.entry)
    }
}

/// SHA-256 of the salt's 32 bytes, then the entry's.
pub fn commitment(salt: &Salt, entry: &str) -> Digest {
    Digest::of(&[salt.bytes().as_slice(), entry.as_bytes()].concat())
}

/// A leaf, as everybody sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Leaf {
    /// Everything is said.
    Open(Box<Entry>),
    /// Only when something happened, and a commitment to what.
    Hidden {
        /// When.
        time: Time,
        /// [`commitment`] of the salt and the entry.
        commitment: Digest,
    },
}

impl Leaf {
    /// Reads a leaf.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let text = std::str::from_utf8(bytes).map_err(|error| EntryError::Form(error.to_string()))?;
        if !text.starts_with("{\"commitment\":") {
            return Ok(Self::Open(Box::new(Entry::parse(text)?)));
        }
        let form: CommitmentForm = serde_json::from_str(text).map_err(form_error)?;
        if canonical(&form)? != text {
            return Err(EntryError::NotCanonical);
        }
        if form.v != FORM {
            return Err(EntryError::Newer(form.v));
        }
        Ok(Self::Hidden { time: form.time, commitment: form.commitment })
    }

    /// When it happened.
    pub fn time(&self) -> Time {
        match self {
            Self::Open(entry) => entry.time,
            Self::Hidden { time, .. } => *time,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    fn entry() -> Entry {
        let event = Event::VersionYanked {
            skill: "acme/email".parse::<SkillId>().unwrap(),
            version: "1.2.3".parse::<Version>().unwrap(),
        };
        Entry::new(Time::from_micros(1_767_323_045_000_000), Some("u1".to_owned()), Some(7), event)
    }

    #[test]
    fn an_entry_is_canonical_json() {
        let text = entry().to_text().unwrap();
        assert_eq!(
            text,
            r#"{"actor":"u1","kind":"version.yanked","prev":7,"skill":"acme/email","time":"2026-01-02T03:04:05Z","v":1,"version":"1.2.3"}"#
        );
        assert_eq!(Entry::parse(&text).unwrap(), entry());
        assert_eq!(Entry::parse(&text.replace(",\"v\"", ", \"v\"")), Err(EntryError::NotCanonical));
        assert_eq!(Entry::parse(&text.replace("\"v\":1", "\"v\":2")), Err(EntryError::Newer(2)));
        let unknown = Entry::parse(&text.replace("version.yanked", "version.zapped")).unwrap();
        assert_eq!((&unknown.event, unknown.skill()), (&Event::Unknown, entry().skill()));
        assert_eq!(unknown.skill().unwrap().as_str(), "acme/email");
    }

    #[test]
    fn a_hidden_leaf_says_nothing_and_opens() {
        let entry = entry().to_text().unwrap();
        let open = Opening { entry: entry.clone(), salt: None };
        assert_eq!(open.leaf().unwrap(), entry.as_bytes());
        let hidden = Opening { entry: entry.clone(), salt: Some(Digest::of(b"salt")) };
        let leaf = hidden.leaf().unwrap();
        let Leaf::Hidden { commitment: said, time } = Leaf::parse(&leaf).unwrap() else { panic!() };
        assert_eq!(said, commitment(&Digest::of(b"salt"), &entry));
        assert_eq!(time, Entry::parse(&entry).unwrap().time);
        assert!(!String::from_utf8(leaf).unwrap().contains("acme"));
        let other = Opening { entry, salt: Some(Digest::of(b"other")) };
        assert_ne!(hidden.leaf_hash().unwrap(), other.leaf_hash().unwrap());
    }

    #[test]
    fn an_entry_cannot_pass_for_a_commitment() {
        let leaf = r#"{"commitment":"00","time":"2026-01-02T03:04:05Z","v":1}"#;
        assert!(matches!(Leaf::parse(leaf.as_bytes()), Err(EntryError::Form(_))));
        assert!(Entry::parse(leaf).is_err());
    }
}
