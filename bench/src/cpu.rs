//! Time that processors have spent, which others on the machine disturb less than the time that passes.

use std::ops::Sub;

use anyhow::{Context, Result};
use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// What processors have spent, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// In the program itself.
    pub user_ms: f64,
    /// In the kernel for it: network and files above all.
    pub system_ms: f64,
}

impl Spent {
    /// By this process so far, on all of its threads.
    pub fn here() -> Result<Self> {
        Ok(Self::of(&getrusage(UsageWho::RUSAGE_SELF)?))
    }

    /// By the programs that this process has started and that have ended.
    pub fn by_ended() -> Result<Self> {
        Ok(Self::of(&getrusage(UsageWho::RUSAGE_CHILDREN)?))
    }

    fn of(usage: &Usage) -> Self {
        let millis = |time: nix::sys::time::TimeVal| time.num_microseconds() as f64 / 1_000.0;
        Self { user_ms: millis(usage.user_time()), system_ms: millis(usage.system_time()) }
    }

    /// By a program that runs, as far as the kernel's ticks tell.
    pub fn by(pid: i32) -> Result<Self> {
        let stat = fs_err::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program comes before, in brackets, and may hold spaces.
        let numbers = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks = |place: usize| -> Result<f64> {
            let ticks = numbers.split_whitespace().nth(place).and_then(|ticks| ticks.parse().ok());
            ticks.with_context(|| format!("/proc/{pid}/stat is of another form"))
        };
        Ok(Self { user_ms: ticks(11)? * TICK_MS, system_ms: ticks(12)? * TICK_MS })
    }

    /// Both together.
    pub fn ms(&self) -> f64 {
        self.user_ms + self.system_ms
    }
}

/// Linux counts in hundredths of a second there, on every machine.
const TICK_MS: f64 = 10.0;

impl Sub for Spent {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { user_ms: self.user_ms - before.user_ms, system_ms: self.system_ms - before.system_ms }
    }
}
