//! `skillery dependencies`: what a version in the registry needs.

use clap::Args;
use skillery_core::{SkillId, VersionRequest};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, counted, left, right};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `dependencies`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery dependencies acme/report
  skillery dependencies acme/report --version ^1 --depth 1
  skillery dependencies acme/report --json | jq -r '.dependencies[].id'

The registry is asked, and nothing is installed. What installed skills need is shown by `skillery tree`.")]
pub(crate) struct DependenciesArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// Of this version, or the highest in this range [default: the latest]
    #[arg(long, value_name = "VERSION")]
    version: Option<VersionRequest>,

    /// How far to look; 1 for what is needed at once
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,

    #[command(flatten)]
    page: PageArgs,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &DependenciesArgs) -> CommandResult {
    let client = session.client()?;
    let needed = client.dependencies(&args.id, args.version.as_ref(), args.depth, args.page.page()).await?;
    session.output.show(&needed, |page| {
        let of = Line::default().name(needed.id.as_str()).plain(format!(" {}", needed.version));
        if needed.total == 0 {
            let what =
                if needed.complete { " needs no other skill" } else { " may need others: nobody has looked" };
            page.line(of.plain(what));
            return;
        }
        let more = if needed.truncated { " or more" } else { "" };
        page.line(of.plain(format!(" needs {}{more}", counted(needed.total, "skill", "skills"))));
        if !needed.complete {
            page.text("of some versions it is not known what they need");
        }
        page.blank();
        let mut grid = Grid::new(&[left("SKILL"), left("FITS"), right("DEPTH"), left("WANTED")]);
        for dependency in &needed.dependencies {
            let wanted = dependency.wanted.iter().map(|wanted| format!("{} by {}", wanted.range, wanted.by));
            grid.row([
                dependency.id.to_string(),
                dependency.version.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string),
                dependency.depth.to_string(),
                wanted.collect::<Vec<_>>().join(", "),
            ]);
        }
        page.grid(grid);
    })?;
    args.page.note(session, needed.dependencies.len(), needed.total);
    Ok(Exit::Done)
}
