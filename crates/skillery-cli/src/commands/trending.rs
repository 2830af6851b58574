//! `skillery trending`: what others install at present.

use clap::Args;
use skillery_client::{Page, SearchQuery, Sort};
use skillery_core::Namespace;

use crate::commands::search::skills_grid;
use crate::failure::{CommandResult, Exit};
use crate::output::Line;
use crate::session::Session;

/// Arguments of `trending`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery trending
  skillery trending --limit 5 --org acme")]
pub(crate) struct TrendingArgs {
    /// Show at most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=200))]
    limit: u64,

    /// Only skills of this namespace and those below it
    #[arg(long, value_name = "NAMESPACE")]
    org: Option<Namespace>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &TrendingArgs) -> CommandResult {
    let query = SearchQuery {
        org: args.org.clone(),
        sort: Some(Sort::Trending),
        page: Page { limit: Some(args.limit), offset: None },
        ..SearchQuery::default()
    };
    let found = session.client()?.search(&query).await?;
    session.output.show(&found, |page| {
        if found.skills.is_empty() {
            page.line(
                Line::default().plain("no skills yet; publish the first with ").command("skillery publish"),
            );
        } else {
            skills_grid(page, &found.skills);
        }
    })?;
    Ok(Exit::Done)
}
