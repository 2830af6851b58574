//! `skillery info`: everything about a skill, and how to get it.

use clap::Args;
use serde::Serialize;
use skillery_client::{Client, Error};
use skillery_core::api::{InstallLine, Record, VersionDetail, VersionSummary, VersionUsage};
use skillery_core::health::Health;
use skillery_core::{ProblemCode, SkillId, SkillKind, Version, VersionStatus};

use crate::commands::search::rating_text;
use crate::commands::stats::milliseconds;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, counted, left, moment, right, size};
use crate::session::Session;

/// How many versions are listed; the rest is counted.
const VERSIONS: u64 = 10;

/// Arguments of `info`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery info acme/email_validator
  skillery info acme/email_validator --version 1.0.0
  skillery info acme/email_validator --json | jq -r .version.digest")]
pub(crate) struct InfoArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// Show this version [default: the latest]
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
}

#[derive(Debug, Serialize)]
struct Info {
    /// Of the latest version.
    skill: Record,
    /// The one that was asked for.
    version: VersionDetail,
    /// The highest first.
    versions: Vec<VersionSummary>,
    versions_total: u64,
    /// What users told of runs, of those versions that they told of; the highest first.
    usage: Vec<VersionUsage>,
    /// How sound that version is; nothing where the registry does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<Health>,
    /// What to type to install it.
    install: Vec<InstallLine>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &InfoArgs) -> CommandResult {
    let client = session.client()?;
    let skill = client.skill(&args.id).await?;
    let version = match &args.version {
        Some(version) => version.clone(),
        None => skill.version.parse().map_err(skillery_client::Error::from)?,
    };
    let first = skillery_client::Page { limit: Some(VERSIONS), offset: None };
    let (versions, detail, usage, health, install) = tokio::try_join!(
        client.versions(&args.id, first),
        client.version(&args.id, &version),
        usage(&client, &args.id, first),
        health(&client, &args.id, &version),
        install_lines(&client, &args.id, args.version.as_ref())
    )
    .map_err(Failure::from)?;
    let (versions, versions_total) = (versions.versions, versions.total);
    let info = Info { skill, version: detail, versions, versions_total, usage, health, install };
    session.output.show(&info, |page| {
        describe(page, &info);
        describe_versions(page, &info);
        describe_usage(page, &info);
        describe_install(page, &info);
    })?;
    Ok(Exit::Done)
}

/// What users told of runs. A registry of an earlier release does not know.
async fn usage(
    client: &Client,
    id: &SkillId,
    page: skillery_client::Page,
) -> skillery_client::Result<Vec<VersionUsage>> {
    match client.usage(id, page).await {
        Err(Error::Problem(problem))
            if matches!(problem.code, ProblemCode::RouteNotFound | ProblemCode::InvalidId) =>
        {
            Ok(Vec::new())
        }
        other => other.map(|usage| usage.versions),
    }
}

/// How sound a version is. Nothing of one that is not handed out, and of a registry of an earlier release.
async fn health(client: &Client, id: &SkillId, version: &Version) -> skillery_client::Result<Option<Health>> {
    match client.health(id, version).await {
        Err(Error::Problem(problem))
            if matches!(
                problem.code,
                ProblemCode::RouteNotFound | ProblemCode::InvalidId | ProblemCode::VersionNotFound
            ) =>
        {
            Ok(None)
        }
        other => other.map(|found| Some(found.health)),
    }
}

/// What to type to install it. Nothing of a version that is not handed out, and of a registry of an earlier release.
async fn install_lines(
    client: &Client,
    id: &SkillId,
    version: Option<&Version>,
) -> skillery_client::Result<Vec<InstallLine>> {
    match client.install_lines(id, version).await {
        Err(Error::Problem(problem))
            if matches!(
                problem.code,
                ProblemCode::RouteNotFound
                    | ProblemCode::InvalidId
                    | ProblemCode::VersionNotFound
                    | ProblemCode::VersionQuarantined
            ) =>
        {
            Ok(Vec::new())
        }
        other => other.map(|install| install.lines),
    }
}

