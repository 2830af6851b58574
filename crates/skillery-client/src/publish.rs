//! Publishing: from code and what is said about it to a signed request, and the secret that goes with it.

use std::path::Path;

use serde::Serialize;
use skillery_core::api::{BundleRequest, PublishRequest, PublishResponse, SignatureUpload};
use skillery_core::bundle::{self, BundleFile};
use skillery_core::token::Secret;
use skillery_core::{Digest, Namespace, Role, Segment, SkillId, Version, Visibility, signature};

use crate::api::PublishAnswer;
use crate::client::{Client, Progress};
use crate::error::{Error, ExitClass, Result};
use crate::home::Home;
use crate::keys::{self, Keys};
use crate::sign;
use crate::signer::Signer;

/// A version that is to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Under which id.
    pub id: SkillId,
    /// As which version.
    pub version: Version,
    /// The Python source.
    pub code: String,
    /// What it is for.
    pub description: String,
    /// Topics.
    pub tags: Vec<String>,
    /// Licence; `MIT` when left out.
    pub license: Option<String>,
    /// The project's page.
    pub homepage: Option<String>,
    /// Where the source is kept.
    pub repository: Option<String>,
    /// The author; the caller's name when left out.
    pub author: Option<String>,
    /// Who sees the skill, if this is its first version.
    pub visibility: Option<Visibility>,
}

/// A folder that is to be published as a version. What it says itself is not repeated here.
#[derive(Debug, Clone, PartialEq)]
pub struct FolderDraft {
    /// Under which id.
    pub id: SkillId,
    /// As which version.
    pub version: Version,
    /// Its files.
    pub files: Vec<BundleFile>,
    /// Topics, beside those that it names.
    pub tags: Vec<String>,
    /// The project's page, where that is another one than it names.
    pub homepage: Option<String>,
    /// Where the source is kept, where that is another place than it names.
    pub repository: Option<String>,
    /// The author; the caller's name when left out.
    pub author: Option<String>,
    /// Who sees the skill, if this is its first version.
    pub visibility: Option<Visibility>,
    /// Whether it may leave the Agent Skills format where clients read it all the same.
    pub lenient: bool,
}

/// What became of a signing secret that was given when publishing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "reason")]
pub enum SecretOutcome {
    /// The org has it now, so that its members can verify.
    Registered,
    /// The org had one already; the registry checked the signature against it.
    AlreadyRegistered,
    /// Only admins of the org register its secret.
    NotAdmin,
    /// The version is published, and the secret was not registered.
    Failed(String),
}

/// A version that was published.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Published {
    /// What the registry answered.
    #[serde(flatten)]
    pub response: PublishResponse,
    /// False when the registry had exactly this version already.
    pub created: bool,
    /// SHA-256 of the code.
    pub code_hash: Digest,
    /// The HMAC signature, if it was signed with a secret.
    pub signature: Option<String>,
    /// The fingerprint of the key that it was signed with, if it was.
    pub signed_with: Option<String>,
    /// What became of the secret, if one was given.
    pub secret: Option<SecretOutcome>,
}

/// What a version is signed with when it is published.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignWith<'a> {
    /// The org's HMAC secret.
    pub secret: Option<&'a Secret>,
    /// An author's own key.
    pub signer: Option<&'a Signer>,
    /// The build that publishes it, as the registry has found it: the statement names it.
    pub build: Option<&'a str>,
}

impl Draft {
    /// A draft with nothing but what every skill has.
    pub fn new(id: SkillId, version: Version, code: impl Into<String>) -> Self {
        Self {
            id,
            version,
            code: code.into(),
            description: String::new(),
            tags: Vec::new(),
            license: None,
            homepage: None,
            repository: None,
            author: None,
            visibility: None,
        }
    }

    /// The files that the registry makes of it.
    pub fn files(&self) -> Vec<BundleFile> {
        sign::files_of(&self.id, &self.version, &self.description, self.license.as_deref(), &self.code)
    }

