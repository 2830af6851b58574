//! `skillery sign`: signs a version that is published.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use skillery_client::oms;
use skillery_client::sign::sign_published;
use skillery_core::api::VersionSignature;
use skillery_core::sign::oms::SIGNATURE_FILE;
use skillery_core::{SkillId, Version, VersionRequest};

use crate::commands::publish::needed_signer;
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
  skillery sign acme/email_validator --oms skill.oms.sig --key key.pem

What is signed is a statement of every file of the version, its id, its number and this registry. The files are \
downloaded and checked first. Any number of people may sign the same version.

With --oms the files of the installed version are signed in the form of OpenSSF Model Signing, for those who check with \
`model-signing`, and no registry is asked. Its key comes from \
`openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem`.")]
pub(crate) struct SignArgs {
    /// The version, `org/name@1.0.0`; with --oms an installed one, `org/name` for the current one
    skill: Wanted,

    /// The SSH key to sign with: a private key, a `.pub` that an agent has, or a `-cert.pub` [default: the enrolled one];
    /// with --oms an ECDSA key in PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,

    /// Sign the files of the installed version as OpenSSF Model Signing does, into this file [default: skill.oms.sig]
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = SIGNATURE_FILE, requires = "key")]
    oms: Option<PathBuf>,

    /// Replace the file of --oms where it is there already
    #[arg(long, requires = "oms")]
    force: bool,
}

#[derive(Debug, Serialize)]
struct OmsReport<'a> {
    id: &'a SkillId,
    version: &'a Version,
    file: &'a Path,
    /// The files that are not signed, because they are Git's and others do not look at them.
    left_out: &'a [String],
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    id: &'a SkillId,
    version: &'a Version,
    signatures: &'a [VersionSignature],
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &SignArgs) -> CommandResult {
    if let (Some(file), Some(key)) = (&args.oms, &args.key) {
        return sign_files(session, args, file, key);
    }
    let Wanted { id, request } = &args.skill;
    let VersionRequest::Exact(version) = request else {
        return Err(Failure::usage("one version is signed, and none is named")
            .hint(format!("name it, for example `skillery sign {id}@1.0.0`")));
    };
    let signer = needed_signer(session, args.key.as_deref())?;
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

/// Signs the files of an installed version as Model Signing does.
fn sign_files(session: &Session, args: &SignArgs, file: &Path, key: &Path) -> CommandResult {
    let Wanted { id, request } = &args.skill;
    if !args.force && file.symlink_metadata().is_ok() {
        return Err(Failure::usage(format!("`{}` is there already", file.display()))
            .hint("replace it with `--force`, or name another file"));
    }
    let library = session.library()?;
    let request = (*request != VersionRequest::Latest).then_some(request);
    let installed = library.get(id.as_str(), request)?;
    let (id, version) = (&installed.manifest.id, &installed.manifest.version);
    let signed = oms::sign(id.name(), &library.files(&installed)?, key)?;
    oms::write(file, &signed)?;
    let report = OmsReport { id, version, file, left_out: &signed.left_out };
    session.output.show(&report, |page| {
        page.line(
            Line::default().toned(Tone::Good, "signed ").name(id.as_str()).plain(format!(" {version}")),
        );
        page.field("signature", file.display().to_string());
        for path in &signed.left_out {
            page.field("not signed", path);
        }
    })?;
    Ok(Exit::Done)
}
