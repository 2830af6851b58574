//! `skillery yank`: takes a version back without deleting it.

use clap::Args;
use skillery_core::{SkillId, Version};

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone};
use crate::session::Session;

/// Arguments of `yank`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery yank acme/email_validator 1.0.0 --reason 'rejects good addresses'
  skillery yank acme/email_validator 1.0.0 --undo

A yanked version is found no more, and is still downloaded, with a warning, by its exact version: \
what others have locked goes on working.")]
pub(crate) struct YankArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// Which version
    version: Version,

    /// Why; shown to whoever asks for the version
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,

    /// Take the yank back
    #[arg(long, conflicts_with = "reason")]
    undo: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &YankArgs) -> CommandResult {
    let client = session.client()?;
    let summary = if args.undo {
        client.unyank(&args.id, &args.version).await?
    } else {
        client.yank(&args.id, &args.version, &args.reason).await?
    };
    session.output.show(&summary, |page| {
        let done = if args.undo { "took back the yank of " } else { "yanked " };
        page.line(
            Line::default()
                .toned(Tone::Good, done)
                .name(args.id.as_str())
                .plain(format!(" {}", summary.version))
                .plain(format!(", which is {} now", summary.status)),
        );
    })?;
    Ok(Exit::Done)
}
