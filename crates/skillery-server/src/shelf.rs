//! Answers that are kept for a minute, for all who see the same.
//!
//! What an answer is kept by holds all that it depends on of whoever asks, so that nobody gets one of somebody who sees more.
//! Where an answer takes long to make, nobody waits for a new one while there is one that was good not long ago.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use quick_cache::{UnitWeighter, Weighter};

use crate::app::App;
use crate::failure::Result;
use crate::turns::{Turn, Turns};

/// How long an answer is good, in microseconds.
pub const KEPT: i64 = 60_000_000;
/// How long one that is good no more is given while a new one is being made, in microseconds since it was made. What is older
/// says too little of now.
pub const PATIENCE: i64 = 600_000_000;

/// An answer, with what must be the same still, and when it was made.
pub type Made<Same, Answer> = (Same, i64, Arc<Answer>);

/// Answers of one kind.
pub struct Shelf<Key, Same, Answer, Weight = UnitWeighter> {
    cache: Arc<Cache<Key, Made<Same, Answer>, Weight>>,
    /// Whether an answer is worth keeping.
    is_kept: fn(&Answer) -> bool,
    /// What is being made beside.
    beside: Arc<Mutex<HashSet<Key>>>,
}

/// Something that is being made beside, until this is dropped.
struct Beside<Key: Eq + Hash> {
    all: Arc<Mutex<HashSet<Key>>>,
    key: Key,
}

impl<Key: Eq + Hash + Clone> Beside<Key> {
    /// None where it is being made already: a second one would be the same, and take a turn from others.
    fn begin(all: &Arc<Mutex<HashSet<Key>>>, key: &Key) -> Option<Self> {
        let is_new = all.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        is_new.then(|| Self { all: Arc::clone(all), key: key.clone() })
    }
}

impl<Key: Eq + Hash> Drop for Beside<Key> {
    fn drop(&mut self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

impl<Key: Eq + Hash + Clone, Same: Clone + PartialEq, Answer> Shelf<Key, Same, Answer> {
    /// So many answers, about.
    pub fn new(answers: usize) -> Self {
        Self { cache: Arc::new(Cache::new(answers)), is_kept: |_| true, beside: Arc::default() }
    }

    /// The same for answers of which some are made so soon that they need not be kept.
    pub fn of_those(self, is_kept: fn(&Answer) -> bool) -> Self {
        Self { is_kept, ..self }
    }
}

impl<Key, Same, Answer, Weight> Shelf<Key, Same, Answer, Weight>
where
    Key: Eq + Hash + Clone,
    Same: Clone + PartialEq,
    Weight: Weighter<Key, Made<Same, Answer>> + Clone,
{
    /// So many answers, about, that take as many bytes together.
    pub fn weighed(answers: usize, bytes: u64, weight: Weight) -> Self {
        let cache = Arc::new(Cache::with_weighter(answers, bytes, weight));
        Self { cache, is_kept: |_| true, beside: Arc::default() }
    }

    /// The answer that is kept by this key, or what `make` makes when it is its turn. `same` tells what must be as it was.
    pub async fn get(
        &self,
        app: &App,
        turns: &Turns,
        key: Key,
        same: impl Fn() -> Same,
        make: impl Future<Output = Result<Answer>>,
    ) -> Result<Arc<Answer>> {
        if let Some(answer) = self.younger(app, &key, &same(), KEPT) {
            return Ok(answer);
        }
        let _turn = turns.turn().await?;
        self.made(app, key, same(), make).await
    }

    /// The answer that is as it must be and not so old.
    fn younger(&self, app: &App, key: &Key, same: &Same, age: i64) -> Option<Arc<Answer>> {
        let (kept, at, answer) = self.cache.get(key)?;
        (kept == *same && app.environment.now().micros() - at < age).then_some(answer)
    }

    /// What `make` makes, unless somebody has made it meanwhile. What changes while it is made makes it an answer of before.
    async fn made(
        &self,
        app: &App,
        key: Key,
        same: Same,
        make: impl Future<Output = Result<Answer>>,
    ) -> Result<Arc<Answer>> {
        if let Some(answer) = self.younger(app, &key, &same, KEPT) {
            return Ok(answer);
        }
        let at = app.environment.now().micros();
        let answer = Arc::new(make.await?);
        if (self.is_kept)(&answer) {
            self.cache.insert(key, (same, at, Arc::clone(&answer)));
        } else {
            // Nor is one of before given any more.
            self.cache.remove(&key);
        }
        Ok(answer)
    }
}

impl<Key, Same, Answer> Shelf<Key, Same, Answer>
where
    Key: Eq + Hash + Clone + Send + Sync + 'static,
    Same: Clone + PartialEq + Send + Sync + 'static,
    Answer: Send + Sync + 'static,
{
    /// As [`Shelf::get`], but nobody waits while there is an answer that is as it must be and not older than [`PATIENCE`]: the
    /// first who asks for one that is good no more has a new one made beside, when there is a turn for it.
    pub async fn get_soon<Making>(
        &self,
        app: &Arc<App>,
        turns: &Turns,
        key: Key,
        same: impl Fn() -> Same + Send,
        make: impl FnOnce(Arc<App>) -> Making + Send,
    ) -> Result<Arc<Answer>>
    where
        Making: Future<Output = Result<Answer>> + Send + 'static,
    {
        if let Some(answer) = self.younger(app, &key, &same(), KEPT) {
            return Ok(answer);
        }
        let making = make(Arc::clone(app));
        if let Some(answer) = self.younger(app, &key, &same(), PATIENCE) {
            if let Some(beside) = Beside::begin(&self.beside, &key)
                && let Some(turn) = turns.try_turn()
            {
                self.make_beside(Arc::clone(app), (turn, beside), same(), making);
            }
            return Ok(answer);
        }
        let _turn = turns.turn().await?;
        self.made(app, key, same(), making).await
    }

    /// Makes an answer that nobody waits for. Where that fails, whoever asks next tries again.
    fn make_beside<Making>(
        &self,
        app: Arc<App>,
        (turn, beside): (Turn, Beside<Key>),
        same: Same,
        making: Making,
    ) where
        Making: Future<Output = Result<Answer>> + Send + 'static,
    {
        let shelf =
            Self { cache: Arc::clone(&self.cache), is_kept: self.is_kept, beside: Arc::clone(&self.beside) };
        tokio::spawn(async move {
            let (_turn, key) = (turn, beside.key.clone());
            tokio::select! {
                () = app.stopping() => {}
                made = shelf.made(&app, key, same, making) => {
                    if let Err(failure) = made {
                        tracing::warn!(%failure, "what was to be kept for a minute could not be made");
                    }
                }
            }
        });
    }
}
