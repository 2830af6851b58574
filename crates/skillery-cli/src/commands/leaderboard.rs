//! `skillery leaderboard`: whose skills others use.

use std::str::FromStr;

use clap::Args;
use skillery_core::api::{BoardOf, BoardPeriod};

use crate::failure::{CommandResult, Exit};
use crate::output::{Grid, Line, Tone, figure, left, right};
use crate::paging::PageArgs;
use crate::session::Session;

/// Arguments of `leaderboard`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  skillery leaderboard
  skillery leaderboard --of teams --period week
  skillery leaderboard --json | jq -r '.places[].name'
  skillery leaderboard --leave                       be on no board any more

Counted are users who are signed in and are no members of the skill's org, each once. Downloads without a token, more of \
them, and more tokens change nothing. Who wants to be on no board is on none.")]
pub(crate) struct LeaderboardArgs {
    /// Who is compared: `authors` or `teams`
    #[arg(long, value_name = "WHO", default_value = "authors", value_parser = BoardOf::from_str)]
    of: BoardOf,

    /// Over which time: `week`, `month` or `all`
    #[arg(long, value_name = "TIME", default_value = "month", value_parser = BoardPeriod::from_str)]
    period: BoardPeriod,

    #[command(flatten)]
    page: PageArgs,

    /// Be on no board any more
    #[arg(long, conflicts_with_all = ["of", "period", "limit", "offset", "join"])]
    leave: bool,

    /// Be on boards again
    #[arg(long, conflicts_with_all = ["of", "period", "limit", "offset"])]
    join: bool,
}

/// Runs it.
pub(crate) async fn run(session: &Session, args: &LeaderboardArgs) -> CommandResult {
    if args.leave || args.join {
        let listed = session.client()?.set_listed(args.join).await?;
        session.output.show(&listed, |page| {
            let where_to =
                if listed.listed { "you may be on leaderboards" } else { "you are on no leaderboard" };
            page.line(Line::default().toned(Tone::Good, where_to));
        })?;
        return Ok(Exit::Done);
    }
    let board = session.client()?.leaderboard(args.of, args.period, args.page.page()).await?;
    session.output.show(&board, |page| {
        if board.places.is_empty() {
            page.line(Line::default().plain("nobody installed or rated anything of others in this time"));
            return;
        }
        let name = match board.of {
            BoardOf::Authors => left("AUTHOR"),
            BoardOf::Teams => left("TEAM"),
        };
        let mut grid =
            Grid::new(&[right("RANK"), name, right("CONSUMERS"), right("RATERS"), right("RATING")]);
        for place in &board.places {
            grid.row([
                place.rank.to_string(),
                place.name.clone(),
                figure(place.consumers),
                figure(place.raters),
                place.rating.map_or_else(|| "-".to_owned(), |rating| format!("{rating:.1}")),
            ]);
        }
        page.grid(grid);
    })?;
    args.page.note(session, board.places.len(), board.total);
    Ok(Exit::Done)
}
