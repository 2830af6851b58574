//! `skillery usage`: how often a skill or the skills of a namespace are installed, and which versions are in use.

use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use skillery_core::api::{AdoptionResponse, InstallsResponse, MAX_PERIOD_DAYS, Unit};
use skillery_core::{Namespace, Program, SkillId, Version};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, figure, left, right};
use crate::session::Session;

/// Characters of a full bar.
const BAR: u64 = 20;

/// Arguments of `usage`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery usage acme/email_validator
  skillery usage acme/email_validator --by week --days 182
  skillery usage acme/email_validator --version 1.2.0 --program git
  skillery usage --namespace acme/email              for its members
  skillery usage acme/email_validator --json | jq .adoption.consumers_share

How skills do on this machine is shown by `skillery stats`.")]
pub(crate) struct UsageArgs {
    /// Which skill, `org/name`
    #[arg(required_unless_present = "namespace", conflicts_with = "namespace")]
    id: Option<SkillId>,

    /// All skills of this namespace and below it
    #[arg(long, value_name = "NAMESPACE")]
    namespace: Option<Namespace>,

    /// Put days together: `day`, `week` or `month`
    #[arg(long, value_name = "UNIT", default_value = "day", value_parser = Unit::from_str)]
    by: Unit,

    /// Of the last so many days
    #[arg(long, value_name = "NUMBER", default_value_t = 28, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_PERIOD_DAYS)))]
    days: u32,

    /// Of this version alone
    #[arg(long, value_name = "VERSION", conflicts_with = "namespace")]
    version: Option<Version>,

    /// With this program alone, such as `git` or `skillery`
    #[arg(long, value_name = "PROGRAM", value_parser = Program::from_str)]
    program: Option<Program>,
}

#[derive(Debug, Serialize)]
struct Usage {
    installs: InstallsResponse,
    /// Of a skill only.
    #[serde(skip_serializing_if = "Option::is_none")]
    adoption: Option<AdoptionResponse>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &UsageArgs) -> CommandResult {
    let client = session.client()?;
    let (by, days) = (Some(args.by), Some(args.days));
    let usage = match (&args.id, &args.namespace) {
        (Some(id), _) => {
            let installs = client.installs(id, by, days, args.version.as_ref(), args.program);
            let (installs, adoption) =
                tokio::try_join!(installs, client.adoption(id)).map_err(Failure::from)?;
            Usage { installs, adoption: Some(adoption) }
        }
        (None, Some(namespace)) => {
            let installs = client.namespace_installs(namespace, by, days, args.program).await?;
            Usage { installs, adoption: None }
        }
        (None, None) => return Err(Failure::usage("name a skill, or a namespace with `--namespace`")),
    };
    let bars = session.output.draws_bars();
    session.output.show(&usage, |page| {
        describe_installs(page, &usage.installs, bars);
        if let Some(adoption) = &usage.adoption {
            describe_adoption(page, adoption);
        }
    })?;
    Ok(Exit::Done)
}

fn describe_installs(page: &mut Page, installs: &InstallsResponse, bars: bool) {
    page.line(Line::default().name(&installs.of));
    if let Some(version) = &installs.version {
        page.field("version", version.to_string());
    }
    if let Some(program) = installs.program {
        page.field("program", program.to_string());
    }
    page.field("from", format!("{} to {}", installs.first_day, installs.last_day));
    page.field("installs", installs.total.to_string());
    let trend = installs.trend.map_or_else(String::new, |trend| format!(" ({:+.0} %)", trend * 100.0));
    if let Some(before) = installs.before {
        page.field("before", format!("{before}{trend}"));
    }
    page.blank();
    let most = installs.periods.iter().map(|period| period.installs).max().unwrap_or(0);
    let mut columns = vec![left("FROM"), right("INSTALLS")];
    if bars {
        columns.push(left(""));
    }
    let mut grid = Grid::new(&columns);
    for period in installs.periods.iter().filter(|period| period.installs > 0) {
        let mut row = vec![period.start.clone(), period.installs.to_string()];
        if bars {
            let length = (period.installs.saturating_mul(BAR)).div_ceil(most.max(1));
            row.push("█".repeat(usize::try_from(length).unwrap_or(0)));
        }
        grid.row(row);
    }
    if most > 0 {
        page.grid(grid);
    }
    if !installs.versions.is_empty() {
        let mut grid = Grid::new(&[left("VERSION"), right("INSTALLS")]);
        for version in &installs.versions {
            grid.row([version.version.to_string(), version.installs.to_string()]);
        }
        page.blank();
        page.grid(grid);
    }
    for program in &installs.programs {
        page.field(program.program.as_str(), figure(program.installs));
    }
    if !installs.skills.is_empty() {
        page.blank();
        let mut grid = Grid::new(&[left("SKILL"), right("INSTALLS")]);
        for skill in &installs.skills {
            grid.row([skill.id.to_string(), skill.installs.to_string()]);
        }
        page.grid(grid);
    }
}

fn describe_adoption(page: &mut Page, adoption: &AdoptionResponse) {
    page.blank();
    page.heading(&format!("in use, the last {} days", adoption.days));
    page.field("users", figure(adoption.consumers));
    if let Some(latest) = &adoption.latest {
        let share = |share: Option<f64>| {
            share.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
        };
        page.field("latest", latest.to_string());
        page.field("of users", share(adoption.consumers_share));
        page.field("of installs", share(adoption.installs_share));
    }
    if !adoption.versions.is_empty() {
        let mut grid = Grid::new(&[left("VERSION"), left("STATUS"), right("INSTALLS"), right("USERS")]);
        for version in &adoption.versions {
            grid.row([
                version.version.to_string(),
                version.status.to_string(),
                version.installs.to_string(),
                figure(version.consumers),
            ]);
        }
        page.grid(grid);
    }
    for withdrawn in &adoption.withdrawn {
        let reason = withdrawn.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let who =
            withdrawn.users.as_ref().map_or_else(String::new, |users| format!(": {}", users.join(", ")));
        page.line(
            Line::default()
                .toned(Tone::Warning, format!("{} is {}", withdrawn.version, withdrawn.status))
                .plain(format!("{reason}; users who still have it: {}{who}", figure(withdrawn.consumers))),
        );
    }
}
