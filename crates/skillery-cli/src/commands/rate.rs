//! `skillery rate`: rates a skill, or takes the rating back.

use clap::Args;
use serde::Serialize;
use skillery_core::{Rating, SkillId};

use crate::commands::search::rating_text;
use crate::failure::{CommandResult, Exit, Failure};
use crate::output::{Line, Tone};
use crate::session::Session;

/// Arguments of `rate`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery rate acme/email_validator 4.5
  skillery rate acme/email_validator 5 --review 'Works great, fast validation'
  skillery rate acme/email_validator --undo

Rating again replaces your rating and its review.")]
pub(crate) struct RateArgs {
    /// Which skill, `org/name`
    id: SkillId,

    /// From 1 to 5, kept to one decimal
    #[arg(value_parser = parse_rating, required_unless_present = "undo", allow_negative_numbers = true)]
    rating: Option<Rating>,

    /// What you think of it; everybody who sees the skill can read it
    #[arg(long, value_name = "TEXT")]
    review: Option<String>,

    /// Take your rating back
    #[arg(long, conflicts_with_all = ["rating", "review"])]
    undo: bool,
}

#[derive(Debug, Serialize)]
struct Undone<'a> {
    id: &'a SkillId,
    rated: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &RateArgs) -> CommandResult {
    let client = session.client()?;
    let Some(rating) = args.rating else {
        client.unrate(&args.id).await?;
        session.output.show(&Undone { id: &args.id, rated: false }, |page| {
            page.line(
                Line::default().plain("your rating of ").name(args.id.as_str()).plain(" was taken back"),
            );
        })?;
        return Ok(Exit::Done);
    };
    let answer = client.rate(&args.id, rating, args.review.as_deref()).await?;
    if !answer.success {
        return Err(Failure::new(
            Exit::Failed,
            "not-rated",
            format!("the registry did not rate `{}`", args.id),
        ));
    }
    session.output.show(&answer, |page| {
        page.line(Line::default().toned(Tone::Good, "rated ").name(args.id.as_str()).plain(format!(
            " {:.1}; now {}",
            f64::from(rating),
            rating_text(answer.average_rating, answer.rating_count)
        )));
    })?;
    Ok(Exit::Done)
}

fn parse_rating(text: &str) -> Result<Rating, String> {
    let number: f64 = text.parse().map_err(|_| "use a number from 1 to 5, for example 4.5".to_owned())?;
    Rating::try_from(number).map_err(|error| error.to_string())
}
