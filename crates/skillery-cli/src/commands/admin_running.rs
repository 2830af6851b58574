//! `skillery admin jobs` and `settings`: what a registry that runs tells its admins.

use skillery_core::api::{JobCourse, JobsResponse, SettingsResponse};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, left, moment, right};
use crate::session::Session;

/// Shows what runs beside requests, how it went, and what waits.
pub(super) async fn jobs(session: &Session) -> CommandResult {
    let all = session.client()?.jobs().await?;
    session.output.show(&all, |page| describe_jobs(page, &all))?;
    Ok(Exit::Done)
}

/// Shows settings and limits in force.
pub(super) async fn settings(session: &Session) -> CommandResult {
    let all = session.client()?.settings().await?;
    session.output.show(&all, |page| describe_settings(page, &all))?;
    Ok(Exit::Done)
}

fn describe_jobs(page: &mut Page, all: &JobsResponse) {
    if let Some(why) = &all.trouble {
        page.line(Line::default().toned(Tone::Bad, "not ready").plain(format!(": {why}")));
        page.blank();
    }
    page.heading("Who follows the log");
    let mut grid = Grid::new(&[left("WHO"), right("HAS"), right("OF")]);
    for follower in &all.followers {
        grid.row([&follower.name, &follower.position.to_string(), &all.size.to_string()]);
    }
    page.grid(grid);
    if !all.streams.is_empty() {
        page.blank();
        page.heading("Streams of the audit");
        let mut grid = Grid::new(&[left("STREAM"), right("ROWS BEHIND"), left("SINCE")]);
        for stream in &all.streams {
            let since = stream.oldest_at.map_or_else(|| "-".to_owned(), moment);
            grid.row([&stream.name, &stream.rows.to_string(), &since]);
        }
        page.grid(grid);
    }
    page.blank();
    page.heading("What is sent");
    let mut grid = Grid::new(&[left("WAY"), right("WAITS"), right("DEAD")]);
    for one in &all.sent {
        grid.row([&one.way, &one.waiting.to_string(), &one.dead.to_string()]);
    }
    page.grid(grid);
    if !all.dead_mail.is_empty() {
        page.blank();
        page.heading("Mail that is dead");
        let mut grid = Grid::new(&[left("WHOSE"), left("OF WHAT"), left("SINCE"), left("WHY")]);
        for one in &all.dead_mail {
            grid.row([&one.user, &one.kind, &moment(one.at), &one.why]);
        }
        page.grid(grid);
    }
    page.blank();
    page.heading("What runs on this server");
    let mut grid =
        Grid::new(&[left("JOB"), left("STATE"), right("TURNS"), left("LAST TURN"), left("LAST ERROR")]);
    for job in &all.jobs {
        let last = job.last_at.map_or_else(|| "-".to_owned(), moment);
        let error = job
            .last_error
            .as_ref()
            .map_or_else(|| "-".to_owned(), |error| format!("{}: {}", moment(error.at), error.why));
        grid.row([&job.name, &state(job), &job.turns.to_string(), &last, &error]);
    }
    page.grid(grid);
}

fn state(job: &JobCourse) -> String {
    match (job.failing, job.turns) {
        (true, _) if !job.failing_parts.is_empty() => format!("failing: {}", job.failing_parts.join(", ")),
        (true, _) => "failing".to_owned(),
        (false, 0) => "no turn yet".to_owned(),
        (false, _) => "well".to_owned(),
    }
}

fn describe_settings(page: &mut Page, all: &SettingsResponse) {
    page.heading("Settings");
    let mut grid = Grid::new(&[left("NAME"), left("VALUE"), left("WHAT IT MEANS")]);
    for setting in &all.settings {
        grid.row([&setting.name, &setting.told(), &setting.what]);
    }
    page.grid(grid);
    page.blank();
    page.heading("Limits");
    let mut grid = Grid::new(&[left("NAME"), right("VALUE"), left("WHAT IT MEANS")]);
    for limit in &all.limits {
        grid.row([&limit.name, &limit.value.to_string(), &limit.what]);
    }
    page.grid(grid);
}
