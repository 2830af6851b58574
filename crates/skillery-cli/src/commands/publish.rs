//! `skillery publish`: publishes a version of a skill from its Python file, or from its folder.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use skillery_client::publish::{SecretOutcome, publish, read_code};
use skillery_client::trusted::{self, Identity, TOKEN_VARIABLE};
use skillery_client::{Client, Draft, Error, Published, Secret, SignWith, Signer};
use skillery_core::bundle::{BundleFile, SKILL_FILE};
use skillery_core::hidden::first_hidden_of_lines;
use skillery_core::{Digest, Namespace, Segment, SkillId, SkillKind, Version, VersionStatus, Visibility};

use super::publish_folder;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, size};
use crate::progress::Progress;
use crate::secret;
use crate::session::Session;

/// Arguments of `publish`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery publish email_validator.py --org acme --version 1.0.0
  skillery publish ./form-filler --org acme --version 1.0.0
  skillery publish ./form-filler --dry-run
  skillery publish check.py --id acme/email/validator --version 1.1.0 --tag email --tag check
  skillery publish check.py --id acme/email/validator --version 1.1.1 --changelog Faster
  skillery publish ./form-filler --org acme --version 1.1.0 --changelog-file changes.txt
  skillery publish slugify.py --org acme --version 1.0.1 --sign --key ~/.ssh/id_ed25519
  skillery publish slugify.py --org acme --version 1.0.1 --sign-secret-env ACME_SECRET
  skillery publish slugify.py --org acme --version 1.0.2 --trusted      (in a build)

A version never changes: publishing the same bytes again is fine, other bytes are refused. What changed can be said \
that way later, too: again as long as the version waits for approval, once when it is handed out. \
The function that others call is the one named like the skill, else `main` or `run`, \
else the only public one.

A folder has a `SKILL.md`, which says what it is called and what it is for; `skillery.toml` beside it may say its id, \
version, tags and dependencies. It is checked as `skillery lint` does, and nothing is sent where there is an error.

A build that the namespace trusts (`skillery org publisher add`) publishes with its own identity token instead of one \
of the registry: GitHub Actions with `permissions: id-token: write`, GitLab CI with `id_tokens: SKILLERY_ID_TOKEN: aud: \
REGISTRY`. Where no token of the registry is configured, `--trusted` goes without saying.")]
pub(crate) struct PublishArgs {
    /// The Python file, or the folder
    #[arg(value_name = "PATH")]
    pub(super) file: PathBuf,

    /// Under this id, `org/name`
    #[arg(long, value_name = "ID", conflicts_with_all = ["org", "name"])]
    pub(super) id: Option<SkillId>,

    /// Into this namespace [default: the one that the folder names, else the configured one]
    #[arg(long, value_name = "NAMESPACE", visible_alias = "namespace")]
    pub(super) org: Option<Namespace>,

    /// Under this name [default: the file's without `.py`, the one in `SKILL.md`]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<Segment>,

    /// As this version, for example 1.0.0 [default: the one that the folder names]
    #[arg(long, value_name = "VERSION")]
    pub(super) version: Option<Version>,

    /// What a function is for [default: the first line of the file's docstring]
    #[arg(long, value_name = "TEXT")]
    pub(super) description: Option<String>,

    /// A topic to be found by (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    pub(super) tags: Vec<String>,

    /// The licence of a function [default: MIT]
    #[arg(long, value_name = "NAME")]
    pub(super) license: Option<String>,

    /// The project's page
    #[arg(long, value_name = "URL")]
    pub(super) homepage: Option<String>,

    /// Where the source is kept
    #[arg(long, value_name = "URL")]
    pub(super) repository: Option<String>,

    /// The author [default: you]
    #[arg(long, value_name = "NAME")]
    pub(super) author: Option<String>,

    /// Who sees the skill: public, internal or private; only the first version sets it
    #[arg(long, value_name = "WHO")]
    pub(super) visibility: Option<Visibility>,

    /// What changed with this version, for whoever sees it
    #[arg(long, value_name = "TEXT", conflicts_with = "changelog_file")]
    changelog: Option<String>,

    /// The same, read from this file
    #[arg(long, value_name = "FILE")]
    changelog_file: Option<PathBuf>,

    /// Take a folder that some client reads, though it leaves the Agent Skills format
    #[arg(long)]
    pub(super) lenient: bool,

