//! `skillery reviews`: how a skill was rated, and what was written about it.

use clap::Args;
use skillery_core::SkillId;

use crate::failure::{CommandResult, Exit};
use crate::output::{Line, Tone, counted, moment_in};
use crate::paging::PageArgs;
use crate::session::Session;

/// Characters of the longest bar of the histogram.
const BAR: i64 = 24;

/// Arguments of `reviews`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery reviews acme/email_validator
  skillery reviews acme/email_validator --limit 50 --offset 50")]
pub(crate) struct ReviewsArgs {
    /// Which skill, `org/name`
    id: SkillId,

    #[command(flatten)]
    page: PageArgs,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &ReviewsArgs) -> CommandResult {
    let ratings = session.client()?.ratings(&args.id, args.page.page()).await?;
    session.output.show(&ratings, |page| {
        if ratings.count == 0 {
            page.line(
                Line::default()
                    .plain("nobody has rated it; be the first with ")
                    .command(format!("skillery rate {} 5", args.id)),
            );
            return;
        }
        page.line(
            Line::default()
                .name(args.id.as_str())
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
            page.line(
                Line::default()
                    .plain(format!("{:.1} ", review.rating))
                    .toned(Tone::Strong, &review.author)
                    .toned(Tone::Faint, format!(" {}", moment_in(&review.created_at))),
            );
            page.indented(&review.text);
        }
    })?;
    args.page.note(session, ratings.reviews.len(), u64::try_from(ratings.count).unwrap_or(0));
    Ok(Exit::Done)
}
