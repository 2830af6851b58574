//! OpenSSF Model Signing: the signature that skills from elsewhere may carry, as `skill.oms.sig`.
//!
//! It is a Sigstore bundle ([`dsse`](crate::sign::dsse)) around an in-toto statement that lists every file with its
//! SHA-256 (<https://github.com/sigstore/model-transparency>, predicate `https://model_signing/signature/v1.0`). The
//! program `model_signing` from PyPI makes and checks them; it knows ECDSA keys and X.509 certificates.
//!
//! That program leaves out files that Git has for itself, and whatever else the signer says. Here only the former may be
//! left out, and are named: with a signature that fits, everything else was signed.

use std::collections::{BTreeMap, BTreeSet};

use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::bundle::{BundleFile, check_path};
use crate::canonical::canonical_json;
use crate::sign::dsse::{Bundle, BundleError, Material};
use crate::sign::pem::{PemAlgorithm, PemPrivateKey, PemPublicKey};
use crate::sign::statement::STATEMENT_TYPE;
use crate::sign::x509::{self, CertificateSigner, Roots, X509Error};
use crate::time::Time;

/// The type of what the statement says.
pub const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// Where a skill carries its signature.
pub const SIGNATURE_FILE: &str = "skill.oms.sig";
/// What `model_signing` never looks at.
const GIT_PATHS: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// Why a signature says nothing good of these files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OmsError {
    /// No bundle, or one whose signature does not fit.
    #[error("{0}")]
    Bundle(BundleError),
    /// The signer's certificate does not count.
    #[error("{0}")]
    Certificate(X509Error),
    /// A key where a certificate is expected, or the other way round.
    #[error("the signature is to be checked with {found}, and not with {given}")]
    OtherMaterial {
        /// What the signature names.
        found: &'static str,
        /// What the caller has.
        given: &'static str,
    },
    /// What was signed is no statement of this kind.
    #[error("what was signed is not a list of files by Model Signing: {0}")]
    Form(String),
    /// Something that the format allows, and is not supported.
    #[error("the signature uses {what} `{found}`, and only `{supported}` is supported")]
    Unsupported {
        /// In words.
        what: &'static str,
        /// What it says, escaped.
        found: String,
        /// What it has to be.
        supported: &'static str,
    },
    /// The digest over all files is not that of the list.
    #[error("the signed list of files contradicts itself: its digest is another one")]
    ListDigest,
    /// A signed file is not there.
    #[error("the file `{0}` was signed and is missing")]
    Missing(String),
    /// A file is there that was not signed.
    #[error("the file `{0}` was not signed")]
    Extra(String),
    /// A file is another one than was signed.
    #[error("the file `{0}` is not what was signed")]
    Differs(String),
    /// Others cannot check signatures by this kind of key.
    #[error("Model Signing needs an ECDSA key on P-256 or P-384")]
    KeyKind,
}

impl From<BundleError> for OmsError {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}

/// What a caller trusts.
#[derive(Debug, Clone, Copy)]
pub enum Trust<'a> {
    /// This key.
    Key(&'a PemPublicKey),
    /// Whoever has a certificate from one of these authorities that is valid at that time. The signature itself has no
    /// time; `model_signing` takes the first moment of the signer's certificate.
    Authorities {
        /// The authorities.
        roots: &'a Roots,
        /// When the certificate has to be valid.
        at: Time,
    },
}

/// Who signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OmsSigner {
    /// The key that was given, by its fingerprint.
    Key(Digest),
    /// Who has this certificate.
    Certificate(CertificateSigner),
}

/// What a good signature says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmsVerified {
    /// What the signer calls the whole, as it says; usually the folder's name.
    pub name: String,
    /// Who signed.
    pub signer: OmsSigner,
    /// How many files were signed.
    pub signed: usize,
    /// The files that were not signed, because they are Git's, sorted.
    pub left_out: Vec<String>,
}

/// A signature that was made here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OmsSigned {
    /// The content of [`SIGNATURE_FILE`].
    pub json: String,
    /// The files that could not be signed, because they are Git's and others do not look at them.
    pub left_out: Vec<String>,
}

/// Checks a signature over files. The file [`SIGNATURE_FILE`] may be among them and is passed over.
pub fn verify(signature: &[u8], files: &[BundleFile], trust: Trust<'_>) -> Result<OmsVerified, OmsError> {
    let bundle = Bundle::parse(signature)?;
    let signer = match (trust, bundle.material()) {
        (Trust::Key(key), Material::PublicKey { .. }) => {
            bundle.verify(key)?;
            OmsSigner::Key(key.fingerprint())
        }
        (Trust::Authorities { roots, at }, Material::Certificates(chain)) => {
            let signer = x509::verify(chain, roots, at, &bundle.signed_bytes(), bundle.signature());
            OmsSigner::Certificate(signer.map_err(OmsError::Certificate)?)
        }
        (Trust::Key(_), Material::Certificates(_)) => {
            return Err(OmsError::OtherMaterial { found: "certificates", given: "a key" });
        }
        (Trust::Authorities { .. }, Material::PublicKey { .. }) => {
            return Err(OmsError::OtherMaterial { found: "a key", given: "authorities" });
        }
    };
    let (name, signed) = read_list(bundle.unverified_payload())?;
    let mut left_out = Vec::new();
    let mut seen = BTreeSet::new();
    for file in files.iter().filter(|file| file.path != SIGNATURE_FILE) {
        match signed.get(&file.path) {
            Some(digest) if *digest == Digest::of(&file.bytes) => {
                seen.insert(file.path.as_str());
            }
            Some(_) => return Err(OmsError::Differs(file.path.clone())),
            None if is_of_git(&file.path) => left_out.push(file.path.clone()),
            None => return Err(OmsError::Extra(file.path.escape_debug().to_string())),
        }
    }
    if let Some(missing) = signed.keys().find(|path| !seen.contains(path.as_str())) {
        return Err(OmsError::Missing(missing.clone()));
    }
    left_out.sort();
    Ok(OmsVerified { name, signer, signed: signed.len(), left_out })
}

