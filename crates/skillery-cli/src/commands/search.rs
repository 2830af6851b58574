//! `skillery search`: finds skills.

use clap::Args;
use skillery_client::{SearchQuery, Sort};
use skillery_core::Namespace;
use skillery_core::api::{FacetsResponse, Record};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, left, right};
use crate::paging::PageArgs;
use crate::session::Session;

/// The most of each kind that can be asked for.
const MOST: u64 = 200;

/// Arguments of `search`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery search email                              in names, tags, descriptions and texts
  skillery search --tag email --tag validation       with both tags
  skillery search --org acme --min-rating 4 --sort rating
  skillery search email --facets                     what it can be narrowed down by
  skillery search email --json | jq -r '.skills[].id'")]
pub(crate) struct SearchArgs {
    /// Words to look for; all skills when left out
    query: Vec<String>,

    /// Only skills with this tag (repeatable: with all of them)
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,

    /// Only skills of this namespace and those below it
    #[arg(long, value_name = "NAMESPACE")]
    org: Option<Namespace>,

    /// Only skills whose latest version this user has published
    #[arg(long, value_name = "NAME")]
    publisher: Option<String>,

    /// Only skills with this rating or a better one
    #[arg(long, value_name = "STARS", value_parser = parse_stars)]
    min_rating: Option<f64>,

    /// Order: relevance, installs, trending, rating, updated or name
    #[arg(long, value_name = "ORDER")]
    sort: Option<Sort>,

    /// Count the tags and namespaces of all that is found, `--limit` of each
    #[arg(long, conflicts_with_all = ["sort", "offset"])]
    facets: bool,

    #[command(flatten)]
    page: PageArgs,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &SearchArgs) -> CommandResult {
    let query = SearchQuery {
        q: args.query.join(" "),
        tags: args.tags.clone(),
        org: args.org.clone(),
        publisher: args.publisher.clone(),
        min_rating: args.min_rating,
        sort: args.sort,
        page: args.page.page(),
    };
    if args.facets {
        let facets = session.client()?.facets(&query).await?;
        session.output.show(&facets, |page| describe(page, &facets))?;
        if facets.truncated {
            let line = Line::default();
            session.output.note(match args.page.limit < MOST {
                true => line.toned(Tone::Faint, "there are more: ").command(format!("--limit {MOST}")),
                false => line.toned(Tone::Faint, "there are more"),
            });
        }
        return Ok(Exit::Done);
    }
    let found = session.client()?.search(&query).await?;
    session.output.show(&found, |page| {
        if !found.skills.is_empty() {
            skills_grid(page, &found.skills);
            return;
        }
        page.text(match found.total {
            0 => "no skill fits".to_owned(),
            total => format!("no skills from {} on; there are {total}", args.page.offset + 1),
        });
        let narrowed = !args.query.is_empty()
            || !args.tags.is_empty()
            || args.org.is_some()
            || args.publisher.is_some()
            || args.min_rating.is_some();
        if found.total == 0 && narrowed {
            page.line(
                Line::default()
                    .plain("try fewer words or filters, or see all with ")
                    .command("skillery search"),
            );
        } else if found.total == 0 {
            page.line(Line::default().plain("publish the first with ").command("skillery publish"));
        }
    })?;
    args.page.note(session, found.skills.len(), found.total);
    Ok(Exit::Done)
}

/// By what the search can be narrowed down.
fn describe(page: &mut Page, facets: &FacetsResponse) {
    if facets.tags.is_empty() && facets.namespaces.is_empty() {
        page.text("no skill fits");
        return;
    }
    let mut grid = Grid::new(&[left("BY"), left("NAME"), right("SKILLS")]);
    for (kind, counts) in [("namespace", &facets.namespaces), ("tag", &facets.tags)] {
        for one in counts {
            grid.row([kind, &one.name, &one.count.to_string()]);
        }
    }
    page.grid(grid);
}

/// A table of skills.
pub(crate) fn skills_grid(page: &mut Page, skills: &[Record]) {
    let mut grid =
        Grid::new(&[left("SKILL"), left("VERSION"), right("RATING"), right("INSTALLS"), left("DESCRIPTION")]);
    for skill in skills {
        grid.row([
            &skill.id,
            &skill.version,
            &rating_text(skill.rating, skill.rating_count),
            &skill.install_count.to_string(),
            &skill.description,
        ]);
    }
    page.grid(grid);
}

/// `4.5 (23)`; a dash where nobody has rated.
pub(crate) fn rating_text(rating: f64, count: i64) -> String {
    if count == 0 { "-".to_owned() } else { format!("{rating:.1} ({count})") }
}

fn parse_stars(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(stars) if (0.0..=5.0).contains(&stars) => Ok(stars),
        _ => Err("use a number from 0 to 5".to_owned()),
    }
}
