//! `skillery verify --oms`: files against a signature of OpenSSF Model Signing.

use std::path::Path;

use serde::Serialize;
use skillery_client::oms::{self, OmsTrust};
use skillery_core::bundle::BundleFile;
use skillery_core::sign::oms::OmsSigner;

use crate::commands::verify::VerifyArgs;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone, counted};
use crate::session::Session;

#[derive(Debug, Serialize)]
struct Report<'a> {
    ok: bool,
    /// What the signer calls the whole.
    name: &'a str,
    /// How many files were signed.
    signed: usize,
    /// The files that were not signed, because they are Git's.
    left_out: &'a [String],
    /// Who signed: the key's fingerprint, or the certificate's.
    key: Option<String>,
    certificate: Option<String>,
    signer: Option<&'a str>,
}

/// Runs it.
pub(super) fn run(session: &Session, args: &VerifyArgs, signature: &Path) -> CommandResult {
    let trust = match (&args.key, &args.roots) {
        (Some(key), _) => OmsTrust::key(key)?,
        (None, Some(roots)) => OmsTrust::authorities(roots)?,
        (None, None) => return Err(Failure::usage("a signature is checked with `--key` or `--roots`")),
    };
    let files = files(session, args)?;
    let verified = oms::verify(signature, &files, &trust)?.map_err(|error| {
        Failure::new(Exit::Failed, "oms-signature-invalid", format!("`{}` does not fit", signature.display()))
            .cause(&error)
    })?;
    let (key, certificate, signer) = match &verified.signer {
        OmsSigner::Key(key) => (Some(key.to_string()), None, None),
        OmsSigner::Certificate(signer) => {
            (None, Some(signer.certificate.to_string()), Some(signer.name.as_str()))
        }
    };
    let report = Report {
        ok: true,
        name: &verified.name,
        signed: verified.signed,
        left_out: &verified.left_out,
        key,
        certificate,
        signer,
    };
    session.output.show(&report, |page| {
        let files = counted(verified.signed as u64, "file is", "files are");
        page.line(Line::default().toned(Tone::Good, "ok ").plain(format!("{files} as signed")));
        page.field("signed as", &verified.name);
        for (name, value) in [
            ("key", report.key.as_deref()),
            ("signer", signer),
            ("certificate", report.certificate.as_deref()),
        ] {
            if let Some(value) = value {
                page.field(name, value);
            }
        }
        for path in &verified.left_out {
            page.field("not signed", path);
        }
    })?;
    Ok(Exit::Done)
}

/// The files of the folder, or of the one skill that is named.
fn files(session: &Session, args: &VerifyArgs) -> Result<Vec<BundleFile>, Failure> {
    if let Some(folder) = &args.folder {
        return Ok(oms::read_folder(folder)?);
    }
    let [skill] = args.skills.as_slice() else {
        return Err(Failure::usage("a signature is about one skill")
            .hint("name one that is installed, or the folder of its files with `--folder`"));
    };
    let library = session.library()?;
    Ok(library.files(&library.get(&skill.name, skill.request.as_ref())?)?)
}
