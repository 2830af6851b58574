//! `skillery org insight`: what is told of how the skills of a namespace are used.

use clap::{Args, ValueEnum};
use skillery_core::Namespace;
use skillery_core::api::{MAX_K, NamespaceInsight, NamespaceInsightRequest};

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Page};
use crate::session::Session;

/// Arguments of `org insight`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery org insight acme
  skillery org insight acme --k 10                   tell no figures about fewer than 10 users
  skillery org insight acme --k none                 as the registry has it
  skillery org insight acme/secret --leaderboards off

A namespace may withhold more than the registry and the namespaces above it, and never less. What it withholds is told to its \
admins all the same.")]
pub(crate) struct OrgInsightArgs {
    /// Which namespace, with all below it
    namespace: Namespace,

    /// Withhold figures about fewer users: a number, or `none`
    #[arg(long, value_name = "NUMBER", value_parser = parse_k)]
    k: Option<K>,

    /// Whether its skills count on leaderboards
    #[arg(long, value_name = "SWITCH")]
    leaderboards: Option<Switch>,
}

/// A number of users, or that the namespace sets none.
#[derive(Debug, Clone, Copy)]
struct K(Option<u32>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// They do
    On,
    /// They do not
    Off,
}

fn parse_k(text: &str) -> Result<K, String> {
    if text == "none" {
        return Ok(K(None));
    }
    let number = text.parse::<u32>().ok().filter(|number| (1..=MAX_K).contains(number));
    number.map(|number| K(Some(number))).ok_or_else(|| format!("a number from 1 to {MAX_K}, or `none`"))
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &OrgInsightArgs) -> CommandResult {
    let client = session.client()?;
    let mut insight = client.namespace_insight(&args.namespace).await?;
    if args.k.is_some() || args.leaderboards.is_some() {
        let request = NamespaceInsightRequest {
            k: args.k.map_or(insight.k, |k| k.0),
            leaderboards: args.leaderboards.map_or(insight.leaderboards, |switch| switch == Switch::On),
        };
        insight = client.set_namespace_insight(&args.namespace, &request).await?;
    }
    session.output.show(&insight, |page| describe(page, &insight))?;
    Ok(Exit::Done)
}

fn describe(page: &mut Page, insight: &NamespaceInsight) {
    page.line(Line::default().name(&insight.namespace));
    let own = match insight.k {
        Some(k) if k == insight.effective_k => String::new(),
        Some(k) => format!(", its own is {k}"),
        None => ", its own is none".to_owned(),
    };
    page.field("withholds", format!("figures about fewer than {} users{own}", insight.effective_k));
    let boards = match (insight.effective_leaderboards, insight.leaderboards) {
        (true, _) => "its skills count",
        (false, false) => "its skills do not count",
        (false, true) => "its skills do not count: not here, or not in a namespace above",
    };
    page.field("leaderboards", boards);
}
