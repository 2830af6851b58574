//! Signatures and approvals as they are kept beside an installed version, with everything that they rest on, so that whoever
//! has the key of the log checks them by arithmetic, whether the registry is there or not.
//!
//! Proofs change whenever the log grew. Files with proofs are named by what is in them, so that newer ones are written beside
//! those that are read now, and take their place with the manifest that names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use skillery_core::Digest;
use skillery_core::sign::author::SignatureKind;

use super::LogError;
use super::approved::KeptApprovals;
use super::entries::proven;
use super::rotation::Believed;
use super::signed::{SignedView, check_statement, judge_kept, not_signed};
use super::version::Offered;
use crate::error::{Error, Result};

/// What the name of the file with what approves the version begins with.
const APPROVALS_PREFIX: &str = "skill.approvals.";
/// The file with the statement.
pub(crate) const STATEMENT_FILE: &str = "skill.statement.json";
/// What the names of files with signatures begin with.
const SIGNATURE_PREFIX: &str = "skill.signature.";
const SSHSIG: &str = ".sshsig";
const BUNDLE: &str = ".sigstore.json";
const GROUNDS: &str = ".grounds.json";
const APPROVALS: &str = ".json";
/// Letters of a digest in the names of files.
const SHORT: usize = 16;

/// Whether something may be kept in a file of this name.
pub(crate) fn is_kept_file(name: &str) -> bool {
    let is_one = name == STATEMENT_FILE || name.starts_with(SIGNATURE_PREFIX) || is_approvals(name);
    is_one && !name.contains(['/', '\\'])
}

fn is_approvals(name: &str) -> bool {
    name.starts_with(APPROVALS_PREFIX) && name.ends_with(APPROVALS)
}

/// What stands for a text in the name of a file.
fn short(text: &str) -> String {
    let mut digest = Digest::of(text.as_bytes()).to_string();
    digest.truncate(SHORT);
    digest
}

/// What is kept of a version, as far as it was demanded.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its signatures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signatures: Option<KeptSignatures>,
    /// What approves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approvals: Option<KeptApprovals>,
}

impl Kept {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.signatures.is_none() && self.approvals.is_none()
    }

    /// With what is kept elsewhere of the same version, where nothing of that kind is kept here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            signatures: self.signatures.or(other.signatures),
            approvals: self.approvals.or(other.approvals),
        }
    }

    /// The files that it is kept in, by name.
    pub(crate) fn to_files(&self) -> Result<BTreeMap<String, String>> {
        let mut files = match &self.signatures {
            Some(signatures) => signatures.to_files()?,
            None => BTreeMap::new(),
        };
        if let Some(approvals) = &self.approvals {
            let text = serde_json::to_string_pretty(approvals)
                .map_err(Error::internal("write what approves a version as JSON"))?;
            files.insert(format!("{APPROVALS_PREFIX}{}{APPROVALS}", short(&text)), text);
        }
        Ok(files)
    }

    /// Reads the files again. What is wrong with them is told with the name of the file.
    pub(crate) fn from_files(
        mut files: BTreeMap<String, String>,
    ) -> std::result::Result<Self, (String, String)> {
        let mut approvals = None;
        for (name, text) in files.extract_if(.., |name, _| is_approvals(name)) {
            let kept = serde_json::from_str(&text).map_err(|error| (name, error.to_string()))?;
            approvals = Some(kept);
        }
        let signatures = match files.is_empty() {
            true => None,
            false => Some(KeptSignatures::from_files(&files)?),
        };
        Ok(Self { signatures, approvals })
    }
}

/// A version's signatures, one of which was demanded.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// The first that counts.
    pub view: SignedView,
    /// All that count, and what they rest on.
    pub kept: KeptSignatures,
}

/// A statement, and the signatures over it that count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSignatures {
    /// The statement, byte for byte.
    pub statement: String,
    /// The oldest first; at least one.
    pub signatures: Vec<KeptSignature>,
}

/// A signature, and what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSignature {
    /// Its form.
    pub kind: SignatureKind,
    /// The signature, byte for byte.
    pub value: String,
    /// The key that was enrolled.
    pub public_key: String,
    /// The name of the signer.
    pub signer: String,
    /// The proof of the entry that names the signature (c2sp.org/tlog-proof).
    pub entry: String,
    /// The proof of the entry that enrolled the key.
    pub enrolled: String,
    /// The proof of the entry that let the signer publish there.
    pub member: String,
}

