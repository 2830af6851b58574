//! `skillery org policy`: the approvals and signatures that a namespace demands of what is published there.

use clap::{Args, Subcommand};
use skillery_core::api::PolicyResponse;
use skillery_core::{Namespace, PublishPolicy, Role};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, left, moment, right};
use crate::session::Session;

/// Arguments of `org policy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery org policy show acme/email
  skillery org policy set acme --approvals 2 --signed
  skillery org policy remove acme/email

What is published where approvals are demanded waits until it has them; see `skillery approve`. Where signatures are \
demanded, what is not signed is not published; see `skillery key enrol`.")]
pub(crate) struct OrgPolicyArgs {
    #[command(subcommand)]
    command: OrgPolicyCommand,
}

#[derive(Debug, Subcommand)]
enum OrgPolicyCommand {
    /// Show what is demanded in a namespace, and by which namespaces above it
    #[command(after_help = "\
Examples:
  skillery org policy show acme/email
  skillery org policy show acme --json | jq .demanded")]
    Show {
        /// Which namespace
        namespace: Namespace,
    },
    /// Demand approvals or signatures of every version that is published in a namespace or below it
    #[command(after_help = "\
Examples:
  skillery org policy set acme                       one reviewer
  skillery org policy set acme --approvals 2
  skillery org policy set acme/payments --role admin
  skillery org policy set acme --signed              nobody has to approve it
  skillery org policy set acme --approvals 1 --signed

Policies above and below add up: the most approvals and the highest role of them are demanded, and a signature where one of \
them demands it. What waits already is \
judged by the policy at the moment of each approval; what is released stays released.")]
    Set {
        /// Which namespace
        namespace: Namespace,
        /// How many people must approve, none of whom published or signed the version [default: 1; with --signed 0]
        #[arg(long, value_name = "NUMBER")]
        approvals: Option<u32>,
        /// The role that they hold at least: reviewer, admin or owner
        #[arg(long, default_value = "reviewer")]
        role: Role,
        /// Versions must be signed by their authors' own keys
        #[arg(long)]
        signed: bool,
    },
    /// Demand nothing more than the namespaces above it do
    #[command(after_help = "\
Examples:
  skillery org policy remove acme/email")]
    Remove {
        /// Which namespace
        namespace: Namespace,
    },
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &OrgPolicyArgs) -> CommandResult {
    let client = session.client()?;
    let policy = match &args.command {
        OrgPolicyCommand::Show { namespace } => client.approval_policy(namespace).await?,
        OrgPolicyCommand::Set { namespace, approvals, role, signed } => {
            let approvals = approvals.unwrap_or(if *signed { 0 } else { 1 });
            let wanted = PublishPolicy { approvals, role: *role, signed: *signed };
            client.set_approval_policy(namespace, wanted).await?
        }
        OrgPolicyCommand::Remove { namespace } => client.remove_approval_policy(namespace).await?,
    };
    session.output.show(&policy, |page| describe(page, &policy))?;
    Ok(Exit::Done)
}

fn describe(page: &mut Page, policy: &PolicyResponse) {
    let line = Line::default().plain("what is published in ").name(&policy.namespace);
    let Some(PublishPolicy { approvals, role, signed }) = policy.demanded else {
        page.line(line.plain(" waits for nobody"));
        return;
    };
    let line = if signed { line.plain(" must be signed, and") } else { line };
    let people = match approvals {
        0 => " waits for nobody".to_owned(),
        1 => format!(" waits for the approval of one {role} or above"),
        many => format!(" waits for the approvals of {many} people, each a {role} or above"),
    };
    page.line(line.plain(people));
    page.blank();
    let mut grid = Grid::new(&[
        left("SET IN"),
        right("APPROVALS"),
        left("ROLE"),
        left("SIGNED"),
        left("SINCE"),
        right("LOG ENTRY"),
    ]);
    for set in &policy.policies {
        grid.row([
            set.namespace.as_str(),
            &set.policy.approvals.to_string(),
            if set.policy.waits() { set.policy.role.as_str() } else { "-" },
            if set.policy.signed { "yes" } else { "-" },
            &moment(&set.set_at.to_string()),
            &set.log_index.to_string(),
        ]);
    }
    page.grid(grid);
}
