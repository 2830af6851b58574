//! Installing: ask the registry, verify, put on disk. Nothing unverified reaches the disk.

use std::collections::BTreeMap;

use skillery_core::api::DownloadResponse;
use skillery_core::bundle::BundleFile;
use skillery_core::tlog::VerifierKey;
use skillery_core::token::Secret;
use skillery_core::{Digest, SkillId, SkillKind, Version, VersionRequest};

use crate::api::Downloaded;
use crate::client::Client;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::keys::Keys;
use crate::library::beside::{Beside, cosigners, same_log};
use crate::library::cache::Entry;
use crate::library::manifest::{Installation, Installed, Manifest};
use crate::library::offline::rebuilt;
use crate::library::proof::LogKeys;
use crate::library::{Library, blocking, now};
use crate::lockfile::{LOCK_FILE, LockedSkill};
use crate::log::{Demands, Kept, KeptSignatures, LogError};
use crate::require::Require;
use crate::verify::{self, SignatureState};

/// How to install.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InstallOptions {
    /// Install only what is signed: with the org's secret where one is known, else by an author.
    pub verify_signature: bool,
    /// What else must be known of a version.
    pub require: Require,
    /// Ask no registry: install what was downloaded earlier.
    pub offline: bool,
}

impl InstallOptions {
    /// As it is configured.
    pub fn of(config: &Config) -> Self {
        Self { verify_signature: config.verify_signature, require: config.require, offline: false }
    }
}

/// A verified version, from wherever it came.
pub(super) struct Fetched {
    pub(super) entry: Entry,
    pub(super) from_cache: bool,
    /// Whether it lies on disk, in the cache or in the library.
    pub(super) is_kept: bool,
    pub(super) warning: Option<String>,
    pub(super) new_log_key: Option<String>,
}

impl Library {
    /// Installs the version that the registry chooses for the request, and makes it the current one. Where the
    /// registry cannot be reached, the highest version that was downloaded earlier and fits stands in.
    pub async fn install(
        &self,
        client: &Client,
        id: &SkillId,
        request: &VersionRequest,
        options: InstallOptions,
    ) -> Result<Installation> {
        let is_named = matches!(request, VersionRequest::Exact(_));
        self.install_chosen(client, id, request, is_named, options).await
    }

    /// As [`Library::install`]; `is_named` tells whether the caller has named the very version. Only then one will do that
    /// was yanked or waits for approval.
    pub(super) async fn install_chosen(
        &self,
        client: &Client,
        id: &SkillId,
        request: &VersionRequest,
        is_named: bool,
        options: InstallOptions,
    ) -> Result<Installation> {
        let fetched = self.fetch(client, id, request, is_named, options, None).await?;
        self.put(client.registry().to_owned(), fetched).await
    }

    /// Installs exactly what a lock file names. What the library has already is used without asking anybody.
    pub async fn install_locked(
        &self,
        client: &Client,
        locked: &LockedSkill,
        options: InstallOptions,
    ) -> Result<Installation> {
        if let Some(installation) = self.use_present(client, locked.clone(), options).await? {
            return Ok(installation);
        }
        let request = VersionRequest::Exact(locked.version.clone());
        let fetched = match self.cached(client, &locked.id, &request, options).await {
            Ok(fetched) if fetched.entry.manifest.digest == locked.digest => fetched,
            _ => self.fetch(client, &locked.id, &request, true, options, locked.log_key()?.as_ref()).await?,
        };
        check_locked(locked, fetched.entry.manifest.digest)?;
        if options.require.signed {
            check_locked_statement(locked, fetched.entry.kept.signatures.as_ref())?;
        }
        self.put(client.registry().to_owned(), fetched).await
    }