    fn into_request(self, code_hash: Digest, signature: Option<String>) -> PublishRequest {
        PublishRequest {
            name: Some(self.id.name().to_owned()),
            org: Some(self.id.namespace().to_string()),
            id: self.id.into(),
            version: self.version.into(),
            description: self.description,
            code_hash: Some(code_hash.to_string()),
            signature,
            tags: self.tags,
            license: self.license,
            homepage: self.homepage,
            repository: self.repository,
            author: self.author,
            visibility: self.visibility,
            statement: None,
            signatures: Vec::new(),
            code: self.code,
        }
    }
}

/// Reads the code of a skill from a file: UTF-8, not empty, without NUL.
pub fn read_code(path: &Path) -> Result<String> {
    let shown = format!("`{}`", path.display());
    let metadata = fs_err::metadata(path).map_err(Error::disk("read the code of the skill"))?;
    if metadata.is_dir() {
        return Err(Error::invalid(shown, "it is a folder; name the Python file of the skill"));
    }
    let bytes = fs_err::read(path).map_err(Error::disk("read the code of the skill"))?;
    let Ok(code) = String::from_utf8(bytes) else {
        return Err(Error::invalid(shown, "it is not UTF-8 text"));
    };
    check_code(&code).map_err(|reason| Error::invalid(shown, reason))?;
    Ok(code)
}

/// Says early what the registry would say.
pub(crate) fn check_code(code: &str) -> Result<(), &'static str> {
    if code.trim().is_empty() {
        return Err("it is empty");
    }
    if code.contains('\0') {
        return Err("it has a NUL character");
    }
    Ok(())
}

/// Publishes a version. With a signer it is signed with an author's own key. With a secret it is signed here; the secret is
/// then kept in this home, and registered for the org where the caller is its admin and it has none, so that its members can
/// verify.
///
/// The commit point is the registry's answer: what fails after it does not undo the publishing.
pub async fn publish(
    client: &Client,
    home: &Home,
    draft: Draft,
    sign_with: SignWith<'_>,
) -> Result<Published> {
    client.need_token("publishing")?;
    check_code(&draft.code).map_err(|reason| Error::invalid("the code", reason))?;
    let code_hash = Digest::of(draft.code.as_bytes());
    let id = draft.id.clone();
    let signature = sign_with.hmac(&id, &code_hash)?;
    let signed = sign_with.author(client, home, &id, &draft.version, || draft.files()).await?;
    let mut request = draft.into_request(code_hash, signature.clone());
    if let Some((statement, upload)) = &signed {
        request.statement = Some(statement.clone());
        request.signatures = vec![upload.clone()];
    }
    let answer = client.publish(&request).await?;
    finish(client, home, &id, sign_with, answer, Signed { code_hash, signature, signed }).await
}

/// Publishes a folder, as [`publish`] does a function. Its canonical ZIP is sent; `progress` is told how it gets on.
pub async fn publish_folder(
    client: &Client,
    home: &Home,
    draft: FolderDraft,
    sign_with: SignWith<'_>,
    progress: Progress,
) -> Result<Published> {
    client.need_token("publishing")?;
    let FolderDraft { id, version, files, .. } = &draft;
    let packed = files.clone();
    let zip = crate::library::blocking(move || {
        bundle::pack(packed).map_err(|error| Error::invalid("the folder", error.to_string()))
    });
    let zip = zip.await?;
    let code_hash = bundle::digest(&zip);
    let signature = sign_with.hmac(id, &code_hash)?;
    let signed = sign_with.author(client, home, id, version, || files.clone()).await?;
    let (statement, signatures) = match &signed {
        Some((statement, upload)) => (Some(statement.clone()), vec![upload.clone()]),
        None => (None, Vec::new()),
    };
    let FolderDraft { id, version, tags, homepage, repository, author, visibility, lenient, .. } = draft;
    let request = BundleRequest {
        id: id.to_string(),
        version: version.to_string(),
        tags,
        visibility,
        author,
        homepage,
        repository,
        lenient,
        digest: Some(code_hash.to_string()),
        signature: signature.clone(),
        statement,
        signatures,
    };
    let answer = client.publish_bundle(&request, zip.into(), progress).await?;
    finish(client, home, &id, sign_with, answer, Signed { code_hash, signature, signed }).await
}

