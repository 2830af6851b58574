//! `skillery log prove` and `skillery log verify`: proofs that are complete in themselves.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use skillery_client::lockfile::LOCK_FILE;
use skillery_client::log::Believed;
use skillery_client::{Client, Lockfile, Log};
use skillery_core::VersionRequest;
use skillery_core::event::Event;
use skillery_core::receipt::{Receipt, ReceiptError};
use skillery_core::tlog::VerifierKey;

use super::list::about;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone};
use crate::session::Session;
use crate::wanted::Wanted;

/// Arguments of `log prove`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log prove acme/email_validator@1.0.0
  skillery log prove acme/email_validator@1.0.0 --output email_validator.tlog-proof

The proof is a text of the form c2sp.org/tlog-proof. It is checked, and needs nobody to be checked again.")]
pub(super) struct ProveArgs {
    /// The version, `org/name@1.0.0`; the latest when none is named
    skill: Wanted,

    /// Write the proof to this file, instead of printing it
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Arguments of `log verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log verify                                every skill that `skillery.lock` names
  skillery log verify email_validator.tlog-proof
  skillery log verify *.tlog-proof --log-key 'registry.example.com/log/v1+5a0b…+AQ…'

No registry is asked. Exit code 1 when a proof does not hold.")]
pub(super) struct VerifyArgs {
    /// Files with proofs; `skillery.lock` when left out
    files: Vec<PathBuf>,

    /// The key of the log [default: the configured one, else the pinned one; of a lock file the one that it names]
    #[arg(long, value_name = "KEY")]
    log_key: Option<VerifierKey>,
}

#[derive(Debug, Serialize)]
struct Report {
    ok: bool,
    proofs: Vec<Checked>,
}

#[derive(Debug, Serialize)]
struct Checked {
    /// A file, or a skill with its version.
    name: String,
    ok: bool,
    /// The number of the entry.
    index: Option<u64>,
    /// What was logged.
    entry: Option<String>,
    /// What is wrong.
    problem: Option<String>,
}

/// Runs `log prove`.
pub(super) async fn prove(session: &Session, args: &ProveArgs) -> CommandResult {
    let client = session.client()?;
    let Wanted { id, request } = &args.skill;
    let version = match request {
        VersionRequest::Exact(version) => version.clone(),
        VersionRequest::Latest => {
            client.skill(id).await?.version.parse().map_err(skillery_client::Error::from)?
        }
        VersionRequest::Range(_) => {
            return Err(
                Failure::usage("a proof is of one version").hint("name it exactly, for example `@1.0.0`")
            );
        }
    };
    let mut log = Log::open(&client, &session.home()?, None).await?;
    let text = client.proof(id, &version).await?;
    log.update().await?;
    let receipt: Receipt = text.parse().map_err(|error| not_a_proof("the answer of the registry", &error))?;
    let (entry, _) =
        receipt.verify(log.key()).map_err(|error| not_a_proof("the answer of the registry", &error))?;
    let is_it = |event: &Event| {
        matches!(event, Event::VersionPublished { skill, version: other, .. }
            if skill.key() == id.key() && *other == version)
    };
    if !is_it(&entry.event) {
        let message =
            format!("the registry answers with the proof of something else: {}", about(&entry.event));
        return Err(Failure::new(Exit::Failed, "not-logged", message));
    }
    log.check_older(&receipt.checkpoint()).await?;
    if let Some(file) = &args.output {
        std::fs::write(file, &text).map_err(|error| Failure::file("write", file, &error))?;
    }
    let shown = serde_json::json!({
        "id": id, "version": version, "index": receipt.index(), "proof": text, "file": args.output,
    });
    session.output.show(&shown, |page| match &args.output {
        Some(file) => {
            let line = Line::default().toned(Tone::Good, "proven ").name(id.as_str());
            page.line(line.plain(format!(" {version} is entry {}", receipt.index())));
            page.field("proof", file.display().to_string());
        }
        None => page.text(text.trim_end()),
    })?;
    Ok(Exit::Done)
}

fn not_a_proof(what: &str, error: &dyn std::error::Error) -> Failure {
    Failure::new(Exit::Failed, "not-logged", format!("{what} proves nothing")).cause(error)
}

/// Runs `log verify`.
pub(super) fn verify(session: &Session, args: &VerifyArgs) -> CommandResult {
    let proofs = if args.files.is_empty() { from_lock(session, args)? } else { from_files(session, args)? };
    let report = Report { ok: proofs.iter().all(|checked| checked.ok), proofs };
    session.output.show(&report, |page| report.proofs.iter().for_each(|checked| describe(page, checked)))?;
    Ok(if report.ok { Exit::Done } else { Exit::Failed })
}

fn from_lock(session: &Session, args: &VerifyArgs) -> Result<Vec<Checked>, Failure> {
    let home = session.home()?;
    let lock = Lockfile::load(Path::new(LOCK_FILE))?.ok_or_else(|| {
        Failure::usage(format!("no proof is named, and there is no `{LOCK_FILE}` here"))
            .hint("name a file, for example one that `skillery log prove --output` wrote")
    })?;
    let client = session.client()?;
    let check = |skill: &skillery_client::LockedSkill| {
        let name = format!("{} {}", skill.id, skill.version);
        // A key that is known here is believed, and not the one that stands beside the proof.
        let known = match &args.log_key {
            Some(key) => Ok(vec![key.clone().into()]),
            None => {
                let configured = client.configured_log_key().filter(|_| client.registry() == skill.registry);
                Log::believed(&home, &skill.registry, configured)
            }
        };
        let is_known = |keys: &[Believed]| {
            keys.iter().any(|believed| skill.log_key.as_deref() == Some(&believed.key.to_string()))
        };
        let outcome = known.map_err(|error| error.to_string()).and_then(|known| match known.as_slice() {
            [] => skill.check_proof().map_err(|error| error.to_string()),
            keys if is_known(keys) => skill.check_proof_by(keys).map_err(|error| error.to_string()),
            _ => Err("it is of a log with another key".to_owned()),
        });
        let (index, problem) = match outcome {
            Ok(index) => (Some(index), None),
            Err(problem) => (None, Some(problem)),
        };
        Checked { name, ok: problem.is_none(), index, entry: None, problem }
    };
    Ok(lock.skills().iter().map(check).collect())
}

fn from_files(session: &Session, args: &VerifyArgs) -> Result<Vec<Checked>, Failure> {
    let keys = match &args.log_key {
        Some(key) => vec![key.clone().into()],
        None => {
            let config = session.config()?;
            let registry = Client::new(&config)?.registry().to_owned();
            Log::believed(&session.home()?, &registry, config.log_key.as_ref())?
        }
    };
    if keys.is_empty() {
        return Err(Failure::usage("no key of a log is known here")
            .hint("give it with `--log-key`, or pin it with `skillery log pin`"));
    }
    args.files.iter().map(|file| check_file(file, &keys)).collect()
}

fn check_file(file: &Path, keys: &[Believed]) -> Result<Checked, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?;
    let outcome = text.parse::<Receipt>().and_then(|receipt| {
        let mut outcome = Err(ReceiptError::NoEntry);
        for believed in keys {
            match receipt.verify(&believed.key) {
                Ok((entry, checkpoint)) if believed.answers_for(checkpoint.size) => {
                    return Ok((receipt.index(), format!("{} {}", entry.event.kind(), about(&entry.event))));
                }
                Ok(_) => {}
                Err(error) if believed.until.is_none() => outcome = Err(error),
                Err(_) => {}
            }
        }
        outcome
    });
    let name = file.display().to_string();
    Ok(match outcome {
        Ok((index, entry)) => {
            Checked { name, ok: true, index: Some(index), entry: Some(entry), problem: None }
        }
        Err(error) => Checked { name, ok: false, index: None, entry: None, problem: Some(error.to_string()) },
    })
}

fn describe(page: &mut Page, checked: &Checked) {
    let (tone, word) = if checked.ok { (Tone::Good, "proven  ") } else { (Tone::Bad, "refused ") };
    let line = Line::default().toned(tone, word).name(&checked.name);
    page.line(match (checked.index, &checked.entry) {
        (Some(index), Some(entry)) => line.plain(format!(" is entry {index}: {entry}")),
        (Some(index), None) => line.plain(format!(" is entry {index}")),
        _ => line,
    });
    if let Some(problem) = &checked.problem {
        page.text(format!("        {problem}"));
    }
}
