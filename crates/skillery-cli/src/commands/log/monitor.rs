//! `skillery log monitor`: reads the whole log, and checks the rules that its entries must keep.

use clap::Args;
use skillery_client::Log;
use skillery_client::log::Watched;

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone, counted};
use crate::progress::Progress;
use crate::session::Session;

/// Arguments of `log monitor`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery log monitor                               what is new since the last time
  skillery log monitor --from-start                  everything again
  skillery log monitor --json || mail -s 'the log breaks its rules' security@example.com

Checked is that entries are what the signed checkpoint covers, and, from the entries alone: one digest per version for \
ever, no gap in the history of a skill, nobody acts without the right, and every signature rests on a key that was enrolled \
and not revoked and on a role that its signer had at that entry. Entries that the caller may not open are counted, and \
checked only for their place. Exit code 1 when a rule is broken or the log deceives, 5 when the registry does not \
answer; ready for cron.")]
pub(super) struct MonitorArgs {
    /// Read everything again, and not only what is new since the last time
    #[arg(long)]
    from_start: bool,
}

/// Runs it.
pub(super) async fn run(session: &Session, args: &MonitorArgs) -> CommandResult {
    let client = session.client()?;
    let mut log = Log::open(&client, &session.home()?, None).await?;
    let mut watched = if args.from_start { Watched::default() } else { log.watched()? };
    let progress = Progress::spinner(&session.output, "reading the log");
    let report = log
        .monitor(&mut watched, |done, all| {
            progress.message(&format!("reading the log: {done} of {all} entries"))
        })
        .await?;
    drop(progress);
    let is_good = report.violations.is_empty();
    if is_good {
        // What breaks a rule is told again the next time.
        log.keep_watched(&watched)?;
    }
    session.output.show(&report, |page| {
        for violation in &report.violations {
            page.line(Line::default().toned(Tone::Bad, "broken ").plain(violation.to_string()));
        }
        let new = counted(report.size - report.from, "entry", "entries");
        let line = Line::default();
        page.line(match is_good {
            true => line.toned(Tone::Good, "good ").plain(format!("{new} looked at, {} in all", report.size)),
            false => line.toned(
                Tone::Bad,
                format!("{} broken", counted(report.violations.len() as u64, "rule is", "rules are")),
            ),
        });
        page.field("log", &report.origin);
        page.field("root", report.root.to_string());
        page.field("skills", report.skills.to_string());
        page.field("versions", report.versions.to_string());
        page.field("keys", report.keys.to_string());
        for (index, version) in &report.forced {
            page.field("by force", format!("{version} was released by an owner, by entry {index}"));
        }
        if report.unjudged > 0 {
            page.field(
                "unjudged",
                counted(
                    report.unjudged,
                    "right that rests on hidden entries",
                    "rights that rest on hidden entries",
                ),
            );
        }
        if report.hidden > 0 {
            page.field(
                "hidden",
                counted(report.hidden as u64, "entry that you may not open", "entries that you may not open"),
            );
        }
    })?;
    Ok(if is_good { Exit::Done } else { Exit::Failed })
}
