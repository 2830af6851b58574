//! `skillery key`: the signing secrets that this user holds, to sign and to verify with.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::Keys;
use skillery_core::Segment;

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, left};
use crate::secret;
use crate::session::Session;

/// Arguments of `key`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery key add acme                              asks for the secret without showing it
  skillery key list
  skillery key remove acme")]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
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
    /// List the orgs whose secret is kept; the secrets are not shown
    #[command(after_help = "\
Examples:
  skillery key list")]
    List,
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
    keys: &'a [Key<'a>],
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &KeyArgs) -> CommandResult {
    match &args.command {
        KeyCommand::Add { org, secret_stdin } => {
            let secret =
                if *secret_stdin { secret::from_stdin()? } else { secret::prompt("signing secret: ")? };
            let client = session.client()?;
            Keys::add(&session.home()?, client.registry(), org.as_str(), &secret)?;
            let key = Key { registry: client.registry(), org: org.as_str() };
            session.output.show(&key, |page| {
                page.line(Line::default().plain("kept the signing secret of ").name(key.org));
            })?;
        }
        KeyCommand::List => {
            let keys = Keys::load(&session.home()?)?;
            let keys: Vec<Key<'_>> = keys.orgs().map(|(registry, org)| Key { registry, org }).collect();
            session.output.show(&Keychain { keys: &keys }, |page| {
                if keys.is_empty() {
                    page.text("no signing secrets are kept; add one with `skillery key add`");
                    return;
                }
                let mut grid = Grid::new(&[left("ORG"), left("REGISTRY")]);
                keys.iter().for_each(|key| grid.row([key.org, key.registry]));
                page.grid(grid);
            })?;
        }
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
