//! `skillery tree`: which installed skills need which.

use clap::{ArgGroup, Args};
use serde::Serialize;
use skillery_client::library::{Dependent, Graph, GraphFormat};
use skillery_core::{SkillId, Version};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page};
use crate::session::Session;
use crate::wanted::InstalledName;

/// Arguments of `tree`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("form"))]
#[command(after_help = "\
Examples:
  skillery tree                                      all skills, in their current versions
  skillery tree acme/report@^1                       what one needs
  skillery tree acme/slugify --dependents            what needs it
  skillery tree --order                              each skill after those that it needs
  skillery tree --mermaid > skills.mmd

A skill lists what it needs in its file, in `[tool.skillery] skills` of the block `# /// script`. What the library lacks, \
and circles, are marked.")]
pub(crate) struct TreeArgs {
    /// Which skill, `org/name` or the name alone, with `@` and a version or a range
    skill: Option<InstalledName>,

    /// The skills that need it, instead of those that it needs
    #[arg(long, group = "form", requires = "skill")]
    dependents: bool,

    /// A list in which each skill stands behind those that it needs; a circle is an error
    #[arg(long, group = "form")]
    order: bool,

    /// A drawing for Mermaid
    #[arg(long, group = "form")]
    mermaid: bool,

    /// A drawing for Graphviz
    #[arg(long, group = "form")]
    dot: bool,
}

#[derive(Debug, Serialize)]
struct Ordered<'a> {
    order: Vec<Place<'a>>,
}

#[derive(Debug, Serialize)]
struct Place<'a> {
    id: &'a SkillId,
    version: &'a Version,
}

#[derive(Debug, Serialize)]
struct Dependents<'a> {
    id: &'a SkillId,
    dependents: &'a [Dependent],
}

/// Runs it.
pub(crate) fn run(session: &Session, args: &TreeArgs) -> CommandResult {
    let library = session.library()?;
    if let (true, Some(skill)) = (args.dependents, &args.skill) {
        return dependents(session, skill);
    }
    let (name, request) = match &args.skill {
        Some(skill) => (Some(skill.name.as_str()), skill.request.as_ref()),
        None => (None, None),
    };
    let graph = library.dependency_graph(name, request)?;
    if args.order {
        return order(session, &graph);
    }
    let format = match (args.mermaid, args.dot) {
        (true, _) => GraphFormat::Mermaid,
        (_, true) => GraphFormat::Dot,
        _ => GraphFormat::Text,
    };
    session.output.show(&graph, |page| {
        if graph.skills.is_empty() && format == GraphFormat::Text {
            page.line(
                Line::default().plain("nothing is installed; find skills with ").command("skillery search"),
            );
        }
        lines(page, &graph.write(format));
    })?;
    Ok(Exit::Done)
}

fn dependents(session: &Session, skill: &InstalledName) -> CommandResult {
    if skill.request.is_some() {
        return Err(Failure::usage("dependents are those of a skill in all its versions")
            .hint("name the skill without `@`"));
    }
    let library = session.library()?;
    let id = library.find(&skill.name)?;
    let found = library.dependents(id.as_str())?;
    let graph = library.dependency_graph(None, None)?;
    session.output.show(&Dependents { id: &id, dependents: &found }, |page| {
        lines(page, &graph.tree_of_dependents(&id));
        if found.is_empty() {
            page.line(Line::default().plain("nothing that is installed needs ").name(id.as_str()));
        }
    })?;
    Ok(Exit::Done)
}

fn order(session: &Session, graph: &Graph) -> CommandResult {
    let nodes = graph.order()?;
    let order = nodes.iter().map(|node| Place { id: &node.id, version: &node.version }).collect();
    session.output.show(&Ordered { order }, |page| {
        for node in &nodes {
            page.text(format!("{} {}", node.id, node.version));
        }
    })?;
    Ok(Exit::Done)
}

fn lines(page: &mut Page, text: &str) {
    text.lines().for_each(|line| page.text(line));
}
