//! `skillery audit`: who did what, when and from where, and what was refused.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use skillery_client::AuditQuery;
use skillery_core::api::{AuditCount, AuditEntry, AuditFormat, AuditOutcome, AuditReport, MAX_REPORT_DAYS};
use skillery_core::{Namespace, SkillId, Version};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, left, moment, right, safe, size};
use crate::paging::{BeforeArgs, PageArgs};
use crate::session::Session;

/// Arguments of `audit`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery audit list --since 7d --outcome denied
  skillery audit list --actor bob --action version.
  skillery audit export --since 2026-01-01 --output audit.csv
  skillery audit report --days 30
  skillery audit installs acme/email_validator 1.0.0

Admins of the registry see all of it. Admins of a namespace see what concerns it and what lies below, and addresses of its \
members only.")]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// List what was done and what was refused, the newest first
    #[command(after_help = "\
Examples:
  skillery audit list --since 24h
  skillery audit list --subject acme/email_validator --outcome denied
  skillery audit list --json | jq -r '.entries[] | [.time, .actor, .action] | @tsv'")]
    List {
        #[command(flatten)]
        filter: FilterArgs,
        #[command(flatten)]
        part: BeforeArgs,
    },
    /// Write all of it as a file: CSV, or a JSON object in each line
    #[command(after_help = "\
Examples:
  skillery audit export --since 30d --output audit.csv
  skillery audit export --format jsonl --namespace acme | gzip > audit.jsonl.gz")]
    Export {
        #[command(flatten)]
        filter: FilterArgs,
        /// What the file looks like: `csv` or `jsonl`
        #[arg(long, value_name = "FORMAT", default_value_t = AuditFormat::Csv)]
        format: AuditFormat,
        /// Where to [default: the standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// At most so many rows, the newest
        #[arg(long, value_name = "NUMBER")]
        limit: Option<usize>,
    },
    /// Count what happened in the last days, and name what an auditor asks for first
    #[command(after_help = "\
Examples:
  skillery audit report
  skillery audit report --days 90 --namespace acme
  skillery audit report --json > report.json")]
    Report {
        /// Of so many days
        #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REPORT_DAYS)))]
        days: u32,
        /// Only what concerns this namespace, and what lies below
        #[arg(long)]
        namespace: Option<Namespace>,
    },
    /// List which signed-in users have installed a version
    #[command(after_help = "\
Examples:
  skillery audit installs acme/email_validator 1.0.0")]
    Installs {
        /// Which skill, `org/name`
        id: SkillId,
        /// Which version
        version: Version,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, Args)]
struct FilterArgs {
    /// Only what this user did: a name or an id
    #[arg(long, value_name = "USER")]
    actor: Option<String>,
    /// Only what is about this: a skill, a namespace and all below it, a user, the id of a token
    #[arg(long, value_name = "WHAT")]
    subject: Option<String>,
    /// Only actions that begin so, such as `version.`
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only what was done, or what was refused: `allowed` or `denied`
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<AuditOutcome>,
    /// From then on: a time, a day, or how long ago, such as `7d`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before then
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only from this address (admins of the registry)
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// Only what concerns this namespace, and what lies below
    #[arg(long)]
    namespace: Option<Namespace>,
}

impl FilterArgs {
    fn query(&self) -> AuditQuery {
        AuditQuery {
            actor: self.actor.clone(),
            subject: self.subject.clone(),
            action: self.action.clone(),
            outcome: self.outcome,
            since: self.since.clone(),
            until: self.until.clone(),
            address: self.address.clone(),
            namespace: self.namespace.as_ref().map(ToString::to_string),
        }
    }
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &AuditArgs) -> CommandResult {
    match &args.command {
        AuditCommand::List { filter, part } => list(session, filter, *part).await,
        AuditCommand::Export { filter, format, output, limit } => {
            export(session, filter, *format, output.as_deref(), *limit).await
        }
        AuditCommand::Report { days, namespace } => {
            let report = session.client()?.audit_report(*days, namespace.as_ref()).await?;
            session.output.show(&report, |page| describe(page, &report))?;
            Ok(Exit::Done)
        }
        AuditCommand::Installs { id, version, page } => installs(session, id, version, *page).await,
    }
}

async fn list(session: &Session, filter: &FilterArgs, part: BeforeArgs) -> CommandResult {
    let listed = session.client()?.audit(&filter.query(), part.before, Some(part.limit)).await?;
    session.output.show(&listed, |page| match listed.entries.is_empty() {
        true => page.text("nothing of the kind happened"),
        false => page.grid(grid(&listed.entries)),
    })?;
    BeforeArgs::note(session, listed.next);
    Ok(Exit::Done)
}