/// What a signature rests on, as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GroundsForm {
    signer: String,
    public_key: String,
    entry: String,
    enrolled: String,
    member: String,
}

impl KeptSignatures {
    /// SHA-256 of the statement.
    pub fn statement_digest(&self) -> Digest {
        Digest::of(self.statement.as_bytes())
    }

    /// The files that they are kept in, by name: the statement, each signature as other programs read it, and beside
    /// each what it rests on.
    fn to_files(&self) -> Result<BTreeMap<String, String>> {
        let mut files = BTreeMap::from([(STATEMENT_FILE.to_owned(), self.statement.clone())]);
        for signature in &self.signatures {
            let KeptSignature { kind, value, public_key, signer, entry, enrolled, member } =
                signature.clone();
            let name = format!("{SIGNATURE_PREFIX}{}", short(&value));
            let ending = match kind {
                SignatureKind::SshSig => SSHSIG,
                SignatureKind::Dsse => BUNDLE,
            };
            let form = GroundsForm { signer, public_key, entry, enrolled, member };
            let grounds = serde_json::to_string_pretty(&form)
                .map_err(Error::internal("write what a signature rests on as JSON"))?;
            files.insert(format!("{name}.{}{GROUNDS}", short(&grounds)), grounds);
            files.insert(format!("{name}{ending}"), value);
        }
        Ok(files)
    }

    /// Reads the files again. What is wrong with them is told with the name of the file.
    fn from_files(files: &BTreeMap<String, String>) -> std::result::Result<Self, (String, String)> {
        let missing = |name: &str| (name.to_owned(), "it is missing".to_owned());
        let statement = files.get(STATEMENT_FILE).ok_or_else(|| missing(STATEMENT_FILE))?.clone();
        let mut signatures = Vec::new();
        for (name, value) in files {
            let (stem, kind) = match (name.strip_suffix(SSHSIG), name.strip_suffix(BUNDLE)) {
                (Some(stem), _) => (stem, SignatureKind::SshSig),
                (_, Some(stem)) => (stem, SignatureKind::Dsse),
                _ => continue,
            };
            let grounds = format!("{stem}.");
            let is_its = |other: &&String| other.starts_with(&grounds) && other.ends_with(GROUNDS);
            let grounds = files.keys().find(is_its).ok_or_else(|| missing(&format!("{stem}{GROUNDS}")))?;
            let GroundsForm { signer, public_key, entry, enrolled, member } =
                serde_json::from_str(&files[grounds])
                    .map_err(|error| (grounds.clone(), error.to_string()))?;
            let value = value.clone();
            signatures.push(KeptSignature { kind, value, public_key, signer, entry, enrolled, member });
        }
        if signatures.is_empty() {
            return Err(missing(SIGNATURE_PREFIX));
        }
        Ok(Self { statement, signatures })
    }
}

/// Checks signatures that are kept, without asking anybody: each of them must count, by entries that are in the log of these
/// keys. Returns who signed, the oldest first.
pub fn check_kept_signatures(
    kept: &KeptSignatures,
    keys: &[Believed],
    offered: &Offered<'_>,
) -> Result<Vec<SignedView>> {
    // Keys change, the name of a log never does.
    let name = keys.first().map_or("", |believed| believed.key.name());
    check_statement(offered, name, &kept.statement)?;
    let mut views = Vec::with_capacity(kept.signatures.len());
    for signature in &kept.signatures {
        let proven = |text: &str| proven(text, keys).map_err(|reason| not_signed(offered, reason));
        let (at, entry) = proven(&signature.entry)?;
        let (enrolled_at, enrolled) = proven(&signature.enrolled)?;
        let (member_at, member) = proven(&signature.member)?;
        let grounds = [(enrolled_at, &enrolled), (member_at, &member)];
        views.push(judge_kept(offered, &kept.statement, signature, (at, &entry), grounds)?);
    }
    views.sort_by_key(|view| view.log_index);
    if views.is_empty() {
        return Err(not_signed(offered, "no signature is kept"));
    }
    Ok(views)
}

/// That nothing is kept by which a signature could be checked again.
pub(crate) fn not_kept(offered: &Offered<'_>) -> Error {
    LogError::NotKept { id: offered.id.clone(), version: offered.version.clone() }.into()
}
