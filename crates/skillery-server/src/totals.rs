//! What takes long to count, as it was counted just now.
//!
//! How many skills an org has where, and how many versions were decided about, is not counted again for each page that tells it, but
//! when something has changed there, and after a minute.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use quick_cache::Weighter;
use skillery_core::api::ApprovalState;
use skillery_core::{Role, Visibility};

use crate::access::Identity;
use crate::app::App;
use crate::db::orgs;
use crate::db::waiting::{self, Wanted, Whose};
use crate::failure::Result;
use crate::shelf::{Made, Shelf};
use crate::turns::Turns;

/// Counts of each kind that are made at the same time.
const COUNTING: usize = 2;
/// Orgs whose places are remembered, about, and bytes that these take at most.
const ORGS: usize = 10_000;
const BYTES: u64 = 16 * 1024 * 1024;
/// Callers for whom it is remembered how many versions were decided about. A token names a hundred namespaces at most.
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

/// Reads the places of these orgs, by their keys. Orgs without skills are not among them.
async fn read(app: &App, keys: &[String]) -> Result<HashMap<String, Places>> {
    let mut found: HashMap<String, Places> = HashMap::new();
    for (org, place, visibility, count) in orgs::skills_by_place(&app.db, keys).await? {
        found.entry(org).or_default().counted.push((place, visibility, count));
    }
    for (org, place, visibility) in orgs::shown_without_latest(&app.db, keys).await? {
        found.entry(org).or_default().without_latest.push((place, visibility));
    }
    Ok(found)
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

/// What must be the same still.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stamp {
    /// How often any skill has changed, and who may do what.
    Everywhere(u64, u64),
    /// How often these orgs have changed: their skills, and who has which role there.
    Of(Vec<(String, u64)>),
}

/// Counts that were made just now.
pub struct Totals {
    finding: Turns,
    places: Shelf<String, u64, Places, ByPlaces>,
    counting: Turns,
    decided: Shelf<DecidedKey, Stamp, u64>,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            finding: Turns::of(COUNTING),
            places: Shelf::weighed(ORGS, BYTES, ByPlaces),
            counting: Turns::of(COUNTING),
            decided: Shelf::new(CALLERS),
        }
    }
}

impl Totals {
    /// Where the orgs with these keys have skills.
    pub async fn places(&self, app: &App, orgs: &[String]) -> Result<HashMap<String, Arc<Places>>> {
        let same = |org: &str| app.ready.orgs.of(org);
        let mut found = HashMap::with_capacity(orgs.len());
        // Those of which nothing is known.
        let mut find = |orgs: &[String]| -> Vec<String> {
            let mut missing = Vec::new();
            for org in orgs {
                match self.places.kept(app, org, &same(org)) {
                    Some(places) => drop(found.insert(org.clone(), places)),
                    None => missing.push(org.clone()),
                }
            }
            missing
        };
        let mut missing = find(orgs);
        if let [org] = &*missing {
            let make = async { Ok(read(app, &missing).await?.remove(org).unwrap_or_default()) };
            let places = self.places.get(app, &self.finding, org.clone(), || same(org), make).await?;
            found.insert(org.clone(), places);
        } else if !missing.is_empty() {
            let _turn = self.finding.turn().await?;
            missing = find(&missing);
            let at = app.environment.now();
            let stamps: Vec<u64> = missing.iter().map(|org| same(org)).collect();
            let mut read = read(app, &missing).await?;
            for (org, stamp) in missing.into_iter().zip(stamps) {
                let places = read.remove(&org).unwrap_or_default();
                found.insert(org.clone(), self.places.keep(org, stamp, at, places));
            }
        }
        Ok(found)
    }

    /// How many versions wait, are due or were decided about. Few wait or are due at a time, so that these are counted each time.
    pub async fn versions(&self, app: &App, identity: &Identity, wanted: &Wanted<'_>) -> Result<u64> {
        let count = waiting::count(&app.db, wanted);
        if wanted.state != ApprovalState::Decided || wanted.is_due {
            return count.await;
        }
        let user = if wanted.whose == Whose::All { "" } else { wanted.user };
        let key = (user.to_owned(), wanted.whose, wanted.within.to_vec());
        let orgs = orgs_of(identity, wanted);
        let same = || match &orgs {
            None => Stamp::Everywhere(app.ready.changes(), app.identities.epoch()),
            Some(orgs) => Stamp::Of(orgs.iter().map(|org| (org.clone(), app.ready.orgs.of(org))).collect()),
        };
        self.decided.get(app, &self.counting, key, same, count).await.map(|count| *count)
    }
}

/// The orgs in which all that is wanted must be; nothing where it may be anywhere.
fn orgs_of(identity: &Identity, wanted: &Wanted<'_>) -> Option<BTreeSet<String>> {
    let org = |place: &String| place.split('/').next().unwrap_or_default().to_owned();
    match wanted.whose {
        Whose::Own => None,
        Whose::All if wanted.within.is_empty() => None,
        _ if !wanted.within.is_empty() => Some(wanted.within.iter().map(org).collect()),
        _ => {
            let held = identity.roles.iter().filter(|(_, role)| *role >= Role::Reviewer);
            Some(held.map(|(place, _)| org(place)).collect())
        }
    }
}
