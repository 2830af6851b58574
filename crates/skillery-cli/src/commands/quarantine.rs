//! `skillery quarantine`: keeps a version from everybody, until it is released again.

use clap::Args;
use skillery_core::{SkillId, Version};

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone};
use crate::session::Session;

/// Arguments of `quarantine`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery quarantine acme/email_validator 1.0.0 --reason 'sends addresses away'
  skillery quarantine acme/email_validator 1.0.0 --undo

Nobody can download a quarantined version, not even by its exact version; what is installed stays. \
`skillery verify --remote` finds it. For admins of the registry.")]
pub(crate) struct QuarantineArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// Which version
    version: Version,

    /// Why; shown to whoever asks for the version
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    reason: String,

    /// Release the version again
    #[arg(long, conflicts_with = "reason")]
    undo: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &QuarantineArgs) -> CommandResult {
    let client = session.client()?;
    let summary = if args.undo {
        client.unquarantine(&args.id, &args.version).await?
    } else {
        client.quarantine(&args.id, &args.version, &args.reason).await?
    };
    session.output.show(&summary, |page| {
        let done = if args.undo { "released " } else { "quarantined " };
        let line = Line::default()
            .toned(Tone::Good, done)
            .name(args.id.as_str())
            .plain(format!(" {}", summary.version));
        page.line(if args.undo { line.plain(format!(", which is {} now", summary.status)) } else { line });
    })?;
    Ok(Exit::Done)
}
