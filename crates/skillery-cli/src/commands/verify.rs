//! `skillery verify`: checks every installed file against its digest, or files against a signature.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use serde::Serialize;
use skillery_client::log::SignedView;
use skillery_client::verify::SignatureState;
use skillery_client::{Client, Error, Installed, Library, Require};
use skillery_core::{SkillId, Version, VersionStatus};

use crate::commands::list::all_versions;
use crate::commands::verify_oms;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, counted};
use crate::progress::Progress;
use crate::session::Session;
use crate::wanted::InstalledName;

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("trust").args(["key", "roots"])))]
#[command(after_help = "\
Examples:
  skillery verify                                    everything that is installed
  skillery verify acme/email_validator
  skillery verify --remote                           and compare with the registry
  skillery verify --require signed                   and each must be signed
  skillery verify acme/email_validator --oms skill.oms.sig --key key.pub
  skillery verify --folder skill --oms skill.oms.sig --roots authorities.pem

Exit code 1 when something differs.")]
pub(crate) struct VerifyArgs {
    /// Skills, `org/name`, with `@` and a version where only that one should be checked; all when left out
    pub(super) skills: Vec<InstalledName>,

    /// Ask the registry too: has it the same digest, and was the version yanked or quarantined?
    #[arg(long)]
    remote: bool,

    /// What must be known of each by what is kept on this machine: hash, logged, signed, approved-or-forced, approved,
    /// witnessed, with commas between them [default: hash; what is kept is checked in any case]
    #[arg(long, value_name = "WORDS", conflicts_with = "oms")]
    require: Option<Require>,

    /// Check the signature of OpenSSF Model Signing in this file over the files of one installed skill, or of --folder
    #[arg(long, value_name = "FILE", requires = "trust", conflicts_with = "remote")]
    pub(super) oms: Option<PathBuf>,

    /// The files of this folder, wherever they came from, instead of an installed skill
    #[arg(long, value_name = "FOLDER", requires = "oms", conflicts_with = "skills")]
    pub(super) folder: Option<PathBuf>,

    /// The key that must have signed, its public half in PEM
    #[arg(long, value_name = "FILE", requires = "oms")]
    pub(super) key: Option<PathBuf>,

    /// Certificates of authorities in PEM: whoever has one from them that is valid now may have signed
    #[arg(long, value_name = "FILE", requires = "oms")]
    pub(super) roots: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    ok: bool,
    skills: &'a [Checked],
}

#[derive(Debug, Serialize)]
struct Checked {
    id: SkillId,
    version: Version,
    ok: bool,
    signature: Option<SignatureState>,
    /// Whose signatures are kept with it, and count.
    signed: Vec<SignedView>,
    /// A code and a sentence for each thing that is wrong.
    findings: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    code: String,
    message: String,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &VerifyArgs) -> CommandResult {
    if let Some(signature) = &args.oms {
        return verify_oms::run(session, args, signature);
    }
    let library = session.library()?;
    let client = session.client()?;
    let installed = choose(&library, &args.skills)?;
    let progress = Progress::bar(&session.output, installed.len());
    let mut checked = Vec::with_capacity(installed.len());
    for version in &installed {
        progress.message(version.manifest.id.as_str());
        checked.push(check(&library, &client, args, version).await?);
        progress.step();
    }
    drop(progress);

    let bad = checked.iter().filter(|version| !version.ok).count();
    let report = Report { ok: bad == 0, skills: &checked };
    session.output.show(&report, |page| {
        checked.iter().for_each(|version| describe(page, version));
        page.line(match (checked.len(), bad) {
            (0, _) => Line::default().plain("nothing is installed"),
            (all, 0) => Line::default()
                .plain(format!("{} as published", counted(all as u64, "version is", "versions are"))),
            (all, 1) => Line::default().toned(Tone::Bad, format!("1 of {all} differs")),
            (all, bad) => Line::default().toned(Tone::Bad, format!("{bad} of {all} differ")),
        });
    })?;
    Ok(if bad == 0 { Exit::Done } else { Exit::Failed })
}

fn choose(library: &Library, skills: &[InstalledName]) -> Result<Vec<Installed>, Failure> {
    if skills.is_empty() {
        return all_versions(library);
    }
    let mut chosen = Vec::new();
    for skill in skills {
        match &skill.request {
            None => chosen.extend(library.versions(&skill.name)?),
            request => chosen.push(library.get(&skill.name, request.as_ref())?),
        }
    }
    Ok(chosen)
}

async fn check(
    library: &Library,
    client: &Client,
    args: &VerifyArgs,
    installed: &Installed,
) -> Result<Checked, Failure> {
    let (id, version) = (installed.manifest.id.clone(), installed.manifest.version.clone());
    let mut checked =
        Checked { id, version, ok: true, signature: None, signed: Vec::new(), findings: Vec::new() };
    // By the configured key of the log, where there is one, also where nothing is demanded.
    match library.verify_required(client, installed, args.require.unwrap_or(Require::HASH)) {
        Ok(verified) => {
            checked.signature = Some(verified.signature_state);
            checked.signed = verified.signatures;
        }
        Err(error) => checked.find(&error),
    }
    if !args.remote {
        return Ok(checked);
    }
    match library.compare(client, installed).await {
        Ok(view) if view.status == VersionStatus::Published => {}
        Ok(view) => {
            let reason = view.reason.filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}"));
            let message = format!("the registry says it is {}{}", view.status, reason.unwrap_or_default());
            checked.ok = false;
            checked.findings.push(Finding { code: view.status.to_string(), message });
        }
        // Not being able to ask is not the same as finding a difference.
        Err(error) if error.is_unreachable() => return Err(error.into()),
        Err(error) => checked.find(&error),
    }
    Ok(checked)
}

impl Checked {
    fn find(&mut self, error: &Error) {
        self.ok = false;
        self.findings.push(Finding { code: error.code().to_owned(), message: error.to_string() });
    }
}

fn describe(page: &mut Page, checked: &Checked) {
    let (tone, word) = if checked.ok { (Tone::Good, "ok       ") } else { (Tone::Bad, "differs  ") };
    let line =
        Line::default().toned(tone, word).name(checked.id.as_str()).plain(format!(" {}", checked.version));
    page.line(match checked.signature {
        Some(SignatureState::Verified) => line.toned(Tone::Faint, " (signature verified)"),
        Some(SignatureState::Unchecked) => line.toned(Tone::Faint, " (signed, no secret to check it with)"),
        _ => line,
    });
    for signed in &checked.signed {
        page.line(
            Line::default()
                .toned(Tone::Faint, format!("         signed by {}, {}", signed.signer, signed.key)),
        );
    }
    for finding in &checked.findings {
        page.text(format!("         {}", finding.message));
    }
}
