//! The text of a policy. It is bytes: names are compared as they are, and need not be UTF-8.

use std::collections::{HashMap, HashSet};

use super::{Group, Member, Policy, PolicyLog, PolicyWitness};
use crate::tlog::note::{KeyKind, VerifierKey};
use crate::tlog::parse_decimal;

/// Bytes of a policy at most.
const MAX_BYTES: usize = 1 << 20;
/// The name that stands for no witness at all.
const NONE: &[u8] = b"none";

/// Why a text is no policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// More than 1 MiB.
    #[error("the policy is too long")]
    TooLong,
    /// There is no line that says what the quorum is.
    #[error("the policy has no quorum line")]
    NoQuorum,
    /// A line is not right.
    #[error("line {number} of the policy is wrong: {reason}")]
    Line {
        /// Its number, from 1.
        number: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl Policy {
    /// Reads a policy (tlog-policy, Policy file syntax and structure).
    pub fn parse(text: impl AsRef<[u8]>) -> Result<Self, PolicyError> {
        read(text.as_ref())
    }
}

fn read(text: &[u8]) -> Result<Policy, PolicyError> {
    if text.len() > MAX_BYTES {
        return Err(PolicyError::TooLong);
    }
    let mut reader = Reader::default();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        reader.line(line).map_err(|reason| PolicyError::Line { number: index + 1, reason })?;
    }
    let quorum = reader.quorum.ok_or(PolicyError::NoQuorum)?;
    Ok(Policy { logs: reader.logs, witnesses: reader.witnesses, groups: reader.groups, quorum })
}

/// What the lines so far have defined.
#[derive(Default)]
struct Reader<'a> {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    names: HashMap<&'a [u8], Member>,
    log_keys: HashSet<[u8; 32]>,
    witness_keys: HashSet<[u8; 32]>,
    /// Who is in a group: nobody is twice, so that nobody counts twice.
    members: HashSet<Member>,
}

impl<'a> Reader<'a> {
    fn line(&mut self, line: &'a [u8]) -> Result<(), &'static str> {
        if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
            return Err("it has a control character");
        }
        let words: Vec<_> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with(b"#") => Ok(()),
            [b"log", key, url @ ..] if url.len() < 2 => self.log(key, url.first()),
            [b"witness", name, key, url @ ..] if url.len() < 2 => self.witness(name, key, url.first()),
            [b"group", name, threshold, members @ ..] if !members.is_empty() => {
                self.group(name, threshold, members)
            }
            [b"quorum", name] => self.set_quorum(name),
            [b"log" | b"witness" | b"group" | b"quorum", ..] => Err("it has too few or too many words"),
            _ => Err("it begins with none of `log`, `witness`, `group` and `quorum`"),
        }
    }

    fn log(&mut self, key: &[u8], url: Option<&&[u8]>) -> Result<(), &'static str> {
        let key = parse_key(key)?;
        if key.kind() != KeyKind::Ed25519 {
            return Err("the key of a log is not one for cosignatures");
        }
        if !self.log_keys.insert(*key.key()) {
            return Err("the key of the log is there twice");
        }
        self.logs.push(PolicyLog { key, url: url.map(|url| text(url)) });
        Ok(())
    }

    fn witness(&mut self, name: &'a [u8], key: &[u8], url: Option<&&[u8]>) -> Result<(), &'static str> {
        let key = parse_key(key)?;
        if key.kind() != KeyKind::CosignatureV1 {
            return Err("the key of a witness has to be one for cosignatures");
        }
        if !self.witness_keys.insert(*key.key()) {
            return Err("the key of the witness is there twice");
        }
        self.define(name, Member::Witness(self.witnesses.len()))?;
        self.witnesses.push(PolicyWitness { name: text(name), key, url: url.map(|url| text(url)) });
        Ok(())
    }

    fn group(&mut self, name: &'a [u8], threshold: &[u8], names: &[&'a [u8]]) -> Result<(), &'static str> {
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let member = *self.names.get(name).ok_or("a member of the group is not defined before")?;
            if !self.members.insert(member) {
                return Err("a member of the group is one of a group already");
            }
            members.push(member);
        }
        let threshold = match threshold {
            b"any" => 1,
            b"all" => members.len(),
            _ => str::from_utf8(threshold)
                .ok()
                .and_then(parse_decimal)
                .and_then(|number| usize::try_from(number).ok())
                .filter(|number| (1..=members.len()).contains(number))
                .ok_or("the group needs `any`, `all`, or a number from 1 to that of its members")?,
        };
        self.define(name, Member::Group(self.groups.len()))?;
        self.groups.push(Group { threshold, members });
        Ok(())
    }

    fn set_quorum(&mut self, name: &[u8]) -> Result<(), &'static str> {
        let member = match name {
            NONE => None,
            _ => Some(*self.names.get(name).ok_or("the quorum is not defined before")?),
        };
        match self.quorum.replace(member) {
            None => Ok(()),
            Some(_) => Err("there is a quorum line already"),
        }
    }

    fn define(&mut self, name: &'a [u8], member: Member) -> Result<(), &'static str> {
        if name == NONE || self.names.insert(name, member).is_some() {
            return Err("the name is taken");
        }
        Ok(())
    }
}

fn parse_key(word: &[u8]) -> Result<VerifierKey, &'static str> {
    let text = str::from_utf8(word).map_err(|_| "the key is not UTF-8")?;
    text.parse().map_err(|_| "the key is not of the form `name+id+base64`, or of a kind that is not known")
}

/// For people: bytes that are not UTF-8 show as such.
fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}
