//! Time and randomness, as inputs: tests set the clock and the seed, so that their answers are always the same.

#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use ring::rand::SecureRandom;
use skillery_core::time::Time;

/// What the program takes from outside besides requests.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    clock: Clock,
    random: Random,
}

#[derive(Debug, Clone, Default)]
enum Clock {
    #[default]
    System,
    #[cfg(test)]
    Manual(Arc<AtomicI64>),
}

#[derive(Debug, Clone, Default)]
enum Random {
    #[default]
    System,
    #[cfg(test)]
    Seeded(Arc<AtomicU64>),
}

impl Environment {
    #[cfg(test)]
    /// A clock that stands still until it is set, and randomness that is the same in every run. For tests.
    pub fn manual(start: Time) -> Self {
        Self {
            clock: Clock::Manual(Arc::new(AtomicI64::new(start.micros()))),
            random: Random::Seeded(Arc::new(AtomicU64::new(1))),
        }
    }

    /// Now.
    pub fn now(&self) -> Time {
        match &self.clock {
            Clock::System => Time::from_micros(jiff::Timestamp::now().as_microsecond()),
            #[cfg(test)]
            Clock::Manual(micros) => Time::from_micros(micros.load(Ordering::SeqCst)),
        }
    }

    #[cfg(test)]
    /// Lets time pass on a manual clock.
    pub fn advance_seconds(&self, seconds: i64) {
        if let Clock::Manual(micros) = &self.clock {
            micros.fetch_add(seconds * 1_000_000, Ordering::SeqCst);
        }
    }

    /// Random bytes, good enough for secrets.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.random {
            Random::System => {
                #[expect(clippy::expect_used, reason = "without randomness no token can be made")]
                ring::rand::SystemRandom::new().fill(&mut bytes).expect("the system gives randomness");
            }
            #[cfg(test)]
            Random::Seeded(counter) => {
                let seed = counter.fetch_add(1, Ordering::SeqCst);
                let digest = skillery_core::Digest::of(&seed.to_be_bytes());
                for (place, byte) in bytes.iter_mut().zip(digest.bytes().iter().cycle()) {
                    *place = *byte;
                }
            }
        }
        bytes
    }

    /// What hides a text in the log, for [`skillery_core::Digest::salted`]: 64 hexadecimal digits.
    pub fn salt(&self) -> String {
        skillery_core::Digest::of(&self.random::<32>()).to_string()
    }

    /// A new id: a UUIDv7 of the current time.
    pub fn new_id(&self) -> String {
        let random: [u8; 10] = self.random();
        let millis = u64::try_from(self.now().micros() / 1_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
    }
}
