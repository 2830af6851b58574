//! `skillery stats`: how installed skills do on this machine.

use std::str::FromStr;

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::metrics::{
    ExecutionStatus, Latency, LocalRating, MINIMUM_RUNS, Ranking, SkillMetrics, Usage, VersionMetrics,
};
use skillery_client::{Error, Metrics};
use skillery_core::{Version, VersionRequest};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, counted, left, moment, right};
use crate::session::Session;
use crate::wanted::InstalledName;

/// Characters of a full bar.
const BAR: usize = 20;

/// Arguments of `stats`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  skillery stats                                     the skills that ran most
  skillery stats acme/email_validator                one skill, with all its versions
  skillery stats acme/email_validator@1.0.0          one version
  skillery stats --top latency --limit 5
  skillery stats upload                              tell the registry, counts only
  skillery stats reset --yes                         forget what was counted

Each step of `skillery workflow run` and of Python's `execute_workflow` is counted. Success and time are compared only \
of skills that ran five times. A skill that is called `upload` or `reset` needs its namespace.")]
pub(crate) struct StatsArgs {
    #[command(subcommand)]
    command: Option<StatsCommand>,

    /// Which skill, `org/name` or the name alone, with `@` and a version where only that one is meant
    skill: Option<InstalledName>,

    /// What to compare skills by: `usage`, `success_rate`, `rating` or `latency`
    #[arg(long, value_name = "METRIC", default_value = "usage", value_parser = parse_ranking)]
    top: Ranking,

    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
}

#[derive(Debug, Subcommand)]
enum StatsCommand {
    /// Tell the registry how often its skills ran: counts by version, and nothing else
    #[command(after_help = "\
Examples:
  skillery config set share_usage true && skillery stats upload
  skillery stats upload --json | jq .runs

Told is what ran since `share_usage` is on, of skills that came from this registry. It needs a token.")]
    Upload,
    /// Forget what was counted; ratings stay
    #[command(after_help = "\
Examples:
  skillery stats reset --yes
  skillery stats reset acme/email_validator --yes")]
    Reset {
        /// Only of this skill
        skill: Option<InstalledName>,

        /// Yes, forget it
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Serialize)]
struct Ranked<'a> {
    top: &'static str,
    skills: &'a [SkillMetrics],
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &StatsArgs) -> CommandResult {
    let metrics = Metrics::new(&session.home()?);
    match (&args.command, &args.skill) {
        (Some(StatsCommand::Upload), _) => upload(session, &metrics).await,
        (Some(StatsCommand::Reset { skill, yes }), _) => reset(session, &metrics, skill.as_ref(), *yes),
        (None, Some(skill)) => show(session, &metrics, skill),
        (None, None) => rank(session, &metrics, args),
    }
}

fn rank(session: &Session, metrics: &Metrics, args: &StatsArgs) -> CommandResult {
    let skills = metrics.top(args.top, usize::from(args.limit), MINIMUM_RUNS)?;
    let bars = session.output.draws_bars();
    session.output.show(&Ranked { top: args.top.as_str(), skills: &skills }, |page| {
        if skills.is_empty() {
            page.line(nothing(args.top));
            return;
        }
        let mut columns = vec![
            left("SKILL"),
            right("RUNS"),
            right("SUCCESS"),
            right("P50"),
            right("P90"),
            right("P99"),
            right("RATING"),
            left("LAST USED"),
        ];
        if bars {
            columns.push(left(""));
        }
        let most = skills.iter().map(|skill| part_of(args.top, skill)).fold(0.0, f64::max);
        let mut grid = Grid::new(&columns);
        for skill in &skills {
            let mut row = vec![skill.id.clone()];
            row.extend(cells(&skill.usage, skill.rating.as_ref()));
            if bars {
                row.push(bar(part_of(args.top, skill), most));
            }
            grid.row(row);
        }
        page.grid(grid);
    })?;
    Ok(Exit::Done)
}

/// What a bar shows.
fn part_of(ranking: Ranking, skill: &SkillMetrics) -> f64 {
    match ranking {
        Ranking::Usage => skill.usage.runs as f64,
        Ranking::SuccessRate => skill.usage.success_rate.unwrap_or(0.0),
        Ranking::Rating => skill.rating.as_ref().map_or(0.0, |rated| rated.rating.into()),
        Ranking::Latency => skill.usage.latency.map_or(0.0, |latency| latency.p50_ms),
    }
}