    pub(super) async fn use_present(
        &self,
        client: &Client,
        locked: LockedSkill,
        options: InstallOptions,
    ) -> Result<Option<Installation>> {
        let (library, client) = (self.clone(), client.clone());
        blocking(move || {
            let registry = client.registry();
            let Ok(Some(installed)) = library.store.read(&locked.id, &locked.version) else {
                return Ok(None);
            };
            check_locked(&locked, installed.manifest.digest)?;
            if library.store.digest(&installed)? != locked.digest {
                return Ok(None);
            }
            let Manifest { id, version, .. } = &installed.manifest;
            let configured = client.configured_log_key();
            // What is not kept, or was altered, may come again.
            let Ok(Kept { signatures, approvals }) = library.store.kept(&installed) else { return Ok(None) };
            let files = library.store.files(&installed)?;
            if options.verify_signature {
                let checked = library.require_any_signature(
                    registry,
                    &installed.manifest,
                    &files,
                    signatures.as_ref(),
                    configured,
                );
                match checked {
                    // The registry may hand out the secret, or the signatures.
                    Err(Error::SecretUnknown { .. } | Error::SignatureMissing { .. }) => return Ok(None),
                    outcome => outcome?,
                }
            }
            if options.require.logged {
                let proof = library.store.proof(&installed)?;
                let witnessing = library.witnessing(&client, options.require)?;
                let manifest = &installed.manifest;
                match library.check_proof(
                    manifest,
                    proof.as_deref(),
                    LogKeys::known(configured),
                    witnessing.as_ref(),
                ) {
                    // It was installed when nothing, or less, was to be proven.
                    Err(Error::Log(
                        LogError::NoProof { .. } | LogError::NoKey { .. } | LogError::NotWitnessed { .. },
                    )) => {
                        return Ok(None);
                    }
                    outcome => outcome?,
                };
            }
            if options.require.signed {
                if signatures.is_none() {
                    return Ok(None);
                }
                library.check_signed(
                    &installed.manifest,
                    &files,
                    signatures.as_ref(),
                    LogKeys::known(configured),
                )?;
                check_locked_statement(&locked, signatures.as_ref())?;
            }
            if options.require.approved {
                if approvals.is_none() {
                    return Ok(None);
                }
                library.check_approved(
                    &installed.manifest,
                    approvals.as_ref(),
                    LogKeys::known(configured),
                    options.require.or_forced,
                )?;
            }
            library.store.writer()?.set_current(id, version)?;
            let installed = Installed { current: true, ..installed };
            Ok(Some(Installation {
                installed,
                added: false,
                from_cache: true,
                new_log_key: None,
                warning: None,
            }))
        })
        .await
    }

