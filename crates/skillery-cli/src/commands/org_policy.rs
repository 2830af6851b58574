//! `skillery org policy`: the approvals and signatures that a namespace demands of what is published there.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use skillery_core::api::{GroupSummary, PolicyHistoryResponse, PolicyResponse};
use skillery_core::approval::{Fact, Preset, ReReview, Stage};
use skillery_core::{Namespace, PublishPolicy, Role, Segment};

use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, left, moment, right};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `org policy`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery org policy show acme/email
  skillery org policy set acme --preset team
  skillery org policy set acme --approvals 2 --signed
  skillery org policy set acme/payments --file policy.toml
  skillery org policy group acme security anna ben
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
  skillery org policy show acme --json | jq '.policies[0].policy' > policy.json")]
    Show {
        /// Which namespace
        namespace: Namespace,
    },
    /// Show every policy that a namespace had itself, the newest first, from the log
    #[command(after_help = "\
Examples:
  skillery org policy history acme
  skillery org policy history acme --json | jq '.changes[0].policy' > policy.json")]
    History {
        /// Which namespace
        namespace: Namespace,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Demand approvals or signatures of every version that is published in a namespace or below it
    #[command(after_help = "\
Examples:
  skillery org policy set acme                       one reviewer
  skillery org policy set acme --approvals 2
  skillery org policy set acme/payments --role admin
  skillery org policy set acme --signed              nobody has to approve it
  skillery org policy set acme --preset regulated    needs the group `security`
  skillery org policy set acme --file policy.toml

Presets: `solo` (nobody waits, everything is signed), `team` (one reviewer; trusted builds, and patches that ask for nothing new, \
pass), `open` (one reviewer for first versions, new permissions and warnings), `regulated` (a reviewer, two of the group \
`security` where there is something to look at, then an admin; signed; looked at again each year). A file says all that can be \
said; `docs/approvals.md` has the words.

Policies above and below add up: nobody below is free of what is demanded above. What waits already is \
judged by the policy at the moment of each approval; what is released stays released.")]
    Set {
        /// Which namespace
        namespace: Namespace,
        /// A policy by its word: solo, team, open or regulated
        #[arg(long, value_name = "WORD", conflicts_with_all = ["file", "approvals", "role", "signed"])]
        preset: Option<Preset>,
        /// A policy in a file: TOML, or JSON as one of `.policies[].policy` of `show --json`
        #[arg(long, value_name = "FILE", conflicts_with_all = ["approvals", "role", "signed"])]
        file: Option<PathBuf>,
        /// How many people must approve, none of whom published or signed the version [default: 1; with --signed 0]
        #[arg(long, value_name = "NUMBER")]
        approvals: Option<u32>,
        /// The role that they hold at least: reviewer, admin or owner [default: reviewer]
        #[arg(long)]
        role: Option<Role>,
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
    /// Set who is in a group of a namespace, which its policy may ask for
    #[command(after_help = "\
Examples:
  skillery org policy group acme security anna ben
  skillery org policy group acme security --remove

All members are named each time. Whoever is to approve holds a role there, too; see `skillery org members`.")]
    Group {
        /// Which namespace
        namespace: Namespace,
        /// Which group
        group: Segment,
        /// Its members from now on
        #[arg(value_name = "USER", required_unless_present = "remove", conflicts_with = "remove")]
        users: Vec<Segment>,
        /// Remove the group
        #[arg(long)]
        remove: bool,
    },
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &OrgPolicyArgs) -> CommandResult {
    let client = session.client()?;
    let policy = match &args.command {
        OrgPolicyCommand::Show { namespace } => client.approval_policy(namespace).await?,
        OrgPolicyCommand::Set { namespace, preset, file, approvals, role, signed } => {
            let wanted = match (preset, file) {
                (Some(preset), _) => preset.policy(),
                (None, Some(file)) => read(file)?,
                (None, None) => PublishPolicy {
                    approvals: approvals.unwrap_or(if *signed { 0 } else { 1 }),
                    role: role.unwrap_or(Role::Reviewer),
                    signed: *signed,
                    ..PublishPolicy::default()
                },
            };
            client.set_approval_policy(namespace, &wanted).await?
        }
        OrgPolicyCommand::Remove { namespace } => client.remove_approval_policy(namespace).await?,
        OrgPolicyCommand::History { namespace, page } => {
            let history = client.approval_policy_history(namespace, page.page()).await?;
            session.output.show(&history, |out| describe_history(out, namespace, &history))?;
            page.note(session, history.changes.len(), history.total);
            return Ok(Exit::Done);
        }
        OrgPolicyCommand::Group { namespace, group, remove: true, .. } => {
            client.remove_group(namespace, group).await?;
            let done = serde_json::json!({ "namespace": namespace, "group": group, "removed": true });
            session.output.show(&done, |page| {
                page.line(Line::default().plain("removed the group ").name(group.as_str()));
            })?;
            return Ok(Exit::Done);
        }
        OrgPolicyCommand::Group { namespace, group, users, .. } => {
            let group = client.set_group(namespace, group, users).await?;
            session.output.show(&group, |page| describe_group(page, &group))?;
            return Ok(Exit::Done);
        }
    };
    session.output.show(&policy, |page| describe(page, &policy))?;
    Ok(Exit::Done)
}

/// A policy in a file. JSON is told from TOML by its first character, which no table of TOML begins with.
fn read(file: &Path) -> Result<PublishPolicy, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file("read", file, &error))?;
    let read = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error| error.to_string()),
    };
    let wrong =
        |reason: String| Failure::usage(format!("`{}` is no policy: {}", file.display(), reason.trim()));
    let policy: PublishPolicy = read.map_err(wrong)?;
    policy.check().map_err(|error| wrong(error.to_string()))?;
    Ok(policy)
}

