//! Asking together: what many callers ask at the same time is answered by one piece of work.
//!
//! While that work runs the next questions gather, so that no caller waits for company, and the more there are the
//! less each costs.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use crate::failure::{Failure, Result};
use skillery_core::ProblemCode;

/// Questions that wait for a place in the queue make their callers wait, too.
const QUEUE: usize = 1_024;

/// Work on questions that gather.
pub struct Gather<Q, A> {
    queue: mpsc::Sender<(Q, oneshot::Sender<Result<A>>)>,
}

impl<Q: Send + 'static, A: Send + 'static> Gather<Q, A> {
    /// Starts a task that answers at most `most` questions at once by `work`, which returns as many answers as it got
    /// questions, in their order. It ends when this is dropped.
    pub fn new(
        most: usize,
        work: impl Fn(Vec<Q>) -> BoxFuture<'static, Result<Vec<Result<A>>>> + Send + 'static,
    ) -> Self {
        let (queue, mut waiting) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            let mut gathered = Vec::with_capacity(most);
            while waiting.recv_many(&mut gathered, most).await > 0 {
                let (questions, callers): (Vec<Q>, Vec<oneshot::Sender<Result<A>>>) =
                    gathered.drain(..).unzip();
                // A mistake in there must not end this task: who asks next is to be answered.
                let outcome = AssertUnwindSafe(work(questions)).catch_unwind().await;
                match outcome.unwrap_or_else(|_| Err(Failure::internal("work for many callers panicked"))) {
                    Ok(answers) => callers.into_iter().zip(answers).for_each(|(caller, answer)| {
                        let _ = caller.send(answer);
                    }),
                    Err(failure) => callers.into_iter().for_each(|caller| {
                        let _ = caller.send(Err(failure.clone()));
                    }),
                }
            }
        });
        Self { queue }
    }

    /// Asks, and waits for the answer.
    pub async fn ask(&self, question: Q) -> Result<A> {
        let stopped = || Failure::new(ProblemCode::Busy, "the registry is stopping");
        let (caller, answer) = oneshot::channel();
        self.queue.send((question, caller)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn each_gets_its_own_answer_and_a_failure_goes_to_all() {
        let gather: Arc<Gather<u32, usize>> = Arc::new(Gather::new(8, |questions| {
            Box::pin(async move {
                tokio::task::yield_now().await;
                assert!(!questions.contains(&13), "a mistake");
                if questions.contains(&7) {
                    return Err(Failure::internal("seven"));
                }
                let count = questions.len();
                Ok(questions.iter().map(|question| Ok(*question as usize * 100 + count)).collect())
            })
        }));
        let ask = |numbers: std::ops::Range<u32>| {
            let asked = numbers.map(|number| {
                let gather = Arc::clone(&gather);
                async move { gather.ask(number).await.map_err(|failure| failure.code()) }
            });
            futures_util::future::join_all(asked)
        };
        let answers: Vec<usize> = ask(20..40).await.into_iter().map(Result::unwrap).collect();
        assert!(answers.iter().zip(20..).all(|(answer, number)| answer / 100 == number));
        assert!(answers.iter().any(|answer| answer % 100 == 8), "they gather: {answers:?}");
        for number in [7, 13] {
            assert_eq!(gather.ask(number).await.unwrap_err().code(), ProblemCode::Internal);
        }
        assert_eq!(gather.ask(1).await.unwrap(), 101);
    }
}