fn nothing(ranking: Ranking) -> Line {
    match ranking {
        Ranking::Usage => {
            Line::default().plain("nothing ran yet; run skills with ").command("skillery workflow run")
        }
        Ranking::Rating => Line::default().plain("no skill is rated here; Python's `rate_skill` does that"),
        Ranking::SuccessRate | Ranking::Latency => Line::default()
            .plain(format!("no skill ran {MINIMUM_RUNS} times yet; see all with "))
            .command("skillery stats"),
    }
}

fn show(session: &Session, metrics: &Metrics, wanted: &InstalledName) -> CommandResult {
    let version = exact(wanted)?;
    let Some(skill) = metrics.get(&session.library()?, &wanted.name, version)? else {
        let failure = match version {
            Some(version) => format!("nothing is known of `{}` {version}", wanted.name),
            None => format!("nothing is known of `{}`", wanted.name),
        };
        return Err(Failure::new(Exit::NotFound, "not-recorded", failure)
            .hint("see what is known with `skillery stats`, and what is installed with `skillery list`"));
    };
    let bars = session.output.draws_bars();
    session.output.show(&skill, |page| describe(page, &skill, version, bars))?;
    Ok(Exit::Done)
}

fn describe(page: &mut Page, skill: &SkillMetrics, version: Option<&Version>, bars: bool) {
    let SkillMetrics { usage, rating, versions, .. } = skill;
    let shown = version.map(|version| format!(" {version}")).unwrap_or_default();
    page.line(Line::default().name(&skill.id).plain(shown));
    page.field("runs", usage.runs.to_string());
    for status in ExecutionStatus::ALL {
        if let Some(count) = usage.statuses.get(status.as_str()) {
            page.field(&format!("  {status}"), with_bar(&count.to_string(), *count, usage.runs, bars));
        }
    }
    page.field("success", rate(usage));
    if let Some(LocalRating { rating, review, .. }) = rating {
        let review = review.as_ref().map(|review| format!(": {review}")).unwrap_or_default();
        page.field("rating", format!("{:.1}{review}", f64::from(*rating)));
    }
    for (name, time) in [("first used", usage.first_used), ("last used", usage.last_used)] {
        page.field(name, time.map_or_else(|| "never".to_owned(), moment));
    }
    if let Some(Latency { mean_ms, min_ms, p50_ms, p90_ms, p99_ms, max_ms, .. }) = usage.latency {
        page.blank();
        page.heading("time");
        let times = [
            ("  shortest", min_ms),
            ("  p50", p50_ms),
            ("  mean", mean_ms),
            ("  p90", p90_ms),
            ("  p99", p99_ms),
            ("  longest", max_ms),
        ];
        for (name, time) in times {
            let text = format!("{:>9}", milliseconds(time));
            page.field(name, if bars { format!("{text}  {}", bar(time, max_ms)) } else { text });
        }
    }
    if version.is_none() && !versions.is_empty() {
        page.blank();
        page.heading("versions");
        let mut grid = Grid::new(&[
            left("VERSION"),
            right("RUNS"),
            right("SUCCESS"),
            right("P50"),
            right("P90"),
            right("P99"),
            left("LAST USED"),
        ]);
        for VersionMetrics { version, usage } in versions {
            let mut row = vec![version.clone()];
            row.extend(cells(usage, None));
            // Versions have no rating of their own.
            row.remove(6);
            grid.row(row);
        }
        page.grid(grid);
    }
}

/// Runs, success, three percentiles, rating, last use.
fn cells(usage: &Usage, rating: Option<&LocalRating>) -> [String; 7] {
    let none = || "-".to_owned();
    let time =
        |part: fn(&Latency) -> f64| usage.latency.as_ref().map_or_else(none, |all| milliseconds(part(all)));
    [
        usage.runs.to_string(),
        rate(usage),
        time(|all| all.p50_ms),
        time(|all| all.p90_ms),
        time(|all| all.p99_ms),
        rating.map_or_else(none, |rated| format!("{:.1}", f64::from(rated.rating))),
        usage.last_used.map_or_else(none, moment),
    ]
}

fn rate(usage: &Usage) -> String {
    // Rounded down: only what never failed has 100 %. In whole numbers, as 0.29 * 100 is below 29.
    let (succeeded, ended) =
        (u128::from(usage.succeeded), u128::from(usage.succeeded) + u128::from(usage.failed));
    (succeeded * 100).checked_div(ended).map_or_else(|| "-".to_owned(), |percent| format!("{percent} %"))
}

