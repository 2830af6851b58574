//! What came of a run, for people.

use skillery_runner::{Outcome, RunReport, Status, StepReport};

use crate::output::{Grid, Line, Page, Tone, counted, left};

/// Items and inner steps that are shown one by one; of more, only those that did not succeed.
const MOST_SHOWN: usize = 20;

/// The run and its steps.
pub(super) fn whole(page: &mut Page, report: &RunReport) {
    let (tone, word) = match report.status {
        Status::Success => (Tone::Good, "succeeded"),
        Status::Cancelled => (Tone::Warning, "was cancelled"),
        _ => (Tone::Bad, "failed"),
    };
    page.line(
        Line::default()
            .name(&report.workflow)
            .toned(tone, format!(" {word}"))
            .plain(format!(" in {:.0} ms", report.latency_ms)),
    );
    if let Some(reason) = &report.reason {
        page.line(Line::default().toned(Tone::Bad, reason));
    }
    page.blank();
    steps(page, report);
    if report.status != Status::Success {
        page.blank();
        page.line(
            Line::default()
                .toned(Tone::Faint, "go on from here: ")
                .command(format!("skillery workflow resume {}", report.run_id)),
        );
    }
}

/// The steps alone: a table, then each one's output or error.
pub(super) fn steps(page: &mut Page, report: &RunReport) {
    let mut grid = Grid::new(&[left("STEP"), left("STATUS"), left("SKILL"), left("VERSION"), left("TIME")]);
    rows(&mut grid, "", &report.steps);
    page.grid(grid);
    for StepReport { name, outcome } in &report.steps {
        page.blank();
        page.heading(name);
        detail(page, outcome);
    }
}

fn rows(grid: &mut Grid, prefix: &str, steps: &[StepReport]) {
    for StepReport { name, outcome } in steps {
        let name = format!("{prefix}{name}");
        row(grid, &name, outcome);
        let few = outcome.items.len() <= MOST_SHOWN;
        for (index, item) in outcome.items.iter().enumerate() {
            if few || item.status != Status::Success {
                row(grid, &format!("{name}[{index}]"), item);
            }
        }
        rows(grid, &format!("{name}/"), &outcome.steps);
    }
}

fn row(grid: &mut Grid, name: &str, outcome: &Outcome) {
    let time = match outcome.latency_ms {
        // It never began.
        0.0 => "-".to_owned(),
        latency_ms => format!("{latency_ms:.0} ms"),
    };
    let version = if outcome.version.is_empty() { "-" } else { &outcome.version };
    let status = match outcome.attempts {
        0 | 1 => outcome.status.as_str().to_owned(),
        attempts => format!("{} ({})", outcome.status, counted(attempts, "attempt", "attempts")),
    };
    grid.row([name, &status, &outcome.skill, version, &time]);
}

fn detail(page: &mut Page, outcome: &Outcome) {
    match (&outcome.error, &outcome.reason) {
        (Some(error), _) => {
            page.line(
                Line::default()
                    .toned(Tone::Bad, format!("  {}", error.kind))
                    .plain(format!(": {}", error.message)),
            );
            page.indented(error.traceback.as_deref().unwrap_or_default());
        }
        (None, Some(reason)) => page.indented(reason),
        (None, None) => page.indented(&serde_json::to_string_pretty(&outcome.output).unwrap_or_default()),
    }
    for (stream, text) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if !text.is_empty() {
            page.line(Line::default().toned(Tone::Faint, format!("  {stream}:")));
            page.indented(text);
        }
    }
}