    /// Check everything, send nothing
    #[arg(long)]
    pub(super) dry_run: bool,

    /// Sign with your own SSH key [default: once a key is enrolled with `skillery key enrol`]
    #[arg(long)]
    pub(super) sign: bool,

    /// Do not sign, though a key is enrolled
    #[arg(long, conflicts_with = "sign")]
    pub(super) no_sign: bool,

    /// The SSH key to sign with: a private key, a `.pub` that an agent has, or a `-cert.pub` [default: the enrolled one]
    #[arg(long, value_name = "FILE", conflicts_with = "no_sign")]
    pub(super) key: Option<PathBuf>,

    /// Sign with the org's HMAC secret, read from standard input
    #[arg(long, conflicts_with = "sign_secret_env")]
    secret_stdin: bool,

    /// Sign with the org's HMAC secret, read from this variable
    #[arg(long, value_name = "VARIABLE")]
    sign_secret_env: Option<String>,

    /// Publish with the identity token of the build that this is, even where a token is configured
    #[arg(long)]
    trusted: bool,

    /// Ask for an identity token that is for this, where the registry's own address is not what it wants
    #[arg(long, value_name = "AUDIENCE")]
    oidc_audience: Option<String>,

    /// Take the build's identity token from this variable
    #[arg(long, value_name = "VARIABLE", default_value = TOKEN_VARIABLE)]
    oidc_token_env: String,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    published: &'a Published,
    /// SHA-256 of the bundle; null when the token may publish and not read.
    digest: Option<Digest>,
}

/// What would be published.
#[derive(Debug, Serialize)]
pub(super) struct DryRun {
    pub(super) id: SkillId,
    pub(super) version: Version,
    pub(super) kind: SkillKind,
    /// SHA-256 of the bundle.
    pub(super) digest: Digest,
    pub(super) files: Vec<String>,
    pub(super) bytes: u64,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &PublishArgs) -> CommandResult {
    let metadata =
        std::fs::metadata(&args.file).map_err(|error| Failure::file("read", &args.file, &error))?;
    let is_skill_file = args.file.file_name().is_some_and(|name| name == SKILL_FILE);
    if metadata.is_dir() || is_skill_file {
        return publish_folder::run(session, args).await;
    }
    if args.lenient {
        return Err(Failure::usage("`--lenient` is for folders"));
    }
    let (secret, changelog) = (read_secret(args)?, read_changelog(args)?);
    let code = read_code(&args.file)?;
    let id = choose_id(session, args)?;
    let Some(version) = args.version.clone() else {
        return Err(Failure::usage("the version is missing").hint("name it with `--version 1.0.0`"));
    };
    let draft = Draft {
        description: args.description.clone().or_else(|| docstring_line(&code)).unwrap_or_default(),
        tags: args.tags.clone(),
        license: args.license.clone(),
        homepage: args.homepage.clone(),
        repository: args.repository.clone(),
        author: args.author.clone(),
        visibility: args.visibility,
        ..Draft::new(id.clone(), version.clone(), code)
    };
    if args.dry_run {
        let files = draft.files();
        return show_dry_run(session, id, version, SkillKind::Function, &files);
    }
    let signer = choose_signer(session, args.key.as_deref(), args.sign, args.no_sign)?;
    let (client, build) = client(session, args, &id).await?;
    let sign_with = SignWith { secret: secret.as_ref(), signer: signer.as_ref(), build: build.as_deref() };
    let progress = Progress::spinner(&session.output, &format!("publishing {id} {version}"));
    let published = publish(&client, &session.home()?, draft, sign_with).await?;
    let said = say_changed(&client, &id, &version, changelog.as_deref()).await;
    // It is published already, so a token that may not look at it is no failure.
    let digest = client.version(&id, &version).await.ok().map(|detail| detail.summary.digest);
    drop(progress);
    tell(session, &published, digest, &id)?;
    said.map(|()| Exit::Done)
}

