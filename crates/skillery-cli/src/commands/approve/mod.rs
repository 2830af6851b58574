//! `skillery approve`: what waits for approval, and deciding about it.

mod comment;
mod diff;
mod standing;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skillery_client::{ApprovalFilter, Verdict};
use skillery_core::api::{ApprovalState, ApprovalsResponse, PendingVersion};
use skillery_core::{Decision, Digest, Namespace, SkillId, Version, VersionStatus};

use crate::commands::info::describe_changelog;
use crate::commands::publish::needed_signer;
use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Page, Tone, left, moment, right};
use crate::paging::PageArgs;
use crate::progress::Progress;
use crate::session::Session;

use self::standing::{describe_forced, describe_standing};

/// Arguments of `approve`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery approve list --needs-me
  skillery approve diff acme/email_validator 1.0.0           what changed since the last version
  skillery install acme/email_validator@1.0.0 --no-lock      try it
  skillery approve comment acme/email_validator 1.0.0 'Why?' --file scripts/run.py --line 12
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
  skillery approve list --needs-me
  skillery approve list --mine --state decided
  skillery approve list --due
  skillery approve list --json | jq -r '.pending[].id'")]
    List {
        /// Only in this namespace and below it
        #[arg(long)]
        namespace: Option<Namespace>,
        /// What you published, in place of what you review
        #[arg(long)]
        mine: bool,
        /// Only what your approval would count for now
        #[arg(long, conflicts_with_all = ["mine", "state"])]
        needs_me: bool,
        /// What is handed out, and due to be looked at again or released by force
        #[arg(long, conflicts_with = "state")]
        due: bool,
        /// `pending`, or `decided` for what has been decided about
        #[arg(long, value_name = "STATE")]
        state: Option<ApprovalState>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show how far a version is: what is demanded, who has decided what, and what is said about it
    #[command(after_help = "\
Examples:
  skillery approve show acme/email_validator 1.0.0")]
    Show {
        #[command(flatten)]
        which: Which,
    },
    /// Show what changed in a version: files, what it says of itself, what it needs and asks to be allowed, what was found
    #[command(after_help = "\
Examples:
  skillery approve diff acme/email_validator 1.0.0
  skillery approve diff acme/email_validator 1.1.0 --from 1.0.0 --file scripts/run.py
  skillery approve diff acme/email_validator 1.1.0 --patch | git apply

Characters that nobody would see are written out, such as \u{27e8}U+202E\u{27e9}. Nobody has to be a reviewer for it: any two \
versions that you may have are compared.")]
    Diff {
        #[command(flatten)]
        which: Which,
        /// The older version, or `none` [default: the last one that was approved before]
        #[arg(long, value_name = "VERSION")]
        from: Option<String>,
        /// Only this file
        #[arg(long, value_name = "PATH")]
        file: Option<String>,
        /// As a patch, which `git apply` and `patch` take
        #[arg(long, conflicts_with = "json")]
        patch: bool,
    },
    /// Say something about a version, a file or a line of it, or answer
    #[command(after_help = "\
Examples:
  skillery approve comment acme/email_validator 1.0.0 'What is the limit for?'
  skillery approve comment acme/email_validator 1.0.0 'Why?' --file scripts/run.py --line 12
  skillery approve comment acme/email_validator 1.0.0 'Because of RFC 5321.' --thread 3f9a01c2")]
    Comment {
        #[command(flatten)]
        which: Which,
        /// What
        text: String,
        /// The file that it is about
        #[arg(long, value_name = "PATH")]
        file: Option<String>,
        /// The line of the file
        #[arg(long, value_name = "NUMBER", requires = "file")]
        line: Option<u32>,
        /// The file and the line are those of this older version
        #[arg(long, value_name = "VERSION", requires = "file")]
        old: Option<Version>,
        /// The thread that it answers, by the end of its id
        #[arg(long, value_name = "ID", conflicts_with = "file")]
        thread: Option<String>,
    },
    /// Take a comment away: your own, and as an admin of the namespace any
    #[command(after_help = "\
Examples:
  skillery approve remove-comment acme/email_validator 1.0.0 3f9a01c2

It stays in its thread without its text.")]
    RemoveComment {
        #[command(flatten)]
        which: Which,
        /// The comment, by the end of its id
        comment: String,
    },
    /// Resolve a thread of comments
    #[command(after_help = "\
Examples:
  skillery approve resolve acme/email_validator 1.0.0 3f9a01c2
  skillery approve resolve acme/email_validator 1.0.0 3f9a01c2 --reopen")]
    Resolve {
        #[command(flatten)]
        which: Which,
        /// The thread, by the end of its id
        thread: String,
        /// Open it again
        #[arg(long)]
        reopen: bool,
    },
    /// Approve a version; the last approval that is needed releases it
    #[command(after_help = "\
Examples:
  skillery approve accept acme/email_validator 1.0.0
  skillery approve accept acme/email_validator 1.0.0 --comment 'reads nothing but its input'
  skillery approve accept acme/email_validator 1.0.0 --digest sha256:…
  skillery approve accept acme/email_validator 1.0.0 --sign

What is approved are the bytes that you have looked at: those of --digest, else those of the installed version, else those \
of the digest that the registry names and its log has. Another bundle is refused.")]
    Accept {
        #[command(flatten)]
        which: Which,
        /// What you have to say, for members of the namespace
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        comment: String,
        #[command(flatten)]
        looked_at: LookedAt,
        #[command(flatten)]
        signing: Signing,
    },
    /// Ask for changes of a version that waits: it waits on, and an approval that you gave counts no more
    #[command(after_help = "\
Examples:
  skillery approve request-changes acme/email_validator 1.0.0 --comment 'name the limit'
  skillery approve request-changes acme/email_validator 1.0.0 --comment 'name the limit' --sign

What is changed is published as another version. Approving takes the request back. Whoever counts for a stage and is needed \
for a later one asks for changes, and approves again when that is open.")]
    RequestChanges {
        #[command(flatten)]
        which: Which,
        /// What is to be changed, for members of the namespace
        #[arg(long, value_name = "TEXT")]
        comment: String,
        #[command(flatten)]
        looked_at: LookedAt,
        #[command(flatten)]
        signing: Signing,
    },
    /// Reject a version that waits: it is never handed out, and another version has to be published
    #[command(after_help = "\
Examples:
  skillery approve reject acme/email_validator 1.0.0 --reason 'sends addresses away'
  skillery approve reject acme/email_validator 1.0.0 --reason 'sends addresses away' --sign")]
    Reject {
        #[command(flatten)]
        which: Which,
        /// Why, for members of the namespace
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        looked_at: LookedAt,
        #[command(flatten)]
        signing: Signing,
    },
    /// Release a version that waits at once, without its approvals: for owners, and for everybody to see
    #[command(after_help = "\
Examples:
  skillery approve break-glass acme/email_validator 1.0.1 --reason 'incident 4711'

The log has it as an entry of its own, `skillery log monitor` counts it, and whoever installs the version is warned until \
reviewers have approved it. Clients that demand approvals do not take it, unless they say `approved-or-forced`. The reason is \
for members of the namespace.")]
    BreakGlass {
        #[command(flatten)]
        which: Which,
        /// Why, for members of the namespace
        #[arg(long, value_name = "TEXT")]
        reason: String,
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
    /// The digest of what you have looked at elsewhere [default: of what is installed, else what the registry names]
    #[arg(long, value_name = "DIGEST")]
    digest: Option<Digest>,
}

#[derive(Debug, Args)]
struct Signing {
    /// Sign it with the enrolled SSH key; a policy may demand that of approvals
    #[arg(long)]
    sign: bool,

    /// The SSH key to sign with [default: the enrolled one]
    #[arg(long, value_name = "FILE", requires = "sign")]
    key: Option<PathBuf>,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &ApproveArgs) -> CommandResult {
    match &args.command {
        ApproveCommand::List { namespace, mine, needs_me, due, state, page } => {
            let (namespace, mine, needs_me, due, state) = (namespace.clone(), *mine, *needs_me, *due, *state);
            list(session, &ApprovalFilter { namespace, state, mine, needs_me, due }, *page).await
        }
        ApproveCommand::Show { which } => show(session, which).await,
        ApproveCommand::Diff { which, from, file, patch } => {
            diff::run(session, which, from.as_deref(), file.as_deref(), *patch).await
        }
        ApproveCommand::Comment { which, text, file, line, old, thread } => {
            let about = comment::About {
                file: file.as_deref(),
                line: *line,
                old: old.as_ref(),
                thread: thread.as_deref(),
            };
            comment::say(session, which, text, about).await
        }
        ApproveCommand::RemoveComment { which, comment } => comment::remove(session, which, comment).await,
        ApproveCommand::Resolve { which, thread, reopen } => {
            comment::resolve(session, which, thread, !reopen).await
        }
        ApproveCommand::RequestChanges { which, comment, looked_at, signing } => {
            decide(session, which, Decision::ChangesRequested, comment, looked_at, signing).await
        }
        ApproveCommand::Accept { which, comment, looked_at, signing } => {
            decide(session, which, Decision::Approved, comment, looked_at, signing).await
        }
        ApproveCommand::Reject { which, reason, looked_at, signing } => {
            decide(session, which, Decision::Rejected, reason, looked_at, signing).await
        }
        ApproveCommand::BreakGlass { which, reason } => {
            let standing = session.client()?.break_glass(&which.id, &which.version, reason).await?;
            session.output.show(&standing, |page| describe_forced(page, &standing))?;
            Ok(Exit::Done)
        }
    }
}

async fn show(session: &Session, which: &Which) -> CommandResult {
    let client = session.client()?;
    let standing = client.approvals(&which.id, &which.version).await?;
    let shown = client.with_comments(standing).await?;
    session.output.show(&shown, |page| {
        describe(page, &shown.standing);
        for thread in &shown.comments {
            page.blank();
            comment::describe(page, thread);
        }
    })?;
    Ok(Exit::Done)
}

/// Why it is among what is due, as far as that is told.
fn why(version: &PendingVersion) -> Option<String> {
    let forced = version.forced_by.as_ref().map(|by| {
        let reason = version.forced_reason.as_deref().unwrap_or("no reason is told");
        format!("released by {by} without the approvals: {reason}")
    });
    let due = version.due_since.map(|since| format!("due since {}", moment(since)));
    let both: Vec<String> = forced.into_iter().chain(due).collect();
    (!both.is_empty()).then(|| both.join("; "))
}

async fn list(session: &Session, filter: &ApprovalFilter, page: PageArgs) -> CommandResult {
    let listed = session.client()?.pending(filter, page.page()).await?;
    let is_decided = filter.state == Some(ApprovalState::Decided);
    // Of what one published oneself, reviewers alone are told why.
    let is_told = filter.due && !filter.mine;
    session.output.show(&listed, |out| {
        if listed.pending.is_empty() {
            let nothing = match (is_decided, filter.mine, filter.needs_me) {
                (_, true, _) if filter.due => "nothing that you published is due",
                (_, _, true) if filter.due => "nothing that is due needs your approval",
                _ if filter.due => "nothing that is handed out is due where you are a reviewer",
                (false, true, _) => "nothing that you published waits for approval",
                (true, true, _) => "nothing that you published has been decided about",
                (true, false, _) => "nothing has been decided about where you are a reviewer",
                (false, false, true) => "nothing waits for you",
                (false, false, false) => "nothing waits for approval where you are a reviewer",
            };
            out.line(Line::default().plain(nothing));
            return;
        }
        let mut grid = Grid::new(&[
            left("SKILL"),
            left("VERSION"),
            left("STATUS"),
            left("BY"),
            left("SINCE"),
            right("APPROVED"),
            right("OPEN"),
            left("YOU"),
            left(if is_told { "WHY" } else { "FOR" }),
        ]);
        for version in &listed.pending {
            let since = version.decided_at.filter(|_| is_decided).unwrap_or(version.published_at);
            let status = match version.status {
                VersionStatus::Pending if version.changes_requested > 0 => "changes",
                status => status.as_str(),
            };
            grid.row([
                version.id.as_str(),
                &version.version.to_string(),
                status,
                &version.publisher,
                &moment(since),
                &version.given.to_string(),
                &version.unresolved.to_string(),
                version.mine.map_or("-", |decision| decision.as_str()),
                &why(version).unwrap_or_else(|| version.description.clone()),
            ]);
        }
        out.grid(grid);
    })?;
    page.note(session, listed.pending.len(), listed.total);
    if listed.truncated {
        let text = "more waits than was looked at for you: what is newer may be missing";
        session.output.note(Line::default().plain(text));
    }
    Ok(Exit::Done)
}

async fn decide(
    session: &Session,
    which: &Which,
    decision: Decision,
    comment: &str,
    looked_at: &LookedAt,
    signing: &Signing,
) -> CommandResult {
    let Which { id, version } = which;
    let signer = signing.sign.then(|| needed_signer(session, signing.key.as_deref())).transpose()?;
    let client = session.client()?;
    let progress = Progress::spinner(&session.output, &format!("looking at {id} {version}"));
    let verdict = Verdict { decision, comment, digest: looked_at.digest, signer: signer.as_ref() };
    let approvals = session.library()?.decide(&client, id, version, verdict).await?;
    drop(progress);
    session.output.show(&approvals, |page| {
        let (tone, done) = match decision {
            Decision::Approved => (Tone::Good, "approved "),
            Decision::Rejected => (Tone::Bad, "rejected "),
            Decision::ChangesRequested => (Tone::Warning, "asked for changes of "),
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
    if let Some(changelog) = &approvals.changelog {
        describe_changelog(page, changelog);
    }
    if approvals.decisions.is_empty() {
        return;
    }
    page.blank();
    let mut grid = Grid::new(&[
        left("REVIEWER"),
        left("DECIDED"),
        left("COUNTS"),
        left("SIGNED"),
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
            if decision.signed { "yes" } else { "-" },
            &moment(decision.decided_at),
            &decision.log_index.to_string(),
            comment,
        ]);
    }
    page.grid(grid);
}
