//! Measuring in turns: A B A B. Machines differ from minute to minute, so only what ran in the same round is compared.

use anyhow::{Context, Result};

/// What one contender did in one round.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Requests, or whatever it does, per second.
    pub rate: f64,
    /// Median time of one, in milliseconds.
    pub p50_ms: f64,
    /// The time that 99 % stay under, in milliseconds.
    pub p99_ms: f64,
}

/// A name, and what to do in a round.
pub type Contender<'run> = (&'static str, Box<dyn FnMut() -> Result<Sample> + 'run>);

/// What one contender did in all rounds.
#[derive(Debug)]
pub struct Outcome {
    /// Whose.
    pub name: &'static str,
    samples: Vec<Sample>,
}

impl Outcome {
    fn median(&self, of: impl Fn(&Sample) -> f64) -> f64 {
        percentile(&mut self.samples.iter().map(of).collect::<Vec<_>>(), 50.0)
    }

    /// Median rate.
    pub fn rate(&self) -> f64 {
        self.median(|sample| sample.rate)
    }

    /// Median of the rounds' medians, in milliseconds.
    pub fn p50_ms(&self) -> f64 {
        self.median(|sample| sample.p50_ms)
    }

    /// Median of the rounds' 99th percentiles, in milliseconds.
    pub fn p99_ms(&self) -> f64 {
        self.median(|sample| sample.p99_ms)
    }

    /// The rate as a multiple of the other's: the median over the rounds.
    pub fn over(&self, other: &Self) -> f64 {
        let pairs = self.samples.iter().zip(&other.samples);
        percentile(&mut pairs.map(|(ours, theirs)| ours.rate / theirs.rate).collect::<Vec<_>>(), 50.0)
    }
}

/// Lets the contenders take turns: one round to warm up, then the rounds that count.
pub fn interleaved(rounds: u32, contenders: Vec<Contender<'_>>) -> Result<Vec<Outcome>> {
    let (names, mut runs): (Vec<_>, Vec<_>) = contenders.into_iter().unzip();
    let mut outcomes: Vec<_> = names.iter().map(|name| Outcome { name, samples: Vec::new() }).collect();
    for round in 0..=rounds {
        let mut line = if round == 0 { "  warm-up:".to_owned() } else { format!("  round {round}:") };
        for (outcome, run) in outcomes.iter_mut().zip(&mut runs) {
            let sample = run().with_context(|| format!("measuring {}", outcome.name))?;
            line += &format!("  {} {:.0}/s", outcome.name, sample.rate);
            if round > 0 {
                outcome.samples.push(sample);
            }
        }
        eprintln!("{line}");
    }
    Ok(outcomes)
}

/// The value that so many percent stay at or under; 0 of nothing.
pub fn percentile(values: &mut [f64], percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let position = (values.len() as f64 * percent / 100.0).ceil() as usize;
    values.get(position.saturating_sub(1)).copied().unwrap_or(0.0)
}
