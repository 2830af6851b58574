//! Leaderboards: whose skills have most consumers.
//!
//! What counts is people: users who are signed in, are no members of the skill's org and not the author, each once. So
//! neither a script that downloads without an end, nor ten tokens of one user, nor an org's own builds move anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use skillery_core::api::{BoardOf, BoardPeriod, BoardPlace, LeaderboardResponse};
use skillery_core::{ProblemCode, Visibility};

use super::withheld::one_within_another;
use crate::access::Caller;
use crate::app::App;
use crate::counters::DAY_MICROS;
use crate::db::boards::{self, Figures, Tally};
use crate::failure::{Failure, Result};
use crate::http::call::Page;
use crate::shelf::Shelf;
use crate::turns::Turns;

/// The boards of authors or of teams, in the order of [`Figures`].
type Six = [Vec<BoardPlace>; 6];

/// Boards that were made just now.
pub struct Boards {
    made: Shelf<BoardOf, u64, Six>,
    /// How often they were forgotten.
    epoch: AtomicU64,
    /// One kind is made at a time: each looks at everything that was installed.
    making: Turns,
}

impl Default for Boards {
    fn default() -> Self {
        Self { made: Shelf::new(8), epoch: AtomicU64::new(0), making: Turns::of(1) }
    }
}

impl Boards {
    /// Forgets them: who sees what has changed, or what counts.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }
}

/// A page of a leaderboard, as the caller may see it: of public skills, and of internal ones where the caller sees those
/// everywhere. Private skills count for nobody, so that no place tells of them. It is up to a minute old, and
/// older while a new one is made, but never than ten minutes, nor than a change of who sees what, a quarantine, or a wish not to be on it.
pub async fn leaderboard(
    app: &Arc<App>,
    caller: &Caller,
    of: BoardOf,
    period: BoardPeriod,
    page: Page,
) -> Result<LeaderboardResponse> {
    if !app.settings.insight.leaderboards {
        return Err(Failure::new(ProblemCode::RouteNotFound, "this registry has no leaderboards"));
    }
    let is_bound = caller.identity().is_some_and(|identity| !identity.token.namespaces.is_empty());
    let is_internal = !is_bound && caller.sees(Visibility::Internal, "");
    let Boards { made, epoch, making } = &*app.boards;
    let same = || epoch.load(Ordering::Acquire);
    let six = made.get_soon(app, making, of, same, move |app| async move { six(&app, of).await }).await?;
    let places = &six[place_of(period) + if is_internal { 3 } else { 0 }];
    Ok(LeaderboardResponse {
        of,
        period,
        total: places.len() as u64,
        places: places.iter().skip(page.offset).take(page.limit).cloned().collect(),
        k: app.settings.insight.k,
    })
}

fn place_of(period: BoardPeriod) -> usize {
    match period {
        BoardPeriod::Week => 0,
        BoardPeriod::Month => 1,
        BoardPeriod::All => 2,
    }
}

async fn six(app: &App, of: BoardOf) -> Result<Six> {
    let since = [7, 28].map(|days| app.environment.now().micros() - days * DAY_MICROS);
    let mut six = Six::default();
    for (name, tally) in boards::tallies(&app.db, of, since).await? {
        for (board, place) in six.iter_mut().zip(places(&name, &tally, app.settings.insight.k)) {
            board.extend(place);
        }
    }
    Ok(six.map(ranked))
}

/// The places of somebody on all boards, where there is one. Where they are in several namespaces, the one that withholds
/// most decides: a figure may be of that alone.
fn places(name: &str, tally: &Tally, least: u32) -> [Option<BoardPlace>; 6] {
    let k = tally.k.map(|k| k.max(least));
    let told =
        |figures: &Figures| one_within_another(figures.map(|figure| u64::try_from(figure).unwrap_or(0)), k);
    let (consumers, raters) = (told(&tally.consumers), told(&tally.raters));
    std::array::from_fn(|at| {
        if tally.consumers[at] == 0 && tally.raters[at] == 0 {
            return None;
        }
        let rating = raters[at]
            .filter(|raters| *raters > 0)
            .map(|raters| (tally.tenths[at] as f64 / raters as f64).round() / 10.0);
        Some(BoardPlace {
            rank: 0,
            name: name.to_owned(),
            consumers: consumers[at],
            raters: raters[at],
            rating,
            k: k[at / 3],
        })
    })
}

/// In order: most consumers, most raters, best rating. What is withheld is below all that is told but nothing, and alike.
fn ranked(mut places: Vec<BoardPlace>) -> Vec<BoardPlace> {
    let weight = |figure: Option<u64>| match figure {
        Some(0) => (0, 0),
        None => (1, 0),
        Some(figure) => (2, figure),
    };
    let key = |place: &BoardPlace| {
        let tenths = place.rating.map_or(0, |rating| (rating * 10.0).round() as u64);
        (weight(place.consumers), weight(place.raters), tenths)
    };
    places.sort_by(|left, right| key(right).cmp(&key(left)).then_with(|| left.name.cmp(&right.name)));
    for at in 0..places.len() {
        places[at].rank = match at.checked_sub(1) {
            Some(before) if key(&places[before]) == key(&places[at]) => places[before].rank,
            _ => at as u64 + 1,
        };
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, consumers: i64, raters: i64, tenths: i64, k: u32) -> BoardPlace {
        let all = |figure| [0, 0, figure, 0, 0, figure];
        let (consumers, raters, tenths) = (all(consumers), all(raters), all(tenths));
        let [.., place] = places(name, &Tally { consumers, raters, tenths, k: [k; 2] }, 1);
        place.unwrap()
    }

    #[test]
    fn those_that_do_equally_well_share_a_rank() {
        let places = ["d", "b", "a", "c", "e"].map(|name| match name {
            "a" | "b" => one(name, 5, 2, 90, 1),
            "c" => one(name, 5, 2, 80, 1),
            "d" => one(name, 9, 0, 0, 1),
            _ => one(name, 0, 1, 50, 1),
        });
        let ranks: Vec<_> = ranked(places.into()).into_iter().map(|place| (place.rank, place.name)).collect();
        let expected = [(1, "d"), (2, "a"), (2, "b"), (4, "c"), (5, "e")];
        assert_eq!(ranks, expected.map(|(rank, name)| (rank, name.to_owned())));
    }

    #[test]
    fn the_order_tells_nothing_of_what_is_withheld() {
        let places = vec![one("a", 1, 0, 0, 5), one("b", 4, 0, 0, 5), one("c", 5, 0, 0, 5)];
        let ranks: Vec<_> = ranked(places).into_iter().map(|place| (place.rank, place.name)).collect();
        assert_eq!(ranks, [(1, "c".to_owned()), (2, "a".to_owned()), (2, "b".to_owned())]);
    }
}
