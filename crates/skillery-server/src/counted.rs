//! What takes long to count, as it was counted just now.
//!
//! Where an org has how many skills, and how many versions were decided about, is the same until one of these skills changes, so that
//! it is not counted again for each page that tells it.

use std::sync::Arc;

use quick_cache::Weighter;
use skillery_core::Visibility;
use skillery_core::api::ApprovalState;

use crate::app::App;
use crate::db::orgs;
use crate::db::waiting::{self, Wanted, Whose};
use crate::failure::Result;
use crate::shelf::{Made, Shelf};
use crate::turns::Turns;

/// Counts that are made at the same time: fewer than there are connections to read with.
const COUNTING: usize = 2;
/// Orgs whose places are remembered, about, and bytes that these take at most.
const ORGS: usize = 10_000;
const BYTES: u64 = 16 * 1024 * 1024;
/// Callers for whom it is remembered how many versions were decided about, about.
const CALLERS: usize = 2_000;

/// Where skills of an org are, and who sees them.
#[derive(Debug, Default)]
pub struct Places {
    /// Key of a namespace, who sees its skills, and how many of these have a latest version, which may be none.
    pub counted: Vec<(String, Visibility, i64)>,
    /// The same of skills that are shown though they have no latest version.
    pub without_latest: Vec<(String, Visibility)>,
}

impl Places {
    /// Where there are skills that are shown: key of the namespace, who sees them, and how many have a latest version.
    pub fn shown(&self) -> impl Iterator<Item = (&str, Visibility, i64)> {
        let counted = self.counted.iter().filter(|(.., count)| *count > 0);
        let counted = counted.map(|(place, visibility, count)| (&**place, *visibility, *count));
        counted.chain(self.without_latest.iter().map(|(place, visibility)| (&**place, *visibility, 0)))
    }
}

/// Counts what places take in memory.
#[derive(Debug, Clone)]
struct ByPlaces;

impl Weighter<String, Made<u64, Places>> for ByPlaces {
    fn weight(&self, org: &String, (.., places): &Made<u64, Places>) -> u64 {
        let counted: usize = places.counted.iter().map(|(place, ..)| place.len() + 40).sum();
        let without_latest: usize = places.without_latest.iter().map(|(place, _)| place.len() + 32).sum();
        (org.len() + 200 + counted + without_latest) as u64
    }
}

/// For whom versions were counted: the user, where that matters, whose they are, and the namespaces that they must be in.
type DecidedKey = (String, Whose, Vec<String>);
/// What must be the same still: how often a skill has changed, and who may do what.
type Stamp = (u64, u64);

/// Counts that were made just now.
pub struct Counted {
    counting: Turns,
    places: Shelf<String, u64, Places, ByPlaces>,
    decided: Shelf<DecidedKey, Stamp, u64>,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            counting: Turns::of(COUNTING),
            places: Shelf::weighed(ORGS, BYTES, ByPlaces),
            decided: Shelf::new(CALLERS),
        }
    }
}

impl Counted {
    /// Where the org with this key has skills.
    pub async fn places(&self, app: &App, org: &str) -> Result<Arc<Places>> {
        let same = || app.ready.orgs.of(org);
        let make = async {
            let counted = orgs::skills_by_place(&app.db, org).await?;
            Ok(Places { counted, without_latest: orgs::shown_without_latest(&app.db, org).await? })
        };
        self.places.get(app, &self.counting, org.to_owned(), same, make).await
    }

    /// How many versions wait, are due or were decided about. Few wait at a time, so that these are counted each time.
    pub async fn versions(&self, app: &App, wanted: &Wanted<'_>) -> Result<u64> {
        let count = waiting::count(&app.db, wanted);
        if wanted.state != ApprovalState::Decided {
            return count.await;
        }
        let user = if wanted.whose == Whose::All { "" } else { wanted.user };
        let key = (user.to_owned(), wanted.whose, wanted.within.to_vec());
        let same = || (app.ready.changes(), app.identities.epoch());
        self.decided.get(app, &self.counting, key, same, count).await.map(|count| *count)
    }
}
