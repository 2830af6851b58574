//! `skillery comments`: what people say of a skill.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::{Client, Page as Rows};
use skillery_core::SkillId;
use skillery_core::api::{Comment, ReportReason, ReportRequest};

use crate::commands::reports;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, moment};
use crate::paging::PageArgs;
use crate::session::Session;

/// Characters of an id that are shown.
const SHORT: usize = 8;
/// Characters of a whole id.
const WHOLE: usize = 36;
/// Rows that are asked for at once.
const ROWS: u64 = 50;

/// Arguments of `comments`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery comments list acme/email_validator
  skillery comments add acme/email_validator 'Works with addresses in Cyrillic?'
  skillery comments reply acme/email_validator 3f9a01c2 'Since 1.2.0.'
  skillery comments report acme/email_validator 3f9a01c2 --reason spam

A comment is named by its id, or by the end of it. Whoever sees the skill reads its comments.")]
pub(crate) struct CommentsArgs {
    #[command(subcommand)]
    command: CommentsCommand,
}

#[derive(Debug, Subcommand)]
enum CommentsCommand {
    /// List the comments on a skill: threads, the newest first
    #[command(after_help = "\
Examples:
  skillery comments list acme/email_validator
  skillery comments list acme/email_validator --thread 3f9a01c2    all answers to one
  skillery comments list acme/email_validator --json | jq -r '.comments[].text'")]
    List {
        /// Which skill, `org/name`
        id: SkillId,
        /// The answers to this comment, the oldest first
        #[arg(long, value_name = "ID")]
        thread: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Say something about a skill
    #[command(after_help = "\
Examples:
  skillery comments add acme/email_validator 'Works with addresses in Cyrillic?'")]
    Add {
        /// Which skill, `org/name`
        id: SkillId,
        /// What, in Markdown
        text: String,
    },
    /// Answer a comment
    #[command(after_help = "\
Examples:
  skillery comments reply acme/email_validator 3f9a01c2 'Since 1.2.0.'")]
    Reply {
        #[command(flatten)]
        which: Which,
        /// What, in Markdown
        text: String,
    },
    /// Let a comment of yours say something else; moderators see what it said
    #[command(after_help = "\
Examples:
  skillery comments edit acme/email_validator 3f9a01c2 'Works with addresses in Greek?'")]
    Edit {
        #[command(flatten)]
        which: Which,
        /// What it says from now on
        text: String,
    },
    /// Take a comment of yours back; moderators go on seeing it
    #[command(after_help = "\
Examples:
  skillery comments delete acme/email_validator 3f9a01c2")]
    Delete {
        #[command(flatten)]
        which: Which,
    },
    /// Hide a comment, or show it again (admins of the namespace)
    #[command(after_help = "\
Examples:
  skillery comments hide acme/email_validator 3f9a01c2 --reason advertising
  skillery comments hide acme/email_validator 3f9a01c2 --undo

Moderators and its author go on seeing it.")]
    Hide {
        #[command(flatten)]
        which: Which,
        /// Why, for moderators and the author
        #[arg(long, value_name = "TEXT", required_unless_present = "undo")]
        reason: Option<String>,
        /// Show it again
        #[arg(long, conflicts_with = "reason")]
        undo: bool,
    },
    /// Show what a comment said before it was edited (admins of the namespace)
    #[command(after_help = "\
Examples:
  skillery comments history acme/email_validator 3f9a01c2")]
    History {
        #[command(flatten)]
        which: Which,
    },
    /// Report a comment to moderators
    #[command(after_help = "\
Examples:
  skillery comments report acme/email_validator 3f9a01c2 --reason spam
  skillery comments report acme/email_validator 3f9a01c2 --reason other --text 'see line 3'")]
    Report {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        why: reports::Why,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Which skill, `org/name`
    id: SkillId,

    /// Which comment: its id, or the end of it
    comment: String,
}

#[derive(Debug, Serialize)]
struct Done<'a> {
    id: &'a SkillId,
    comment: &'a str,
    done: &'static str,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &CommentsArgs) -> CommandResult {
    let client = session.client()?;
    match &args.command {
        CommentsCommand::List { id, thread, page } => list(session, id, thread.as_deref(), *page).await,
        CommentsCommand::Add { id, text } => said(session, &client.comment(id, text, None).await?),
        CommentsCommand::Reply { which, text } => {
            let comment = find(&client, which).await?;
            said(session, &client.comment(&which.id, text, Some(&comment)).await?)
        }
        CommentsCommand::Edit { which, text } => {
            let comment = find(&client, which).await?;
            said(session, &client.edit_comment(&which.id, &comment, text).await?)
        }
        CommentsCommand::Delete { which } => {
            let comment = find(&client, which).await?;
            client.delete_comment(&which.id, &comment).await?;
            done(session, &which.id, &comment, "deleted")
        }
        CommentsCommand::Hide { which, reason, undo } => {
            let comment = find(&client, which).await?;
            if *undo {
                client.unhide_comment(&which.id, &comment).await?;
                return done(session, &which.id, &comment, "shown");
            }
            client.hide_comment(&which.id, &comment, reason.as_deref().unwrap_or_default()).await?;
            done(session, &which.id, &comment, "hidden")
        }
        CommentsCommand::History { which } => history(session, which).await,
        CommentsCommand::Report { which, why } => {
            let comment = find(&client, which).await?;
            let request =
                ReportRequest { comment: Some(comment), ..request(&which.id, why.reason, why.text.clone()) };
            reports::submit(session, &request).await
        }
    }
}

/// A report about a whole skill.
pub(crate) fn request(id: &SkillId, reason: ReportReason, text: String) -> ReportRequest {
    ReportRequest { skill: id.to_string(), comment: None, review: None, answer: None, reason, text }
}

async fn list(session: &Session, id: &SkillId, thread: Option<&str>, page: PageArgs) -> CommandResult {
    let client = session.client()?;
    let parent = match thread {
        Some(end) => Some(find(&client, &Which { id: id.clone(), comment: end.to_owned() }).await?),
        None => None,
    };
    let found = client.comments(id, parent.as_deref(), page.page()).await?;
    session.output.show(&found, |out| {
        if found.comments.is_empty() {
            let begin = format!("skillery comments add {id} '…'");
            let nothing = if parent.is_some() {
                "nobody has answered"
            } else {
                "nobody has said anything; begin with "
            };
            let line = Line::default().plain(nothing);
            out.line(if parent.is_some() { line } else { line.command(begin) });
        }
        for (place, comment) in found.comments.iter().enumerate() {
            if place > 0 {
                out.blank();
            }
            describe(out, comment, "");
            for reply in &comment.replies {
                describe(out, reply, "    ");
            }
            let more = comment.reply_count.saturating_sub(comment.replies.len() as u64);
            if more > 0 {
                let all = format!("--thread {}", short(&comment.id));
                out.line(Line::default().plain(format!("    {more} more; all with ")).command(all));
            }
        }
    })?;
    page.note(session, found.comments.len(), found.total);
    Ok(Exit::Done)
}

fn describe(out: &mut Page, comment: &Comment, indent: &str) {
    let at = moment(comment.created_at);
    let mut head = Line::default().plain(indent).name(short(&comment.id)).plain("  ");
    head = head.toned(Tone::Strong, comment.author.as_deref().unwrap_or("-"));
    head = head.toned(Tone::Faint, format!("  {at}"));
    if comment.edited_at.is_some() {
        head = head.toned(Tone::Faint, ", edited");
    }
    if comment.deleted_at.is_some() {
        head = head.toned(Tone::Warning, "  taken back");
    }
    if comment.hidden {
        let why = comment.hidden_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        head = head.toned(Tone::Warning, format!("  hidden{why}"));
    }
    out.line(head);
    match &comment.text {
        Some(text) => text.lines().for_each(|line| out.text(format!("{indent}  {line}"))),
        None => out.line(Line::default().toned(Tone::Faint, format!("{indent}  not shown"))),
    }
}

fn said(session: &Session, comment: &Comment) -> CommandResult {
    session.output.show(comment, |out| describe(out, comment, ""))?;
    Ok(Exit::Done)
}

fn done(session: &Session, id: &SkillId, comment: &str, done: &'static str) -> CommandResult {
    session.output.show(&Done { id, comment, done }, |out| {
        out.line(
            Line::default().plain("comment ").name(short(comment)).plain(" is ").toned(Tone::Good, done),
        );
    })?;
    Ok(Exit::Done)
}

async fn history(session: &Session, which: &Which) -> CommandResult {
    let client = session.client()?;
    let comment = find(&client, which).await?;
    let found = client.comment_texts(&which.id, &comment).await?;
    session.output.show(&found, |out| {
        if found.texts.is_empty() {
            out.text("it was never edited");
        }
        for text in &found.texts {
            let until = moment(text.until);
            out.line(Line::default().toned(Tone::Faint, format!("until {until}")));
            text.text.lines().for_each(|line| out.text(format!("  {line}")));
        }
    })?;
    Ok(Exit::Done)
}

/// The id of the comment whose id ends so.
async fn find(client: &Client, which: &Which) -> Result<String, Failure> {
    if which.comment.chars().count() >= WHOLE {
        return Ok(which.comment.clone());
    }
    let (mut found, mut offset) = (Vec::new(), 0);
    loop {
        let page = client.comments(&which.id, None, rows(offset)).await?;
        for thread in &page.comments {
            take(&mut found, std::slice::from_ref(thread), &which.comment);
            take(&mut found, &thread.replies, &which.comment);
            let mut seen = thread.replies.len() as u64;
            while seen < thread.reply_count {
                let more = client.comments(&which.id, Some(&thread.id), rows(seen)).await?.comments;
                if more.is_empty() {
                    break;
                }
                take(&mut found, &more, &which.comment);
                seen += more.len() as u64;
            }
        }
        offset += page.comments.len() as u64;
        if page.comments.is_empty() || offset >= page.total {
            break;
        }
    }
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => {
            let message = format!("{} has no comment `{}`", which.id, which.comment);
            let show = format!("`skillery comments list {}` lists them", which.id);
            Err(Failure::new(Exit::NotFound, "comment-not-found", &message).hint(&show))
        }
        _ => {
            let message = format!("the ids of several comments end in `{}`", which.comment);
            Err(Failure::new(Exit::Usage, "ambiguous-comment", &message).hint("give more of the id"))
        }
    }
}

fn rows(offset: u64) -> Rows {
    Rows { limit: Some(ROWS), offset: Some(offset) }
}

fn take(found: &mut Vec<String>, comments: &[Comment], end: &str) {
    let fits = comments.iter().filter(|comment| !end.is_empty() && comment.id.ends_with(end));
    found.extend(fits.map(|comment| comment.id.clone()));
}

/// The end of an id, by which a comment is called.
fn short(id: &str) -> &str {
    id.char_indices().rev().nth(SHORT - 1).map_or(id, |(start, _)| &id[start..])
}
