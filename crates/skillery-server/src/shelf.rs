//! Answers that are kept for a minute, for all who see the same.
//!
//! What an answer is kept by holds all that it depends on of whoever asks, so that nobody gets one of somebody who sees more.
//! Where an answer takes long to make, nobody waits for a new one while there is one that was good not long ago. Of those who ask for
//! the same at the same time one makes it, and the others wait for that: where it was begun after they had asked, it is as new as they
//! may want it, whatever has changed meanwhile.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, UnitWeighter, Weighter};
use skillery_core::time::Time;

use crate::app::App;
use crate::failure::Result;
use crate::turns::{Turn, Turns};

/// How long an answer is good, in microseconds.
pub const KEPT: i64 = 60_000_000;
/// How long one that is good no more is given while a new one is being made, in microseconds since it was made. What is older
/// says too little of now.
pub const PATIENCE: i64 = 600_000_000;
/// Parts of a shelf that is weighed, each of which has as much room as the others. What takes more than that is not kept, so that they
/// must not be as many as there are processors.
const PARTS: usize = 4;
/// How long somebody waits for an answer that somebody else makes.
const WAIT: Duration = Duration::from_secs(10);

/// An answer, with what must be the same still, and when it was made.
pub type Made<Same, Answer> = (Same, i64, Arc<Answer>);

/// Answers of one kind.
pub struct Shelf<Key, Same, Answer, Weight = UnitWeighter> {
    cache: Arc<Cache<Key, Made<Same, Answer>, Weight>>,
    /// Whether an answer is worth keeping.
    is_kept: fn(&Answer) -> bool,
    /// What is being made beside.
    beside: Arc<Mutex<HashSet<Key>>>,
    /// Who makes which answer, or waits for it.
    lines: Lines<Key, Answer>,
    wait: Duration,
}

/// Those who ask for one answer: one of them makes it at a time, and of those who have waited for too long another one.
struct Line<Answer> {
    places: usize,
    making: Arc<tokio::sync::Mutex<()>>,
    again: Arc<tokio::sync::Mutex<()>>,
    /// How often it was begun to make it.
    begun: u64,
    /// The one that was begun last of those that were made, with its number.
    made: Option<(u64, Arc<Answer>)>,
}

impl<Answer> Default for Line<Answer> {
    fn default() -> Self {
        Self { places: 0, making: Arc::default(), again: Arc::default(), begun: 0, made: None }
    }
}

type Lines<Key, Answer> = Arc<Mutex<HashMap<Key, Line<Answer>>>>;

/// A place among those who ask for one answer, until this is dropped, whether it came to its turn or not.
struct Place<Key: Eq + Hash, Answer> {
    lines: Lines<Key, Answer>,
    key: Key,
    making: Arc<tokio::sync::Mutex<()>>,
    again: Arc<tokio::sync::Mutex<()>>,
    /// How often it had been begun to make the answer when this one came.
    came: u64,
}

impl<Key: Eq + Hash + Clone, Answer> Place<Key, Answer> {
    fn begin(lines: &Lines<Key, Answer>, key: &Key) -> Self {
        let mut all = lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = all.entry(key.clone()).or_default();
        line.places += 1;
        let (making, again) = (Arc::clone(&line.making), Arc::clone(&line.again));
        let came = line.begun;
        Self { lines: Arc::clone(lines), key: key.clone(), making, again, came }
    }

    /// Does this with the line, which is there as long as somebody has a place in it.
    fn with<T>(&self, work: impl FnOnce(&mut Line<Answer>) -> T) -> T {
        let mut all = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        work(all.entry(self.key.clone()).or_default())
    }

    /// The answer that somebody else has begun to make since this one came.
    fn made_since(&self) -> Option<Arc<Answer>> {
        let made = |line: &mut Line<Answer>| line.made.clone();
        self.with(made).filter(|(number, _)| *number > self.came).map(|(_, answer)| answer)
    }

    /// What `make` makes, for all who have come before it begins.
    async fn share(&self, make: impl Future<Output = Result<Arc<Answer>>>) -> Result<Arc<Answer>> {
        let number = self.with(|line| {
            line.begun += 1;
            line.begun
        });
        let answer = make.await?;
        self.with(|line| {
            if line.made.as_ref().is_none_or(|(last, _)| *last < number) {
                line.made = Some((number, Arc::clone(&answer)));
            }
        });
        Ok(answer)
    }
}