/// Says what would be published.
pub(super) fn show_dry_run(
    session: &Session,
    id: SkillId,
    version: Version,
    kind: SkillKind,
    files: &[BundleFile],
) -> CommandResult {
    let digest = skillery_client::verify::digest_of(files.to_vec())?;
    let bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
    let files = files.iter().map(|file| file.path.clone()).collect();
    let report = DryRun { id, version, kind, digest, files, bytes };
    session.output.show(&report, |page| {
        let line = Line::default().toned(Tone::Good, "would publish ").name(report.id.as_str());
        page.line(line.plain(format!(" {}", report.version)));
        page.field("digest", report.digest.to_string());
        page.field("files", format!("{}, {}", report.files.len(), size(report.bytes)));
        report.files.iter().for_each(|path| page.text(format!("  {path}")));
    })?;
    Ok(Exit::Done)
}

/// Says what was published.
pub(super) fn tell(
    session: &Session,
    published: &Published,
    digest: Option<Digest>,
    id: &SkillId,
) -> CommandResult {
    session.output.show(&Report { published, digest }, |page| describe(page, published, digest))?;
    if published.response.status == VersionStatus::Pending {
        session.output.note(
            Line::default()
                .plain("reviewers decide about it; see how far it is with ")
                .command(format!("skillery approve show {id} {}", published.response.version)),
        );
    }
    if let Some(SecretOutcome::Failed(reason)) = &published.secret {
        session
            .output
            .warning(&format!("the signing secret was not registered for `{}`: {reason}", id.org()));
    }
    Ok(Exit::Done)
}

/// A client with the configured token, or with one that the build's identity is exchanged for; and which build it is then.
pub(super) async fn client(
    session: &Session,
    args: &PublishArgs,
    id: &SkillId,
) -> Result<(Client, Option<String>), Failure> {
    let mut config = session.config()?;
    let mut build = None;
    if args.trusted || config.token.is_none() {
        match Identity::find(&args.oidc_token_env)? {
            Some(identity) => {
                let audience = args.oidc_audience.as_deref();
                let exchanged = trusted::exchange(&config, &identity, audience, &id.namespace()).await?;
                session.output.note(Line::default().plain("publishing as ").name(&exchanged.via));
                config.token = Some(Secret::new(exchanged.token));
                build = Some(exchanged.via);
            }
            None if args.trusted => {
                let reason =
                    format!("neither `{}` nor `ACTIONS_ID_TOKEN_REQUEST_URL` is set", args.oidc_token_env);
                return Err(Error::NoIdentity { reason }.into());
            }
            None => {}
        }
    }
    Ok((Client::new(&config)?, build))
}

fn describe(page: &mut Page, published: &Published, digest: Option<Digest>) {
    let response = &published.response;
    let done = match (response.status, published.created) {
        (VersionStatus::Pending, _) => "waiting for approval: ",
        (_, true) => "published ",
        (_, false) => "was published already: ",
    };
    page.line(
        Line::default().toned(Tone::Good, done).name(&response.id).plain(format!(" {}", response.version)),
    );
    if let Some(digest) = digest {
        page.field("digest", digest.to_string());
    }
    if digest != Some(published.code_hash) {
        page.field("code hash", published.code_hash.to_string());
    }
    if let Some(fingerprint) = &published.signed_with {
        page.field("signed with", fingerprint);
    }
    if published.signature.is_some() {
        page.field("signature", "hmac-sha256");
    }
    page.field("log entry", response.log_index.to_string());
    match published.secret {
        Some(SecretOutcome::Registered) => {
            page.field("secret", "registered for the org, so that its members can verify")
        }
        Some(SecretOutcome::NotAdmin) => {
            page.field("secret", "kept here; only admins of the org register it")
        }
        Some(SecretOutcome::AlreadyRegistered | SecretOutcome::Failed(_)) | None => {}
    }
}

/// The key to sign with: the one that is named, else the one that was enrolled here.
pub(crate) fn needed_signer(session: &Session, named: Option<&Path>) -> Result<Signer, Failure> {
    known_signer(session, named)?.ok_or_else(|| {
        Failure::usage("no key to sign with is known here")
            .hint("enrol one with `skillery key enrol ~/.ssh/id_ed25519`, or name one with `--key`")
    })
}

fn known_signer(session: &Session, named: Option<&Path>) -> Result<Option<Signer>, Failure> {
    let configured = session.config()?.signing_key;
    Ok(named.or(configured.as_deref()).map(Signer::open).transpose()?)
}

