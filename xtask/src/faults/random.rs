//! Random moments, which a seed brings back as far as the machine lets it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A generator of numbers (xorshift64*). Nothing secret comes from it.
#[derive(Debug, Clone)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of this seed, or of the present time.
    pub(crate) fn new(seed: Option<u64>) -> (Self, u64) {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
        let seed = seed.unwrap_or_else(now);
        // Zero would stay zero.
        (Self(seed.wrapping_mul(2).wrapping_add(1)), seed)
    }

    /// A number from `low` up to, without, `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16;
        low + number % high.saturating_sub(low).max(1)
    }

    /// A time from `low` up to, without, `high` milliseconds.
    pub(crate) fn moment(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low * 1_000, high * 1_000))
    }
}
