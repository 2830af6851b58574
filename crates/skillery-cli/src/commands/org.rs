//! `skillery org`: orgs, who is a member of them and as what, and the secret that they sign with.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::Keys;
use skillery_core::api::{CreateOrgRequest, OrgSummary};
use skillery_core::{Namespace, Role, Segment};

use super::org_insight::{self, OrgInsightArgs};
use super::org_policy::{self, OrgPolicyArgs};
use super::publisher::{self, PublisherArgs};
use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, left, moment, right};
use crate::paging::PageArgs;
use crate::secret;
use crate::session::Session;

/// Arguments of `org`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery org create acme
  skillery org set-member acme alice publisher
  skillery org members acme/email
  skillery org signing-secret set acme")]
pub(crate) struct OrgArgs {
    #[command(subcommand)]
    command: OrgCommand,
}

#[derive(Debug, Subcommand)]
enum OrgCommand {
    /// Make an org; you become its owner
    #[command(after_help = "\
Examples:
  skillery org create acme
  skillery org create acme --owner alice             (admins of the registry)")]
    Create {
        /// One segment: a-z, 0-9, `.`, `_`, `-`
        name: Segment,
        /// Its first owner [default: you]
        #[arg(long, value_name = "USER")]
        owner: Option<Segment>,
    },
    /// Show an org
    #[command(after_help = "\
Examples:
  skillery org show acme")]
    Show {
        /// Which
        name: Segment,
    },
    /// List orgs
    #[command(after_help = "\
Examples:
  skillery org list
  skillery org list --json | jq -r '.orgs[].name'")]
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// List the members of a namespace: roles held there and above
    #[command(after_help = "\
Examples:
  skillery org members acme
  skillery org members acme/email")]
    Members {
        /// Which namespace
        namespace: Namespace,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Give a user a role in a namespace and all below it
    #[command(after_help = "\
Examples:
  skillery org set-member acme alice publisher
  skillery org set-member acme/email bob reviewer")]
    SetMember {
        /// Where
        namespace: Namespace,
        /// Whom
        user: Segment,
        /// As what: reader, publisher, reviewer, admin or owner
        role: Role,
    },
    /// Take a user's role in a namespace away
    #[command(after_help = "\
Examples:
  skillery org remove-member acme alice")]
    RemoveMember {
        /// Where
        namespace: Namespace,
        /// Whom
        user: Segment,
    },
    /// Register the shared HMAC secret of an org, or remove it
    SigningSecret(SigningSecretArgs),
    /// Let builds publish into a namespace without a token
    Publisher(PublisherArgs),
    /// Demand approvals or signatures of what is published in a namespace
    Policy(OrgPolicyArgs),
    /// Show or set what is told of how the skills of a namespace are used
    Insight(OrgInsightArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery org signing-secret set acme               asks for it without showing it
  skillery org signing-secret remove acme")]
struct SigningSecretArgs {
    #[command(subcommand)]
    command: SigningSecretCommand,
}

#[derive(Debug, Subcommand)]
enum SigningSecretCommand {
    /// Register it: publishes are checked with it, and members get it to verify with
    #[command(after_help = "\
Examples:
  skillery org signing-secret set acme
  skillery org signing-secret set acme --secret-stdin < secret.txt")]
    Set {
        /// Whose
        org: Segment,
        /// Read it from standard input
        #[arg(long)]
        secret_stdin: bool,
        /// Refuse to replace one that is registered
        #[arg(long)]
        only_if_none: bool,
    },
    /// Remove it
    #[command(after_help = "\
Examples:
  skillery org signing-secret remove acme")]
    Remove {
        /// Whose
        org: Segment,
    },
}

#[derive(Debug, Serialize)]
struct MemberRemoved<'a> {
    namespace: &'a Namespace,
    user: &'a Segment,
    removed: bool,
}

#[derive(Debug, Serialize)]
struct SigningSecret<'a> {
    org: &'a Segment,
    signing_secret: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &OrgArgs) -> CommandResult {
    match &args.command {
        OrgCommand::Create { name, owner } => {
            let owner = owner.as_ref().map(ToString::to_string);
            let request = CreateOrgRequest { name: name.to_string(), owner };
            let org = session.client()?.create_org(&request).await?;
            session.output.show(&org, |page| {
                page.line(Line::default().toned(Tone::Good, "made the org ").name(&org.name));
            })?;
            Ok(Exit::Done)
        }
        OrgCommand::Show { name } => {
            let org = session.client()?.org(name).await?;
            session.output.show(&org, |page| describe(page, &org))?;
            Ok(Exit::Done)
        }
        OrgCommand::List { page } => list(session, *page).await,
        OrgCommand::Members { namespace, page } => members(session, namespace, *page).await,
        OrgCommand::SetMember { namespace, user, role } => {
            let member = session.client()?.set_member(namespace, user, *role).await?;
            session.output.show(&member, |page| {
                page.line(
                    Line::default()
                        .name(&member.user)
                        .plain(format!(" is {} of ", member.role))
                        .name(&member.namespace),
                );
            })?;
            Ok(Exit::Done)
        }
        OrgCommand::RemoveMember { namespace, user } => {
            session.client()?.remove_member(namespace, user).await?;
            session.output.show(&MemberRemoved { namespace, user, removed: true }, |page| {
                page.line(
                    Line::default()
                        .name(user.as_str())
                        .plain(" has no role of its own in ")
                        .name(namespace.as_str()),
                );
            })?;
            Ok(Exit::Done)
        }
        OrgCommand::SigningSecret(args) => signing_secret(session, args).await,
        OrgCommand::Publisher(args) => publisher::run(session, args).await,
        OrgCommand::Policy(args) => org_policy::run(session, args).await,
        OrgCommand::Insight(args) => org_insight::run(session, args).await,
    }
}

fn describe(page: &mut Page, org: &OrgSummary) {
    page.line(Line::default().name(&org.name));
    page.field("skills", org.skills.to_string());
    page.field(
        "signs",
        if org.signing_secret { "yes, a secret is registered" } else { "no secret is registered" },
    );
    page.field("since", moment(org.created_at));
}

async fn list(session: &Session, page: PageArgs) -> CommandResult {
    let listed = session.client()?.orgs(page.page()).await?;
    session.output.show(&listed, |out| {
        if listed.orgs.is_empty() {
            out.line(Line::default().plain("no orgs; make one with ").command("skillery org create"));
            return;
        }
        let mut grid = Grid::new(&[left("ORG"), right("SKILLS"), left("SIGNS"), left("SINCE")]);
        for org in &listed.orgs {
            let signs = if org.signing_secret { "yes" } else { "-" };
            grid.row([&org.name, &org.skills.to_string(), signs, &moment(org.created_at)]);
        }
        out.grid(grid);
    })?;
    page.note(session, listed.orgs.len(), listed.total);
    Ok(Exit::Done)
}

async fn members(session: &Session, namespace: &Namespace, page: PageArgs) -> CommandResult {
    let listed = session.client()?.members(namespace, page.page()).await?;
    session.output.show(&listed, |out| {
        let mut grid = Grid::new(&[left("USER"), left("ROLE"), left("IN")]);
        for member in &listed.members {
            grid.row([&member.user, member.role.as_str(), &member.namespace]);
        }
        out.grid(grid);
    })?;
    page.note(session, listed.members.len(), listed.total);
    Ok(Exit::Done)
}

async fn signing_secret(session: &Session, args: &SigningSecretArgs) -> CommandResult {
    match &args.command {
        SigningSecretCommand::Set { org, secret_stdin, only_if_none } => {
            // The prompt comes first: see `secret::prompt`.
            let secret = secret::signing(*secret_stdin)?;
            let client = session.client()?;
            client.set_signing_secret(org, &secret, *only_if_none).await?;
            // Whoever may set it signs with it next, and verifies.
            Keys::add(&session.home()?, client.registry(), org.as_str(), &secret)?;
            session.output.show(&SigningSecret { org, signing_secret: true }, |page| {
                page.line(
                    Line::default()
                        .plain("the signing secret of ")
                        .name(org.as_str())
                        .plain(" is registered"),
                );
            })?;
        }
        SigningSecretCommand::Remove { org } => {
            session.client()?.remove_signing_secret(org).await?;
            session.output.show(&SigningSecret { org, signing_secret: false }, |page| {
                page.line(
                    Line::default().plain("the signing secret of ").name(org.as_str()).plain(" was removed"),
                );
            })?;
        }
    }
    Ok(Exit::Done)
}
