//! `skillery admin`: looks after a registry's data, on the machine that holds it, and shows how a registry goes that runs.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skillery_server::admin::{self, AdminError, DoctorReport};
use skillery_server::{Settings, StartError};

use crate::commands::admin_running;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, counted, size};
use crate::progress::Progress;
use crate::session::Session;
use crate::settings::{self, DataArgs};

/// Arguments of `admin`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery admin backup /backups/monday
  skillery admin doctor
  skillery admin reindex --data ./data
  skillery admin jobs")]
pub(crate) struct AdminArgs {
    #[command(subcommand)]
    command: AdminCommand,
}

#[derive(Debug, Subcommand)]
enum AdminCommand {
    /// Write database, contents and secret key into a new folder; the server may run
    #[command(after_help = "\
Examples:
  skillery admin backup /backups/monday
  skillery admin backup /backups/monday --data ./data

It holds the key that encrypts signing secrets: keep it as safe as the registry.")]
    Backup {
        /// The new folder
        to: PathBuf,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Make a registry from a backup, in an empty data folder
    #[command(after_help = "\
Examples:
  skillery admin restore /backups/monday --data ./data")]
    Restore {
        /// The folder of the backup
        from: PathBuf,
        #[command(flatten)]
        data: DataArgs,
    },
    /// Hand the log over to a new key; the server must be stopped
    #[command(name = "rotate-log-key")]
    #[command(after_help = "\
Examples:
  skillery admin rotate-log-key
  skillery admin rotate-log-key --data ./data --json

The old key signs that the new one comes next, and the log gets an entry about it. Clients that have pinned the \
old key go over to the new one by themselves; witnesses do not, and need the new key in `logs`. Make a backup after \
it. Servers on the same database that run on write nothing until they have the new `log-key`. If it is interrupted, run it \
again.")]
    RotateLogKey {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Build the search index from nothing; the server must be stopped
    #[command(after_help = "\
Examples:
  skillery admin reindex
  skillery admin reindex --data ./data")]
    Reindex {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Look a registry over: database, log, contents, private files; the server may run
    #[command(after_help = "\
Examples:
  skillery admin doctor
  skillery admin doctor --json | jq '.checks[] | select(.ok | not)'

Exit code 1 when something is wrong.")]
    Doctor {
        #[command(flatten)]
        data: DataArgs,
    },
    /// Show what runs beside requests, and how it went (admins of the registry)
    #[command(after_help = "\
Examples:
  skillery admin jobs
  skillery admin jobs --json | jq '.jobs[] | select(.failing)'")]
    Jobs,
    /// Show the settings and limits in force (admins of the registry)
    #[command(after_help = "\
Examples:
  skillery admin settings
  skillery admin settings --json | jq '.limits[] | select(.name == \"tags\") | .value'")]
    Settings,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &AdminArgs) -> CommandResult {
    match &args.command {
        AdminCommand::Backup { to, data } => {
            let settings = load(data)?;
            let progress = Progress::spinner(&session.output, "backing up");
            let report = admin::backup(&settings, to)
                .await
                .map_err(|error| failure("back up the registry", &error))?;
            drop(progress);
            session.output.show(&report, |page| {
                page.line(
                    Line::default()
                        .toned(Tone::Good, "backed up ")
                        .plain("to ")
                        .name(to.display().to_string()),
                );
                page.field("log entries", report.log_entries.to_string());
                page.field("contents", format!("{}, {}", report.contents, size(report.bytes)));
                if !report.database {
                    page.field("database", "not in it: back up PostgreSQL with its own tools, before this");
                }
            })?;
        }
        AdminCommand::Restore { from, data } => {
            let settings = load(data)?;
            let progress = Progress::spinner(&session.output, "restoring");
            let report = admin::restore(&settings, from)
                .await
                .map_err(|error| failure("restore the backup", &error))?;
            drop(progress);
            session.output.show(&report, |page| {
                let data = settings.data.display().to_string();
                page.line(Line::default().toned(Tone::Good, "restored ").plain("to ").name(data));
                page.field("made", &report.backup.created_at);
                page.field("log entries", report.backup.log_entries.to_string());
                page.field("contents", report.contents.to_string());
            })?;
        }
        AdminCommand::RotateLogKey { data } => {
            let settings = load(data)?;
            let report = admin::rotate_log_key(&settings)
                .await
                .map_err(|error| failure("rotate the log key", &error))?;
            session.output.show(&report, |page| {
                let word = if report.completed { "completed " } else { "rotated " };
                let line = Line::default().toned(Tone::Good, word).plain("the key of ");
                page.line(line.name(&report.origin));
                page.field("entry", report.log_index.to_string());
                page.field("from", &report.from);
                page.field("to", &report.fingerprint);
                page.field("key", &report.key);
                page.field("old key", format!("{}; nothing needs it", report.old_key_file.display()));
            })?;
        }
        AdminCommand::Reindex { data } => {
            let settings = load(data)?;
            let progress = Progress::spinner(&session.output, "building the search index");
            let report =
                admin::reindex(&settings).await.map_err(|error| failure("build the search index", &error))?;
            drop(progress);
            session.output.show(&report, |page| {
                let skills = counted(report.skills, "skill", "skills");
                page.line(Line::default().toned(Tone::Good, "indexed ").plain(skills));
                page.field("log entries", report.log_entries.to_string());
            })?;
        }
        AdminCommand::Doctor { data } => {
            let settings = load(data)?;
            let progress = Progress::spinner(&session.output, "looking the registry over");
            let report =
                admin::doctor(&settings).await.map_err(|error| failure("look the registry over", &error))?;
            drop(progress);
            session.output.show(&report, |page| describe(page, &report))?;
            return Ok(if report.ok { Exit::Done } else { Exit::Failed });
        }
        AdminCommand::Jobs => return admin_running::jobs(session).await,
        AdminCommand::Settings => return admin_running::settings(session).await,
    }
    Ok(Exit::Done)
}

fn load(data: &DataArgs) -> Result<Settings, Failure> {
    Ok(settings::load(data, None)?.settings)
}

fn describe(page: &mut Page, report: &DoctorReport) {
    for check in &report.checks {
        let (tone, word) = if check.ok { (Tone::Good, "good  ") } else { (Tone::Bad, "wrong ") };
        page.line(Line::default().toned(tone, word).plain(format!("{:<14}{}", check.name, check.detail)));
    }
}

fn failure(doing: &str, error: &AdminError) -> Failure {
    match error {
        AdminError::Refused(reason) => {
            Failure::new(Exit::Usage, "refused", format!("cannot {doing}")).because(reason.clone())
        }
        other => {
            let failure = Failure::new(Exit::Failed, "admin-error", format!("cannot {doing}")).cause(other);
            match other {
                AdminError::Open(StartError::Log(log)) => failure.hint(log.hint()),
                _ => failure,
            }
        }
    }
}
