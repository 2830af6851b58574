//! Enrolling keys, and signing what is published.

use skillery_core::api::{
    ApprovalsResponse, EnrolRequest, KeySummary, ReviewSignature, SignRequest, SignatureUpload,
    SignaturesResponse,
};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::sign::author::SignatureKind;
use skillery_core::sign::enrolment::Challenge;
use skillery_core::sign::review::{REVIEW_TYPE, ReviewStatement};
use skillery_core::sign::sshsig::{ENROLL_NAMESPACE, RELEASE_NAMESPACE, REVIEW_NAMESPACE};
use skillery_core::sign::statement::{Expected, Statement};
use skillery_core::time::Time;
use skillery_core::{Decision, Digest, Segment, SkillId, Version, VersionRequest};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::home::Home;
use crate::library::blocking;
use crate::log::{Demands, Log, Offered, statement_files};
use crate::signer::Signer;
use crate::verify;

/// Enrols a key as the caller's own, or as an authority of an org. What is signed is read first: it must be a challenge of
/// this registry, by the name that its log has, for the caller and this key.
pub async fn enrol(
    client: &Client,
    home: &Home,
    signer: &Signer,
    label: &str,
    org: Option<&Segment>,
) -> Result<KeySummary> {
    client.need_token("enrolling a key")?;
    let public_key = signer.public_key().to_string();
    let mut log = Log::open(client, home, None).await?;
    log.update().await?;
    log.check_name()?;
    let user = client.whoami().await?.user;
    let challenge = client.key_challenge(&public_key).await?.challenge;
    let check = Challenge::parse(&challenge).and_then(|read| {
        read.check(log.key().name(), &user, &signer.public_key().fingerprint())?;
        read.check_time(Time::from_micros(jiff::Timestamp::now().as_microsecond()))
    });
    check.map_err(|error| client.bad_answer(format!("the challenge is not signed: {error}")))?;
    let signature = sign_with(signer, ENROLL_NAMESPACE, challenge.clone()).await?;
    let request = EnrolRequest {
        public_key,
        challenge,
        signature,
        label: label.to_owned(),
        org: org.map(ToString::to_string),
    };
    client.enrol_key(&request).await
}

async fn sign_with(signer: &Signer, namespace: &'static str, message: String) -> Result<String> {
    let signer = signer.clone();
    blocking(move || signer.sign(namespace, message.as_bytes())).await
}

/// The statement about these files, and a signature over it.
pub(crate) async fn sign_release(
    client: &Client,
    home: &Home,
    signer: &Signer,
    id: &SkillId,
    version: &Version,
    files: Vec<BundleFile>,
    build: Option<&str>,
) -> Result<(String, SignatureUpload)> {
    let mut log = Log::open(client, home, None).await?;
    log.update().await?;
    log.check_name()?;
    let statement = new_statement(log.key().name(), id, version, files, build)?;
    let value = sign_with(signer, RELEASE_NAMESPACE, statement.clone()).await?;
    Ok((statement, SignatureUpload { kind: signer.kind(), value }))
}

fn new_statement(
    registry: &str,
    id: &SkillId,
    version: &Version,
    files: Vec<BundleFile>,
    build: Option<&str>,
) -> Result<String> {
    let stated = statement_files(&files);
    let digest = verify::digest_of(files)?;
    let statement = Statement::new(registry, id.clone(), version.clone(), digest, stated);
    let statement = match build {
        Some(build) => statement.and_then(|statement| statement.with_builder(build)),
        None => statement,
    };
    let statement = statement.map_err(Error::internal("make the statement that is signed"))?;
    let bytes = statement.to_bytes().map_err(Error::internal("write the statement that is signed"))?;
    String::from_utf8(bytes).map_err(Error::internal("write the statement that is signed"))
}

/// Signs a version that is published: what the registry hands out is checked against its page and its log first, and what is
/// signed is rebuilt here.
pub async fn sign_published(
    client: &Client,
    home: &Home,
    signer: &Signer,
    id: &SkillId,
    version: &Version,
) -> Result<SignaturesResponse> {
    client.need_token("signing")?;
    let request = VersionRequest::Exact(version.clone());
    let download = client.download_whole(id, &request).await?;
    let detail = client.version(id, version).await?;
    let checked = verify::check_download(client.registry(), id, &request, &download, &detail)?;
    let mut log = Log::open(client, home, None).await?;
    let files = statement_files(&checked.files);
    let offered = Offered {
        id: &checked.id,
        version,
        digest: checked.digest,
        code_hash: checked.code_hash,
        files: &files,
        said: Some(detail.summary.status),
    };
    log.check_version(&offered, Demands::default()).await?;
    log.check_name()?;
    let registry = log.key().name();
    let statement = match client.signatures(&checked.id, version).await?.statement {
        Some(text) => {
            let statement = Statement::parse(text.as_bytes())
                .map_err(|error| client.bad_answer(format!("its statement: {error}")))?;
            let expected =
                Expected { registry, id: &checked.id, version, bundle: &checked.digest, files: Some(&files) };
            statement
                .check(&expected)
                .map_err(|error| client.bad_answer(format!("its statement: {error}")))?;
            text
        }
        None => new_statement(registry, &checked.id, version, checked.files, None)?,
    };
    let value = sign_with(signer, RELEASE_NAMESPACE, statement.clone()).await?;
    let signature = SignatureUpload { kind: signer.kind(), value };
    client.sign_version(&checked.id, version, &SignRequest { statement, signature }).await
}

/// Signs what is decided about exactly these bytes of a version, under the policies that are in force as `standing` tells. The registry
/// is named as its log names it, which must go on from what is known of it.
pub async fn sign_review(
    client: &Client,
    home: &Home,
    signer: &Signer,
    standing: &ApprovalsResponse,
    digest: Digest,
    verdict: Decision,
) -> Result<ReviewSignature> {
    client.need_token("signing a review")?;
    let mut log = Log::open(client, home, None).await?;
    log.update().await?;
    log.check_name()?;
    let statement = ReviewStatement {
        digest,
        policies: standing.policies.clone(),
        registry: log.key().name().to_owned(),
        skill: standing.id.clone(),
        r#type: REVIEW_TYPE.to_owned(),
        verdict,
        version: standing.version.clone(),
    };
    let statement =
        statement.to_text().ok_or_else(|| Error::invalid("the review", "it cannot be written".to_owned()))?;
    if signer.kind() != SignatureKind::SshSig {
        return Err(Error::invalid("the key to sign with", "reviews are signed with SSH keys".to_owned()));
    }
    let signature = sign_with(signer, REVIEW_NAMESPACE, statement.clone()).await?;
    Ok(ReviewSignature { statement, signature })
}

/// The files of what is published as code, as the registry makes them.
pub(crate) fn files_of(
    id: &SkillId,
    version: &Version,
    description: &str,
    license: Option<&str>,
    code: &str,
) -> Vec<BundleFile> {
    let license = license.filter(|license| !license.trim().is_empty()).unwrap_or("MIT");
    bundle::from_code(id, version, description, license, code)
}