/// What was signed of a version that was sent.
struct Signed {
    code_hash: Digest,
    signature: Option<String>,
    signed: Option<(String, SignatureUpload)>,
}

impl SignWith<'_> {
    fn hmac(&self, id: &SkillId, code_hash: &Digest) -> Result<Option<String>> {
        let Some(secret) = self.secret else { return Ok(None) };
        keys::check(secret)?;
        Ok(Some(signature::sign(id, code_hash, secret.expose())))
    }

    async fn author(
        &self,
        client: &Client,
        home: &Home,
        id: &SkillId,
        version: &Version,
        files: impl FnOnce() -> Vec<BundleFile>,
    ) -> Result<Option<(String, SignatureUpload)>> {
        let Some(signer) = self.signer else { return Ok(None) };
        sign::sign_release(client, home, signer, id, version, files(), self.build).await.map(Some)
    }
}

/// What is to be done once the registry has answered.
async fn finish(
    client: &Client,
    home: &Home,
    id: &SkillId,
    sign_with: SignWith<'_>,
    answer: PublishAnswer,
    signed: Signed,
) -> Result<Published> {
    let SignWith { secret, signer, .. } = sign_with;
    let Signed { code_hash, signature, signed } = signed;
    let mut signed_with = signer.map(|signer| signer.public_key().fingerprint());
    if let Some((_, upload)) = signed.filter(|_| !answer.created) {
        // It was published before; the registry has taken this signature in.
        let (id, version): (SkillId, Version) =
            (answer.response.id.parse()?, answer.response.version.parse()?);
        let signatures = client.signatures(&id, &version).await?.signatures;
        let found = signatures.into_iter().find(|shown| shown.value == upload.value);
        let found =
            found.ok_or_else(|| client.bad_answer("it does not show the signature that it was sent"))?;
        signed_with = Some(found.key);
    }
    let secret = match secret {
        None => None,
        Some(secret) => {
            let (home, registry, org, kept) =
                (home.clone(), client.registry().to_owned(), id.org().to_owned(), secret.clone());
            crate::library::blocking(move || Keys::add(&home, &registry, &org, &kept)).await?;
            Some(register_secret(client, id.org(), secret).await)
        }
    };
    let (response, created) = (answer.response, answer.created);
    Ok(Published { response, created, code_hash, signature, signed_with, secret })
}

async fn register_secret(client: &Client, org: &str, secret: &Secret) -> SecretOutcome {
    match try_to_register(client, org, secret).await {
        Ok(outcome) => outcome,
        Err(error) if error.exit_class() == ExitClass::NotAllowed => SecretOutcome::NotAdmin,
        // Somebody else was faster.
        Err(error) if error.code() == "secret-exists" => SecretOutcome::AlreadyRegistered,
        Err(error) => SecretOutcome::Failed(error.to_string()),
    }
}

async fn try_to_register(client: &Client, org: &str, secret: &Secret) -> Result<SecretOutcome> {
    let org: Segment = org.parse()?;
    if client.org(&org).await?.signing_secret {
        return Ok(SecretOutcome::AlreadyRegistered);
    }
    let caller = client.whoami().await?;
    let namespace: Namespace = org.as_str().parse()?;
    let is_this_org =
        |text: &str| text.parse::<Namespace>().is_ok_and(|other| other.key() == namespace.key());
    let admin = caller.site_admin
        || caller
            .memberships
            .iter()
            .any(|membership| is_this_org(&membership.namespace) && membership.role >= Role::Admin);
    if !admin {
        return Ok(SecretOutcome::NotAdmin);
    }
    client.set_signing_secret(&org, secret, true).await?;
    Ok(SecretOutcome::Registered)
}
