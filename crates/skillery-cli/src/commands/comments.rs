//! `skillery comments`: what people say of a skill.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_client::Client;
use skillery_core::SkillId;
use skillery_core::api::{Comment, ReportRequest};

use crate::commands::reports;
use crate::commands::short_id::{self, short};
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, moment};
use crate::paging::PageArgs;
use crate::session::Session;

/// Characters of a whole id.
const WHOLE: usize = 36;

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
        #[command(flatten)]
        hide: reports::HideArgs,
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
        CommentsCommand::Hide { which, hide } => {
            let comment = find(&client, which).await?;
            match hide.reason() {
                Some(reason) => {
                    client.hide_comment(&which.id, &comment, reason).await?;
                    done(session, &which.id, &comment, "hidden")
                }
                None => {
                    client.unhide_comment(&which.id, &comment).await?;
                    done(session, &which.id, &comment, "shown")
                }
            }
        }
        CommentsCommand::History { which } => history(session, which).await,
        CommentsCommand::Report { which, why } => {
            let comment = find(&client, which).await?;
            let request = ReportRequest { comment: Some(comment), ..why.about(&which.id) };
            reports::submit(session, &request).await
        }
    }
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
    out.line(head.hidden(comment.hidden, comment.hidden_reason.as_deref()));
    match &comment.text {
        Some(text) => out.indented_by(&format!("{indent}  "), text),
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
            out.indented(&text.text);
        }
    })?;
    Ok(Exit::Done)
}

/// The id of the comment whose id ends so.
async fn find(client: &Client, which: &Which) -> Result<String, Failure> {
    if which.comment.chars().count() >= WHOLE {
        return Ok(which.comment.clone());
    }
    let all = client.all_comments(&which.id).await?;
    let ids = all.iter().map(|comment| comment.id.as_str());
    let show = format!("skillery comments list {}", which.id);
    short_id::one_of("comment", which.id.as_str(), ids, &which.comment, &show).map(str::to_owned)
}
