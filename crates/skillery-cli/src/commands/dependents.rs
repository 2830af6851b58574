//! `skillery dependents`: what a change of a skill reaches.

use clap::Args;
use skillery_core::api::DependentsResponse;
use skillery_core::{SkillId, Version};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, counted, left, right};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `dependents`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery dependents acme/base
  skillery dependents acme/base --depth 1            those that need it directly
  skillery impact acme/base --version 2.0.0          who would take this version?
  skillery dependents acme/base --json | jq -r '.dependents[].id'

The registry is asked, about latest versions. What needs an installed skill is shown by `skillery tree SKILL --dependents`.")]
pub(crate) struct DependentsArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// The version that it may change to, published or not
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,

    /// How far to look; 1 for what needs it directly
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,

    #[command(flatten)]
    page: PageArgs,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &DependentsArgs) -> CommandResult {
    let client = session.client()?;
    let reached = client.dependents(&args.id, args.version.as_ref(), args.depth, args.page.page()).await?;
    session.output.show(&reached, |page| describe(page, &reached))?;
    args.page.note(session, reached.dependents.len(), reached.total);
    Ok(Exit::Done)
}

fn describe(page: &mut Page, reached: &DependentsResponse) {
    let DependentsResponse { id, version, total, direct, accepting, .. } = reached;
    if *total == 0 {
        page.line(Line::default().plain("no skill that you see needs ").name(id.as_str()));
        return;
    }
    let more = if reached.truncated { " or more" } else { "" };
    let skills = counted(*total, "skill", "skills");
    page.line(
        Line::default()
            .plain("a change of ")
            .name(id.as_str())
            .plain(format!(" reaches {skills}{more}, {direct} of them directly")),
    );
    if let (Some(version), Some(accepting)) = (version, accepting) {
        page.text(format!("{accepting} of the {direct} would take {version}"));
    }
    let installs = counted(reached.installs, "time", "times");
    page.text(format!("they were installed {installs}, {} in the last 28 days", reached.recent_installs));
    page.blank();
    let mut columns = vec![left("SKILL"), left("VERSION"), right("DEPTH"), right("INSTALLS")];
    if version.is_some() {
        columns.push(left("TAKES IT"));
    }
    columns.push(left("NEEDS"));
    let mut grid = Grid::new(&columns);
    for dependent in &reached.dependents {
        let needs = dependent.needs.iter().map(|needed| format!("{} {}", needed.id, needed.range));
        let mut row = vec![
            dependent.id.to_string(),
            dependent.version.to_string(),
            dependent.depth.to_string(),
            dependent.installs.to_string(),
        ];
        if version.is_some() {
            row.push(dependent.accepts.map_or("-", |accepts| if accepts { "yes" } else { "no" }).to_owned());
        }
        row.push(needs.collect::<Vec<_>>().join(", "));
        grid.row(row);
    }
    page.grid(grid);
}
