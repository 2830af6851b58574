//! Turns: however many ask, a few do at the same time what takes much memory or long, as holding whole bundles.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::failure::{Failure, Result};

/// Bundles that are unpacked at the same time, at most: each is in memory some three times over.
const UNPACKED: usize = 4;

/// As many turns as there are processors, but from two to four.
pub struct Turns {
    semaphore: Arc<Semaphore>,
}

fn number() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).clamp(2, UNPACKED)
}

impl Default for Turns {
    fn default() -> Self {
        Self { semaphore: Arc::new(Semaphore::new(number())) }
    }
}

impl Turns {
    /// So many turns.
    pub fn of(number: usize) -> Self {
        Self { semaphore: Arc::new(Semaphore::new(number)) }
    }

    /// Whether somebody has one.
    #[cfg(test)]
    pub fn are_taken(&self) -> bool {
        self.semaphore.available_permits() < number()
    }

    /// A turn, if there is one now.
    pub fn try_turn(&self) -> Option<Turn> {
        let permit = Arc::clone(&self.semaphore).try_acquire_owned().ok()?;
        Some(Turn { _permit: Some(Arc::new(permit)) })
    }

    /// The next turn.
    pub async fn turn(&self) -> Result<Turn> {
        let permit = Arc::clone(&self.semaphore).acquire_owned().await.map_err(Failure::internal)?;
        Ok(Turn { _permit: Some(Arc::new(permit)) })
    }
}

/// The right to hold a whole bundle in memory. It belongs to the work and not to the request: what blocks goes on when its
/// caller is gone, and so does the memory that it has.
#[derive(Clone)]
pub struct Turn {
    _permit: Option<Arc<OwnedSemaphorePermit>>,
}

impl Turn {
    /// The right to hold what is there anyway.
    pub fn free() -> Self {
        Self { _permit: None }
    }

    /// Does what blocks, on a thread of its own. The turn lasts until that is done, whether somebody waits for it or not.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let turn = self.clone();
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(Failure::internal)?
    }

    /// These bytes, with the turn for as long as somebody has them.
    pub fn keep(self, bytes: Vec<u8>) -> Bytes {
        Bytes::from_owner(Kept { bytes, _turn: self })
    }
}

struct Kept {
    bytes: Vec<u8>,
    _turn: Turn,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn work_goes_on_when_nobody_waits_for_it() {
        let turns = Turns::default();
        let ((go, wait), (done, is_done)) = (channel(), channel());
        let turn = turns.turn().await.unwrap();
        let work = turn.work(move || {
            wait.recv().unwrap();
            done.send(()).unwrap();
            Ok(())
        });
        tokio::select! {
            biased;
            _ = work => panic!("it has not waited"),
            () = tokio::task::yield_now() => {}
        }
        drop(turn);
        assert!(turns.are_taken());
        go.send(()).unwrap();
        is_done.recv().unwrap();
        while turns.are_taken() {
            tokio::task::yield_now().await;
        }
    }
}
