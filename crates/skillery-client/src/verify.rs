//! Whether what came is what was published. Pure: digests and signatures in, a verdict out.
//!
//! A registry's answer is believed as far as this module agrees. It reads no file and asks nobody.

use serde::{Deserialize, Serialize};
use skillery_core::api::VersionDetail;
use skillery_core::bundle::{self, BundleFile};
use skillery_core::token::Secret;
use skillery_core::{Digest, SkillId, SkillKind, Version, VersionRequest, signature};

use crate::api::Downloaded;
use crate::error::{Error, Result};
use crate::most;

/// What is known about a version's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureState {
    /// There is none.
    Unsigned,
    /// It fits a secret that is known here.
    Verified,
    /// There is one, and no secret to check it with.
    Unchecked,
    /// There is one, and it fits no secret that is known here.
    Bad,
}

/// A version whose digests were found to be right.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// The skill, as it was first spelled.
    pub id: SkillId,
    /// The version.
    pub version: Version,
    /// SHA-256 of the bundle.
    pub digest: Digest,
    /// What it is.
    pub kind: SkillKind,
    /// SHA-256 of the code; of a folder, of its bundle.
    pub code_hash: Digest,
    /// The files of the bundle, rebuilt or unpacked here.
    pub files: Vec<BundleFile>,
}

/// Checks a download against the version's own page, which came with another request: the code has the digest that
/// both name, and the bundle that is rebuilt here, or came, has the digest that both name.
pub fn check_download(
    registry: &str,
    wanted: &SkillId,
    request: &VersionRequest,
    downloaded: &Downloaded,
    detail: &VersionDetail,
) -> Result<Checked> {
    let Downloaded { answer: download, bundle } = downloaded;
    let bad_answer = |reason: String| Error::BadAnswer { url: registry.to_owned(), reason };
    let id: SkillId =
        download.id.parse().map_err(|error| bad_answer(format!("the id does not parse: {error}")))?;
    let version: Version = download
        .version
        .parse()
        .map_err(|error| bad_answer(format!("the version does not parse: {error}")))?;
    if id.key() != wanted.key() || detail.id != id {
        return Err(bad_answer(format!("it is about `{id}`, and `{wanted}` was asked for")));
    }
    let fits = match request {
        VersionRequest::Latest => true,
        VersionRequest::Exact(exact) => *exact == version,
        VersionRequest::Range(range) => range.matches(version.semver()),
    };
    if !fits || detail.summary.version != version {
        return Err(bad_answer(format!("it is about version {version}, and {request} was asked for")));
    }
    let parse = |name: &str, text: &str| {
        text.parse::<Digest>().map_err(|_| bad_answer(format!("`{name}` is no SHA-256 digest")))
    };
    let named_code_hash = parse("code_hash", &download.code_hash)?;
    let named_digest = parse("digest", &download.digest)?;
    if download.kind != detail.summary.kind {
        return Err(bad_answer("it says of one version that it is a function and a folder".to_owned()));
    }
    let checked = match bundle {
        Some(zip) => check_bundle(id, version, zip, named_digest)?,
        None => check_code(id, version, &detail.description, &detail.license, &download.code, named_digest)?,
    };
    if checked.code_hash != named_code_hash || checked.code_hash != detail.summary.code_hash {
        return Err(Error::CodeHashMismatch { id: checked.id, version: checked.version });
    }
    if checked.digest != detail.summary.digest {
        return Err(digest_mismatch(checked.id, checked.version, detail.summary.digest, checked.digest));
    }
    Ok(checked)
}

/// Rebuilds the bundle of a code, and checks that it has this digest.
pub fn check_code(
    id: SkillId,
    version: Version,
    description: &str,
    license: &str,
    code: &str,
    expected: Digest,
) -> Result<Checked> {
    let files = bundle::from_code(&id, &version, description, license, code);
    let digest = digest_of(files.clone())?;
    if digest != expected {
        return Err(digest_mismatch(id, version, expected, digest));
    }
    let (kind, code_hash) = (SkillKind::Function, Digest::of(code.as_bytes()));
    Ok(Checked { id, version, digest, kind, code_hash, files })
}

/// Unpacks the bundle of a folder, and checks that it has this digest. It is read as an archive of a stranger, and must be
/// the one canonical archive of its files: so what is on disk can be compared with the digest later. What was published before a
/// rule for new paths became stricter stays readable.
pub fn check_bundle(id: SkillId, version: Version, zip: &[u8], expected: Digest) -> Result<Checked> {
    let found = bundle::digest(zip);
    if found != expected {
        return Err(digest_mismatch(id, version, expected, found));
    }
    let files = match bundle::admit_published(zip, &most::limits()) {
        Ok(files) => files,
        Err(problems) => {
            let reason = problems.first().map_or_else(String::new, ToString::to_string);
            return Err(Error::BadBundle { id, version, reason });
        }
    };
    if digest_of(files.clone())? != expected {
        let reason = "it is not the canonical archive of its files".to_owned();
        return Err(Error::BadBundle { id, version, reason });
    }
    Ok(Checked { id, version, digest: expected, kind: SkillKind::Folder, code_hash: expected, files })
}

/// The digest of the bundle of these files.
pub fn digest_of(files: Vec<BundleFile>) -> Result<Digest> {
    bundle::pack(files).map(|bytes| bundle::digest(&bytes)).map_err(Error::internal("pack a bundle"))
}

pub(crate) fn digest_mismatch(id: SkillId, version: Version, expected: Digest, found: Digest) -> Error {
    Error::DigestMismatch { id, version, expected: expected.to_string(), found: found.to_string() }
}

/// What a signature is worth with these secrets.
pub fn signature_state(
    id: &SkillId,
    code_hash: &Digest,
    signature: Option<&str>,
    secrets: &[Secret],
) -> SignatureState {
    match signature {
        None => SignatureState::Unsigned,
        Some(_) if secrets.is_empty() => SignatureState::Unchecked,
        Some(text)
            if secrets.iter().any(|secret| signature::verify(id, code_hash, secret.expose(), text)) =>
        {
            SignatureState::Verified
        }
        Some(_) => SignatureState::Bad,
    }
}

/// Refuses all but a verified signature: one that is missing is as bad as one that does not fit.
pub fn require_signature(state: SignatureState, id: &SkillId, version: &Version) -> Result<()> {
    let (id, version) = (id.clone(), version.clone());
    match state {
        SignatureState::Verified => Ok(()),
        SignatureState::Unsigned => Err(Error::SignatureMissing { id, version }),
        SignatureState::Bad => Err(Error::SignatureMismatch { id, version }),
        SignatureState::Unchecked => Err(Error::SecretUnknown { org: id.org().to_owned(), id, version }),
    }
}