fn with_bar(text: &str, part: u64, whole: u64, bars: bool) -> String {
    if bars { format!("{text:>9}  {}", bar(part as f64, whole as f64)) } else { text.to_owned() }
}

/// A bar of eighths of characters; what is above nothing is seen.
fn bar(part: f64, whole: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    if part <= 0.0 || whole <= 0.0 {
        return String::new();
    }
    let eighths = ((part / whole).min(1.0) * (BAR * 8) as f64).round().max(1.0) as usize;
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// A time as people read it.
pub(crate) fn milliseconds(time: f64) -> String {
    match time {
        0.0..10.0 => format!("{time:.1} ms"),
        10.0..10_000.0 => format!("{time:.0} ms"),
        _ => format!("{:.1} s", time / 1_000.0),
    }
}

async fn upload(session: &Session, metrics: &Metrics) -> CommandResult {
    if !session.config()?.share_usage {
        return Err(Failure::new(Exit::Usage, "usage-not-shared", "usage is not shared from this machine")
            .hint("allow it with `skillery config set share_usage true`; counts alone are told"));
    }
    let shared = metrics.share(&session.client()?).await?;
    session.output.show(&shared, |page| {
        page.line(if shared.runs == 0 {
            Line::default().plain("there is nothing to tell ").name(&shared.registry)
        } else {
            let runs = counted(shared.runs, "run", "runs");
            let versions = counted(shared.versions, "version", "versions");
            let told = Line::default().toned(Tone::Good, "told ").name(&shared.registry);
            told.plain(format!(" of {runs} of {versions}"))
        });
    })?;
    Ok(Exit::Done)
}

fn reset(session: &Session, metrics: &Metrics, skill: Option<&InstalledName>, yes: bool) -> CommandResult {
    let id = match skill {
        None => None,
        Some(InstalledName { request: Some(_), .. }) => {
            return Err(
                Failure::usage("one version alone is not forgotten").hint("name the skill without `@`")
            );
        }
        Some(InstalledName { name, .. }) => {
            let known = metrics.get(&session.library()?, name, None)?;
            Some(known.ok_or_else(|| Error::NotInstalled { name: name.clone() })?.id)
        }
    };
    if !yes {
        let what = id.as_deref().map_or_else(|| "everything".to_owned(), |id| format!("what ran of `{id}`"));
        return Err(Failure::usage(format!("{what} would be forgotten for good"))
            .hint("say `--yes` if that is meant"));
    }
    let forgotten = metrics.reset(id.as_deref())?;
    session.output.show(&serde_json::json!({ "skill": id, "forgotten_runs": forgotten }), |page| {
        let runs = counted(forgotten, "run", "runs");
        page.line(Line::default().toned(Tone::Good, "forgot ").plain(runs));
    })?;
    Ok(Exit::Done)
}

fn exact(wanted: &InstalledName) -> Result<Option<&Version>, Failure> {
    match &wanted.request {
        None => Ok(None),
        Some(VersionRequest::Exact(version)) => Ok(Some(version)),
        Some(other) => Err(Failure::usage(format!("`{other}` is not one version"))
            .hint(format!("name a version, for example `{}@1.0.0`, or none for all", wanted.name))),
    }
}

fn parse_ranking(text: &str) -> Result<Ranking, String> {
    Ranking::from_str(text).map_err(|_| {
        let words = Ranking::ALL.map(|ranking| format!("`{ranking}`")).join(", ");
        format!("use one of {words}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_part() {
        let lengths =
            [0.0, 0.001, 25.0, 50.0, 99.9, 100.0, 200.0].map(|part| bar(part, 100.0).chars().count());
        assert_eq!(lengths, [0, 1, 5, 10, 20, 20, 20]);
        assert_eq!(bar(51.0, 100.0), "██████████▎");
        assert_eq!(bar(1.0, 0.0), "");
    }

    #[test]
    fn rates_are_rounded_down_and_no_further() {
        let rate = |succeeded, failed| rate(&Usage { succeeded, failed, ..Usage::default() });
        assert_eq!(rate(29, 71), "29 %");
        assert_eq!(rate(999, 1), "99 %");
        assert_eq!(rate(3, 0), "100 %");
        assert_eq!(rate(0, 0), "-");
    }

    #[test]
    fn times_have_their_unit() {
        assert_eq!(
            [0.0, 9.94, 10.0, 9_999.0, 61_000.0].map(milliseconds),
            ["0.0 ms", "9.9 ms", "10 ms", "9999 ms", "61.0 s"]
        );
    }
}
