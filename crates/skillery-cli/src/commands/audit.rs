//! `skillery audit`: who did what, when and from where, and what was refused.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use skillery_client::{AuditFormat, AuditQuery, Error};
use skillery_core::api::{AuditCount, AuditEntry, AuditOutcome, AuditReport};
use skillery_core::{Namespace, SkillId, Version};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, counted, left, moment, right};
use crate::paging::PageArgs;
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
        /// Show at most so many
        #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=200))]
        limit: u64,
        /// Begin behind the row of this number
        #[arg(long, value_name = "NUMBER")]
        before: Option<i64>,
    },
    /// Write all of it as a file: CSV, or a JSON object in each line
    #[command(after_help = "\
Examples:
  skillery audit export --since 30d --output audit.csv
  skillery audit export --format jsonl --namespace acme | gzip > audit.jsonl.gz")]
    Export {
        #[command(flatten)]
        filter: FilterArgs,
        /// What the file looks like
        #[arg(long, value_enum, default_value_t = Format::Csv)]
        format: Format,
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
        #[arg(long, value_name = "NUMBER", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3660))]
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

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
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
    /// Only what was done, or what was refused
    #[arg(long, value_parser = ["allowed", "denied"])]
    outcome: Option<String>,
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
            outcome: self.outcome.clone(),
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
        AuditCommand::List { filter, limit, before } => list(session, filter, *limit, *before).await,
        AuditCommand::Export { filter, format, output, limit } => {
            export(session, filter, *format, output.as_ref(), *limit).await
        }
        AuditCommand::Report { days, namespace } => {
            let report = session.client()?.audit_report(*days, namespace.as_ref()).await?;
            session.output.show(&report, |page| describe(page, &report))?;
            Ok(Exit::Done)
        }
        AuditCommand::Installs { id, version, page } => installs(session, id, version, *page).await,
    }
}

async fn list(session: &Session, filter: &FilterArgs, limit: u64, before: Option<i64>) -> CommandResult {
    let listed = session.client()?.audit(&filter.query(), before, Some(limit)).await?;
    session.output.show(&listed, |page| match listed.entries.is_empty() {
        true => page.text("nothing of the kind happened"),
        false => page.grid(grid(&listed.entries)),
    })?;
    if let Some(next) = listed.next {
        session
            .output
            .note(Line::default().toned(Tone::Faint, "for more: ").command(format!("--before {next}")));
    }
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
            moment(&entry.time.to_string()),
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
    format: Format,
    output: Option<&PathBuf>,
    limit: Option<usize>,
) -> CommandResult {
    let client = session.client()?;
    let format = match format {
        Format::Csv => AuditFormat::Csv,
        Format::Jsonl => AuditFormat::Jsonl,
    };
    let query = filter.query();
    let Some(path) = output else {
        let mut out = std::io::stdout();
        client.audit_file(&query, format, limit, |piece| written(out.write_all(piece))).await?;
        return Ok(Exit::Done);
    };
    // Beside it first: a file is whole, or it is not there.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or_else(|| ".".as_ref())).map_err(failed)?;
    let rows = client.audit_file(&query, format, limit, |piece| written(file.write_all(piece))).await?;
    file.persist(path).map_err(|error| failed(error.error))?;
    let line = Line::default().plain(format!("{} in ", counted(rows as u64, "row", "rows")));
    session.output.note(line.name(path.display().to_string()));
    Ok(Exit::Done)
}

fn written(outcome: std::io::Result<()>) -> Result<(), Error> {
    outcome.map_err(failed)
}

fn failed(error: std::io::Error) -> Error {
    Error::Invalid { what: "the file".to_owned(), reason: error.to_string() }
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
                moment(&install.first_at.to_string()),
                moment(&install.last_at.to_string()),
            ]);
        }
        out.grid(grid);
    })?;
    page.note(session, found.installs.len(), found.total);
    Ok(Exit::Done)
}

fn describe(page: &mut Page, report: &AuditReport) {
    page.field("From", moment(&report.from.to_string()));
    page.field("To", moment(&report.to.to_string()));
    if let Some(namespace) = &report.namespace {
        page.field("Namespace", namespace);
    }
    page.field("Done", report.allowed.to_string());
    page.field("Refused", report.denied.to_string());
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
            grid.row([&moment(&release.time.to_string()), &release.skill, &release.version, &by]);
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
