//! `skillery key`: the keys that this user signs with, and the signing secrets of orgs that are kept here.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::sign::enrol;
use skillery_client::{ConfigLayer, Keys, Signer};
use skillery_core::Segment;
use skillery_core::api::KeySummary;

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Tone, left, moment};
use crate::secret;
use crate::session::Session;

/// Arguments of `key`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery key enrol ~/.ssh/id_ed25519               sign what you publish
  skillery key list
  skillery key revoke SHA256:…                       from now on
  skillery key add acme                              an org's HMAC secret
  skillery key remove acme")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Enrol an SSH key: prove that you have it, and sign with it what you publish from now on
    #[command(after_help = "\
Examples:
  skillery key enrol ~/.ssh/id_ed25519
  skillery key enrol ~/.ssh/id_ed25519.pub           one that `ssh-agent` holds
  skillery key enrol ~/.ssh/id_ed25519_sk            one on a security key
  skillery key enrol company-ca --authority acme     one that certifies members' keys

The registry keeps the public key, and its log says that it was enrolled.")]
    Enrol {
        /// The key: a private key with its `.pub` beside it, or a `.pub` whose private key an agent holds
        file: PathBuf,
        /// What you call it [default: the name of the file]
        #[arg(long, value_name = "TEXT")]
        label: Option<String>,
        /// Enrol it as an authority of this org: it then certifies the keys of members, and signs nothing itself
        #[arg(long, value_name = "ORG")]
        authority: Option<Segment>,
    },
    /// Revoke a key: what it signs from now on counts no more; what it has signed before still counts
    #[command(after_help = "\
Examples:
  skillery key revoke SHA256:I+9qIFJsmB8tngO0y+A/aOUSG8hdUy5J3nhaQwkBHLs")]
    Revoke {
        /// Its fingerprint, as `skillery key list` shows it
        fingerprint: String,
    },
    /// Keep an org's signing secret, to verify what the org signed
    #[command(after_help = "\
Examples:
  skillery key add acme
  skillery key add acme --secret-stdin < secret.txt")]
    Add {
        /// The first segment of the ids that it is for
        org: Segment,
        /// Read the secret from standard input
        #[arg(long)]
        secret_stdin: bool,
    },
    /// List the keys that you have enrolled, and the orgs whose secret is kept; secrets are not shown
    #[command(after_help = "\
Examples:
  skillery key list
  skillery key list --authority acme                 those that certify members' keys")]
    List {
        /// The authorities of this org, instead of your own keys
        #[arg(long, value_name = "ORG")]
        authority: Option<Segment>,
    },
    /// Forget the secrets of an org
    #[command(after_help = "\
Examples:
  skillery key remove acme")]
    Remove {
        /// Whose
        org: Segment,
    },
}

#[derive(Debug, Serialize)]
struct Key<'a> {
    registry: &'a str,
    org: &'a str,
}

#[derive(Debug, Serialize)]
struct Keychain<'a> {
    /// Secrets that are kept here.
    keys: &'a [Key<'a>],
    /// Keys that the registry has; null when it cannot be asked.
    enrolled: Option<&'a [KeySummary]>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &KeyArgs) -> CommandResult {
    match &args.command {
        KeyCommand::Enrol { file, label, authority } => {
            enrol_key(session, file, label.as_deref(), authority.as_ref()).await?
        }
        KeyCommand::Revoke { fingerprint } => {
            session.client()?.revoke_key(fingerprint).await?;
            session.output.show(&serde_json::json!({ "revoked": fingerprint }), |page| {
                page.line(Line::default().toned(Tone::Good, "revoked ").name(fingerprint));
            })?;
        }
        KeyCommand::Add { org, secret_stdin } => {
            let secret = secret::signing(*secret_stdin)?;
            let client = session.client()?;
            Keys::add(&session.home()?, client.registry(), org.as_str(), &secret)?;
            let key = Key { registry: client.registry(), org: org.as_str() };
            session.output.show(&key, |page| {
                page.line(Line::default().plain("kept the signing secret of ").name(key.org));
            })?;
        }
        KeyCommand::List { authority } => list(session, authority.as_ref()).await?,
        KeyCommand::Remove { org } => {
            let client = session.client()?;
            if !Keys::remove(&session.home()?, client.registry(), org.as_str())? {
                return Err(Failure::new(
                    Exit::NotFound,
                    "key-not-found",
                    format!("no secret of `{org}` is kept"),
                )
                .hint("list what there is with `skillery key list`"));
            }
            let key = Key { registry: client.registry(), org: org.as_str() };
            session.output.show(&key, |page| {
                page.line(Line::default().plain("forgot the signing secrets of ").name(key.org));
            })?;
        }
    }
    Ok(Exit::Done)
}

async fn enrol_key(
    session: &Session,
    file: &Path,
    label: Option<&str>,
    authority: Option<&Segment>,
) -> Result<(), Failure> {
    let signer = Signer::open(file)?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let client = session.client()?;
    let key = enrol(&client, &session.home()?, &signer, label.unwrap_or(&name), authority).await?;
    if authority.is_none() {
        let path = std::path::absolute(file).map_err(|error| Failure::file("find", file, &error))?;
        ConfigLayer::update(&session.home()?, |layer| layer.signing_key = Some(path))?;
    }
    session.output.show(&key, |page| {
        page.line(Line::default().toned(Tone::Good, "enrolled ").name(&key.fingerprint));
        page.field("kind", &key.algorithm);
        page.field("label", &key.label);
        match (&key.user, &key.org) {
            (_, Some(org)) => page.field("authority of", org),
            (Some(user), None) => page.field("key of", user),
            (None, None) => {}
        }
        page.field("log entry", key.log_index.to_string());
    })?;
    if authority.is_none() {
        session.output.note(Line::default().plain("what you publish from now on is signed with it"));
    }
    Ok(())
}

async fn list(session: &Session, authority: Option<&Segment>) -> Result<(), Failure> {
    let kept = Keys::load(&session.home()?)?;
    let kept: Vec<Key<'_>> = kept.orgs().map(|(registry, org)| Key { registry, org }).collect();
    let client = session.client()?;
    let enrolled = match client.has_token() || authority.is_some() {
        true => match client.keys(authority).await {
            Ok(answer) => Some(answer.keys),
            // What is kept here is worth showing without a registry.
            Err(error) if authority.is_none() && error.is_unreachable() => None,
            Err(error) => return Err(error.into()),
        },
        false => None,
    };
    session.output.show(&Keychain { keys: &kept, enrolled: enrolled.as_deref() }, |page| {
        match enrolled.as_deref() {
            Some([]) => page.text("no keys are enrolled; enrol one with `skillery key enrol`"),
            Some(keys) => {
                let columns = [left("KEY"), left("KIND"), left("LABEL"), left("ENROLLED"), left("REVOKED")];
                let mut grid = Grid::new(&columns);
                for key in keys {
                    let revoked = key.revoked_at.map_or_else(|| "-".to_owned(), moment);
                    let enrolled = moment(key.enrolled_at);
                    grid.row([key.fingerprint.as_str(), &key.algorithm, &key.label, &enrolled, &revoked]);
                }
                page.grid(grid);
            }
            None => {}
        }
        if kept.is_empty() {
            page.text("no signing secrets are kept; add one with `skillery key add`");
            return;
        }
        let mut grid = Grid::new(&[left("ORG"), left("REGISTRY")]);
        kept.iter().for_each(|key| grid.row([key.org, key.registry]));
        page.grid(grid);
    })
}
