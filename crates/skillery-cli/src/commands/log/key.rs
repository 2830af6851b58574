//! `skillery log pin`, `forget` and `evidence`: which key the log is believed by, and what was seen of it.

use clap::Args;
use skillery_client::Log;
use skillery_core::tlog::VerifierKey;

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone};
use crate::session::Session;

/// Arguments of `log pin`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log pin 'registry.example.com/log/v1+5a0b7c3d+AQ…'

Ask the operator for the key by another way than the registry: `skillery log show` there shows it. What was seen of the \
log under another key is forgotten. While there is evidence that the registry has shown two logs, no key is pinned: look at it \
with `skillery log evidence`, and give it up with `skillery log forget`.")]
pub(super) struct PinArgs {
    /// The public key: `name+id+base64`
    key: VerifierKey,
}

/// Arguments of `log forget`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log forget --keep-key                     after a restore that its operator announced
  skillery log forget

Without `--keep-key` the next contact is the first one again: the key that the registry names then is pinned. Evidence that the \
registry has shown two logs is removed either way: `skillery log evidence` shows it before.")]
pub(super) struct ForgetArgs {
    /// Go on believing the key that is pinned, and those before it: only how far the log was, and evidence, are forgotten
    #[arg(long)]
    keep_key: bool,
}

/// Arguments of `log evidence`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log evidence

Two checkpoints that one key has signed and that do not go together prove that the registry has shown two histories. \
Exit code 0 when there is no evidence, 1 when there is.")]
pub(super) struct EvidenceArgs {}

/// Runs `log pin`.
pub(super) fn pin(session: &Session, args: &PinArgs) -> CommandResult {
    let client = session.client()?;
    Log::pin(&session.home()?, client.registry(), &args.key)?;
    let shown = serde_json::json!({ "registry": client.registry(), "key": args.key.to_string() });
    session.output.show(&shown, |page| {
        page.line(Line::default().toned(Tone::Good, "pinned ").name(args.key.fingerprint()));
        page.field("registry", client.registry());
    })?;
    Ok(Exit::Done)
}

/// Runs `log forget`.
pub(super) fn forget(session: &Session, args: &ForgetArgs) -> CommandResult {
    let client = session.client()?;
    let (home, registry) = (session.home()?, client.registry());
    let key = match args.keep_key {
        true => Log::forget_seen(&home, registry)?,
        false => {
            Log::forget(&home, registry)?;
            None
        }
    };
    let shown = serde_json::json!({ "registry": registry, "key": key.as_ref().map(ToString::to_string) });
    session.output.show(&shown, |page| {
        page.line(Line::default().plain("forgot the log of ").name(registry));
        if let Some(key) = &key {
            page.field("still pinned", key.fingerprint());
        }
    })?;
    Ok(Exit::Done)
}

/// Runs `log evidence`.
pub(super) fn evidence(session: &Session) -> CommandResult {
    let client = session.client()?;
    let file = Log::evidence(&session.home()?, client.registry());
    let text = match &file {
        None => None,
        Some(file) => {
            Some(std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?)
        }
    };
    let shown = serde_json::json!({ "registry": client.registry(), "file": file, "evidence": text });
    session.output.show(&shown, |page| match (&file, &text) {
        (Some(file), Some(text)) => {
            page.text(text.trim_end());
            page.text("");
            page.text(HOW);
            page.field("file", file.display().to_string());
        }
        _ => page.text("no evidence against this registry is known here"),
    })?;
    Ok(if file.is_some() { Exit::Failed } else { Exit::Done })
}

const HOW: &str = "\
Anybody can check both signatures with the key above and tools that know nothing of this program: \
golang.org/x/mod/sumdb/note (`note.Open`), or from PyPI `aics-tlog verify-checkpoint`. Both checkpoints have the name of \
one log; where their sizes are equal, their roots differ, and else no proof of consistency between them exists. If one is \
signed with a former key, the rotations below them say so: each is signed by the key before and the key after it.";
