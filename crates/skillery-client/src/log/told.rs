//! What a person should hear once, whichever command came upon it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use skillery_core::tlog::VerifierKey;

/// That the log of a registry was met for the first time, and its key pinned because the registry says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met {
    /// The registry.
    pub registry: String,
    /// The key.
    pub key: VerifierKey,
}

impl fmt::Display for Met {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (registry, fingerprint) = (&self.registry, self.key.fingerprint());
        write!(formatter, "first contact with the log of {registry}; its key is pinned: {fingerprint}")
    }
}

/// What this process came upon and nobody has told of yet. It does not matter which of many clients it was.
pub(super) struct Untold<T>(Mutex<Vec<T>>);

impl<T> Untold<T> {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(super) fn add(&self, one: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    }

    pub(super) fn take(&self) -> Vec<T> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) static MET: Untold<Met> = Untold::new();

/// What was met since this was asked last, to be told once.
pub fn take_met() -> Vec<Met> {
    MET.take()
}
