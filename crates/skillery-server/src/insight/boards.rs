//! Leaderboards: whose skills have most consumers.
//!
//! What counts is people: users who are signed in, are no members of the skill's org and not the author, each once. So
//! neither a script that downloads without an end, nor ten tokens of one user, nor an org's own builds move anybody.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use skillery_core::api::{BoardOf, BoardPeriod, BoardPlace, LeaderboardResponse};
use skillery_core::time::Time;
use skillery_core::{ProblemCode, Visibility};

use super::withheld::alone;
use crate::access::Caller;
use crate::app::App;
use crate::counters::DAY_MICROS;
use crate::db::consumers::{self, Standing};
use crate::db::insight as wishes;
use crate::failure::{Failure, Result};
use crate::http::call::Page;

/// How long a board is kept, in microseconds: each looks at everything that was installed.
const KEPT: i64 = 60_000_000;

type Key = (BoardOf, BoardPeriod, bool);
/// When a board was made, and what stands on it.
type Made = (Time, Arc<Vec<BoardPlace>>);

/// Boards that were made just now.
#[derive(Default)]
pub struct Boards {
    made: Mutex<HashMap<Key, Made>>,
    /// How often they were forgotten.
    epoch: AtomicU64,
    /// One is made at a time.
    making: tokio::sync::Mutex<()>,
}

impl Boards {
    fn get(&self, key: Key, now: Time) -> Option<Arc<Vec<BoardPlace>>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, places) = made.get(&key)?;
        (now.micros() - at.micros() < KEPT).then(|| Arc::clone(places))
    }

    /// Forgets them: who sees what has changed.
    pub fn forget(&self) {
        self.epoch.fetch_add(1, Ordering::AcqRel);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A page of a leaderboard, as the caller may see it: of public skills, and of internal ones where the caller sees those
/// everywhere. Private skills count for nobody, so that no place tells of them.
pub async fn leaderboard(
    app: &App,
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
    let key = (of, period, is_internal);
    let places = match app.boards.get(key, app.environment.now()) {
        Some(places) => places,
        None => {
            let _turn = app.boards.making.lock().await;
            let now = app.environment.now();
            match app.boards.get(key, now) {
                Some(places) => places,
                None => {
                    let epoch = app.boards.epoch.load(Ordering::Acquire);
                    let places = Arc::new(places(app, of, period, is_internal).await?);
                    let mut made = app.boards.made.lock().unwrap_or_else(PoisonError::into_inner);
                    // One that was made of what somebody may not see any more is not kept.
                    if app.boards.epoch.load(Ordering::Acquire) == epoch {
                        made.insert(key, (now, Arc::clone(&places)));
                    }
                    places
                }
            }
        }
    };
    Ok(LeaderboardResponse {
        of,
        period,
        total: places.len() as u64,
        places: places.iter().skip(page.offset).take(page.limit).cloned().collect(),
        k: app.settings.insight.k,
    })
}

async fn places(app: &App, of: BoardOf, period: BoardPeriod, is_internal: bool) -> Result<Vec<BoardPlace>> {
    let days = match period {
        BoardPeriod::Week => Some(7),
        BoardPeriod::Month => Some(28),
        BoardPeriod::All => None,
    };
    let since = days.map_or(i64::MIN, |days| app.environment.now().micros() - days * DAY_MICROS);
    let standings = consumers::standings(&app.db, of, since, is_internal).await?;
    // Where somebody is in several namespaces, the one that withholds most decides: a figure may be of that alone.
    let most = match of {
        BoardOf::Authors => wishes::most_by_author(&app.db).await?,
        BoardOf::Teams => wishes::most_by_org(&app.db).await?,
    };
    let places = standings.into_iter().map(|(name, standing)| {
        let k = most.get(&name).copied().unwrap_or(0).max(app.settings.insight.k);
        place(name, &standing, k)
    });
    Ok(ranked(places.collect()))
}

fn place(name: String, standing: &Standing, k: u32) -> BoardPlace {
    let count = |count: i64| alone(u64::try_from(count).unwrap_or(0), k);
    let raters = count(standing.raters);
    let rating = raters
        .filter(|raters| *raters > 0)
        .map(|raters| (standing.tenths as f64 / raters as f64).round() / 10.0);
    BoardPlace { rank: 0, name, consumers: count(standing.consumers), raters, rating, k }
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
        place(name.to_owned(), &Standing { consumers, raters, tenths }, k)
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