fn grid(entries: &[AuditEntry]) -> Grid {
    let mut grid =
        Grid::new(&[left("TIME"), left("WHO"), left("WHAT"), left("ABOUT"), left("OUTCOME"), left("FROM")]);
    for entry in entries {
        let outcome = match (entry.outcome, &entry.code) {
            (AuditOutcome::Denied, Some(code)) if entry.times > 1 => format!("{code} ×{}", entry.times),
            (AuditOutcome::Denied, Some(code)) => code.clone(),
            (outcome, _) => outcome.to_string(),
        };
        grid.row([
            moment(entry.time),
            entry.actor.clone().unwrap_or_else(|| "-".to_owned()),
            entry.action.clone(),
            about(entry),
            outcome,
            entry.address.clone().or_else(|| entry.via.clone()).unwrap_or_else(|| "-".to_owned()),
        ]);
    }
    grid
}

fn about(entry: &AuditEntry) -> String {
    let parts = [&entry.subject, &entry.version, &entry.affected];
    let told: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    if told.is_empty() { "-".to_owned() } else { told.join(" ") }
}

async fn export(
    session: &Session,
    filter: &FilterArgs,
    format: AuditFormat,
    path: Option<&Path>,
    limit: Option<usize>,
) -> CommandResult {
    let client = session.client()?;
    let query = filter.query();
    let Some(path) = path else {
        let mut lines = Lines::default();
        let is_terminal = session.output.is_terminal();
        let write = |piece: &[u8]| match is_terminal {
            true => session.output.write(lines.safe(piece).as_bytes()),
            false => session.output.write(piece),
        };
        client.audit_file(&query, format, limit, write).await?;
        return Ok(Exit::Done);
    };
    // Beside it first: a file is whole, or it is not there.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let failed = |error: std::io::Error| Failure::file("write", path, &error);
    let made = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| ".".as_ref()));
    // Its own words name a file that nobody asked for.
    let mut file = made.map_err(|error| failed(error.kind().into()))?;
    let mut bytes = 0;
    let write = |piece: &[u8]| {
        bytes += piece.len() as u64;
        file.write_all(piece).map(ControlFlow::Continue).map_err(failed)
    };
    client.audit_file(&query, format, limit, write).await?;
    file.persist(path).map_err(|error| failed(error.error))?;
    let line = Line::default().plain(format!("{} in ", size(bytes)));
    session.output.note(line.name(path.display().to_string()));
    Ok(Exit::Done)
}

/// What came in pieces, line by line: on a terminal it is to be read, and what others wrote must not write to it as it likes.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    /// The lines that are whole with this piece; one that has no end is not waited for.
    fn safe(&mut self, piece: &[u8]) -> String {
        const LONGEST: usize = 1024 * 1024;
        self.0.extend_from_slice(piece);
        let end = match self.0.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if self.0.len() > LONGEST => self.0.len(),
            None => 0,
        };
        let whole: Vec<u8> = self.0.drain(..end).collect();
        String::from_utf8_lossy(&whole).lines().map(|line| safe(line) + "\n").collect()
    }
}

async fn installs(session: &Session, id: &SkillId, version: &Version, page: PageArgs) -> CommandResult {
    let found = session.client()?.installs_of(id, version, page.page()).await?;
    session.output.show(&found, |out| {
        if found.installs.is_empty() {
            out.text("no signed-in user has installed it");
            return;
        }
        let mut grid = Grid::new(&[left("USER"), right("DOWNLOADS"), left("FIRST"), left("LAST")]);
        for install in &found.installs {
            grid.row([
                install.user.clone(),
                install.downloads.to_string(),
                moment(install.first_at),
                moment(install.last_at),
            ]);
        }
        out.grid(grid);
    })?;
    page.note(session, found.installs.len(), found.total);
    Ok(Exit::Done)
}

fn describe(page: &mut Page, report: &AuditReport) {
    page.field("from", moment(report.from));
    page.field("to", moment(report.to));
    if let Some(namespace) = &report.namespace {
        page.field("namespace", namespace);
    }
    page.field("done", report.allowed.to_string());
    page.field("refused", report.denied.to_string());
    for (title, counts) in [
        ("What was done", &report.actions),
        ("Who did it", &report.actors),
        ("Why it was refused", &report.denied_by_code),
        ("Who was refused", &report.denied_by_caller),
    ] {
        count(page, title, counts);
    }
    if !report.releases.is_empty() {
        page.blank();
        page.heading("Released after approval");
        let mut grid = Grid::new(&[left("TIME"), left("SKILL"), left("VERSION"), left("APPROVED BY")]);
        for release in &report.releases {
            let by = release.approved_by.join(", ");
            grid.row([&moment(release.time), &release.skill, &release.version, &by]);
        }
        page.grid(grid);
    }
    for (title, entries) in [
        ("Released around the policy", &report.break_glass),
        ("Roles", &report.members),
        ("Policies", &report.policies),
    ] {
        if !entries.is_empty() {
            page.blank();
            page.heading(title);
            page.grid(grid(entries));
        }
    }
}

fn count(page: &mut Page, title: &str, counts: &[AuditCount]) {
    if counts.is_empty() {
        return;
    }
    page.blank();
    page.heading(title);
    let mut grid = Grid::new(&[left("NAME"), right("TIMES")]);
    for count in counts {
        grid.row([&count.name, &count.times.to_string()]);
    }
    page.grid(grid);
}