/// Signs files, so that `model_signing verify key` takes the signature. `name` is what the whole is called.
pub fn sign(
    name: &str,
    files: &[BundleFile],
    key: &PemPrivateKey,
    random: &dyn SecureRandom,
) -> Result<OmsSigned, OmsError> {
    let public = key.public_key();
    if public.algorithm() == PemAlgorithm::Ed25519 {
        return Err(OmsError::KeyKind);
    }
    let (left_out, mut signed): (Vec<_>, Vec<_>) =
        files.iter().filter(|file| file.path != SIGNATURE_FILE).partition(|file| is_of_git(&file.path));
    // As `model_signing` sorts them: by the parts of their paths.
    signed.sort_by(|left, right| left.path.split('/').cmp(right.path.split('/')));
    let resources: Vec<Resource> = signed
        .iter()
        .map(|file| Resource {
            name: file.path.clone(),
            algorithm: "sha256".to_owned(),
            digest: Digest::of(&file.bytes).to_string(),
        })
        .collect();
    let digests: Vec<u8> = signed.iter().flat_map(|file| *Digest::of(&file.bytes).bytes()).collect();
    let document = Document {
        kind: STATEMENT_TYPE.to_owned(),
        subject: vec![Subject {
            name: name.to_owned(),
            digest: SubjectDigest { sha256: Digest::of(&digests).to_string() },
        }],
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: Predicate {
            serialization: Serialization {
                method: "files".to_owned(),
                hash_type: "sha256".to_owned(),
                allow_symlinks: false,
                ignore_paths: GIT_PATHS
                    .iter()
                    .chain([&SIGNATURE_FILE])
                    .map(|path| (*path).to_owned())
                    .collect(),
            },
            resources,
        },
    };
    let payload = canonical_json(&document).map_err(|error| OmsError::Form(error.to_string()))?;
    // `model_signing` refuses any other hint than the digest of the key in PEM.
    let hint = Digest::of(public.to_string().as_bytes()).to_string();
    let json = Bundle::sign_with_hint(&payload, key, hint, random)?.to_json()?;
    let mut left_out: Vec<String> = left_out.into_iter().map(|file| file.path.clone()).collect();
    left_out.sort();
    Ok(OmsSigned { json, left_out })
}

fn is_of_git(path: &str) -> bool {
    GIT_PATHS.contains(&path.split('/').next().unwrap_or(path))
}

/// The name of the whole and the digests of its files, from the bytes that were signed.
fn read_list(payload: &[u8]) -> Result<(String, BTreeMap<String, Digest>), OmsError> {
    let document: Document =
        serde_json::from_slice(payload).map_err(|error| OmsError::Form(error.to_string()))?;
    let serialization = document.predicate.serialization;
    for (what, found, supported) in [
        ("a statement of the type", document.kind, STATEMENT_TYPE),
        ("the predicate", document.predicate_type, PREDICATE_TYPE),
        ("the method", serialization.method, "files"),
        ("the hash", serialization.hash_type, "sha256"),
    ] {
        supports(what, &found, supported)?;
    }
    let [subject] = document.subject.as_slice() else {
        return Err(OmsError::Form(format!("it has {} subjects instead of one", document.subject.len())));
    };
    let mut files = BTreeMap::new();
    let mut digests = Vec::new();
    for resource in document.predicate.resources {
        supports("the hash", &resource.algorithm, "sha256")?;
        let digest = strict_digest(&resource.digest)?;
        digests.extend_from_slice(digest.bytes());
        let shown = resource.name.escape_debug().to_string();
        if check_path(&resource.name).is_err() || files.insert(resource.name, digest).is_some() {
            return Err(OmsError::Form(format!("the path `{shown}` is not allowed, or comes twice")));
        }
    }
    if Digest::of(&digests) != strict_digest(&subject.digest.sha256)? {
        return Err(OmsError::ListDigest);
    }
    Ok((subject.name.chars().take(255).flat_map(char::escape_debug).collect(), files))
}

fn supports(what: &'static str, found: &str, supported: &'static str) -> Result<(), OmsError> {
    if found == supported {
        return Ok(());
    }
    let found = found.chars().take(100).flat_map(char::escape_debug).collect();
    Err(OmsError::Unsupported { what, found, supported })
}

fn strict_digest(text: &str) -> Result<Digest, OmsError> {
    let digest: Result<Digest, _> = text.parse();
    match digest {
        Ok(digest) if text.len() == 64 => Ok(digest),
        _ => Err(OmsError::Form("a digest is not 64 hexadecimal digits".to_owned())),
    }
}

/// The statement. Fields that are not known are passed over, as its makers want it; whoever signed them knew them.
#[derive(Serialize, Deserialize)]
struct Document {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(Serialize, Deserialize)]
struct SubjectDigest {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Predicate {
    serialization: Serialization,
    resources: Vec<Resource>,
}

#[derive(Serialize, Deserialize)]
struct Serialization {
    method: String,
    hash_type: String,
    #[serde(default)]
    allow_symlinks: bool,
    /// What the signer's program did not look at. It is not needed here: files are signed, or they are not.
    #[serde(default)]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    name: String,
    algorithm: String,
    digest: String,
}

#[cfg(test)]
mod tests;