fn describe(page: &mut Page, info: &Info) {
    let (skill, version) = (&info.skill, &info.version);
    page.line(Line::default().name(&skill.id).plain(format!(" {}", version.summary.version)));
    if !version.description.is_empty() {
        page.text(&version.description);
    }
    if version.summary.status != VersionStatus::Published {
        let reason = version.summary.reason.as_deref().unwrap_or("no reason given");
        page.line(
            Line::default()
                .toned(Tone::Warning, format!("this version is {}", version.summary.status))
                .plain(format!(": {reason}")),
        );
    }
    page.blank();
    page.field("rating", rating_text(skill.rating, skill.rating_count));
    page.field("installs", skill.install_count.to_string());
    if let Some(health) = &info.health {
        page.field("health", format!("{} of {}", health.points, health.most));
    }
    page.field("author", &version.author);
    page.field("license", &version.license);
    if !version.tags.is_empty() {
        page.field("tags", version.tags.join(", "));
    }
    for (name, value) in [("homepage", &version.homepage), ("repository", &version.repository)] {
        if let Some(value) = value {
            page.field(name, value);
        }
    }
    page.field("visibility", version.visibility.as_str());
    page.field(
        "published",
        format!("{} by {}", moment(version.summary.created_at), version.summary.publisher),
    );
    page.field("digest", version.summary.digest.to_string());
    match version.summary.kind {
        SkillKind::Function => page.field("code hash", version.summary.code_hash.to_string()),
        SkillKind::Folder => page.field("kind", version.summary.kind.as_str()),
    }
    for (id, wanted) in version.summary.dependencies.iter().flatten() {
        page.field("needs", format!("{id} {wanted}"));
    }
    page.field("log entry", version.log_position.to_string());
    if version.signatures.is_empty() {
        page.field("signature", "none");
    }
    for signature in &version.signatures {
        page.field("signature", format!("{} ({})", signature.kind, signature.level));
    }
    if version.findings.is_none() && version.summary.status.has_files() {
        page.field("findings", "not known now");
    }
    for finding in version.findings.iter().flatten() {
        page.field("finding", format!("{}: {} ({})", finding.level, finding.message, finding.rule));
    }
    if let Some(changelog) = &version.summary.changelog {
        describe_changelog(page, changelog);
    }
    page.blank();
    page.heading("files");
    for file in &version.files {
        page.text(format!("  {:<40} {:>10}", file.path, size(file.size)));
    }
}

/// Writes what is said to have changed with a version.
pub(super) fn describe_changelog(page: &mut Page, changelog: &str) {
    page.blank();
    page.heading("what changed, as its publisher or an admin says");
    page.indented(changelog);
}

fn describe_versions(page: &mut Page, info: &Info) {
    page.blank();
    page.heading("versions");
    let mut grid =
        Grid::new(&[left("VERSION"), left("STATUS"), right("SIZE"), left("PUBLISHER"), left("PUBLISHED")]);
    for version in &info.versions {
        grid.row([
            version.version.to_string(),
            version.status.to_string(),
            size(version.size),
            version.publisher.clone(),
            moment(version.created_at),
        ]);
    }
    page.grid(grid);
    let more = info.versions_total.saturating_sub(info.versions.len() as u64);
    if more > 0 {
        page.text(format!("and {}", counted(more, "older version", "older versions")));
    }
}

fn describe_usage(page: &mut Page, info: &Info) {
    if info.usage.is_empty() {
        return;
    }
    page.blank();
    page.heading("usage, as users told");
    let mut grid = Grid::new(&[
        left("VERSION"),
        right("RUNS"),
        right("SUCCEEDED"),
        right("FAILED"),
        right("MEAN TIME"),
        left("LAST DAY"),
    ]);
    for usage in &info.usage {
        grid.row([
            usage.version.to_string(),
            usage.runs.to_string(),
            usage.succeeded.to_string(),
            usage.failed.to_string(),
            usage.latency_ms_mean.map_or_else(|| "-".to_owned(), milliseconds),
            usage.last_day.clone(),
        ]);
    }
    page.grid(grid);
}

fn describe_install(page: &mut Page, info: &Info) {
    if info.install.is_empty() {
        return;
    }
    page.blank();
    page.heading("install");
    for line in &info.install {
        let note = line.note.as_ref().map_or_else(String::new, |note| format!(" ({note})"));
        page.text(format!("  {}{note}", line.client));
        page.text(format!("    {}", line.command));
    }
}
