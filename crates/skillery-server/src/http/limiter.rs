//! Slows down who asks too much: by token, and by address for callers without one.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use skillery_core::{Limits, Problem, ProblemCode};

use crate::failure::Result;

/// The limits in force.
pub struct Limiter {
    tokens: Option<DefaultKeyedRateLimiter<String>>,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
    oidc: Option<DefaultKeyedRateLimiter<IpAddr>>,
    clock: DefaultClock,
}

impl Limiter {
    /// From the settings; 0 is no limit.
    pub fn new(limits: &Limits) -> Self {
        let quota = |number: u32| NonZeroU32::new(number).map(Quota::per_second);
        Self {
            tokens: quota(limits.requests_per_second_per_token).map(RateLimiter::keyed),
            addresses: quota(limits.requests_per_second_per_address).map(RateLimiter::keyed),
            oidc: NonZeroU32::new(limits.oidc_requests_per_minute_per_address)
                .map(Quota::per_minute)
                .map(RateLimiter::keyed),
            clock: DefaultClock::default(),
        }
    }

    /// Whether one more request with this token is welcome now.
    pub fn check_token(&self, token: &str) -> Result<()> {
        self.check(self.tokens.as_ref(), &token.to_owned())
    }

    /// Whether one more request from this address is welcome now.
    pub fn check_address(&self, address: IpAddr) -> Result<()> {
        self.check(self.addresses.as_ref(), &address)
    }

    /// Whether one more request from this address that brings something from elsewhere is welcome now.
    pub fn check_oidc(&self, address: IpAddr) -> Result<()> {
        self.check(self.oidc.as_ref(), &address)
    }

    fn check<Key: std::hash::Hash + Eq + Clone>(
        &self,
        limiter: Option<&DefaultKeyedRateLimiter<Key>>,
        key: &Key,
    ) -> Result<()> {
        let Some(limiter) = limiter else { return Ok(()) };
        limiter.check_key(key).map_err(|refusal| {
            let wait = refusal.wait_time_from(self.clock.now()).as_secs_f64().ceil().max(1.0) as u64;
            Problem::new(ProblemCode::RateLimited, format!("try again in {wait} s"))
                .with("retry_after", wait)
                .into()
        })
    }

    /// Forgets who has been quiet.
    pub fn tidy(&self) {
        if let Some(tokens) = &self.tokens {
            tokens.retain_recent();
        }
        for addresses in [&self.addresses, &self.oidc].into_iter().flatten() {
            addresses.retain_recent();
        }
    }
}
