//! `skillery reports`: reporting abuse, and deciding about it.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::api::{Report, ReportKind, ReportReason, ReportRequest};
use skillery_core::{Namespace, SkillId};

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Page, Tone, moment};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `reports`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery reports add acme/email_validator --reason malicious
  skillery reports list
  skillery reports resolve 0199c1f2-7f0e-7a20-b1d5-5a0c8f3e9d11 'hidden'

Comments and reviews are reported with `skillery comments report` and `skillery reviews report`. About a skill, and about \
what members of its org wrote, admins of the registry decide; about the rest admins of the namespace do, too. Only admins of \
the registry see who reports.")]
pub(crate) struct ReportsArgs {
    #[command(subcommand)]
    command: ReportsCommand,
}

#[derive(Debug, Subcommand)]
enum ReportsCommand {
    /// Report a skill to admins of the registry
    #[command(after_help = "\
Examples:
  skillery reports add acme/email_validator --reason malicious --text 'reads ~/.ssh'")]
    Add {
        /// Which skill, `org/name`
        id: SkillId,
        #[command(flatten)]
        why: Why,
    },
    /// List what was reported and is yours to decide about, the oldest first
    #[command(after_help = "\
Examples:
  skillery reports list
  skillery reports list --namespace acme --resolved
  skillery reports list --json | jq -r '.reports[].id'")]
    List {
        /// Only of this namespace, and what lies below
        #[arg(long)]
        namespace: Option<Namespace>,
        /// Those that are resolved
        #[arg(long)]
        resolved: bool,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Say what was done about a report
    #[command(after_help = "\
Examples:
  skillery reports resolve 0199c1f2-7f0e-7a20-b1d5-5a0c8f3e9d11 'hidden'")]
    Resolve {
        /// The id of the report
        report: String,
        /// What was done
        resolution: String,
    },
    /// Open a report again
    #[command(after_help = "\
Examples:
  skillery reports reopen 0199c1f2-7f0e-7a20-b1d5-5a0c8f3e9d11")]
    Reopen {
        /// The id of the report
        report: String,
    },
}

/// Why something is reported.
#[derive(Debug, Args)]
pub(crate) struct Why {
    /// Why: `spam`, `abuse`, `malicious`, `rights`, `privacy` or `other`
    #[arg(long, value_name = "WORD")]
    pub(crate) reason: ReportReason,
    /// What there is to say about it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) text: String,
}

impl Why {
    /// A report about this skill.
    pub(crate) fn about(&self, id: &SkillId) -> ReportRequest {
        ReportRequest::of_skill(id, self.reason, self.text.clone())
    }
}

/// Hiding what somebody has said, or showing it again.
#[derive(Debug, Args)]
pub(crate) struct HideArgs {
    /// Why, for moderators and the author
    #[arg(long, value_name = "TEXT", required_unless_present = "undo")]
    reason: Option<String>,
    /// Show it again
    #[arg(long, conflicts_with = "reason")]
    undo: bool,
}

impl HideArgs {
    /// Why it is hidden; none where it is shown again.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.reason.as_deref().filter(|_| !self.undo)
    }
}

impl Line {
    /// Adds that something is hidden, and why, if it is.
    #[must_use]
    pub(crate) fn hidden(self, is_hidden: bool, why: Option<&str>) -> Self {
        if !is_hidden {
            return self;
        }
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        self.toned(Tone::Warning, format!("  hidden{why}"))
    }
}

#[derive(Debug, Serialize)]
struct Done<'a> {
    report: &'a str,
    state: &'static str,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &ReportsArgs) -> CommandResult {
    match &args.command {
        ReportsCommand::Add { id, why } => submit(session, &why.about(id)).await,
        ReportsCommand::List { namespace, resolved, page } => {
            list(session, namespace.as_ref(), *resolved, *page).await
        }
        ReportsCommand::Resolve { report, resolution } => {
            session.client()?.resolve_report(report, resolution).await?;
            done(session, report, "resolved")
        }
        ReportsCommand::Reopen { report } => {
            session.client()?.reopen_report(report).await?;
            done(session, report, "open")
        }
    }
}

/// Reports something.
pub(crate) async fn submit(session: &Session, report: &ReportRequest) -> CommandResult {
    session.client()?.report_abuse(report).await?;
    session.output.show(report, |page| {
        page.line(Line::default().toned(Tone::Good, "reported").plain("; moderators look at it"));
    })?;
    Ok(Exit::Done)
}

fn done(session: &Session, report: &str, state: &'static str) -> CommandResult {
    session.output.show(&Done { report, state }, |page| {
        page.line(Line::default().plain("the report is ").toned(Tone::Good, state));
    })?;
    Ok(Exit::Done)
}

async fn list(
    session: &Session,
    namespace: Option<&Namespace>,
    resolved: bool,
    page: PageArgs,
) -> CommandResult {
    let found = session.client()?.reports(namespace, resolved, page.page()).await?;
    session.output.show(&found, |out| {
        if found.reports.is_empty() {
            out.text(if resolved { "nothing is resolved" } else { "nothing waits for you" });
        }
        for (place, report) in found.reports.iter().enumerate() {
            if place > 0 {
                out.blank();
            }
            describe(out, report);
        }
    })?;
    page.note(session, found.reports.len(), found.total);
    Ok(Exit::Done)
}

fn describe(page: &mut Page, report: &Report) {
    let what = match (&report.comment, &report.review, &report.answer) {
        (Some(comment), ..) => format!("comment {comment} on {}", report.skill),
        (_, Some(user), _) => format!("the review of {} by {user}", report.skill),
        (_, _, Some(user)) => format!("the answer to the review of {} by {user}", report.skill),
        _ => format!("the skill {}", report.skill),
    };
    let at = moment(report.created_at);
    page.line(Line::default().name(&report.id).toned(Tone::Faint, format!("  {at}")));
    page.field("What", what);
    page.field("Why", report.reason.as_str());
    for (name, text) in [
        ("Written by", &report.accused),
        ("Reported by", &report.reporter),
        ("Resolved by", &report.resolved_by),
        ("Resolution", &report.resolution),
    ] {
        if let Some(text) = text {
            page.field(name, text);
        }
    }
    if !report.text.is_empty() {
        page.indented(&report.text);
    }
    said(page, report, report.said.as_deref());
    if report.changed {
        let what = match (report.kind, report.said.as_deref()) {
            // There was none when it was reported.
            (ReportKind::Skill, Some("")) => "it has a release by now",
            (ReportKind::Skill, _) => "that version is not the newest any more",
            _ => "it says something else by now, or is not there any more",
        };
        page.line(Line::default().toned(Tone::Warning, what));
    }
    for former in &report.former {
        let at = moment(former.created_at);
        page.line(Line::default().toned(Tone::Faint, format!("reported before, {at}: {}", former.reason)));
        for (name, text) in [
            ("Written by", &former.accused),
            ("Resolved by", &former.resolved_by),
            ("Resolution", &former.resolution),
        ] {
            if let Some(text) = text {
                page.field(name, text);
            }
        }
        if !former.text.is_empty() {
            page.indented(&former.text);
        }
        said(page, report, former.said.as_deref());
    }
}

fn said(page: &mut Page, report: &Report, said: Option<&str>) {
    match said.filter(|said| !said.is_empty()) {
        Some(version) if report.kind == ReportKind::Skill => page.field("Newest then", version),
        Some(said) => {
            page.line(Line::default().toned(Tone::Faint, "what it said:"));
            page.indented(said);
        }
        None => {}
    }
}