fn describe(page: &mut Page, policy: &PolicyResponse) {
    let line = Line::default().plain("what is published in ").name(&policy.namespace);
    let Some(PublishPolicy { approvals, role, signed, .. }) = policy.demanded else {
        page.line(line.plain(" waits for nobody"));
        describe_groups(page, &policy.groups);
        return;
    };
    let line = if signed { line.plain(" must be signed, and") } else { line };
    let people = match approvals {
        0 => " waits for nobody".to_owned(),
        _ if !policy.policies.iter().all(|set| set.policy.is_plain()) => {
            " waits for what these ask for".to_owned()
        }
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
        let is_staged = !set.policy.stages.is_empty();
        grid.row([
            set.namespace.as_str(),
            &if is_staged { "in stages".to_owned() } else { set.policy.approvals.to_string() },
            if set.policy.waits() && !is_staged { set.policy.role.as_str() } else { "-" },
            if set.policy.signed { "yes" } else { "-" },
            &moment(set.set_at),
            &set.log_index.to_string(),
        ]);
    }
    page.grid(grid);
    for set in policy.policies.iter().filter(|set| !set.policy.is_plain()) {
        page.blank();
        page.line(Line::default().name(&set.namespace));
        for line in words(&set.policy) {
            page.text(format!("  {line}"));
        }
    }
    describe_groups(page, &policy.groups);
}

/// A policy in sentences.
fn words(policy: &PublishPolicy) -> Vec<String> {
    let list = |facts: &[Fact]| facts.iter().map(|fact| fact.as_str()).collect::<Vec<_>>().join(", ");
    let mut lines = Vec::new();
    if !policy.when.is_empty() {
        lines.push(format!("only for: {}", list(&policy.when)));
    }
    let people = |approvals: u32, role: Role| match approvals {
        1 => format!("one {role} or above"),
        many => format!("{many} people, each a {role} or above"),
    };
    if policy.approvals > 0 {
        lines.push(people(policy.approvals, policy.role));
    }
    for (place, Stage { name, approvals, role, group, when }) in policy.stages.iter().enumerate() {
        let group = group.as_ref().map_or_else(String::new, |group| format!(" in the group {group}"));
        let when = if when.is_empty() { String::new() } else { format!("; only for: {}", list(when)) };
        lines.push(format!("{}. {name}: {}{group}{when}", place + 1, people(*approvals, *role)));
    }
    if policy.same_people {
        lines.push("one person may count for several stages".to_owned());
    }
    if policy.signed_reviews {
        lines.push("only signed approvals count".to_owned());
    }
    if policy.auto.builds {
        lines.push("passes: what a trusted build publishes".to_owned());
    }
    if policy.auto.patches {
        lines.push("passes: a patch that asks for nothing new".to_owned());
    }
    for group in &policy.auto.groups {
        lines.push(format!("passes: what members of the group {group} publish"));
    }
    if let Some(days) = policy.expires_days {
        lines.push(format!("an approval counts for {days} days while the version waits"));
    }
    if let Some(ReReview { days, overdue }) = policy.review {
        lines.push(format!("a release is looked at again after {days} days; overdue: {overdue}"));
    }
    lines
}

fn describe_groups(page: &mut Page, groups: &[GroupSummary]) {
    if !groups.is_empty() {
        page.blank();
    }
    for group in groups {
        describe_group(page, group);
    }
}

fn describe_group(page: &mut Page, group: &GroupSummary) {
    let members = if group.users.is_empty() { "nobody".to_owned() } else { group.users.join(", ") };
    page.field(&format!("group {} of {}", group.group, group.namespace), members);
}

fn describe_history(page: &mut Page, namespace: &Namespace, history: &PolicyHistoryResponse) {
    if history.changes.is_empty() {
        page.line(Line::default().name(namespace.as_str()).plain(" never had a policy of its own"));
    }
    for change in &history.changes {
        let by = change.by.as_deref().unwrap_or("-");
        let what = if change.policy.is_some() { " set" } else { " removed" };
        let when = moment(change.at);
        let line = Line::default().plain(format!("{when} by ")).name(by).plain(what);
        page.line(line.toned(Tone::Faint, format!(" (entry {})", change.log_index)));
        for line in change.policy.iter().flat_map(|policy| {
            let signed = policy.signed.then(|| "versions must be signed".to_owned());
            words(policy).into_iter().chain(signed)
        }) {
            page.text(format!("  {line}"));
        }
    }
}
