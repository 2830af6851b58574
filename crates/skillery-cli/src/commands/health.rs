//! `skillery health`: how sound a version is, and what would make it sounder.

use clap::Args;
use skillery_core::{SkillId, Version};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, left, right};
use crate::session::Session;

/// Arguments of `health`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery health acme/email_validator
  skillery health acme/email_validator --version 1.0.0
  skillery health acme/email_validator --json | jq .points

Points are given for what can be looked at. How much a skill is used, and what others think of it, is not in them.")]
pub(crate) struct HealthArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// Of this version [default: the latest]
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &HealthArgs) -> CommandResult {
    let client = session.client()?;
    let version = match &args.version {
        Some(version) => version.clone(),
        None => client.skill(&args.id).await?.version.parse().map_err(skillery_client::Error::from)?,
    };
    let found = client.health(&args.id, &version).await?;
    session.output.show(&found, |page| {
        let health = &found.health;
        let score = format!(" {}: {} of {}", found.version, health.points, health.most);
        page.line(Line::default().name(found.id.as_str()).plain(score));
        page.blank();
        let mut grid = Grid::new(&[left("PART"), right("POINTS"), left("WHY"), left("TO DO")]);
        for part in &health.parts {
            grid.row([
                part.part.to_string(),
                format!("{} of {}", part.points, part.most),
                part.why.clone(),
                part.hint.clone().unwrap_or_default(),
            ]);
        }
        page.grid(grid);
    })?;
    Ok(Exit::Done)
}
