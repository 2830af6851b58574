//! `skillery sign`: signs a version that is published.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use skillery_client::sign::sign_published;
use skillery_core::api::VersionSignature;
use skillery_core::{SkillId, Version, VersionRequest};

use crate::commands::publish::choose_signer;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone};
use crate::progress::Progress;
use crate::session::Session;
use crate::wanted::Wanted;

/// Arguments of `sign`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery sign acme/email_validator@1.0.0
  skillery sign acme/email_validator@1.0.0 --key ~/.ssh/id_ed25519

What is signed is a statement of every file of the version, its id, its number and this registry. The files are \
downloaded and checked first. Any number of people may sign the same version.")]
pub(crate) struct SignArgs {
    /// The version, `org/name@1.0.0`
    skill: Wanted,

    /// The SSH key to sign with: a private key, a `.pub` that an agent has, or a `-cert.pub` [default: the enrolled one]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    id: &'a SkillId,
    version: &'a Version,
    signatures: &'a [VersionSignature],
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &SignArgs) -> CommandResult {
    let Wanted { id, request } = &args.skill;
    let VersionRequest::Exact(version) = request else {
        return Err(Failure::usage("one version is signed, and none is named")
            .hint(format!("name it, for example `skillery sign {id}@1.0.0`")));
    };
    let missing = || Failure::usage("no key to sign with is known here");
    let signer = choose_signer(session, args.key.as_deref(), true, false)?.ok_or_else(missing)?;
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, &format!("signing {id} {version}"));
    let signatures = sign_published(&client, &session.home()?, &signer, id, version).await?.signatures;
    drop(progress);
    session.output.show(&Report { id, version, signatures: &signatures }, |page| {
        page.line(
            Line::default().toned(Tone::Good, "signed ").name(id.as_str()).plain(format!(" {version}")),
        );
        for signature in &signatures {
            page.field(&signature.signer, format!("{} {}", signature.kind, signature.key));
        }
    })?;
    Ok(Exit::Done)
}