impl<Key: Eq + Hash, Answer> Drop for Place<Key, Answer> {
    fn drop(&mut self) {
        let mut all = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = all.get_mut(&self.key) {
            line.places -= 1;
            if line.places == 0 {
                all.remove(&self.key);
            }
        }
    }
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
        let cache = Arc::new(Cache::new(answers));
        Self { cache, is_kept: |_| true, beside: Arc::default(), lines: Arc::default(), wait: WAIT }
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
        let options = OptionsBuilder::new()
            .shards(PARTS)
            .estimated_items_capacity(answers)
            .weight_capacity(bytes)
            .build();
        #[expect(clippy::expect_used, reason = "nothing else is asked for")]
        let options = options.expect("items and bytes are given");
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        let cache = Arc::new(Cache::with_options(options, weight, hasher, lifecycle));
        Self { cache, is_kept: |_| true, beside: Arc::default(), lines: Arc::default(), wait: WAIT }
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
        self.make_alone(app, turns, key, same, make).await
    }

    /// What `make` makes when it is its turn, unless somebody has made it meanwhile. Who waits for somebody else to make the same takes
    /// no turn for that. Where that takes longer than [`WAIT`], one of those who wait begins to make it as well, and all who wait get
    /// what is made first.
    async fn make_alone(
        &self,
        app: &App,
        turns: &Turns,
        key: Key,
        same: impl Fn() -> Same,
        make: impl Future<Output = Result<Answer>>,
    ) -> Result<Arc<Answer>> {
        let place = Place::begin(&self.lines, &key);
        let kept = || self.younger(app, &key, &same(), KEPT).or_else(|| place.made_since());
        let making = async {
            let _turn = turns.turn().await?;
            place.share(self.made(app, key.clone(), same(), make)).await
        };
        let mut alone = pin!(place.making.lock());
        // Where those who make it go away one after the other, nobody waits for them until there is no time left to make it oneself.
        let _again = match tokio::time::timeout(self.wait, alone.as_mut()).await {
            Ok(_alone) => return if let Some(answer) = kept() { Ok(answer) } else { making.await },
            Err(_) => tokio::select! {
                _alone = alone.as_mut() => return if let Some(answer) = kept() { Ok(answer) } else { making.await },
                again = place.again.lock() => again,
            },
        };
        if let Some(answer) = kept() {
            return Ok(answer);
        }
        let mut making = pin!(making);
        tokio::select! {
            made = making.as_mut() => made,
            // The one before has made it, or has gone away.
            _alone = alone => if let Some(answer) = kept() { Ok(answer) } else { making.await },
        }
    }

    /// The answer that is kept by this key, if it is as it must be.
    pub fn kept(&self, app: &App, key: &Key, same: &Same) -> Option<Arc<Answer>> {
        self.younger(app, key, same, KEPT)
    }

    /// Keeps an answer that was made beside this. `same` is how it was before it was begun, and `at` when that was.
    pub fn keep(&self, key: Key, same: Same, at: Time, answer: Answer) -> Arc<Answer> {
        let answer = Arc::new(answer);
        self.cache.insert(key, (same, at.micros(), Arc::clone(&answer)));
        answer
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
        self.make_alone(app, turns, key, same, making).await
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
        let shelf = Self {
            cache: Arc::clone(&self.cache),
            is_kept: self.is_kept,
            beside: Arc::clone(&self.beside),
            lines: Arc::clone(&self.lines),
            wait: self.wait,
        };
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::Semaphore;

    use super::*;
    use crate::failure::Failure;
    use crate::tests::TestApp;

    #[tokio::test(flavor = "multi_thread")]
    async fn of_those_who_ask_for_the_same_one_makes_it() {
        let app = TestApp::new().await;
        let (shelf, turns) = (Shelf::<&str, (), usize>::new(8), Turns::of(4));
        let begun = AtomicUsize::new(0);
        let ask = |key: &'static str, fails: usize| {
            let begun = &begun;
            let make = async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                // Meanwhile the others ask, as all of them run in one task.
                tokio::task::yield_now().await;
                if number < fails { Err(Failure::internal("it cannot be made")) } else { Ok(number) }
            };
            shelf.get(&app.app, &turns, key, || (), make)
        };
        let answers = join_all((0..4).map(|_| ask("one", 0))).await;
        assert!(answers.iter().all(|answer| **answer.as_ref().unwrap() == 0));
        assert_eq!(begun.swap(0, Ordering::SeqCst), 1);
        // Where the first fails, the next one tries.
        let answers = join_all((0..4).map(|_| ask("another", 1))).await;
        assert!(answers[0].is_err());
        assert!(answers[1..].iter().all(|answer| **answer.as_ref().unwrap() == 1));
        assert_eq!(begun.swap(0, Ordering::SeqCst), 2);
        // Who goes away before it is made leaves it to the others.
        let mut first = Box::pin(ask("third", 0));
        let mut second = Box::pin(ask("third", 0));
        tokio::select! {
            biased;
            _ = &mut first => panic!("it has not waited"),
            _ = &mut second => panic!("it has not waited"),
            () = std::future::ready(()) => {}
        }
        drop(first);
        assert_eq!(*second.await.unwrap(), 1);
        // Where it takes too long, one of those who wait makes it as well.
        begun.store(0, Ordering::SeqCst);
        let shelf = Shelf { wait: Duration::from_millis(10), ..Shelf::<&str, (), usize>::new(8) };
        let never = shelf.get(&app.app, &turns, "late", || (), std::future::pending());
        let ask = || {
            let make = async {
                tokio::task::yield_now().await;
                Ok(begun.fetch_add(1, Ordering::SeqCst))
            };
            shelf.get(&app.app, &turns, "late", || (), make)
        };
        tokio::select! {
            biased;
            _ = never => panic!("it is never made"),
            answers = join_all((0..4).map(|_| ask())) => {
                assert!(answers.iter().all(|answer| **answer.as_ref().unwrap() == 0));
            }
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert!(shelf.lines.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_was_begun_after_one_came_is_new_enough_whatever_changes() {
        let app = TestApp::new().await;
        let (shelf, turns) = (Shelf::<&str, usize, usize>::new(8), Turns::of(4));
        let (begun, changes) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ask = || {
            let make = async {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                // It changes all the time, so that no answer is as it must be once it is made.
                changes.fetch_add(1, Ordering::SeqCst);
                Ok(number)
            };
            shelf.get(&app.app, &turns, "one", || changes.load(Ordering::SeqCst), make)
        };
        // The others come when the first one is being made, which may be older than what they ask for: one of them makes it for all.
        let answers = join_all((0..5).map(|_| ask())).await;
        let answers: Vec<usize> = answers.into_iter().map(|answer| *answer.unwrap()).collect();
        assert_eq!(answers, [0, 1, 1, 1, 1]);
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        assert!(shelf.lines.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_makes_it_as_well_gets_what_is_made_first() {
        let app = TestApp::new().await;
        let (shelf, turns) = (Shelf::<&str, (), usize>::new(8), Turns::of(4));
        let shelf = Shelf { wait: Duration::from_millis(10), ..shelf };
        let (begun, gate) = (AtomicUsize::new(0), Semaphore::new(0));
        let first = shelf.get(&app.app, &turns, "late", || (), async {
            gate.acquire().await.unwrap().forget();
            Ok(1)
        });
        let ask = || {
            let make = async {
                begun.fetch_add(1, Ordering::SeqCst);
                // As soon as it is made as well, the first one comes to its end, and this one never.
                gate.add_permits(1);
                std::future::pending().await
            };
            shelf.get(&app.app, &turns, "late", || (), make)
        };
        let (first, others) = tokio::join!(first, join_all((0..4).map(|_| ask())));
        assert_eq!(*first.unwrap(), 1);
        assert!(others.iter().all(|answer| **answer.as_ref().unwrap() == 1));
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        assert!(shelf.lines.lock().unwrap().is_empty());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_made_beside_is_made_once_while_all_get_the_one_of_before() {
        let app = TestApp::new().await;
        let (shelf, turns) = (Shelf::<&str, (), usize>::new(8), Turns::of(2));
        let (begun, gate) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(1)));
        let ask = async || {
            let (begun, gate) = (Arc::clone(&begun), Arc::clone(&gate));
            let make = |_: Arc<App>| async move {
                let number = begun.fetch_add(1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                Ok(number)
            };
            *shelf.get_soon(&app.app, &turns, "one", || (), make).await.unwrap()
        };
        assert_eq!(ask().await, 0);
        app.app.environment.advance_seconds(61);
        for _ in 0..3 {
            assert_eq!(ask().await, 0);
        }
        // One turn is taken, and no second one for the same.
        let turn = turns.try_turn().unwrap();
        assert!(turns.try_turn().is_none());
        drop(turn);
        gate.add_permits(1);
        while ask().await == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((ask().await, begun.load(Ordering::SeqCst)), (1, 2));
    }
}
