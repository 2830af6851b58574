//! `skillery org publisher`: builds that a namespace lets publish.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::Namespace;
use skillery_core::api::{CreatePublisherRequest, Publisher, PublisherKind};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, left};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `org publisher`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery org publisher add acme --github octo/tools --owner-id 65 --workflow release.yml
  skillery org publisher list acme
  skillery org publisher remove acme 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
pub(crate) struct PublisherArgs {
    #[command(subcommand)]
    command: PublisherCommand,
}

#[derive(Debug, Subcommand)]
enum PublisherCommand {
    /// Let builds of a repository publish, without a token that could leak
    Add(AddArgs),
    /// List builds that may publish into a namespace
    #[command(after_help = "\
Examples:
  skillery org publisher list acme
  skillery org publisher list acme/email --json | jq -r '.publishers[].repository'")]
    List {
        /// Which namespace
        namespace: Namespace,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Trust builds no more; tokens that they have are dead at once
    #[command(after_help = "\
Examples:
  skillery org publisher remove acme 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
    Remove {
        /// Where it is trusted
        namespace: Namespace,
        /// The publisher's id, as `skillery org publisher list` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery org publisher add acme --github octo/tools --owner-id 65 --workflow release.yml
  skillery org publisher add acme/email --gitlab group/tools --owner-id 72 \\
      --workflow .gitlab-ci.yml --environment production --ref protected
  skillery org publisher add acme --claim sub=system:serviceaccount:ci:release

The number of an owner is the `id` that `https://api.github.com/users/OWNER` or \
`https://gitlab.example/api/v4/namespaces/GROUP` answers. Names of owners change hands, numbers do not. \
The registry's operator sets whose builds there are at all: `oidc_issuers`.")]
struct AddArgs {
    /// Where they may publish, and below
    namespace: Namespace,

    /// Builds of this repository by GitHub Actions, `owner/name`
    #[arg(long, value_name = "REPOSITORY", requires_all = ["owner_id", "workflow"])]
    #[arg(conflicts_with_all = ["gitlab", "claims"], required_unless_present_any = ["gitlab", "claims"])]
    github: Option<String>,

    /// Builds of this project by GitLab CI, `group/name`
    #[arg(long, value_name = "PROJECT", requires_all = ["owner_id", "workflow"], conflicts_with = "claims")]
    gitlab: Option<String>,

    /// The number of the repository's owner
    #[arg(long, value_name = "NUMBER")]
    owner_id: Option<String>,

    /// The file of `.github/workflows`, or the path of GitLab's configuration
    #[arg(long, value_name = "FILE")]
    workflow: Option<String>,

    /// Only in this environment
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,

    /// Only for this branch or tag, `refs/heads/main`; or `protected` for any that is
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,

    /// Whatever has this claim in its identity token; `sub` must be among them (repeatable)
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    #[arg(conflicts_with_all = ["owner_id", "workflow", "environment", "reference"])]
    claims: Vec<String>,

    /// Whose identity tokens, where the registry takes those of several [default: the only one]
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,
}

#[derive(Debug, Serialize)]
struct Removed<'a> {
    id: &'a str,
    removed: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &PublisherArgs) -> CommandResult {
    match &args.command {
        PublisherCommand::Add(args) => add(session, args).await,
        PublisherCommand::List { namespace, page } => list(session, namespace, *page).await,
        PublisherCommand::Remove { namespace, id } => {
            session.client()?.remove_publisher(namespace, id).await?;
            session.output.show(&Removed { id, removed: true }, |page| {
                page.line(Line::default().toned(Tone::Good, "trusts no more ").name(id));
            })?;
            Ok(Exit::Done)
        }
    }
}

async fn add(session: &Session, args: &AddArgs) -> CommandResult {
    let (kind, repository) = match (&args.github, &args.gitlab) {
        (Some(repository), _) => (PublisherKind::Github, Some(repository.clone())),
        (None, Some(project)) => (PublisherKind::Gitlab, Some(project.clone())),
        (None, None) => (PublisherKind::Generic, None),
    };
    let request = CreatePublisherRequest {
        kind,
        issuer: args.issuer.clone(),
        repository,
        owner_id: args.owner_id.clone(),
        workflow: args.workflow.clone(),
        environment: args.environment.clone(),
        reference: args.reference.clone(),
        claims: claims(&args.claims)?,
    };
    let publisher = session.client()?.add_publisher(&args.namespace, &request).await?;
    session.output.show(&publisher, |page| describe(page, &publisher))?;
    session.output.note(
        Line::default()
            .plain("builds publish with ")
            .command("skillery publish --trusted")
            .plain(", and no token"),
    );
    Ok(Exit::Done)
}

fn claims(texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("`--claim {text}` has no `=`")).hint("write `--claim sub=VALUE`")),
    };
    texts.iter().map(pair).collect()
}

fn describe(page: &mut Page, publisher: &Publisher) {
    page.line(
        Line::default()
            .name(&publisher.namespace)
            .toned(Tone::Good, " trusts ")
            .name(what(publisher))
            .plain(" to publish"),
    );
    page.field("id", &publisher.id);
    page.field("acts as", &publisher.user);
    page.field("issuer", &publisher.issuer);
    let fields = [
        ("owner", &publisher.owner_id),
        ("workflow", &publisher.workflow),
        ("environment", &publisher.environment),
        ("ref", &publisher.reference),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            page.field(name, value);
        }
    }
}

/// What is trusted, in a word.
fn what(publisher: &Publisher) -> String {
    match &publisher.repository {
        Some(repository) => repository.clone(),
        None => {
            let claims: Vec<String> =
                publisher.claims.iter().map(|(name, value)| format!("{name}={value}")).collect();
            claims.join(", ")
        }
    }
}

async fn list(session: &Session, namespace: &Namespace, page: PageArgs) -> CommandResult {
    let listed = session.client()?.publishers(namespace, page.page()).await?;
    session.output.show(&listed, |out| {
        if listed.publishers.is_empty() {
            out.line(
                Line::default()
                    .plain("no builds may publish; trust some with ")
                    .command("skillery org publisher add"),
            );
            return;
        }
        let mut grid = Grid::new(&[
            left("ID"),
            left("IN"),
            left("KIND"),
            left("WORKFLOW"),
            left("ENVIRONMENT"),
            left("REF"),
            left("BUILDS OF"),
        ]);
        let or_any = |value: &Option<String>| value.clone().unwrap_or_else(|| "any".to_owned());
        for publisher in &listed.publishers {
            grid.row([
                &publisher.id,
                &publisher.namespace,
                publisher.kind.as_str(),
                publisher.workflow.as_deref().unwrap_or("-"),
                &or_any(&publisher.environment),
                &or_any(&publisher.reference),
                &what(publisher),
            ]);
        }
        out.grid(grid);
    })?;
    page.note(session, listed.publishers.len(), listed.total);
    Ok(Exit::Done)
}
