//! `skillery token`: makes, lists and revokes tokens.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::api::{CreateTokenRequest, CreateTokenResponse, TokenSummary};
use skillery_core::{Namespace, Scope, Segment};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, left, moment};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `token`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery token create --label laptop --scope read --scope publish
  skillery token list
  skillery token revoke 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token; it is shown this once
    Create(CreateArgs),
    /// List tokens; the tokens themselves are not shown
    List(ListArgs),
    /// Revoke a token at once
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery token create --label laptop
  skillery token create --label ci --service --scope publish --namespace acme/email
  skillery token create --user alice --scope read --scope publish
  skillery token create --label ci --scope publish --json | jq -r .token")]
struct CreateArgs {
    /// What it is for, in your words
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    label: String,

    /// What it may do: read, publish, rate, review or admin (repeatable) [default: read]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,

    /// Bind it to this namespace and those below it (repeatable)
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<Namespace>,

    /// Days until it expires [default: as the registry is set]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..))]
    expires_in_days: Option<u32>,

    /// For this user; only admins of the registry make tokens for others
    #[arg(long, value_name = "NAME")]
    user: Option<Segment>,

    /// For a machine instead of a person
    #[arg(long)]
    service: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery token list
  skillery token list --user alice                   (admins of the registry)")]
struct ListArgs {
    /// Those of this user; only admins of the registry see others' tokens
    #[arg(long, value_name = "NAME")]
    user: Option<Segment>,

    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery token revoke 0199f3c2-7d1e-7c55-b0a6-2f1c5f0e9a11")]
struct RevokeArgs {
    /// The token's id, as `skillery token list` shows it
    id: String,
}

#[derive(Debug, Serialize)]
struct Revoked<'a> {
    id: &'a str,
    revoked: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &TokenArgs) -> CommandResult {
    match &args.command {
        TokenCommand::Create(args) => create(session, args).await,
        TokenCommand::List(args) => list(session, args).await,
        TokenCommand::Revoke(args) => revoke(session, args).await,
    }
}

async fn create(session: &Session, args: &CreateArgs) -> CommandResult {
    let request = CreateTokenRequest {
        label: args.label.clone(),
        scopes: args.scopes.clone(),
        namespaces: args.namespaces.iter().map(ToString::to_string).collect(),
        expires_in_days: args.expires_in_days,
        user: args.user.as_ref().map(ToString::to_string),
        service: args.service,
    };
    let created = session.client()?.create_token(&request).await?;
    session.output.show(&created, |page| describe_created(page, &created))?;
    session.output.note(Line::default().plain("it is shown this once; keep it like a password"));
    Ok(Exit::Done)
}

fn describe_created(page: &mut Page, created: &CreateTokenResponse) {
    page.field("token", &created.token);
    page.field("id", &created.summary.id);
    page.field("user", &created.summary.user);
    page.field("scopes", scopes_text(&created.summary.scopes));
    if !created.summary.namespaces.is_empty() {
        page.field("bound to", created.summary.namespaces.join(", "));
    }
    page.field("expires", expiry(&created.summary));
}

async fn list(session: &Session, args: &ListArgs) -> CommandResult {
    let listed = session.client()?.tokens(args.user.as_ref(), args.page.page()).await?;
    session.output.show(&listed, |page| {
        let mut grid = Grid::new(&[
            left("ID"),
            left("LABEL"),
            left("USER"),
            left("SCOPES"),
            left("BOUND TO"),
            left("EXPIRES"),
            left("LAST USED"),
        ]);
        for token in &listed.tokens {
            let bounds =
                if token.namespaces.is_empty() { "-".to_owned() } else { token.namespaces.join(",") };
            let used = token.last_used_at.map_or_else(|| "-".to_owned(), moment);
            let label = if token.label.is_empty() { "-" } else { &token.label };
            let scopes = scopes_text(&token.scopes);
            grid.row([&token.id, label, &token.user, &scopes, &bounds, &expiry(token), &used]);
        }
        page.grid(grid);
    })?;
    args.page.note(session, listed.tokens.len(), listed.total);
    Ok(Exit::Done)
}

async fn revoke(session: &Session, args: &RevokeArgs) -> CommandResult {
    session.client()?.revoke_token(&args.id).await?;
    session.output.show(&Revoked { id: &args.id, revoked: true }, |page| {
        page.line(Line::default().toned(Tone::Good, "revoked ").name(&args.id));
    })?;
    Ok(Exit::Done)
}

/// `read, publish`.
pub(crate) fn scopes_text(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
}

fn expiry(token: &TokenSummary) -> String {
    match (token.revoked_at, token.expires_at) {
        (Some(_), _) => "revoked".to_owned(),
        (None, Some(time)) => moment(time),
        (None, None) => "never".to_owned(),
    }
}
