//! What was found out just now, for all who see the same.
//!
//! An answer is good as long as nothing has changed what it was made of, and for a minute at most: installs are counted all the
//! time. What an answer is kept by holds all that it depends on of whoever asks, so that nobody gets one of somebody who sees more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use skillery_core::api::AdoptionResponse;
use tokio::sync::Semaphore;

use super::reach::{self, ByFound, Reach};
use crate::access::Caller;
use crate::app::App;
use crate::db::skills::SkillRow;
use crate::failure::{Failure, Result};

/// How long an answer is good at most, in microseconds.
const KEPT: i64 = 60_000_000;
/// Answers that are made at the same time.
const MAKING: usize = 2;
/// Bytes that answers take at most, of each kind.
const BYTES: u64 = 16 * 1024 * 1024;
/// Answers of each kind, about.
const ANSWERS: usize = 2_000;

/// Skill, whether for admins of its namespace, whether with versions that wait, and below how many is withheld.
pub(super) type AdoptionKey = (String, bool, bool, u32);
/// What must be the same still: what the skill is, how often it was installed, who may do what.
type Stamp = (u64, u64, u64);

/// Installs by day, of one skill.
pub(super) type Days = Arc<Vec<(String, u64)>>;

/// An answer, with what must be the same still, and when it was made.
type Made<Same, Answer> = (Same, i64, Arc<Answer>);

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
    making: Semaphore,
    reach: Cache<(String, String), Made<u64, Reach>, ByFound>,
    adoption: Cache<AdoptionKey, Made<Stamp, AdoptionResponse>, ByRows>,
    days: Cache<String, (i64, Days)>,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            graph: AtomicU64::new(0),
            making: Semaphore::new(MAKING),
            reach: Cache::with_weighter(ANSWERS, BYTES, ByFound),
            adoption: Cache::with_weighter(ANSWERS, BYTES, ByRows),
            days: Cache::new(ANSWERS),
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
        let ready = || {
            let (epoch, at, reach) = self.reach.get(&key)?;
            (epoch == self.graph.load(Ordering::Acquire) && is_fresh(app, at)).then_some(reach)
        };
        if let Some(reach) = ready() {
            return Ok(reach);
        }
        let _turn = self.making.acquire().await.map_err(Failure::internal)?;
        if let Some(reach) = ready() {
            return Ok(reach);
        }
        let (epoch, at) = (self.graph.load(Ordering::Acquire), app.environment.now().micros());
        let reach = Arc::new(reach::walk(app, caller, root).await?);
        self.reach.insert(key, (epoch, at, Arc::clone(&reach)));
        Ok(reach)
    }

    /// Installs of a skill by day, which nothing changes but time, or what `make` makes.
    pub(super) async fn days(
        &self,
        app: &App,
        skill: String,
        make: impl Future<Output = Result<Vec<(String, u64)>>>,
    ) -> Result<Days> {
        if let Some((_, days)) = self.days.get(&skill).filter(|(at, _)| is_fresh(app, *at)) {
            return Ok(days);
        }
        let (at, days) = (app.environment.now().micros(), Arc::new(make.await?));
        self.days.insert(skill, (at, Arc::clone(&days)));
        Ok(days)
    }

    /// The adoption that is kept by this key, or what `make` makes.
    pub(super) async fn adoption(
        &self,
        app: &App,
        key: AdoptionKey,
        make: impl Future<Output = Result<AdoptionResponse>>,
    ) -> Result<Arc<AdoptionResponse>> {
        let stamp = || {
            let (content, counts) = app.ready.epochs(&key.0);
            (content, counts, app.identities.epoch())
        };
        let ready = || {
            let (kept, at, answer) = self.adoption.get(&key)?;
            (kept == stamp() && is_fresh(app, at)).then_some(answer)
        };
        if let Some(answer) = ready() {
            return Ok(answer);
        }
        let _turn = self.making.acquire().await.map_err(Failure::internal)?;
        if let Some(answer) = ready() {
            return Ok(answer);
        }
        let (stamp, at) = (stamp(), app.environment.now().micros());
        let answer = Arc::new(make.await?);
        self.adoption.insert(key, (stamp, at, Arc::clone(&answer)));
        Ok(answer)
    }
}

fn is_fresh(app: &App, at: i64) -> bool {
    app.environment.now().micros() - at < KEPT
}
