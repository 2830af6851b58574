//! `skillery reviews`: how a skill was rated, and what was written about it.

use clap::{Args, Subcommand};
use serde::Serialize;
use skillery_core::SkillId;
use skillery_core::api::{ReportRequest, Review};

use crate::commands::reports;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Page, Tone, counted, moment, moment_in};
use crate::paging::PageArgs;
use crate::session::Session;

/// Characters of the longest bar of the histogram.
const BAR: i64 = 24;

/// Arguments of `reviews`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery reviews acme/email_validator
  skillery reviews acme/email_validator --limit 50 --offset 50
  skillery reviews answer acme/email_validator anna 'Mended in 1.2.0, thank you.'
  skillery reviews report acme/email_validator bob --reason abuse")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ReviewsArgs {
    /// Which skill, `org/name`
    #[arg(required = true)]
    id: Option<SkillId>,

    #[command(flatten)]
    page: PageArgs,

    #[command(subcommand)]
    command: Option<ReviewsCommand>,
}

#[derive(Debug, Subcommand)]
enum ReviewsCommand {
    /// Answer a review for the authors of the skill, or take the answer back (publishers)
    #[command(after_help = "\
Examples:
  skillery reviews answer acme/email_validator anna 'Mended in 1.2.0, thank you.'
  skillery reviews answer acme/email_validator anna --undo

Answering again replaces the answer.")]
    Answer {
        #[command(flatten)]
        which: Which,
        /// What
        #[arg(required_unless_present = "undo")]
        text: Option<String>,
        /// Take the answer back
        #[arg(long, conflicts_with = "text")]
        undo: bool,
    },
    /// Hide the text of a review, or show it again (admins of the namespace)
    #[command(after_help = "\
Examples:
  skillery reviews hide acme/email_validator bob --reason 'names of people'
  skillery reviews hide acme/email_validator bob --undo

The stars count on. Moderators and its author go on seeing the text.")]
    Hide {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        hide: reports::HideArgs,
    },
    /// Report a review, or what was answered, to moderators
    #[command(after_help = "\
Examples:
  skillery reviews report acme/email_validator bob --reason abuse
  skillery reviews report acme/email_validator anna --answer --reason spam")]
    Report {
        #[command(flatten)]
        which: Which,
        /// The answer, and not the review
        #[arg(long)]
        answer: bool,
        #[command(flatten)]
        why: reports::Why,
    },
}

#[derive(Debug, Args)]
struct Which {
    /// Which skill, `org/name`
    id: SkillId,

    /// Whose review it is
    user: String,
}

#[derive(Debug, Serialize)]
struct Done<'a> {
    id: &'a SkillId,
    user: &'a str,
    done: &'static str,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &ReviewsArgs) -> CommandResult {
    match (&args.command, &args.id) {
        (Some(command), _) => change(session, command).await,
        (None, Some(id)) => list(session, id, args.page).await,
        (None, None) => Err(Failure::usage("name a skill")),
    }
}

async fn change(session: &Session, command: &ReviewsCommand) -> CommandResult {
    let client = session.client()?;
    match command {
        ReviewsCommand::Answer { which, undo: true, .. } => {
            client.remove_review_answer(&which.id, &which.user).await?;
            done(session, which, "not answered any more")
        }
        ReviewsCommand::Answer { which, text, .. } => {
            client.answer_review(&which.id, &which.user, text.as_deref().unwrap_or_default()).await?;
            done(session, which, "answered")
        }
        ReviewsCommand::Hide { which, hide } => match hide.reason() {
            Some(reason) => {
                client.hide_review(&which.id, &which.user, reason).await?;
                done(session, which, "hidden")
            }
            None => {
                client.unhide_review(&which.id, &which.user).await?;
                done(session, which, "shown")
            }
        },
        ReviewsCommand::Report { which, answer, why } => {
            let user = Some(which.user.clone());
            let (review, answer) = if *answer { (None, user) } else { (user, None) };
            reports::submit(session, &ReportRequest { review, answer, ..why.about(&which.id) }).await
        }
    }
}

fn done(session: &Session, which: &Which, done: &'static str) -> CommandResult {
    session.output.show(&Done { id: &which.id, user: &which.user, done }, |page| {
        let line = Line::default().plain("the review of ").name(which.id.as_str());
        let line = line.plain(" by ").toned(Tone::Strong, &which.user);
        page.line(line.plain(" is ").toned(Tone::Good, done));
    })?;
    Ok(Exit::Done)
}

fn describe(page: &mut Page, review: &Review) {
    let head = Line::default()
        .plain(format!("{:.1} ", review.rating))
        .toned(Tone::Strong, &review.author)
        .toned(Tone::Faint, format!(" {}", moment_in(&review.created_at)));
    page.line(head.hidden(review.hidden, review.hidden_reason.as_deref()));
    page.indented(&review.text);
    if let Some(answer) = &review.answer {
        let at = moment(answer.at);
        let before = if answer.outdated { ", to what it said before" } else { "" };
        let head = Line::default().plain("  answer of ").toned(Tone::Strong, &answer.author);
        page.line(head.toned(Tone::Faint, format!(" {at}{before}")));
        page.indented_by("    ", &answer.text);
    }
}

async fn list(session: &Session, id: &SkillId, rows: PageArgs) -> CommandResult {
    let ratings = session.client()?.ratings(id, rows.page()).await?;
    session.output.show(&ratings, |page| {
        if ratings.count == 0 {
            page.line(
                Line::default()
                    .plain("nobody has rated it; be the first with ")
                    .command(format!("skillery rate {id} 5")),
            );
            return;
        }
        page.line(
            Line::default()
                .name(id.as_str())
                .plain(format!(" {:.1} of 5 from ", ratings.average))
                .plain(counted(ratings.count, "rating", "ratings")),
        );
        page.blank();
        let most = ratings.histogram.values().copied().max().unwrap_or(0).max(1);
        for stars in (1..=5).rev() {
            let count = ratings.histogram.get(&stars.to_string()).copied().unwrap_or(0).max(0);
            let bar = "#".repeat(usize::try_from(count.saturating_mul(BAR) / most).unwrap_or(0));
            let line = Line::default().plain(format!("{stars} ")).toned(Tone::Warning, format!("{bar:<24}"));
            page.line(line.plain(format!(" {count}")));
        }
        for review in &ratings.reviews {
            page.blank();
            describe(page, review);
        }
    })?;
    rows.note(session, ratings.reviews.len(), u64::try_from(ratings.count).unwrap_or(0));
    Ok(Exit::Done)
}
