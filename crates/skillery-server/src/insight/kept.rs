//! What was found out just now, for all who see the same.
//!
//! An answer is good as long as nothing has changed what it was made of, and for a minute at most: installs are counted all the
//! time. All of these are of one skill or namespace, so that they are made soon.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use skillery_core::api::{AdoptionResponse, SkillInstalls};

use super::reach::{self, ByFound, Reach};
use crate::access::Caller;
use crate::app::App;
use crate::db::skills::SkillRow;
use crate::failure::Result;
use crate::shelf::{Made, Shelf};
use crate::turns::Turns;

/// Answers that are made at the same time.
const MAKING: usize = 2;
/// Sums that are made at a time: each reads rows of one skill or namespace, and pages of skills wait for them.
const ADDING: usize = 8;
/// Bytes that answers take at most, of each kind.
const BYTES: u64 = 16 * 1024 * 1024;
/// Answers of each kind, about.
const ANSWERS: usize = 2_000;

/// Skill, whether for admins of its namespace, whether with versions that wait, and below how many is withheld.
pub(super) type AdoptionKey = (String, bool, bool, u32);
/// What must be the same still: what the skill is, how often it was installed, who may do what.
type Stamp = (u64, u64, u64);

/// Installs by day, of one skill.
pub type Days = Vec<(String, u64)>;

/// The most installed skills of a namespace.
pub(super) type Most = Vec<SkillInstalls>;

/// Counts what an answer takes in memory.
#[derive(Debug, Clone)]
struct ByRows;

impl Weighter<AdoptionKey, Made<Stamp, AdoptionResponse>> for ByRows {
    fn weight(&self, _: &AdoptionKey, (.., answer): &Made<Stamp, AdoptionResponse>) -> u64 {
        let names = |users: &Vec<String>| users.iter().map(|name| name.len() + 24).sum::<usize>();
        let withdrawn: usize = answer
            .withdrawn
            .iter()
            .map(|row| 200 + row.reason.as_ref().map_or(0, String::len) + row.users.as_ref().map_or(0, names))
            .sum();
        (400 + answer.versions.len() * 120 + withdrawn) as u64
    }
}

/// Answers that were made just now.
pub struct Kept {
    /// How often it changed what needs what, or who sees which skill.
    graph: AtomicU64,
    making: Turns,
    adding: Turns,
    reach: Shelf<(String, String), u64, Reach, ByFound>,
    adoption: Shelf<AdoptionKey, Stamp, AdoptionResponse, ByRows>,
    days: Shelf<String, (), Days>,
    most: Shelf<(String, i64, i64), (), Most>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            graph: AtomicU64::new(0),
            making: Turns::of(MAKING),
            adding: Turns::of(ADDING),
            reach: Shelf::weighed(ANSWERS, BYTES, ByFound),
            adoption: Shelf::weighed(ANSWERS, BYTES, ByRows),
            days: Shelf::new(ANSWERS),
            most: Shelf::new(ANSWERS),
        }
    }
}

impl Kept {
    /// What needs what is another now, or who sees it.
    pub fn graph_changed(&self) {
        self.graph.fetch_add(1, Ordering::AcqRel);
    }

    /// What a change of a skill reaches, as far as the caller sees.
    pub(super) async fn reach(&self, app: &App, caller: &Caller, root: &SkillRow) -> Result<Arc<Reach>> {
        let key = (root.id.key(), caller.sight().key());
        let same = || self.graph.load(Ordering::Acquire);
        self.reach.get(app, &self.making, key, same, reach::walk(app, caller, root)).await
    }

    /// Installs of a skill by day, which nothing changes but time, or what `make` makes.
    pub(super) async fn days(
        &self,
        app: &App,
        skill: String,
        make: impl Future<Output = Result<Days>>,
    ) -> Result<Arc<Days>> {
        self.days.get(app, &self.adding, skill, || (), make).await
    }

    /// The most installed skills of a namespace from a day until before another, or what `make` makes.
    pub(super) async fn most(
        &self,
        app: &App,
        (namespace, first, end): (String, i64, i64),
        make: impl Future<Output = Result<Most>>,
    ) -> Result<Arc<Most>> {
        self.most.get(app, &self.adding, (namespace, first, end), || (), make).await
    }

    /// The adoption that is kept by this key, or what `make` makes.
    pub(super) async fn adoption(
        &self,
        app: &App,
        key: AdoptionKey,
        make: impl Future<Output = Result<AdoptionResponse>>,
    ) -> Result<Arc<AdoptionResponse>> {
        let skill = key.0.clone();
        let same = || {
            let (content, counts) = app.ready.epochs(&skill);
            (content, counts, app.identities.epoch())
        };
        self.adoption.get(app, &self.making, key, same, make).await
    }
}
