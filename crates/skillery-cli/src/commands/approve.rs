//! `skillery approve`: what waits for approval, and deciding about it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skillery_client::Signer;
use skillery_client::sign::sign_review;
use skillery_core::api::{ApprovalsResponse, DecisionRequest, StageStanding};
use skillery_core::{Decision, Digest, Namespace, SkillId, Version, VersionStatus};

use crate::commands::publish::choose_signer;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Grid, Line, Page, Tone, left, moment, right};
use crate::paging::PageArgs;
use crate::progress::Progress;
use crate::session::Session;

/// Arguments of `approve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery approve list
  skillery install acme/email_validator@1.0.0 --no-lock      look at it, and try it
  skillery approve accept acme/email_validator 1.0.0
  skillery approve reject acme/email_validator 1.0.0 --reason 'sends addresses away'

Where a namespace demands approvals (`skillery org policy`), what is published there waits until enough reviewers have \
approved it. Nobody approves what they published or signed.")]
pub(crate) struct ApproveArgs {
    #[command(subcommand)]
    command: ApproveCommand,
}

#[derive(Debug, Subcommand)]
enum ApproveCommand {
    /// List versions that wait where you are a reviewer, the oldest first
    #[command(after_help = "\
Examples:
  skillery approve list
  skillery approve list --namespace acme/email
  skillery approve list --json | jq -r '.pending[].id'")]
    List {
        /// Only in this namespace and below it
        #[arg(long)]
        namespace: Option<Namespace>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show how far a version is: what is demanded, and who has decided what
    #[command(after_help = "\
Examples:
  skillery approve show acme/email_validator 1.0.0")]
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Approve a version; the last approval that is needed releases it
    #[command(after_help = "\
Examples:
  skillery approve accept acme/email_validator 1.0.0
  skillery approve accept acme/email_validator 1.0.0 --comment 'reads nothing but its input'
  skillery approve accept acme/email_validator 1.0.0 --digest sha256:…
  skillery approve accept acme/email_validator 1.0.0 --sign

What is approved are the bytes that you have looked at: those of the installed version, else those that the registry \
hands out now, else those of --digest. Another bundle is refused.")]
    Accept {
        #[command(flatten)]
        which: Which,
        /// What you have to say, for members of the namespace
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        comment: String,
        #[command(flatten)]
        looked_at: LookedAt,
        /// Sign the approval with the enrolled SSH key; a policy may demand it
        #[arg(long)]
        sign: bool,
        /// The SSH key to sign with [default: the enrolled one]
        #[arg(long, value_name = "FILE", requires = "sign")]
        key: Option<PathBuf>,
    },
    /// Reject a version that waits: it is never handed out, and another version has to be published
    #[command(after_help = "\
Examples:
  skillery approve reject acme/email_validator 1.0.0 --reason 'sends addresses away'")]
    Reject {
        #[command(flatten)]
        which: Which,
        /// Why, for members of the namespace
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        looked_at: LookedAt,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Which skill, `org/name`
    id: SkillId,

    /// Which version
    version: Version,
}

#[derive(Debug, Args)]
struct LookedAt {
    /// The digest of what you have looked at elsewhere [default: of what is installed, else of what the registry hands out]
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &ApproveArgs) -> CommandResult {
    match &args.command {
        ApproveCommand::List { namespace, page } => list(session, namespace.as_ref(), *page).await,
        ApproveCommand::Show { which } => {
            let approvals = session.client()?.approvals(&which.id, &which.version).await?;
            session.output.show(&approvals, |page| describe(page, &approvals))?;
            Ok(Exit::Done)
        }
        ApproveCommand::Accept { which, comment, looked_at, sign, key } => {
            let missing = || Failure::usage("no key to sign with is known here");
            let signer = match sign {
                true => Some(choose_signer(session, key.as_deref(), true, false)?.ok_or_else(missing)?),
                false => None,
            };
            decide(session, which, Decision::Approved, comment, looked_at, signer.as_ref()).await
        }
        ApproveCommand::Reject { which, reason, looked_at } => {
            decide(session, which, Decision::Rejected, reason, looked_at, None).await
        }
    }
}

async fn list(session: &Session, namespace: Option<&Namespace>, page: PageArgs) -> CommandResult {
    let listed = session.client()?.pending(namespace, page.page()).await?;
    session.output.show(&listed, |out| {
        if listed.pending.is_empty() {
            out.line(Line::default().plain("nothing waits for approval where you are a reviewer"));
            return;
        }
        let mut grid = Grid::new(&[
            left("SKILL"),
            left("VERSION"),
            left("BY"),
            left("SINCE"),
            right("APPROVED"),
            left("YOU"),
            left("FOR"),
        ]);
        for version in &listed.pending {
            grid.row([
                version.id.as_str(),
                &version.version.to_string(),
                &version.publisher,
                &moment(&version.published_at.to_string()),
                &version.given.to_string(),
                version.mine.map_or("-", |decision| decision.as_str()),
                &version.description,
            ]);
        }
        out.grid(grid);
    })?;
    page.note(session, listed.pending.len(), listed.total);
    Ok(Exit::Done)
}

async fn decide(
    session: &Session,
    which: &Which,
    decision: Decision,
    comment: &str,
    looked_at: &LookedAt,
    signer: Option<&Signer>,
) -> CommandResult {
    let Which { id, version } = which;
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, &format!("looking at {id} {version}"));
    let digest = match looked_at.digest {
        Some(digest) => digest,
        None => match client.approvals(id, version).await? {
            // Nobody can look at it any more, and the registry says why it is too late.
            ApprovalsResponse { status: VersionStatus::Rejected, digest, .. } => digest,
            _ => session.library()?.reviewed_digest(&client, id, version).await?,
        },
    };
    let signature = match signer {
        Some(signer) => {
            let standing = client.approvals(id, version).await?;
            Some(sign_review(&client, &session.home()?, signer, &standing, digest).await?)
        }
        None => None,
    };
    let request = DecisionRequest { decision, digest: Some(digest), comment: comment.to_owned(), signature };
    let approvals = client.decide(id, version, &request).await?;
    drop(progress);
    session.output.show(&approvals, |page| {
        let (tone, done) = match decision {
            Decision::Approved => (Tone::Good, "approved "),
            Decision::Rejected => (Tone::Bad, "rejected "),
        };
        page.line(Line::default().toned(tone, done).name(id.as_str()).plain(format!(" {version}")));
        describe_standing(page, &approvals);
    })?;
    Ok(Exit::Done)
}

fn describe(page: &mut Page, approvals: &ApprovalsResponse) {
    page.line(Line::default().name(approvals.id.as_str()).plain(format!(" {}", approvals.version)));
    page.field("published by", &approvals.publisher);
    describe_standing(page, approvals);
    if approvals.decisions.is_empty() {
        return;
    }
    page.blank();
    let mut grid = Grid::new(&[
        left("REVIEWER"),
        left("DECIDED"),
        left("COUNTS"),
        left("WHEN"),
        right("LOG ENTRY"),
        left("COMMENT"),
    ]);
    for decision in &approvals.decisions {
        let comment = if decision.comment.is_empty() { "-" } else { &decision.comment };
        grid.row([
            decision.user.as_str(),
            decision.decision.as_str(),
            if decision.counts { "yes" } else { "no" },
            &moment(&decision.decided_at.to_string()),
            &decision.log_index.to_string(),
            comment,
        ]);
    }
    page.grid(grid);
}

fn describe_standing(page: &mut Page, approvals: &ApprovalsResponse) {
    page.field("digest", approvals.digest.to_string());
    page.field("status", approvals.status.as_str());
    let given = approvals.given;
    page.field(
        "approvals",
        match &approvals.demanded {
            _ if approvals.stages.len() > 1 => format!("{given} count"),
            Some(policy) if approvals.status == VersionStatus::Pending => {
                format!("{given} of {}, each by a {} or above", policy.approvals, policy.role)
            }
            _ => given.to_string(),
        },
    );
    let is_special = |stage: &StageStanding| stage.group.is_some() || stage.signed;
    if approvals.stages.len() > 1 || approvals.stages.iter().any(is_special) {
        for stage in &approvals.stages {
            let group =
                stage.group.as_ref().map_or_else(String::new, |group| format!(" in the group {group}"));
            let signed = if stage.signed { ", signed" } else { "" };
            let state = match (stage.is_complete, stage.is_open) {
                (true, _) => "complete",
                (false, true) => "open",
                (false, false) => "not yet open",
            };
            let given = stage.given.len();
            let asked =
                format!("{given} of {}, each a {} or above{group}{signed}", stage.approvals, stage.role);
            page.field(&format!("stage {}", stage.name), format!("{state}; {asked}"));
        }
    }
    if let Some(facts) = approvals.facts.as_ref().filter(|facts| !facts.is_empty()) {
        page.field("facts", facts.iter().map(|fact| fact.as_str()).collect::<Vec<_>>().join(", "));
    }
    if let Some(since) = approvals.due_since {
        page.field("to be reviewed", format!("since {}", moment(&since.to_string())));
    }
    if let Some(why) = approvals.held_for {
        page.field("waits again", why.as_str());
    }
    if let Some(forced) = &approvals.forced {
        page.field(
            "released by force",
            format!("by {}, entry {}: {}", forced.by, forced.log_index, forced.reason),
        );
    }
}
