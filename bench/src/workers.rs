//! Load of writes: threads that each do one piece of work after the other.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;

use crate::rounds::{Sample, percentile};

/// Does work `0..count` on so many threads. `begin` makes what each thread works with.
pub fn run<Work>(workers: usize, count: usize, begin: impl Fn() -> Result<Work>) -> Result<Sample>
where
    Work: FnMut(usize) -> Result<()> + Send,
{
    let mut works = Vec::with_capacity(workers);
    for _ in 0..workers {
        works.push(begin()?);
    }
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let begun = Instant::now();
    let outcomes: Vec<Result<Vec<f64>>> = std::thread::scope(|scope| {
        let threads: Vec<_> = works
            .into_iter()
            .map(|mut work| {
                let (next, failed) = (&next, &failed);
                scope.spawn(move || {
                    let mut millis = Vec::with_capacity(count / workers + 1);
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count || failed.load(Ordering::Relaxed) {
                            return Ok(millis);
                        }
                        let begun = Instant::now();
                        work(number).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
                        millis.push(begun.elapsed().as_secs_f64() * 1_000.0);
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("a thread panicked"))))
            .collect()
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let mut millis = Vec::with_capacity(count);
    for outcome in outcomes {
        millis.extend(outcome?);
    }
    Ok(Sample {
        rate: count as f64 / elapsed,
        p50_ms: percentile(&mut millis, 50.0),
        p99_ms: percentile(&mut millis, 99.0),
    })
}
