//! `skillery log`: the log of the registry: what it says, what it proves, and whether it keeps its rules.

mod checks;
mod key;
mod list;
mod monitor;
mod rotations;
mod show;

use clap::{Args, Subcommand};

use crate::failure::CommandResult;
use crate::session::Session;

/// Arguments of `log`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log show                                  how far the log is, and with which key
  skillery log prove acme/email_validator@1.0.0      the proof that a version is in it
  skillery log verify                                what `skillery.lock` proves
  skillery log monitor                               read all of it, and check its rules

Every change of the registry appends one entry to its log; none is altered or removed. Everybody can read it: \
it is a log of the form that c2sp.org/tlog-tiles describes, at `/log/v1/` of the registry.")]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// List entries (admins of the registry)
    List(list::ListArgs),
    /// Show how far the log is, or one entry of it, checked
    Show(show::ShowArgs),
    /// Get the proof that a version is in the log
    Prove(checks::ProveArgs),
    /// Check proofs without a network: files, or what `skillery.lock` has
    Verify(checks::VerifyArgs),
    /// Read the whole log and check the rules that its entries must keep
    Monitor(monitor::MonitorArgs),
    /// Show how the log came to its key
    Rotations(rotations::RotationsArgs),
    /// Pin the key that the log is believed by
    Pin(key::PinArgs),
    /// Forget what is known of the log: the pinned key too, unless it is kept, and evidence
    Forget(key::ForgetArgs),
    /// Show the evidence that the registry has shown two logs, and how others check it
    Evidence(key::EvidenceArgs),
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &LogArgs) -> CommandResult {
    match &args.command {
        LogCommand::List(args) => list::run(session, args).await,
        LogCommand::Show(args) => show::run(session, args).await,
        LogCommand::Prove(args) => checks::prove(session, args).await,
        LogCommand::Verify(args) => checks::verify(session, args),
        LogCommand::Monitor(args) => monitor::run(session, args).await,
        LogCommand::Rotations(args) => rotations::run(session, args).await,
        LogCommand::Pin(args) => key::pin(session, args),
        LogCommand::Forget(args) => key::forget(session, args),
        LogCommand::Evidence(_) => key::evidence(session),
    }
}