/// The key to sign with, if it is to be signed at all: by default where a key is known.
pub(crate) fn choose_signer(
    session: &Session,
    named: Option<&Path>,
    must_sign: bool,
    must_not: bool,
) -> Result<Option<Signer>, Failure> {
    match (must_not, must_sign) {
        (true, _) => Ok(None),
        (false, true) => needed_signer(session, named).map(Some),
        (false, false) => known_signer(session, named),
    }
}

pub(super) fn read_secret(args: &PublishArgs) -> Result<Option<Secret>, Failure> {
    match (&args.sign_secret_env, args.secret_stdin) {
        (Some(variable), _) => secret::from_variable(variable).map(Some),
        (None, true) => secret::from_stdin().map(Some),
        (None, false) => Ok(None),
    }
}

/// What is to be said to have changed, if anything is.
pub(super) fn read_changelog(args: &PublishArgs) -> Result<Option<String>, Failure> {
    let text = match (&args.changelog, &args.changelog_file) {
        (Some(text), _) => text.clone(),
        (None, Some(file)) => {
            std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?
        }
        (None, None) => return Ok(None),
    };
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n").trim().to_owned();
    if text.is_empty() {
        return Err(Failure::usage("what changed is empty"));
    }
    // The registry refuses it as well, but not before the version is published.
    if let Some((found, hidden)) = first_hidden_of_lines(&text) {
        let found = found.escape_unicode();
        return Err(Failure::usage(format!("what changed has the {hidden} {found}, which nobody sees")));
    }
    Ok(Some(text))
}

/// Says what changed with a version that is published by now.
pub(super) async fn say_changed(
    client: &Client,
    id: &SkillId,
    version: &Version,
    changelog: Option<&str>,
) -> Result<(), Failure> {
    let Some(changelog) = changelog else { return Ok(()) };
    match client.set_changelog(id, version, changelog).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let reason = format!("{id} {version} is published, and what changed with it is not said");
            Err(Failure::from(error).because(reason))
        }
    }
}

fn choose_id(session: &Session, args: &PublishArgs) -> Result<SkillId, Failure> {
    if let Some(id) = &args.id {
        return Ok(id.clone());
    }
    let namespace = choose_namespace(session, args)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => name_of(&args.file)?,
    };
    Ok(SkillId::new(&namespace, &name).map_err(skillery_client::Error::from)?)
}

/// The namespace that is named, else the configured one.
pub(super) fn choose_namespace(session: &Session, args: &PublishArgs) -> Result<Namespace, Failure> {
    match &args.org {
        Some(namespace) => Ok(namespace.clone()),
        None => session.config()?.org.ok_or_else(|| {
            Failure::usage("the skill needs a namespace").hint(
                "name it with `--org acme` or `--id acme/name`, or keep one with `skillery login --org acme`",
            )
        }),
    }
}

fn name_of(file: &Path) -> Result<Segment, Failure> {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    stem.parse().map_err(|error| {
        Failure::usage(format!("`{}` does not make a name for the skill", file.display()))
            .cause(&error)
            .hint("name it with `--name`")
    })
}

/// The first line of the text in triple quotes that the file begins with, comments and blank lines aside.
fn docstring_line(code: &str) -> Option<String> {
    let mut rest = code.trim_start_matches('\u{feff}').trim_start();
    while rest.starts_with('#') {
        rest = rest.split_once('\n')?.1.trim_start();
    }
    let rest = rest.strip_prefix(['r', 'R', 'u', 'U']).unwrap_or(rest);
    let quotes = [r#"""""#, "'''"].into_iter().find(|quotes| rest.starts_with(quotes))?;
    let text = rest[quotes.len()..].split(quotes).next()?;
    let line = text.trim().lines().next()?.trim_end();
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docstrings() {
        let cases = [
            ("\"\"\"Validates addresses.\"\"\"\nx = 1\n", Some("Validates addresses.")),
            ("#!/usr/bin/env python3\n# licence\n\n'''\n  First line\n  second\n'''\n", Some("First line")),
            ("r\"\"\"Raw \\d\n\"\"\"", Some("Raw \\d")),
            ("import re\n\"\"\"no docstring\"\"\"", None),
            ("\"\"\"\"\"\"", None),
            ("# only a comment", None),
            ("", None),
            ("\"\"\"never closed\nmore", Some("never closed")),
        ];
        for (code, expected) in cases {
            assert_eq!(docstring_line(code).as_deref(), expected, "{code:?}");
        }
    }
}