    pub(super) async fn fetch(
        &self,
        client: &Client,
        id: &SkillId,
        request: &VersionRequest,
        is_named: bool,
        options: InstallOptions,
        introduced: Option<&VerifierKey>,
    ) -> Result<Fetched> {
        if options.offline {
            return self.cached(client, id, request, options).await;
        }
        match client.download_whole(id, request).await {
            Ok(download) => {
                self.check_download(client, id, request, download, is_named, options, introduced).await
            }
            // A registry that answers, and keeps its log back, is not away. Nor does an old proof show that witnesses have seen
            // the log of late.
            Err(error) if error.is_unreachable() && !options.require.witnessed => {
                match self.cached(client, id, request, options).await {
                    Ok(fetched) => Ok(fetched),
                    // Why the registry does not answer is of more use than that nothing is cached.
                    Err(Error::NotCached { .. }) => Err(error),
                    Err(other) => Err(other),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Checks what was downloaded, as far as it is demanded.
    #[expect(clippy::too_many_arguments, reason = "each says something else of one download")]
    async fn check_download(
        &self,
        client: &Client,
        id: &SkillId,
        request: &VersionRequest,
        downloaded: Downloaded,
        is_named: bool,
        options: InstallOptions,
        introduced: Option<&VerifierKey>,
    ) -> Result<Fetched> {
        let witnessing = self.witnessing(client, options.require)?;
        let version: Version = downloaded
            .answer
            .version
            .parse()
            .map_err(|error| client.bad_answer(format!("the version does not parse: {error}")))?;
        let detail = client.version(id, &version).await?;
        let checked = verify::check_download(client.registry(), id, request, &downloaded, &detail)?;
        let Downloaded { answer, bundle } = downloaded;
        let DownloadResponse { code, signature, secret, warning, .. } = answer;
        let mut secrets = self.secrets_of(client, id).await?;
        if secrets.is_empty() {
            // What the user holds is believed; what the registry hands out only where the user holds nothing.
            secrets.extend(secret.map(Secret::new));
        }
        let state = verify::signature_state(&checked.id, &checked.code_hash, signature.as_deref(), &secrets);
        let mut require = options.require;
        if options.verify_signature {
            match secrets.is_empty() && require.logged {
                // Nothing is known to check an HMAC with: an author's own signature is worth more anyway.
                true => require = require.and(Require::SIGNED),
                false => verify::require_signature(state, &checked.id, &checked.version)?,
            }
        }
        let proven = match require.logged {
            true => {
                let is_told = warning.is_some() && is_named;
                let said = is_told.then_some(detail.summary.status);
                let (approved, or_forced) = (require.approved, require.or_forced);
                let demands = Demands { signed: require.signed, approved, or_forced };
                let proven =
                    self.prove(client, &checked, said, demands, introduced, witnessing.as_ref()).await;
                Some(proven.map_err(|error| self.unsigned(error, options, state))?)
            }
            false => None,
        };
        let manifest = Manifest {
            log_key: proven.as_ref().map(|proven| proven.key.to_string()),
            log_index: proven.as_ref().map(|proven| proven.index),
            signed: proven
                .as_ref()
                .and_then(|proven| proven.signed.as_ref())
                .map(|signed| signed.view.clone()),
            approved: proven
                .as_ref()
                .and_then(|proven| proven.approved.as_ref())
                .map(|approved| approved.view.clone()),
            id: checked.id,
            version: checked.version,
            digest: checked.digest,
            kind: checked.kind,
            code_hash: checked.code_hash,
            paths: match checked.kind {
                SkillKind::Function => Vec::new(),
                SkillKind::Folder => checked.files.into_iter().map(|file| file.path).collect(),
            },
            signature,
            signature_state: state,
            kept_files: BTreeMap::new(),
            status: detail.summary.status,
            registry: Some(client.registry().to_owned()),
            installed_at: now(),
            description: detail.description,
            tags: detail.tags,
            author: detail.author,
            license: detail.license,
            homepage: detail.homepage,
            repository: detail.repository,
        };
        let forced = proven.as_ref().and_then(|proven| proven.forced);
        let warning = warning.or_else(|| {
            let (id, version) = (&manifest.id, &manifest.version);
            let told = |index| format!("{id} {version} was released by force, by entry {index} of the log");
            forced.map(told)
        });
        let new_key = proven.as_ref().and_then(|proven| proven.new_key.as_ref());
        let new_log_key = new_key.map(VerifierKey::fingerprint);
        let mut kept = Kept::default();
        let proof = proven.map(|proven| {
            kept.signatures = proven.signed.map(|signed| signed.kept);
            kept.approvals = proven.approved.map(|approved| approved.kept);
            proven.receipt
        });
        let entry = Entry { manifest, code, bundle, proof, kept };
        Ok(Fetched { entry, from_cache: false, is_kept: false, warning, new_log_key })
    }

    /// Where a signature of either kind was wanted and there is none, in the words of the kind that there might be.
    fn unsigned(&self, error: Error, options: InstallOptions, state: SignatureState) -> Error {
        match error {
            Error::Log(LogError::NotSigned { id, version, .. })
                if options.verify_signature && !options.require.signed =>
            {
                match state {
                    SignatureState::Unchecked => {
                        Error::SecretUnknown { org: id.org().to_owned(), id, version }
                    }
                    _ => Error::SignatureMissing { id, version },
                }
            }
            other => other,
        }
    }

    pub(super) async fn put(&self, registry: String, fetched: Fetched) -> Result<Installation> {
        let library = self.clone();
        blocking(move || {
            let Fetched { mut entry, from_cache, is_kept, warning, new_log_key } = fetched;
            let files = rebuilt(&entry)?.files;
            if !is_kept {
                library.keep(&registry, &mut entry);
            }
            let Manifest { id, version, .. } = &entry.manifest;
            let writer = library.store.writer()?;
            let beside = Beside { proof: entry.proof.clone(), kept: entry.kept.clone() };
            let added = writer.add(&files, entry.manifest.clone(), beside)?;
            writer.set_current(id, version)?;
            drop(writer);
            if !is_kept && let Err(error) = library.cache.put(&registry, &entry) {
                // The skill is installed; only installing it again needs the registry.
                tracing::warn!(%error, "the download is not kept");
            }
            let installed = library
                .store
                .read(id, version)?
                .ok_or_else(|| Error::NotInstalled { name: format!("{id}@{version}") })?;
            Ok(Installation { installed, added, from_cache, new_log_key, warning })
        })
        .await
    }

    /// Keeps a verified download in the cache, or says why that could not be done.
    pub(super) fn keep_download(&self, registry: &str, entry: &mut Entry) -> Result<()> {
        self.keep(registry, entry);
        let kept = self.cache.put(registry, entry);
        // It is good all the same; only having it again needs the registry.
        kept.inspect_err(|error| tracing::warn!(%error, "the download is not kept"))
    }

    /// A download without signatures or approvals does not take those away that came with an earlier one from the same log.
    pub(super) fn keep(&self, registry: &str, entry: &mut Entry) {
        let Manifest { id, version, digest, log_key, .. } = &entry.manifest;
        if let Some(earlier) = self.cache.get(registry, id, version)
            && earlier.manifest.digest == *digest
            && same_log(earlier.manifest.log_key.as_deref(), log_key.as_deref())
        {
            let (known, manifest) = (earlier.manifest, &mut entry.manifest);
            if cosigners(entry.proof.as_deref()) < cosigners(earlier.proof.as_deref()) {
                entry.proof = earlier.proof;
                (manifest.log_key, manifest.log_index) = (known.log_key, known.log_index);
            }
            manifest.signed = manifest.signed.take().or(known.signed);
            manifest.approved = manifest.approved.take().or(known.approved);
            entry.kept = std::mem::take(&mut entry.kept).or(earlier.kept);
        }
    }

    /// Demands a signature of either kind: the HMAC where a secret is known, here or when the version came; where none is,
    /// those of authors that are kept beside it.
    pub(super) fn require_any_signature(
        &self,
        registry: &str,
        manifest: &Manifest,
        files: &[BundleFile],
        kept: Option<&KeptSignatures>,
        configured: Option<&VerifierKey>,
    ) -> Result<()> {
        let state = self.signature_state(registry, manifest)?;
        let is_open = matches!(state, SignatureState::Unsigned | SignatureState::Unchecked);
        if is_open && kept.is_some() && self.secrets(registry, &manifest.id)?.is_empty() {
            return self.check_signed(manifest, files, kept, LogKeys::known(configured)).map(drop);
        }
        verify::require_signature(state, &manifest.id, &manifest.version)
    }

    /// What a signature is worth with the secrets that are held now; without any, what it was worth when it came,
    /// as the digests are those of then.
    pub(super) fn signature_state(&self, registry: &str, manifest: &Manifest) -> Result<SignatureState> {
        let Manifest { id, code_hash, signature, signature_state, .. } = manifest;
        let secrets = self.secrets(registry, id)?;
        Ok(match verify::signature_state(id, code_hash, signature.as_deref(), &secrets) {
            SignatureState::Unchecked => *signature_state,
            other => other,
        })
    }

    async fn secrets_of(&self, client: &Client, id: &SkillId) -> Result<Vec<Secret>> {
        let (library, registry, id) = (self.clone(), client.registry().to_owned(), id.clone());
        blocking(move || library.secrets(&registry, &id)).await
    }

    /// The secrets that this user holds to verify a skill with.
    fn secrets(&self, registry: &str, id: &SkillId) -> Result<Vec<Secret>> {
        Ok(Keys::load(&self.home)?.secrets(registry, id.org()).to_vec())
    }
}

/// A version has one statement: the one that was signed for whoever made the lock file.
pub(super) fn check_locked_statement(locked: &LockedSkill, kept: Option<&KeptSignatures>) -> Result<()> {
    let found = kept.map(KeptSignatures::statement_digest);
    if locked.statement.is_none() || locked.statement == found {
        return Ok(());
    }
    let (id, version) = (locked.id.clone(), locked.version.clone());
    let reason = format!("its statement is not the one of `{LOCK_FILE}`");
    Err(LogError::NotSigned { id, version, reason }.into())
}

pub(super) fn check_locked(locked: &LockedSkill, digest: Digest) -> Result<()> {
    if digest == locked.digest {
        return Ok(());
    }
    Err(verify::digest_mismatch(locked.id.clone(), locked.version.clone(), locked.digest, digest))
}
